"""What to write where a value is no plain JSON, but one that an annotation would tell apart."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..errors import forgotten_await

__all__ = ["cure_of"]

_PLAIN = (str, bool, int, float, type(None))
_CONTAINERS = (list, tuple, set, frozenset, dict)
_MEMBERS = 3  # of a union: with more classes than these, it is no cure to write them all


def cure_of(value: Any) -> str:
    """What to write for a value that has no type of itself; "" where that cannot be told.

    Examples
    --------
    >>> cure_of([{1}])
    ': say what is in it: type=list[set[int]] where it is sent, and as the type of a state'
    """
    if hasattr(type(value), "as_type") and hasattr(value, "typed_value"):
        return ": of a message, send message.value"
    try:
        annotation = _annotation(value)
    except RecursionError:
        return ""
    if isinstance(value, _CONTAINERS) and annotation:
        return (
            f": say what is in it: type={annotation} where it is sent, and as the type of a state"
        )
    return _forgotten(value)


def _annotation(value: Any) -> str:
    """What the value could be declared as; "" of one that no annotation helps."""
    cls = type(value)
    if cls in _CONTAINERS:
        if cls is dict:
            parts = [_union(value), _union(value.values())]
        else:
            parts = [_union(value)] + ["..."] * (cls is tuple)
        return f"{cls.__name__}[{', '.join(parts)}]" if all(parts) else ""
    if cls in _PLAIN:
        return "None" if value is None else cls.__name__
    known = dataclasses.is_dataclass(cls) or hasattr(cls, "model_validate_json")
    return cls.__name__ if known else ""


def _union(parts: Any) -> str:
    found = dict.fromkeys(map(_annotation, parts))
    return " | ".join(found) if "" not in found and len(found) <= _MEMBERS else ""


def _forgotten(value: Any) -> str:
    """The hint of a coroutine anywhere in a value."""
    if type(value) in _CONTAINERS:
        parts = value.values() if isinstance(value, dict) else value
        return next(filter(None, map(_forgotten, parts)), "")
    return forgotten_await(value)
