"""``ctx.storage``: the state values of one request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Protocol

from ..errors import (
    ContextEndedError,
    ConversionError,
    ConversionTypeError,
    DeclarationError,
    DeclarationTypeError,
    StateNameError,
    did_you_mean,
)
from ..protocol.effects import StateSpec, TypedValue, new_tuple
from ..tables import shown
from .class_types import ClassSerializer
from .live import Live
from .plain import mark_of
from .types import TypeSerializer, serialized
from .unreadable import why_unreadable
from .value_spec import ValueSpec

__all__ = [
    "Cell",
    "MutableCell",
    "Storage",
    "StorageLayout",
    "Watch",
    "about_name",
    "current_storage",
    "end_storage",
]

_UNREAD = object()


class _Plan:
    """What the cells of one declared value share: made once, not for each request."""

    __slots__ = (
        "cell",
        "deserialize",
        "exact",
        "function",
        "mark",
        "name",
        "serialize",
        "serializer",
        "typename",
    )
    cell: type[Cell]
    function: str
    name: str
    typename: str
    exact: type[Any] | None
    serializer: TypeSerializer[Any]
    serialize: Callable[[Any], bytes]
    deserialize: Callable[[bytes], Any]
    mark: Callable[[Any], bytes | None]

    def __init__(self, spec: ValueSpec, function: str) -> None:
        serializer = spec.type.serializer()
        self.function = function
        self.name = spec.name
        self.typename = spec.type.typename
        self.exact = spec.type.exact
        self.cell = MutableCell if spec.type.exact is None else Cell
        self.serializer = serializer
        self.serialize = serializer.serialize
        self.deserialize = serializer.deserialize
        self.mark = serializer.mark if isinstance(serializer, ClassSerializer) else mark_of


class Cell:
    """One state value during one request."""

    __slots__ = ("_value", "data", "dirty", "plan")
    plan: _Plan
    data: bytes | None
    dirty: bool

    def __init__(self, plan: _Plan, received: TypedValue) -> None:
        typename, data = received
        self.plan = plan
        self.data = data
        self.dirty = False
        if data is None:
            self._value: Any = None
            return
        self._value = _UNREAD
        if typename != plan.typename:
            raise ConversionTypeError(
                f"state {plan.name!r} of {plan.function} holds {typename}, but is declared as "
                f"{plan.typename}: declare the type that is stored, or use a new name"
            )

    def get(self) -> Any:
        """The value, None when it is absent."""
        value = self._value
        return value if value is not _UNREAD else self._decode()

    def _decode(self) -> Any:
        data = self.data
        if data is None:
            return None
        plan = self.plan
        try:
            value = plan.deserialize(data)
        except (Exception, SystemExit, GeneratorExit) as error:  # a deserializer of the user's
            raise ConversionError(
                f"state {plan.name!r} of {plan.function} {why_unreadable(plan.typename, error)}; "
                "declare it with migrate=, or set another value: "
                f"s.set_state({plan.function!r}, id, {plan.name}=...)"
            ) from error
        # A mutable value is decoded at each read, so that changing the object one got does
        # not change the state unless it is set.
        if plan.exact is not None:
            self._value = value
        return value

    def set(self, value: Any) -> None:
        """Write the value; it is encoded now, so that errors point to the user's line."""
        plan = self.plan
        if value is None:
            raise self.refused_none(f"del ctx.storage.{plan.name}")
        try:
            if type(value) is plan.exact:  # of a built-in type, whose serializer is ours
                self.data = plan.serialize(value)
                self._value = value
            else:
                self.data = serialized(plan.serialize, plan.typename, value)
                self._value = _UNREAD
        except ConversionError as error:
            text = f"state {plan.name!r} of {plan.function}: {error}"
            raise type(error)(text) from error.__cause__
        self.dirty = True

    def refused_none(self, delete: str) -> ConversionError:
        """What to raise where None is written; ``delete`` is what deletes the value there."""
        return ConversionError(
            f"state {self.plan.name!r} of {self.plan.function} cannot be set to None: "
            f"to delete it write {delete}"
        )

    def clear(self) -> None:
        """Delete the value."""
        self.data = None
        self._value = None
        self.dirty = True

    def snapshot(self) -> tuple[bytes | None, bool]:
        """Its data and whether it was written, for ``restore``."""
        return self.data, self.dirty

    def restore(self, snapshot: tuple[bytes | None, bool]) -> None:
        """Take back what was written since ``snapshot``."""
        self.data, self.dirty = snapshot
        self._value = None if self.data is None else _UNREAD

    def typed_value(self) -> TypedValue | None:
        """What the runtime is to store; None to delete."""
        return None if self.data is None else new_tuple(TypedValue, (self.plan.typename, self.data))


_IMMUTABLE = frozenset({type(None), bool, int, float, str, bytes})


class Watch(Protocol):
    """Told of the objects that a function shares with its state, and could change in place."""

    def read(self, cell: MutableCell, value: Any) -> None:
        """Called with what was made of the data that the cell has."""

    def assigned(self, cell: MutableCell, value: Any) -> None:
        """Called with what the data was made of that the cell has now."""


class MutableCell(Cell):
    """One whose objects can be changed in place, of which nothing is kept unless it is assigned.

    Attributes
    ----------
    watch : Watch or None
        Who wants to know what is read and assigned; None where nobody does.
    """

    __slots__ = ("watch",)
    watch: Watch | None

    def __init__(self, plan: _Plan, received: TypedValue) -> None:
        super().__init__(plan, received)
        self.watch = None

    def _decode(self) -> Any:
        value = super()._decode()
        if self.watch is not None and type(value) not in _IMMUTABLE:
            self.watch.read(self, value)
        return value

    def set(self, value: Any) -> None:
        super().set(value)
        if self.watch is not None and type(value) not in _IMMUTABLE:
            self.watch.assigned(self, value)


class Storage(Live):
    """``ctx.storage``: one attribute for each declared state value.

    Read gives the value or None, assignment writes, ``del`` deletes. The classes with the
    attributes are made by ``StorageLayout``. They have no ``__getattr__`` for other names, which
    would make each read, of these and in here, 50 ns slower: see ``about_name``.
    """

    __slots__ = ("_cells",)
    _cells: dict[str, Cell]
    _typename: str  # of the function: of the class, as the attributes are

    def __init__(self, cells: dict[str, Cell]) -> None:
        _set_cells(self, cells)

    def __setattr__(self, name: str, value: Any) -> None:
        cell = self._cells.get(name)
        if cell is None:
            raise _unknown(self, name)
        cell.set(value)

    def __delattr__(self, name: str) -> None:
        cell = self._cells.get(name)
        if cell is None:
            raise _unknown(self, name)
        cell.clear()

    def __dir__(self) -> Iterator[str]:
        return iter(self._cells)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={cell.get()!r}" for name, cell in self._cells.items())
        return f"<storage of {self._typename}: {values or 'no values declared'}>"


def _unknown(storage: Storage, name: str) -> StateNameError:
    declared = ", ".join(storage._cells) or "none"
    return StateNameError(
        f"'{name}' is not a registered ValueSpec for the function '{storage._typename}' "
        f"(declared: {declared}){did_you_mean(name, storage._cells)}"
    )


def about_name(error: BaseException) -> BaseException:
    """What a function has raised; in our words, where it has read a state that is not declared."""
    if type(error) is not AttributeError or not isinstance(error.obj, Storage) or not error.name:
        return error
    said = _unknown(error.obj, error.name).with_traceback(error.__traceback__)
    said.__cause__, said.__context__ = error.__cause__, error.__context__
    said.__suppress_context__ = error.__suppress_context__
    if hasattr(error, "__notes__"):  # since Python 3.11
        said.__notes__ = error.__notes__
    return said


class _EndedStorage(Storage):
    """What a storage becomes when its invocation is over and somebody still has it."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        return self._cells  # raises

    @property
    def _cells(self) -> dict[str, Cell]:  # type: ignore[override]  # there are none any more
        raise ContextEndedError(
            "this storage belongs to an invocation that is over: what goes on after it, a task or "
            "a thread, cannot read or write state; await it in the function"
        )

    def __repr__(self) -> str:
        return "<storage of an invocation that is over>"


def end_storage(storage: Storage) -> None:
    """Refuse every later use: whoever still has it is not the function any more."""
    object.__setattr__(storage, "__class__", _EndedStorage)


# Past Storage's own __setattr__, and in half the time of object.__setattr__.
_set_cells: Callable[[Storage, dict[str, Cell]], None] = Storage.__dict__["_cells"].__set__


class StorageLayout:
    """What a function declares, made ready for many requests.

    Raises
    ------
    DeclarationError
        When a name is declared twice, or something is not a ValueSpec.
    """

    __slots__ = ("_class", "_plans", "mutable", "specs")

    def __init__(self, typename: str, specs: Iterable[ValueSpec]) -> None:
        self.specs: dict[str, ValueSpec] = {}
        members: dict[str, Any] = {"__slots__": (), "_typename": typename}
        if not isinstance(specs, Iterable):
            raise DeclarationTypeError(
                f"{typename}: specs holds ValueSpecs, and is not {shown(specs)}"
            )
        for spec in specs:
            if not isinstance(spec, ValueSpec):
                raise DeclarationTypeError(f"{typename}: specs holds ValueSpecs, not {shown(spec)}")
            if spec.name in self.specs:
                raise DeclarationError(f"duplicate registered value name: {spec.name!r}")
            if spec.name == "_typename" or hasattr(Storage, spec.name):
                raise DeclarationError(f"the state name {spec.name!r} is reserved")
            self.specs[spec.name] = spec
            members[spec.name] = _attribute(spec.name)
        # Python's own error for a name that is not declared begins with that of the class.
        self._class = type(f"storage of {typename}", (Storage,), members)
        self._plans = [_Plan(spec, typename) for spec in self.specs.values()]
        self.mutable = any(plan.cell is MutableCell for plan in self._plans)

    def missing(self, state: Mapping[str, TypedValue]) -> list[StateSpec]:
        """The specs that the runtime does not know yet, in the order of their declaration."""
        if self.specs.keys() <= state.keys():  # nearly always: no spec is looked at
            return []
        return [spec.wire_spec() for name, spec in self.specs.items() if name not in state]

    def storage(self, state: Mapping[str, TypedValue]) -> tuple[Storage, list[Cell]]:
        """The storage of one request, and its cells in the order of their declaration."""
        cells = {}
        for plan in self._plans:  # no comprehension, as in dispatch
            cells[plan.name] = plan.cell(plan, state[plan.name])
        return self._class(cells), [*cells.values()]


def _attribute(name: str) -> property:
    def read(self: Storage) -> Any:
        cell = self._cells[name]
        value = cell._value
        return value if value is not _UNREAD else cell.get()

    return property(read)


# The storage of the request that the current task serves: what a State handle looks into.
current_storage: ContextVar[Storage] = ContextVar("statefun_nb_storage")
