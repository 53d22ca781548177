"""The index of ids: what it finds is what a look at all of them finds, and it looks but once."""

from __future__ import annotations

import pytest

import statefun_nb as sf
from statefun_nb.trace.ids import IdIndex, id_of

IDS = ["a", "b", "ab", "x" * 127, "y" * 128, "z" * 5_000, "ключ", "\x1a\x01a", "a\n"]


@pytest.fixture
def session(functions):
    def f(ctx, message):
        if ctx.address.typename == "i/f":
            ctx.send("i/g", ctx.address.id, 1)

    for typename in ("i/f", "i/g"):
        functions.register(typename, f)
    with sf.start(port=0, functions=functions, trace_limit=3_000, batch_limit=3) as running:
        yield running


def send(session, count):
    session.send_many([("i/f", IDS[n % len(IDS)], n) for n in range(count)], progress=False)
    session.wait_idle()


def check(invocations):
    everything = [*invocations]
    for id_ in [*IDS, "nobody"]:
        expected = [each.seq for each in everything if each.address.id == id_]
        assert [each.seq for each in invocations.filter(id=id_)] == expected
        of_type = [
            each.seq
            for each in everything
            if (each.address.typename, each.address.id) == ("i/g", id_)
        ]
        assert [each.seq for each in invocations.filter(type="i/g", id=id_)] == of_type
        some = invocations[3:-5:2]
        assert [each.seq for each in some.filter(id=id_)] == [
            each.seq for each in some if each.address.id == id_
        ]


def test_it_finds_what_a_look_at_all_finds_while_older_ones_are_dropped(session):
    looked_at = []
    for count in (50, 2_000, 4, 3_000, 4_000):
        send(session, count)
        looked_at.append(session.invocations)
        check(looked_at[-1])
    for each in looked_at:  # as they were then
        check(each)


def test_a_check_sees_all_of_an_address(session):
    send(session, 90)
    for id_ in IDS:
        session.check("i/g", id_).invoked(10)


def test_each_batch_is_looked_at_once(session):
    send(session, 300)
    batches = [*session.recorder.snapshot().batches]
    asked = []

    def batch(number):
        asked.append(number)
        return batches[number]

    index, half = IdIndex(), len(batches) // 2
    index.find("a", range(half), batch)
    assert asked == [*range(half)]
    for id_ in IDS:
        found = index.find(id_, range(len(batches)), batch)
        assert found == [n for n, each in enumerate(batches) if id_of(each) == id_]
    assert asked == [*range(len(batches))]
    assert index.find("a", range(half, len(batches)), batch) is not None
    assert len(asked) == len(batches)
