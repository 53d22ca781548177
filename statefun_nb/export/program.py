"""From the cells of a notebook to the module that declares its functions; pure text.

A program slice: the statements that declare the functions, and those that bind the names that
these use, and so on; each name as it was bound last. What only drives the functions, such as
sending messages, is not among them. What a module cannot have is refused by its name.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..errors import DeclarationError
from .statements import DEFINITIONS, Statement, outside_functions, read_statements

__all__ = ["Refusal", "Wanted", "declarations", "program"]

# Methods that change what a name stands for: a table that is filled in a cell of its own.
_FILLING = {"add", "append", "extend", "insert", "setdefault", "update"}
_DECLARING = ("function", "bind", "register")
_BUILT_IN = {*dir(builtins), "__name__", "__file__", "__doc__"} - {"display", "get_ipython"}


class Wanted(NamedTuple):
    """A function to be found: its typename, and the qualified name of what was declared."""

    typename: str
    name: str


class Refusal(NamedTuple):
    """Why a program cannot have a name, and what to do instead."""

    what: str
    cure: str


_AWAITED = Refusal(
    "bound by a top-level await, which a module cannot have",
    "write down what came of it, or await it in the function",
)
# What a cell has without binding it.
_OF_IPYTHON = {
    "display": Refusal(
        "IPython's, which a program does not have", "import it: from IPython.display import display"
    ),
    "get_ipython": Refusal(
        "IPython's (a line with % or !), which a program does not have", "write it in Python"
    ),
}
_OF_SESSIONS = {
    name: Refusal(
        "of a session, which a program does not have", "use ctx in functions, and plain values here"
    )
    for name in ("session", "start", "stop")
}


class _Slice:
    """The statements that were chosen so far, and who needs each of them, for which name."""

    def __init__(self, statements: list[Statement], refused: Mapping[str, Refusal]) -> None:
        self._statements = statements
        self._refused = refused
        self._users: dict[int, tuple[Statement, str] | None] = {}
        self.chosen: list[Statement] = []

    def choose(self, first: Iterable[Statement]) -> None:
        """Take these, what they need, and so on."""
        open_ = list(first)
        self._users.update((statement.place, None) for statement in open_)
        while open_:
            statement = open_.pop()
            self.chosen.append(statement)
            if statement.awaits:
                self._refuse(statement, _AWAITED)
            found = [
                (name, each)
                for name in sorted(statement.now | statement.later)
                for each in self._needed(statement, name)
            ]
            found += [("", each) for each in self._statements if _fills(each, statement.binds)]
            for name, each in found:
                if each.place not in self._users:
                    self._users[each.place] = (statement, name)
                    open_.append(each)

    def _needed(self, user: Statement, name: str) -> list[Statement]:
        """What binds a name that a statement uses: the last that does; of itself, the one before.

        Raises
        ------
        DeclarationError
            When no cell binds it, or a program cannot have it.
        """
        binding = [each for each in self._statements if name in each.binds]
        if name in self._refused and not (binding and binding[-1].is_import):
            self._refuse_name(user, name, self._refused[name])
        for used, refusal in _session_calls(user, name, binding):
            self._refuse_name(user, used, refusal)
        if user in binding:
            before = [each for each in binding if each.place < user.place]
            return before[-1:] if name in user.now else []
        if binding:
            return binding[-1:]
        if name in _BUILT_IN:
            return []
        stars = [each for each in self._statements if each.is_import and "*" in each.binds]
        if name in _OF_SESSIONS and any(map(_is_of_package, stars)):
            self._refuse_name(user, name, _OF_SESSIONS[name])
        if name in _OF_IPYTHON:
            self._refuse_name(user, name, _OF_IPYTHON[name])
        if stars:
            return stars
        raise DeclarationError(
            f"{name!r} is used by what is exported, and no cell binds it: define or import it "
            f"in a cell ({self._why(user, name)})"
        )

    def _refuse(self, statement: Statement, refusal: Refusal) -> None:
        user = self._users[statement.place]
        if user is None:
            raise DeclarationError(f"{statement.called} is {refusal.what}; {refusal.cure}")
        self._refuse_name(*user, refusal)

    def _refuse_name(self, user: Statement, name: str, refusal: Refusal) -> None:
        name = name or user.called  # what fills it has no name of its own
        raise DeclarationError(
            f"{name!r} is {refusal.what}: {self._why(user, name)}; {refusal.cure}"
        )

    def _why(self, statement: Statement, name: str) -> str:
        """Who needs a name, from the name up to a function."""
        steps = []
        user: tuple[Statement, str] | None = (statement, name)
        while user is not None:
            found, wanted = user
            steps.append(f"{found.called} uses {wanted}")
            user = self._users[found.place]
        return ", ".join(steps)


def program(
    cells: Iterable[str], wanted: Sequence[Wanted], refused: Mapping[str, Refusal] | None = None
) -> str:
    """The text of a module that declares these functions as the cells do.

    Parameters
    ----------
    cells : iterable of str
        The code of the cells in the order they were run, magics translated as IPython does.
    refused : mapping, optional
        Names that a program cannot have, each with why: those of sessions and live objects.

    Raises
    ------
    DeclarationError
        When a function's declaration, or a name that it needs, is in no cell, or is refused.
    """
    statements = read_statements(cells)
    found = _Slice(statements, refused or {})
    found.choose(
        [
            *(statement for each in wanted for statement in declarations(statements, each)),
            *(statement for statement in statements if statement.is_future),
        ]
    )
    return _text(_in_order(found.chosen))


def _is_of_package(statement: Statement) -> bool:
    node = statement.node
    return isinstance(node, ast.ImportFrom) and node.module == "statefun_nb"


def _session_calls(
    user: Statement, name: str, binding: Sequence[Statement]
) -> Iterable[tuple[str, Refusal]]:
    """What a statement uses of a session by an imported name: ``sf.session``, ``start``."""
    if not binding or not binding[-1].is_import or user is binding[-1]:
        return
    node = binding[-1].node
    assert isinstance(node, (ast.Import, ast.ImportFrom))
    bound = [each for each in node.names if (each.asname or each.name) == name]
    if _is_of_package(binding[-1]):
        for each in bound:
            if each.name in _OF_SESSIONS:
                yield name, _OF_SESSIONS[each.name]
    elif isinstance(node, ast.Import) and any(each.name == "statefun_nb" for each in bound):
        for used in ast.walk(user.node):
            if (
                isinstance(used, ast.Attribute)
                and used.attr in _OF_SESSIONS
                and getattr(used.value, "id", None) == name
            ):
                yield f"{name}.{used.attr}", _OF_SESSIONS[used.attr]


def declarations(statements: Sequence[Statement], wanted: Wanted) -> list[Statement]:
    """The statement that declares a function, or all that may where the text does not tell."""
    by_typename = [each for each in statements if _typenames(statements, each, wanted.typename)]
    if by_typename:
        return by_typename[-1:]
    outer, inside, _ = wanted.name.partition(".")
    if inside:  # declared by a function: all that call it
        calls = [e for e in statements if outer in e.now and not isinstance(e.node, DEFINITIONS)]
        if calls and any(outer in each.binds for each in statements):
            return calls
    by_name = [
        each
        for each in statements
        if outer in each.binds and getattr(each.node, "decorator_list", None)
    ]
    if by_name:
        return by_name[-1:]
    computed = [each for each in statements if _typenames(statements, each, None)]
    if computed:  # in a loop, for one
        return computed
    raise DeclarationError(
        f"no cell declares {wanted.typename}: functions that were imported are not exported"
    )


def _typenames(statements: Sequence[Statement], statement: Statement, typename: str | None) -> bool:
    """Does it declare that typename; or, with None, one that the text does not tell?

    By ``@sf.function(typename)``, ``functions.bind(typename)(fun)`` or ``register(typename, fun)``.
    """
    for call in _declaring_calls(statement.node):
        arguments = [*call.args[:1], *(k.value for k in call.keywords if k.arg == "typename")]
        for each in arguments:
            if _constant(statements, statement, each) == typename:
                return True
    return False


def _declaring_calls(node: ast.stmt) -> Iterable[ast.Call]:
    for each in (node, *outside_functions(node)):
        found = [each, *getattr(each, "decorator_list", [])]
        for call in found:
            if isinstance(call, ast.Call) and _called(call) in _DECLARING:
                yield call


def _constant(statements: Sequence[Statement], user: Statement, argument: ast.expr) -> str | None:
    """The text that an argument is, by itself or by a name that was bound to it before."""
    if isinstance(argument, ast.Name):
        before = [e for e in statements if argument.id in e.binds and e.place < user.place]
        if before and isinstance(before[-1].node, ast.Assign):
            argument = before[-1].node.value
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return argument.value
    return None


def _called(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def _fills(statement: Statement, names: frozenset[str]) -> bool:
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


def _in_order(chosen: list[Statement]) -> list[Statement]:
    """In the order they were run, but each after what it needs at once: cells are run again."""
    chosen.sort(key=lambda each: (not each.is_future, not each.is_import, each.place))
    placed: dict[int, Statement] = {}

    def place(statement: Statement, above: frozenset[int]) -> None:
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


def _text(statements: Sequence[Statement]) -> str:
    text = '"""Stateful functions, exported from a notebook."""\n'
    before: Statement | None = None
    for statement in statements:
        large = any(
            isinstance(each.node, DEFINITIONS) for each in (before, statement) if each is not None
        )
        together = before is not None and before.is_import == statement.is_import
        text += "\n\n" if large else "" if together else "\n"
        text += statement.source.rstrip() + "\n"
        before = statement
    return text
