"""Functions by typename: ``StatefulFunctions``, as in the official SDK, with replacement."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from ..address import check_function_typename, parse_typename, plain_text
from ..cells.places import unwrapped
from ..errors import (
    DeclarationError,
    DeclarationTypeError,
    UnknownFunctionError,
    did_you_mean,
    missing,
)
from ..protocol.effects import Request, StateSpec, TypedValue
from ..tables import shown
from .context import Context
from .live import Live
from .messages import Message
from .storage import StorageLayout
from .unreadable import StateValues, plain_value, read_or_raw
from .value_spec import ValueSpec

__all__ = ["FunctionSpec", "StatefulFunctions", "check_decorator", "decode_state"]

# So many hints at what was meant are kept.
_HINTS = 1_000

F = TypeVar("F", bound=Callable[[Context, Message], object])


class FunctionSpec(NamedTuple):
    """A declared function. ``version`` counts how often its typename was declared, from 1."""

    typename: str
    fun: Callable[..., Any]
    layout: StorageLayout
    is_async: bool
    uses_handles: bool
    version: int


# Told of a declaration, and of the one that it has replaced.
Listener = Callable[[FunctionSpec, FunctionSpec | None], None]


class StatefulFunctions(Live):
    """A set of stateful functions.

    Examples
    --------
    >>> functions = StatefulFunctions()
    >>> @functions.bind("example/person")
    ... def person(context, message):
    ...     pass
    >>> list(functions)
    ['example/person']
    """

    __slots__ = ("_functions", "_listeners", "_meant")

    def __init__(self) -> None:
        self._functions: dict[str, FunctionSpec] = {}
        self._listeners: list[Listener] = []
        self._meant: dict[str, str] = {}  # hints: 2 ms each, asked for with each look at what waits

    def register(
        self,
        typename: str,
        fun: Callable[[Context, Message], object],
        specs: Iterable[ValueSpec] | None = None,
    ) -> None:
        """Declare ``fun`` for ``typename``; a function declared before is replaced.

        As in the official SDK; and a cell that declares a function is run again and again. ``find``
        tells whether one is declared.

        Raises
        ------
        DeclarationError
            When something is missing, the typename is not ``namespace/name``, a state name stands
            twice, or the function does not take exactly (context, message).
        """
        self._declare(typename, fun, [] if specs is None else specs, uses_handles=False)

    def bind(self, typename: str, specs: Iterable[ValueSpec] | None = None) -> Callable[[F], F]:
        """The decorator form of ``register``.

        Raises
        ------
        DeclarationError
            At once when the typename is wrong; the rest as ``register`` does.
        """
        check_decorator("functions.bind", typename)

        def decorate(fun: F) -> F:
            self.register(typename, fun, specs)
            return fun

        return decorate

    def for_typename(self, typename: str) -> FunctionSpec:
        """The function of that typename.

        Raises
        ------
        UnknownFunctionError
            When none is declared; it is a KeyError, too.
        """
        if not isinstance(typename, str):
            parse_typename(typename)  # which says so
        spec = self._functions.get(typename)
        if spec is None:
            raise UnknownFunctionError(self.why_unknown(typename))
        return spec

    def why_unknown(self, typename: str) -> str:
        """What to say of a typename that nobody declares just now, with what to do about it."""
        declared = ", ".join(sorted(self._functions)) or "none"
        return (
            f"no function {typename!r} is declared here (declared: {declared}): "
            f"run the cell that declares it, or correct the name{self.meant_by(typename)}"
        )

    def for_request(self, request: Request) -> FunctionSpec:
        """The function that a request is for.

        Raises
        ------
        UnknownFunctionError
            When none is declared, with the status that its version of the protocol has for it.
        """
        try:
            return self.for_typename(request.target.typename)
        except UnknownFunctionError as error:
            if request.protocol == 2:
                error.status_hint = 400  # as its SDKs answer
            raise

    def undeclare(self, typename: str) -> None:
        """Take a function back; messages for it wait, as for one that was never declared.

        Raises
        ------
        UnknownFunctionError
            When none is declared.
        """
        self.for_typename(typename)
        del self._functions[typename]
        self._meant.clear()

    def find(self, typename: str) -> FunctionSpec | None:
        """The function of that typename, or None."""
        return self._functions.get(typename)

    def state_specs(self) -> dict[str, list[StateSpec]]:
        """What each function declares of its state, as the runtime gets to know it."""
        found = tuple(self._functions.values())
        return {f.typename: [each.wire_spec() for each in f.layout.specs.values()] for f in found}

    def meant_by(self, typename: str) -> str:
        """A hint at the end of a message about a function that is not declared here."""
        if not self._functions:
            return "; if it is in StatefulFunctions() of your own: sf.start(functions=...)"
        hint = self._meant.get(typename)
        if hint is None:
            if len(self._meant) >= _HINTS:
                self._meant.clear()
            hint = self._meant[typename] = did_you_mean(typename, [*self._functions])
        return hint

    def _state_typename(self, typename: str, name: str) -> str | None:
        """What a function declares a state value as; None when it does not."""
        spec = self._functions.get(typename)
        declared = None if spec is None else spec.layout.specs.get(name)
        return None if declared is None else declared.type.typename

    def _declare(
        self,
        typename: str,
        fun: Callable[..., Any],
        specs: Iterable[ValueSpec],
        *,
        uses_handles: bool,
    ) -> None:
        if fun is None:
            raise DeclarationError("function instance must be provided")
        typename = checked_typename(typename)
        if isinstance(fun, type):
            raise DeclarationTypeError(
                f"{typename}: {fun.__name__} is a class, of which no instance would serve: derive "
                f'it from sf.StatefulFunction, and declare it with sf.function("{typename}", '
                "functions=...)"
            )
        if not callable(fun):
            raise DeclarationTypeError(f"{typename}: {shown(fun)} cannot be called")
        _check_signature(typename, fun)
        _refuse_generators(typename, fun)
        layout = StorageLayout(typename, specs)
        before = self._functions.get(typename)
        version = before.version + 1 if before else 1
        spec = FunctionSpec(typename, fun, layout, _is_async(fun), uses_handles, version)
        self._functions[typename] = spec
        self._meant.clear()
        for listener in tuple(self._listeners):
            listener(spec, before)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener(spec, before)`` after each declaration; returns how to stop that.

        ``before`` is what was declared under that typename until then, or None.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._functions))

    def __len__(self) -> int:
        return len(self._functions)

    def __bool__(self) -> bool:
        return True  # an empty set of functions is still one: handlers are made before cells run

    def __repr__(self) -> str:
        return f"<StatefulFunctions: {', '.join(self._functions) or 'none declared'}>"


def decode_state(
    spec: FunctionSpec | None, values: Mapping[str, TypedValue | None]
) -> dict[str, Any]:
    """Values by name, by their declared types where these are the stored ones.

    In the order of their declaration: a cluster hands them over in another one each time. Where
    one cannot be read, an ``Unreadable`` says why and what is there.
    """
    declared = {} if spec is None else spec.layout.specs
    decoded = StateValues()
    for name in dict.fromkeys([*declared, *values]):
        value = values.get(name)
        if value is None or value.value is None:
            continue
        known = declared.get(name)
        if known is not None and known.type.typename == value.typename:
            decoded[name] = read_or_raw(known.type, value.value)
        else:
            decoded[name] = plain_value(value.typename, value.value)
    return decoded


def check_decorator(name: str, typename: object) -> None:
    """Raise when a decorator was given something else than a typename.

    Raises
    ------
    DeclarationError
        With the right call, when it was written without its parentheses.
    """
    if callable(typename):
        raise DeclarationTypeError(
            f'{name} needs the typename: write @{name}("namespace/name") above '
            f"{getattr(typename, '__name__', 'the function')}"
        )
    checked_typename(typename)


def checked_typename(typename: Any) -> str:
    """The typename of a function as plain text.

    Raises
    ------
    DeclarationError
        When it is none.
    """
    if missing(typename):
        raise DeclarationError("function typename must be provided")
    check_function_typename(typename)
    return plain_text(typename)


def _inner(fun: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """The function itself, what a decorator has wrapped, and an object's ``__call__``."""
    yield fun
    inner = unwrapped(fun)
    yield inner
    if not inspect.isroutine(inner):
        yield getattr(inner, "__call__", inner)  # noqa: B004 - to look at, not whether


def _is_async(fun: Callable[..., Any]) -> bool:
    return any(inspect.iscoroutinefunction(each) for each in _inner(fun))


def _refuse_generators(typename: str, fun: Callable[..., Any]) -> None:
    # Not of what a decorator has wrapped: it may run the generator to its end.
    called = fun if inspect.isroutine(fun) else getattr(fun, "__call__", fun)  # noqa: B004
    for each in (fun, called):
        if inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each):
            raise DeclarationTypeError(
                f"{typename}: a function with `yield` in it would never run: it would only make a "
                "generator. Call ctx.send(...) for each message, and do not yield"
            )


def _check_signature(typename: str, fun: Callable[..., Any]) -> None:
    try:
        parameters = list(inspect.signature(fun).parameters.values())
    except (TypeError, ValueError):  # a builtin without a signature: it will tell when called
        return
    positional = [
        p
        for p in parameters
        if p.kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    ]
    names = [p.name for p in parameters]
    write = _as_it_should_be(fun)
    if inspect.ismethod(fun):
        names = ["self", *names]
    if len(positional) != 2 or any(
        p.kind is inspect.Parameter.KEYWORD_ONLY and p.default is inspect.Parameter.empty
        for p in parameters
    ):
        bound = [p.name for p in positional[2:] if p.default is not inspect.Parameter.empty]
        instead = ""
        if bound and len(bound) == len(positional) - 2:
            given = ", ".join(f"{name}={name}" for name in bound)
            instead = f"; what it is to have besides, functools.partial(function, {given}) gives it"
        raise DeclarationError(
            f"The registered function {typename} does not expect a context and a message but "
            f"rather {names}: {write}{instead}"
        )
    if positional[0].name in _MESSAGES and positional[1].name in _CONTEXTS:
        raise DeclarationError(
            f"{typename}: the context comes first, and then the message: {write}"
        )


def _as_it_should_be(fun: Callable[..., Any]) -> str:
    name = getattr(fun, "__name__", "function")
    if name == "<lambda>":
        return "write lambda ctx, message: ..."
    if inspect.ismethod(fun):
        return f"write def {name}(self, ctx, message)"
    return f"write def {name}(ctx, message)"


_MESSAGES, _CONTEXTS = ("message", "msg"), ("ctx", "context")
