"""A session on the real StateFun 2.2.2: what is its own, beside what the parity suite compares."""

from __future__ import annotations

from datetime import timedelta
from typing import get_args

import pytest

import statefun_nb as sf
from benchmarks.peers import serving
from statefun_nb.cluster.release import OF_2, RELEASES
from statefun_nb.sessions.options import Options, StatefunVersion
from tests.peer_2 import function, module
from tests.requirements import need_flink, need_statefun_2
from tests.waiting import eventually

from .shared import leave_clean, left_as_it_was, shared_cluster


@pytest.fixture(scope="module")
def cluster():
    with shared_cluster("c", "2.2.2") as (session, functions):
        session.send("c/nothing", "a", 1)
        session.wait_idle(180)  # the job runs: what is declared from now on comes later
        yield session, functions


@pytest.fixture
def shared(cluster):
    yield cluster
    leave_clean(cluster[0])


def again(what):
    return pytest.warns(UserWarning, match=f"StateFun starts again, from a savepoint, {what}")


@pytest.mark.parametrize("wrong", ["2.2", "3.2.0", 5, None, ["2.2.2"]])
def test_other_versions_are_refused_with_those_that_exist(functions, wrong):
    with pytest.raises(sf.SessionError, match=r"is not known: use '3\.3\.0', '2\.2\.2'"):
        Options(engine="flink", statefun=wrong, functions=functions)


def test_the_embedded_engine_has_no_version(functions):
    with pytest.raises(sf.SessionError, match="has no statefun=: it is for 'flink' or 'docker'"):
        Options(statefun="2.2.2", functions=functions)


def test_every_version_that_can_be_asked_for_has_its_record():
    assert tuple(RELEASES) == get_args(StatefunVersion)


def test_its_flink_is_that_of_its_time_and_its_module_is_of_version_2(shared):
    session, _ = shared
    session.wait_idle(180)
    assert session.engine.cluster.rest.get("/config")["flink-version"] == "1.11.3"
    text = session.module_yaml()
    assert text.startswith("version: '2.0'")
    assert session.url_v2 in text
    assert "timeout: 24h" in text
    assert "readTimeout: 1ns" in text  # none: a held request has no byte of an answer
    assert session.status().engine == "flink"
    assert session.status().web_url


def test_a_function_of_a_later_cell_and_its_later_state_are_known_after_a_savepoint(shared):
    session, functions = shared

    @sf.function("c/first", state={"n": int}, functions=functions)
    def first(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1

    with again("to know c/first"):
        session.send_many(("c/first", f"k{i % 5}", i) for i in range(500))
        session.wait_idle(180)
    assert session.state("c/first") == {f"k{i}": {"n": 100} for i in range(5)}
    generation = session.engine.cluster.generation

    @sf.function("c/first", state={"n": int}, functions=functions)
    def the_same_state(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 10

    session.send("c/first", "k0", 1)
    session.wait_idle(180)
    assert session.engine.cluster.generation == generation  # nothing that module.yaml names

    @sf.function("c/first", state={"n": int, "last": str}, functions=functions)
    def more_state(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1
        ctx.storage.last = message.value

    with again("to know c/first"):
        session.send("c/first", "k0", "new")
        session.wait_idle(180)
    assert session.state("c/first", "k0") == {"n": 111, "last": "new"}


def test_a_send_to_a_function_that_is_declared_later_is_mended_by_its_cell(shared):
    session, functions = shared

    @sf.function("c/early", functions=functions)
    def early(ctx, message):
        ctx.send("c/late", ctx.address.id, message.value)

    with again("to know c/early"):
        session.send("c/early", "a", 7)
        assert session.wait_idle(180).parked == 1
    assert "no endpoint of the cluster serves 'c/late'" in session.parked[0].reason

    @sf.function("c/late", state={"got": int}, functions=functions)
    def late(ctx, message):
        ctx.storage.got = message.value

    with again("to know c/late"):
        session.wait_idle(180)
    assert session.parked == []
    assert session.state("c/late", "a") == {"got": 7}


def test_a_cancellation_is_an_error_of_its_function(shared):
    session, functions = shared

    @sf.function("c/cancels", state={"seen": list}, functions=functions)
    def cancels(ctx, message):
        ctx.storage.seen = [*(ctx.storage.seen or []), message.value]
        if message.value == "set":
            ctx.send_after(timedelta(milliseconds=300), "c/cancels", "a", "rings", token="t")
        elif message.value == "cancel":
            ctx.cancel_delayed_message("t")

    with again("to know c/cancels"):
        session.send("c/cancels", "a", "set")
        session.wait_idle(180)
    with left_as_it_was(session, 180):
        session.send("c/cancels", "a", "cancel")
        assert session.wait_idle(180).parked == 1
        assert "StateFun 2.x cannot cancel a delayed message" in session.parked[0].reason
        session.discard("c/cancels", "a")
    assert session.state("c/cancels", "a") == {"seen": ["set", "rings"]}


def test_an_endpoint_of_today_is_refused_before_anything_is_stopped(shared):
    session, _ = shared
    session.wait_idle(180)
    generation = session.engine.cluster.generation
    text = (
        "kind: io.statefun.endpoints.v2/http\nspec: {functions: x/*, urlPathTemplate: 'http://a'}"
    )
    with pytest.raises(sf.EngineError, match=r"line 1: x/\* is an endpoint of StateFun 3\.x"):
        session.load_module(text + "\n")
    assert session.engine.cluster.generation == generation


MODULE = """
    ingresses:
      - ingress:
          meta: {type: statefun.kafka.io/routable-protobuf-ingress, id: c/in}
          spec:
            address: "{kafka}"
            consumerGroupId: g
            startupPosition: {type: earliest}
            topics:
              - topic: questions
                typeUrl: com.googleapis/google.protobuf.StringValue
                targets: [example/person]
    egresses:
      - egress:
          meta: {type: statefun.kafka.io/generic-egress, id: example/out}
          spec:
            address: "{kafka}"
            deliverySemantic: {type: exactly-once, transactionTimeoutMillis: 100000}
"""


def test_functions_of_its_own_sdk_are_called_through_the_session_and_traced(shared):
    """With an ingress and an egress as a module.yaml of that time has them."""
    session, _ = shared
    session.wait_idle(180)
    with serving(need_statefun_2(), "peer_2.py") as port:
        url = f"http://127.0.0.1:{port}/statefun"
        text = module(
            function("example/person", url, ["name: visits"]), function("example/greeter", url)
        )
        session.engine._clients.create_topics(["questions"], 1)
        with again("with the loaded module.yaml"):
            session.load_module(text + MODULE)
        session.send("example/person", "bob", "hello")
        session.send("example/person", "bob", "again")
        session.wait_idle(180)
        assert session.state("example/person", "bob") == {"visits": 2}
        session.engine._clients.produce("questions", b"bob", b"\n\x05kafka")
        session.engine._clients.flush()
        eventually(lambda: len(session.egress("example/out")) == 3, 60)
        assert session.egress("example/out")[-1].value.endswith("bob: kafka x3")
        served = session.invocations.filter(type="example/person")
        assert [each.state_after for each in served] == [{"visits": n} for n in (1, 2, 3)]
        (*_, greeted) = session.invocations.filter(type="example/greeter")
        assert greeted.message.value == "kafka x3"
        assert greeted.cause == served[-1].seq
        session.load_module(text.replace(url, "http://127.0.0.1:1/nobody") + MODULE)
        session.send("example/person", "bob", "waits")
        eventually(session.engine.unanswered, 90)  # on a busy machine it is not asked for in 3 s
        with pytest.raises(sf.IdleTimeout, match="ClientConnectorError"):
            session.wait_idle(0.5)
        session.load_module(text + MODULE)  # which it follows without a new start
        session.wait_idle(180)
        assert session.state("example/person", "bob") == {"visits": 4}


def test_many_parked_addresses_leave_room_for_the_others(shared):
    session, functions = shared

    @sf.function("c/good", state={"n": int}, functions=functions)
    def good(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1

    @sf.function("c/bad", functions=functions)
    def bad(ctx, message):
        raise ValueError("not yet")

    with again("to know c/bad, c/good"):
        session.send_many(("c/bad", f"k{i}", i) for i in range(1_500))
        assert session.wait_idle(180).parked == 1_500
    with left_as_it_was(session, 180):
        session.send_many(("c/good", f"k{i % 10}", i) for i in range(100))
        session.wait_idle(180)
        assert session.state("c/good") == {f"k{i}": {"n": 10} for i in range(10)}
        assert session.status().health == ""

        session.send_many(("c/bad", f"k{i}", i) for i in range(1_500, 4_200))
        eventually(lambda: session.status().parked == OF_2.requests, 120)
        session.send("c/good", "k0", 1)
        with pytest.raises(sf.IdleTimeout, match=r"4,096 addresses are parked.*4,096 requests"):
            session.wait_idle(2)

        @sf.function("c/bad", functions=functions)
        def mended(ctx, message):
            pass

        session.wait_idle(180)
        assert session.state("c/good", "k0") == {"n": 11}


@pytest.mark.parametrize("on_error", ["skip", "retry"])
def test_what_fails_is_skipped_or_left_to_the_cluster(functions, on_error):
    need_flink()
    fails = [True]

    @sf.function("c/f", state={"n": int}, functions=functions)
    def f(ctx, message):
        if message.value == "bad" and fails:
            raise ValueError("not yet")
        ctx.storage.n = (ctx.storage.n or 0) + 1

    options = Options(
        engine="flink", statefun="2.2.2", port=0, functions=functions, on_error=on_error
    )
    session = sf.Session(options)
    try:
        session.send_many(("c/f", "a", value) for value in ("good", "bad", "good"))
        if on_error == "retry":
            eventually(lambda: any(e.error.retries > 2 for e in session.invocations if e.error), 60)
            fails.clear()
        assert session.wait_idle(180).parked == 0
        assert session.state("c/f", "a") == {"n": 3 if on_error == "retry" else 2}
    finally:
        assert session.stop(30)
