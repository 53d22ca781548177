"""The filter language of the invocations table, as far as Python checks it (js/src/filter.ts)."""

from __future__ import annotations

import re
from typing import Any, get_args

from ..errors import SessionError, did_you_mean
from ..tables import shown
from ..trace.events import InvocationStatus

__all__ = ["FIELDS", "check_filter"]

FIELDS = (
    "type", "id", "caller", "status", "error", "state", "message", "sent", "topic", "seq", "cause",
    "ms", "since",
)  # fmt: skip
# What becomes of an invocation; the beginning of a word will do.
_STATUSES = (*get_args(InvocationStatus), "repaired")
_NUMBERS = ("seq", "cause", "ms")
_WORD = re.compile(r'(?:[^\s"()]|"[^"]*"?)+')
_TERM = re.compile(r"-?([A-Za-z]+)(:|=|!=|[<>]=?)(.*)", re.DOTALL)


def check_filter(filter: Any) -> None:
    """Raise for what the page would call a problem.

    Raises
    ------
    SessionError
        When it is no text, or has a term that there is not.

    Examples
    --------
    >>> check_filter("type:example/person -status:ok hello")
    """
    if not isinstance(filter, str):
        raise SessionError(
            f"filter={shown(filter)}: it takes text, such as 'type:shop/cart status:error'"
        )
    for word in _WORD.findall(filter):
        term = _TERM.fullmatch(word)
        if term is None:
            continue
        name, value = term[1].lower(), term[3].replace('"', "")
        if name not in FIELDS:
            meant = did_you_mean(name, FIELDS)
            raise SessionError(f"filter: {name!r} is not known: use {', '.join(FIELDS)}{meant}")
        if name == "status" and not any(each.startswith(value.lower()) for each in _STATUSES):
            meant = did_you_mean(value.lower(), _STATUSES)
            raise SessionError(f"filter: {shown(value)} is no status: use {_named()}{meant}")
        if name in _NUMBERS and value and not re.fullmatch(r"[<>]?\d+(?:\.\d+)?", value, re.ASCII):
            raise SessionError(
                f"filter: {name}:{value} needs a number, as in {name}:7 or {name}:>7"
            )


def _named() -> str:
    return ", ".join(f'status:"{each}"' if " " in each else f"status:{each}" for each in _STATUSES)
