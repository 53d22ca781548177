"""``ValueSpec``: the declaration of a state value."""

from __future__ import annotations

from datetime import timedelta
from keyword import iskeyword
from typing import Any

from ..effects import ExpireMode, StateSpec
from ..errors import DeclarationError, DeclarationTypeError
from .migration import Migrate, with_migration
from .types import Type

__all__ = ["ValueSpec"]


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
        self.type = with_migration(type, migrate)
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


def _milliseconds(name: str, duration: timedelta | None) -> int:
    if not duration:
        return 0
    if duration < timedelta(milliseconds=1):
        raise DeclarationError(f"state {name!r} must expire after at least 1 ms, not {duration}")
    return duration // timedelta(milliseconds=1)
