"""What the embedded engine does, message by message; each scenario by both transports."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import defaultdict
from datetime import timedelta

import pytest

import statefun_nb as sf
from statefun_nb.engine.embedded import EmbeddedEngine
from statefun_nb.errors import EngineError
from tests.waiting import eventually

SECOND = timedelta(seconds=1)


def test_messages_reach_their_function_and_state_is_kept(engine, functions):
    @sf.function("a/b", state={"n": int}, functions=functions)
    def count(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + message.value

    engine.send("a/b", "x", 1)
    engine.send_many([("a/b", "x", 2), ("a/b", "y", 5)])
    assert engine.wait_idle() == (3, 0, 0, 0)
    assert engine.state("a/b", "x") == {"n": 3}
    assert engine.state("a/b") == {"x": {"n": 3}, "y": {"n": 5}}
    assert engine.state("a/b", "nobody") == {}


def test_messages_of_one_sender_keep_their_order(engine, functions):
    got = []

    @sf.function("a/sender", functions=functions)
    def sender(ctx, message):
        for i in range(message.value):
            ctx.send("a/target", "t", i)

    @sf.function("a/target", functions=functions)
    async def target(ctx, message):
        await asyncio.sleep(0)
        got.append(message.value)

    engine.send("a/sender", "s", 300)
    engine.send("a/sender", "s", 200)
    engine.wait_idle()
    assert got == [*range(300), *range(200)]


def test_one_request_at_a_time_per_address_and_waiting_messages_form_a_batch(engine, functions):
    running: dict[str, int] = defaultdict(int)
    most = 0

    @sf.function("a/b", functions=functions)
    async def slow(ctx, message):
        nonlocal most
        running[ctx.address.id] += 1
        most = max(most, running[ctx.address.id])
        await asyncio.sleep(0.001)
        running[ctx.address.id] -= 1

    engine.send_many([("a/b", str(i % 3), i) for i in range(30)])
    engine.wait_idle()
    assert most == 1
    batches = defaultdict(list)
    for each in engine.invocations:
        batches[each.batch].append(each)
    assert sum(len(batch) for batch in batches.values()) == 30
    assert max(len(batch) for batch in batches.values()) > 1
    assert all(len({i.address for i in batch}) == 1 for batch in batches.values())


def test_a_slow_await_blocks_no_other_address(engine, functions):
    gate = threading.Event()
    done = []

    @sf.function("a/b", functions=functions)
    async def function(ctx, message):
        if ctx.address.id == "slow":
            while not gate.is_set():
                await asyncio.sleep(0.001)
        done.append(ctx.address.id)

    engine.send("a/b", "slow", 1)
    engine.send_many([("a/b", f"fast{i}", 1) for i in range(20)])
    eventually(lambda: len(done) == 20)
    with pytest.raises(sf.IdleTimeout, match=r"a/b 'slow' has been running"):
        engine.wait_idle(timeout=0.3)
    assert len(done) == 20
    gate.set()
    engine.wait_idle()
    assert done[-1] == "slow"


def test_the_batch_limit_is_kept(functions):
    sf.function("a/b", functions=functions)(lambda ctx, message: None)
    with sf.start(port=0, functions=functions, batch_limit=7, paused=True) as session:
        session.send_many([("a/b", "x", i) for i in range(20)])
        session.resume()
        session.wait_idle()
        sizes: dict[int, int] = defaultdict(int)
        for each in session.invocations:
            sizes[each.batch] += 1
        assert sorted(sizes.values()) == [6, 7, 7]


def test_self_sends_see_the_state_of_the_message_before(engine, functions):
    @sf.function("a/b", state={"n": int}, functions=functions)
    def countdown(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1
        if message.value:
            ctx.send("a/b", ctx.address.id, message.value - 1)

    engine.send("a/b", "x", 100)
    engine.wait_idle()
    assert engine.state("a/b", "x") == {"n": 101}
    assert engine.invocations[-1].caller == engine.invocations[-1].address


def test_fan_out_and_fan_in(engine, functions):
    @sf.function("a/root", state={"sum": int, "left": int}, functions=functions)
    def root(ctx, message):
        if ctx.caller is None:
            ctx.storage.left, ctx.storage.sum = message.value, 0
            for i in range(message.value):
                ctx.send("a/worker", str(i), i)
        else:
            ctx.storage.sum += message.value
            ctx.storage.left -= 1
            if not ctx.storage.left:
                ctx.send_egress(sf.egress_message_builder("a/out", ctx.storage.sum, sf.LongType))

    @sf.function("a/worker", functions=functions)
    async def worker(ctx, message):
        await asyncio.sleep(0)
        ctx.send(ctx.caller.typename, ctx.caller.id, message.value**2)

    engine.send("a/root", "r", 50)
    engine.wait_idle()
    assert [record.value for record in engine.egress("a/out")] == [sum(i * i for i in range(50))]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, [1, 2, 3, 4]),
        ({"expire_after_write": 10 * SECOND}, [1, 2, None, 1]),
        ({"expire_after_call": 10 * SECOND}, [1, 2, 3, None]),
    ],
    ids=["none", "after-write", "after-call"],
)
def test_state_expires_as_declared(engine, functions, spec, expected):
    seen = []

    @functions.bind("a/b", [sf.ValueSpec("n", sf.LongType, **spec)])
    def function(ctx, message):
        n = ctx.storage.n
        if message.value == "write":
            ctx.storage.n = (n or 0) + 1
            n = ctx.storage.n
        seen.append(n)

    def act(message):
        engine.send("a/b", "x", message)
        engine.wait_idle()

    if not spec:
        for _ in range(4):
            act("write")
            engine.advance(timedelta(days=400))
    elif "expire_after_write" in spec:
        act("write")  # written at 0 s
        engine.advance(9 * SECOND)
        act("write")  # 9 s: there, written again
        engine.advance(9 * SECOND)
        engine.send("a/b", "x", "read")  # 18 s: still there; a read does not restart the clock
        engine.wait_idle()
        assert seen.pop() == 2
        engine.advance(1 * SECOND)  # 19 s = 9 s + 10 s
        assert engine.state("a/b", "x") == {}
        act("read")
        act("write")
    else:
        act("write")
        engine.advance(9 * SECOND)
        act("write")
        engine.advance(9 * SECOND)
        act("read")  # 18 s: there, and the clock starts again
        assert seen.pop() == 2
        engine.advance(9 * SECOND)
        act("write")  # 27 s
        engine.advance(10 * SECOND)
        act("read")
    assert seen == expected


def test_delayed_messages_come_in_order_each_at_its_time(engine, functions):
    got = []

    @sf.function("a/b", functions=functions)
    def function(ctx, message):
        if message.value == "start":
            for delay, name in ((3, "c"), (1, "a"), (1, "b"), (0, "now")):
                ctx.send_after(delay * SECOND, "a/b", "y", name)
        else:
            got.append((message.value, engine.engine.now() - begin, str(ctx.caller)))

    begin = engine.engine.now()
    engine.send("a/b", "x", "start")
    engine.send("a/b", "y", "outside", delay=2 * SECOND)
    assert engine.wait_idle().delayed == 4
    assert got == [("now", 0, "a/b 'x'")]
    engine.advance(10 * SECOND)
    assert [(name, at) for name, at, _ in got[1:]] == [("a", 1), ("b", 1), ("outside", 2), ("c", 3)]
    assert got[3][2] == "None"


def test_a_cancelled_message_is_never_delivered(engine, functions):
    got = []

    @sf.function("a/b", functions=functions)
    def function(ctx, message):
        if message.value == "set":
            ctx.send_after(SECOND, "a/target", "t", ctx.address.id, token="token")
        elif message.value == "cancel":
            ctx.cancel_delayed_message("token")

    sf.function("a/target", functions=functions)(lambda ctx, message: got.append(message.value))
    for id_ in ("x", "y"):
        engine.send("a/b", id_, "set")
    engine.send("a/b", "x", "cancel")
    engine.send("a/b", "stranger", "cancel")  # a token belongs to the address that set it
    engine.wait_idle()
    engine.advance(SECOND)
    assert got == ["y"]
    engine.send("a/b", "y", "cancel")  # delivered already: nothing happens
    engine.send("a/b", "y", "set")  # and the token is free again
    engine.wait_idle()
    engine.advance(SECOND)
    assert got == ["y", "y"]
    assert engine.parked == []


def test_a_token_that_is_pending_already_parks_the_sender(engine, functions):
    @sf.function("a/b", state={"n": int}, functions=functions)
    def function(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1
        ctx.send_after(SECOND, "a/b", "z", 1, token="token")

    engine.send("a/b", "x", 1)
    engine.wait_idle()
    engine.send("a/b", "x", 2)
    assert engine.wait_idle() == (0, 1, 0, 1)
    assert engine.state("a/b", "x") == {"n": 1}
    assert "'token', under which one is pending" in engine.parked[0].reason


def test_an_error_undoes_its_message_and_parks_the_address_until_the_cell_is_mended(
    engine, functions
):
    @sf.function("a/b", state={"n": int}, functions=functions)
    def broken(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1
        ctx.send("a/c", "y", message.value)
        if message.value == 3:
            raise ValueError("three")

    got = []
    sf.function("a/c", functions=functions)(lambda ctx, message: got.append(message.value))
    engine.send_many([("a/b", "x", i) for i in range(6)])
    engine.send("a/b", "other", 9)
    result = engine.wait_idle()
    assert result.parked == 3
    assert sorted(got) == [0, 1, 2, 9]
    assert engine.state("a/b") == {"x": {"n": 3}, "other": {"n": 1}}
    (parked,) = engine.parked
    assert (parked.address.id, parked.waiting, parked.reason) == ("x", 3, "ValueError: three")

    @sf.function("a/b", state={"n": int}, functions=functions)
    def mended(ctx, message):
        ctx.storage.n += 10
        ctx.send("a/c", "y", message.value)

    assert engine.wait_idle() == (6, 0, 0, 0)
    assert engine.state("a/b", "x") == {"n": 33}
    assert sorted(got) == [0, 1, 2, 3, 4, 5, 9]


def test_a_message_to_a_function_nobody_declared_waits_for_its_cell(engine, functions):
    with pytest.warns(UserWarning, match="no function 'a/late' is declared"):
        engine.send_many([("a/late", "x", i) for i in range(4)])
    engine.send("a/late", "x", 4)  # it is said once a name
    assert engine.wait_idle() == (0, 5, 0, 0)
    (parked,) = engine.parked
    assert "no function 'a/late' is declared" in parked.reason
    assert (parked.undeclared, parked.waiting, parked.attempts, parked.line) == (True, 5, 0, "")
    got = []
    sf.function("a/late", functions=functions)(lambda ctx, message: got.append(message.value))
    assert engine.wait_idle() == (5, 0, 0, 0)
    assert got == [0, 1, 2, 3, 4]


def test_skip_drops_only_the_message_that_fails(functions):
    got = []

    @sf.function("a/b", functions=functions)
    def function(ctx, message):
        if message.value % 3 == 0:
            raise ValueError
        got.append(message.value)
        ctx.send_egress(sf.egress_message_builder("a/out", message.value, sf.LongType))

    with sf.start(port=0, functions=functions, on_error="skip", paused=True) as session:
        session.send_many([("a/b", "x", i) for i in range(10)])
        session.resume()
        session.wait_idle()
        assert [r.value for r in session.egress()] == [1, 2, 4, 5, 7, 8]
        assert session.parked == []
        assert session.status().errors > 0


def test_retry_tries_again_with_growing_back_off(functions):
    times: list[int] = []

    @sf.function("a/b", functions=functions)
    def function(ctx, message):
        assert isinstance(session.engine, EmbeddedEngine)
        times.append(session.engine._clock.now_ms())
        if len(times) < 6:
            raise ValueError

    with sf.start(port=0, functions=functions, on_error="retry", clock="virtual") as session:
        session.send("a/b", "x", 1)
        session.wait_idle()
        session.advance(timedelta(minutes=1))
        assert [b - a for a, b in itertools.pairwise(times)] == [10, 20, 40, 80, 160]
        assert session.wait_idle().parked == 0


def test_retry_by_the_system_clock_is_waited_for(functions):
    tries = []

    @sf.function("a/b", functions=functions)
    def function(ctx, message):
        tries.append(1)
        if len(tries) < 4:
            raise ValueError

    with sf.start(port=0, functions=functions, on_error="retry") as session:
        session.send("a/b", "x", 1)
        assert session.wait_idle(timers=False).processed == 1
        assert len(tries) == 4
        failed, served = session.invocations
        assert failed.error is not None
        assert (failed.error.retries, served.status) == (2, "ok")  # one error, tried twice again
        assert failed.repaired
        assert "<td>attempts</td><td>3</td>" in failed._repr_html_()
        assert "its message has gone through since" in failed._repr_html_()


def test_so_many_requests_are_in_flight_and_no_more(functions, monkeypatch):
    monkeypatch.setattr("statefun_nb.engine.driver._MOST_IN_FLIGHT", 20)
    now, most = [0], [0]

    @sf.function("a/slow", state={"n": int}, functions=functions)
    async def slow(ctx, message):
        now[0] += 1
        most[0] = max(most[0], now[0])
        await asyncio.sleep(0.001)
        now[0] -= 1
        ctx.storage.n = (ctx.storage.n or 0) + 1

    with sf.start(port=0, functions=functions) as session:
        session.send_many([("a/slow", f"u{n}", 1) for n in range(500)], progress=False)
        assert session.wait_idle(60).processed == 500
        assert most[0] == 20


def test_what_is_tried_again_and_again_is_named_with_its_line(functions):
    @sf.function("a/b", functions=functions)
    def function(ctx, message):
        raise ValueError

    with sf.start(port=0, functions=functions, on_error="retry") as session:
        session.send("a/b", "x", 1)
        # The pause before the next try is long then, and it is nearly always that.
        eventually(lambda: any(e.error and e.error.retries > 4 for e in session.invocations))
        with pytest.raises(
            sf.IdleTimeout,
            match=r"1 message waits, 0 requests are in flight; a/b 'x' has failed \d+ times?, "
            r"at test_scenarios\.py, line \d+$",
        ):
            session.wait_idle(0.3)


def test_pause_step_and_resume(engine, functions):
    sf.function("a/b", functions=functions)(lambda ctx, message: print(message.value))
    engine.pause()
    engine.send_many([("a/b", "x", i) for i in range(4)])
    assert engine.wait_idle().waiting == 4
    assert engine.step().stdout == "0\n"
    assert engine.step().stdout == "1\n"
    assert engine.status().state == "paused"
    engine.resume()
    assert engine.wait_idle().processed == 4
    assert engine.step() is None


def test_wait_idle_waits_for_what_falls_due_in_time_and_not_for_the_rest(functions):
    got = []
    sf.function("a/b", functions=functions)(lambda ctx, message: got.append(message.value))
    with sf.start(port=0, functions=functions) as session:
        session.send("a/b", "x", "soon", delay=timedelta(seconds=1))
        session.send("a/b", "x", "late", delay=timedelta(hours=1))
        assert session.wait_idle(timers=False) == (0, 0, 0, 2)
        assert session.wait_idle(timeout=30) == (1, 0, 0, 1)
        assert got == ["soon"]
        assert session.advance(timedelta(hours=1)) == (1, 0, 0, 0)
        assert got == ["soon", "late"]


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("second", "says"),
    [
        (sf.ValueSpec("n", sf.StringType), "has the type io.statefun.types/long and cannot become"),
        (sf.ValueSpec("n", sf.LongType, expire_after_write=MINUTE), "never expires, and cannot"),
    ],
    ids=["type", "expiration"],
)
def test_a_declaration_that_does_not_fit_what_is_stored_asks_what_to_do(
    engine, functions, second, says
):
    @functions.bind("a/b", [sf.ValueSpec("n", sf.LongType)])
    def before(ctx, message):
        if message.value:
            ctx.storage.n = message.value

    engine.send("a/b", "empty", 0)
    engine.send("a/b", "full", 1)
    engine.wait_idle()

    with pytest.warns(UserWarning, match=says):  # where it is declared, and of what it parks

        @functions.bind("a/b", [second])
        def after(ctx, message):
            ctx.send("a/c", "y", 1)
            ctx.storage.n = message.value

    value = "text" if second.type is sf.StringType else 5
    engine.send("a/b", "empty", value)
    engine.wait_idle()
    (parked,) = engine.parked  # and not a/c 'y', which nothing was sent to
    assert says in parked.reason
    assert "s.set_state('a/b', 'full', n=None)" in parked.reason
    assert engine.state("a/b") == {"full": {"n": 1}}
    # What it asks for is done: the next one takes the new declaration in.
    functions.register("a/c", lambda ctx, message: None)
    engine.set_state("a/b", "full", n=None)
    functions.register("a/b", after, [second])
    engine.wait_idle()
    assert engine.parked == []
    assert engine.state("a/b") == {"empty": {"n": value}}


@pytest.mark.parametrize("declared", [str, float])
def test_a_corrected_type_takes_effect_where_no_value_is_there(engine, functions, declared):
    sf.function("a/b", state={"n": int}, functions=functions)(lambda ctx, message: None)
    engine.send("a/b", "x", "1")
    engine.wait_idle()

    @sf.function("a/b", state={"n": declared}, functions=functions)
    def after(ctx, message):
        ctx.storage.n = declared(message.value)

    engine.send("a/b", "x", "1")
    engine.wait_idle()
    assert engine.parked == []
    assert engine.state("a/b", "x") == {"n": declared("1")}


def test_a_corrected_expiration_takes_effect_where_no_value_is_there(engine, functions):
    for duration in (timedelta(hours=1), MINUTE):

        @functions.bind("a/b", [sf.ValueSpec("n", sf.LongType, expire_after_write=duration)])
        def after(ctx, message):
            if message.value:
                ctx.storage.n = message.value

        engine.send("a/b", "x", 0)
        engine.wait_idle()
    engine.send("a/b", "x", 1)
    engine.wait_idle()
    engine.advance(MINUTE)
    assert engine.state("a/b", "x") == {}


def test_names_that_a_new_version_adds_or_drops(engine, functions):
    sf.function("a/b", state={"old": int}, functions=functions)(
        lambda ctx, message: setattr(ctx.storage, "old", 1)
    )
    engine.send("a/b", "x", 1)
    engine.wait_idle()
    sf.function("a/b", state={"new": str}, functions=functions)(
        lambda ctx, message: setattr(ctx.storage, "new", "n")
    )
    engine.send("a/b", "x", 1)
    engine.wait_idle()
    assert engine.state("a/b", "x") == {"old": 1, "new": "n"}
    assert engine.invocations[-1].state_before == {}


def test_unicode_ids_and_large_values(engine, functions):
    got = []
    sf.function("a/b", functions=functions)(
        lambda ctx, message: got.append((ctx.address.id, len(message.value)))
    )
    engine.send("a/b", "日本 / ?#\n", "x" * 3_000_000)
    engine.wait_idle()
    assert got == [("日本 / ?#\n", 3_000_000)]


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (("ab", "x", 1), "namespace/name"),
        (("a/b", "", 1), "can not be empty"),
        (("a/b", "x", None), "None is no value that a message can have"),
        (("a/b", "x", object()), "cannot tell"),
        (("a/b", "x", 2**64), "does not fit"),
        (("a/b", "\udcff", 1), "UTF-8"),
        (("a/b", 5, 1), "must be a string"),
        ("text", "tuple"),
    ],
)
def test_a_wrong_message_is_refused_and_nothing_is_sent(engine, message, says):
    with pytest.raises(sf.StatefunError, match=says):
        engine.send_many([message])
    with pytest.raises(sf.StatefunError):
        engine.send(*message) if isinstance(message, tuple) else engine.send(message)
    assert engine.wait_idle() == (0, 0, 0, 0)


def test_restarting_the_endpoint_in_the_middle_loses_and_doubles_nothing(functions):
    pytest.importorskip("aiohttp")

    @sf.function("a/b", state={"n": int}, functions=functions)
    async def count(ctx, message):
        await asyncio.sleep(0.001)
        ctx.storage.n = (ctx.storage.n or 0) + 1
        ctx.send("a/sum", "all", 1)

    @sf.function("a/sum", state={"n": int}, functions=functions)
    def total(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + message.value
        ctx.send_egress(sf.egress_message_builder("a/out", ctx.storage.n, sf.LongType))

    with sf.start(port=0, functions=functions, transport="http") as session:
        session.send_many([("a/b", f"k{i % 50}", 1) for i in range(5_000)])
        for _ in range(5):
            port = session.endpoint.port
            session.endpoint.stop(grace=0)
            assert not session.endpoint.listening
            assert session.endpoint.start(port) == port
        session.wait_idle(timeout=60)
        assert session.state("a/sum", "all") == {"n": 5_000}
        assert sum(s["n"] for s in session.state("a/b").values()) == 5_000
        assert [r.value for r in session.egress("a/out")] == list(range(1, 5_001))


def test_a_function_that_never_has_enough_state_names_is_parked(functions, monkeypatch):
    from statefun_nb.protocol.v3 import decode_reply, encode_missing

    sf.function("a/b", functions=functions)(lambda ctx, message: None)
    with sf.start(port=0, functions=functions) as session:
        assert isinstance(session.engine, EmbeddedEngine)
        asks_again = decode_reply(encode_missing([]))
        transport = session.engine._driver._transport
        monkeypatch.setattr(transport, "send", lambda target, state, data: asks_again)
        session.send("a/b", "x", 1)
        assert session.wait_idle().parked == 1
        assert "asked 100 times" in session.parked[0].reason


def test_the_engine_error_of_a_second_start_says_where_it_listens(functions):
    with sf.start(port=0, functions=functions) as session, pytest.raises(EngineError, match="http"):
        session.endpoint.start()


def test_step_gives_the_invocation_of_the_message_that_it_served(engine, functions):
    @sf.function("a/bad", functions=functions)
    def bad(ctx, message):
        raise ValueError("as always")

    sf.function("a/good", functions=functions)(lambda ctx, message: None)
    engine.pause()
    engine.send("a/bad", "x", 1)
    assert engine.step().error.type == "ValueError"
    engine.send("a/good", "x", 1)
    assert engine.step().address.typename == "a/good"
    engine.retry("a/bad", "x")
    again = engine.step()
    assert (again.address.typename, again.error.retries) == ("a/bad", 1)
    with pytest.warns(UserWarning, match="is declared"):
        engine.send("a/nobody", "x", 1)
    assert engine.step() is None  # nobody serves it
    engine.send("a/nobody", "y", 1)
    engine.send("a/good", "y", 1)
    assert engine.step().address == ("a", "good", "y", "a/good")
