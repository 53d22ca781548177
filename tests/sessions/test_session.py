"""The session as a notebook uses it: started again and again, looked at, stopped."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from datetime import timedelta
from typing import Any

import pytest

import statefun_nb as sf


def counter(functions, typename="s/count"):
    @sf.function(typename, state={"n": int}, functions=functions)
    def count(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1


def test_start_again_is_the_same_session_and_other_options_a_new_one(functions):
    first = sf.start(port=0, functions=functions)
    assert sf.start(port=0, functions=functions) is first
    assert sf.session() is first
    with pytest.warns(UserWarning, match="other options"):
        second = sf.start(port=0, functions=functions, on_error="skip")
    assert second is not first
    with pytest.raises(sf.SessionError, match="has been stopped"):
        first.send("s/count", "a", 1)


def test_after_stop_there_is_no_session_and_a_new_start_is_empty(functions):
    counter(functions)
    with sf.start(port=0, functions=functions) as session:
        session.send("s/count", "a", 1)
        session.wait_idle()
        assert session.state("s/count", "a") == {"n": 1}
    with pytest.raises(sf.SessionError, match="no session is running"):
        sf.session()
    sf.stop()  # twice is no error
    assert len(session.invocations) == 1  # the trace stays readable
    with sf.start(port=0, functions=functions) as again:
        assert again.state("s/count", "a") == {}


def test_a_taken_port_moves_to_the_next_and_says_so(functions):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.warns(UserWarning, match=f"port {port} is taken"):
            session = sf.start(port=port, functions=functions)
        assert str(port) not in session.url


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"engine": "spark"}, "engine='spark' is not known"),
        ({"on_error": "panic"}, "'park', 'retry', 'skip'"),
        ({"transport": "pigeon"}, "transport='pigeon'"),
        ({"clock": "sun"}, "clock='sun'"),
        ({"port": -1}, "port=-1"),
        ({"port": "8000"}, "port='8000'"),
        ({"batch_limit": True}, "batch_limit=True"),
        ({"trace_limit": 0}, "trace_limit=0"),
    ],
)
def test_a_wrong_option_is_named_and_the_running_session_stays(functions, options, says):
    running = sf.start(port=0, functions=functions)
    with pytest.raises(sf.SessionError, match=says):
        sf.start(**{"port": 0, "functions": functions, **options})
    assert sf.session() is running


def test_any_thread_may_send_and_look(functions):
    counter(functions)
    with sf.start(port=0, functions=functions) as session:

        def work(name):
            for _ in range(200):
                session.send("s/count", name, 1)
            session.wait_idle()
            found.append(session.state("s/count", name))

        found: list[dict[str, int]] = []
        threads = [threading.Thread(target=work, args=(f"t{i}",)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [{"n": 200}] * 4


def test_inside_a_running_event_loop_idle_is_awaited(functions):
    counter(functions)

    async def cell():
        with sf.start(port=0, functions=functions) as session:
            session.send("s/count", "a", 1)
            ticked = asyncio.create_task(asyncio.sleep(0, "the loop went on"))
            idle = await session.idle()
            return idle.processed, await ticked, session.state("s/count", "a")

    assert asyncio.run(cell()) == (1, "the loop went on", {"n": 1})


def test_wait_idle_says_what_still_moves(functions):
    gate = asyncio.Event()

    @sf.function("s/slow", functions=functions)
    async def slow(ctx, message):
        await gate.wait()

    @sf.function("s/blocks", functions=functions)
    def blocks(ctx, message):
        time.sleep(0.6)

    with sf.start(port=0, functions=functions) as session:
        session.send("s/slow", "a", 1)
        with pytest.raises(sf.IdleTimeout, match=r"1 requests are in flight; s/slow 'a' has been"):
            session.wait_idle(timeout=0.2)
        session._thread.call(gate.set)
        session.wait_idle()
        session.send("s/blocks", "b", 1)
        time.sleep(0.1)
        with pytest.raises(sf.IdleTimeout, match="a sync function: nothing else runs meanwhile"):
            session.wait_idle(timeout=0.1)
        session.wait_idle()
        (blocked,) = session.blocked
        assert str(blocked.address) == "s/blocks 'b'"
        assert 0.5 < blocked.seconds < 5
        assert "blocked" in repr(session)


def test_send_many_takes_anything_and_keeps_what_waits_bounded(functions, monkeypatch):
    module = sys.modules["statefun_nb.sessions.session"]  # sf.session is the function
    monkeypatch.setattr(module, "_MANY_QUEUED", 500)
    monkeypatch.setattr(sys.modules["statefun_nb.sessions.sending"], "_CHUNK", 100)
    counter(functions)
    most = 0

    def messages():
        nonlocal most
        for i in range(5_000):
            most = max(most, session.status().queued)
            yield ("s/count", f"k{i % 7}", i)
        yield sf.message_builder("s/count", "k0", int_value=1)

    with sf.start(port=0, functions=functions) as session:
        assert session.send_many(messages(), progress=False) == 5_001
        session.wait_idle(timeout=30)
        assert sum(values["n"] for values in session.state("s/count").values()) == 5_001
        assert most <= 600


def test_a_wrong_message_among_many_stops_there_and_the_ones_before_were_sent(functions):
    counter(functions)
    with sf.start(port=0, functions=functions) as session:
        messages = [("s/count", "a", 1), ("s/count", "a", object())]
        with pytest.raises(sf.ConversionTypeError, match="message to s/count 'a'"):
            session.send_many(messages)
        session.wait_idle()
        assert session.state("s/count", "a") == {}  # of this chunk nothing was sent


def test_egress_is_kept_by_typename_in_order(functions):
    @sf.function("s/emit", functions=functions)
    def emit(ctx, message):
        value = message.value
        ctx.send_egress(sf.kafka_egress_message("s/kafka", "topic", value, key="k"))
        ctx.send_egress(sf.kinesis_egress_message("s/kinesis", "stream", b"\xff", "p"))
        ctx.send_egress(sf.egress_message_builder("s/other", 7, sf.IntType))

    with sf.start(port=0, functions=functions) as session:
        session.send("s/emit", "a", "one")
        session.send("s/emit", "a", "two")
        session.wait_idle()
        kafka = session.egress("s/kafka")
        assert [(r.topic, r.key, r.value) for r in kafka] == [
            ("topic", "k", "one"),
            ("topic", "k", "two"),
        ]
        (kinesis, _) = session.egress("s/kinesis")
        assert (kinesis.topic, kinesis.key, kinesis.value) == ("stream", "p", b"\xff")
        (other, _) = session.egress("s/other")
        assert (other.topic, other.key, other.value) == (None, None, 7)
        assert len(session.egress()) == 6
        assert session.egress("s/nobody") == []


def test_state_is_decoded_by_the_declared_type_and_by_its_typename_without_one(functions):
    shout = sf.simple_type("s/shout", lambda v: v.upper().encode(), bytes.decode)

    @functions.bind("s/f", [sf.ValueSpec("word", shout), sf.ValueSpec("n", sf.IntType)])
    def f(ctx, message):
        ctx.storage.word, ctx.storage.n = message.value, 3

    with sf.start(port=0, functions=functions) as session:
        session.send("s/f", "a", "hey")
        session.wait_idle()
        assert session.state("s/f", "a") == {"word": "HEY", "n": 3}
        functions._functions.clear()
        assert session.state("s/f", "a") == {"word": b"HEY", "n": 3}
        assert session.state("s/f", "nobody") == {}
        assert session.state("s/nothing") == {}


def test_the_state_of_a_type_is_in_order_of_ids(functions):
    @sf.function("s/f", state={"n": int}, functions=functions)
    def f(ctx, message):
        ctx.storage.n = 1

    with sf.start(port=0, functions=functions) as session:
        session.send_many([("s/f", id_, "x") for id_ in ("cai", "ann", "bob")])
        session.wait_idle()
        assert list(session.state("s/f")) == ["ann", "bob", "cai"]


def test_displays_are_tables_in_which_payloads_are_text(functions):
    @sf.function("s/f", state={"text": str}, functions=functions)
    def f(ctx, message):
        ctx.storage.text = message.value
        ctx.send("s/later", ctx.address.id, message.value)

    evil = "<img src=x onerror=alert(1)>"
    with sf.start(port=0, functions=functions) as session:
        session.send("s/f", evil, evil)
        session.wait_idle()
        one = session.invocations[0]
        shown: list[Any] = [session, session.state("s/f"), session.invocations, one]
        for each in shown:
            html = each._repr_html_()
            assert html.startswith("<table")
            assert "<img" not in html
        assert "&lt;img" in session.state("s/f")._repr_html_()
        assert evil in repr(session.invocations)
        assert "1 processed" in repr(session)
        assert "s/later" in repr(session.parked)


def test_time_moves_by_advance_alone_on_a_virtual_clock(functions):
    @sf.function("s/later", state={"n": int}, functions=functions)
    def later(ctx, message):
        ctx.storage.n = message.value

    with sf.start(port=0, functions=functions, clock="virtual") as session:
        session.send("s/later", "a", 1, delay=timedelta(days=1))
        assert session.wait_idle() == (0, 0, 0, 1)
        session.advance(timedelta(hours=23, minutes=59))
        assert session.state("s/later", "a") == {}
        session.advance(timedelta(minutes=1))
        assert session.state("s/later", "a") == {"n": 1}
        with pytest.raises(sf.ConversionError, match="cannot go back"):
            session.advance(timedelta(seconds=-1))


def test_a_function_may_not_wait_for_its_own_session(functions):
    @sf.function("s/f", functions=functions)
    def f(ctx, message):
        session.state("s/f", "a")

    with sf.start(port=0, functions=functions) as session:
        session.send("s/f", "a", 1)
        session.wait_idle()
        assert "use ctx.send and ctx.storage there" in session.parked[0].reason


def test_stopping_with_a_blocking_function_is_bounded_and_says_so(functions):
    release = threading.Event()

    @sf.function("s/f", functions=functions)
    def f(ctx, message):
        release.wait(10)

    session = sf.start(port=0, functions=functions)
    session.send("s/f", "a", 1)
    time.sleep(0.1)
    begin = time.perf_counter()
    assert session.stop(timeout=0.3) is False
    assert time.perf_counter() - begin < 2
    release.set()
    session._thread._thread.join(5)
