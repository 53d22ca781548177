"""What is said of declarations: of those that a session runs into, and of those that it lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..cells.history import running_shell
from ..cells.places import place_of_function, warn
from ..engine.base import Engine
from ..engine.facts import IngressMessage
from ..sdk.functions import StatefulFunction
from ..sdk.registry import FunctionSpec, StatefulFunctions

__all__ = ["after_this_cell", "refused_state", "tell_declared", "tell_undeclared"]


def refused_state(engine: Engine, spec: FunctionSpec) -> str:
    """Why the state of a function cannot be kept as it is declared; "" when it can.

    To be asked before what was parked for the function goes on, which may take its time.
    """
    specs = [each.wire_spec() for each in spec.layout.specs.values()]
    return engine.kept_otherwise(spec.typename, specs)


def after_this_cell(call: Callable[[], object]) -> None:
    """Have something done when the cell that runs has ended; not where there are no cells."""
    shell = running_shell()
    if shell is None:
        return

    def once(*_: object) -> None:
        shell.events.unregister("post_run_cell", once)
        call()

    shell.events.register("post_run_cell", once)


def tell_declared(problem: str, before: FunctionSpec | None, now: FunctionSpec) -> None:
    """Warn of state that is refused; and, in a notebook, of a cell that was probably copied.

    Such a cell keeps the typename, and puts quite another function in the place of one. One of the
    same name is the next version of it, and so is ``cart_with_remove`` of ``cart``.
    """
    if problem:
        warn(problem)
    if before is None or running_shell() is None:
        return
    old, new = _name_of(before), _name_of(now)
    old_words, new_words = set(old.split("_")), set(new.split("_"))
    if not (old and new) or old_words <= new_words or new_words <= old_words:
        return
    warn(
        f"{now.typename} is served by {new}{_at(now.fun)} from now on, and no more by "
        f"{old}{_at(before.fun)}: a typename has one function, so give one of them another "
        "typename if both are meant"
    )


def tell_undeclared(
    messages: Iterable[IngressMessage],
    functions: StatefulFunctions,
    reached: Callable[[str], bool],
    told: set[str],
) -> None:
    """Warn, once a name, of messages that wait for a function that nobody has declared.

    ``reached`` says whether another endpoint serves a function type, ``told`` keeps the names.
    """
    for typename in {target.typename for target, _, _ in messages} - told:
        if functions.find(typename) is None and not reached(typename):
            told.add(typename)
            warn(
                f"no function {typename!r} is declared: its messages wait until its cell is run"
                f"{functions.meant_by(typename)}"
            )


def _name_of(spec: FunctionSpec) -> str:
    """What its author calls a function, or the class of one; "" for what has no name of its own.

    A function that another one made, as a decorator does, has that one's word for it.
    """
    owner = getattr(spec.fun, "__self__", None)
    named: Any = type(owner) if isinstance(owner, StatefulFunction) else spec.fun
    name, whole = getattr(named, "__name__", ""), getattr(named, "__qualname__", "")
    return name if isinstance(name, str) and "<" not in f"{name}{whole}" else ""


def _at(fun: Callable[..., Any]) -> str:
    place = place_of_function(fun)
    return f" ({place})" if place else ""
