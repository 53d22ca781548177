"""The log: traced batches in order, indexed by function type and by status.

Whoever looks gets a ``View`` without a copy: the lists behind it only grow, and what would change
them otherwise (letting the oldest go, another batch in the place of one) is done on copies as long
as a view may share them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice
from operator import neg
from typing import Final, cast, overload

from .batch import TracedBatch
from .events import InvocationStatus
from .ids import IdIndex, id_of

__all__ = ["Log", "Places", "View", "ascend"]

# So many dropped batches leave empty places before the lists are cut.
_CUT: Final = 1_024
# So many batches at most wait to be entered in the index until somebody looks: as many as a
# session keeps if nothing else is said, so that whoever never looks does not pay for an index.
_WAITING: Final = 10_000

# Where invocations are, among all of a column: ascending.
Places = Sequence[int]


class _Column:
    """The batches of one function type, or all, by their numbers in the log, ascending.

    ``ends[i]`` is the place after the last invocation of the i-th, ``before`` that of the first
    invocation. The others are the places with another status than "ok".
    """

    __slots__ = ("before", "ends", "failed", "not_ok", "numbers", "rolled_back")

    def __init__(self, before: int = 0) -> None:
        self.numbers: list[int] = []
        self.ends: list[int] = []
        self.before = before
        self.not_ok: list[int] = []
        self.failed: list[int] = []
        self.rolled_back: list[int] = []

    def extend(self, numbers: Iterable[int], counts: Iterable[int]) -> None:
        """Add batches with so many invocations."""
        self.numbers += numbers
        end = self.ends[-1] if self.ends else self.before
        self.ends += islice(accumulate(counts, initial=end), 1, None)

    def note(self, number: int, batch: TracedBatch) -> None:
        """Note the failures of a batch that was added."""
        index = bisect_left(self.numbers, number)
        begin = self.ends[index - 1] if index else self.before
        for place in range(batch.invocations):
            status = batch.status(place)
            if status != "ok":
                self.not_ok.append(begin + place)
                (self.failed if status == "error" else self.rolled_back).append(begin + place)

    def since(self, number: int) -> _Column:
        """A copy without the batches before that number."""
        first = bisect_left(self.numbers, number)
        kept = _Column(self.ends[first - 1] if first else self.before)
        kept.numbers, kept.ends = self.numbers[first:], self.ends[first:]
        for name in ("not_ok", "failed", "rolled_back"):
            places: list[int] = getattr(self, name)
            setattr(kept, name, places[bisect_left(places, kept.before) :])
        return kept


class Log:
    """Batches in the order in which they were added, each with its size and its number.

    Not thread-safe: its owner has a lock.

    Attributes
    ----------
    bytes, kept, dropped : int
        Bytes of what is kept, estimated from above; invocations that are kept, and no longer kept.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self.kept = 0
        self.dropped = 0
        self._batches: list[TracedBatch | None] = []  # None: dropped, its place is cut later
        self._sizes: list[tuple[int, int]] = []  # of each: bytes and invocations
        self._first = 0  # the number of the first place
        self._head = 0  # the place of the oldest that is kept
        self._entered = 0  # the number after the last batch that is in the index, which is:
        self._all = _Column()
        self._types: dict[str, _Column] = {}
        self._shared = False  # is there a view of these lists?
        self._ids = IdIndex()

    def extend(self, batches: Sequence[TracedBatch]) -> None:
        """Add batches behind the others."""
        held, kept = self.bytes, self.kept
        sizes = [batch.measure() for batch in batches]
        self._batches += batches
        self._sizes += sizes
        for size, count in sizes:
            held += size
            kept += count
        self.bytes, self.kept = held, kept

    def _enter(self) -> None:
        """Enter in the index what is not there yet."""
        start = max(self._entered, self._oldest)
        place = start - self._first
        counts = [count for _, count in self._sizes[place:]]
        numbers: dict[str, list[int]] = defaultdict(list)
        failing = list[tuple[int, TracedBatch]]()
        for number, batch in enumerate(cast(list[TracedBatch], self._batches[place:]), start):
            numbers[batch.spec.typename].append(number)
            if batch.error is not None or batch.skipped is not None:
                failing.append((number, batch))
        self._all.extend(range(start, start + len(counts)), counts)
        for typename, of_type in numbers.items():
            column = self._types.setdefault(typename, _Column())
            column.extend(of_type, [counts[number - start] for number in of_type])
        for number, batch in failing:
            self._all.note(number, batch)
            self._types[batch.spec.typename].note(number, batch)
        self._entered = start + len(counts)

    def trim(self, limit: int, limit_bytes: int) -> None:
        """Drop the oldest until what is left is within the limits, or one batch."""
        last = len(self._batches) - 1
        head, sizes = self._head, self._sizes
        held, kept = self.bytes, self.kept
        while head < last and (kept > limit or held > limit_bytes):
            size, count = sizes[head]
            held -= size
            kept -= count
            head += 1
        self.dropped += self.kept - kept
        self.bytes, self.kept = held, kept
        self._drop(head)
        if self._first + len(self._batches) - max(self._entered, self._oldest) > _WAITING:
            self._enter()

    def clear(self) -> None:
        """Drop all."""
        self.dropped += self.kept
        self.bytes = self.kept = 0
        self._drop(len(self._batches))

    def _drop(self, head: int) -> None:
        if head == self._head:
            return
        self._head, before = head, self._head
        if self._shared or head > max(_CUT, len(self._batches) // 8):
            self._cut()
        else:
            self._batches[before:head] = [None] * (head - before)

    def _cut(self) -> None:
        """Go on with copies of what is kept."""
        first = self._oldest
        self._batches, self._sizes = self._batches[self._head :], self._sizes[self._head :]
        self._first, self._head = first, 0
        self._all = self._all.since(first)
        self._types = {
            name: kept for name, each in self._types.items() if (kept := each.since(first)).numbers
        }
        self._shared = False

    def replace(self, old: TracedBatch, new: TracedBatch) -> bool:
        """Put a batch in the place of one of the same size and status; False when it is gone."""
        for place in range(len(self._batches) - 1, self._head - 1, -1):
            if self._batches[place] is old:
                number = self._first + place
                if self._shared:
                    self._cut()
                self._batches[number - self._first] = new
                return True
        return False

    def __iter__(self) -> Iterator[TracedBatch]:
        """The kept batches, oldest first."""
        for place in range(self._head, len(self._batches)):
            batch = self._batches[place]
            assert batch is not None
            yield batch

    @property
    def _oldest(self) -> int:
        """The number of the first that is kept."""
        return self._first + self._head

    @property
    def oldest(self) -> TracedBatch | None:
        """The first that is kept."""
        return self._batches[self._head] if self._head < len(self._batches) else None

    def last(self, invocations: int) -> tuple[TracedBatch, ...]:
        """The batches of the last so many invocations, in order."""
        place = len(self._sizes)
        while invocations > 0 and place > self._head:
            place -= 1
            invocations -= self._sizes[place][1]
        return tuple(batch for batch in self._batches[place:] if batch is not None)

    def view(self) -> View:
        """What is kept just now."""
        self._enter()
        self._shared = True
        kept = range(self._oldest, self._first + len(self._batches))
        return View(self._batches, self._first, kept, self._all, self._types, self._ids)


class View:
    """The batches that a log kept at one moment, of one function type or all.

    Attributes
    ----------
    places : range
        Of their invocations; the first is not 0 when older ones are no longer kept.
    """

    def __init__(
        self,
        batches: Sequence[TracedBatch | None],
        first: int,
        kept: range,
        column: _Column,
        types: dict[str, _Column],
        ids: IdIndex,
    ) -> None:
        self._ids = ids
        self._batches = batches
        self._first = first
        self._kept = kept
        self._column = column
        self._types = types
        self._start = bisect_left(column.numbers, kept.start)
        self._stop = bisect_left(column.numbers, kept.stop)
        self.places = range(self._begin(self._start), self._begin(self._stop))

    @property
    def typenames(self) -> list[str]:
        """The function types that it has an index of."""
        return [*self._types]

    def of_type(self, typename: str) -> View:
        """Those of a function type."""
        column = self._types.get(typename) or _Column()
        types = {typename: column}
        return View(self._batches, self._first, self._kept, column, types, self._ids)

    def with_status(self, status: InvocationStatus) -> Places:
        """The places of the invocations with that status."""
        column = self._column
        if status == "ok":
            return _Others(self.places, self._among(column.not_ok))
        return self._among(column.failed if status == "error" else column.rolled_back)

    def _among(self, places: list[int]) -> Places:
        start, stop = (bisect_left(places, each) for each in (self.places.start, self.places.stop))
        return _Part(places, range(start, stop))

    def _begin(self, index: int) -> int:
        """The place of the first invocation of that batch of the column."""
        return self._column.ends[index - 1] if index else self._column.before

    def _index(self, place: int) -> int:
        return bisect_right(self._column.ends, place, self._start, self._stop)

    def _batch(self, index: int) -> TracedBatch:
        batch = self._batches[self._column.numbers[index] - self._first]
        assert batch is not None  # what a view shows is not dropped in these lists
        return batch

    def find(self, place: int) -> tuple[TracedBatch, int]:
        """The batch of an invocation, and which of its invocations, from 0."""
        index = self._index(place)
        return self._batch(index), place - self._begin(index)

    def newest(self, id: str | None = None) -> Iterator[TracedBatch]:
        """The batches (None: all; else those for an id), from the last to the first."""
        indices: Sequence[int] = range(self._start, self._stop)
        if id is not None:
            indices = self._indices(id)
        return map(self._batch, reversed(indices))

    def _indices(self, id: str) -> list[int]:
        """Where the batches for an id are in the column."""
        numbers = self._ids.find(id, self._kept, self._numbered)
        if numbers is None:
            return [i for i in range(self._start, self._stop) if id_of(self._batch(i)) == id]
        column = self._column.numbers
        found = [bisect_left(column, number, self._start, self._stop) for number in numbers]
        return [
            index
            for index, number in zip(found, numbers, strict=True)
            if index < self._stop and column[index] == number
        ]

    def _numbered(self, number: int) -> TracedBatch:
        batch = self._batches[number - self._first]
        assert batch is not None  # as in _batch
        return batch

    def of_id(self, id: str, places: Places) -> list[int]:
        """Those of the ascending places whose invocations are for an id."""
        found: list[int] = []
        for index in self._indices(id):
            begin, end = self._begin(index), self._column.ends[index]
            found += places[bisect_left(places, begin) : bisect_left(places, end)]
        return found

    def spans(self, places: Places) -> Iterator[tuple[TracedBatch, int, Places]]:
        """Each batch that has some of these places: where it begins, and those in it.

        The places ascend or descend, and so do the batches.
        """
        if places == self.places:  # of all: there is nothing to look for
            begin = self.places.start
            for index in range(self._start, self._stop):
                end = self._column.ends[index]
                yield self._batch(index), begin, range(begin, end)
                begin = end
            return
        at, ascending = 0, ascend(places)
        while at < len(places):
            index = self._index(places[at])
            begin = self._begin(index)
            if ascending:
                stop = bisect_left(places, self._column.ends[index], at)
            else:
                stop = bisect_right(places, -begin, at, key=neg)
            yield self._batch(index), begin, places[at:stop]
            at = stop


def ascend(places: Places) -> bool:
    """Do places ascend, which are in order one way or the other?"""
    return len(places) < 2 or places[0] < places[-1]


class _Part(Sequence[int]):
    """Some of a sequence, without a copy."""

    def __init__(self, whole: Sequence[int], part: range) -> None:
        self._whole = whole
        self._part = part

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> _Part: ...
    def __getitem__(self, index: int | slice) -> int | _Part:
        if isinstance(index, slice):
            return _Part(self._whole, self._part[index])
        return self._whole[self._part[index]]

    def __len__(self) -> int:
        return len(self._part)


class _Others(Sequence[int]):
    """A range of places without those of another, ascending, sequence."""

    def __init__(self, places: range, without: Sequence[int]) -> None:
        self._first = places.start
        self._without = without
        self._count = len(places) - len(without)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> _Part: ...
    def __getitem__(self, index: int | slice) -> int | _Part:
        if isinstance(index, slice):
            return _Part(self, range(self._count)[index])
        wanted = range(self._count)[index]
        left_out = range(len(self._without))
        passed = bisect_right(
            left_out, wanted, key=lambda each: self._without[each] - self._first - each
        )
        return self._first + wanted + passed

    def __len__(self) -> int:
        return self._count
