"""The top-level statements of cells, and which names each binds and needs; pure text."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["DEFINITIONS", "Statement", "outside_functions", "read_statements", "run_at_once"]

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_EXPRESSIONS = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Statement(NamedTuple):
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

    @property
    def awaits(self) -> bool:
        """Does it await at the top level, as a cell may and a module may not?"""
        return any(map(_is_await, run_at_once(self.node)))

    @property
    def called(self) -> str:
        """What it is to a reader: the names it binds, else its text."""
        return self._typename or ", ".join(sorted(self.binds)) or self.source

    @property
    def _typename(self) -> str:
        """Of a cell's body that was made a function: its name is none that a user has written."""
        match self.node:
            case ast.FunctionDef(
                decorator_list=[ast.Call(args=[ast.Constant(value=str(typename))])]
            ):
                made = f"serve_{typename.rpartition('/')[2]}"
                return f"the function {typename}" if self.binds == {made} else ""
        return ""


def read_statements(cells: Iterable[str]) -> list[Statement]:
    """The statements of all cells, in the order they were run.

    Examples
    --------
    >>> [(each.called, sorted(each.now)) for each in read_statements(["a = b", "c = a"])]
    [('a', ['b']), ('c', ['a'])]
    """
    found: list[Statement] = []
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
            found.append(Statement(len(found), text, node, binds, now, later))
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
    if isinstance(node, DEFINITIONS):
        yield node.name
        return
    for each in outside_functions(node):
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            yield each.id
        elif isinstance(each, ast.alias):
            yield each.asname or each.name.partition(".")[0]
        elif isinstance(each, DEFINITIONS):
            yield each.name


def _is_await(node: ast.AST) -> bool:
    return isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)) or (
        isinstance(node, ast.comprehension) and bool(node.is_async)
    )


def run_at_once(node: ast.AST) -> Iterable[ast.AST]:
    """A statement and what is in it, but for the bodies of functions: those are run when called."""
    yield node
    if isinstance(node, ast.Lambda):
        return
    for field, value in ast.iter_fields(node):
        if field == "body" and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from run_at_once(child)


def outside_functions(node: ast.AST) -> Iterable[ast.AST]:
    """What is in a statement, but for functions, classes, lambdas and comprehensions in it."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, (*DEFINITIONS, *_EXPRESSIONS)):
            yield from outside_functions(child)


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
