"""Reading values that were written as an earlier class: by a function of the user's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ConversionError, DeclarationTypeError, described
from ..tables import shorten, shown
from .class_types import ClassType
from .types import Type, TypeSerializer
from .unreadable import plain_value, why_unreadable

__all__ = ["Migrate", "for_state", "with_migration"]

# From the plain value, as it was written, to one of the present class.
Migrate = Callable[[Any], Any]


def for_state(tpe: Type[Any]) -> Type[Any]:
    """The type as it reads state: of a class, no field that it does not have is left out."""
    return tpe.stored if isinstance(tpe, ClassType) else tpe


def with_migration(tpe: Type[Any], migrate: Migrate | None) -> Type[Any]:
    """The type, which asks ``migrate`` for what it cannot read itself; None: the type as it is.

    Raises
    ------
    DeclarationTypeError
        When ``migrate`` cannot be called.
    """
    if migrate is None:
        return tpe
    if not callable(migrate):
        raise DeclarationTypeError(
            f"migrate= takes a function from the old plain value to the new one, not {migrate!r}"
        )
    return _MigratingType(tpe, migrate)


class _MigratingSerializer(TypeSerializer[Any]):
    __slots__ = ("_inner", "_migrate", "_typename")

    def __init__(self, tpe: Type[Any], migrate: Migrate) -> None:
        self._typename = tpe.typename
        self._inner = tpe.serializer()
        self._migrate = migrate

    def serialize(self, value: Any) -> bytes:
        return self._inner.serialize(value)

    def deserialize(self, byte: bytes) -> Any:
        try:
            return self._inner.deserialize(byte)
        except Exception as error:  # a deserializer of the user's may raise anything
            return self._migrated(byte, error)

    def _migrated(self, byte: bytes, error: Exception) -> Any:
        plain = plain_value(self._typename, byte)
        why = why_unreadable(self._typename, error)
        try:
            value = self._migrate(plain)
        except Exception as raised:
            raise ConversionError(
                f"{why}, and its migrate raised {shorten(described(raised), 200)} for "
                f"{shown(plain)}"
            ) from raised
        try:
            return self._inner.deserialize(self._inner.serialize(value))
        except Exception as refused:  # as above
            raise ConversionError(
                f"{why}, and its migrate returned what does not fit: {refused}"
            ) from refused


class _MigratingType(Type[Any]):
    __slots__ = ("_serializer", "exact")

    def __init__(self, tpe: Type[Any], migrate: Migrate) -> None:
        super().__init__(tpe.typename)
        self.exact = tpe.exact
        self._serializer = _MigratingSerializer(tpe, migrate)

    def serializer(self) -> TypeSerializer[Any]:
        return self._serializer
