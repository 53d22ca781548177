"""State values: their specs, the cells of one request, and ``ctx.storage``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from datetime import timedelta
from keyword import iskeyword
from typing import Any

from .effects import ExpireMode, StateSpec, TypedValue
from .errors import (
    ConversionError,
    ConversionTypeError,
    DeclarationError,
    DeclarationTypeError,
    StateNameError,
    did_you_mean,
)
from .inference import type_of_class
from .types import Type

__all__ = ["Cell", "State", "StorageLayout", "ValueSpec"]


class ValueSpec:
    """A state value of a function: its name, its type and when it expires.

    Parameters
    ----------
    name : str
        Lower case, a Python identifier and no keyword: it becomes an attribute of ``ctx.storage``.
    type : Type
        How the value becomes bytes.
    expire_after_call : timedelta, optional
        Forget the value when the address was not invoked for so long.
    expire_after_write : timedelta, optional
        Forget the value when it was not written for so long. At most one of the two.

    Raises
    ------
    DeclarationError
        When any of this does not hold.

    Examples
    --------
    >>> from statefun_nb.types import IntType
    >>> ValueSpec("visits", IntType, expire_after_write=timedelta(minutes=5)).duration
    300000
    """

    __slots__ = ("after_call", "after_write", "duration", "name", "type")

    def __init__(
        self,
        name: str,
        type: Type,  # noqa: A002 - the official SDK's keyword
        expire_after_call: timedelta | None = None,
        expire_after_write: timedelta | None = None,
    ) -> None:
        _check_name(name)
        if not type:
            raise DeclarationError(f"the type of state {name!r} can not be missing")
        if not isinstance(type, Type):
            raise DeclarationTypeError(
                f"the type of state {name!r} is a StateFun Type such as sf.IntType, not {type!r}"
            )
        if expire_after_call and expire_after_write:
            raise DeclarationError(
                f"state {name!r}: set either expire_after_call or expire_after_write, not both"
            )
        self.name = name
        self.type = type
        self.after_call = bool(expire_after_call)
        self.after_write = bool(expire_after_write)
        self.duration = _milliseconds(name, expire_after_call or expire_after_write)

    def wire_spec(self) -> StateSpec:
        """The spec as the runtime gets to know it."""
        mode = ExpireMode.NONE
        if self.after_call:
            mode = ExpireMode.AFTER_INVOKE
        elif self.after_write:
            mode = ExpireMode.AFTER_WRITE
        return StateSpec(self.name, self.type.typename, mode, self.duration)

    def __repr__(self) -> str:
        return f"<ValueSpec {self.name}: {self.type.typename}>"


def _check_name(name: object) -> None:
    if not name:
        raise DeclarationError("the name of a state value can not be missing")
    if not isinstance(name, str):
        raise DeclarationTypeError(f"the name of a state value is a string, not {name!r}")
    if not name.isidentifier():
        raise DeclarationError(
            f"{name!r} is no name for a state value: letters, digits and underscores only, "
            "not starting with a digit"
        )
    if iskeyword(name):
        raise DeclarationError(
            f"{name!r} is no name for a state value: it is a Python keyword, and the name becomes "
            "an attribute of ctx.storage"
        )
    if not name.islower():
        raise DeclarationError(
            f"{name!r} is no name for a state value: only lower case is allowed "
            f"(try {name.lower()!r})"
        )


def _milliseconds(name: str, duration: timedelta | None) -> int:
    if not duration:
        return 0
    if duration < timedelta(milliseconds=1):
        raise DeclarationError(f"state {name!r} must expire after at least 1 ms, not {duration}")
    return duration // timedelta(milliseconds=1)


_UNREAD = object()


class _Plan:
    """What the cells of one declared value share: made once, not for each request."""

    __slots__ = ("deserialize", "exact", "name", "serialize", "typename")

    def __init__(self, spec: ValueSpec) -> None:
        serializer = spec.type.serializer()
        self.name = spec.name
        self.typename = spec.type.typename
        self.exact = spec.type.exact
        self.serialize = serializer.serialize
        self.deserialize = serializer.deserialize


class Cell:
    """One state value during one request."""

    __slots__ = ("_function", "_plan", "_value", "data", "dirty")

    def __init__(self, plan: _Plan, function: str, received: TypedValue) -> None:
        stored, data = received
        self._plan = plan
        self._function = function
        self.data = data
        self.dirty = False
        self._value = None if data is None else _UNREAD
        if data is not None and stored != plan.typename:
            raise ConversionTypeError(
                f"state {plan.name!r} of {function} holds a {stored}, but is declared as "
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
        value = self._plan.deserialize(data)
        # A mutable value is decoded at each read, so that changing the object one got does
        # not change the state unless it is set.
        if self._plan.exact is not None:
            self._value = value
        return value

    def set(self, value: Any) -> None:
        """Write the value; it is encoded now, so that errors point to the user's line."""
        plan = self._plan
        if value is None:
            raise ConversionError(
                f"state {plan.name!r} of {self._function} cannot be set to None: "
                f"to delete it write del ctx.storage.{plan.name}"
            )
        try:
            data = plan.serialize(value)
        except ConversionError as error:
            raise type(error)(f"state {plan.name!r} of {self._function}: {error}") from error
        if type(data) is not bytes:
            data = self._as_bytes(data)
        self.data = data
        self.dirty = True
        self._value = value if type(value) is plan.exact else _UNREAD

    def _as_bytes(self, data: Any) -> bytes:
        if isinstance(data, (bytearray, memoryview)):
            return bytes(data)
        raise ConversionTypeError(
            f"state {self._plan.name!r} of {self._function}: the serializer of "
            f"{self._plan.typename} returned {type(data).__name__}, not bytes"
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
        """Be as it was."""
        self.data, self.dirty = snapshot
        self._value = None if self.data is None else _UNREAD

    def typed_value(self) -> TypedValue | None:
        """What the runtime is to store; None to delete."""
        return None if self.data is None else TypedValue(self._plan.typename, self.data)


class Storage:
    """``ctx.storage``: one attribute for each declared state value.

    Read gives the value or None, assignment writes, ``del`` deletes. The classes with the
    attributes are made by ``StorageLayout``.
    """

    __slots__ = ("_cells", "_typename")

    def __init__(self, cells: dict[str, Cell], typename: str) -> None:
        object.__setattr__(self, "_cells", cells)
        object.__setattr__(self, "_typename", typename)

    def __getattr__(self, name: str) -> Any:
        raise self._unknown(name)

    def __setattr__(self, name: str, value: Any) -> None:
        cell = self._cells.get(name)
        if cell is None:
            raise self._unknown(name)
        cell.set(value)

    def __delattr__(self, name: str) -> None:
        cell = self._cells.get(name)
        if cell is None:
            raise self._unknown(name)
        cell.clear()

    def __dir__(self) -> Iterator[str]:
        return iter(self._cells)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={cell.get()!r}" for name, cell in self._cells.items())
        return f"<storage of {self._typename}: {values or 'no values declared'}>"

    def _unknown(self, name: str) -> StateNameError:
        declared = ", ".join(self._cells) or "none"
        return StateNameError(
            f"'{name}' is not a registered ValueSpec for the function '{self._typename}' "
            f"(declared: {declared}){did_you_mean(name, self._cells)}"
        )


class StorageLayout:
    """What a function declares, made ready for many requests.

    Raises
    ------
    DeclarationError
        When a name is declared twice, or something is not a ValueSpec.
    """

    __slots__ = ("_class", "_plans", "specs")

    def __init__(self, specs: Iterable[ValueSpec]) -> None:
        self.specs: dict[str, ValueSpec] = {}
        members: dict[str, Any] = {"__slots__": ()}
        for spec in specs:
            if not isinstance(spec, ValueSpec):
                raise DeclarationTypeError(f"specs holds ValueSpecs, not {spec!r}")
            if spec.name in self.specs:
                raise DeclarationError(f"duplicate registered value name: {spec.name!r}")
            if spec.name in ("_cells", "_typename"):
                raise DeclarationError(f"the state name {spec.name!r} is reserved")
            self.specs[spec.name] = spec
            members[spec.name] = _attribute(spec.name)
        self._class = type("Storage", (Storage,), members)
        self._plans = [_Plan(spec) for spec in self.specs.values()]

    def missing(self, state: Mapping[str, TypedValue]) -> list[StateSpec]:
        """The specs that the runtime does not know yet, in the order of their declaration."""
        if self.specs.keys() <= state.keys():  # nearly always: no spec is looked at
            return []
        return [spec.wire_spec() for name, spec in self.specs.items() if name not in state]

    def storage(self, typename: str, state: Mapping[str, TypedValue]) -> tuple[Storage, list[Cell]]:
        """The storage of one request, and its cells in the order of their declaration."""
        cells = {plan.name: Cell(plan, typename, state[plan.name]) for plan in self._plans}
        return self._class(cells, typename), list(cells.values())


def _attribute(name: str) -> property:
    # A property finds its cell in 0.1 us; __getattr__ alone would take 0.5 us.
    def read(self: Storage) -> Any:
        return self._cells[name].get()

    def write(self: Storage, value: Any) -> None:
        self._cells[name].set(value)

    def delete(self: Storage) -> None:
        self._cells[name].clear()

    return property(read, write, delete)


# The storage of the request that the current task serves: what a State handle looks into.
current_storage: ContextVar[Storage] = ContextVar("statefun_nb_storage")


class State:
    """A state value of a class-style function.

    One handle is shared by all addresses; what it reads and writes is the state of the address
    whose request runs in the current task, also when many run at once.

    Parameters
    ----------
    type : Type or type
        A StateFun Type, or a Python class that stands for one (``int``, ``str``, a dataclass ...).
    name : str, optional
        The state's name; the attribute's name when left out.
    expire_after_call, expire_after_write : timedelta, optional
        As in ``ValueSpec``.

    Examples
    --------
    >>> class Greeter(StatefulFunction):  # doctest: +SKIP
    ...     visits = State(int)
    ...     def invoke(self, ctx, message):
    ...         self.visits.set((self.visits.get() or 0) + 1)
    """

    __slots__ = ("_after_call", "_after_write", "_type", "name")

    def __init__(
        self,
        type: Any,  # noqa: A002 - the word of ValueSpec
        name: str | None = None,
        *,
        expire_after_call: timedelta | None = None,
        expire_after_write: timedelta | None = None,
    ) -> None:
        self._type = type_of_class(type)
        self.name = name
        self._after_call = expire_after_call
        self._after_write = expire_after_write

    def __set_name__(self, owner: type, name: str) -> None:
        if self.name is None:
            self.name = name

    def __set__(self, instance: object, value: Any) -> None:
        raise ConversionTypeError(
            f"state {self.name!r} is written with self.{self.name}.set(value), not by assignment"
        )

    def spec(self) -> ValueSpec:
        """The declaration that this handle stands for."""
        return ValueSpec(
            self.name or "",
            self._type,
            expire_after_call=self._after_call,
            expire_after_write=self._after_write,
        )

    def _cell(self) -> Cell:
        storage = current_storage.get(None)
        cell: Cell | None = None if storage is None else storage._cells.get(self.name or "")
        if cell is None:
            raise StateNameError(
                f"state {self.name!r} can be used only while its own function serves a message"
            )
        return cell

    @property
    def exists(self) -> bool:
        """Is there a value?"""
        return self._cell().data is not None

    def get(self) -> Any:
        """The value, None when there is none."""
        return self._cell().get()

    def set(self, value: Any) -> None:
        """Write the value."""
        self._cell().set(value)

    def clear(self) -> None:
        """Delete the value."""
        self._cell().clear()
