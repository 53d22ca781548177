"""``%%statefun_function``: the cell is a function's body; ``%%statefun_module``: a module.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, get_type_hints

from ..address import parse_typename
from ..cells.arguments import HelpShown, UsageError, cell_parser, parse
from ..cells.body import compile_body
from ..errors import StatefunError
from ..sdk.functions import function
from ..sdk.inference import CLASS_TYPES
from .line import running_session
from .parser import module_parser

__all__ = ["statefun_function", "statefun_module"]

_CLASSES = {each.__name__: each for each in CLASS_TYPES}


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
        running_session().load_module(cell + "\n")
    except HelpShown:
        return
    except StatefunError as error:
        print(f"{type(error).__name__}: {error}")  # a user's slip: one line, no traceback


def _state(text: str, names: Mapping[str, Any]) -> tuple[str, Any]:
    name, colon, kind = text.partition(":")
    if not colon:
        raise UsageError(f"--state {text}: write NAME:TYPE, for example visits:int")
    found = _CLASSES.get(kind) or names.get(kind) or _annotation(kind, names)
    if found is None:
        raise UsageError(
            f"--state {text}: {kind!r} is neither {', '.join(_CLASSES)} nor a name of this notebook"
        )
    return name, found


def _annotation(text: str, names: Mapping[str, Any]) -> Any:
    """What an annotation such as ``list[Cart]`` stands for; None where it is none."""
    annotated = SimpleNamespace(__annotations__={"state": text})
    try:
        return get_type_hints(annotated, {**names, **_CLASSES})["state"]
    except Exception:  # of a class of the user's: it names no type
        return None
