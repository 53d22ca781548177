"""Delays of messages, as they are given and as they are sent."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from ..errors import ConversionError, ConversionTypeError
from ..protocol.effects import LONGEST_DELAY_MS
from ..tables import shown

__all__ = ["delay_ms"]


def delay_ms(duration: Any, typename: str) -> int:
    """A delay in whole milliseconds.

    Raises
    ------
    ConversionError
        When it is no timedelta, negative, or longer than there are dates.
    """
    if not isinstance(duration, timedelta):
        raise ConversionTypeError(
            f"the delay of a message to {typename} is a timedelta, not {shown(duration)}"
            f"{_cure(duration)}"
        )
    if duration < timedelta(0):
        raise ConversionError(f"the delay of a message to {typename} is negative: {duration}")
    milliseconds = duration // timedelta(milliseconds=1)
    if milliseconds > LONGEST_DELAY_MS:
        raise ConversionError(
            f"the delay of a message to {typename} is longer than any date is away: {duration}"
        )
    return milliseconds


def _cure(duration: Any) -> str:
    """What to write in its place."""
    if isinstance(duration, (int, float)) and not isinstance(duration, bool):
        return ": a number of seconds is timedelta(seconds=...)"
    if isinstance(duration, date):  # a datetime is one
        now = "datetime.now(when.tzinfo)" if isinstance(duration, datetime) else "date.today()"
        return f": write the time until then, such as when - {now}"
    return ""
