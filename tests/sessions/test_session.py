"""The session as a notebook uses it: started again and again, looked at, stopped."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import timedelta
from typing import Any

import pytest

import statefun_nb as sf
from statefun_nb.sessions import _current
from tests.waiting import eventually


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
    begun, release = threading.Event(), threading.Event()
    gate = asyncio.Event()
    loops = []

    @sf.function("s/slow", functions=functions)
    async def slow(ctx, message):
        loops.append(asyncio.get_running_loop())
        await gate.wait()

    @sf.function("s/blocks", functions=functions)
    def blocks(ctx, message):
        begun.set()
        release.wait(60)

    with sf.start(port=0, functions=functions) as session:
        session.send("s/slow", "a", 1)
        eventually(lambda: loops)
        with pytest.raises(sf.IdleTimeout, match=r"1 request is in flight; s/slow 'a' has been"):
            session.wait_idle(timeout=0.2)
        loops[0].call_soon_threadsafe(gate.set)
        session.wait_idle()
        begin = time.perf_counter()
        session.send("s/blocks", "b", 1)
        assert begun.wait(30)
        with pytest.raises(sf.IdleTimeout, match="a sync function: nothing else runs meanwhile"):
            session.wait_idle(timeout=0.5)
        release.set()
        session.wait_idle()
        (blocked,) = session.blocked
        assert str(blocked.address) == "s/blocks 'b'"
        assert 0.5 < blocked.seconds < time.perf_counter() - begin
        assert "s/blocks 'b' had held up all others for" in repr(session)


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
        assert session.state("s/f").keys() == {"a"}


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
        assert "use ctx.send and ctx.storage;" in session.parked[0].reason


def test_an_endless_function_is_named_and_ends_with_its_session(functions, tmp_path):
    @sf.function("s/spins", functions=functions)
    def spins(ctx, message):
        while True:
            pass

    options = {"port": 0, "functions": functions, "durable": tmp_path / "kept.db"}
    session = sf.start(**options)
    session.send("s/spins", "a", 1)
    eventually(lambda: session.running)
    with pytest.raises(sf.IdleTimeout, match=r"s/spins 'a' .* at test_session\.py, line \d+"):
        session.wait_idle(0.2)
    (running,) = session.status().running
    assert running.line.startswith("test_session.py, line ")
    assert f"at {running.line}" in repr(session)
    with pytest.raises(sf.BusyError, match=r"did not answer within .*s/spins 'a'"):
        session._thread.call(len, "", timeout=0.1)
    assert session.stop(timeout=0.2)
    assert not session._thread.alive
    assert [each.error and each.error.type for each in session.invocations] == ["Interrupted"]
    # The message is there still, and a corrected function gets it.
    sf.function("s/spins", state={"n": int}, functions=functions)(
        lambda ctx, message: setattr(ctx.storage, "n", message.value)
    )
    with sf.start(**options) as again:
        again.wait_idle()
        assert again.state("s/spins", "a") == {"n": 1}


def test_an_endless_coroutine_is_named_too(functions):
    @sf.function("s/spins", functions=functions)
    async def spins(ctx, message):
        while True:
            pass

    @sf.function("s/waits", functions=functions)
    async def waits(ctx, message):
        await asyncio.sleep(60)

    session = sf.start(port=0, functions=functions)
    session.send("s/waits", "a", 1)
    session.send("s/spins", "a", 1)
    eventually(lambda: len(session.running) == 2)
    with pytest.raises(sf.IdleTimeout):
        session.wait_idle(0.2)
    lines = {each.address.typename: each.line for each in session.running}
    assert lines["s/spins"].startswith("test_session.py, line ")
    assert lines["s/waits"] == ""
    assert session.stop(timeout=0.2)


def test_stopping_with_a_function_that_cannot_be_interrupted_says_so(functions):
    held = threading.Lock()
    held.acquire()

    @sf.function("s/f", functions=functions)
    def f(ctx, message):
        held.acquire(timeout=100)  # in C: what interrupts it is raised when it returns

    session = sf.start(port=0, functions=functions)
    session.send("s/f", "a", 1)
    thread = session._thread._thread.ident or 0
    eventually(lambda: sys._current_frames()[thread].f_code is f.__code__)
    begin = time.perf_counter()
    with pytest.warns(UserWarning, match=r"s/f 'a' has been running .* cannot be interrupted"):
        assert session.stop(timeout=0.3) is False
    assert time.perf_counter() - begin < 20
    held.release()
    session._thread._thread.join(30)
    assert not session._thread.alive


SWALLOWS = """
import asyncio, gc, sys, warnings
import statefun_nb as sf

@sf.function("s/swallows")
async def swallows(ctx, message):
    while True:
        try:
            await asyncio.sleep(1)
        except:
            pass

session = sf.start(port=0)
session.send("s/swallows", "a", 1)
while not session.running:
    pass
if "stop" in sys.argv:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        print(session.stop(), *[each.message for each in heard])
    del session
    gc.collect()
print("end")
"""


@pytest.mark.parametrize("how", ["stop", "exit"])
def test_a_coroutine_that_swallows_its_cancellation_holds_up_nobody(how):
    found = subprocess.run(
        [sys.executable, "-c", SWALLOWS, how],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert found.stdout.endswith("end\n")
    if how == "stop":
        assert found.stdout.startswith("False s/swallows 'a' has been running for ")
        assert "it cannot be cancelled" in found.stdout


def test_a_file_that_a_function_of_this_kernel_still_holds(functions, tmp_path):
    release = threading.Event()

    @sf.function("s/f", functions=functions)
    def f(ctx, message):
        if message.value:
            release.wait(100)

    options = {"port": 0, "functions": functions, "durable": tmp_path / "kept.db"}
    session = sf.start(**options)
    session.send("s/f", "a", 1)
    eventually(lambda: session.running)
    with pytest.warns(UserWarning, match="cannot be interrupted"):
        session.stop(timeout=0.1)
    with pytest.raises(
        sf.EngineError,
        match=r"in use by a session of this very kernel .* s/f 'a' has been running for .*, "
        r"at .*; wait till that returns, or restart the kernel",
    ):
        sf.start(**options)
    release.set()
    session._thread._thread.join(30)
    with sf.start(**options) as again:
        again.wait_idle()


def test_a_session_whose_thread_has_ended_is_noticed_and_gives_its_file_back(functions, tmp_path):
    options = {"port": 0, "functions": functions, "durable": tmp_path / "kept.db"}
    session = sf.start(**options)
    session._thread.call(session._thread._end)
    session._thread._thread.join(30)
    assert session.status().state == "ended"
    with pytest.raises(sf.SessionError, match=r"thread has ended: s = sf\.start"):
        session.send("s/f", "a", 1)
    with sf.start(**options) as again:
        assert again is not session
        assert again.status().state == "running"


INSIDE = {
    "wait_idle": lambda s: s.wait_idle(1),
    "check": lambda s: s.check("s/f", "a"),
    "send": lambda s: s.send("s/f", "b", 1),
    "send_many": lambda s: s.send_many([("s/f", "b", 1)]),
    "stop": lambda s: s.stop(),
    "sf.start": lambda s: sf.start(port=0, clock="virtual"),
    "sf.stop": lambda s: sf.stop(),
    "advance": lambda s: s.advance(timedelta(1)),
    "step": lambda s: s.step(),
    "replay": lambda s: s.replay(),
}


@pytest.mark.parametrize("style", ["sync", "async", "thread"])
@pytest.mark.parametrize("call", INSIDE)
def test_what_waits_is_refused_inside_a_function_with_what_to_do_instead(
    engine, functions, call, style
):
    act = INSIDE[call]

    if style == "sync":

        @sf.function("s/f", functions=functions)
        def f(ctx, message):
            act(engine)

    else:

        @sf.function("s/f", functions=functions)
        async def f(ctx, message):
            if style == "thread":
                await asyncio.to_thread(act, engine)
            else:
                act(engine)

    engine.send("s/f", "a", 1)
    begin = time.monotonic()
    assert engine.wait_idle().parked == 1
    assert time.monotonic() - begin < 5
    assert "is not for the inside of a function: " in engine.parked[0].reason
    instead = "ctx.send" if call.startswith("send") else "call it in a cell"
    assert instead in engine.parked[0].reason
    assert engine.status().state == "running"


def test_waiting_without_time_returns_when_nothing_moves(engine):
    assert engine.wait_idle(0) == (0, 0, 0, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.parametrize("durable", [False, True])
def test_a_session_is_refused_in_a_forked_child(functions, tmp_path, durable):
    sf.function("s/f", state={"n": int}, functions=functions)(
        lambda ctx, message: setattr(ctx.storage, "n", 1)
    )

    def child(answers):
        for act in (
            lambda: sf.session().send("s/f", "x", 1),
            lambda: session.send("s/f", "x", 1),
            lambda: session.wait_idle(1),
            lambda: session.state("s/f"),
        ):
            try:
                act()
            except sf.SessionError as error:
                answers.put(str(error))
        session.stop()

    path = tmp_path / "kept.db" if durable else None
    with sf.start(port=0, functions=functions, durable=path) as session:
        context = multiprocessing.get_context("fork")
        answers = context.SimpleQueue()
        process = context.Process(target=child, args=(answers,))
        process.start()
        process.join(30)
        assert process.exitcode == 0
        said = [answers.get() for _ in range(4)]
        assert "no session is running" in said[0]
        assert all("a fork of it: call sf.start()" in each for each in said[1:])
        session.send("s/f", "x", 1)
        session.wait_idle()
        assert session.state("s/f", "x") == {"n": 1}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_fork_while_a_thread_starts_or_stops_a_session_can_have_its_own(functions):
    locked, forked = threading.Event(), threading.Event()

    def starts():
        with _current.lock:
            locked.set()
            forked.wait(30)

    def child():
        with sf.start(port=0, functions=functions) as session:
            session.wait_idle()

    thread = threading.Thread(target=starts)
    thread.start()
    locked.wait(30)
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(30)
    forked.set()
    thread.join()
    if process.exitcode is None:
        process.kill()
    assert process.exitcode == 0


def test_ctrl_c_while_waiting_leaves_nobody_waiting(functions):
    go_on = threading.Event()

    @sf.function("s/slow", functions=functions)
    async def slow(ctx, message):
        await asyncio.to_thread(go_on.wait, 30)

    with sf.start(port=0, functions=functions) as session:
        session.send("s/slow", "a", 1)
        driver = session.engine._driver  # type: ignore[attr-defined]

        def interrupt():
            eventually(lambda: driver._waiters)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        finger = threading.Thread(target=interrupt)
        finger.start()
        with pytest.raises(KeyboardInterrupt):
            session.wait_idle(30)
        finger.join()
        eventually(lambda: not driver._waiters)
        go_on.set()
        assert session.wait_idle().processed == 1  # not told to who has gone


@pytest.mark.parametrize(("ending", "told"), [("", "1 message had"), ("s.wait_idle()", "")])
def test_a_script_that_ends_before_its_messages_are_served_is_told(ending, told):
    program = (
        "import threading\n"
        "import statefun_nb as sf\n"
        "s = sf.start(port=0)\n"
        "began = threading.Event()\n"
        "@sf.function('s/slow')\n"
        "async def slow(ctx, message):\n"
        "    began.set()\n"
        "    import asyncio\n"
        "    await asyncio.sleep(0.3)\n"
        "s.send('s/slow', 'a', 1)\n"
        "began.wait(30)\n" + ending
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr.startswith(f"statefun_nb: {told}" if told else "")
    assert bool(done.stderr) == bool(told)
