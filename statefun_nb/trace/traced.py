"""``TracedHandler``: serves requests like ``RequestReplyHandler``, and records them."""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from collections import deque
from collections.abc import Coroutine
from typing import Any, NamedTuple

from ..address import SdkAddress
from ..context import InvocationContext
from ..dispatch import Failure, Outcome, dispatch
from ..effects import Request
from ..errors import StatefunError
from ..protocol.v3 import decode_request
from ..protocol.wire import cause_bytes
from ..registry import FunctionSpec, StatefulFunctions
from ..state import Cell
from . import output
from .events import InvocationError
from .recorder import Marks, Recorder, TracedBatch

__all__ = ["Blocked", "Running", "TracedHandler"]

# A sync function that takes longer than this holds up every other address noticeably.
BLOCKING_SECONDS = 0.1


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
        self.blocked: deque[Blocked] = deque(maxlen=100)
        self._running: dict[int, Running] = {}  # written on the loop only

    @property
    def running(self) -> list[Running]:
        """What is being served just now; callable from any thread."""
        return list(self._running.values())

    def prepare(self, data: bytes) -> tuple[bool, Coroutine[Any, Any, Outcome]]:
        """Decode a request; is its function async, and the coroutine that serves it.

        Raises
        ------
        ProtocolError
            When the bytes are no request, or nobody declared its target.
        """
        request = decode_request(data)
        spec = self.functions.for_typename(request.target.typename)
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
        running[key] = Running(request.target, start, spec.is_async)
        try:
            if self.recorder is None:
                outcome = await dispatch(spec, request)
            else:
                observer = _Observer(self.recorder, len(request.invocations), printed)
                outcome = await dispatch(spec, request, observer)
                if not outcome.missing:
                    self.recorder.add(observer.traced(spec, data, outcome, start))
        finally:
            del running[key]
            output.captured_output.reset(token)
        seconds = time.perf_counter() - start
        if seconds > BLOCKING_SECONDS and not spec.is_async:
            self.blocked.append(Blocked(request.target, seconds))
        return outcome


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
    """Marks where each invocation of a batch ends, and tags what it sends with its seq."""

    __slots__ = (
        "_cells",
        "_context",
        "_count",
        "_id",
        "_marks",
        "_next",
        "_number",
        "_printed",
        "_recorder",
        "_seq",
    )

    def __init__(self, recorder: Recorder, count: int, printed: output.Output) -> None:
        self._recorder = recorder
        self._id = recorder.id
        self._count = count
        self._seq = self._next = self._number = 0
        self._printed = printed
        self._marks = Marks()
        self._context: InvocationContext | None = None
        self._cells: list[Cell] = []

    def begin(self, context: InvocationContext, cells: list[Cell]) -> None:
        self._context = context
        self._cells = cells
        self._reserve()
        context.cause = cause_bytes(self._id, self._seq)

    def _reserve(self) -> None:
        # Not before the handshake is over: a request that runs nothing counts nothing.
        self._seq, self._number = self._recorder.reserve(self._count)
        self._next = self._seq

    def returned(self) -> None:
        context = self._context
        assert context is not None  # begin came first
        self._next += 1
        context.cause = cause_bytes(self._id, self._next)
        marks = self._marks
        if self._printed.parts:
            marks.stdout[len(marks.ends)] = self._printed.take()
        marks.ends.append(_now())
        marks.effects += (len(context.sent), len(context.delayed), len(context.egress))
        for cell in self._cells:
            marks.states.append(cell.data)

    def traced(
        self, spec: FunctionSpec, data: bytes, outcome: Outcome, start: float
    ) -> TracedBatch:
        error = None
        if not self._seq:  # it failed, or was empty, before its first invocation
            self._reserve()
        if outcome.failure is not None:
            error = _invocation_error(outcome.failure)
            marks = self._marks
            printed = self._printed.take()
            if printed:
                marks.stdout[len(marks.ends)] = printed
            marks.ends.append(_now())
            marks.effects += (0, 0, 0)  # undone with the batch, as are those of the others
            marks.states.extend(None for _ in spec.layout.specs)
        return TracedBatch(
            self._seq,
            self._number,
            self._recorder.clock(),
            start,
            spec,
            data,
            outcome.reply,
            self._marks,
            error,
        )


_now = time.perf_counter


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
