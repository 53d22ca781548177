"""A request from its start to its outcome: what it prints, and what the trace keeps of it."""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from types import TracebackType
from typing import Any

from ..cells.blame import hint_for
from ..cells.places import place_of_function
from ..errors import StatefunError, class_of, cut, described, text_of, traceback_of
from ..protocol.effects import Request, new_tuple
from ..sdk.dispatch import Failure, Outcome
from ..sdk.invocation_context import InvocationContext
from ..sdk.registry import FunctionSpec
from ..sdk.storage import Cell
from ..tables import with_article
from . import output
from .batch import TracedBatch, row
from .events import InvocationError
from .recorder import Recorder
from .unassigned import Unassigned

__all__ = ["Served", "invocation_error"]


class Served:
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
        "_time",
        "data",
        "in_vain",
        "printer",
        "request",
        "spec",
        "start",
        "task",
        "token",
        "unassigned",
    )

    def __init__(
        self,
        spec: FunctionSpec,
        request: Request,
        data: bytes,
        recorder: Recorder | None,
        task: asyncio.Task[Any] | None = None,
    ) -> None:
        self.start = _now()
        self.spec = spec
        self.task = task  # of an async function
        self.request = request
        self.data = data
        if not type(sys.stdout) is type(sys.stderr) is output.Router:  # nearly never
            output.install()
        self.token = output.printer.set(self)
        self.printer: output.Printer | None = self  # None when the request is done
        self._printed: output.Output | None = None
        self._recorder = recorder
        self._seq = self._number = 0  # not known yet
        self._time = 0.0
        self._rows: list[Any] = []
        self._stdout: dict[int, str] | None = None
        self._skipped: dict[int, InvocationError] | None = None
        self.in_vain: dict[str, None] | None = None  # what was done without an effect, in words
        self.unassigned: Unassigned | None = None  # where state can be changed in place

    def _reserve(self) -> Recorder:
        recorder = self._recorder
        assert recorder is not None  # without one, nobody observes
        self._seq, self._number = recorder.reserve(len(self.request.invocations))
        self._time = recorder.clock()
        return recorder

    def begin(self, context: InvocationContext, cells: list[Cell]) -> None:
        self._context = context
        self._cells = cells
        self._effects = (context.sent, context.delayed, context.egress)
        self._only = cells[0] if len(cells) == 1 else None
        if self.spec.layout.mutable:
            self.unassigned = Unassigned(self.spec, cells)
        # Not before the handshake is over: a request that runs nothing counts nothing.
        context.recorder = self._reserve().origin.recorder
        context.seq = self._seq

    def renewed(self, context: InvocationContext) -> None:
        # What was left behind goes on to print here: those who follow have another printer.
        self._context = context
        self.printer = _Successor(self)
        output.printer.set(self.printer)

    @property
    def serving(self) -> bool:
        return self.printer is self

    @property
    def keeps(self) -> bool:
        return self._recorder is not None

    def print(self, text: str) -> None:
        self.keep(text)

    def keep(self, text: str) -> None:
        """Keep what the running invocation prints."""
        if self._printed is None:
            self._printed = output.Output()
        self._printed.write(text)

    def returned(self) -> None:
        context, rows = self._context, self._rows
        sent, delayed, egress = self._effects
        if self.unassigned is not None and self.unassigned.noted:
            for text in self.unassigned.look():
                self._warn(text)
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

    def ignored(self, result: object) -> None:
        # What `return [ctx.send(...) for ...]` and `return new and ctx.send(...)` give is no value.
        if isinstance(result, (list, tuple)) and all(part is None for part in result):
            return
        if result is not False:
            self._warn(_returned(self.spec, result))

    def _warn(self, text: str) -> None:
        self.keep(f"UserWarning: {text}\n")  # as Python's own go there
        self.in_vain = self.in_vain or {}
        self.in_vain[text] = None

    def skipped(self, failure: Failure) -> None:
        if self.unassigned is not None:
            self.unassigned.noted.clear()
        self.returned()
        self._skipped = self._skipped or {}
        self._skipped[failure.position] = invocation_error(failure)

    def _keep_output(self, index: int) -> None:
        printed, self._printed = self._printed, None
        if printed is not None and printed.text:
            self._stdout = self._stdout or {}
            self._stdout[index] = printed.text

    def traced(self, outcome: Outcome) -> TracedBatch:
        """The batch that the recorder is to keep."""
        if not self._seq:
            self._reserve()  # it has failed, or is empty, before its first invocation
        error = None
        if outcome.failure is not None:
            error = invocation_error(outcome.failure)
            self._keep_output(outcome.failure.position)
            # Undone with the batch, as are the effects of the others.
            self._rows += row(_now(), None, [None] * len(self.spec.layout.specs))
        return new_tuple(
            TracedBatch,
            (
                self._seq,
                self._number,
                self._time,
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


class _Successor:
    """Prints for the invocations of a batch after one that has left something behind."""

    __slots__ = ("_served",)
    keeps = True  # without a recorder there is none

    def __init__(self, served: Served) -> None:
        self._served = served

    @property
    def serving(self) -> bool:
        return self._served.printer is self

    @property
    def request(self) -> Request:
        return self._served.request

    def print(self, text: str) -> None:
        self._served.keep(text)


def _returned(spec: FunctionSpec, result: object) -> str:
    place = place_of_function(spec.fun)
    return (
        f"{spec.typename}{place and f' ({place})'} returned {with_article(class_of(result))}, and "
        "nothing becomes of it: ctx.send or ctx.send_egress sends a value, ctx.storage keeps one"
    )


_now = time.perf_counter
# Of an error's text, and of its traceback, so many characters are kept: it may hold all of a table.
_LONGEST = 10_000


def invocation_error(failure: Failure) -> InvocationError:
    """What the trace keeps of a failure."""
    error = failure.error
    trace = traceback_of(error)
    if trace is not None and trace.tb_next is not None:
        trace = trace.tb_next  # the first frame is dispatch's own
    text, lines = text_of(error), _traceback(error, trace)
    return InvocationError(class_of(error), cut(text, _LONGEST), cut(lines, _LONGEST))


def _traceback(error: BaseException, trace: TracebackType | None) -> str:
    try:
        lines = traceback.format_exception(type(error), error, trace)
    except BaseException:  # notes and causes of the user's may raise anything when they are asked
        lines = [*traceback.format_tb(trace), described(error) + "\n"]
    if issubclass(type(error), StatefunError):  # its __class__ is the user's
        lines[-1] = described(error) + "\n"  # by its name alone, without the module's
    if hint := hint_for(error):
        lines.append(f"({hint})\n")
    return "".join(lines).encode("utf-8", "backslashreplace").decode()
