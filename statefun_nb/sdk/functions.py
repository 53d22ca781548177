"""``@sf.function``: plain functions and classes, on top of ``StatefulFunctions``."""

from __future__ import annotations

import dis
import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, get_origin, overload

from ..address import plain_text
from ..cells.places import warn
from ..errors import DeclarationError, DeclarationTypeError, class_of
from ..tables import shown
from .context import Context
from .inference import CLASS_TYPES, type_of_class
from .messages import Message
from .registry import StatefulFunctions, check_decorator
from .state import State
from .types import Type
from .value_spec import ValueSpec

__all__ = ["StatefulFunction", "default_functions", "function", "undeclare"]

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
D = TypeVar(
    "D",
    bound=Callable[[Context, Message], object] | type[StatefulFunction] | StatefulFunction,
)


@overload
def function(
    typename: str,
    state: Mapping[str, Type[Any] | type[Any] | State[Any]],
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

    What is declared is a function of (context, message), a class derived from
    ``StatefulFunction``, or an instance of one: ``function("ns/name")(Greeter(client))`` hands in
    what its constructor wants.

    Parameters
    ----------
    typename : str
        ``namespace/name``.
    state : mapping or iterable of ValueSpec, optional
        State names with their types: Types, or classes such as ``int`` and ``str``; an
        ``sf.State(type, ...)`` where it expires or migrates. A class-style function declares its
        state with ``State`` attributes instead.
    functions : StatefulFunctions, optional
        Where to declare it; the set that ``sf.start()`` serves by default.

    Raises
    ------
    DeclarationError
        When a name, a type or the signature is not as it should be, or the function could not
        work: one that yields, a class that cannot be made without arguments.

    Examples
    --------
    >>> @function("example/person", state={"visits": int})
    ... def person(ctx, message):
    ...     ctx.storage.visits = (ctx.storage.visits or 0) + 1
    """
    check_decorator("sf.function", typename)
    typename = plain_text(typename)
    target = _set_of(functions, typename)
    if not isinstance(state, (Mapping, Iterable, type(None))) or isinstance(state, (str, bytes)):
        raise _no_state(typename, state)

    def decorate(declared: D) -> D:
        if isinstance(declared, type):
            _declare_instance(target, typename, _made(typename, declared), state)
        elif isinstance(declared, StatefulFunction):
            _declare_instance(target, typename, declared, state)
        elif callable(declared):
            target._declare(typename, declared, _specs(typename, state), uses_handles=False)
        else:
            raise DeclarationTypeError(
                f"{typename}: {shown(declared)} is neither function nor class"
            )
        return declared

    return decorate


def undeclare(typename: str, *, functions: StatefulFunctions | None = None) -> None:
    """Take a function back that ``function`` has declared; messages for it wait from now on.

    Parameters
    ----------
    functions : StatefulFunctions, optional
        Where it was declared; the set that ``sf.start()`` serves by default.

    Raises
    ------
    UnknownFunctionError
        When none is declared under that name.

    Examples
    --------
    >>> @function("example/mistake")
    ... def mistake(ctx, message): ...
    >>> undeclare("example/mistake")
    """
    _set_of(functions, typename).undeclare(typename)


def _set_of(functions: StatefulFunctions | None, typename: object) -> StatefulFunctions:
    if functions is None:
        return default_functions
    if not isinstance(functions, StatefulFunctions):
        raise DeclarationTypeError(
            f"{typename}: functions= takes sf.StatefulFunctions(), not {shown(functions)}"
        )
    return functions


def _specs(typename: str, state: Mapping[str, Any] | Iterable[ValueSpec] | None) -> list[ValueSpec]:
    if state is None:
        return []
    if isinstance(state, Mapping):
        specs = []
        for name, declared in state.items():
            try:
                specs.append(_spec(name, declared))
            except DeclarationError as error:
                raise type(error)(f"{typename}, state {name!r}: {error}") from error
        return specs
    listed = list(state)
    for each in listed:
        if not isinstance(each, ValueSpec):
            raise _no_state(typename, each)
    return listed


def _no_state(typename: str, given: object) -> DeclarationTypeError:
    return DeclarationTypeError(
        f'{typename}: state= takes names and their types, such as {{"visits": int}}, not '
        f"{shown(given)}"
    )


def _spec(name: str, declared: Any) -> ValueSpec:
    if isinstance(declared, str) and declared in {each.__name__ for each in CLASS_TYPES}:
        raise DeclarationTypeError(
            f"{shown(declared)} is the name of a type, as text: write {{{name!r}: {declared}}}, "
            "without quotation marks"
        )
    if type(declared) in CLASS_TYPES:
        raise DeclarationTypeError(
            f"{shown(declared)} is not a type, and a state has no default: write "
            f"{{{name!r}: {class_of(declared)}}}, and begin with that value where there is none "
            f"yet (ctx.storage.{name} is None)"
        )
    if not isinstance(declared, State):
        return ValueSpec(name, type_of_class(declared))
    if declared.name not in (None, name):
        raise DeclarationError(f"it is named twice: sf.State(..., name={declared.name!r})")
    return declared.spec(name)


def _made(typename: str, cls: type) -> StatefulFunction:
    """The one instance of a class that serves all addresses."""
    if not issubclass(cls, StatefulFunction):
        raise DeclarationTypeError(
            f"{typename}: class {cls.__name__} must derive from sf.StatefulFunction"
        )
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(cls.__abstractmethods__))
        raise DeclarationTypeError(f"{typename}: class {cls.__name__} does not define {missing}")
    wanted = [
        each.name
        for each in inspect.signature(cls).parameters.values()
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    if wanted:
        given = ", ".join(wanted)
        raise DeclarationTypeError(
            f"{typename}: the constructor of {cls.__name__} wants {given}: declare an instance, "
            f'sf.function("{typename}")({cls.__name__}({given}))'
        )
    return cls()


def _refuse_annotations(typename: str, cls: type, handles: Mapping[str, State]) -> None:
    """Raise for `n: sf.State(int)`, which declares nothing."""
    for base in cls.__mro__:
        try:
            found: dict[str, Any] = inspect.get_annotations(base)
        except Exception:  # whatever an annotation of the user's does when it is looked at
            found = {}
        for name, declared in found.items():
            text = declared if isinstance(declared, str) else ""
            is_state = isinstance(declared, State) or (get_origin(declared) or declared) is State
            if name not in handles and (is_state or _OF_STATE.match(text)):
                kind = text.partition("(")[2].rstrip(")") or "type"
                raise DeclarationTypeError(
                    f"{typename}: {name} of {base.__name__} is only annotated, which declares no "
                    f"state: write {name} = sf.State({kind}), with an equals sign"
                )


# In quotes, as all annotations below `from __future__ import annotations` are.
_OF_STATE = re.compile(r"(\w+\.)*State\b")


def _warn_of_attributes(typename: str, cls: type) -> None:
    """Warn of attributes with a plain value that ``invoke`` sets: they look like state."""
    code = getattr(inspect.unwrap(cls.invoke), "__code__", None)  # type: ignore[attr-defined]
    if code is None:
        return
    stored = {each.argval for each in dis.get_instructions(code) if each.opname == "STORE_ATTR"}
    for base in cls.__mro__:
        for name in stored.intersection(vars(base)):
            kind = type(vars(base)[name])
            if kind in CLASS_TYPES:
                warn(
                    f"{typename}: invoke sets self.{name}, which is no state: one object serves "
                    f"all addresses, and nothing keeps what it has; declare {name} = "
                    f"sf.State({kind.__name__}), and write it with self.{name}.set(value)"
                )


def _declare_instance(
    functions: StatefulFunctions, typename: str, instance: StatefulFunction, state: object
) -> None:
    if state is not None:
        raise DeclarationError(
            f"{typename}: a class declares its state as attributes, name = sf.State(type)"
        )
    handles: dict[str, State] = {}
    for base in reversed(type(instance).__mro__):
        handles.update({k: v for k, v in vars(base).items() if isinstance(v, State)})
        for name, value in vars(base).items():
            if (get_origin(value) or value) is State:  # sf.State, or sf.State[int]
                raise DeclarationTypeError(
                    f"{typename}: {name} of {base.__name__} is the class State itself: write "
                    f"{name} = sf.State(type), such as sf.State(int)"
                )
    _refuse_annotations(typename, type(instance), handles)
    _warn_of_attributes(typename, type(instance))
    specs = []
    for name, handle in handles.items():
        try:
            specs.append(handle.spec())
        except DeclarationError as error:
            raise type(error)(f"{typename}, state {name!r}: {error}") from error
    functions._declare(typename, instance.invoke, specs, uses_handles=bool(specs))
