"""Timers, mailboxes and clocks by themselves."""

from __future__ import annotations

import pytest

from statefun_nb.address import SdkAddress, address_of
from statefun_nb.engine.clock import Clock
from statefun_nb.engine.core import Core, OnError
from statefun_nb.engine.egress_log import EgressLog
from statefun_nb.engine.mailbox import FunctionType, Mailbox
from statefun_nb.engine.timers import Timers
from statefun_nb.errors import EngineError
from statefun_nb.protocol.effects import Emit, ExpireMode, Reply, Send, StateSpec, TypedValue

A, B = address_of("t/t", "a"), address_of("t/t", "b")


def test_cancelled_timers_do_not_pile_up():
    timers = Timers()
    for i in range(10_000):
        timers.add(1_000_000 + i, A, f"t{i}", B, b"")
        timers.cancel(A, f"t{i}")
    assert len(timers) == 0
    assert len(timers._heap) < 200
    assert timers.next_due_ms() is None


def test_timers_of_the_same_millisecond_come_in_the_order_they_were_set():
    timers = Timers()
    for i in range(100):
        timers.add(5, A, "", B, b"%d" % i)
    due = [timers.pop_due(5) for _ in range(100)]
    assert [each and each.argument for each in due] == [b"%d" % i for i in range(100)]
    assert timers.pop_due(5) is None


def test_a_name_keeps_its_type_and_its_expiration_while_there_is_a_value_of_it():
    counter = FunctionType(A)
    assert counter.register(StateSpec("n", "x/int", ExpireMode.AFTER_WRITE, 10))
    assert not counter.register(StateSpec("n", "x/int", ExpireMode.AFTER_WRITE, 10))
    mailbox = counter.mailboxes[A.id] = Mailbox(counter, A.id)
    mailbox.write(0, TypedValue("x/int", b"1"), 0)
    with pytest.raises(EngineError, match=r"expires 0:00:00.010000 after a write, and cannot"):
        counter.register(StateSpec("n", "x/int", ExpireMode.NONE, 0), 9)
    with pytest.raises(EngineError, match="cannot become x/other"):
        counter.register(StateSpec("n", "x/other", ExpireMode.NONE, 0), 9)
    assert counter.specs[0].expire_after_ms == 10


def test_a_name_without_a_value_takes_another_type_and_expiration():
    counter = FunctionType(A)
    counter.register(StateSpec("n", "x/int", ExpireMode.AFTER_WRITE, 10))
    mailbox = counter.mailboxes[A.id] = Mailbox(counter, A.id)
    mailbox.write(0, TypedValue("x/int", b"1"), 0)
    # The value has expired by now, and nobody has looked at it since.
    assert counter.register(StateSpec("n", "x/other", ExpireMode.NONE, 0), 10)
    assert not counter.expires
    assert mailbox.read(11, touch=True) == {"n": None}
    mailbox.write(0, TypedValue("x/other", b"2"), 12)
    assert mailbox.read(10**9, touch=True) == {"n": TypedValue("x/other", b"2")}


def test_a_deleted_value_has_no_clock():
    counter = FunctionType(A)
    counter.register(StateSpec("n", "x/int", ExpireMode.AFTER_INVOKE, 10))
    mailbox = Mailbox(counter, A.id)
    mailbox.write(0, TypedValue("x/int", b"1"), 0)
    mailbox.write(0, None, 5)
    assert mailbox.deadlines == [0]
    assert mailbox.read(6, touch=True) == {"n": None}


@pytest.mark.parametrize(("namespace", "name"), [("", "t"), ("t", ""), ("a", "b/c"), ("a/b", "c")])
def test_a_message_to_no_typename_is_refused_with_its_whole_reply(namespace, name):
    core = Core(0, OnError.PARK, lambda record: None)
    core.offer(A, None, b"")
    request = core.next_request(0)
    assert request is not None
    target = SdkAddress(namespace, name, "x", f"{namespace}/{name}")
    with pytest.raises(EngineError, match="no such typename"):
        core.replied(request.mailbox, Reply([Send(B, b""), Send(target, b"")], [], [], [], None), 0)
    assert core.find(B) is None


def test_the_system_clock_can_be_moved_forward():
    clock = Clock()
    before = clock.now_ms()
    clock.advance(3_600_000)
    assert clock.now_ms() - before >= 3_600_000
    assert abs(clock.now() * 1000 - clock.now_ms()) < 1000


def test_the_egresses_are_those_of_the_records_that_are_kept():
    log = EgressLog(limit=2)
    for egress in ("a/out", "b/out", "c/out", "b/out"):
        log.append(Emit(egress, b""))
    assert log.egresses() == {"b/out", "c/out"} == {each.egress for each in log.records()}
