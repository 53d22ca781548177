"""``TracedHandler``: serves requests like ``RequestReplyHandler``, and records them.

Whatever drives the endpoint, a request passes here::

    bytes --> decode --> FunctionSpec --> dispatch(observer=_Served) --> Outcome --> bytes
                                              |  after each one: when, how much was sent, state
                                              v
                                          TracedBatch --> recorder
"""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple

from ..address import SdkAddress
from ..effects import Request, new_tuple
from ..errors import StatefunError, described, text_of
from ..protocol.v3 import decode_request
from ..sdk.context import InvocationContext, Routes
from ..sdk.dispatch import Failure, Outcome, dispatch
from ..sdk.registry import FunctionSpec, StatefulFunctions
from ..sdk.storage import Cell
from . import output
from .batch import TracedBatch, row
from .events import InvocationError
from .recorder import Recorder

__all__ = ["Blocked", "Running", "Serving", "TracedHandler"]

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
    watch : callable, optional
        Told of each request that was served, and of its encoded reply.
    """

    routes: Routes | None = None
    system: StatefulFunctions | None = None
    skip: bool = False
    watch: Callable[[Request, bytes], None] | None = None


class TracedHandler:
    """Serves requests for a set of functions, and records them unless there is no recorder."""

    def __init__(self, functions: StatefulFunctions, recorder: Recorder | None) -> None:
        self.functions = functions
        self.recorder = recorder
        self._serving = Serving()
        self.blocked: deque[Blocked] = deque(maxlen=100)
        self._failed: dict[SdkAddress, TracedBatch] = {}  # the last failure of each address
        self._running: set[_Served] = set()  # written on the loop only

    @property
    def running(self) -> list[Running]:
        """What is being served just now; callable from any thread."""
        return [
            Running(served.request.target, served.start, served.spec.is_async)
            for served in tuple(self._running)
        ]

    def attach(self, serving: Serving) -> None:
        """Serve as an engine asks for; once, before its first request."""
        self._serving = serving

    def start(self, data: bytes) -> Outcome | asyncio.Task[Outcome]:
        """Serve a request on the running loop: a sync function at once, an async one as a task.

        Raises
        ------
        ProtocolError
            When the bytes are no request, or nobody declared its target.
        """
        return self.serve(decode_request(data), data)

    def serve(self, request: Request, data: bytes) -> Outcome | asyncio.Task[Outcome]:
        """``start`` for who has decoded the request already; ``data`` is it, encoded."""
        typename = request.target.typename
        system = self._serving.system
        if system is not None and (own := system.find(typename)) is not None:
            outcome = dispatch(own, request)
            assert isinstance(outcome, Outcome)  # functions of an engine's own are sync
            return outcome
        spec = self.functions.for_typename(typename)
        if spec.is_async:
            return _start_task(self._serve_async(spec, request, data))
        return self._serve(spec, request, data)

    def _serve(self, spec: FunctionSpec, request: Request, data: bytes) -> Outcome:
        served = _Served(spec, request, data, self.recorder)
        self._running.add(served)
        try:
            observer = None if self.recorder is None else served
            asked = self._serving
            outcome = dispatch(spec, request, observer, routes=asked.routes, skip=asked.skip)
            assert isinstance(outcome, Outcome)  # a sync function's
            return self._finish(served, outcome)
        finally:
            self._leave(served)

    async def _serve_async(self, spec: FunctionSpec, request: Request, data: bytes) -> Outcome:
        served = _Served(spec, request, data, self.recorder)
        self._running.add(served)
        try:
            observer = None if self.recorder is None else served
            asked = self._serving
            outcome = dispatch(spec, request, observer, routes=asked.routes, skip=asked.skip)
            if not isinstance(outcome, Outcome):
                outcome = await outcome
            return self._finish(served, outcome)
        finally:
            self._leave(served)

    def _leave(self, served: _Served) -> None:
        self._running.remove(served)
        output.printer.reset(served.token)

    def _finish(self, served: _Served, outcome: Outcome) -> Outcome:
        if outcome.missing:
            return outcome
        if self.recorder is not None:
            batch = served.traced(outcome)
            if batch.error is None or not self._counted_as_retry(served.request.target, batch):
                self.recorder.add(batch)
        if self._serving.watch is not None and outcome.failure is None:
            self._serving.watch(served.request, outcome.reply)
        seconds = _now() - served.start
        if seconds > BLOCKING_SECONDS and not served.spec.is_async:
            self.blocked.append(Blocked(served.request.target, seconds))
        return outcome

    def _counted_as_retry(self, target: SdkAddress, batch: TracedBatch) -> bool:
        """A request that failed before and fails again is one error, with a count of retries."""
        assert self.recorder is not None
        assert batch.error is not None
        before = self._failed.get(target)
        if before is not None and before.error is not None and before.request == batch.request:
            counted = self.recorder.failed_again(before, batch.error)
            if counted is not None:
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


class _Served:
    """A request from its start to its outcome.

    Captures what is printed; as dispatch's observer it notes where each invocation of the batch
    ends, and has what is sent tagged with its seq.
    """

    __slots__ = (
        "_cells",
        "_context",
        "_effects",
        "_number",
        "_only",
        "_printed",
        "_recorder",
        "_rows",
        "_seq",
        "_skipped",
        "_stdout",
        "data",
        "request",
        "spec",
        "start",
        "token",
    )

    def __init__(
        self, spec: FunctionSpec, request: Request, data: bytes, recorder: Recorder | None
    ) -> None:
        self.start = _now()
        self.spec = spec
        self.request = request
        self.data = data
        output.install()
        self.token = output.printer.set(self)
        self._printed: output.Output | None = None
        self._recorder = recorder
        self._seq = self._number = 0  # not known yet
        self._rows: list[Any] = []
        self._stdout: dict[int, str] | None = None
        self._skipped: dict[int, InvocationError] | None = None

    def _reserve(self) -> Recorder:
        recorder = self._recorder
        assert recorder is not None  # without one, nobody observes
        if not self._seq:
            self._seq, self._number = recorder.reserve(len(self.request.invocations))
        return recorder

    def begin(self, context: InvocationContext, cells: list[Cell]) -> None:
        self._context = context
        self._cells = cells
        self._effects = (context.sent, context.delayed, context.egress)
        self._only = cells[0] if len(cells) == 1 else None
        # Not before the handshake is over: a request that runs nothing counts nothing.
        context.recorder = self._reserve().id
        context.seq = self._seq

    def print(self, text: str) -> None:
        if self._printed is None:
            self._printed = output.Output()
        self._printed.write(text)

    def returned(self) -> None:
        context, rows = self._context, self._rows
        sent, delayed, egress = self._effects
        if self._printed is not None:
            self._keep_output(context.seq - self._seq)
        # A row of batch.py, written out: a call for each invocation takes 3 % of its time.
        if (only := self._only) is not None:  # most functions have one value: without a loop
            rows += (_now(), len(sent), len(delayed), len(egress), only.data)
        else:
            rows += (_now(), len(sent), len(delayed), len(egress))
            for cell in self._cells:
                rows.append(cell.data)
        context.seq += 1

    def skipped(self, failure: Failure) -> None:
        self.returned()
        self._skipped = self._skipped or {}
        self._skipped[failure.position] = _invocation_error(failure)

    def _keep_output(self, index: int) -> None:
        printed, self._printed = self._printed, None
        if printed is not None and printed.text:
            self._stdout = self._stdout or {}
            self._stdout[index] = printed.text

    def traced(self, outcome: Outcome) -> TracedBatch:
        """The batch that the recorder is to keep."""
        recorder = self._reserve()  # it may have failed, or be empty, before its first invocation
        error = None
        if outcome.failure is not None:
            error = _invocation_error(outcome.failure)
            self._keep_output(outcome.failure.position)
            # Undone with the batch, as are the effects of the others.
            self._rows += row(_now(), None, [None] * len(self.spec.layout.specs))
        return new_tuple(
            TracedBatch,
            (
                self._seq,
                self._number,
                recorder.clock(),
                self.start,
                self.spec,
                self.data,
                outcome.reply,
                tuple(self._rows),
                self._stdout,
                error,
                self._skipped,
            ),
        )


_now = time.perf_counter


def _invocation_error(failure: Failure) -> InvocationError:
    error = failure.error
    trace = error.__traceback__
    if trace is not None and trace.tb_next is not None:
        trace = trace.tb_next  # the first frame is dispatch's own
    return InvocationError(type(error).__name__, text_of(error), _traceback(error, trace))


def _traceback(error: BaseException, trace: TracebackType | None) -> str:
    try:
        lines = traceback.format_exception(type(error), error, trace)
    except BaseException:  # notes and causes of the user's may raise anything when they are asked
        lines = [*traceback.format_tb(trace), described(error) + "\n"]
    if isinstance(error, StatefunError):
        lines[-1] = described(error) + "\n"  # by its name alone, without the module's
    return "".join(lines).encode("utf-8", "backslashreplace").decode()
