"""What is run on the embedded engine and on real StateFun alike.

A scenario is a function of a ``Play``: it declares functions, sends messages, waits. What the two
engines are compared by is what the trace and the session say afterwards, see ``Play.history``.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta

import pytest
from google.protobuf.wrappers_pb2 import StringValue

import statefun_nb as sf
from statefun_nb.sessions.options import Options

# Loaded into each session before its first message: an egress, and an endpoint of today.
EGRESS = """
kind: io.statefun.kafka.v1/egress
spec:
  id: parity/declared
  address: "{kafka}"
  deliverySemantic: {type: at-least-once}
"""
MODULE = f"""{EGRESS}---
kind: io.statefun.endpoints.v2/http
spec:
  functions: elsewhere/*
  urlPathTemplate: http://127.0.0.1:1/nobody
"""

SCENARIOS: dict[str, Callable[[Play], None]] = {}


def scenario(function):
    SCENARIOS[function.__name__] = function
    return function


class Play:
    """One run of a scenario on one session; function types are told apart by ``name``."""

    def __init__(self, session, functions, name):
        self.session = session
        self.functions = functions
        self.name = name
        self.types = set()
        self.unordered = False  # told by a scenario that has no order

    def type(self, local):
        return f"parity/{self.name}_{local}"

    def egress(self, local="out"):
        return f"parity/{self.name}_{local}_egress"

    def declare(self, local, state=None):
        self.types.add(self.type(local))
        if state is None or isinstance(state, dict):
            return sf.function(self.type(local), state, functions=self.functions)
        return self.functions.bind(self.type(local), state)

    def send(self, local, id_, value, **options):
        self.session.send(self.type(local), id_, value, **options)

    def wait(self, timeout=90, **options):
        return self.session.wait_idle(timeout=timeout, **options)

    def history(self, *, ordered=True):
        """By address: what was served, in order, with its effects. Then state and egress."""
        by_address = defaultdict(list)
        for each in self.session.invocations:
            if each.address.typename not in self.types or each.status == "error":
                continue
            by_address[each.address.typename, each.address.id].append(
                (
                    each.caller and (each.caller.typename, each.caller.id),
                    (each.message.typename, each.message.data),
                    repr(sorted(each.state_after.items())) if ordered else None,
                    [(s.target.typename, s.target.id, s.message.data) for s in each.sent],
                    [(d.target.id, d.delay, d.token) for d in each.delayed],
                    [c.token for c in each.cancelled],
                    [(e.egress, e.topic, e.key, repr(e.value)) for e in each.egress],
                )
            )
        history = dict(by_address)
        if not ordered:
            history = {address: sorted(map(repr, served)) for address, served in history.items()}
        state = {
            typename: {
                id_: repr(sorted(values.items()))
                for id_, values in self.session.state(typename).items()
            }
            for typename in sorted(self.types)
        }
        egress = sorted(
            (record.egress, str(record.topic), str(record.key), repr(record.value))
            for local in ("out", "other")
            for record in self.session.egress(self.egress(local))
        )
        return {"served": history, "state": state, "egress": egress}


@scenario
def order_is_kept_from_one_sender(play):
    @play.declare("f", {"seen": list})
    def f(ctx, message):
        ctx.storage.seen = [*(ctx.storage.seen or []), message.value]

    for i in range(50):
        play.send("f", "a", i)
    play.wait()


@scenario
def bursts_come_in_batches(play):
    @play.declare("f", {"n": int, "sum": int})
    def f(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1
        ctx.storage.sum = (ctx.storage.sum or 0) + message.value

    play.session.send_many((play.type("f"), f"k{i % 4}", i) for i in range(400))
    play.wait()


@scenario
def a_function_sends_to_itself(play):
    @play.declare("f", {"left": int})
    def f(ctx, message):
        ctx.storage.left = message.value
        if message.value:
            ctx.send(play.type("f"), ctx.address.id, message.value - 1)

    play.send("f", "a", 10)
    play.wait()


@scenario
def fan_out_and_fan_in(play):
    @play.declare("out")
    def out(ctx, message):
        for i in range(message.value):
            ctx.send(play.type("work"), f"w{i}", i)

    @play.declare("work")
    def work(ctx, message):
        ctx.send(play.type("join"), "all", message.value * 10)

    @play.declare("join", {"sum": int, "n": int})
    def join(ctx, message):
        ctx.storage.sum = (ctx.storage.sum or 0) + message.value
        ctx.storage.n = (ctx.storage.n or 0) + 1

    play.send("out", "a", 20)
    play.wait()
    play.unordered = True  # of different senders


def expiring(play, spec, *steps):
    @play.declare("f", [spec])
    def f(ctx, message):
        value = message.as_string()
        if value == "write":
            ctx.storage.v = (ctx.storage.v or 0) + 1
        ctx.send_egress(
            sf.kafka_egress_message(play.egress(), play.name, f"{value} {ctx.storage.v}")
        )

    for step in steps:
        if isinstance(step, float):
            time.sleep(step)
        else:
            play.send("f", "a", step)
            play.wait()


@scenario
def state_without_expiration_stays(play):
    expiring(play, sf.ValueSpec("v", sf.IntType), "write", 0.5, "read")


@scenario
def state_expires_after_the_last_write(play):
    spec = sf.ValueSpec("v", sf.IntType, expire_after_write=timedelta(milliseconds=1500))
    # A second is left to a slow machine; the call at 0.5 s changes nothing.
    expiring(play, spec, "write", 0.5, "read", 1.2, "read")


@scenario
def state_expires_after_the_last_call(play):
    spec = sf.ValueSpec("v", sf.IntType, expire_after_call=timedelta(milliseconds=1500))
    # Twice 0.8 s is more than 1.5 s: the first call has made it last longer.
    expiring(play, spec, "write", 0.8, "read", 0.8, "read", 1.6, "read")


@scenario
def delayed_messages_come_when_due(play):
    @play.declare("f", {"seen": list})
    def f(ctx, message):
        if message.value == "go":
            for delay in (300, 100, 200):
                ctx.send_after(
                    timedelta(milliseconds=delay), play.type("f"), ctx.address.id, str(delay)
                )
        ctx.storage.seen = [*(ctx.storage.seen or []), message.value]

    play.send("f", "a", "go")
    play.wait()


@scenario
def delayed_messages_from_outside(play):
    @play.declare("f", {"seen": list})
    def f(ctx, message):
        ctx.storage.seen = [*(ctx.storage.seen or []), message.value]

    play.send("f", "a", "late", delay=timedelta(milliseconds=600))
    play.send("f", "a", "now")
    play.wait()


@scenario
def a_cancelled_message_is_never_delivered(play):
    @play.declare("f", {"seen": list})
    def f(ctx, message):
        ctx.storage.seen = [*(ctx.storage.seen or []), message.value]
        if message.value == "set":
            # Later than the cancellation, however slow the machine.
            ctx.send_after(timedelta(seconds=3), play.type("f"), ctx.address.id, "no", token="t")
            ctx.send_after(timedelta(seconds=3), play.type("f"), ctx.address.id, "yes", token="u")
        elif message.value == "cancel":
            ctx.cancel_delayed_message("t")

    play.send("f", "a", "set")
    play.wait(timers=False)
    play.send("f", "b", "cancel")  # a token is its sender's own
    play.send("f", "a", "cancel")
    play.wait()
    time.sleep(0.3)
    play.wait()


@scenario
def unknown_tokens_are_ignored_and_used_ones_free_again(play):
    @play.declare("f", {"seen": list})
    def f(ctx, message):
        ctx.storage.seen = [*(ctx.storage.seen or []), message.value]
        ctx.cancel_delayed_message("unknown")
        if message.value.startswith("set"):
            ctx.send_after(
                timedelta(milliseconds=150), play.type("f"), ctx.address.id, "ring", token="t"
            )

    for step in ("set one", "set two"):
        play.send("f", "a", step)
        play.wait()


@scenario
def cancelled_and_set_again_in_one_message(play):
    @play.declare("f", {"seen": list})
    def f(ctx, message):
        ctx.storage.seen = [*(ctx.storage.seen or []), message.value]
        if message.value == "go":
            for text in ("first", "second"):
                ctx.cancel_delayed_message("t")
                ctx.send_after(
                    timedelta(milliseconds=300), play.type("f"), ctx.address.id, text, token="t"
                )

    play.send("f", "a", "go")
    play.wait()
    time.sleep(0.4)
    play.wait()


@scenario
def a_token_that_is_pending_parks_its_sender(play):
    @play.declare("f", {"n": int})
    def f(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1
        ctx.send_after(timedelta(hours=1), play.type("f"), ctx.address.id, "late", token="t")

    play.send("f", "a", "one")
    play.wait()
    play.send("f", "a", "two")
    assert play.wait().parked == 1
    assert "pending already" in play.session.parked[0].reason

    @play.declare("f", {"n": int})
    def mended(ctx, message):
        ctx.cancel_delayed_message("t")
        ctx.storage.n = -1

    play.wait()


@scenario
def a_new_version_adds_and_drops_state_names(play):
    @play.declare("f", {"old": int, "both": int})
    def first(ctx, message):
        ctx.storage.old, ctx.storage.both = 1, 1

    play.send("f", "a", "x")
    play.wait()

    @play.declare("f", {"both": int, "new": str})
    def second(ctx, message):
        ctx.storage.both += 1
        ctx.storage.new = message.value

    play.send("f", "a", "y")
    play.wait()

    @play.declare("f", {"old": int, "both": int, "new": str})
    def third(ctx, message):
        ctx.storage.both += ctx.storage.old

    play.send("f", "a", "z")
    play.wait()


@scenario
def a_state_name_keeps_its_type(play):
    @play.declare("f", {"v": int})
    def first(ctx, message):
        ctx.storage.v = 1

    play.send("f", "a", "x")
    play.wait()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is told, too, by the session that has the value

        @play.declare("f", {"v": str})
        def second(ctx, message):
            ctx.storage.v = "text"

    play.send("f", "a", "y")
    assert play.wait().parked == 1

    @play.declare("f", {"v": int})
    def third(ctx, message):
        ctx.storage.v += 1

    play.wait()


@scenario
def default_values_are_values(play):
    @play.declare("f", {"text": str, "number": int, "flag": bool, "real": float})
    def f(ctx, message):
        s = ctx.storage
        seen = repr((s.text, s.number, s.flag, s.real))
        ctx.send_egress(sf.kafka_egress_message(play.egress(), play.name, seen, key="k"))
        s.text, s.number, s.flag, s.real = "", 0, False, 0.0

    for value in ("", 0, False, 0.0):
        play.send("f", "a", value)
        play.wait()


@scenario
def every_built_in_type(play):
    @play.declare(
        "f",
        [
            sf.ValueSpec("i", sf.IntType),
            sf.ValueSpec("l", sf.LongType),
            sf.ValueSpec("f", sf.FloatType),
            sf.ValueSpec("d", sf.DoubleType),
            sf.ValueSpec("b", sf.BoolType),
            sf.ValueSpec("s", sf.StringType),
        ],
    )
    def f(ctx, message):
        for name, tpe, read in (
            ("i", sf.IntType, message.as_int),
            ("l", sf.LongType, message.as_long),
            ("f", sf.FloatType, message.as_float),
            ("d", sf.DoubleType, message.as_double),
            ("b", sf.BoolType, message.as_bool),
            ("s", sf.StringType, message.as_string),
        ):
            if message.is_type(tpe):
                setattr(ctx.storage, name, read())
                ctx.send(play.type("g"), name, read(), type=tpe)

    @play.declare("g")
    def g(ctx, message):
        pass

    values = [(-(2**31), sf.IntType), (2**63 - 1, sf.LongType), (1.5, sf.FloatType),
              (-1e300, sf.DoubleType), (True, sf.BoolType),
              ("ключ", sf.StringType)]  # fmt: skip
    for value, tpe in values:
        play.send("f", "a", value, type=tpe)
    play.wait()


@scenario
def protobuf_messages(play):
    @play.declare("f", {"last": StringValue})
    def f(ctx, message):
        before = ctx.storage.last
        ctx.storage.last = message.as_type(StringValue)
        if before is not None:
            ctx.send(play.type("f"), "b", before)

    play.send("f", "a", StringValue(value="one"))
    play.send("f", "a", StringValue(value=""))
    play.wait()


@dataclasses.dataclass
class Item:
    name: str
    prices: list[float]


@scenario
def json_values(play):
    @play.declare("f", {"items": dict, "item": Item})
    def f(ctx, message):
        ctx.storage.items = {**(ctx.storage.items or {}), message.value["k"]: message.value}
        ctx.storage.item = Item(message.value["k"], [1.5, 2.5])

    play.send("f", "a", {"k": "x", "deep": [{"ü": None}, 1, 2.5, "y"]})
    play.send("f", "a", {"k": "z"})
    play.wait()


@scenario
def custom_types(play):
    upper = sf.simple_type(f"parity/{play.name}", lambda v: v.upper().encode(), bytes.decode)

    @play.declare("f", [sf.ValueSpec("v", upper)])
    def f(ctx, message):
        ctx.storage.v = message.as_type(upper) + "!"

    play.send("f", "a", "hey", type=upper)
    play.wait()


@scenario
def large_values(play):
    @play.declare("f", {"blob": str, "n": int})
    def f(ctx, message):
        ctx.storage.blob = message.value
        ctx.storage.n = len(message.value)

    play.send("f", "a", "x" * 3_000_000)
    play.send("f", "a", "y" * 10)
    play.wait()


@scenario
def ids_of_any_text(play):
    @play.declare("f", {"n": int})
    def f(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1
        if message.value:
            ctx.send(play.type("f"), ctx.address.id + "→", message.value - 1)

    for id_ in ("ключ", "日本", "a/b c\n", "🙂", "x" * 1_000, "%s{}"):
        play.send("f", id_, 1)
    play.wait()


@scenario
def egress_records_of_all_kinds(play):
    @play.declare("f")
    def f(ctx, message):
        out, other = play.egress("out"), play.egress("other")
        ctx.send_egress(sf.kafka_egress_message(out, f"{play.name}_t", "text", key="key"))
        ctx.send_egress(sf.kafka_egress_message(out, f"{play.name}_t", b"\xff\x00", key="ключ"))
        ctx.send_egress(sf.kafka_egress_message(out, f"{play.name}_t", 7))
        ctx.send_egress(sf.kafka_egress_message(out, f"{play.name}_u", 1.5, key=""))
        ctx.send_egress(sf.egress_message_builder(other, "generic", sf.StringType))
        ctx.send_egress(sf.kinesis_egress_message(other, "stream", "record", "partition"))

    play.send("f", "a", 1)
    play.wait()


@scenario
def an_error_is_mended(play):
    @play.declare("f", {"n": int})
    def broken(ctx, message):
        ctx.send(play.type("g"), "never", 1)
        ctx.storage.n = 100
        raise ValueError("not yet")

    @play.declare("g")
    def g(ctx, message):
        pass

    for i in range(5):
        play.send("f", "a", i)
    assert play.wait().parked == 5

    @play.declare("f", {"n": int})
    def mended(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1
        ctx.send(play.type("g"), "sent", message.value)

    play.wait()


@scenario
def async_functions(play):
    @play.declare("f", {"n": int})
    async def f(ctx, message):
        before = ctx.storage.n or 0
        await asyncio.sleep(0.02)
        ctx.storage.n = before + 1
        ctx.send(play.type("g"), ctx.address.id, before)

    @play.declare("g", {"seen": list})
    async def g(ctx, message):
        ctx.storage.seen = [*(ctx.storage.seen or []), message.value]

    for i in range(20):
        play.send("f", f"k{i % 4}", i)
    play.wait()


@scenario
def a_message_waits_for_its_function(play):
    @play.declare("f")
    def f(ctx, message):
        ctx.send(play.type("later"), "a", message.value)

    play.send("f", "a", "one")
    with pytest.warns(UserWarning, match="is declared: its messages wait until its cell is run"):
        play.send("later", "b", "two")
    assert play.wait().parked == 2

    @play.declare("later", {"seen": str})
    def later(ctx, message):
        ctx.storage.seen = message.value

    play.wait()


@scenario
def state_is_deleted(play):
    @play.declare("f", {"v": int})
    def f(ctx, message):
        if message.value == "delete":
            del ctx.storage.v
        else:
            ctx.storage.v = (ctx.storage.v or 0) + 1

    for step in ("count", "count", "delete", "delete", "count"):
        play.send("f", "a", step)
    play.wait()


@scenario
def class_style_functions(play):
    play.types.add(play.type("f"))

    @sf.function(play.type("f"), functions=play.functions)
    class Counter(sf.StatefulFunction):
        seen = sf.State(int, expire_after_write=timedelta(hours=1))

        async def invoke(self, ctx, message):
            before = self.seen.get() or 0
            await asyncio.sleep(0.005)
            self.seen.set(before + message.value)

    for i in range(30):
        play.send("f", f"k{i % 3}", i)
    play.wait()


@scenario
def records_that_would_fail_a_cluster_park_their_sender(play):
    @play.declare("f")
    def f(ctx, message):
        value, topic = (
            (b"x" * 70_000_000, "t") if message.value == "large" else ("v", message.value)
        )
        ctx.send_egress(sf.kafka_egress_message(play.egress(), topic, value))

    for topic in ("a topic", "t" * 250, "..", "__transaction_state", "large", f"{play.name}_t"):
        play.send("f", topic, topic)
    assert play.wait().parked == 5
    reasons = " ".join(sorted(each.reason for each in play.session.parked))
    assert reasons.count("is not the name of a topic") == 3
    assert "the topic __transaction_state is Kafka's own: a cluster would fail here" in reasons
    assert f"too large for the egress {play.egress()}, whose producer takes 67,108,864" in reasons

    @play.declare("f")
    def mended(ctx, message):
        ctx.send_egress(sf.kafka_egress_message(play.egress(), f"{play.name}_t", "mended"))

    play.wait()


@scenario
def records_that_a_declared_egress_does_not_take_park_their_sender(play):
    def emit(ctx, what):
        if what == "plain":
            ctx.send_egress(sf.egress_message_builder("parity/declared", "text", sf.StringType))
        elif what == "kinesis":
            ctx.send_egress(sf.kinesis_egress_message("parity/declared", "s", "v", "p"))
        elif what == "large":
            ctx.send_egress(sf.kafka_egress_message("parity/declared", "t", b"x" * 2_000_000))

    @play.declare("f", {"n": int})
    def f(ctx, message):
        ctx.storage.n = 1
        emit(ctx, message.value)

    for what in ("plain", "kinesis", "large", "none"):
        play.send("f", what, what)
    assert play.wait().parked == 3
    reasons = {each.address.id: each.reason for each in play.session.parked}
    takes = "parity/declared is one of Kafka: it takes what sf.kafka_egress_message makes, and no "
    assert f"{takes}io.statefun.types/string; a cluster would fail here" in reasons["plain"]
    assert takes in reasons["kinesis"]
    assert "parity/declared, whose producer takes 1,048,576: a cluster" in reasons["large"]

    @play.declare("f", {"n": int})
    def mended(ctx, message):
        ctx.storage.n = 2

    play.wait()


@scenario
def records_of_one_function_keep_their_order(play):
    @play.declare("f")
    def f(ctx, message):
        for i in range(20):
            ctx.send_egress(sf.kafka_egress_message(play.egress(), f"{play.name}_t", str(i)))

    play.send("f", "a", 1)
    play.wait()
    found = [record.value for record in play.session.egress(play.egress())]
    assert found == [str(i) for i in range(20)]


@scenario
def a_parked_message_is_given_up(play):
    @play.declare("f", {"seen": list})
    def f(ctx, message):
        if message.value == "bad":
            raise ValueError("bad")
        ctx.storage.seen = [*(ctx.storage.seen or []), message.value]

    play.send("f", "a", "bad")
    assert play.wait().parked == 1
    play.send("f", "a", "good")
    assert play.wait().parked == 2
    assert play.session.discard(play.type("f"), "a").value == "bad"
    assert play.wait().parked == 0


@scenario
def a_parked_message_is_tried_again_when_asked_to(play):
    down = [True]

    @play.declare("f", {"n": int})
    def f(ctx, message):
        if down:
            raise ConnectionError("the service is down")
        ctx.storage.n = message.value

    play.send("f", "a", 7)
    assert play.wait().parked == 1
    down.clear()
    assert play.session.retry(play.type("f")) == 1
    assert play.wait().parked == 0


@scenario
def a_message_is_sent_again(play):
    @play.declare("f", {"seen": list})
    def f(ctx, message):
        ctx.storage.seen = [*(ctx.storage.seen or []), message.value]

    play.send("f", "a", 1)
    play.wait()
    (served,) = play.session.invocations.filter(type=play.type("f"))
    play.session.resend(served.seq)
    play.wait()
    play.session.resend(served.seq, 5)
    play.wait()


@scenario
def a_function_is_taken_back_and_declared_again(play):
    @play.declare("f", {"n": int})
    def first(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1

    play.send("f", "a", 1)
    play.wait()
    sf.undeclare(play.type("f"), functions=play.functions)
    with pytest.warns(UserWarning, match="is declared: its messages wait"):
        play.send("f", "a", 1)
    assert play.wait().parked == 1

    @play.declare("f", {"n": int})
    def second(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 10

    play.wait()


@scenario
def an_answer_goes_to_the_caller(play):
    @play.declare("ask", {"answer": int})
    def ask(ctx, message):
        if ctx.caller is None:
            ctx.send(play.type("reply"), "all", message.value)
        else:
            ctx.storage.answer = message.value

    @play.declare("reply")
    def reply(ctx, message):
        ctx.send(ctx.caller.typename, ctx.caller.id, message.value * 2)

    for i in range(5):
        play.send("ask", f"k{i}", i)
        play.wait()


@scenario
def a_chain_of_functions(play):
    @play.declare("f", {"hops": int})
    def f(ctx, message):
        ctx.storage.hops = (ctx.storage.hops or 0) + 1
        if message.value:
            ctx.send(play.type("g"), f"{ctx.address.id}x", message.value - 1)

    @play.declare("g", {"hops": int})
    def g(ctx, message):
        ctx.storage.hops = (ctx.storage.hops or 0) + 1
        if message.value:
            ctx.send(play.type("f"), f"{ctx.address.id}y", message.value - 1)

    play.send("f", "a", 12)
    play.wait()


@scenario
def an_error_in_the_middle_of_a_chain_stops_only_what_follows(play):
    @play.declare("f", {"n": int})
    def f(ctx, message):
        ctx.storage.n = 1
        ctx.send(play.type("g"), "a", message.value)

    @play.declare("g")
    def g(ctx, message):
        raise ValueError("not yet")

    @play.declare("h", {"n": int})
    def h(ctx, message):
        ctx.storage.n = message.value

    play.send("f", "a", 3)
    assert play.wait().parked == 1

    @play.declare("g")
    def mended(ctx, message):
        ctx.send(play.type("h"), "a", message.value)

    play.wait()


@scenario
def an_error_of_an_async_function_is_mended(play):
    @play.declare("f", {"n": int})
    async def broken(ctx, message):
        ctx.storage.n = 100
        await asyncio.sleep(0.01)
        raise ValueError("not yet")

    play.send("f", "a", 1)
    assert play.wait().parked == 1

    @play.declare("f", {"n": int})
    async def mended(ctx, message):
        await asyncio.sleep(0)
        ctx.storage.n = (ctx.storage.n or 0) + 1

    play.wait()


@scenario
def many_addresses_of_two_types_with_the_same_ids(play):
    @play.declare("f", {"n": int})
    def f(ctx, message):
        ctx.storage.n = message.value
        ctx.send(play.type("g"), ctx.address.id, -message.value)

    @play.declare("g", {"n": int})
    def g(ctx, message):
        ctx.storage.n = message.value

    play.session.send_many((play.type("f"), f"k{i}", i) for i in range(300))
    play.wait()


@scenario
def delays_of_nothing_and_to_others(play):
    @play.declare("f")
    def f(ctx, message):
        ctx.send_after(timedelta(0), play.type("g"), "now", 1)
        ctx.send_after(timedelta(milliseconds=200), play.type("g"), "later", 2)

    @play.declare("g", {"n": int})
    def g(ctx, message):
        ctx.storage.n = message.value

    play.send("f", "a", 1)
    play.wait()


@scenario
def a_cancellation_by_another_address_has_no_effect(play):
    @play.declare("f", {"seen": list})
    def f(ctx, message):
        ctx.storage.seen = [*(ctx.storage.seen or []), message.value]
        if message.value == "set":
            ctx.send_after(
                timedelta(milliseconds=400), play.type("f"), ctx.address.id, "rings", token="ключ"
            )
        elif message.value == "cancel":
            ctx.cancel_delayed_message("ключ")

    play.send("f", "a", "set")
    play.wait(timers=False)
    play.send("f", "b", "cancel")
    play.wait()


@scenario
def state_that_is_written_and_deleted_in_one_message(play):
    @play.declare("f", {"v": int, "w": str})
    def f(ctx, message):
        ctx.storage.v = message.value
        del ctx.storage.v
        ctx.storage.w = "first"
        ctx.storage.w = "second"

    for i in range(3):
        play.send("f", "a", i)
    play.wait()


@scenario
def empty_payloads(play):
    nothing = sf.simple_type(f"parity/{play.name}", lambda v: b"", lambda data: data)

    @play.declare("f", [sf.ValueSpec("v", nothing)])
    def f(ctx, message):
        had = ctx.storage.v is not None
        ctx.storage.v = message.as_type(nothing)
        ctx.send_egress(sf.kafka_egress_message(play.egress(), f"{play.name}_t", str(had)))

    for _ in range(2):
        play.send("f", "a", b"", type=nothing)
        play.wait()


@scenario
def instances_of_a_class_as_messages(play):
    @play.declare("f", {"last": Item})
    def f(ctx, message):
        item = message.as_type(Item)
        before = ctx.storage.last
        ctx.storage.last = Item(item.name + (before.name if before else ""), item.prices * 2)
        ctx.send(play.type("g"), item.name, item)

    @play.declare("g", {"total": float})
    def g(ctx, message):
        ctx.storage.total = sum(message.as_type(Item).prices)

    for name in ("hat", "кепка"):
        play.send("f", "a", Item(name, [1.5, 2.0]))
        play.wait()


@scenario
def functions_of_another_process(play):
    theirs, counts = sf.StatefulFunctions(), f"elsewhere/{play.name}"
    play.types.add(counts)

    @sf.function(counts, state={"n": int}, functions=theirs)
    def count(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + message.value
        ctx.send(play.type("f"), ctx.address.id, ctx.storage.n)
        ctx.send_after(timedelta(seconds=2), play.type("f"), ctx.address.id, "later")
        ctx.send_egress(sf.kafka_egress_message(play.egress(), play.name, str(message.value)))

    @play.declare("f", {"seen": list})
    def f(ctx, message):
        ctx.storage.seen = [*(ctx.storage.seen or []), message.value]
        if message.value == "go":
            for number in range(1, 6):
                ctx.send(counts, ctx.address.id, number)

    with sf.Session(Options(port=0, functions=theirs)) as process:
        play.session.load_module(
            "kind: io.statefun.endpoints.v2/http\n"
            f"spec: {{functions: elsewhere/*, urlPathTemplate: '{process.url}'}}\n"
        )
        play.send("f", "a", "go")
        play.session.send(counts, "b", 7)
        play.wait()
