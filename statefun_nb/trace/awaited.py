"""Does a function wait for this thread? Then a session's call in it is one inside the function."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from concurrent.futures import thread as pools
from types import CodeType, FrameType

from ..sdk.dispatch import SERVING_CODE

__all__ = ["is_awaited"]


def _code(function: object) -> CodeType | None:
    return getattr(function, "__code__", None)


# Who waits for another thread is in one of these: with the thread, the result or the pool as self,
# or, for several results, with a set of them.
_JOIN = _code(threading.Thread.join)
_RESULTS = frozenset({_code(Future.result), _code(Future.exception)})
_SHUTDOWN = _code(ThreadPoolExecutor.shutdown)
_SEVERAL = frozenset({_code(wait), _code(as_completed)})
# A pool's thread is in both of these, with what it works for and with the pool's queue.
_WORK = _code(pools._WorkItem.run)
_WORKER = _code(pools._worker)


def is_awaited(waiting: int) -> bool:
    """Does a sync function that runs in the thread ``waiting`` wait for this one?

    For its end, for what comes of the work of its pool, or for the end of that pool.
    """
    me = threading.current_thread()
    if me is threading.main_thread():
        return False  # nobody waits for it
    threads = sys._current_frames()
    frames = list(_frames(threads.get(waiting)))
    if not any(frame.f_code in SERVING_CODE for frame in frames):
        return False
    results: set[int] = set()
    for frame in frames:
        code, known = frame.f_code, frame.f_locals
        if code is _JOIN and known["self"] is me:
            return True
        if code is _SHUTDOWN and me in known["self"]._threads:
            return True
        if code in _RESULTS:
            results.add(id(known["self"]))
        elif code in _SEVERAL:
            results.update(map(id, known["fs"]))
    return bool(results) and _works_for(results, threads)


def _works_for(results: set[int], threads: dict[int, FrameType]) -> bool:
    """Is this thread one of the pool whose results these are?"""
    pool = _queue(sys._getframe())
    return pool is not None and any(
        frame.f_code is _WORK
        and id(getattr(frame.f_locals.get("self"), "future", None)) in results
        and _queue(frame) is pool
        for innermost in threads.values()
        for frame in _frames(innermost)
    )


def _queue(innermost: FrameType) -> object:
    """What tells a thread's pool from others: the queue that its threads share."""
    for frame in _frames(innermost):
        if frame.f_code is _WORKER:
            return frame.f_locals["work_queue"]
    return None


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
