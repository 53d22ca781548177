"""``%%statefun_function``: the cell is a function's body; ``%%statefun_module``: a module.yaml."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Mapping
from typing import Any

from ..address import parse_typename
from ..default_session import session
from ..errors import DeclarationError, StatefunError
from ..functions import function
from .parser import HelpShown, UsageError, cell_parser, module_parser, parse

__all__ = ["compile_body", "statefun_function", "statefun_module"]

_CLASSES = {each.__name__: each for each in (int, float, bool, str, dict, list)}


def statefun_function(ipython: Any, line: str, cell: str) -> None:
    """Declare the cell as a stateful function of ``ctx`` and ``message``."""
    try:
        arguments = parse(cell_parser(), line)
        parse_typename(arguments.typename)
        if not cell.strip():
            raise UsageError("the cell is the body: %%statefun_function NAME, and lines below it")
        state = dict(_state(text, ipython.user_ns) for text in arguments.state)
        body = compile_body(arguments.typename, cell, ipython.user_ns)
        function(arguments.typename, state=state)(body)
    except HelpShown:
        return
    except StatefunError as error:
        print(f"{type(error).__name__}: {error}")  # a user's slip: one line, no traceback


def statefun_module(line: str, cell: str) -> None:
    """Add the cell, a module.yaml, to the session."""
    try:
        parse(module_parser(), line)
        session().load_module(cell + "\n")
    except HelpShown:
        return
    except StatefunError as error:
        print(f"{type(error).__name__}: {error}")  # a user's slip: one line, no traceback


def _state(text: str, names: Mapping[str, Any]) -> tuple[str, Any]:
    name, colon, kind = text.partition(":")
    if not colon:
        raise UsageError(f"--state {text}: write NAME:TYPE, for example visits:int")
    found = _CLASSES.get(kind) or names.get(kind)
    if found is None:
        raise UsageError(
            f"--state {text}: {kind!r} is neither {', '.join(_CLASSES)} nor a name of this notebook"
        )
    return name, found


def compile_body(typename: str, body: str, names: dict[str, Any]) -> Callable[[Any, Any], Any]:
    """A function of (ctx, message) with this body; async when the body awaits.

    Raises
    ------
    DeclarationError
        When the body is no valid Python.

    The body's line numbers stay those of the cell, and tracebacks show its lines.
    """
    name = parse_typename(typename)[1]
    filename = f"<statefun_function {typename}>"
    try:
        tree = ast.parse(body, filename)
    except SyntaxError as error:
        line = (error.text or "").strip()
        raise DeclarationError(f"{typename}: {error.msg} in line {error.lineno}: {line}") from error
    template = "async def f(ctx, message): pass" if _awaits(tree) else "def f(ctx, message): pass"
    module = ast.parse(template)
    definition = module.body[0]
    assert isinstance(definition, (ast.FunctionDef, ast.AsyncFunctionDef))  # the template is one
    definition.name = name if name.isidentifier() else "function"
    definition.body = tree.body or [ast.Pass()]
    ast.fix_missing_locations(module)
    linecache.cache[filename] = (len(body), None, body.splitlines(keepends=True), filename)
    code = compile(module, filename, "exec")
    scope: dict[str, Any] = {}
    exec(code, names, scope)  # noqa: S102 - it is the user's own cell
    function: Callable[[Any, Any], Any] = scope[definition.name]
    return function


def _awaits(tree: ast.AST) -> bool:
    """Does the body itself await, outside the functions it defines?"""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            continue
        if isinstance(child, (ast.Await, ast.AsyncFor, ast.AsyncWith)) or _awaits(child):
            return True
    return False
