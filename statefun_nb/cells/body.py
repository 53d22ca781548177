"""A cell that is the body of a function: run, and written down."""

from __future__ import annotations

import ast
import linecache
import textwrap
from collections.abc import Callable
from typing import Any

from ..address import parse_typename
from ..errors import DeclarationError

__all__ = ["compile_body", "function_name", "function_text"]


def function_name(typename: str) -> str:
    """The Python name of the function whose body a cell is."""
    name = parse_typename(typename)[1]
    return name if name.isidentifier() else "function"


def compile_body(typename: str, body: str, names: dict[str, Any]) -> Callable[[Any, Any], Any]:
    """A function of (ctx, message) with this body; async when the body awaits.

    Raises
    ------
    DeclarationError
        When the body is no valid Python, or defines functions or classes and does nothing with
        them.

    The body's line numbers stay those of the cell, and tracebacks show its lines.
    """
    filename = f"<statefun_function {typename}>"
    try:
        tree = ast.parse(body, filename)
    except SyntaxError as error:
        line = (error.text or "").strip()
        raise DeclarationError(f"{typename}: {error.msg} in line {error.lineno}: {line}") from error
    definitions = [each for each in tree.body if isinstance(each, _DEFINITIONS)]
    if definitions and all(each in definitions or _is_text(each) for each in tree.body):
        name = definitions[0].name
        raise DeclarationError(
            f"{typename}: the cell only defines {name}, and would do nothing when a message comes: "
            "the cell is the body, so leave the def out"
        )
    template = "async def f(ctx, message): pass" if _awaits(tree) else "def f(ctx, message): pass"
    module = ast.parse(template)
    definition = module.body[0]
    assert isinstance(definition, (ast.FunctionDef, ast.AsyncFunctionDef))  # the template is one
    definition.name = function_name(typename)
    definition.body = tree.body or [ast.Pass()]
    ast.fix_missing_locations(module)
    linecache.cache[filename] = (len(body), None, body.splitlines(keepends=True), filename)
    code = compile(module, filename, "exec")
    scope: dict[str, Any] = {}
    exec(code, names, scope)  # noqa: S102 - it is the user's own cell
    function: Callable[[Any, Any], Any] = scope[definition.name]
    return function


def function_text(typename: str, states: list[str], body: str) -> str:
    """The same function as code of a module; ``states`` are of the form NAME:TYPE.

    Examples
    --------
    >>> print(function_text("a/b", ["n:int"], "x = 1"), end="")
    @sf.function('a/b', state={'n': int})
    def serve_b(ctx, message):
        x = 1
    """
    pairs = ", ".join(f"{name!r}: {kind}" for name, _, kind in (s.partition(":") for s in states))
    state = f", state={{{pairs}}}" if pairs else ""
    kind = "async def" if _awaits(ast.parse(body)) else "def"
    name = f"serve_{function_name(typename)}"  # in the notebook it has none, and hides no other
    return (
        f"@sf.function({typename!r}{state})\n{kind} {name}(ctx, message):\n"
        + textwrap.indent(body.rstrip(), "    ")
        + "\n"
    )


_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _is_text(statement: ast.stmt) -> bool:
    """Is it a docstring, or ``...``?"""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _awaits(tree: ast.AST) -> bool:
    """Does the body itself await, outside the functions it defines?"""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, (*_DEFINITIONS, ast.Lambda)):
            continue
        if isinstance(child, (ast.Await, ast.AsyncFor, ast.AsyncWith)) or _awaits(child):
            return True
    return False
