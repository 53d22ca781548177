"""What a value has lost when it was written and read back: where, and what it became."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator
from enum import Enum
from typing import Any, NamedTuple

from ..tables import shown

__all__ = ["Difference", "first_difference", "same_class"]

_MISSING: Any = object()
_KEY: Any = object()
_FORMER: Any = object()


class Difference(NamedTuple):
    """A part of a value, by its path such as ``items[0].price``, and what it would come back as."""

    path: str
    wrote: Any
    read: Any

    @property
    def text(self) -> str:
        """It in words."""
        where = f"{self.path}: " if self.path else ""
        if self.wrote is _MISSING:
            return f"{where}{shown(self.read)} would come back where nothing was"
        if self.read is _KEY:
            return (
                f"{where}the key {shown(self.wrote)} would come back as text: "
                "annotate what the keys are, as in dict[int, str]"
            )
        if self.read is _FORMER:
            return (
                f"{where}{shown(self.wrote)} would be lost: its class was run again, and what "
                "holds it still has the former one: run that cell again, too"
            )
        became = "be lost" if self.read is _MISSING else f"come back as {shown(self.read)}"
        return f"{where}{shown(self.wrote)} would {became}"


def same_class(one: type, other: type) -> bool:
    """Is it one class, perhaps of a cell that was run again?"""
    return one is other or (
        one.__qualname__ == other.__qualname__ and one.__module__ == other.__module__
    )


def first_difference(
    wrote: Any, read: Any, path: str = "", *, deep: bool = False
) -> Difference | None:
    """The first part that is not what it was; None when all of it is.

    Equal is what Python calls equal. Where a class has no ``==``, its fields are compared, and
    NaN is the same as NaN. A ``deep`` comparison also looks into what is equal: see ``hides``.

    Examples
    --------
    >>> first_difference({"a": [1, (2, 3)]}, {"a": [1, [2, 3]]}).text
    "['a'][1]: (2, 3) (tuple) would come back as [2, 3] (list)"
    """
    equal = _equal(wrote, read)
    if equal and not deep:
        return None
    difference = Difference(path.lstrip("."), wrote, read)
    if not same_class(type(wrote), type(read)):
        return None if equal else difference
    if isinstance(wrote, Enum):
        return None if wrote.name == read.name else difference
    parts = _parts(wrote, read)
    if parts is not None:
        lost = _MISSING if type(wrote) is type(read) else _FORMER
        return _first_of(parts, path, lost, deep)
    return None if equal or (_is_not_a_number(wrote) and repr(wrote) == repr(read)) else difference


def _first_of(
    parts: Iterator[tuple[str, Any, Any]], path: str, lost: Any, deep: bool
) -> Difference | None:
    """The first difference of the parts; ``lost`` is what stands for one that is not there."""
    for step, wrote, read in parts:
        if read is _KEY:
            return Difference(path.lstrip("."), wrote, _KEY)
        if wrote is _MISSING or read is _MISSING:
            return Difference((path + step).lstrip("."), wrote, lost if read is _MISSING else read)
        found = first_difference(wrote, read, path + step, deep=deep)
        if found is not None:
            return found
    return None


def _equal(wrote: Any, read: Any) -> bool:
    try:
        return bool(wrote == read)
    except Exception:  # a comparison of the user's may raise anything
        return False


def _is_not_a_number(value: Any) -> bool:
    try:
        return bool(value != value)  # noqa: PLR0124 - what NaN is known by
    except Exception:  # a signalling NaN of Decimal raises
        return True


def _parts(wrote: Any, read: Any) -> Iterator[tuple[str, Any, Any]] | None:
    """The parts of two values of one class, with their steps in a path; None: it has none."""
    if dataclasses.is_dataclass(wrote):
        names = [field.name for field in dataclasses.fields(wrote)]
    elif hasattr(type(wrote), "model_fields"):  # a pydantic model
        names = [*type(wrote).model_fields, *(wrote.model_extra or ()), *_private_values(wrote)]
    elif fields := getattr(type(wrote), "__attrs_attrs__", ()):
        names = [field.name for field in fields]
    elif isinstance(wrote, dict):
        keys = dict.fromkeys([*wrote, *read])
        changed = [key for key in wrote if key not in read and not isinstance(key, str)]
        if changed:
            return iter([("", changed[0], _KEY)])
        return ((f"[{k!r}]", wrote.get(k, _MISSING), read.get(k, _MISSING)) for k in keys)
    elif isinstance(wrote, deque) and wrote.maxlen != read.maxlen:
        return iter([(".maxlen", wrote.maxlen, read.maxlen)])
    elif isinstance(wrote, (list, tuple, deque)) and len(wrote) == len(read):
        return ((f"[{i}]", one, read[i]) for i, one in enumerate(wrote))
    else:
        return None
    return (
        (f".{name}", getattr(wrote, name, _MISSING), getattr(read, name, _MISSING))
        for name in names
    )


def _private_values(model: Any) -> Iterator[str]:
    """The private attributes of a pydantic model that hold values, and no locks or connections."""
    for name, value in (getattr(model, "__pydantic_private__", None) or {}).items():
        cls: Any = type(value)
        if cls.__eq__ is not object.__eq__:
            yield name
