"""``TracedHandler``: serves requests like ``RequestReplyHandler``, and records them.

Whatever drives the endpoint, a request passes here::

    bytes --> decode --> FunctionSpec --> dispatch(observer=Served) --> Outcome --> bytes
                                              |  after each one: when, how much was sent, state
                                              v
                                          TracedBatch --> recorder
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from ..errors import EngineError
from ..protocol.effects import Request
from ..protocol.v3 import decode_request
from ..sdk.context import Routes
from ..sdk.dispatch import Failure, Outcome, dispatch, is_withdrawal
from ..sdk.registry import FunctionSpec, StatefulFunctions
from . import output
from .batch import TracedBatch
from .failures import Failures
from .own_tasks import OwnTask
from .recorder import Recorder
from .running import Blocked, Running, running_now
from .served import Served

__all__ = ["Serving", "TracedHandler"]

# As Python warns of it.
_UNAWAITED = re.compile("coroutine '(.{1,100})' was never awaited")
# A sync function that takes longer than this holds up every other address noticeably.
BLOCKING_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What an engine asks of how its requests are served.

    Attributes
    ----------
    routes : Routes, optional
        Where effects can go.
    system : StatefulFunctions, optional
        Functions of the engine's own, which are sync and not traced.
    skip : bool
        A message that raises is left out of its batch.
    check : callable, optional
        Raises for a reply that the engine cannot take: given its request, how many bytes that had,
        and the encoded reply.
    watch : callable, optional
        Told of each request that was served, and of its encoded reply.
    failed : callable, optional
        Told of each message that has failed, once however often it is tried: its request, and what
        was raised.
    elsewhere : callable, optional
        Starts to serve a request for what is not declared here; None for what nobody serves.
    """

    routes: Routes | None = None
    system: StatefulFunctions | None = None
    skip: bool = False
    check: Callable[[Request, int, bytes], None] | None = None
    watch: Callable[[Request, bytes], None] | None = None
    failed: Callable[[Request, BaseException], None] | None = None
    elsewhere: Callable[[Request], asyncio.Task[Outcome] | None] | None = None


class TracedHandler:
    """Serves requests for a set of functions, and records them unless there is no recorder.

    ``serving_now`` is what it serves just now, written on the loop only; handlers that share one
    are asked together.
    """

    def __init__(
        self,
        functions: StatefulFunctions,
        recorder: Recorder | None,
        serving_now: set[Served] | None = None,
    ) -> None:
        self.functions = functions
        self.recorder = recorder
        self._serving = Serving()
        self.blocked: deque[Blocked] = deque(maxlen=100)
        self.failures = Failures(recorder)
        self.serving_now: set[Served] = set() if serving_now is None else serving_now
        # What functions did in vain, in words. It stands in their output alone, where nobody looks
        # who does not know of it.
        self.in_vain: dict[str, None] = {}

    @property
    def running(self) -> list[Running]:
        """What is being served just now; callable from any thread."""
        return running_now(tuple(self.serving_now))

    def attach(self, serving: Serving) -> None:
        """Serve as an engine asks for; once, before its first request."""
        self._serving = serving

    def start(self, data: bytes, request: Request | None = None) -> Outcome | asyncio.Task[Outcome]:
        """Serve a request on the running loop: a sync function at once, an async one as a task.

        Parameters
        ----------
        data : bytes
            The request, encoded.
        request : Request, optional
            The same, from who has decoded it already.

        Raises
        ------
        ProtocolError
            When the bytes are no request, or nobody declared its target.
        """
        if request is None:
            request = decode_request(data)
        typename = request.target.typename
        system = self._serving.system
        if system is not None and (own := system.find(typename)) is not None:
            outcome = dispatch(own, request)
            assert isinstance(outcome, Outcome)  # functions of an engine's own are sync
            return outcome
        spec = self.functions.find(typename)
        if spec is None:
            elsewhere = self._serving.elsewhere
            task = None if elsewhere is None else elsewhere(request)
            if task is not None:
                return task
            spec = self.functions.for_request(request)  # raises
        if spec.is_async:
            return _start_task(self._serve_async(spec, request, data))
        return self._serve(spec, request, data)

    def _serve(self, spec: FunctionSpec, request: Request, data: bytes) -> Outcome:
        served = Served(spec, request, data, self.recorder)
        self.serving_now.add(served)
        try:
            observer = None if self.recorder is None else served
            asked = self._serving
            outcome = dispatch(spec, request, observer, routes=asked.routes, skip=asked.skip)
            assert isinstance(outcome, Outcome)  # a sync function's
            return self._finish(served, outcome)
        except BaseException as error:
            return self._broken(served, error)
        finally:
            self._leave(served)

    async def _serve_async(self, spec: FunctionSpec, request: Request, data: bytes) -> Outcome:
        # `request` keeps its name: own_tasks.py looks for it among what this coroutine holds.
        served = Served(spec, request, data, self.recorder, asyncio.current_task())
        self.serving_now.add(served)
        try:
            observer = None if self.recorder is None else served
            asked = self._serving
            outcome = dispatch(spec, request, observer, routes=asked.routes, skip=asked.skip)
            if not isinstance(outcome, Outcome):
                outcome = await outcome
            return self._finish(served, outcome)
        except BaseException as error:
            if is_withdrawal(error):
                raise
            return self._broken(served, error)
        finally:
            self._leave(served)

    def _broken(self, served: Served, error: BaseException) -> Outcome:
        """The failure of a request around which something has raised, and not the function in it.

        Whoever has asked waits for an answer: its address would take no message any more.
        """
        outcome = Outcome(b"", False, Failure(0, error))
        try:
            return self._finish(served, outcome)
        except BaseException:  # it cannot be recorded either
            return outcome

    def _note_in_vain(self, served: Served, batch: TracedBatch) -> None:
        for text in (batch.stdout or {}).values():
            for found in _UNAWAITED.findall(text):
                name = found.rpartition("<locals>.")[2]
                self.in_vain[_never_awaited(batch.spec.typename, name)] = None
        if served.in_vain is not None:
            self.in_vain |= served.in_vain

    def _leave(self, served: Served) -> None:
        self.serving_now.remove(served)
        served.printer = None
        if served.unassigned is not None:
            served.unassigned.noted.clear()  # it may hold the cells, which hold it
        output.printer.reset(served.token)

    def _finish(self, served: Served, outcome: Outcome) -> Outcome:
        if outcome.missing:
            return outcome
        recorder, check, watch = self.recorder, self._serving.check, self._serving.watch
        if check is not None and outcome.failure is None:
            try:
                check(served.request, len(served.data), outcome.reply)
            except EngineError as error:
                last = len(served.request.invocations) - 1
                outcome = Outcome(b"", False, Failure(last, error))
        if outcome.failure is None:
            if self.failures.last:
                self.failures.served(served.request)
            if recorder is not None:
                served_well = served.traced(outcome)
                recorder.add(served_well)
                if served_well.stdout is not None:
                    self._note_in_vain(served, served_well)
            if watch is not None:
                watch(served.request, outcome.reply)
        else:
            batch = None if recorder is None else served.traced(outcome)
            is_new = self.failures.failed(served.request, outcome.failure, batch)
            if is_new and self._serving.failed is not None:
                self._serving.failed(served.request, outcome.failure.error)
        seconds = perf_counter() - served.start
        if seconds > BLOCKING_SECONDS and not served.spec.is_async:
            self.blocked.append(Blocked(served.request.target, seconds))
        return outcome


def _never_awaited(typename: str, name: str) -> str:
    return (
        f"{typename} called {name}() without awaiting it, and nothing of it has run: "
        f"in an `async def` function write `await {name}(...)`"
    )


if sys.version_info >= (3, 12):

    def _start_task(coroutine: Coroutine[Any, Any, Outcome]) -> Outcome | asyncio.Task[Outcome]:
        """Run up to the first real wait at once; most async functions have none."""
        task = OwnTask(coroutine, loop=asyncio.get_running_loop(), eager_start=True)
        return task.result() if task.done() else task

else:

    def _start_task(coroutine: Coroutine[Any, Any, Outcome]) -> Outcome | asyncio.Task[Outcome]:
        """Run the coroutine in a task of its own."""
        return OwnTask(coroutine, loop=asyncio.get_running_loop())
