"""Who waits, what for, and what is done about one of them by hand."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import statefun_nb as sf
from statefun_nb.address import address_of
from statefun_nb.engine.answers import Failed
from statefun_nb.engine.base import controls_of
from statefun_nb.engine.core import Core, OnError
from statefun_nb.engine.mailbox import Mailbox
from statefun_nb.engine.waiting import waiting_addresses
from statefun_nb.protocol.effects import TypedValue
from statefun_nb.protocol.wire import typed_value_bytes
from tests.waiting import eventually


def declare(functions):
    @sf.function("w/count", state={"n": int}, functions=functions)
    def count(ctx, message):
        if message.value < 0:
            raise ValueError("negative")
        ctx.storage.n = (ctx.storage.n or 0) + message.value

    return functions


def waiting(session, limit=10):
    total, found = controls_of(session.engine, "waiting").waiting(limit)
    return total, [(each.address.id, each.why, each.waiting) for each in found]


def long(value):
    return TypedValue(sf.LongType.typename, sf.LongType.serializer().serialize(value))


def test_parked_come_before_those_whose_turn_comes(functions):
    with sf.start(port=0, functions=declare(functions)) as session:
        session.send_many([("w/count", "bad", -1), ("w/count", "bad", 5)])
        with pytest.warns(UserWarning, match="no function 'w/nobody'"):
            session.send("w/nobody", "x", 1)
        session.wait_idle()
        session.pause()
        session.send_many([("w/count", name, 1) for name in "abc"])
        total, found = waiting(session)
        assert total == 5
        assert found == [
            *(("bad", "parked", 2), ("x", "undeclared", 1)),
            *(("a", "queued", 1), ("b", "queued", 1), ("c", "queued", 1)),
        ]
        assert waiting(session, limit=3) == (5, found[:3])
        _, (bad, *_) = controls_of(session.engine, "").waiting(1)
        assert bad.reason == "ValueError: negative"
        assert [each.value.value for each in bad.messages] == [long(-1).value, long(5).value]


def test_one_that_backs_off_says_until_when(functions):
    with sf.start(
        port=0, functions=declare(functions), on_error="retry", clock="virtual"
    ) as session:
        session.send("w/count", "bad", -1)
        session.wait_idle()
        _, (bad,) = controls_of(session.engine, "").waiting(10)
        assert (bad.why, bad.attempts, bad.waiting) == ("backing off", 1, 1)
        assert bad.next_ms == round(session.engine.now() * 1000) + 10


def many(on_error, failed):
    """A core with 500 addresses whose messages wait, having failed or not yet been tried."""
    core = Core(1_000, on_error, lambda record: None)
    for number in range(500):
        core.offer(address_of("w/many", str(number)), None, typed_value_bytes(long(number)))
    while failed and (pending := core.next_request(0)) is not None:
        core.failed(pending.mailbox, Failed("negative"), 0)
    return core


@pytest.mark.parametrize(
    ("on_error", "failed", "why"),
    [
        (OnError.PARK, True, "parked"),
        (OnError.RETRY, True, "backing off"),
        (OnError.PARK, False, "queued"),
    ],
)
def test_no_more_addresses_are_looked_at_than_are_told(monkeypatch, on_error, failed, why):
    core, looked = many(on_error, failed), []

    def address(mailbox):
        looked.append(mailbox)
        return address_of(mailbox.function_type.typename, mailbox.id)

    monkeypatch.setattr(Mailbox, "address", property(address))
    total, found = waiting_addresses(core, [], 20)
    assert (total, len(found)) == (500, 20)
    assert {each.why for each in found} == {why}
    assert len(looked) == 20


class NeverWalked(dict[Any, Any]):
    """Told of what it is asked for by key; nobody goes through all of it."""

    def __iter__(self):
        raise AssertionError("all of it was looked at")

    keys = values = items = __iter__


@pytest.mark.parametrize("on_error", [OnError.PARK, OnError.RETRY])
def test_one_address_is_let_go_on_without_a_look_at_the_others(on_error):
    core = many(on_error, failed=True)
    core.offer(address_of("w/many", "served"), None, typed_value_bytes(long(1)))
    assert core.next_request(0) is not None
    core.types["w/many"].mailboxes = NeverWalked(core.types["w/many"].mailboxes)
    core._parked, core._retries = NeverWalked(core._parked), NeverWalked(core._retries)
    assert core.release("w/many", "7") == 1
    assert core.release("w/many", "nobody") == core.release("w/none", "7") == 0
    assert core.release("w/many", "served") == 0  # in flight: if it fails, it is tried again
    assert [each.id for each in core._corrected] == ["served"]


def test_the_next_step_is_of_the_address_that_was_chosen(functions):
    with sf.start(port=0, functions=declare(functions), paused=True) as session:
        session.send_many([("w/count", name, 1) for name in "abc"])
        controls_of(session.engine, "").bring_forward(address_of("w/count", "c"))
        served = session.step()
        assert served is not None
        assert served.address.id == "c"
        assert (served := session.step()) is not None
        assert served.address.id == "a"
        with pytest.raises(sf.EngineError, match="no message of w/count 'c' is ready"):
            controls_of(session.engine, "").bring_forward(address_of("w/count", "c"))


@pytest.mark.parametrize("durable", [None, "kept.db"])
def test_an_edited_message_goes_through_in_its_place(functions, tmp_path, durable):
    options = {"functions": declare(functions), "durable": durable and tmp_path / durable}
    with sf.start(port=0, **options) as session:
        session.send_many([("w/count", "a", -1), ("w/count", "a", 10)])
        session.wait_idle()
        controls_of(session.engine, "").amend(address_of("w/count", "a"), long(3))
        session.wait_idle()
        assert [each.message.value for each in session.invocations.filter(status="ok")] == [3, 10]
        assert session.parked == []
        with pytest.raises(sf.EngineError, match="w/count 'a' is not parked: there is no message"):
            controls_of(session.engine, "").amend(address_of("w/count", "a"), long(3))
    if durable:  # what was edited does not come again
        with sf.start(port=0, **options) as session:
            session.wait_idle()
            assert session.state("w/count", "a") == {"n": 13}


def test_an_edited_message_is_kept_as_it_is_now(functions, tmp_path):
    options = {"functions": declare(functions), "durable": tmp_path / "kept.db"}
    with sf.start(port=0, **options) as session:
        session.send("w/count", "a", -1)
        session.wait_idle()
        controls_of(session.engine, "").amend(address_of("w/count", "a"), long(-7))
        session.wait_idle()
    with sf.start(port=0, **options) as session:
        session.wait_idle()
        _, (parked,) = controls_of(session.engine, "").waiting(10)
        assert [decode(each.value) for each in parked.messages] == [-7]


def decode(value):
    return sf.LongType.serializer().deserialize(value.value)


def test_what_was_set_by_hand_is_remembered_with_who_did_it(functions):
    with sf.start(port=0, functions=declare(functions)) as session:
        session.send("w/count", "a", 1)
        session.wait_idle()
        session.set_state("w/count", "a", n=5)
        session.set_state("w/count", "a", n=None)
        found = controls_of(session.engine, "").written("w/count")
        assert [(str(each.address), each.by) for each in found] == [
            ("w/count 'a'", "s.set_state")
        ] * 2
        assert found[0].values == {"n": (long(1), long(5))}
        assert found[1].values == {"n": (long(5), None)}
        assert found[0].time <= found[1].time


def since(session):
    """Since when who waits, in seconds of a virtual clock that began at 0."""
    start = 1_600_000_000
    _, found = controls_of(session.engine, "waiting").waiting(10)
    return {each.address.id: each.since_ms / 1000 - start for each in found}


def later(session, seconds):
    session.advance(timedelta(seconds=seconds))


def came(session, id_):
    """When each message of an address came, on the same clock."""
    _, found = controls_of(session.engine, "waiting").waiting(10)
    (of_it,) = (each for each in found if each.address.id == id_)
    return [each.came_ms / 1000 - 1_600_000_000 for each in of_it.messages]


def test_what_is_held_up_says_since_when(functions):
    with sf.start(port=0, functions=declare(functions), clock="virtual", paused=True) as session:
        session.send_many([("w/count", name, 1) for name in ("a", "b", "a")])
        later(session, 5)
        session.send_many([("w/count", "c", 1), ("w/count", "b", 1), ("w/count", "a", 1)])
        later(session, 5)
        assert since(session) == {"a": 0, "b": 0, "c": 5}
        assert came(session, "a") == [0, 0, 5]
        session.step()
        session.step()  # a, and b
        assert since(session) == {"c": 5, "a": 0, "b": 5}
        assert came(session, "a") == [0, 5]
        controls_of(session.engine, "").bring_forward(address_of("w/count", "a"))
        session.step()
        assert since(session) == {"c": 5, "b": 5, "a": 5}
        session.discard("w/count", "c")
        later(session, 5)
        session.send("w/count", "c", 1)
        session.wait_idle(0)
        assert since(session) == {"b": 5, "a": 5, "c": 15}


def test_a_message_of_a_function_and_a_delayed_one_come_when_they_are_delivered(functions):
    declare(functions)

    @sf.function("w/sender", functions=functions)
    def sender(ctx, message):
        ctx.send("w/count", "a", -1)
        ctx.send_after(timedelta(seconds=3), "w/count", "a", 2)

    with sf.start(port=0, functions=functions, clock="virtual") as session:
        later(session, 2)
        session.send("w/sender", "s", 0)
        later(session, 10)
        assert came(session, "a") == [2, 5]
        controls_of(session.engine, "").amend(address_of("w/count", "a"), long(-5))
        session.wait_idle()
        assert came(session, "a") == [2, 5]  # it is the same message, edited


def test_of_what_a_file_has_kept_nobody_knows_when_it_came(functions, tmp_path):
    options = {"functions": declare(functions), "durable": tmp_path / "kept.db", "clock": "virtual"}
    with sf.start(port=0, paused=True, **options) as session:
        session.send("w/count", "a", 1)
        session.wait_idle(0)
    with sf.start(port=0, paused=True, **options) as session:
        _, (kept,) = controls_of(session.engine, "").waiting(10)
        assert (kept.since_ms, kept.messages[0].came_ms) == (0, 0)


def test_messages_behind_a_running_request_of_their_address_wait(functions):
    async def hold():
        held.set()
        await asyncio.wait_for(asyncio.to_thread(release.wait), 30)

    held, release = threading.Event(), threading.Event()

    @sf.function("w/slow", functions=functions)
    async def slow(ctx, message):
        if message.value == 0:
            await hold()

    with sf.start(port=0, functions=functions) as session:
        session.send("w/slow", "a", 0)
        session.send("w/slow", "other", 1)
        assert held.wait(20)
        assert waiting(session) == (0, [])  # its own message is being served
        session.send_many([("w/slow", "a", 1), ("w/slow", "a", 2)])
        eventually(lambda: waiting(session) == (1, [("a", "running", 2)]))
        release.set()
        session.wait_idle()
        assert waiting(session) == (0, [])


def test_what_is_parked_says_since_when(functions):
    with sf.start(port=0, functions=declare(functions), clock="virtual") as session:
        later(session, 3)
        with pytest.warns(UserWarning, match="no function 'w/nobody'"):
            session.send("w/nobody", "x", 1)
        session.wait_idle()
        later(session, 4)
        session.send("w/count", "bad", -1)
        session.wait_idle()
        assert since(session) == {"x": 3, "bad": 7}
        began = datetime.fromtimestamp(1_600_000_000, timezone.utc)
        parked = {each.address.id: each.since - began for each in session.parked if each.since}
        assert parked["x"] == timedelta(seconds=3)
        # Of a failure the trace knows the very moment: the function's own time is on top.
        assert timedelta(seconds=7) <= parked["bad"] < timedelta(seconds=8)


def test_moves_of_the_clock_are_remembered(functions):
    with sf.start(port=0, functions=declare(functions), clock="virtual") as session:
        start = 1_600_000_000_000
        session.send("w/count", "a", 1, delay=timedelta(seconds=2))
        later(session, 3)
        later(session, 0)
        later(session, 4)
        moves = controls_of(session.engine, "").moves
        assert [(a - start, b - start) for a, b in moves] == [(0, 3_000), (3_000, 7_000)]
