"""``TracedHandler``: serves requests like ``RequestReplyHandler``, and records them."""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from ..address import SdkAddress
from ..context import InvocationContext, Routes
from ..dispatch import Failure, Outcome, dispatch
from ..effects import Request
from ..errors import StatefunError
from ..protocol.v3 import decode_request
from ..protocol.wire import cause_bytes
from ..registry import FunctionSpec, StatefulFunctions
from ..state import Cell
from . import output
from .events import InvocationError
from .recorder import Recorder, TracedBatch

__all__ = ["Blocked", "Running", "TracedHandler"]

# A sync function that takes longer than this holds up every other address noticeably.
BLOCKING_SECONDS = 0.1
# Of so many addresses the last failure is remembered, to know a retry when it comes.
_FAILED_KEPT = 1_000


class Running(NamedTuple):
    """A request that is being served. ``since`` is on the clock of ``time.perf_counter``."""

    address: SdkAddress
    since: float
    is_async: bool

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.perf_counter() - self.since


class Blocked(NamedTuple):
    """A sync function that blocked the endpoint for ``seconds``."""

    address: SdkAddress
    seconds: float


class TracedHandler:
    """Serves requests for a set of functions, and records them unless there is no recorder."""

    def __init__(self, functions: StatefulFunctions, recorder: Recorder | None) -> None:
        self.functions = functions
        self.recorder = recorder
        # For engines that need more: where effects can go, functions of the engine's own, which
        # are not traced, and whether a message that raises is left out of its batch.
        self.routes: Routes | None = None
        self.system: StatefulFunctions | None = None
        self.skip = False
        self.watch: Callable[[Request, bytes], None] | None = None  # told what was served
        self.blocked: deque[Blocked] = deque(maxlen=100)
        self._failed: dict[SdkAddress, TracedBatch] = {}  # the last failure of each address
        self._running: dict[int, tuple[SdkAddress, float, bool]] = {}  # written on the loop only

    @property
    def running(self) -> list[Running]:
        """What is being served just now; callable from any thread."""
        return [Running(*each) for each in tuple(self._running.values())]

    def prepare(self, data: bytes) -> tuple[bool, Coroutine[Any, Any, Outcome]]:
        """Decode a request; is its function async, and the coroutine that serves it.

        Raises
        ------
        ProtocolError
            When the bytes are no request, or nobody declared its target.
        """
        request = decode_request(data)
        typename = request.target.typename
        if self.system is not None and (own := self.system.find(typename)) is not None:
            return own.is_async, dispatch(own, request)
        spec = self.functions.for_typename(typename)
        return spec.is_async, self._serve(spec, request, data)

    def start(self, data: bytes) -> Outcome | asyncio.Task[Outcome]:
        """Serve a request on the running loop: a sync function at once, an async one as a task."""
        is_async, coroutine = self.prepare(data)
        if is_async:
            return _start_task(coroutine)
        try:
            coroutine.send(None)
        except StopIteration as done:
            outcome: Outcome = done.value
            return outcome
        raise AssertionError("a sync function cannot suspend")

    async def _serve(self, spec: FunctionSpec, request: Request, data: bytes) -> Outcome:
        start = time.perf_counter()
        output.install()
        printed = output.Output()
        token = output.captured_output.set(printed)
        running = self._running
        key = id(request)
        running[key] = (request.target, start, spec.is_async)
        try:
            if self.recorder is None:
                outcome = await dispatch(spec, request, routes=self.routes, skip=self.skip)
            else:
                observer = _Observer(self.recorder, len(request.invocations), printed)
                outcome = await dispatch(
                    spec, request, observer, routes=self.routes, skip=self.skip
                )
                if not outcome.missing:
                    batch = observer.traced(spec, data, outcome, start)
                    if batch.error is None or not self._counted_as_retry(request.target, batch):
                        self.recorder.add(batch)
        finally:
            del running[key]
            output.captured_output.reset(token)
        if self.watch is not None and outcome.failure is None and not outcome.missing:
            self.watch(request, outcome.reply)
        seconds = time.perf_counter() - start
        if seconds > BLOCKING_SECONDS and not spec.is_async:
            self.blocked.append(Blocked(request.target, seconds))
        return outcome

    def _counted_as_retry(self, target: SdkAddress, batch: TracedBatch) -> bool:
        """A request that failed before and fails again is one error, with a count of retries."""
        assert self.recorder is not None
        assert batch.error is not None
        before = self._failed.get(target)
        if before is not None and before.error is not None and before.request == batch.request:
            error = batch.error._replace(retries=before.error.retries + 1)
            counted = before._replace(error=error)
            if self.recorder.replace(before, counted):
                self._failed[target] = counted
                return True
        if len(self._failed) >= _FAILED_KEPT:
            self._failed.clear()
        self._failed[target] = batch
        return False


if sys.version_info >= (3, 12):

    def _start_task(coroutine: Coroutine[Any, Any, Outcome]) -> Outcome | asyncio.Task[Outcome]:
        """Run up to the first real wait at once; most async functions have none."""
        task = asyncio.Task(coroutine, loop=asyncio.get_running_loop(), eager_start=True)
        return task.result() if task.done() else task

else:

    def _start_task(coroutine: Coroutine[Any, Any, Outcome]) -> Outcome | asyncio.Task[Outcome]:
        """Run the coroutine in a task of its own."""
        return asyncio.get_running_loop().create_task(coroutine)


class _Observer:
    """Notes where each invocation of a batch ends, and tags what it sends with its seq."""

    __slots__ = (
        "_cells",
        "_context",
        "_count",
        "_next",
        "_printed",
        "_recorder",
        "_rows",
        "_skipped",
        "_stdout",
    )

    def __init__(self, recorder: Recorder, count: int, printed: output.Output) -> None:
        self._recorder = recorder
        self._count = count
        self._printed = printed
        self._rows: list[Any] = []
        self._stdout: dict[int, str] | None = None
        self._skipped: dict[int, InvocationError] | None = None
        self._next: tuple[int, int] | None = None  # seq and number, when they are known
        self._context: InvocationContext | None = None
        self._cells: list[Cell] = []

    def begin(self, context: InvocationContext, cells: list[Cell]) -> None:
        self._context = context
        self._cells = cells
        # Not before the handshake is over: a request that runs nothing counts nothing.
        self._next = self._recorder.reserve(self._count)
        context.cause = cause_bytes(self._recorder.id, self._next[0])

    def returned(self, index: int) -> None:
        context, rows = self._context, self._rows
        assert context is not None  # begin came first
        assert self._next is not None
        if self._printed.parts:
            self._keep_output(index)
        rows += (_now(), len(context.sent), len(context.delayed), len(context.egress))
        for cell in self._cells:
            rows.append(cell.data)
        if index + 1 < self._count:
            context.cause = cause_bytes(self._recorder.id, self._next[0] + index + 1)

    def skipped(self, failure: Failure) -> None:
        self.returned(failure.position)
        self._skipped = self._skipped or {}
        self._skipped[failure.position] = _invocation_error(failure)

    def _keep_output(self, index: int) -> None:
        printed = self._printed.take()
        if printed:
            self._stdout = self._stdout or {}
            self._stdout[index] = printed

    def traced(
        self, spec: FunctionSpec, data: bytes, outcome: Outcome, start: float
    ) -> TracedBatch:
        # None: it failed, or was empty, before its first invocation.
        seq, number = self._next or self._recorder.reserve(self._count)
        error = None
        if outcome.failure is not None:
            error = _invocation_error(outcome.failure)
            self._keep_output(outcome.failure.position)
            # Undone with the batch, as are the effects of the others.
            self._rows += (_now(), 0, 0, 0, *[None] * len(spec.layout.specs))
        time, rows = self._recorder.clock(), tuple(self._rows)
        return _new(
            TracedBatch,
            (
                *(seq, number, time, start, spec, data, outcome.reply, rows),
                *(self._stdout, error, self._skipped),
            ),
        )


_now = time.perf_counter
_new = tuple.__new__  # half the time of calling a NamedTuple's class


def _invocation_error(failure: Failure) -> InvocationError:
    error = failure.error
    trace = error.__traceback__
    if trace is not None and trace.tb_next is not None:
        trace = trace.tb_next  # the first frame is dispatch's own
    lines = traceback.format_exception(type(error), error, trace)
    message = str(error)
    if isinstance(error, StatefunError):
        lines = [*lines[:-1], f"{type(error).__name__}: {message}\n"]
    return InvocationError(type(error).__name__, message, "".join(lines))
