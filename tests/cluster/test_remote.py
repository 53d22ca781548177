"""Functions of other processes on the real StateFun: the official SDK's, and `statefun-nb serve`'s.

The cluster calls the session's endpoint, which calls them: they are in the trace, and are waited
for.
"""

from __future__ import annotations

import pytest

import statefun_nb as sf
from statefun_nb.cluster.processes import free_ports
from statefun_nb.protocol.module_reader import read_module
from statefun_nb.protocol.v3 import encode_result, send_chunk
from statefun_nb.sessions.options import Options
from tests.cluster.shared import leave_clean, served
from tests.engine.test_remote import (
    BAD,
    DONE,
    OCTETS,
    answering,
    declare_ours,
    endpoint,
    official,
)
from tests.requirements import need_flink
from tests.waiting import eventually

pytest.importorskip("aiohttp")


def start(functions, **options):
    need_flink()
    return sf.Session(Options(engine="flink", port=0, functions=functions, **options))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    functions = sf.StatefulFunctions()
    declare_ours(functions)

    ports = free_ports(2)
    session = start(functions)
    try:
        with official(ports[0]), served(tmp_path_factory.mktemp("served"), ports[1]) as url:
            session.load_module(endpoint(ports[0]))
            session.load_module(
                "kind: io.statefun.endpoints.v1/http\n"
                f"spec: {{functions: served/count, urlPathTemplate: '{url}'}}\n---\n"
                + endpoint(1, "bad/*")
                + "---\n"
                + endpoint(1, "a/*")
            )
            yield session, functions
    finally:
        session.stop(30)


@pytest.fixture
def shared(cluster):
    """The cluster, whose job must have neither failed nor started again while a test ran."""
    session, functions = cluster
    session.send("our/answer", "first", 1)
    session.wait_idle(180)
    before = session.engine.cluster.restored(), session.engine.cluster.generation
    yield session, functions
    parked = session.wait_idle(180).parked
    leave_clean(session)
    assert parked == 0
    assert (session.engine.cluster.restored(), session.engine.cluster.generation) == before


def test_messages_records_state_and_trace_of_other_processes(shared):
    session, _ = shared
    session.send("served/count", "bob", 7)
    session.send_many([("our/asks", "ann", "hi"), ("served/count", "bob", 1)])
    session.wait_idle(180)
    assert session.state("our/answer", "bob") == {"got": ["seven 1"]}
    assert session.state("our/answer", "ann") == {"got": ["hi 1"]}
    assert session.state("served/count", "bob") == {"n": 8}
    assert session.state("their/greeter") == {"bob": {"seen": 1}, "ann": {"seen": 1}}
    assert [record.value for record in session.egress("their/out")] == ["1", "1"]

    seven, one = session.invocations.filter(type="served/count", id="bob")
    assert (seven.caller, seven.message.value, one.message.value) == (None, 7, 1)
    assert (seven.state_before, seven.state_after) == ({}, {"n": 7})
    (greeted,) = session.invocations.filter(type="their/greeter", id="bob")
    (answered,) = session.invocations.filter(type="our/answer", id="bob")
    assert (greeted.cause, answered.cause) == (seven.seq, greeted.seq)
    assert [(each.egress, each.value) for each in greeted.egress] == [("their/out", "1")]
    # What one would deploy without the session has their own addresses.
    urls = {
        each.spec["functions"]: each.spec["urlPathTemplate"]
        for each in read_module(session.module_yaml())
        if each.is_endpoint
    }
    assert urls["our/*"] == session.url
    assert not urls["their/*"].startswith(session.url)


def test_many_messages_of_one_address_are_served_in_order_and_waited_for(shared):
    session, _ = shared
    session.send_many(("served/count", f"many-{n % 3}", 1) for n in range(600))
    session.send_many(("our/asks", "many", str(n)) for n in range(200))
    session.wait_idle(180)
    assert [session.state("served/count", f"many-{n}")["n"] for n in range(3)] == [200] * 3
    assert session.state("our/answer", "many")["got"] == [f"{n} {n + 1}" for n in range(200)]
    rows = session.invocations.filter(type="served/count", id="many-1")
    assert [each.state_after["n"] for each in rows] == [*range(1, 201)]


def test_what_fails_there_is_one_error_and_is_asked_again_till_a_cell_declares_it(shared):
    session, functions = shared
    session.send("their/greeter", "bad", "before")
    session.send("their/greeter", "bad", "fail")
    session.send("their/greeter", "good", "other")

    def failed_ones():
        return session.invocations.filter(type="their/greeter", status="error")

    eventually(lambda: any(e.error.retries > 3 for e in failed_ones()), 90)
    (failed,) = failed_ones()
    assert (failed.error.type, failed.address.id) == ("HTTP 500", "bad")
    eventually(lambda: session.state("their/greeter", "good"), 90)
    with pytest.raises(sf.IdleTimeout, match=r"'bad' is asked for again and again: HTTP 500"):
        session.wait_idle(1)

    seen = sf.ValueSpec("seen", sf.IntType)

    @functions.bind("their/greeter", [seen])
    def greeter(ctx, message):
        ctx.storage.seen = 100

    session.wait_idle(180)
    assert session.state("their/greeter", "bad") == {"seen": 100}
    served = session.invocations.filter(type="their/greeter", id="bad", status="ok")
    assert [each.message.value for each in served] == ["before", "fail"]
    sf.undeclare("their/greeter", functions=functions)
    session.send("their/greeter", "bad", "there")
    session.wait_idle(180)
    assert session.state("their/greeter", "bad") == {"seen": 101}


NOWHERE = encode_result([send_chunk("nobody/f", "x", "a/b", b"", b"")])
WRONG = {
    **BAD,
    "no target": ((OCTETS, NOWHERE), "EngineError", "no endpoint of the cluster serves"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_reply_that_would_fail_the_job_is_an_error_of_its_function(shared, case):
    session, _ = shared
    answer, kind, says = WRONG[case]
    with answering([answer, answer, (OCTETS, DONE)]) as port:
        session.load_module(endpoint(port, "bad/*"))  # another address: the job goes on
        session.send("bad/f", case, 1)
        session.wait_idle(180)
    failed, ended = session.invocations.filter(type="bad/f", id=case)
    assert (failed.error.type, failed.error.retries, ended.status) == (kind, 1, "ok")
    assert says in failed.error.message
    assert f"http://127.0.0.1:{port}/f/f" in failed.error.message


def test_a_process_that_is_not_there_is_waited_for(shared):
    session, _ = shared
    (port,) = free_ports(1)
    session.load_module(endpoint(port, "bad/*"))
    session.send_many(("bad/greeter", "late", str(n)) for n in range(20))
    eventually(session.engine.unanswered, 90)
    with pytest.raises(sf.IdleTimeout, match="'late' is asked for again and again"):
        session.wait_idle(0.5)
    with answering([(OCTETS, DONE)]) as port:
        session.load_module(endpoint(port, "bad/*"))
        session.wait_idle(180)
    served = session.invocations.filter(type="bad/greeter", id="late", status="ok")
    assert [each.message.value for each in served] == [str(n) for n in range(20)]


def test_what_the_cluster_calls_itself_is_told_by_the_wait(cluster):
    session, _ = cluster
    session.send("our/answer", "direct", 1)
    session.wait_idle(180)
    of_tls = "{type: io.statefun.transports.v1/okhttp, client_key_password: x}"
    text = endpoint(1, "direct/*").replace("}'}", f"}}', transport: {of_tls}}}")
    with pytest.warns(UserWarning, match="starts again"):
        session.load_module(text)
    with pytest.warns(UserWarning, match=r"calls direct/\* itself.*client_key_password is for"):
        session.wait_idle(180)


def test_with_retry_the_cluster_asks_again_by_its_own_rule(functions):
    (port,) = free_ports(1)
    session = start(functions, on_error="retry")
    try:
        with official(port):
            text = endpoint(port).replace("}'}", "}', transport: {call: 1h}}")
            session.load_module(text)
            session.send("their/greeter", "bad", "fail")
            eventually(
                lambda: any(e.error and e.error.retries > 3 for e in session.invocations), 60
            )
            (failed,) = session.invocations
            assert (failed.error.type, failed.address.id) == ("HTTP 500", "bad")
            # Nobody holds it here, slow though its answer may be.
            assert not any("again" in each for each in session.engine.unanswered().values())
            assert not session.parked

            @functions.bind("their/greeter")
            def greeter(ctx, message):
                pass

            session.wait_idle(180)
        assert session.engine.cluster.restored() == 0
    finally:
        assert session.stop(30)
