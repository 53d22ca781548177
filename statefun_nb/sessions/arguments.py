"""What a session's calls take: seconds, durations, whole numbers, paths; checked in one place."""

from __future__ import annotations

import os
from datetime import timedelta
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from ..errors import ConversionError, ConversionTypeError, SessionError

__all__ = [
    "a_duration",
    "a_path",
    "not_opened",
    "one_of",
    "seconds",
    "short_repr",
    "truth",
    "whole",
]

# What every system can wait for; 32 bits of milliseconds end at 49 days.
_LONGEST_WAIT = 4_000_000
_LONGEST_SHOWN = 80


def short_repr(value: object) -> str:
    """The repr of an argument, cut; its class where it has none, as 10**5000 has none."""
    try:
        text = repr(value)
    except Exception:  # whatever an object of the user's does when it is asked
        return f"({type(value).__name__})"
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def seconds(value: Any, name: str = "timeout") -> float:
    """A time to wait.

    Raises
    ------
    SessionError
        When it is no number of seconds, or one that nothing can wait for.
    """
    number = type(value) is float or (isinstance(value, Real) and not isinstance(value, bool))
    if not number or not 0 <= value <= _LONGEST_WAIT:  # nan is neither
        # Said only of what is too long: else it would be beside the point.
        most = f", {_LONGEST_WAIT:,} at most" if number and value > _LONGEST_WAIT else ""
        raise SessionError(f"{name}={short_repr(value)}: it takes seconds, 0 or more{most}")
    return float(value)


def a_duration(value: Any, what: str) -> timedelta:
    """A time to move on by.

    Raises
    ------
    ConversionError
        When it is no timedelta, or negative.
    """
    if not isinstance(value, timedelta):
        raise ConversionTypeError(
            f"{what} takes a timedelta, such as timedelta(minutes=5), not {short_repr(value)}"
        )
    if value < timedelta(0):
        raise ConversionError(f"the clock cannot go back: {value}")
    return value


def whole(name: str, value: Any, low: int, high: int | None = None) -> None:
    """Raise when it is no whole number in this span.

    Raises
    ------
    SessionError
        Which says the span.
    """
    integer = type(value) is int or (isinstance(value, Integral) and not isinstance(value, bool))
    if integer and low <= int(value) and (high is None or int(value) <= high):
        return
    span = f"{low} or more" if high is None else f"{low} to {high}"
    if not integer:
        raise SessionError(f"{name}={short_repr(value)} is not a whole number: it takes {span}")
    raise SessionError(f"{name}={short_repr(value)}: it takes {span}")


def truth(name: str, value: Any) -> None:
    """Raise when it is neither True nor False: "no" would be taken for yes.

    Raises
    ------
    SessionError
    """
    if not isinstance(value, bool):
        raise SessionError(f"{name}={short_repr(value)}: it takes True or False")


def one_of(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Raise when it is none of these texts.

    Raises
    ------
    SessionError
        Which names them.
    """
    if type(value) is not str or value not in allowed:
        names = ", ".join(map(repr, allowed))
        raise SessionError(f"{name}={short_repr(value)} is not known: use {names}")


def a_path(name: str, value: Any) -> Path:
    """The path of a file or folder, with a user's home in place of ``~``.

    Raises
    ------
    SessionError
        When it is none that a system could have.
    """
    try:
        path = Path(value).expanduser()
        encoded = os.fsencode(path)
    except TypeError as error:
        raise SessionError(f"{name}={short_repr(value)} is not the path of a file") from error
    except (RuntimeError, ValueError) as error:  # no such user; half a surrogate
        raise SessionError(
            f"{name}={short_repr(value)} is not the path of a file: {error}"
        ) from error
    if b"\0" in encoded or not os.fspath(value):
        raise SessionError(f"{name}={short_repr(value)} is not the path of a file")
    return path


def not_opened(name: str, value: object, error: OSError | UnicodeError) -> SessionError:
    """What to say of a file that cannot be read or written."""
    why = (error.strerror or error) if isinstance(error, OSError) else "it is not text in UTF-8"
    return SessionError(f"{name}={str(value)!r} cannot be opened: {why}")
