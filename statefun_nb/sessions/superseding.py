"""A cell is run again while the function that it declared still runs: the older version is ended.

Somebody who fixes an endless loop has no other way to let go of it than to end the session.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial

from ..loop_thread import LoopThread, Superseded
from ..trace.running import running_now
from ..trace.served import Served
from ..trace.traced import TracedHandler

__all__ = ["end_older"]

# Who has run for so long is stuck, and not just at work.
_LONG_SECONDS = 1.0
# So long its end is waited for.
_WAIT_SECONDS = 3.0


def end_older(thread: LoopThread, handler: TracedHandler, typename: str) -> None:
    """End what older versions of a function have been doing for more than a second.

    That is an error of theirs: the message is parked, retried or skipped like any other.
    """
    older = [each for each in tuple(handler.serving_now) if _is_stuck(each, handler, typename)]
    until = time.monotonic() + _WAIT_SECONDS
    for served in older:
        if _keeps_the_loop(served):
            thread.supersede(_WAIT_SECONDS, partial(_keeps_the_loop, served))
        else:
            thread.post(_cancel, served)
            while served.printer is not None and time.monotonic() < until:
                time.sleep(0.01)
    if older and until > time.monotonic():
        thread.call(_nothing)  # until whoever has asked was told, too


def _nothing() -> None:
    pass


def _is_stuck(served: Served, handler: TracedHandler, typename: str) -> bool:
    spec = served.spec
    if spec.typename != typename or spec is handler.functions.find(typename):
        return False
    return time.perf_counter() - served.start > _LONG_SECONDS


def _keeps_the_loop(served: Served) -> bool:
    return served.printer is not None and any(each.line for each in running_now([served]))


def _cancel(served: Served) -> None:
    """Cancel the task that serves a request; nothing happens when it is done."""
    for task in asyncio.all_tasks():
        frame = getattr(task.get_coro(), "cr_frame", None)
        if frame is not None and frame.f_locals.get("served") is served:
            task.cancel(str(Superseded()))
