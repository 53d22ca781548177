"""The filter language of the invocations table, as far as Python checks it (js/src/filter.ts)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple, get_args

from ..errors import SessionError, did_you_mean
from ..tables import shown
from ..trace.events import AskedStatus

__all__ = ["FIELDS", "check_filter"]

FIELDS = (
    "type", "id", "caller", "status", "error", "state", "message", "sent", "topic", "seq", "cause",
    "ms", "since",
)  # fmt: skip
# What else a field is called.
_CALLED = {"function": "type"}
# What becomes of an invocation; the beginning of a word will do.
_STATUSES = get_args(AskedStatus)
_NUMBERS = ("seq", "cause", "ms")
_INSIDE = ("message", "state")
_WORD = re.compile(r'[()]|(?:[^\s"()]|"[^"]*"?)+')
_COMPARE = r"(:|!=|>=|<=|==?|[<>])"
_NAME = r'([A-Za-z_]+)((?:[.\[][^:=<>!"]*)?)'
_TERM = re.compile(rf"{_NAME}{_COMPARE}(.*)", re.DOTALL)
# A field and nothing else; a comparison, and what may touch it.
_ALONE = re.compile(rf"-?{_NAME}")
_COMPARISON = re.compile(rf"{_COMPARE}(?![:=<>!])")
_OPERATORS = ("AND", "OR", "NOT", "(", ")")


class _Term(NamedTuple):
    name: str
    path: str
    compare: str
    value: str


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
    for name, path, compare, value in _terms(filter):
        if path and name not in _INSIDE:
            raise SessionError(
                f"filter: {name + path}: only {' and '.join(_INSIDE)} have values inside"
            )
        if path:
            continue
        if name not in FIELDS:
            meant = did_you_mean(name, FIELDS)
            raise SessionError(f"filter: {name!r} is not known: use {', '.join(FIELDS)}{meant}")
        if name == "status" and not any(each.startswith(value.lower()) for each in _STATUSES):
            meant = did_you_mean(value.lower(), _STATUSES)
            raise SessionError(f"filter: {shown(value)} is no status: use {_named()}{meant}")
        number = re.fullmatch(r"(?:[<>]=?)?\d+(?:\.\d+)?", value.strip(), re.ASCII)
        if name in _NUMBERS and number is None:
            raise SessionError(
                f"filter: {name}{compare}{value} needs a number, as in {name}:7 or {name}>7"
            )
        if name == "since" and not re.fullmatch(r"\d+(\.\d+)?(ms|[smh]|)", value.strip(), re.ASCII):
            raise SessionError(f"filter: since:{value} needs a time, as in since:5s or since:10m")


def _terms(filter: str) -> Iterator[_Term]:
    """The terms that ask about a field; all else is text, brackets and operators."""
    words = _joined(_WORD.findall(filter))
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        term = _term(word.removeprefix("-"))
        if term is None:
            continue
        following = words[at] if at < len(words) else ")"
        if not term.value and not word.endswith('"') and _is_value(following, term.compare):
            term = term._replace(value=following.replace('"', ""))
            at += 1
        yield term


def _joined(words: list[str]) -> list[str]:
    """A comparison may stand apart from its field, as in ``ms > 5``."""
    found: list[str] = []
    for word in words:
        before = _ALONE.fullmatch(found[-1]) if found else None
        if before and _field(before[1]) in FIELDS and _COMPARISON.match(word):
            found[-1] += word
        else:
            found.append(word)
    return found


def _term(word: str) -> _Term | None:
    match = _TERM.fullmatch(word)
    if match is None:
        return None
    name, path, compare, value = match.groups()
    # "KeyError: 'card'", as a traceback has it, and "x=1" are text.
    if _field(name) not in FIELDS and (name[0].isupper() or (compare != ":" and not path)):
        return None
    return _Term(_field(name), path, compare, value.replace('"', ""))


def _field(name: str) -> str:
    return _CALLED.get(name.lower(), name.lower())


def _is_value(word: str, compare: str) -> bool:
    if word in _OPERATORS or _TERM.fullmatch(word):
        return False
    return not word.startswith("-") or (compare != ":" and word[1:2] in (*"0123456789.",))


def _named() -> str:
    return ", ".join(f'status:"{each}"' if " " in each else f"status:{each}" for each in _STATUSES)
