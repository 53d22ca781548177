"""What is said when a function is declared while a session runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..cells.history import running_shell
from ..cells.places import place_of_function, warn
from ..engine.base import Engine
from ..sdk.registry import FunctionSpec

__all__ = ["tell_refused", "tell_replaced"]


def tell_refused(engine: Engine, now: FunctionSpec) -> None:
    """Warn of state that is declared otherwise than it is kept: its messages will be parked."""
    specs = [each.wire_spec() for each in now.layout.specs.values()]
    if specs and (problem := engine.kept_otherwise(now.typename, specs)):
        warn(problem)


def tell_replaced(before: FunctionSpec | None, now: FunctionSpec) -> None:
    """Warn, in a notebook, of a cell that puts quite another function in the place of one.

    A cell that was copied and keeps its typename does so. One of the same name is the next version
    of it, and so is ``cart_with_remove`` of ``cart``.
    """
    if before is None or running_shell() is None:
        return
    old, new = _name_of(before.fun), _name_of(now.fun)
    if not (old and new) or old in new or new in old:
        return
    warn(
        f"{now.typename} is served by {new}{_at(now.fun)} from now on, and no more by "
        f"{old}{_at(before.fun)}: a typename has one function, so give one of them another "
        "typename if both are meant"
    )


def _name_of(fun: Callable[..., Any]) -> str:
    """What its author calls a function, or the class of one; "" for what has no name."""
    owner = getattr(fun, "__self__", None)
    name = getattr(fun if owner is None else type(owner), "__name__", "")
    return "" if name == "<lambda>" else str(name)


def _at(fun: Callable[..., Any]) -> str:
    place = place_of_function(fun)
    return f" ({place})" if place else ""
