"""What is being served just now, and at which line of the user's code it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import NamedTuple

from ..address import SdkAddress
from ..cells.places import place_of_frame
from ..sdk.dispatch import SERVING_CODE
from .served import Served

__all__ = ["Blocked", "Running", "running_now"]


class Running(NamedTuple):
    """A request that is being served. ``since`` is on the clock of ``time.perf_counter``.

    ``line`` is where its function is just now, while it keeps the loop: "Cell In[3], line 5"; it is
    "" for one that waits.
    """

    address: SdkAddress
    since: float
    is_async: bool
    line: str = ""

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
        return f", at {self.line}" if self.line else ""


class Blocked(NamedTuple):
    """A sync function that blocked the endpoint for ``seconds``."""

    address: SdkAddress
    seconds: float


def running_now(served: Iterable[Served], thread: int) -> list[Running]:
    """The requests that are served, and where the one is that keeps the thread of that id."""
    found = list(served)
    keeps, line = None, ""
    for frame in _frames(thread) if found else ():
        if frame.f_code in SERVING_CODE:
            keeps = frame.f_locals.get("request")
            line = place_of_frame(next(_frames(thread), None))
            break
    return [
        Running(
            each.request.target,
            each.start,
            each.spec.is_async,
            line if each.request is keeps else "",
        )
        for each in found
    ]


def _frames(thread: int) -> Iterator[FrameType]:
    """What a thread executes, innermost first."""
    frame = sys._current_frames().get(thread)
    while frame is not None:
        yield frame
        frame = frame.f_back
