"""Beside StateFun's own SDK of 2.x: the same functions, the same requests, the same bytes back."""

from __future__ import annotations

import urllib.request
from datetime import timedelta

import pytest
from google.protobuf.wrappers_pb2 import (
    BoolValue,
    DoubleValue,
    Int32Value,
    Int64Value,
    StringValue,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import statefun_nb as sf
from benchmarks.peers import serving
from tests import peer_2
from tests.requirements import need_statefun_2


@pytest.fixture(scope="module")
def theirs():
    """The reply of their handler, behind aiohttp."""
    with serving(need_statefun_2(), "peer_2.py") as port:

        def ask(data):
            url = f"http://127.0.0.1:{port}/statefun"
            with urllib.request.urlopen(urllib.request.Request(url, data)) as answer:
                return answer.read()

        yield ask


def our_functions():
    functions = sf.StatefulFunctions()

    @sf.function("example/person", state={"visits": int}, functions=functions)
    def person(ctx, message):
        visits = (ctx.storage.visits or 0) + 1
        ctx.storage.visits = visits
        ctx.send("example/greeter", ctx.address.id, f"{message.value} x{visits}")

    @sf.function("example/greeter", functions=functions)
    def greeter(ctx, message):
        name = ctx.address.id
        text = f"{name}: {message.value}"
        ctx.send_egress(
            sf.kafka_egress_message("example/out", "example.greetings", text, str, name)
        )

    @sf.function("test/every", state={"kept": str}, functions=functions)
    def every(ctx, message):
        value = message.value
        if value == "clear":
            del ctx.storage.kept
        elif value == "later":
            ctx.send_after(timedelta(seconds=1.5), "test/other", "x", "it is later")
        elif value == "back":
            if ctx.caller is not None:
                ctx.send(ctx.caller.typename, ctx.caller.id, "back")
        elif value == "numbers":
            for each in (True, 7, 0, -7, 2**40, 0.5):
                ctx.send("test/other", "x", each)
            ctx.send("test/other", "x", -5, type=sf.IntType)
            ctx.send("test/other", "x", 0.25, type=sf.FloatType)
        else:
            ctx.storage.kept = f"{type(value).__name__} {value}"

    return functions


@pytest.fixture(scope="module")
def ours():
    return sf.RequestReplyHandler(our_functions(), protocol=2).handle_sync


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=150)
commands = st.sampled_from(["clear", "later", "back", "numbers"])
# Of what is no text, neither end says "": an empty message is none to their SDK.
value = st.one_of(
    st.builds(StringValue, value=text.filter(bool) | commands),
    st.builds(Int32Value, value=st.integers(-(2**31), 2**31 - 1).filter(bool)),
    st.builds(Int64Value, value=st.integers(-(2**63), 2**63 - 1).filter(bool)),
    st.just(BoolValue(value=True)),
    st.builds(DoubleValue, value=st.floats(allow_nan=False).filter(bool)),
)
prefix = st.sampled_from(["type.googleapis.com/", "com.googleapis/", "elsewhere/", "/"])
argument = st.builds(peer_2.packed, value, prefix)
kept = st.just(b"") | st.builds(
    lambda value, where: peer_2.stored(peer_2.packed(value, where)),
    st.builds(StringValue, value=text),
    prefix,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    text,
    st.lists(argument, max_size=4),
    kept,
    st.none() | st.tuples(st.just("a/b"), text.filter(bool)),
)
def test_a_batch_is_answered_with_the_same_bytes(theirs, ours, id_, messages, kept, caller):
    data = peer_2.request(("test/every", id_ or "x"), messages, {"kept": kept}, caller)
    assert ours(data) == theirs(data)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(text.filter(bool), max_size=3), st.integers(-(2**63), 2**62))
def test_a_count_goes_on_where_the_other_left_it(theirs, ours, texts, visits):
    state = {"visits": peer_2.stored(peer_2.packed(Int64Value(value=visits)))}
    messages = [peer_2.packed(StringValue(value=each)) for each in texts]
    for _ in range(2):  # the one reads what the other has written
        data = peer_2.request(("example/person", "bob"), messages, state)
        mine, its = ours(data), theirs(data)
        assert mine == its
        for mutation in peer_2.reply(mine).state_mutations:
            state[mutation.state_name] = mutation.state_value


def test_a_record_for_kafka_is_that_of_their_time(theirs, ours):
    data = peer_2.request(("example/greeter", "bob"), [peer_2.packed(StringValue(value="hi"))])
    assert ours(data) == theirs(data)
    (record,) = peer_2.reply(ours(data)).outgoing_egresses
    name = record.argument.type_url.rpartition("/")[2]
    assert name == "org.apache.flink.statefun.flink.io.KafkaProducerRecord"
