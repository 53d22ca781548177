"""Waiting until nothing moves any more, from a cell or in an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout

from ..address import SdkAddress
from ..cells.places import warn
from ..engine.base import Engine
from ..engine.facts import Idle, Progress
from ..errors import CURE, IdleTimeout, StatefunError
from ..loop_thread import LoopThread, call_cancelled
from ..tables import counted
from ..trace.failures import LastFailure
from ..trace.invocations import Invocations
from ..trace.running import Running
from ..trace.traced import TracedHandler

__all__ = ["Waiting", "without_answer"]

# The engine gets so long to say that nothing moves, also when no time is given to wait for that.
_ANSWER_SECONDS = 0.5
# So many of the functions that run, and of those that fail, are named.
_NAMED = 3
# Who has run for so long may never end; who has not run for so long is just at work.
_LONG_SECONDS = 1.0
_QUICK_SECONDS = 0.05
# Of so many invocations the addresses are told that go on.
_LOOKED_AT = 20
# Where so many times more was served than there is left, it comes anew.
_MANY_TIMES = 10


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
        self._told_in_vain: set[str] = set()
        self._told_unseen: set[str] = set()

    def wait_idle(self, timeout: float, *, timers: bool) -> Idle:
        """Block until nothing moves; see ``Session.wait_idle``."""
        until = time.monotonic() + timeout
        before = self._engine.progress.processed
        if not self._engine.prepare(timeout):
            raise self._still_starting(timeout)
        waiting = self._start(timeout, timers=timers)
        try:
            idle = self._thread.result(waiting, _left(until) or _ANSWER_SECONDS)
        except FutureTimeout:
            if waiting.done():
                return waiting.result()
            waiting.cancel()
            raise self._timed_out(timeout, before) from None
        except CancelledError:
            raise call_cancelled() from None
        except BaseException:  # Ctrl-C: the next one to wait is told of what was processed
            waiting.cancel()
            raise
        self._tell()
        return idle

    async def idle(self, timeout: float, *, timers: bool) -> Idle:
        """The same to ``await``, on the caller's own loop."""
        until = time.monotonic() + timeout
        before = self._engine.progress.processed
        if not await asyncio.to_thread(self._engine.prepare, timeout):
            raise self._still_starting(timeout)
        waiting = self._start(timeout, timers=timers)
        wrapped = asyncio.wrap_future(waiting)
        try:
            # Unlike wait_for, it tells a cancellation of the caller from one of what is waited for.
            await asyncio.wait({wrapped}, timeout=_left(until) or _ANSWER_SECONDS)
        finally:
            answered = wrapped.done()
            wrapped.cancel()
        if not answered:
            raise self._timed_out(timeout, before)
        if wrapped.cancelled():
            raise call_cancelled()
        idle = wrapped.result()
        self._tell()
        return idle

    def _tell(self) -> None:
        """Warn, once, of what the wait cannot know, and of what went wrong meanwhile."""
        self._tell_restarts()
        self._tell_in_vain()
        for rule, why in self._engine.unseen().items():
            if rule not in self._told_unseen:
                self._told_unseen.add(rule)
                warn(
                    f"the cluster calls {rule} itself, and this wait knows nothing of what its "
                    f"functions still have to do: {why}"
                )

    def _tell_restarts(self) -> None:
        """Warn, once, of processes of a real cluster that died and were started again."""
        cluster = self._engine.cluster
        if cluster is None or len(cluster.restarts) == self._told:
            return
        new, self._told = cluster.restarts[self._told :], len(cluster.restarts)
        warn(f"died, and was started again: {'; '.join(new)}")

    def _tell_in_vain(self) -> None:
        """Warn, once, of what a function did without an effect, such as a coroutine let go."""
        for text in [*self._handler.in_vain]:
            if text not in self._told_in_vain:
                self._told_in_vain.add(text)
                warn(text)

    def _start(self, timeout: float, *, timers: bool) -> Future[Idle]:
        idle = self._engine.idle(timeout if timers else 0.0)
        return self._thread.launch(idle)

    def _still_starting(self, timeout: float) -> IdleTimeout:
        step = self._engine.health().removeprefix("StateFun is starting")
        return IdleTimeout(
            f"not idle after {timeout:g} s: StateFun is still starting"
            f"{f' ({step})' if step else ''}, and goes on with that: wait again, and longer, such "
            "as s.wait_idle(60)"
        )

    def _timed_out(self, timeout: float, processed: int) -> IdleTimeout:
        """What still moved; ``processed`` messages had been when the wait began."""
        progress = self._engine.progress
        text = counts = _how_much(timeout, progress)
        served = progress.processed - processed
        if served > 0:
            text += f"; {counted(served, 'message')} served meanwhile{self._by_whom()}"
            if served > _MANY_TIMES * (progress.queued + progress.in_flight + 1):
                text += ": a chain that always sends one more never ends, s.pause() holds it"
        # Of what is quick, the one that runs at this moment says nothing.
        running = [each for each in self._handler.running if each.seconds > _QUICK_SECONDS]
        text += _what_runs(running)
        text += "".join(f"; {each}" for each in without_answer(self._engine))
        # Where a function holds up the loop, that is why, and nobody there tells what is parked.
        with contextlib.suppress(StatefunError):
            for address, last in [] if any(each.line for each in running) else self._failing():
                text += f"; {address} has failed {counted(last.attempts, 'time')}"
                text += f", at {last.line}" if last.line else ""
        if health := self._engine.health():
            text += f"; {health}"
        cluster = self._engine.cluster
        if text == counts and cluster is not None and cluster.restarts:
            text += (
                f"; the job was started again ({cluster.restarts[-1]}), and is known to be idle "
                "when a checkpoint has passed through it since: wait again, such as s.wait_idle(60)"
            )
        return IdleTimeout(text)

    def _by_whom(self) -> str:
        recorder = self._handler.recorder
        last = [] if recorder is None else [*Invocations.of(recorder)[-_LOOKED_AT:]]
        names = [str(each.address) for each in reversed(last)]
        return f", the last by {', '.join([*dict.fromkeys(names)][:_NAMED])}" if names else ""

    def _failing(self) -> list[tuple[SdkAddress, LastFailure]]:
        """What fails again and again; what is parked does not move."""
        failing = [*self._handler.failures.last.items()]
        if failing:
            parked = {each.address for each in self._engine.parked()}
            failing = [each for each in failing if each[0] not in parked]
        return failing[-_NAMED:]


def without_answer(engine: Engine) -> list[str]:
    """Some of the addresses that an endpoint elsewhere does not serve, and what becomes of them."""
    return [f"{address} {what}" for address, what in [*engine.unanswered().items()][:_NAMED]]


def _left(until: float) -> float:
    return max(0.0, until - time.monotonic())


def _how_much(timeout: float, progress: Progress) -> str:
    wait = "message waits" if progress.queued == 1 else "messages wait"
    are = "request is" if progress.in_flight == 1 else "requests are"
    return (
        f"not idle after {timeout:g} s: {progress.queued:,} {wait}, "
        f"{progress.in_flight:,} {are} in flight"
    )


def _what_runs(running: Sequence[Running]) -> str:
    text = ""
    for each in running[:_NAMED]:
        text += f"; {each.text}"
        if not each.is_async:
            text += " (a sync function: nothing else runs meanwhile)"
    if any(each.seconds > _LONG_SECONDS for each in running):
        text += f"; {CURE}"
    if any(each.waits_in for each in running):
        text += (
            "; if it waits for the thread that has asked here, neither goes on: let the function "
            "return, and send it a message when there is something to do"
        )
    return text
