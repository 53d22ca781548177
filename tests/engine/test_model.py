"""The core against an oracle of ten lines, on programs that Hypothesis writes."""

from __future__ import annotations

import functools
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from statefun_nb.address import address_of
from statefun_nb.engine.answers import Cancelled, Failed, Undeclared
from statefun_nb.engine.core import OnError
from statefun_nb.protocol.effects import (
    CancelDelayed,
    DelayedSend,
    Emit,
    ExpireMode,
    Mutation,
    Reply,
    Send,
    StateSpec,
    TypedValue,
)

from .invariants import CheckedMoves, check_core

IDS = ["a", "b", "c"]
OK = "ok"
ANSWERS = [OK, OK, OK, Failed("error"), Undeclared("unknown"), Cancelled()]
SPEC = StateSpec("log", "t/log", ExpireMode.NONE, 0)

# What a message makes its receiver do: each action is one effect.
action = st.one_of(
    st.tuples(st.just("send"), st.sampled_from(IDS)),
    st.tuples(
        st.just("later"), st.sampled_from(IDS), st.integers(0, 3), st.sampled_from(["", "t"])
    ),
    st.tuples(st.just("cancel"), st.just("t")),
    st.tuples(st.just("emit")),
)
programs = st.lists(st.lists(action, max_size=4), min_size=1, max_size=3)
step = st.one_of(
    st.tuples(st.just("offer"), st.sampled_from(IDS), st.integers(0, 4)),
    st.tuples(st.just("start")),
    st.tuples(st.just("answer"), st.integers(0, 5), st.sampled_from(ANSWERS)),
    st.tuples(st.just("tick"), st.integers(1, 3)),
)


def address(id_):
    return address_of("m/f", id_)


def note(where, way, payload):
    where.setdefault(way, []).append(payload)


class World:
    """A core, the requests in flight, and what the functions have seen."""

    def __init__(self, programs, limit, on_error=OnError.PARK):
        self.emitted: list[Emit] = []
        self.core = CheckedMoves(limit, on_error, self.emitted.append)
        self.programs = programs
        self.limit = limit
        self.now = 0
        self.flying = []
        self.next_id = 0
        # Sender, target -> payloads, in order.
        self.sent: dict[tuple[str | None, str], list[bytes]] = {}
        self.served: dict[tuple[str | None, str], list[bytes]] = {}
        self.expected_emits: list[bytes] = []
        self.dues: dict[bytes, int] = {}
        self.early = []

    def message(self, depth):
        self.next_id += 1
        return b"%d:%d" % (self.next_id, depth)

    def offer(self, target, depth):
        payload = self.message(depth)
        self.sent.setdefault((None, target), []).append(payload)
        self.core.offer(address(target), None, payload)

    def start(self):
        request = self.core.next_request(self.now)
        if request is not None:
            assert all(request.mailbox is not other.mailbox for other in self.flying)
            assert 0 < len(request.batch) <= (self.limit or len(request.batch))
            self.flying.append(request)

    def answer(self, index, what):
        if not self.flying:
            return
        request = self.flying.pop(index % len(self.flying))
        mailbox = request.mailbox
        if what is not OK:
            self.core.failed(mailbox, what, self.now)
            return
        if "log" not in request.state:
            assert not self.core.replied(mailbox, Reply([], [], [], [], [SPEC]), self.now)
            request = self.core.again(mailbox, self.now)
        reply, effects = self.run(request)
        assert self.core.replied(mailbox, reply, self.now)
        for record in effects:
            record()

    def run(self, request):
        """Play the function: programs say what each message makes it do."""
        me = request.mailbox.address
        sends: list[Send] = []
        delayed: list[DelayedSend | CancelDelayed] = []
        egress: list[Emit] = []
        record: list[Callable[[], None]] = []
        before = request.state["log"]
        log = before.value if before is not None else b""
        free = not self.core.timers.has(me, "t")
        for caller, payload, _ in request.batch:
            log += payload + b" "
            sender = None if caller is None else caller.id
            record.append(functools.partial(note, self.served, (sender, me.id), payload))
            if payload in self.dues and self.dues[payload] > self.now:
                self.early.append(payload)
            depth = int(payload.split(b":")[1])
            for each in self.programs[depth % len(self.programs)] if depth else []:
                if each[0] == "send":
                    out = self.message(depth - 1)
                    sends.append(Send(address(each[1]), out))
                    record.append(functools.partial(note, self.sent, (me.id, each[1]), out))
                elif each[0] == "later":
                    _, target, delay, token = each
                    if token and not free:
                        continue
                    free = free and not token
                    out = self.message(depth - 1)
                    delayed.append(DelayedSend(delay, address(target), out, token))
                    self.dues[out] = self.now + delay
                elif each[0] == "cancel":
                    delayed.append(CancelDelayed("t"))
                    free = True
                else:
                    egress.append(Emit("m/out", payload))
                    record.append(functools.partial(self.expected_emits.append, payload))
        mutations = [Mutation("log", TypedValue("t/log", log))]
        return Reply(sends, delayed, egress, mutations, None), record

    @property
    def processed(self):
        return self.core.processed

    def finish(self):
        """Mend everything and run until nothing moves."""
        for _ in range(2_000):
            self.core.release("m/f")
            self.start()
            self.answer(0, OK)
            due = self.core.next_due_ms()
            if not self.core.ready and not self.flying:
                if due is None:
                    return
                self.now = max(self.now, due)
                self.core.tick(self.now)
        raise AssertionError("it never comes to rest")


@settings(max_examples=300, deadline=None)
@given(
    programs,
    st.integers(0, 3),
    st.sampled_from([OnError.PARK, OnError.RETRY]),
    st.lists(step, max_size=40),
)
def test_whatever_happens_each_message_is_served_once_in_order_and_atomically(
    programs, limit, on_error, steps
):
    check(World(programs, limit, on_error), steps)


@given(st.integers(0, 3), st.lists(step, max_size=40))
def test_a_message_that_is_skipped_holds_up_nothing(limit, steps):
    """What it would have done is not done; all else comes to rest."""
    world = World([[]], limit, OnError.SKIP)
    take(world, steps)
    world.finish()
    core = world.core
    assert core.processed == sum(map(len, world.sent.values()))


def take(world, steps):
    """Take the steps; after each, the core is as a core must be."""
    for name, *arguments in steps:
        if name == "tick":
            world.now += arguments[0]
            world.core.tick(world.now)
        else:
            getattr(world, name)(*arguments)
        check_core(world.core)


def check(world, steps):
    """Take the steps, come to rest, and look whether everything is as it must be."""
    take(world, steps)
    world.finish()
    core = world.core
    check_core(core)
    assert (core.waiting, core.in_flight, len(core.timers)) == (0, 0, 0)
    assert not world.early
    assert [emit.argument for emit in world.emitted] == world.expected_emits
    # FIFO for each sender and target; delayed messages come besides, so compare without them.
    for key, payloads in world.sent.items():
        served = [p for p in world.served.get(key, []) if p not in world.dues]
        assert served == payloads
    # The state is the log of just what was served, in the order of serving.
    total = 0
    for mailbox in (m for each in core.types.values() for m in each.mailboxes.values()):
        stored = mailbox.read(world.now, touch=False)["log"]
        log = stored.value.split() if stored is not None else []
        mine = {
            p
            for (_, target), ps in world.served.items()
            if target == mailbox.address.id
            for p in ps
        }
        assert len(log) == len(set(log)) == len(mine)
        total += len(log)
    assert world.processed == total
