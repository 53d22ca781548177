"""A session on the real StateFun: policies, restarts, faults, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import ipaddress
import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import warnings
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import statefun_nb as sf
from statefun_nb.cluster.gateway import MESSAGES_TOPIC
from statefun_nb.cluster.module_forms import FormOf3
from statefun_nb.cluster.release import RELEASES
from statefun_nb.sessions.options import Options
from statefun_nb.views.calls import Calls
from statefun_nb.views.feed import Feed
from tests.cluster.interrupts import interrupted
from tests.requirements import need_flink
from tests.waiting import eventually

from .shared import leave_clean, shared_cluster


@pytest.fixture(scope="module")
def cluster():
    with shared_cluster("c") as found:
        yield found


@pytest.fixture
def shared(cluster):
    yield cluster
    leave_clean(cluster[0])


def start(functions, **options):
    need_flink()
    return sf.Session(Options(engine="flink", port=0, functions=functions, **options))


def count(functions, typename):
    @sf.function(typename, state={"n": int}, functions=functions)
    def count(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1


@contextlib.contextmanager
def thief(port):
    """Somebody else who listens on a port; where it is kept, as who asks for just that one can."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        yield


@pytest.mark.parametrize("setting", ["jobmanager.rpc.port", "rest.port", "blob.server.port"])
def test_a_port_that_somebody_else_has_taken_is_given_up(functions, setting):
    count(functions, "a/count")
    with start(functions) as session:
        cluster = session.engine.cluster
        config = (cluster.runner.folder / "conf" / "flink-conf.yaml").read_text()
        (port,) = [
            int(line.partition(": ")[2]) for line in config.splitlines() if setting + ":" in line
        ]
        with thief(port):
            session.send("a/count", "x", 1)
            assert session.wait_idle(timeout=300).processed == 1
        assert cluster.generation == 2
        link = session.status().web_url
        with urllib.request.urlopen(f"{link}jobs/overview", timeout=30) as answer:
            assert json.load(answer)["jobs"]


def processes_of(session):
    folder = str(session.engine.cluster.runner.folder)
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if folder in command:
                found[int(entry.name)] = command
    return found


def test_what_a_real_cluster_cannot_do_says_so(shared):
    session, _ = shared
    session.engine.prepare()
    with pytest.raises(sf.EngineError, match="step needs engine='embedded'"):
        session.step()
    session.resume()
    with pytest.raises(sf.EngineError, match="advance by 1 day, 0:00:00 needs engine='embedded'"):
        session.advance(timedelta(1))
    assert session.status().engine == "flink"
    assert {"kafka", "jobmanager", "taskmanager-1"} <= session.logs().keys()


def test_flinks_rest_interface_talks_to_the_session_alone(shared):
    """Nor to another user of the machine; the link that is shown is for looking."""
    session, _ = shared
    session.engine.prepare()
    rest, link = session.engine.cluster.rest, session.status().web_url
    job = rest.job()
    context = ssl._create_unverified_context()
    plain = rest.url.replace("https", "http")
    for path in ("jobs/overview", f"jobs/{job}/yarn-cancel", "config"):
        for url in (f"{rest.url}/{path}", f"{plain}/{path}"):
            with pytest.raises(OSError, match=r"(?i)certificate|reset|closed|disconnected"):
                urllib.request.urlopen(url, context=context, timeout=10)
    folder = session.engine.cluster.runner.folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE((folder / f"rest.{end}").stat().st_mode) for end in ("p12", "pem")} == {
        0o600
    }
    with urllib.request.urlopen(f"{link}jobs/overview") as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert json.load(answer)["jobs"][0]["jid"] == job
    for method, path in (("PATCH", f"jobs/{job}"), ("POST", f"jobs/{job}/savepoints")):
        request = urllib.request.Request(f"{link}{path}", b"{}", method=method)
        with pytest.raises(urllib.error.HTTPError, match="405"):
            urllib.request.urlopen(request)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{link}jobs/{job}/yarn-cancel")
    assert rest.running()


def test_a_checkpoint_that_began_after_a_moment_is_told_from_those_before(shared):
    session, _ = shared
    rest = session.engine.cluster.rest
    now = time.time() * 1000
    eventually(lambda: rest.checkpoint_begun_after(now), 90)
    assert not rest.checkpoint_begun_after(now + 3_600_000)


def test_the_dashboard_shows_a_real_cluster(shared):
    session, functions = shared

    @sf.function("c/shown", state={"n": int}, functions=functions)
    def shown(ctx, message):
        ctx.storage.n = message.value
        ctx.send_after(timedelta(hours=1), "c/shown", ctx.address.id, 1, token="later")

    session.send("c/shown", "a", 7)
    session.wait_idle(180)
    update = Feed(session).update()
    assert update is not None
    header = update["header"]
    assert (header["engine"], header["state"], header["health"]) == ("flink", "running", "")
    assert header["web_url"].startswith("http://127.0.0.1:")
    assert not header["editable"]
    row = update["rows"][-1]
    assert (row.typename, row.id, row.caller, row.message) == ("c/shown", "a", "", "7")
    assert ("message", "", "c/shown", 1) in update["edges"]

    def ask(name, /, **arguments):
        return Calls(session).answer({"id": "", "name": name, "arguments": arguments})

    page = ask("state", typename="c/shown")["result"]
    assert page["observed"]
    assert page["rows"][0]["values"][0]["value"] == 7
    (timer,) = [t for t in ask("timers")["result"]["rows"] if t["typename"] == "c/shown"]
    assert timer["token"] == "later"
    for call in (
        ask("edit", typename="c/shown", id="a", name="n", text="1"),
        ask("cancel", number=timer["number"]),
        ask("advance", seconds=1),
    ):
        assert "engine='embedded'" in call["error"]


def test_pause_holds_all_messages_and_resume_lets_them_go(shared):
    session, functions = shared
    count(functions, "c/paused")
    session.wait_idle(180)
    session.pause()
    session.send("c/paused", "a", 1)
    time.sleep(1)
    assert session.state("c/paused") == {}
    assert session.status().state == "paused"
    session.resume()
    session.wait_idle(180)
    assert session.state("c/paused", "a") == {"n": 1}


def test_an_address_is_parked_while_others_go_on(shared):
    session, functions = shared

    @sf.function("c/parks", state={"n": int}, functions=functions)
    def parks(ctx, message):
        if ctx.address.id == "bad":
            raise ValueError("not yet")
        ctx.storage.n = (ctx.storage.n or 0) + 1

    before = session.engine.cluster.restored()
    session.send_many(("c/parks", f"k{i % 9}" if i % 10 else "bad", i) for i in range(1_000))
    idle = session.wait_idle(180)
    assert idle.parked == 100
    assert sum(values["n"] for values in session.state("c/parks").values()) == 900
    (parked,) = session.parked
    assert (parked.address.id, parked.reason) == ("bad", "ValueError: not yet")
    checkpoints = session.engine.cluster.rest.get
    job = session.engine.cluster.rest.job()
    done = checkpoints(f"/jobs/{job}/checkpoints")["counts"]["completed"]
    completed = lambda: checkpoints(f"/jobs/{job}/checkpoints")["counts"]["completed"]  # noqa: E731
    eventually(lambda: completed() > done + 1, 90)
    count(functions, "c/parks")
    assert session.wait_idle(180).parked == 0
    assert session.state("c/parks", "bad") == {"n": 100}
    assert session.engine.cluster.restored() == before  # the job never failed


def test_a_parked_message_is_tried_again_and_given_up(shared):
    session, functions = shared

    @sf.function("c/fragile", state={"seen": list}, functions=functions)
    def fragile(ctx, message):
        if message.value == 2:
            raise ValueError("not 2")
        ctx.storage.seen = [*(ctx.storage.seen or []), message.value]

    session.send("c/fragile", "a", 1)
    session.wait_idle(180)
    session.send("c/fragile", "a", 2)
    session.wait_idle(180)
    (parked,) = session.parked
    assert (str(parked.address), parked.reason) == ("c/fragile 'a'", "ValueError: not 2")
    assert (parked.attempts, parked.waiting, parked.undeclared) == (1, 1, False)
    assert parked.line.startswith("test_flink.py, line ")
    session.send_many([("c/fragile", "a", n) for n in (3, 2, 4)])
    assert session.wait_idle(180).parked == 4
    with pytest.warns(UserWarning, match="c/fragile 'b' has had no message: nothing waits there"):
        assert session.retry("c/fragile", "b") == 0
    assert session.retry("c/fragile", "a") == 1
    # It fails again, and is held again when the cluster has sent it once more.
    eventually(lambda: [each.attempts for each in session.parked] == [2])
    assert session.status().parked == 1
    assert session.discard("c/fragile", "a").value == 2
    # As one batch the others fail together; on a busy machine 3 may come alone, before them.
    assert session.wait_idle(180).parked in (2, 3)
    assert session.discard("c/fragile", "a").value == 2
    assert session.wait_idle(180).parked == 0
    assert session.parked == []
    assert session.state("c/fragile", "a") == {"seen": [1, 3, 4]}
    with pytest.raises(sf.EngineError, match="c/fragile 'a' is not parked"):
        session.discard("c/fragile", "a")


def test_messages_for_a_namespace_that_nobody_declared_are_parked(shared):
    session, _ = shared
    session.wait_idle(180)
    with pytest.warns(UserWarning, match="is declared"):
        session.send_many(("unknown/f", id_, i) for i, id_ in enumerate("aba"))
    assert session.wait_idle(180).parked == 3
    assert {each.address.id: each.waiting for each in session.parked} == {"a": 2, "b": 1}
    assert session.status().parked == 2
    assert [session.discard("unknown/f", id_).value for id_ in "aab"] == [0, 2, 1]
    assert session.parked == []
    assert session.status().parked == 0


def test_a_target_that_no_endpoint_covers_is_an_error_of_the_sender(shared):
    session, functions = shared

    @sf.function("c/typo", functions=functions)
    def typo(ctx, message):
        ctx.send("nobody/here", "a", 1)

    session.send("c/typo", "a", 1)
    assert session.wait_idle(180).parked == 1
    assert "no endpoint of the cluster serves 'nobody/here'" in session.parked[0].reason
    count(functions, "c/typo")
    assert session.wait_idle(180).parked == 0


def test_what_kafka_refuses_is_an_error_and_is_not_counted(shared):
    admin: Any = importlib.import_module("confluent_kafka.admin")
    session, functions = shared
    count(functions, "c/refused")
    session.wait_idle(180)
    with pytest.raises(sf.EngineError, match="c/refused 'a': Kafka takes no message of 70,"):
        session.send("c/refused", "a", "x" * 70_000_000)
    assert session.wait_idle(180).processed == 0
    broker = session.engine.cluster.bootstrap_servers
    client = admin.AdminClient({"bootstrap.servers": broker, "log_level": 2})

    def limit(size):
        to = admin.AlterConfigOpType.SET
        entry = admin.ConfigEntry("max.message.bytes", str(size), incremental_operation=to)
        resource = admin.ConfigResource
        topic = resource(resource.Type.TOPIC, MESSAGES_TOPIC, incremental_configs=[entry])
        for future in client.incremental_alter_configs([topic]).values():
            future.result(60)

    taken: list[bool] = []

    def refused():
        session.send("c/refused", "a", "x" * 20_000)
        try:
            session.wait_idle(180)
        except sf.EngineError as error:
            return str(error)
        taken.append(True)
        return ""

    try:
        limit(10_000)  # the broker follows in its own time
        says = eventually(refused, 60)
    finally:
        limit(1_000_000)
    assert says.startswith("Kafka refused 1 message; the message to c/refused/a")
    eventually(lambda: not refused(), 60)
    assert session.state("c/refused", "a") == {"n": len(taken)}


def test_skip_leaves_out_only_the_message_that_raises(functions):
    @sf.function("c/f", state={"n": int}, functions=functions)
    def f(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1
        ctx.send("c/g", "all", message.value)
        if message.value % 10 == 3:
            raise ValueError("three")

    @sf.function("c/g", state={"sum": int}, functions=functions)
    def g(ctx, message):
        ctx.storage.sum = (ctx.storage.sum or 0) + message.value

    session = start(functions, on_error="skip")
    try:
        session.send_many(("c/f", f"k{i % 4}", i) for i in range(200))
        session.wait_idle(180)
        assert sum(values["n"] for values in session.state("c/f").values()) == 180
        assert session.state("c/g", "all") == {"sum": sum(i for i in range(200) if i % 10 != 3)}
        assert len(session.invocations.filter(type="c/f", status="error")) == 20
    finally:
        assert session.stop(30)


def test_retry_leaves_a_failed_request_to_the_cluster(functions):
    fails = [True]

    @sf.function("c/f", state={"n": int}, functions=functions)
    def f(ctx, message):
        if fails:
            raise ValueError("not yet")
        ctx.storage.n = (ctx.storage.n or 0) + 1

    session = start(functions, on_error="retry")
    try:
        session.send("c/f", "a", 1)
        eventually(lambda: any(e.error.retries > 3 for e in session.invocations), 90)
        (failed,) = session.invocations
        assert failed.error.message == "not yet"
        fails.clear()
        session.wait_idle(180)
        assert session.state("c/f", "a") == {"n": 1}
    finally:
        assert session.stop(30)


def test_a_stopped_endpoint_and_a_paused_kafka_lose_and_double_nothing(functions):
    count(functions, "c/count")
    messages, keys = 100_000, 1_000
    session = start(functions)
    try:
        session.engine.prepare()
        kafka = next(p for p, c in processes_of(session).items() if "kafka.Kafka\0" in c)
        session.send_many((("c/count", f"k{i % keys}", i) for i in range(messages)), progress=False)
        eventually(lambda: session.status().processed > messages // 10, 60)
        port = session.endpoint.port
        session.endpoint.stop(grace=0)
        time.sleep(1)
        assert session.endpoint.start(port) == port
        eventually(lambda: session.status().processed > messages // 3, 60)
        os.kill(kafka, signal.SIGSTOP)
        time.sleep(3)
        os.kill(kafka, signal.SIGCONT)
        session.wait_idle(180)
        state = session.state("c/count")
        assert len(state) == keys
        assert {values["n"] for values in state.values()} == {messages // keys}
    finally:
        assert session.stop(30)


def test_a_new_namespace_starts_the_job_again_and_state_lives_on(functions):
    count(functions, "one/f")
    session = start(functions)
    try:
        session.send_many(("one/f", f"k{i % 5}", i) for i in range(500))
        session.wait_idle(180)
        before = session.state("one/f")

        @sf.function("one/f", state={"n": int}, functions=functions)
        def forward(ctx, message):
            ctx.storage.n += 1
            ctx.send("two/f", ctx.address.id, ctx.storage.n)

        @sf.function("two/f", state={"seen": int}, functions=functions)
        def two(ctx, message):
            ctx.storage.seen = message.value

        with pytest.warns(UserWarning, match=r"to know two/\*"):
            session.wait_idle(180)
        session.send_many(("one/f", f"k{i}", i) for i in range(5))
        session.wait_idle(180)
        assert session.state("one/f") == {k: {"n": v["n"] + 1} for k, v in before.items()}
        assert session.state("two/f") == {k: {"seen": v["n"] + 1} for k, v in before.items()}
    finally:
        assert session.stop(30)


def test_ingresses_and_egresses_of_the_user_work_as_they_are(functions):
    @sf.function("c/f", functions=functions)
    def f(ctx, message):
        ctx.send_egress(
            sf.kafka_egress_message("c/mine", "answers", f"got {message.as_string()}", key="k")
        )

    session = start(functions)
    try:
        session.engine.prepare()
        engine = session.engine
        address = engine.cluster.bootstrap_servers
        engine._clients.create_topics(["questions"], 1)
        with pytest.warns(UserWarning, match="starts again"):
            session.load_module(
                f"kind: io.statefun.kafka.v1/ingress\nspec:\n  id: c/in\n  address: {address}\n"
                "  consumerGroupId: g\n  startupPosition: {type: earliest}\n"
                "  topics:\n    - {topic: questions, valueType: io.statefun.types/string, "
                f"targets: [c/f]}}\n---\nkind: io.statefun.kafka.v1/egress\nspec:\n  id: c/mine\n"
                f"  address: {address}\n"
            )
        value = sf.StringType.serializer().serialize("a question")
        engine._clients.produce("questions", b"bob", value)
        engine._clients.flush()
        eventually(lambda: session.egress("c/mine"), 90)
        assert session.engine.egresses() == {"c/mine"}
        (answer,) = session.egress("c/mine")
        assert (answer.topic, answer.key, answer.value) == ("answers", "k", "got a question")
        assert "id: c/mine" in session.module_yaml()
    finally:
        assert session.stop(30)


def listening(pid):
    """The addresses at which a process listens, of both versions of IP."""
    inodes = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(str(each.readlink()))
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == "0A" and f"socket:[{rest[5]}]" in inodes:
                words = bytes.fromhex(local.partition(":")[0])
                # Words in the order of this machine's bytes.
                raw = b"".join(words[i : i + 4][::-1] for i in range(0, len(words), 4))
                address = ipaddress.ip_address(raw)
                found.append(getattr(address, "ipv4_mapped", None) or address)
    return found


def test_every_process_of_it_listens_on_loopback_alone(shared):
    session, functions = shared
    count(functions, "c/listens")
    session.send("c/listens", "a", 1)
    session.wait_idle(180)
    found = {command: listening(pid) for pid, command in processes_of(session).items()}
    for part in PARTS.values():
        assert any(part in command and addresses for command, addresses in found.items())
    assert all(address.is_loopback for each in found.values() for address in each)


ENDPOINT = "kind: io.statefun.endpoints.v2/http\nspec:\n  functions: {}\n  urlPathTemplate: {}\n"


def test_a_module_is_loaded_beside_the_notebook_or_refused_and_state_survives(functions):
    elsewhere = sf.StatefulFunctions()

    @sf.function("shop/other", state={"got": int}, functions=elsewhere)
    @sf.function("mall/single", state={"got": int}, functions=elsewhere)
    def other(ctx, message):
        ctx.send("mall/f", ctx.address.typename.replace("/", "-"), message.value)

    @sf.function("shop/f", state={"n": int}, functions=functions)
    def f(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1
        if message.value:
            ctx.send(message.value, "a", 7)

    @sf.function("mall/f", state={"got": int}, functions=functions)
    def mall(ctx, message):
        ctx.storage.got = message.value

    session = start(functions)
    remote = sf.Session(Options(port=0, functions=elsewhere))
    try:
        session.send("shop/f", "a", "")
        session.wait_idle(180)
        generation = session.engine.cluster.generation
        playground = "kind: io.statefun.playground.v1/egress\nspec:\n  port: 8091\n  topics: [t]\n"
        twice = f"{ENDPOINT.format('a/*', remote.url)}---\n{ENDPOINT.format('a/*', session.url)}"
        for module, says in [
            (playground, "line 1: the real StateFun reads no io.statefun.playground.v1/egress"),
            (twice, r"line 6: the endpoint a/\* is declared twice, in line 1 too"),
            (ENDPOINT.format("statefun_nb/*", remote.url), "what the session itself needs"),
        ]:
            with pytest.raises(sf.StatefunError, match=says):
                session.load_module(module)
        assert session.engine.cluster.generation == generation  # nothing was stopped
        broken = ENDPOINT.format("bad/*", remote.url) + "  transport: {type: no.such/transport}\n"
        with (
            pytest.warns(UserWarning, match="starts again"),
            pytest.raises(sf.EngineError, match=r"no\.such, transport.*runs again as before"),
        ):
            session.load_module(broken)
        assert "bad/*" not in session.module_yaml()
        session.send("shop/f", "a", "")
        session.wait_idle(180)
        assert session.state("shop/f", "a") == {"n": 2}

        beside = f"{ENDPOINT.format('shop/*', remote.url)}---\n"
        beside += ENDPOINT.format("mall/single", remote.url)
        with pytest.warns(UserWarning, match="starts again"):
            session.load_module(beside)
        session.load_module(beside)  # the same cell, run again: nothing to do
        for target in ("shop/other", "mall/single"):
            session.send("shop/f", "a", target)
        session.wait_idle(180)
        assert session.state("shop/f", "a") == {"n": 4}
        assert session.state("mall/f") == {"mall-single": {"got": 7}, "shop-other": {"got": 7}}

        @sf.function("shop/late", state={"n": int}, functions=functions)
        def late(ctx, message):
            ctx.storage.n = message.value

        generation = session.engine.cluster.generation
        session.send("shop/late", "a", 1)  # the rest of shop/* is served elsewhere
        session.wait_idle(180)
        assert session.engine.cluster.generation == generation
        assert session.state("shop/late", "a") == {"n": 1}
    finally:
        remote.stop()
        assert session.stop(30)


# How the command of each is told from the others.
PARTS = {
    "taskmanager-1": "TaskManagerRunner",
    "kafka": "kafka.Kafka\0",
    "jobmanager": "StandaloneApplicationClusterEntryPoint",
}


def waited_a_second_at_a_time(session):
    """What each wait said when its time was up, until the session was idle."""
    said: list[str] = []
    while len(said) < 180:
        try:
            session.wait_idle(1)
        except sf.IdleTimeout as late:
            said.append(str(late))
        else:
            return said
    raise AssertionError(said)


@pytest.mark.parametrize("statefun", RELEASES)
@pytest.mark.parametrize("name", PARTS)
def test_a_process_that_is_killed_is_told_and_started_again_and_nothing_is_lost(
    functions, name, statefun
):
    @sf.function("c/count", state={"n": int}, functions=functions)
    def counting(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1
        ctx.send_egress(
            sf.kafka_egress_message("c/out", "counted", f"{ctx.address.id}:{ctx.storage.n}")
        )

    @sf.function("c/parked", state={"n": int}, functions=functions)
    def parked(ctx, message):
        raise ValueError("not yet")

    messages, keys = 30_000, 300
    folders = set(Path(tempfile.gettempdir()).glob("flink-*"))
    session = start(functions, statefun=statefun, parallelism=2, delivery="exactly-once")
    try:
        session.send("c/parked", "a", 1)
        session.wait_idle(180)
        assert len(session.parked) == 1
        session.send_many((("c/count", f"k{i % keys}", i) for i in range(messages)), progress=False)
        eventually(lambda: session.status().processed > messages // 4, 60)
        found = sorted(p for p, command in processes_of(session).items() if PARTS[name] in command)
        os.kill(found[0], signal.SIGKILL)
        eventually(lambda: name in session.status().health, 60)
        update = Feed(session).update()
        assert update is not None
        assert "was killed by SIGKILL" in update["header"]["health"]
        with pytest.raises(sf.IdleTimeout, match=f"{name} was killed by SIGKILL: it is started"):
            session.wait_idle(0.2)
        # Not pytest.warns: it would say DID NOT WARN in the place of what wait_idle raises.
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            said = waited_a_second_at_a_time(session)
        assert [text for text in said if ";" not in text] == []  # each says why
        told = [str(each.message) for each in caught if "started again" in str(each.message)]
        assert len(told) == 1
        assert told[0].endswith(f"{name} was killed by SIGKILL")
        assert session.status().health == ""
        assert [each.split(" ", 1)[1] for each in session.status().restarts] == [
            f"{name} was killed by SIGKILL"
        ]
        state = session.state("c/count")
        assert len(state) == keys
        assert {values["n"] for values in state.values()} == {messages // keys}
        # Exactly once: the last transaction is committed with a checkpoint.
        eventually(lambda: len(session.egress("c/out")) >= messages, 120)
        emitted = Counter(record.value for record in session.egress("c/out"))
        assert set(emitted.values()) == {1}
        assert len(emitted) == messages
        eventually(lambda: [each.address.id for each in session.parked] == ["a"])  # parked again
        count(functions, "c/parked")
        session.wait_idle(180)
        assert session.state("c/parked", "a") == {"n": 1}
    finally:
        assert session.stop(30)
    assert set(Path(tempfile.gettempdir()).glob("flink-*")) <= folders  # nothing is left behind


@pytest.mark.parametrize("moment", [0.5, 3.0, 8.0])
def test_an_interrupt_leaves_a_working_session_or_nothing(moment):
    need_flink()
    assert interrupted(moment)


KERNEL = """
import os, sys, time
import statefun_nb as sf

@sf.function("c/f")
def f(ctx, message):
    pass

s = sf.start(engine="flink", port=0)
s.send("c/f", "a", 1)
s.wait_idle(180)
print(s.engine.cluster.runner.folder, s.engine.cluster.rest.url.rpartition(":")[2],
      s.engine.cluster.bootstrap_servers.rpartition(":")[2], flush=True)
time.sleep(600)
"""


def test_a_killed_kernel_leaves_no_process_port_or_folder():
    need_flink()
    kernel = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", KERNEL], stdout=subprocess.PIPE, text=True
    )
    with kernel:
        assert kernel.stdout is not None
        folder, *ports = kernel.stdout.readline().split()
        assert Path(folder).exists()
        kernel.kill()
    eventually(lambda: not Path(folder).exists())
    # The supervisor removes the folder, and only then ends itself.
    commands = Path("/proc").glob
    eventually(lambda: not any(folder in _text(p) for p in commands("[0-9]*/cmdline")))
    for port in ports:
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as all servers do
            free.bind(("127.0.0.1", int(port)))


def _text(path):
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""


def test_a_start_that_fails_says_why_and_leaves_nothing(functions, monkeypatch):
    count(functions, "c/f")
    session = start(functions)
    try:
        folder = session.engine.cluster.runner.folder
        module = "kind: io.statefun.endpoints.v2/http\nspec:\n  functions: broken\n"
        monkeypatch.setattr(FormOf3, "write", lambda self, documents: module)
        with pytest.raises(sf.EngineError, match=r"jobmanager ended: .*broken.*%statefun logs"):
            session.send("c/f", "a", 1)
    finally:
        assert session.stop(30)
    assert not folder.exists()


def test_a_wait_for_a_cluster_that_is_starting_ends_in_its_time(functions):
    need_flink()
    sf.function("w/f", state={"n": int}, functions=functions)(
        lambda ctx, message: setattr(ctx.storage, "n", message.value)
    )
    with sf.start(engine="flink", port=0, functions=functions) as session:
        engine: Any = session.engine
        assert not engine._deployment.runs
        assert session.wait_idle(0) == (0, 0, 0, 0)  # nothing was sent: it need not start
        assert asyncio.run(session.idle(2)) == (0, 0, 0, 0)
        assert not engine._deployment.runs
        sending = threading.Thread(target=session.send, args=("w/f", "a", 1))
        sending.start()
        eventually(lambda: engine._undeclared.addresses)
        for wait in (session.wait_idle, lambda seconds: asyncio.run(session.idle(seconds))):
            begin = time.monotonic()
            with pytest.raises(
                sf.IdleTimeout, match=r"not idle after 0.2 s: StateFun is still sta"
            ):
                wait(0.2)
            assert time.monotonic() - begin < 5  # a start takes longer
        assert session.wait_idle(180).processed == 1
        sending.join()
        assert session.state("w/f") == {"a": {"n": 1}}
