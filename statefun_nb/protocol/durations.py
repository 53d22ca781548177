"""Durations as module.yaml writes them."""

from __future__ import annotations

import re
from typing import Any

from ..tables import shorten

__all__ = ["seconds"]

# Of Flink's durations: what each unit is in seconds.
_UNITS = {
    "ns": 1e-9, "nano": 1e-9, "nanos": 1e-9, "nanosecond": 1e-9, "nanoseconds": 1e-9,
    "us": 1e-6, "micro": 1e-6, "micros": 1e-6, "microsecond": 1e-6, "microseconds": 1e-6,
    "ms": 0.001, "milli": 0.001, "millis": 0.001, "millisecond": 0.001, "milliseconds": 0.001,
    "s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1,
    "m": 60, "min": 60, "minute": 60, "minutes": 60,
    "h": 3600, "hour": 3600, "hours": 3600, "d": 86400, "day": 86400, "days": 86400,
}  # fmt: skip


def seconds(text: Any) -> float:
    """A duration of module.yaml in seconds.

    Raises
    ------
    ValueError
        When it is none.

    Examples
    --------
    >>> seconds("2 min"), seconds("500ms")
    (120.0, 0.5)
    """
    # Flink's number is a long, of 19 digits at most; one of hundreds would be no float, either.
    match = re.fullmatch(r"\s*(\d{1,19})\s*([a-z]*)\s*", str(text))
    if match is None or (match[2] or "ms") not in _UNITS:
        raise ValueError(f"{shorten(repr(text))} is not a duration: write 30s, 2min or 500ms")
    return float(int(match[1]) * _UNITS[match[2] or "ms"])
