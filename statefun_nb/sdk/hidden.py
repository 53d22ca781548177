"""Where values have parts that ``==`` does not see: those are compared one by one."""

from __future__ import annotations

import dataclasses
from collections import deque
from typing import Any, get_args, get_origin

__all__ = ["hides"]


def hides(annotation: Any) -> bool:
    """Can values of a type be equal, and yet differ in a part of them?

    In a field of a dataclass with ``compare=False``, one of attrs' with ``eq=False``, and in how
    many items a deque keeps. A subclass that stands in for the type is not looked at:
    what holds one says so where it is written.

    Examples
    --------
    >>> hides(dict[str, list[int]]), hides(list[deque[int]])
    (False, True)
    """
    return _hides(annotation, set())


def _hides(annotation: Any, seen: set[int]) -> bool:
    if id(annotation) in seen:  # a tree has itself as a field
        return False
    seen.add(id(annotation))
    cls = get_origin(annotation) or annotation
    if cls is deque:
        return True
    within = [*get_args(annotation)]
    if dataclasses.is_dataclass(cls):
        fields = dataclasses.fields(cls)
        if not all(field.compare for field in fields):
            return True
        within += [field.type for field in fields]
    elif fields_of_attrs := getattr(cls, "__attrs_attrs__", ()):
        if not all(field.eq for field in fields_of_attrs):
            return True
        within += [field.type for field in fields_of_attrs]
    return any(_hides(each, seen) for each in within)
