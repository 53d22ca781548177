"""``@sf.function``: plain functions and classes, on top of ``StatefulFunctions``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, overload

from ..errors import DeclarationError, DeclarationTypeError
from .context import Context
from .inference import type_of_class
from .messages import Message
from .registry import StatefulFunctions
from .state import State
from .types import Type
from .value_spec import ValueSpec

__all__ = ["StatefulFunction", "default_functions", "function"]

# What sf.function fills and sf.start serves when neither is told otherwise.
default_functions: StatefulFunctions = StatefulFunctions()


class StatefulFunction(ABC):
    """The base of class-style functions: declare ``State`` attributes, write ``invoke``.

    ``invoke`` may be ``async``. One instance serves all addresses.
    """

    @abstractmethod
    def invoke(self, ctx: Context, message: Message, /) -> Any:
        """Serve one message."""


# What can be declared; a checker sees that it comes out of the decorator as it went in.
D = TypeVar("D", bound=Callable[[Context, Message], object] | type[StatefulFunction])


@overload
def function(
    typename: str,
    state: Mapping[str, Type[Any] | type[Any]],
    *,
    functions: StatefulFunctions | None = None,
) -> Callable[[D], D]: ...
@overload
def function(
    typename: str,
    state: Iterable[ValueSpec] | None = None,
    *,
    functions: StatefulFunctions | None = None,
) -> Callable[[D], D]: ...
def function(
    typename: str,
    state: Mapping[str, Any] | Iterable[ValueSpec] | None = None,
    *,
    functions: StatefulFunctions | None = None,
) -> Callable[[D], D]:
    """Declare a stateful function; running the cell again replaces it in place.

    Parameters
    ----------
    typename : str
        ``namespace/name``.
    state : mapping or iterable of ValueSpec, optional
        State names with their types: Types, or classes such as ``int`` and ``str``. A class-style
        function declares its state with ``State`` attributes instead.
    functions : StatefulFunctions, optional
        Where to declare it; the set that ``sf.start()`` serves by default.

    Raises
    ------
    DeclarationError
        When a name, a type or the signature is not as it should be.

    Examples
    --------
    >>> @function("example/person", state={"visits": int})
    ... def person(ctx, message):
    ...     ctx.storage.visits = (ctx.storage.visits or 0) + 1
    """
    target = default_functions if functions is None else functions

    def decorate(declared: D) -> D:
        if isinstance(declared, type):
            _declare_class(target, typename, declared, state)
        elif callable(declared):
            target._declare(typename, declared, _specs(typename, state), uses_handles=False)
        else:
            raise DeclarationTypeError(f"{typename}: {declared!r} is neither function nor class")
        return declared

    return decorate


def _specs(typename: str, state: Mapping[str, Any] | Iterable[ValueSpec] | None) -> list[ValueSpec]:
    if state is None:
        return []
    if isinstance(state, Mapping):
        specs = []
        for name, declared in state.items():
            try:
                specs.append(ValueSpec(name, type_of_class(declared)))
            except DeclarationError as error:
                raise type(error)(f"{typename}, state {name!r}: {error}") from error
        return specs
    return list(state)


def _declare_class(functions: StatefulFunctions, typename: str, cls: type, state: object) -> None:
    if not issubclass(cls, StatefulFunction):
        raise DeclarationTypeError(
            f"{typename}: class {cls.__name__} must derive from sf.StatefulFunction"
        )
    if state is not None:
        raise DeclarationError(
            f"{typename}: a class declares its state as attributes, name = sf.State(type)"
        )
    handles: dict[str, State] = {}
    for base in reversed(cls.__mro__):
        handles.update({k: v for k, v in vars(base).items() if isinstance(v, State)})
    specs = [handle.spec() for handle in handles.values()]
    functions._declare(typename, cls().invoke, specs, uses_handles=bool(specs))
