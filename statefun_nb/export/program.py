"""From the cells of a notebook to the module that declares its functions; pure text.

A program slice: the statements that declare the functions, and those that bind the names that
these use, and so on; each name as it was bound last. What only drives the functions, such as
sending messages, is not among them.
"""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from ..errors import DeclarationError

__all__ = ["Wanted", "program"]

# Methods that change what a name stands for: a table that is filled in a cell of its own.
_FILLING = {"add", "append", "extend", "insert", "setdefault", "update"}
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_EXPRESSIONS = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_BUILT_IN = {*dir(builtins), "__name__", "__file__", "__doc__", "get_ipython", "display"}


class Wanted(NamedTuple):
    """A function to be found: its typename, and the qualified name of what was declared."""

    typename: str
    name: str


class _Statement(NamedTuple):
    """A top-level statement of a cell.

    ``now`` are the names that it needs when it is run, ``later`` those that a function in it needs
    when that is called.
    """

    place: int
    source: str
    node: ast.stmt
    binds: frozenset[str]
    now: frozenset[str]
    later: frozenset[str]

    @property
    def is_future(self) -> bool:
        """Does it say how everything after it is compiled?"""
        return isinstance(self.node, ast.ImportFrom) and self.node.module == "__future__"

    @property
    def is_import(self) -> bool:
        return isinstance(self.node, (ast.Import, ast.ImportFrom))


def program(cells: Iterable[str], wanted: Sequence[Wanted], refused: Collection[str] = ()) -> str:
    """The text of a module that declares these functions as the cells do.

    Parameters
    ----------
    cells : iterable of str
        The code of the cells in the order they were run, magics translated as IPython does.
    refused : collection of str
        Names that a program cannot have: those of sessions.

    Raises
    ------
    DeclarationError
        When a function's declaration, or a name that it needs, is in no cell, or is refused.
    """
    statements = _statements(cells)
    users: dict[int, tuple[_Statement, str] | None] = {}  # who needs it, and for which name
    chosen: list[_Statement] = []
    open_ = [statement for each in wanted for statement in _declarations(statements, each)]
    open_ += [statement for statement in statements if statement.is_future]
    users.update((statement.place, None) for statement in open_)
    while open_:
        statement = open_.pop()
        chosen.append(statement)
        found: list[tuple[str, _Statement]] = []
        for name in sorted(statement.now | statement.later):
            if name in refused:
                raise DeclarationError(
                    f"{name!r} is a session, which a program has none of: "
                    f"{_why(statement, name, users)}; define that without it"
                )
            found += [(name, each) for each in _needed(statements, statement, name)]
        found += [("", each) for each in statements if _fills(each, statement.binds)]
        for name, each in found:
            if each.place not in users:
                users[each.place] = (statement, name)
                open_.append(each)
    return _text(_in_order(chosen))


def _why(statement: _Statement, name: str, users: dict[int, tuple[_Statement, str] | None]) -> str:
    """Who needs a name, from the name up to a function."""
    steps = []
    user: tuple[_Statement, str] | None = (statement, name)
    while user is not None:
        found, wanted = user
        steps.append(f"{', '.join(sorted(found.binds)) or found.source} uses {wanted}")
        user = users[found.place]
    return ", ".join(steps)


def _statements(cells: Iterable[str]) -> list[_Statement]:
    found: list[_Statement] = []
    for cell in cells:
        try:
            tree = ast.parse(cell)
        except SyntaxError:
            continue  # it was never run
        lines = cell.splitlines()
        for node in tree.body:
            text = _with_comments(lines, node)
            binds = frozenset(_bound(node))
            now, later = _free(text)
            if isinstance(node, ast.AugAssign):
                now |= binds
            found.append(_Statement(len(found), text, node, binds, now, later))
    return found


def _with_comments(lines: list[str], node: ast.stmt) -> str:
    """The lines of a statement, its decorators, and the comment right above it."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(each.lineno for each in decorators)]) - 1
    text = "\n".join(lines[first : node.end_lineno])
    if lines[first][: node.col_offset].strip() or ";" in lines[(node.end_lineno or 1) - 1]:
        text = ast.unparse(node)  # one of several on a line
    while first and lines[first - 1].startswith("#") and "NBVAL" not in lines[first - 1]:
        first -= 1
        text = f"{lines[first]}\n{text}"
    return text


def _bound(node: ast.stmt) -> Iterable[str]:
    """The names that a statement binds at the top level."""
    if isinstance(node, _DEFINITIONS):
        yield node.name
        return
    for each in _outside_functions(node):
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            yield each.id
        elif isinstance(each, ast.alias):
            yield each.asname or each.name.partition(".")[0]
        elif isinstance(each, _DEFINITIONS):
            yield each.name


def _outside_functions(node: ast.AST) -> Iterable[ast.AST]:
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, (*_DEFINITIONS, *_EXPRESSIONS)):
            yield from _outside_functions(child)


def _free(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The names of the module that a statement needs at once, and those it needs later."""
    now: set[str] = set()
    later: set[str] = set()
    _scan(symtable.symtable(text, "cell", "exec"), now, later, inside=False)
    return frozenset(now), frozenset(later - now)


def _scan(table: symtable.SymbolTable, now: set[str], later: set[str], *, inside: bool) -> None:
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (table.get_type() == "module" or symbol.is_global()):
            (later if inside else now).add(symbol.get_name())
    for child in table.get_children():
        # The body of a class is run at once, that of a function when it is called.
        _scan(child, now, later, inside=inside or child.get_type() == "function")


def _declarations(statements: Sequence[_Statement], wanted: Wanted) -> list[_Statement]:
    """The statement that declares a function, and the one that registers it where that is apart."""
    by_typename = [each for each in statements if _names_typename(each.node, wanted.typename)]
    if by_typename:
        return by_typename[-1:]
    outer, inside, _ = wanted.name.partition(".")
    if inside:  # declared by a function: all that call it
        calls = [e for e in statements if outer in e.now and not isinstance(e.node, _DEFINITIONS)]
        if calls and any(outer in each.binds for each in statements):
            return calls
    by_name = [
        each
        for each in statements
        if outer in each.binds and getattr(each.node, "decorator_list", None)
    ]
    if by_name:
        return by_name[-1:]
    raise DeclarationError(
        f"no cell declares {wanted.typename}: functions that were imported are not exported"
    )


def _names_typename(node: ast.stmt, typename: str) -> bool:
    """Is it ``@sf.function(typename)``, ``@functions.bind(typename)`` or ``register(typename)``?"""
    calls = list(getattr(node, "decorator_list", []))
    if isinstance(node, ast.Expr):
        calls.append(node.value)
        if isinstance(node.value, ast.Call):  # functions.bind(typename)(fun)
            calls.append(node.value.func)
    for call in calls:
        if isinstance(call, ast.Call) and _called(call) in ("function", "bind", "register"):
            arguments = [*call.args[:1], *(k.value for k in call.keywords if k.arg == "typename")]
            if any(isinstance(a, ast.Constant) and a.value == typename for a in arguments):
                return True
    return False


def _called(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def _needed(statements: Sequence[_Statement], user: _Statement, name: str) -> list[_Statement]:
    """What binds a name that a statement uses: the last that does; of itself, the one before."""
    binding = [each for each in statements if name in each.binds]
    if user in binding:
        before = [each for each in binding if each.place < user.place]
        return before[-1:] if name in user.now else []
    if binding:
        return binding[-1:]
    if name in _BUILT_IN:
        return []
    stars = [each for each in statements if each.is_import and "*" in each.binds]
    if stars:
        return stars
    raise DeclarationError(
        f"{name!r} is used by what is exported, and no cell binds it: define or import it in a cell"
    )


def _fills(statement: _Statement, names: frozenset[str]) -> bool:
    """Is it ``name[...] = ...``, ``name.attribute = ...`` or ``name.append(...)``?"""
    node = statement.node
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = [each for each in node.targets if not isinstance(each, ast.Name)]
    elif isinstance(node, ast.AugAssign) and not isinstance(node.target, ast.Name):
        targets = [node.target]
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        targets = [node.value.func] if _called(node.value) in _FILLING else []
    for target in targets:
        root = target
        while isinstance(root, (ast.Attribute, ast.Subscript)):
            root = root.value
        if root is not target and isinstance(root, ast.Name) and root.id in names:
            return True
    return False


def _in_order(chosen: list[_Statement]) -> list[_Statement]:
    """In the order they were run, but each after what it needs at once: cells are run again."""
    chosen.sort(key=lambda each: (not each.is_future, not each.is_import, each.place))
    placed: dict[int, _Statement] = {}

    def place(statement: _Statement, above: frozenset[int]) -> None:
        if statement.place in placed or statement.place in above:
            return
        for other in chosen:
            needs_it = other.binds & statement.now and not (
                other.binds & statement.binds and other.place > statement.place
            )
            if other is not statement and needs_it:
                place(other, above | {statement.place})
        placed[statement.place] = statement

    for statement in chosen:
        place(statement, frozenset())
    return list(placed.values())


def _text(statements: Sequence[_Statement]) -> str:
    text = '"""Stateful functions, exported from a notebook."""\n'
    before: _Statement | None = None
    for statement in statements:
        large = any(
            isinstance(each.node, _DEFINITIONS) for each in (before, statement) if each is not None
        )
        together = before is not None and before.is_import == statement.is_import
        text += "\n\n" if large else "" if together else "\n"
        text += statement.source.rstrip() + "\n"
        before = statement
    return text
