"""The feed: from the trace to updates for a browser, each of bounded size.

While messages pour in, an update brings the newest rows and exact counts; the rows between follow
when the engine is quiet, as far as the trace still keeps them. So a burst of a million messages
costs as many updates as any other second.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable

from ..trace.batch import TracedBatch
from ..trace.flows import Flows
from ..trace.reader import read_batch
from .rows import quantile, row_of
from .source import Source
from .wire import Edge, Header, Row, Update

__all__ = ["Feed"]

# Rows in one update while more come in than that: what fits a screen.
_LIVE_ROWS = 40
# And when nothing new has come: 1,000 take about 40 ms to make.
_QUIET_ROWS = 1_000
# Durations that p50 and p99 are of.
_DURATIONS = 2_000
_DURATIONS_A_TIME = 200
# Seconds that the rate is of.
_RATE_SECONDS = 2.0
# Addresses that are named as running.
_RUNNING = 3
# A clock that is this far from where it would be by itself was moved.
_CLOCK_MOVED_MS = 500


class Feed:
    """Makes updates of what has happened since the last one. Belongs to one thread.

    Parameters
    ----------
    source : Source
        The session.
    rows : bool
        Send rows, and not only numbers.
    clock : callable
        Seconds, for rates.
    """

    def __init__(
        self, source: Source, *, rows: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._source = source
        self._rows = rows
        self._clock = clock
        self._cursor = 0
        self._number = 0
        self._missed = 0
        self._flows = Flows()
        self._waiting: deque[tuple[TracedBatch, int]] = deque()  # and how many of it are to be sent
        self._waiting_rows = 0
        _, self._replaced = source.recorder.replaced()  # a cursor of the recorder
        self._changed: dict[int, TracedBatch] = {}  # by number: their rows are to be sent again
        self._durations: deque[float] = deque(maxlen=_DURATIONS)
        self._counts: deque[tuple[float, int]] = deque([(clock(), source.recorder.count)])
        self._header: Header | None = None
        self._first = 0
        self._told_at = clock()
        self.behind = False  # did more come in than the last update brought?

    def restart(self) -> None:
        """Somebody begins to look: all that is kept is to be sent (again)."""
        snapshot = self._source.recorder.snapshot()
        self._waiting = deque((batch, batch.invocations) for batch in snapshot.batches)
        # What has come since the last update is counted by the next one, and not sent twice.
        new = snapshot.cursor - self._cursor
        while new > 0 and self._waiting:
            new -= self._waiting.pop()[1]
        self._waiting_rows = sum(count for _, count in self._waiting)
        self._header = None

    def update(self) -> Update | None:
        """The next update; None when there is nothing new."""
        snapshot = self._source.recorder.snapshot(self._cursor)
        fresh = snapshot.batches
        self._missed += max(0, snapshot.dropped - self._cursor)
        self._cursor = snapshot.cursor
        self._flows.add(fresh)
        self._time(fresh)
        self._keep(fresh)
        self._exchange()
        limit = _LIVE_ROWS if fresh else _QUIET_ROWS
        found = [*self._take(limit), *self._take_changed()]
        rows = sorted({row.seq: row for row in found}.values())  # what is new and changed: once
        self.behind = bool(fresh) and self._waiting_rows > 0
        first = self._first_kept()
        header = self._make_header()
        if not rows and first == self._first and self._same(header):
            return None
        self._header, self._first, self._told_at = header, first, self._clock()
        self._number += 1
        controls = self._source.engine.controls
        return Update(
            kind="update",
            number=self._number,
            first=first,
            header=header,
            rows=rows,
            waiting=self._waiting_rows,
            missed=self._missed,
            edges=self._edges(),
            types=self._types(),
            jumps=() if controls is None else controls.moves,
        )

    def _types(self) -> dict[str, list[int]]:
        """Counts by function; also of those that are declared and wait for a first message."""
        flows = self._flows
        return {
            name: [
                flows.invocations.get(name, 0),
                flows.errors.get(name, 0),
                flows.repaired.get(name, 0),
            ]
            for name in dict.fromkeys([*flows.invocations, *self._source.functions])
        }

    def _same(self, header: Header) -> bool:
        """Is the header the same but for the time, which the browser counts itself?"""
        last = self._header
        if last is None or {**last, "now": 0} != {**header, "now": 0}:
            return False
        passed = (self._clock() - self._told_at) * 1000 if header["ticks"] else 0.0
        return abs(header["now"] - last["now"] - passed) < _CLOCK_MOVED_MS

    def _keep(self, fresh: Iterable[TracedBatch]) -> None:
        for batch in fresh:
            self._waiting.append((batch, batch.invocations))
            self._waiting_rows += batch.invocations
        # What the trace drops meanwhile is not sent any more.
        while self._waiting and self._waiting_rows > self._source.recorder.limit:
            _, count = self._waiting.popleft()
            self._waiting_rows -= count

    def _exchange(self) -> None:
        """Note which errors were tried again or repaired since they were recorded."""
        changed, self._replaced = self._source.recorder.replaced(self._replaced)
        for batch in changed:
            self._flows.mend(batch)
        if not changed or not self._rows:
            return
        now = {batch.number: batch for batch in changed}
        self._waiting = deque((now.get(batch.number, batch), n) for batch, n in self._waiting)
        self._changed.update(now)

    def _take_changed(self) -> list[Row]:
        """The rows of what has changed: of a batch only the last one, which is the error's."""
        rows: list[Row] = []
        while self._changed and len(rows) < _LIVE_ROWS:
            batch = self._changed.pop(next(iter(self._changed)))
            last = batch.invocations
            origin = self._source.recorder.origin
            rows += map(row_of, read_batch(batch, origin, max(0, last - 1), last))
        return rows

    def _take(self, limit: int) -> list[Row]:
        """The newest rows that have not been sent."""
        if not self._rows:
            self._waiting.clear()
            self._waiting_rows = 0
        origin = self._source.recorder.origin
        rows: list[Row] = []
        while self._waiting and len(rows) < limit:
            batch, count = self._waiting.pop()
            start = max(0, count - (limit - len(rows)))
            rows += [row_of(each) for each in read_batch(batch, origin, start, count)]
            self._waiting_rows -= count - start
            if start:
                self._waiting.append((batch, start))
        return rows

    def _first_kept(self) -> int:
        oldest = self._source.recorder.oldest
        return 0 if oldest is None else oldest.seq

    def _time(self, fresh: Iterable[TracedBatch]) -> None:
        """Note some durations, in milliseconds; the newest are enough."""
        found = 0
        for batch in reversed(tuple(fresh)):
            durations = batch.durations(_DURATIONS_A_TIME)
            self._durations.extend(seconds * 1000 for seconds in durations)
            found += len(durations)
            if found >= _DURATIONS_A_TIME:
                break

    def _rate(self, traced: int) -> float:
        now = self._clock()
        counts = self._counts
        counts.append((now, traced))
        while len(counts) > 2 and now - counts[0][0] > _RATE_SECONDS:
            counts.popleft()
        begin, before = counts[0]
        return (traced - before) / (now - begin) if now > begin else 0.0

    def _make_header(self) -> Header:
        source = self._source
        status = source.status()
        ordered = sorted(self._durations)
        return Header(
            engine=status.engine,
            state=status.state,
            health="" if status.over else status.health,
            url=status.url,
            web_url=status.web_url or "",
            now=round(source.engine.now() * 1000),
            ticks=source.engine.ticks,
            processed=status.processed,
            in_flight=status.in_flight,
            queued=status.queued,
            parked=status.parked,
            delayed=status.delayed,
            errors=status.errors,
            repaired=sum(self._flows.repaired.values()),
            traced=status.traced,
            rate=round(self._rate(status.traced), 1),
            p50=quantile(ordered, 0.5),
            p99=quantile(ordered, 0.99),
            running=[] if status.over else self._running(),
            functions=list(status.functions),
            editable=source.engine.controls is not None
            and not status.over
            and status.state != "broken",
        )

    def _running(self) -> list[str]:
        """What has been running for a while, in whole seconds: a header that changes seldom."""
        return [
            f"{each.address} for {each.seconds:.0f} s"
            for each in self._source.running[:_RUNNING]
            if each.seconds >= 1
        ]

    def _edges(self) -> list[Edge]:
        flows = self._flows
        edges = [Edge("message", a, b, count) for (a, b), count in flows.messages.items()]
        return edges + [Edge("egress", a, b, count) for (a, b), count in flows.records.items()]
