"""Waiting until nothing moves any more, from a cell or in an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout

from ..cells.places import warn
from ..engine.base import Engine, Idle, Progress
from ..errors import CURE, IdleTimeout
from ..loop_thread import LoopThread, call_cancelled
from ..tables import counted
from ..trace.running import Running
from ..trace.traced import TracedHandler

__all__ = ["Waiting"]

# The engine gets so long to say that nothing moves, also when no time is given to wait for that.
_ANSWER_SECONDS = 0.5
# So many of the functions that run, and of those that fail, are named.
_NAMED = 3
# Who has run for so long may never end.
_LONG_SECONDS = 1.0


class Waiting:
    """Waits for one session's engine.

    Parameters
    ----------
    thread : LoopThread
        Whose loop the engine belongs to.
    engine : Engine
    handler : TracedHandler
        Knows what is being served.
    """

    def __init__(self, thread: LoopThread, engine: Engine, handler: TracedHandler) -> None:
        self._thread = thread
        self._engine = engine
        self._handler = handler
        self._told = 0  # of the restarts

    def wait_idle(self, timeout: float, *, timers: bool) -> Idle:
        """Block until nothing moves; see ``Session.wait_idle``."""
        self._engine.prepare()
        waiting = self._start(timeout, timers=timers)
        try:
            idle = waiting.result(timeout or _ANSWER_SECONDS)
        except FutureTimeout:
            if waiting.done():
                return waiting.result()
            waiting.cancel()
            raise self._timed_out(timeout) from None
        except CancelledError:
            raise call_cancelled() from None
        except BaseException:  # Ctrl-C: the next one to wait is told of what was processed
            waiting.cancel()
            raise
        self._tell_restarts()
        return idle

    async def idle(self, timeout: float, *, timers: bool) -> Idle:
        """The same to ``await``, on the caller's own loop."""
        await asyncio.to_thread(self._engine.prepare)
        waiting = self._start(timeout, timers=timers)
        try:
            longest = timeout or _ANSWER_SECONDS
            idle = await asyncio.wait_for(asyncio.wrap_future(waiting), longest)
        except asyncio.TimeoutError:
            raise self._timed_out(timeout) from None
        self._tell_restarts()
        return idle

    def _tell_restarts(self) -> None:
        """Warn, once, of processes of a real cluster that died and were started again."""
        cluster = self._engine.cluster
        if cluster is None or len(cluster.restarts) == self._told:
            return
        new, self._told = cluster.restarts[self._told :], len(cluster.restarts)
        warn(f"died, and was started again: {'; '.join(new)}")

    def _start(self, timeout: float, *, timers: bool) -> Future[Idle]:
        idle = self._engine.idle(timeout if timers else 0.0)
        return self._thread.launch(idle)

    def _timed_out(self, timeout: float) -> IdleTimeout:
        text = _what_moves(timeout, self._engine.progress, self._handler.running)
        for address, last in [*self._handler.failures.last.items()][-_NAMED:]:
            text += f"; {address} has failed {counted(last.attempts, 'time')}"
            text += f", at {last.line}" if last.line else ""
        if health := self._engine.health():
            text += f"; {health}"
        return IdleTimeout(text)


def _what_moves(timeout: float, progress: Progress, running: Sequence[Running]) -> str:
    wait = "message waits" if progress.queued == 1 else "messages wait"
    are = "request is" if progress.in_flight == 1 else "requests are"
    text = f"not idle after {timeout:g} s: {progress.queued:,} {wait}, "
    text += f"{progress.in_flight:,} {are} in flight"
    for each in running[:_NAMED]:
        text += f"; {each.text}"
        if not each.is_async:
            text += " (a sync function: nothing else runs meanwhile)"
    if any(each.seconds > _LONG_SECONDS for each in running):
        text += f"; {CURE}"
    return text
