"""``State``: the handle of a state value in a class-style function."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Generic, NoReturn

from ..errors import ConversionTypeError, StateNameError
from ..tables import shown
from .inference import type_of_class
from .messages import VALUES
from .storage import Cell, current_storage
from .types import Type, V
from .value_spec import ValueSpec, check_expiration, check_migrate

__all__ = ["State"]


class State(Generic[V]):
    """A state value of a class-style function.

    One handle is shared by all addresses; what it reads and writes is the state of the address
    whose request runs in the current task, also when many run at once.

    A type checker knows the value's class: ``State(int)`` is a ``State[int]``.

    Parameters
    ----------
    type : Type or type
        A StateFun Type, or a Python class that stands for one (``int``, ``str``, a dataclass ...).
    name : str, optional
        The state's name; the attribute's name when left out.
    expire_after_call, expire_after_write : timedelta, optional
    migrate : callable, optional
        As in ``ValueSpec``: ``migrate(plain)`` makes a value of the class as it is now from one
        that was written by an earlier one.

    Examples
    --------
    >>> class Greeter(StatefulFunction):  # doctest: +SKIP
    ...     visits = State(int)
    ...     def invoke(self, ctx, message):
    ...         self.visits.set((self.visits.get() or 0) + 1)
    """

    __slots__ = ("_after_call", "_after_write", "_migrate", "_type", "name")
    name: str | None

    def __init__(
        self,
        type: Type[V] | type[V],
        name: str | None = None,
        *,
        expire_after_call: timedelta | None = None,
        expire_after_write: timedelta | None = None,
        migrate: Callable[[Any], V] | None = None,
    ) -> None:
        owner = "sf.State" if name is None else f"state {name!r}"
        self._type = type_of_class(type)
        check_expiration(owner, expire_after_call, expire_after_write)
        check_migrate(owner, migrate)
        self.name = name
        self._after_call = expire_after_call
        self._after_write = expire_after_write
        self._migrate = migrate

    def __set_name__(self, owner: type[Any], name: str) -> None:
        if self.name is None:
            self.name = name

    def __set__(self, instance: object, value: NoReturn) -> NoReturn:
        raise ConversionTypeError(
            f"state {self.name!r} is written with self.{self.name}.set(value), not by assignment"
        )

    def spec(self, name: str | None = None) -> ValueSpec:
        """The declaration that this handle stands for, under its own name or another."""
        return ValueSpec(
            name or self.name or "",
            self._type,
            expire_after_call=self._after_call,
            expire_after_write=self._after_write,
            migrate=self._migrate,
        )

    def _own_name(self) -> str:
        if self.name is None:
            raise StateNameError(
                "this sf.State belongs to no class: it is declared as an attribute of one that "
                "derives from sf.StatefulFunction; a function takes state={'name': type}"
            )
        return self.name

    def _cell(self) -> Cell:
        name, storage = self._own_name(), current_storage.get(None)
        cell: Cell | None = None if storage is None else storage._cells.get(name)
        if cell is None:
            raise StateNameError(
                f"state {name!r} can be used only while its own function serves a message"
            )
        return cell

    def __bool__(self) -> NoReturn:
        name = self._own_name()
        raise ConversionTypeError(
            f"state {name!r} itself is neither true nor false: ask self.{name}.exists, "
            f"or its value, self.{name}.get()"
        )

    def __eq__(self, other: object) -> bool:
        if self.name is not None and type(other) in VALUES:  # no error, as of a message
            name = self.name
            warnings.warn(
                f"state {name!r} is not its value: compare self.{name}.get() with {shown(other)}",
                stacklevel=2,
            )
        return True if self is other else NotImplemented

    __hash__ = object.__hash__

    @property
    def exists(self) -> bool:
        """Is there a value?"""
        return self._cell().data is not None

    def get(self) -> V | None:
        """The value, None when there is none.

        Raises
        ------
        StateNameError
            When the state's own function does not serve a message just now.
        ConversionError
            When what is stored cannot be read as the declared type.
        ContextEndedError
            In a task that its invocation has left behind.
        """
        return self._cell().get()  # type: ignore[no-any-return]  # values of cells are Any

    def set(self, value: V) -> None:
        """Write the value.

        Raises
        ------
        StateNameError, ContextEndedError
            As ``get`` does.
        ConversionError
            When the value is None, which ``clear`` is for, or does not fit the declared type.
        """
        cell = self._cell()
        if value is None:
            raise cell.refused_none(f"self.{self.name}.clear()")
        cell.set(value)

    def clear(self) -> None:
        """Delete the value."""
        self._cell().clear()
