"""``s.invocations``: the trace as a sequence, which decodes what is looked at, not what is kept."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any, overload

from ..protocol.v3 import decode_request
from ..tables import counted, html_table, text_table
from .batch import TracedBatch
from .events import Invocation
from .reader import read_batch
from .recorder import Recorder

__all__ = ["Invocations"]

# Rows that a table in a cell shows; slices and filters show others.
_SHOWN = 50


class _Kept:
    """The batches that a recorder kept at one moment, in the order they started.

    ``ends[i]`` is the place after the last invocation of batch ``i`` among all of them.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.batches, counts, self.dropped = recorder.kept()
        self.ends = list(accumulate(counts))
        self.recorder_id = recorder.id

    def read(self, place: int) -> Invocation:
        batch = bisect_right(self.ends, place)
        begin = self.ends[batch - 1] if batch else 0
        at = place - begin
        return next(read_batch(self.batches[batch], self.recorder_id, at, at + 1))

    def spans(self, places: Sequence[int]) -> Iterator[tuple[TracedBatch, list[int]]]:
        """Each batch with those of its invocations, from 0, that are among ascending places."""
        if isinstance(places, range) and places.step == 1:
            yield from self._ranges(places)
            return
        batch, inside = -1, list[int]()
        for place in places:
            found = bisect_right(self.ends, place, lo=max(batch, 0))
            if found != batch and inside:
                yield self.batches[batch], inside
                inside = []
            batch = found
            inside.append(place - (self.ends[batch - 1] if batch else 0))
        if inside:
            yield self.batches[batch], inside

    def _ranges(self, places: range) -> Iterator[tuple[TracedBatch, list[int]]]:
        first = bisect_right(self.ends, places.start)
        for batch in range(first, len(self.batches)):
            begin = self.ends[batch - 1] if batch else 0
            if begin >= places.stop:
                return
            last = min(self.ends[batch], places.stop) - begin
            yield self.batches[batch], list(range(max(places.start - begin, 0), last))


class Invocations(Sequence[Invocation]):
    """The kept invocations as they were when this was made, in the order they started.

    An ``Invocation`` is made of the recorded bytes when it is looked at.

    Attributes
    ----------
    dropped : int
        Older invocations that are no longer kept.

    Examples
    --------
    ``s.invocations.filter(type="example/person", id="bob")``, ``s.invocations[-1]``,
    ``s.invocations.to_dataframe()``.
    """

    def __init__(self, kept: _Kept, places: Sequence[int], dropped: int = 0) -> None:
        self._kept = kept
        self._places = places
        self.dropped = dropped

    @classmethod
    def of(cls, recorder: Recorder) -> Invocations:
        """The invocations that a recorder keeps just now."""
        kept = _Kept(recorder)
        return cls(kept, range(kept.ends[-1] if kept.ends else 0), kept.dropped)

    @overload
    def __getitem__(self, index: int) -> Invocation: ...
    @overload
    def __getitem__(self, index: slice) -> Invocations: ...
    def __getitem__(self, index: int | slice) -> Invocation | Invocations:
        if isinstance(index, slice):
            return Invocations(self._kept, self._places[index])
        return self._kept.read(self._places[index])

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Invocation]:
        if not self._ascending:
            yield from (self._kept.read(place) for place in self._places)
            return
        for batch, inside in self._kept.spans(self._places):
            first, last = inside[0], inside[-1] + 1
            found = read_batch(batch, self._kept.recorder_id, first, last)
            if last - first == len(inside):
                yield from found
            else:
                wanted = set(inside)
                yield from (each for at, each in enumerate(found, first) if at in wanted)

    @property
    def _ascending(self) -> bool:
        return not isinstance(self._places, range) or self._places.step > 0

    def filter(
        self,
        where: Callable[[Invocation], bool] | None = None,
        *,
        type: str | None = None,
        id: str | None = None,
        status: str | None = None,
    ) -> Invocations:
        """Those of a function type, of an id, with a status, and where it is true.

        A status is "ok", "error" or "rolled back". Only ``where`` has to decode what is kept.
        """
        if not self._ascending:
            places = sorted(self._places)
            return Invocations(self._kept, places).filter(where, type=type, id=id, status=status)
        found: list[int] = []
        place = iter(self._places)
        for batch, inside in self._kept.spans(self._places):
            places = [next(place) for _ in inside]
            if type is not None and batch.spec.typename != type:
                continue
            if id is not None and decode_request(batch.request).target.id != id:
                continue
            found += [
                at
                for at, index in zip(places, inside, strict=True)
                if status in (None, batch.status(index))
            ]
        if where is not None:
            found = [at for at in found if where(self._kept.read(at))]
        return Invocations(self._kept, found)

    def caused_by(self, seq: int) -> Invocations:
        """The invocations that serve what invocation ``seq`` sent."""
        return self.filter(lambda each: each.cause == seq)

    def to_dataframe(self) -> Any:
        """A pandas DataFrame, one row an invocation, indexed by ``seq``.

        Raises
        ------
        ImportError
            When pandas is not installed.
        """
        import pandas as pd

        rows = [
            {
                "seq": each.seq,
                "time": each.time,
                "typename": each.address.typename,
                "id": each.address.id,
                "caller": str(each.caller) if each.caller else None,
                "message_type": each.message.typename,
                "message": each.message.value,
                "state_before": each.state_before,
                "state_after": each.state_after,
                "sent": len(each.sent),
                "egress": len(each.egress),
                "delayed": len(each.delayed),
                "status": each.status,
                "error": each.error.type if each.error else None,
                "duration_ms": each.duration * 1000,
                "stdout": each.stdout,
                "function_version": each.function_version,
                "batch": each.batch,
                "cause": each.cause,
            }
            for each in self
        ]
        return pd.DataFrame(rows).set_index("seq") if rows else pd.DataFrame()

    def _table(self) -> tuple[str, list[str], list[list[object]]]:
        title = counted(len(self), "invocation")
        if len(self) > _SHOWN:
            title += f", the last {_SHOWN} shown"
        if self.dropped:
            title += f", {self.dropped:,} older ones no longer kept"
        columns = ["seq", "function", "id", "caller", "message", "state", "sent", "status"]
        return title, columns, [_row(each) for each in self[-_SHOWN:]]

    def __repr__(self) -> str:
        return text_table(*self._table())

    def _repr_html_(self) -> str:
        return html_table(*self._table())


def _status(each: Invocation) -> str:
    if each.error is None:
        return each.status
    return f"repaired ({each.error.text})" if each.repaired else each.error.text


def _row(each: Invocation) -> list[object]:
    sent = [str(send.target) for send in each.sent]
    sent += [f"{delayed.target} in {delayed.delay}" for delayed in each.delayed]
    sent += [f"{record.egress} {record.topic or ''}".rstrip() for record in each.egress]
    return [
        each.seq,
        each.address.typename,
        each.address.id,
        str(each.caller) if each.caller else "",
        each.message.value,
        each.state_after if each.changed else "",
        ", ".join(sent),
        _status(each),
    ]
