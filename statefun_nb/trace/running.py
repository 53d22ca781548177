"""What is being served just now, and at which line of the user's code it is."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future
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
    "" for one that waits. ``waits_at`` is the line of the ``await`` of such a one. ``waits_in`` is
    that by which a sync function waits for what another thread does, such as "Event.wait".
    """

    address: SdkAddress
    since: float
    is_async: bool
    line: str = ""
    waits_at: str = ""
    waits_in: str = ""

    def __repr__(self) -> str:
        """Without ``since``, which says nothing to a person."""
        where = f"line={self.line!r}, waits_at={self.waits_at!r}, waits_in={self.waits_in!r}"
        return f"Running({self.address!r}, is_async={self.is_async}, {where})"

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
        waits = f", where it waits for another thread ({self.waits_in})" if self.waits_in else ""
        return f", at {self.line}{waits}" if self.line else ""


class Blocked(NamedTuple):
    """A sync function that blocked the endpoint for ``seconds``."""

    address: SdkAddress
    seconds: float


def running_now(served: Iterable[Served]) -> list[Running]:
    """The requests that are being served; with its line the one that keeps the loop's thread."""
    found = list(served)
    lines = _lines() if found else {}
    running = []
    for each in found:
        line, waits_in = lines.get(id(each.request), ("", ""))
        waits_at = "" if line or each.task is None else place_of_coroutine(each.task.get_coro())
        target, spec = each.request.target, each.spec
        running.append(Running(target, each.start, spec.is_async, line, waits_at, waits_in))
    return running


# What a function waits in for an end that another thread has to bring about.
_WAITS = {
    threading.Event.wait.__code__: "Event.wait",
    threading.Barrier.wait.__code__: "Barrier.wait",
    threading.Semaphore.acquire.__code__: "Semaphore.acquire",
    threading.Condition.wait.__code__: "Condition.wait",
    queue.Queue.get.__code__: "Queue.get",
    queue.Queue.put.__code__: "Queue.put",
    queue.Queue.join.__code__: "Queue.join",
    threading.Thread.join.__code__: "Thread.join",
    Future.result.__code__: "Future.result",
    Future.exception.__code__: "Future.exception",
}


def _lines() -> dict[int, tuple[str, str]]:
    """Where the requests are that some thread executes just now, by the id of the Request.

    The line, and what the function waits in there.
    """
    found = {}
    for innermost in sys._current_frames().values():
        frame: FrameType | None = innermost
        waits_in = ""
        while frame is not None and frame.f_code not in SERVING_CODE:
            waits_in = _WAITS.get(frame.f_code, waits_in)
            frame = frame.f_back
        if frame is not None:
            found[id(frame.f_locals["request"])] = place_of_frame(innermost), waits_in
    return found
