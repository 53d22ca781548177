"""Which invocations have a value, as ``message.qty>2`` and ``state.total>100`` ask for."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

from ..trace.invocations import Invocations
from .source import Source
from .wire import Matches

__all__ = ["matches"]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
_MISSING = object()


def matches(source: Source, of: str, path: str, compare: str, value: str, after: int) -> Matches:
    """The invocations after the number ``after`` whose value at ``path`` compares so.

    Parameters
    ----------
    of : str
        "message", or "state" for what the invocation left.
    path : str
        Names and numbers, as in "items[0].qty"; of a state it begins with the value's name.
    compare : str
        ``:`` (the text is in it), ``=``, ``>``, ``<``, ``>=``, ``<=``.
    """
    names = re.findall(r"[^.\[\]]+", path)
    found: list[int] = []
    last = after
    for each in Invocations.of(source.recorder):
        if each.seq <= after:
            continue
        last = max(last, each.seq)
        root = each.message.value if of == "message" else each.state_after
        at = _at(root, names)
        if at is not _MISSING and _compares(at, compare, value):
            found.append(each.seq)
    return Matches(seqs=found, upto=last)


def _at(value: Any, names: list[str]) -> Any:
    for name in names:
        if isinstance(value, dict):
            value = value.get(name, _MISSING)
        elif isinstance(value, (list, tuple)) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            value = vars(value).get(name, _MISSING) if hasattr(value, "__dict__") else _MISSING
        if value is _MISSING:
            break
    return value


def _compares(at: Any, compare: str, value: str) -> bool:
    number = _number(value)
    order = _COMPARE.get(compare)
    if order is not None:
        return isinstance(at, (int, float)) and number is not None and order(at, number)
    if compare == ":":
        return value.lower() in str(at).lower()
    if isinstance(at, bool) or at is None:
        return value.lower() == {True: "true", False: "false", None: "none"}[at]
    if isinstance(at, (int, float)):
        return at == number
    return str(at) == value


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
