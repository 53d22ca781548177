"""Clocks: milliseconds since the epoch, as the runtime counts processing time."""

from __future__ import annotations

import time

__all__ = ["LAST_MS", "Clock", "VirtualClock"]

# The last day that a datetime has is left out: a time zone may be ahead.
LAST_MS = 253_402_214_400_000


class Clock:
    """The system's time, plus whatever ``advance`` has added."""

    def __init__(self) -> None:
        self._offset_ms = 0

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000 + self._offset_ms

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self._offset_ms / 1000

    def advance(self, milliseconds: int) -> None:
        """Move the clock forward."""
        self._offset_ms += milliseconds

    @property
    def offset_ms(self) -> int:
        """What has been added; of a clock that does not move by itself, all of its time."""
        return self._offset_ms

    @property
    def ticks(self) -> bool:
        """Does time pass by itself?"""
        return True


class VirtualClock(Clock):
    """A clock that moves only when it is told to.

    Examples
    --------
    >>> clock = VirtualClock(0)
    >>> clock.advance(1500)
    >>> clock.now_ms(), clock.now()
    (1500, 1.5)
    """

    def __init__(self, start_ms: int = 1_600_000_000_000) -> None:
        super().__init__()
        self._offset_ms = start_ms

    def now_ms(self) -> int:
        return self._offset_ms

    def now(self) -> float:
        return self._offset_ms / 1000

    @property
    def ticks(self) -> bool:
        return False
