"""The recorder: a bounded memory of traced batches.

It keeps the bytes of request and reply and a few numbers for each invocation; ``Invocation``
records are made of them only when somebody looks.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

from .batch import Origin, TracedBatch
from .events import InvocationError
from .log import Log, View

__all__ = ["Recorder", "Snapshot"]

# So many replaced batches are remembered for those who have read the old ones.
_REPLACED = 1_000
# So many batches are added before the oldest are dropped, unless one is large.
_FRESH = 64
_LARGE = 64 * 1024


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
        Invocations; whole batches are dropped, oldest first. The newest batch is always kept. Up to
        64 small batches more are held until they are counted; nobody is shown those.
    limit_bytes : int
        Bytes, estimated from above.
    clock : callable
        Seconds since the epoch, for ``Invocation.time``.
    ticks : bool
        Does time pass by itself on that clock?
    """

    def __init__(
        self,
        limit: int = 10_000,
        limit_bytes: int = 64 * 1024 * 1024,
        clock: Callable[[], float] = time.time,
        ticks: bool = True,
    ) -> None:
        self.limit = limit
        self.limit_bytes = limit_bytes
        self.clock = clock
        self.origin = Origin(secrets.randbits(32), ticks)
        # Appended to by the loop without a lock; ``_settle`` moves it on. One batch at a time cost
        # twice as much.
        self._fresh: deque[TracedBatch] = deque()
        self._lock = threading.Lock()  # guards what follows: written on the loop, read from cells
        self._log = Log()  # in the order in which they were done
        self._cleared = 0  # dropped up to the last clear()
        self._failures = 0
        self._replaced: deque[int] = deque(maxlen=_REPLACED)  # their numbers
        self._replacements = 0  # since the start
        # Has each batch begun after the one that ended before it? If not, the kept ones in order.
        self._in_order = True
        self._sorted: tuple[tuple[int, int, int], Log] | None = None  # and what it was made of
        self._last_seq = 0
        self._next_seq = 1  # these two: the loop's alone
        self._next_number = 1

    def reserve(self, count: int) -> tuple[int, int]:
        """Numbers for a batch of ``count``: the first invocation's seq, and the batch's own."""
        seq, number = self._next_seq, self._next_number
        self._next_seq = seq + count
        self._next_number = number + 1
        return seq, number

    def add(self, batch: TracedBatch) -> None:
        """Keep a batch, dropping what no longer fits."""
        self._fresh.append(batch)
        if len(self._fresh) >= _FRESH or len(batch.request) > _LARGE:
            with self._lock:
                self._settle()

    def _settle(self) -> None:
        """Count what is new, and drop what no longer fits."""
        fresh = self._fresh
        batches = [fresh.popleft() for _ in range(len(fresh))]
        last = self._last_seq
        for batch in batches:
            if batch.seq < last:
                self._in_order = False
            last = batch.seq
            if batch.skipped is not None or (batch.error is not None and not batch.error.retries):
                self._failures += batch.failures  # else counted by a record that is gone
        self._last_seq = last
        self._log.extend(batches)
        self._log.trim(self.limit, self.limit_bytes)

    def replace(self, old: TracedBatch, new: TracedBatch) -> bool:
        """Put a batch in the place of one of the same size; False when that is no longer kept."""
        with self._lock:
            self._settle()
            if not self._log.replace(old, new):
                return False
            self._replaced.append(new.number)
            self._replacements += 1
            return True

    def replaced(self, since: int = 0) -> tuple[list[TracedBatch], int]:
        """What was replaced after the cursor ``since`` and is still kept, and the cursor now."""
        with self._lock:
            new = min(self._replacements - since, len(self._replaced))
            numbers = set(islice(reversed(self._replaced), new))
            found = [each for each in self._log if each.number in numbers] if numbers else []
            return found, self._replacements

    def failed_again(
        self,
        before: TracedBatch,
        error: InvocationError,
        anew: Callable[[InvocationError], TracedBatch],
    ) -> TracedBatch:
        """Count one more failure of a request in its record; in one anew when that is not kept."""
        retries = 0 if before.error is None else before.error.retries
        error = error._replace(retries=retries + 1)
        counted = before._replace(error=error)
        if not self.replace(before, counted):
            counted = anew(error)
            self.add(counted)
        return counted

    def repaired(self, batch: TracedBatch) -> None:
        """Mark the error of a batch: its message has gone through since."""
        if batch.error is not None:
            self.replace(batch, batch._replace(error=batch.error._replace(repaired=True)))

    @property
    def count(self) -> int:
        """Invocations recorded since the start, dropped ones included."""
        with self._lock:
            self._settle()
            return self._log.kept + self._log.dropped

    @property
    def kept(self) -> int:
        """Those that are still kept."""
        with self._lock:
            self._settle()
            return self._log.kept

    @property
    def oldest(self) -> TracedBatch | None:
        """The oldest batch that is kept."""
        with self._lock:
            self._settle()
            return self._log.oldest

    @property
    def failures(self) -> int:
        """How many of them have failed."""
        with self._lock:
            self._settle()
            return self._failures

    @property
    def bytes(self) -> int:
        """Bytes that the trace holds, estimated from above."""
        with self._lock:
            self._settle()
            return self._log.bytes

    def snapshot(self, since: int = 0) -> Snapshot:
        """The batches added after the cursor ``since`` (0: all that are kept)."""
        with self._lock:
            self._settle()
            log = self._log
            total = log.kept + log.dropped
            return Snapshot(log.last(total - since), log.dropped, total)

    def view(self, *, as_done: bool = False) -> tuple[View, int]:
        """The kept batches in the order they began, or ended; and how many invocations are gone."""
        with self._lock:
            self._settle()
            log = self._log if self._in_order or as_done else self._in_order_of_seq()
            return log.view(), self._log.dropped

    def _in_order_of_seq(self) -> Log:
        """An async function's batch may end after one that began later."""
        state = (self._log.kept, self._log.dropped, self._replacements)
        if self._sorted is None or self._sorted[0] != state:
            log = Log()
            log.extend(sorted(self._log, key=lambda batch: batch.seq))
            self._sorted = state, log
        return self._sorted[1]

    @property
    def lost(self) -> int:
        """Invocations that are no longer kept, but for those that ``clear`` has dropped."""
        with self._lock:
            self._settle()
            return self._log.dropped - self._cleared

    def clear(self) -> None:
        """Forget the kept batches; numbering goes on."""
        with self._lock:
            self._settle()
            self._log.clear()
            self._cleared = self._log.dropped
