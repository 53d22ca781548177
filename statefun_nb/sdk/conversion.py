"""How one type's values become plain JSON values and back: scalars, enums, and foreign classes."""

from __future__ import annotations

import base64
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import time, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import cache
from typing import Any
from uuid import UUID

from .pydantic_types import ModelSerializer

__all__ = ["CONVERTED", "Enums", "Foreign", "Numpy", "Rule", "is_named", "is_numpy", "json_text"]


def json_text(plain: Any) -> str:
    """Plain values as JSON, also those that numpy made."""
    return _encode(plain)


def _python_number(value: Any) -> Any:
    if is_numpy(type(value)):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no JSON")


# Made once: json.dumps with options makes one for each value, 2 us.
_encode = json.JSONEncoder(ensure_ascii=False, default=_python_number).encode


def is_numpy(cls: Any) -> bool:
    """Is it a class of numpy's scalars?"""
    numpy = sys.modules.get("numpy")  # whoever has such a value has imported it
    return numpy is not None and isinstance(cls, type) and issubclass(cls, numpy.generic)


def _decimal(text: Any) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r}") from None


def _seconds(duration: timedelta) -> str:
    micros = duration // timedelta(microseconds=1)
    sign = "-" if micros < 0 else ""
    return f"{sign}{abs(micros) // 10**6}.{abs(micros) % 10**6:06}"


def _duration(text: str) -> timedelta:
    seconds, _, micros = text.partition(".")
    sign = -1 if text.startswith("-") else 1
    return timedelta(seconds=int(seconds), microseconds=sign * int(micros.ljust(6, "0")))


# A class, how its values are written and how they are read, where cattrs does not know that.
CONVERTED: tuple[tuple[type, Callable[[Any], Any], Callable[[Any], Any]], ...] = (
    (Decimal, str, _decimal),
    (UUID, str, UUID),
    (time, lambda value: value.isoformat(), time.fromisoformat),
    (timedelta, _seconds, _duration),
)


class Rule(ABC):
    """Types that are covered, and for each of them what writes its values and what reads them."""

    def __init__(self, converter: Any) -> None:
        self.converter = converter  # cattrs'; it has no type that all its releases share
        self.strict: bool = converter.forbid_extra_keys

    @abstractmethod
    def covers(self, cls: Any) -> bool:
        """Is this the rule for a type?"""

    @abstractmethod
    def writer(self, cls: Any) -> Callable[[Any], Any]:
        """What makes plain values of those of a type."""

    @abstractmethod
    def reader(self, cls: Any) -> Callable[[Any, Any], Any]:
        """What makes values of a type of plain ones."""

    def write(self, value: Any, cls: Any) -> Any:
        """The plain value, by the rules for ``cls``."""
        return self.converter.unstructure(value, unstructure_as=cls)

    def read(self, plain: Any, cls: Any) -> Any:
        """The value of ``cls``."""
        return self.converter.structure(plain, cls)


class Enums(Rule):
    """By value; where one of a class is neither text nor number, by name."""

    def covers(self, cls: Any) -> bool:
        return isinstance(cls, type) and issubclass(cls, Enum)

    def writer(self, _: Any) -> Callable[[Any], Any]:
        return self.write_member

    def reader(self, _: Any) -> Callable[[Any, Any], Any]:
        return self.read_member

    def write_member(self, member: Any) -> Any:
        """What stands for a member."""
        cls: Any = type(member)
        return member.name if is_named(cls) else member.value

    def read_member(self, plain: Any, cls: Any) -> Any:
        """The member that it stands for."""
        if not is_named(cls):
            return cls(plain)
        if plain not in cls.__members__:
            raise ValueError(f"{plain!r} is not a member of it")
        return cls[plain]


@cache
def is_named(cls: Any) -> bool:
    """Are the members of an Enum written by name?"""
    return not all(isinstance(member.value, (str, int, float)) for member in cls)


class Foreign(Rule):
    """Classes that know themselves how they are written."""

    def covers(self, cls: Any) -> bool:
        if not isinstance(cls, type):
            return False
        return hasattr(cls, "model_validate_json") or hasattr(cls, "SerializeToString")

    def writer(self, cls: Any) -> Callable[[Any], Any]:
        if hasattr(cls, "model_validate_json"):
            serialize = ModelSerializer(cls).serialize
            return lambda value: json.loads(serialize(value))
        return lambda value: base64.b64encode(value.SerializeToString()).decode()

    def reader(self, cls: Any) -> Callable[[Any, Any], Any]:
        if hasattr(cls, "model_validate_json"):
            deserialize = ModelSerializer(cls, strict=self.strict).deserialize
            return lambda plain, _: deserialize(json.dumps(plain).encode())
        return lambda text, _: cls.FromString(base64.b64decode(text, validate=True))


class Numpy(Rule):
    """Its scalars, as the numbers of Python."""

    def covers(self, cls: Any) -> bool:
        return is_numpy(cls)

    def writer(self, _: Any) -> Callable[[Any], Any]:
        return _plain_number

    def reader(self, cls: Any) -> Callable[[Any, Any], Any]:
        return lambda plain, _: cls(plain)


def _plain_number(value: Any) -> Any:
    return value.item() if is_numpy(type(value)) else value
