"""The log of traced batches, beside a plain list of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from statefun_nb.trace.batch import TracedBatch
from statefun_nb.trace.events import InvocationError, InvocationStatus
from statefun_nb.trace.log import _CUT, _WAITING, Log, View
from statefun_nb.trace.recorder import Recorder


class Layout(NamedTuple):
    specs: dict[str, object] = {}  # noqa: RUF012 - of a function without state


class Function(NamedTuple):
    typename: str
    version: int = 1
    layout: Layout = Layout()


ERROR = InvocationError("ValueError", "no", "", retries=0, repaired=False)
STATUSES: tuple[InvocationStatus, ...] = ("ok", "error", "rolled back")


def batch(
    seq: int, typename: str = "t/f", count: int = 1, outcome: str = "ok", size: int = 10
) -> TracedBatch:
    return TracedBatch(
        seq=seq,
        number=seq,
        time=0.0,
        start=0.0,
        spec=Function(typename),  # type: ignore[arg-type]
        request=bytes(size),
        reply=b"",
        rows=(0.0, 0, 0, 0) * count,
        stdout=None,
        error=ERROR if outcome == "error" else None,
        skipped={0: ERROR} if outcome == "skipped" else None,
    )


class Looked(NamedTuple):
    """What a view showed, read in full."""

    all: list[tuple[int, str]]
    types: dict[str, list[tuple[int, str]]]
    statuses: dict[tuple[str | None, str], list[int]]


def look(view: View) -> Looked:
    """Read each invocation as (seq, type), by every way that there is."""

    def read(view: View) -> list[tuple[int, str]]:
        found = [view.find(place) for place in view.places]
        rows = [(batch.seq + at, batch.spec.typename) for batch, at in found]
        spans = [
            (batch.seq + place - begin, batch.spec.typename)
            for batch, begin, places in view.spans(view.places)
            for place in places
        ]
        assert rows == spans
        return rows

    def read_statuses(view: View) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for status in STATUSES:
            places = view.with_status(status)
            pairs = [view.find(place) for place in places]
            found[status] = [batch.seq + at for batch, at in pairs]
            assert all(batch.status(at) == status for batch, at in pairs)
            assert [*places[-2:]] == [*places][-2:]
            assert [*places[::-1]] == [*places][::-1]
        return found

    names = ("t/f", "t/g", "t/never")
    views: dict[str | None, View] = {None: view, **{name: view.of_type(name) for name in names}}
    return Looked(
        read(view),
        {name: read(view.of_type(name)) for name in names},
        {
            (name, status): seqs
            for name, each in views.items()
            for status, seqs in read_statuses(each).items()
        },
    )


def expected(batches: list[TracedBatch]) -> Looked:
    rows = [
        (each.seq + at, each.spec.typename, each.status(at))
        for each in batches
        for at in range(each.invocations)
    ]
    names = ("t/f", "t/g", "t/never")
    return Looked(
        [(seq, name) for seq, name, _ in rows],
        {name: [(seq, each) for seq, each, _ in rows if each == name] for name in names},
        {
            (name, status): [
                seq for seq, each, was in rows if name in (None, each) and was == status
            ]
            for name in (None, *names)
            for status in STATUSES
        },
    )


class LogMachine(RuleBasedStateMachine):
    """A log and a list: what is added, dropped, replaced and looked at is the same in both."""

    LIMIT = 30

    def __init__(self) -> None:
        super().__init__()
        self.log = Log()
        self.model: list[TracedBatch] = []
        self.next = 1
        self.dropped = 0
        self.views: list[tuple[View, Looked]] = []

    @rule(
        group=st.lists(
            st.tuples(
                st.sampled_from(["t/f", "t/g"]),
                st.integers(1, 4),
                st.sampled_from(["ok", "ok", "error", "skipped"]),
            ),
            max_size=8,
        )
    )
    def add(self, group: list[tuple[str, int, str]]) -> None:
        added = []
        for typename, count, outcome in group:
            added.append(batch(self.next, typename, count, outcome))
            self.next += count
        self.log.extend(added)
        self.log.trim(self.LIMIT, 1 << 30)
        self.model += added
        while len(self.model) > 1 and sum(each.invocations for each in self.model) > self.LIMIT:
            self.dropped += self.model.pop(0).invocations

    @rule(data=st.data())
    def replace(self, data: st.DataObject) -> None:
        if self.model:
            place = data.draw(st.integers(0, len(self.model) - 1))
            old = self.model[place]
            new = old._replace(time=old.time + 1)
            assert self.log.replace(old, new)
            self.model[place] = new
            assert not self.log.replace(old, new)

    @rule()
    def clear(self) -> None:
        self.log.clear()
        self.dropped += sum(each.invocations for each in self.model)
        self.model.clear()

    @rule()
    def take_a_view(self) -> None:
        self.views.append((self.log.view(), expected(self.model)))

    @rule(count=st.integers(0, 40))
    def read_the_last(self, count: int) -> None:
        last: list[TracedBatch] = []
        for each in reversed(self.model):
            if sum(one.invocations for one in last) >= count:
                break
            last.insert(0, each)
        assert list(self.log.last(count)) == last

    @invariant()
    def all_is_the_same(self) -> None:
        assert list(self.log) == self.model
        assert self.log.oldest == (self.model[0] if self.model else None)
        assert self.log.kept == sum(each.invocations for each in self.model)
        assert self.log.dropped == self.dropped
        assert self.log.bytes == sum(each.measure()[0] for each in self.model)

    def teardown(self) -> None:
        for view, shown in self.views:  # each as it was then, whatever has come since
            assert look(view) == shown


TestLog = LogMachine.TestCase
TestLog.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_what_is_dropped_is_let_go_at_once():
    log = Log()
    log.extend([batch(seq) for seq in range(1, 101)])
    log.trim(10, 1 << 30)
    assert sum(each is not None for each in log._batches) == 10


def test_many_batches_are_entered_before_anybody_looks():
    log = Log()
    for first in range(1, 3 * _WAITING, 500):
        log.extend([batch(seq, "t/g" if seq % 5 else "t/f") for seq in range(first, first + 500)])
        log.trim(1 << 30, 1 << 40)
    assert log._entered > _WAITING
    view = log.view()
    assert len(view.places) == log.kept == 3 * _WAITING
    assert len(view.of_type("t/f").places) == log.kept // 5
    assert len(view.of_type("t/g").with_status("ok")) == log.kept - log.kept // 5


@pytest.mark.parametrize("look", [lambda log: None, Log.view])
def test_the_lists_do_not_grow_with_what_is_gone(look: Callable[[Log], object]):
    log = Log()
    for seq in range(1, 50_001):
        log.extend([batch(seq, f"t/f{seq // 1_000}")])
        log.trim(100, 1 << 30)
        look(log)
    assert len(log._batches) <= _CUT + 200
    assert len(log._all.numbers) <= _CUT + 200
    assert len(log._types) <= 4


def test_batches_that_end_in_another_order_are_shown_as_they_began():
    recorder = Recorder(limit=100)
    seqs = [recorder.reserve(1)[0] for _ in range(6)]
    for seq in (2, 1, 3, 6, 4):
        recorder.add(batch(seq, "t/f" if seq % 2 else "t/g", outcome="error" if seq == 4 else "ok"))
    view, _ = recorder.view()
    assert [view.find(place)[0].seq for place in view.places] == [1, 2, 3, 4, 6]
    recorder.add(batch(5))
    again, _ = recorder.view()
    assert [again.find(place)[0].seq for place in again.places] == seqs
    assert look(view).all == [(1, "t/f"), (2, "t/g"), (3, "t/f"), (4, "t/g"), (6, "t/g")]
    assert [each.seq for each in recorder.snapshot(4).batches] == [4, 5]
    (place,) = again.with_status("error")
    assert again.find(place)[0].seq == 4
