"""What is being served just now, and at which line of the user's code it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from types import FrameType
from typing import NamedTuple

from ..address import SdkAddress
from ..cells.places import place_of_coroutine, place_of_frame
from ..sdk.dispatch import SERVING_CODE
from .served import Served

__all__ = ["Blocked", "Running", "running_now"]


class Running(NamedTuple):
    """A request that is being served. ``since`` is on the clock of ``time.perf_counter``.

    ``line`` is where its function is just now, while it keeps the loop: "Cell In[3], line 5"; it is
    "" for one that waits. ``waits_at`` is the line of the ``await`` of such a one.
    """

    address: SdkAddress
    since: float
    is_async: bool
    line: str = ""
    waits_at: str = ""

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.perf_counter() - self.since

    @property
    def text(self) -> str:
        """Which function it is, for how long, and where."""
        return f"{self.address} has been running for {self.seconds:.1f} s{self.where}"

    @property
    def where(self) -> str:
        """Its line, at the end of a sentence."""
        if self.waits_at:
            return f", waiting at {self.waits_at}"
        return f", at {self.line}" if self.line else ""


class Blocked(NamedTuple):
    """A sync function that blocked the endpoint for ``seconds``."""

    address: SdkAddress
    seconds: float


def running_now(served: Iterable[Served]) -> list[Running]:
    """The requests that are being served; with its line the one that keeps the loop's thread."""
    found = list(served)
    lines = _lines() if found else {}
    return [
        Running(
            each.request.target,
            each.start,
            each.spec.is_async,
            (line := lines.get(id(each.request), "")),
            "" if line or each.task is None else place_of_coroutine(each.task.get_coro()),
        )
        for each in found
    ]


def _lines() -> dict[int, str]:
    """Where the requests are that some thread executes just now, by the id of the Request."""
    found = {}
    for innermost in sys._current_frames().values():
        frame: FrameType | None = innermost
        while frame is not None and frame.f_code not in SERVING_CODE:
            frame = frame.f_back
        if frame is not None:
            found[id(frame.f_locals["request"])] = place_of_frame(innermost)
    return found
