"""A recorded batch: one request as it was served, and the one place that knows its columns.

``TracedBatch.rows`` is one flat tuple, invocation after invocation::

    end | sends | delayed | egress | state value | state value | ...
        +------ sums so far -------+------ as they were then --+

and not a record for each invocation: the garbage collector leaves a tuple of numbers and bytes
alone, while 10,000 kept records would be 10,000 more objects to visit again and again (a third of
the engine's speed with one message a request).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

from ..protocol.effects import (
    CancelDelayed,
    DelayedSend,
    Emit,
    Received,
    Reply,
    Request,
    Send,
    TypedValue,
)
from ..protocol.v3 import decode_reply, decode_request
from ..sdk.types import Type
from .events import InvocationError, InvocationStatus

__all__ = [
    "Origin",
    "Part",
    "TracedBatch",
    "TracedFunction",
    "TracedLayout",
    "TracedValue",
    "row",
]

_END, _SENDS, _DELAYED, _EGRESS, _STATE = range(5)
# What Python keeps beside the bytes of the messages: for a batch its record, for an invocation
# four numbers, for a state value its object.
_BATCH_BYTES = 400
_ROW_BYTES = 90
_VALUE_BYTES = 41

# The data of the declared state values, in the order of declaration; None where absent.
Values = tuple[bytes | None, ...]
# Of a name that the request lacks: it failed for that, before its first invocation.
_ABSENT = TypedValue("", None)


class TracedValue(Protocol):
    """A state value, as far as the trace knows it."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> Type: ...


class TracedLayout(Protocol):
    """The state values of a function, by name."""

    @property
    def specs(self) -> Mapping[str, TracedValue]: ...


class TracedFunction(Protocol):
    """A function, as far as the trace knows it: one declared here, or another process's."""

    @property
    def typename(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def layout(self) -> TracedLayout: ...


class Part(NamedTuple):
    """One invocation, cut out of its batch: what it was given, and what it did.

    Attributes
    ----------
    place : int
        In the batch, from 0.
    message : Received
    begin, end : float
        On the clock of ``time.perf_counter``.
    before, after : tuple of bytes or None
        The declared state values that the function saw, and those that it left.
    sends, delayed, egress : sequence
        Its own effects; empty when it raised, or when the whole batch was undone.
    """

    place: int
    message: Received
    begin: float
    end: float
    before: Values
    after: Values
    sends: Sequence[Send]
    delayed: Sequence[DelayedSend | CancelDelayed]
    egress: Sequence[Emit]


class Origin(NamedTuple):
    """What the batches of one recorder have in common.

    Attributes
    ----------
    recorder : int
        Its number, as in the causes of messages.
    ticks : bool
        Does time pass by itself on the clock that it reads?
    """

    recorder: int
    ticks: bool

    def time(self, batch: TracedBatch, moment: float) -> float:
        """That clock's seconds since the epoch at a moment of ``time.perf_counter``."""
        return batch.time + (moment - batch.start if self.ticks else 0)


class TracedBatch(NamedTuple):
    """One request as it was served.

    Attributes
    ----------
    seq, number : int
        Of its first invocation; of the batch.
    time, start : float
        When it began: in seconds since the epoch on the session's clock, and on
        ``time.perf_counter``.
    rows : tuple
        A row for each invocation, one behind the other; see the head of this module.
    stdout : dict or None
        What was printed, by index; only where something was.
    error : InvocationError or None
        Why the whole batch has had no effect: its last invocation raised.
    skipped : dict or None
        The invocations that raised and were left out, by index.
    """

    seq: int
    number: int
    time: float
    start: float
    spec: TracedFunction
    request: bytes
    reply: bytes
    rows: tuple[Any, ...]
    stdout: dict[int, str] | None
    error: InvocationError | None
    skipped: dict[int, InvocationError] | None

    @property
    def _width(self) -> int:
        return _STATE + len(self.spec.layout.specs)

    @property
    def invocations(self) -> int:
        """How many invocations were run."""
        return len(self.rows) // self._width

    @property
    def failures(self) -> int:
        """How many of them raised."""
        return 1 if self.error is not None else len(self.skipped or ())

    def status(self, place: int) -> InvocationStatus:
        """What became of one invocation: "ok", "error" or "rolled back" (``Invocation.status``)."""
        if self.error is not None:
            return "error" if place == self.invocations - 1 else "rolled back"
        return "error" if self.skipped is not None and place in self.skipped else "ok"

    @property
    def emitted(self) -> bool:
        """Did it emit anything? The last row has the total."""
        rows = self.rows
        return bool(rows) and bool(rows[len(rows) - self._width + _EGRESS])

    @property
    def seconds(self) -> float:
        """From its beginning to the end of its last invocation."""
        rows = self.rows
        end: float = rows[len(rows) - self._width + _END] if rows else self.start
        return end - self.start

    def durations(self, most: int) -> list[float]:
        """How long its last invocations took, at most so many, in seconds."""
        ends = (self.start, *self.rows[_END :: self._width])[-most - 1 :]
        return [end - begin for begin, end in pairwise(ends)]

    def open(self, start: int = 0, stop: int | None = None) -> tuple[Request, Iterator[Part]]:
        """The decoded request, and its invocations, in order; ``start``, ``stop`` as of a slice."""
        request = decode_request(self.request)
        return request, self._parts(request, decode_reply(self.reply), start, stop)

    def _parts(
        self, request: Request, reply: Reply, start: int, stop: int | None
    ) -> Iterator[Part]:
        width = self._width
        before: Values = tuple(
            request.state.get(name, _ABSENT).value for name in self.spec.layout.specs
        )
        begin, sent, delayed, egress = self.start, 0, 0, 0
        if start:
            begin, sent, delayed, egress, *values = self.rows[(start - 1) * width : start * width]
            before = tuple(values)
        for index in range(*slice(start, stop).indices(self.invocations)):
            end, sends_end, delayed_end, egress_end, *values = self.rows[
                index * width : (index + 1) * width
            ]
            after = tuple(values)
            # Of a batch that was undone the reply is empty, and so are all three.
            yield Part(
                index,
                request.invocations[index],
                begin,
                end,
                before,
                after,
                reply.sends[sent:sends_end],
                reply.delayed[delayed:delayed_end],
                reply.egress[egress:egress_end],
            )
            begin, before = end, after
            sent, delayed, egress = sends_end, delayed_end, egress_end

    def measure(self) -> tuple[int, int]:
        """The bytes that it holds in memory, about; and how many invocations it has."""
        _, _, _, _, spec, request, reply, rows, stdout, error, skipped = self
        width = _STATE + len(spec.layout.specs)
        count = len(rows) // width
        size = len(request) + len(reply) + _BATCH_BYTES + _ROW_BYTES * count
        if count == 1:
            for data in rows[_STATE:]:
                if data is not None:
                    size += len(data) + _VALUE_BYTES
        else:
            for column in range(_STATE, width):
                before = None
                for data in rows[column::width]:
                    if data is not None and data is not before:  # an unchanged value is there once
                        size += len(data) + _VALUE_BYTES
                        before = data
        if stdout:
            size += sum(map(len, stdout.values()))
        if error is not None:
            size += len(error.message) + len(error.traceback)
        if skipped:
            size += sum(len(each.message) + len(each.traceback) for each in skipped.values())
        return size, count


def row(end: float, reply: Reply | None, state: Sequence[bytes | None]) -> tuple[Any, ...]:
    """The row of a batch's only invocation, or, without a reply, of the one that undid it all."""
    if reply is None:
        return (end, 0, 0, 0, *state)
    return (end, len(reply.sends), len(reply.delayed), len(reply.egress), *state)
