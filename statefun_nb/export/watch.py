"""What runs while a case is run: which lines, and does any of it ask the clock or chance?

The interpreter tells (``sys.settrace``, ``sys.setprofile``), of the running thread only. Nothing is
replaced: a function that has its clock by ``from time import time``, by an import of its own or by
a library is found like any other.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import sys
import time
from collections.abc import Collection
from types import FrameType, TracebackType
from typing import Any

__all__ = ["Watch"]

_CLOCK = {
    each: f"time.{each.__name__}"
    for each in (
        time.time, time.time_ns, time.localtime, time.gmtime, time.ctime, time.strftime,
        time.asctime,
    )
}  # fmt: skip
# Of datetime and date, and what derives from them.
_NOW = {"now", "utcnow", "today"}
# What the functions of ``random`` are methods of.
_SHARED = random.random.__self__  # type: ignore[attr-defined]  # a bound method, to typeshed none
# They ask the clock for their own ends, as a record of a log or a wait does.
_OWN_ENDS = {"asyncio", "concurrent", "logging", "selectors", "statefun_nb", "threading"}


class Watch:
    """Watches the thread inside of ``with``.

    Attributes
    ----------
    steps : set
        From which line to which it went, in the user's code.
    asked : str or None
        What of time or chance was asked first, in words.

    Examples
    --------
    >>> with Watch([globals()]) as watch:
    ...     twice = (lambda x: 2 * x)(1)
    >>> len(watch.steps), watch.asked
    (2, None)
    """

    def __init__(self, namespaces: Collection[dict[str, Any]]) -> None:
        self._spaces = {id(each) for each in namespaces}
        self._depth = 0
        self._last: dict[int, int] = {}
        self.steps: set[tuple[int, int, int]] = set()
        self.asked: str | None = None

    def __enter__(self) -> Watch:
        self._before = sys.gettrace(), sys.getprofile()
        sys.setprofile(self._profile)
        sys.settrace(self._trace)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        tracer, profiler = self._before
        sys.settrace(tracer)
        sys.setprofile(profiler)

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        return self._step if event == "call" and id(frame.f_globals) in self._spaces else None

    def _step(self, frame: FrameType, event: str, _: Any) -> Any:
        if event in ("line", "return"):
            key = id(frame)
            line = frame.f_lineno if event == "line" else -1
            self.steps.add((id(frame.f_code), self._last.get(key, 0), line or 0))
            self._last[key] = line or 0
            if event == "return":
                del self._last[key]
        return self._step

    def _profile(self, frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call":
            if self._depth > 0 and self.asked is None:
                self.asked = _asks(frame, called)
        elif id(frame.f_globals) in self._spaces:
            # A coroutine that waits has returned, and is called again.
            self._depth = max(0, self._depth + {"call": 1, "return": -1}.get(event, 0))


def _asks(frame: FrameType, called: Any) -> str | None:
    """What a call of a function of C asks of time or chance, in words."""
    owner = getattr(called, "__self__", None)
    name = getattr(called, "__name__", "")
    found = None
    if called is os.urandom:
        found = "uses chance (os.urandom, as uuid4 and secrets do)"
    elif owner is _SHARED:
        found = "uses chance (random)"
    elif owner is time and called in _CLOCK:
        found = f"reads the clock ({_CLOCK[called]})"
    elif name in _NOW and isinstance(owner, type) and issubclass(owner, dt.date):
        found = f"reads the clock ({owner.__name__}.{name})"
    if found is None:
        return None
    module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return None if module in _OWN_ENDS else found
