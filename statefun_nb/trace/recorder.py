"""The recorder: a bounded memory of traced batches.

It keeps the bytes of request and reply and a few numbers for each invocation; ``Invocation``
records are made of them only when somebody looks. That costs 0.4 us an invocation, and holds
a batch in little more than its own bytes.
"""

from __future__ import annotations

import secrets
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from ..registry import FunctionSpec
from .events import InvocationError

__all__ = ["Marks", "Recorder", "Snapshot", "TracedBatch"]

# What Python keeps beside the bytes of the messages: for a batch its record and its columns, for
# an invocation three numbers and a state value of its own.
_BATCH_BYTES = 900
_MARK_BYTES = 80


class Marks:
    """Where each invocation of a batch ends, column by column.

    Columns of plain numbers and bytes and not a record for each invocation: 10,000 kept records
    are 10,000 more objects for the garbage collector to visit, again and again.

    Attributes
    ----------
    ends : array of float
        When each invocation ended, on the clock of ``time.perf_counter``, in seconds.
    effects : list of int
        How many messages, delayed messages and egress records the batch had sent by then: three
        numbers an invocation.
    states : list
        The data of each declared value then, row after row, in the order of declaration.
    stdout : dict
        What was printed, by index; only where something was.
    """

    __slots__ = ("effects", "ends", "states", "stdout")

    def __init__(self) -> None:
        self.ends = array("d")
        self.effects: list[int] = []
        self.states: list[bytes | None] = []
        self.stdout: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.ends)


class TracedBatch(NamedTuple):
    """One request as it was served. ``seq`` is that of its first invocation."""

    seq: int
    number: int
    time: float
    start: float
    spec: FunctionSpec
    request: bytes
    reply: bytes
    marks: Marks
    error: InvocationError | None


class Snapshot(NamedTuple):
    """Batches in the order they were done; ``dropped`` invocations are no longer kept."""

    batches: tuple[TracedBatch, ...]
    dropped: int
    cursor: int


class Recorder:
    """Keeps the last ``limit`` invocations, and of those no more than ``limit_bytes``.

    Parameters
    ----------
    limit : int
        Invocations; whole batches are dropped, oldest first. The newest batch is always kept.
    limit_bytes : int
        Bytes, estimated from above.
    clock : callable
        Seconds since the epoch, for ``Invocation.time``.
    """

    def __init__(
        self,
        limit: int = 10_000,
        limit_bytes: int = 64 * 1024 * 1024,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.limit = limit
        self.limit_bytes = limit_bytes
        self.clock = clock
        self.id = secrets.randbits(32)
        self._lock = threading.Lock()  # guards all below: written on the loop, read from cells
        self._batches: deque[tuple[TracedBatch, int]] = deque()
        self._bytes = 0
        self._kept = 0
        self._dropped = 0
        self._next_seq = 1
        self._next_number = 1
        self.failures = 0

    def reserve(self, count: int) -> tuple[int, int]:
        """Numbers for a batch of ``count``: the first invocation's seq, and the batch's own."""
        with self._lock:
            seq, number = self._next_seq, self._next_number
            self._next_seq += count
            self._next_number += 1
        return seq, number

    def add(self, batch: TracedBatch) -> None:
        """Keep a batch, dropping what no longer fits."""
        size = _size(batch)
        with self._lock:
            if batch.error is not None:
                self.failures += 1
            self._batches.append((batch, size))
            self._bytes += size
            self._kept += len(batch.marks)
            while len(self._batches) > 1 and (
                self._kept > self.limit or self._bytes > self.limit_bytes
            ):
                oldest, its_size = self._batches.popleft()
                self._bytes -= its_size
                self._kept -= len(oldest.marks)
                self._dropped += len(oldest.marks)

    @property
    def count(self) -> int:
        """Invocations recorded since the start, dropped ones included."""
        return self._kept + self._dropped

    @property
    def bytes(self) -> int:
        """Bytes that the trace holds, estimated from above."""
        return self._bytes

    def snapshot(self, since: int = 0) -> Snapshot:
        """The batches added after the cursor ``since`` (0: all that are kept)."""
        with self._lock:
            batches = [batch for batch, _ in self._batches]
            dropped, total = self._dropped, self._kept + self._dropped
        if since > dropped:
            seen = dropped
            for index, batch in enumerate(batches):
                if seen >= since:
                    batches = batches[index:]
                    break
                seen += len(batch.marks)
            else:
                batches = []
        return Snapshot(tuple(batches), dropped, total)

    def clear(self) -> None:
        """Forget the kept batches; numbering goes on."""
        with self._lock:
            self._dropped += self._kept
            self._batches.clear()
            self._bytes = self._kept = 0


def _size(batch: TracedBatch) -> int:
    marks = batch.marks
    size = len(batch.request) + len(batch.reply) + _BATCH_BYTES + _MARK_BYTES * len(marks)
    values = len(batch.spec.layout.specs)
    last = marks.states[-values:] if values else []
    state = sum(len(data) for data in last if data) * len(marks)
    if state > 4096:  # count exactly: a big value that one message wrote is there only once
        distinct = {id(data): len(data) for data in marks.states if data}
        state = sum(distinct.values())
    return size + state + sum(map(len, marks.stdout.values()))
