"""``ValueSpec``: the declaration of a state value."""

from __future__ import annotations

from datetime import timedelta
from keyword import iskeyword
from typing import Any

from ..errors import DeclarationError, DeclarationTypeError, missing
from ..protocol.effects import ExpireMode, StateSpec
from ..tables import shown
from .migration import Migrate, for_state, with_migration
from .types import Type

__all__ = ["ValueSpec", "check_expiration", "check_migrate"]

_MILLISECOND = timedelta(milliseconds=1)


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
    migrate : callable, optional
        Asked when the type cannot read what is stored, with its plain JSON value (of a type that
        is not JSON, the bytes); returns the value as it is now.

    Raises
    ------
    DeclarationError
        When any of this does not hold.

    Examples
    --------
    >>> from statefun_nb import IntType
    >>> ValueSpec("visits", IntType, expire_after_write=timedelta(minutes=5)).duration
    300000
    """

    __slots__ = ("after_call", "after_write", "duration", "name", "type")
    name: str
    type: Type[Any]
    after_call: bool
    after_write: bool
    duration: int  # in milliseconds; 0: it does not expire

    def __init__(
        self,
        name: str,
        type: Type[Any],
        expire_after_call: timedelta | None = None,
        expire_after_write: timedelta | None = None,
        *,
        migrate: Migrate | None = None,
    ) -> None:
        _check_name(name)
        if missing(type):
            raise DeclarationError(f"the type of state {name!r} can not be missing")
        if not isinstance(type, Type):
            raise DeclarationTypeError(
                f"the type of state {name!r} is a StateFun Type such as sf.IntType, not "
                f"{shown(type)}"
            )
        owner = f"state {name!r}"
        check_expiration(owner, expire_after_call, expire_after_write)
        check_migrate(owner, migrate)
        self.name = name
        self.type = with_migration(for_state(type), migrate)
        self.after_call = bool(expire_after_call)
        self.after_write = bool(expire_after_write)
        duration = expire_after_call or expire_after_write
        self.duration = 0 if duration is None else duration // _MILLISECOND

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
    if missing(name):
        raise DeclarationError("the name of a state value can not be missing")
    if not isinstance(name, str):
        raise DeclarationTypeError(f"the name of a state value is a string, not {shown(name)}")
    if not name.isidentifier():
        raise DeclarationError(
            f"{name!r} is not a name for a state value: letters, digits and underscores only, "
            "not starting with a digit"
        )
    if iskeyword(name):
        raise DeclarationError(
            f"{name!r} is not a name for a state value: it is a Python keyword, and becomes "
            "an attribute of ctx.storage"
        )
    if name.startswith("__") and name.endswith("__"):
        raise DeclarationError(
            f"{name!r} is not a name for a state value: Python keeps such names for itself "
            f"(try {name.strip('_') or 'value'!r})"
        )
    if not name.islower():
        raise DeclarationError(
            f"{name!r} is not a name for a state value: only lower case is allowed "
            f"(try {name.lower()!r})"
        )


def check_expiration(owner: str, after_call: Any, after_write: Any) -> None:
    """Raise when a state value cannot expire so.

    Raises
    ------
    DeclarationError
        When both are given, or one is no timedelta of a millisecond or more.
    """
    given = {"expire_after_call": after_call, "expire_after_write": after_write}
    for keyword, duration in given.items():
        if duration is None:
            continue
        if not isinstance(duration, timedelta):
            raise DeclarationTypeError(
                f"{owner}: {keyword}= takes a timedelta, such as timedelta(minutes=5), not "
                f"{shown(duration)}"
            )
        if duration < _MILLISECOND:
            raise DeclarationError(
                f"{owner} must expire after at least 1 ms, not {duration}: leave {keyword}= out "
                "for a value that stays"
            )
    if after_call is not None and after_write is not None:
        raise DeclarationError(
            f"{owner}: set either expire_after_call or expire_after_write, not both"
        )


def check_migrate(owner: str, migrate: Any) -> None:
    """Raise when it cannot be called.

    Raises
    ------
    DeclarationTypeError
    """
    if migrate is not None and not callable(migrate):
        raise DeclarationTypeError(
            f"{owner}: migrate= takes a function of the plain value, not {shown(migrate)}"
        )
