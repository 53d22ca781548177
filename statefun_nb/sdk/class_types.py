"""Types whose values are the instances of one Python class, and come back as they were written.

Whatever is written is read back at once and compared: what would be another value then, is refused
where it is written, and not found out where it is read.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, get_origin

from ..errors import ConversionError, ConversionTypeError, described, forgotten_await
from ..tables import class_name, shorten, shown, with_article
from .hidden import hides
from .plain import mark_of_parts
from .round_trip import first_difference, same_class
from .types import Type, TypeSerializer

__all__ = ["TAG", "ClassSerializer", "ClassType", "unknown_fields"]

# The field of the JSON that says of which class a value is.
TAG = "_type"
_TAG = json.dumps(TAG).encode()


class ClassSerializer(TypeSerializer[Any]):
    """What the serializers of dataclasses and of models share.

    Parameters
    ----------
    cls : type
        The class, or one with parameters such as ``Box[int]``; also instances of it as an earlier
        run of its cell has defined it are taken, as far as they fit.
    strict : bool
        Raise for fields that the class does not have, which would be lost when the value is written
        again: of state. Without it they are left out: of messages, whose senders may be ahead.
    """

    __slots__ = ("_hides", "_plain", "cls", "name", "of", "strict")

    def __init__(self, cls: Any, *, strict: bool = False) -> None:
        self.strict = strict
        self.of = cls
        self.cls: Any = get_origin(cls) or cls
        self.name = class_name(cls)
        self._plain = True  # until an instance has had a part that is not: few have both
        self._hides: bool | None = None  # once it is known: the classes of a cell come one by one

    @abstractmethod
    def write(self, value: Any) -> bytes:
        """The bytes of an instance of the class, if ``check`` has found that they can be read."""

    @abstractmethod
    def read(self, data: bytes) -> Any:
        """The instance; what cannot be read may raise anything."""

    def read_back(self, data: bytes) -> Any:
        """What was written just now; without what its class does not have, where that can be."""
        return self.read(data)

    @abstractmethod
    def dump(self, value: Any) -> bytes:
        """The bytes of an instance, without a look at whether they can be read."""

    @abstractmethod
    def parts(self, value: Any) -> Any:
        """All of an instance of the class that may be written: the very objects."""

    def mark(self, value: Any) -> bytes | None:
        """Bytes that are the same while an instance is; None where not all of it is plain."""
        if not self._plain or type(value) is not self.cls:
            return None
        try:
            return mark_of_parts(self.parts(value))
        except Exception:  # no plain part, or none at all: a field that is not set
            self._plain = False
            return None

    def reasons(self, error: Exception) -> list[str]:
        """What ``read`` has raised, in words, by field."""
        return [described(error)]

    def cause(self, error: Exception) -> Exception | None:
        """What of it a traceback is to show beside the reasons: what the user's code raised."""
        return error

    def serialize(self, value: Any) -> bytes:
        if not isinstance(value, self.cls):
            value = self._renewed(value)
        return self.write(value)

    def deserialize(self, byte: bytes) -> Any:
        try:
            return self.read(byte)
        except Exception as error:  # of what a user's class does when it is made
            reasons = shorten("; ".join(self.reasons(error)), 400)
            raise ConversionError(f"cannot be read as {self.name}: {reasons}") from self.cause(
                error
            )

    def check(self, value: Any, data: bytes) -> None:
        """Raise when ``data`` cannot be read as ``value`` again."""
        try:
            read = self.read_back(data)
        except Exception as error:  # as in deserialize
            reasons = shorten("; ".join(self.reasons(error)), 400)
            lost = self._lost_when_read(value, data)  # which says more, where there is something
            text = lost or f"{shown(value)} could not be read again: {reasons}"
            raise ConversionError(text) from self.cause(error)
        if lost := self._lost(value, read, data):
            raise ConversionError(lost)

    def _lost(self, value: Any, read: Any, data: bytes) -> str:
        """Which part of a value is another one in what was read, in words; "" for none."""
        if self._hides is None:
            self._hides = hides(self.of)
        # What stands in for a declared class, and may hide what that does not, is written by name.
        lost = first_difference(value, read, deep=self._hides or _TAG in data)
        if lost is None:
            return ""
        dot = "" if lost.path.startswith("[") else "." if lost.path else ": "
        return f"{self.name}{dot}{lost.text}{_advice(lost.wrote)}"

    def _lost_when_read(self, value: Any, data: bytes) -> str:
        try:
            return self._lost(value, self.read(data), data)
        except Exception:  # it cannot be read at all
            return ""

    def _renewed(self, value: Any) -> Any:
        """An instance of another definition, before or after this one, as one of this class."""
        found = type(value)
        if not same_class(found, self.cls):
            raise ConversionTypeError(
                f"{shown(value)} is not {with_article(self._full_name(found))}"
                f"{forgotten_await(value)}"
            )
        try:
            return self.read(type(self)(found).write(value))
        except Exception as error:  # of what a user's class does when it is made
            reasons = shorten("; ".join(self.reasons(error)), 400)
            raise ConversionTypeError(
                f"{shown(value)} is of another definition of {self.name} than this was declared "
                f"with (run the cell that declares it again), and does not fit: {reasons}"
            ) from self.cause(error)

    def _full_name(self, other: type) -> str:
        """The class, told from another one of the same name."""
        if class_name(other) != self.name:
            return self.name
        return f"{self.cls.__module__}.{self.cls.__qualname__}: it is one of {other.__module__}"


def unknown_fields(names: Iterable[str], cls: Any) -> str:
    """What to say of fields that were written by an earlier class, or by another program."""
    known = ", ".join(map(repr, sorted(names)))
    return f"has {known}, which {class_name(cls)} does not have (any more)"


def _advice(value: Any) -> str:
    if "Secret" in type(value).__name__:
        return ": pydantic does not write secrets, unless a field_serializer does"
    return ""


class ClassType(Type[Any]):
    """A type whose values are the instances of a class."""

    __slots__ = ("_serializer", "stored")

    def __init__(self, typename: str, serializer: ClassSerializer) -> None:
        super().__init__(typename)
        self._serializer = serializer
        self.stored: ClassType = self  # the same type for state
        if not serializer.strict:
            strict = type(serializer)(serializer.of, strict=True)
            self.stored = ClassType(typename, strict)

    def serializer(self) -> TypeSerializer[Any]:
        return self._serializer
