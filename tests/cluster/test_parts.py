"""The parts of a real cluster that can be tested without one."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest

import statefun_nb as sf
from statefun_nb.address import address_of
from statefun_nb.cluster import artifacts
from statefun_nb.cluster.cluster import Cluster
from statefun_nb.cluster.docker import CONTAINER_FLINK, CONTAINER_KAFKA
from statefun_nb.cluster.observed import Observed
from statefun_nb.cluster.processes import Ports, Processes, free_ports, root_cause
from statefun_nb.cluster.release import OF_3
from statefun_nb.cluster.routes import EGRESS, ClusterRoutes
from statefun_nb.cluster.undeclared import Undeclared
from statefun_nb.engine.facts import IngressMessage
from statefun_nb.protocol.effects import TypedValue
from statefun_nb.protocol.module_yaml import http_endpoint
from statefun_nb.protocol.v3 import (
    cancel_chunk,
    decode_request,
    delayed_chunk,
    encode_missing,
    encode_result,
    mutation_chunk,
    send_chunk,
)
from statefun_nb.sdk.egress import kafka_egress_message
from statefun_nb.sessions.options import Options
from statefun_nb.trace.traced import Serving, TracedHandler
from tests import peer
from tests.waiting import eventually

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


@pytest.fixture
def processes():
    processes = Processes()
    yield processes
    processes.close()
    assert not processes.folder.exists()


def test_processes_start_write_logs_and_stop(processes):
    pid = processes.start("sleeper", SLEEP)
    eventually(lambda: processes.log("sleeper") == "up\n")
    assert alive(pid)
    assert processes.ended() == {}
    processes.stop("sleeper")
    assert not alive(pid)
    processes.start("fails", [sys.executable, "-c", "raise SystemExit(3)"])
    eventually(lambda: processes.ended() == {"fails": 3})
    assert sorted(processes.logs()) == ["fails", "sleeper"]


def test_a_command_that_is_none_is_an_error(processes):
    with pytest.raises(sf.EngineError, match="no/such/program"):
        processes.start("x", ["/no/such/program"])
    processes.start("y", SLEEP)  # and the supervisor goes on


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_not_even_a_killed_supervisor_leaves_a_process(processes):
    pid = processes.start("sleeper", SLEEP)
    os.kill(processes._supervisor.pid, signal.SIGKILL)
    eventually(lambda: not alive(pid))
    with pytest.raises(sf.EngineError, match="gone"):
        processes.start("again", SLEEP)


def test_a_killed_parent_leaves_neither_processes_nor_their_folder():
    code = (
        "import time\nfrom statefun_nb.cluster.processes import Processes\n"
        f"p = Processes()\nprint(p.folder, p.start('s', {SLEEP!r}), flush=True)\ntime.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        folder, pid = owner.stdout.readline().split()
        owner.kill()
    eventually(lambda: not alive(int(pid)) and not Path(folder).exists())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_does_not_keep_the_processes_alive():
    code = (
        "import os, time\nfrom statefun_nb.cluster.processes import Processes\n"
        f"p = Processes()\npid = p.start('s', {SLEEP!r})\nchild = os.fork()\n"
        "if child:\n    print(p.folder, pid, child, flush=True)\ntime.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        folder, pid, child = owner.stdout.readline().split()
        owner.kill()
        try:
            eventually(lambda: not alive(int(pid)) and not Path(folder).exists())
            assert alive(int(child))
        finally:
            os.kill(int(child), signal.SIGKILL)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_processes_are_closed_while_a_forked_child_lives(processes):
    pid = processes.start("sleeper", SLEEP)
    child = os.fork()
    if not child:
        signal.pause()
    try:
        processes.close(5)
        assert not alive(pid)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_an_answer_that_nobody_took_is_not_that_of_the_next_request(processes):
    stdin = processes._supervisor.stdin
    stdin.write('{"status": null, "number": 0}\n')  # whoever asked it was interrupted
    stdin.flush()
    assert alive(processes.start("sleeper", SLEEP))


def test_free_ports_are_different_ones_that_no_outgoing_connection_takes():
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert max(ports) < 32_768  # Linux's connections begin there


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a port kept so")
def test_a_port_that_is_kept_is_for_who_sets_so_reuseaddr_alone(monkeypatch):
    """As Java does, for whom it is kept; ``free_ports`` of another session does not."""
    first, second = free_ports(2)
    monkeypatch.setattr("statefun_nb.cluster.processes._PORTS", [first, second])
    ports, others = Ports(), Ports()
    taken = ports.take(1)
    assert {*taken, *others.take(1)} == {first, second}
    with pytest.raises(sf.EngineError):
        ports.take(1)
    with pytest.raises(sf.EngineError):
        free_ports(1)
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", taken[0]))
        server.listen()
        with socket.create_connection(("127.0.0.1", taken[0]), timeout=30):
            pass
    ports.close()
    assert free_ports(1) == taken
    others.close()


def test_ports_that_are_taken_are_passed_over(monkeypatch):
    first, second = free_ports(2)
    monkeypatch.setattr("statefun_nb.cluster.processes._PORTS", [first, second])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first))
        assert free_ports(1) == [second]
        with pytest.raises(sf.EngineError, match=f"ports {first} to {second} of 127.0.0.1 are all"):
            free_ports(2)


def test_no_ports_are_found_at_once(monkeypatch):
    monkeypatch.setattr("statefun_nb.cluster.processes._PORTS", range(0))
    assert free_ports(0) == []
    assert Ports().take(0) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_descriptors_that_have_run_out_are_not_taken_for_ports_that_are_taken():
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            free_ports(1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a port kept so")
def test_who_leaves_a_cluster_holds_none_of_its_ports(processes, monkeypatch):
    pytest.importorskip("cryptography")
    monkeypatch.setattr("statefun_nb.cluster.processes._PORTS", free_ports(5))
    cluster = Cluster("flink", OF_3, processes, CONTAINER_FLINK, CONTAINER_KAFKA, 1)
    with pytest.raises(sf.EngineError, match="all taken"):
        free_ports(1)
    pid = processes.start("sleeper", SLEEP)
    cluster.leave()
    assert len(free_ports(5)) == 5
    assert alive(pid)


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        ("", "it wrote nothing"),
        ("INFO all is well\n", "INFO all is well"),
        ("x ERROR no port\nmore\n", "x ERROR no port"),
        ("Caused by: a.B: outer\n at x\nCaused by: c.D: inner\n at y\nINFO bye", "c.D: inner"),
        (
            (
                "Caused by: a.B: why\n at x\nE: Stopping actor x\n"
                "Caused by: f.E: Stopping actor x because its sibling dispatcher_0 has failed."
            ),
            "a.B: why",
        ),
    ],
)
def test_the_root_cause_is_one_line(log, cause):
    assert root_cause(log) == cause


def test_offline_says_all_that_is_missing(monkeypatch, tmp_path):
    pytest.importorskip("jgo")
    monkeypatch.setenv("STATEFUN_NB_CACHE", str(tmp_path))
    monkeypatch.setenv("JAVA_HOME", "")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    with pytest.raises(sf.EngineError) as caught:
        artifacts.resolve(OF_3, offline=True)
    for part in ("Java 11 or 17", "apache-flink-libraries"):
        assert part in str(caught.value)


def test_java_is_found_by_its_version(tmp_path):
    for name, version in (("eight", "1.8.0_1"), ("eleven", "11.0.2"), ("seventeen", "17.0.1")):
        program = tmp_path / name / "bin" / "java"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
        program.chmod(0o755)
    path = {"PATH": "/nowhere"}
    found = artifacts.find_java({**path, "JAVA_HOME": str(tmp_path / "eleven")})
    assert found == (str(tmp_path / "eleven/bin/java"), 11)
    found = artifacts.find_java({**path, "JAVA_HOME": str(tmp_path / "seventeen")})
    assert found == (str(tmp_path / "seventeen/bin/java"), 17)
    assert artifacts.find_java({**path, "JAVA_HOME": str(tmp_path / "eight")}) is None
    assert artifacts.find_java(path) is None


def test_a_broken_download_is_fetched_once_more_and_then_refused(tmp_path):
    good, calls = b"the jar", []
    path = tmp_path / "x.jar"

    class Jar:
        def __init__(self, contents):
            self.contents = contents

        def resolve(self):
            calls.append(1)
            path.write_bytes(self.contents)
            return path

    entry = {"artifact": "g:a:1", "sha256": hashlib.sha256(good).hexdigest()}
    path.write_bytes(b"half of th")
    assert artifacts._checked(Jar(good), path, entry) == path
    assert path.read_bytes() == good
    assert len(calls) == 1
    path.write_bytes(b"bad")
    with pytest.raises(sf.EngineError, match="g:a:1 has another checksum"):
        artifacts._checked(Jar(b"bad"), path, entry)


@pytest.fixture
def routes(functions):
    functions.register("b/only", lambda ctx, message: None)
    routes = ClusterRoutes(
        ["http://x"], lambda owner, token: token == "pending", functions.meant_by
    )
    routes.documents = [http_endpoint("a/*", "http://x"), http_endpoint("b/only", "http://x")]
    return routes


@pytest.mark.parametrize(
    ("typename", "reached"), [("a/x", 1), ("b/only", 1), ("b/x", 0), ("c/x", 0), ("b/onyl", 0)]
)
def test_targets_must_be_covered(routes, typename, reached):
    if reached:
        routes.check_target(typename)
    else:
        meant = "; did you mean 'b/only'" if typename == "b/onyl" else "declares it$"
        with pytest.raises(sf.EngineError, match=f"serves '{typename}'.*{meant}"):
            routes.check_target(typename)


def test_records_for_undeclared_egresses_go_by_ours(routes):
    kafka = kafka_egress_message("x/out", "topic", "v", key="k").typed_value
    assert routes.egress("x/out", kafka, None) == (EGRESS, kafka)
    typename, wrapped = routes.egress("x/other", TypedValue("t/y", b"1"), None)
    assert (typename, wrapped.typename) == (EGRESS, kafka.typename)


def test_only_records_that_go_out_are_waited_for(routes, functions):
    @sf.function("a/f", functions=functions)
    def f(ctx, message):
        ctx.send_egress(kafka_egress_message("x/out", "topic", "v"))
        ctx.send_egress(sf.EgressMessage("x/other", TypedValue("t/y", b"1")))
        if message.as_string() == "bad":
            raise ValueError("bad")

    observed = Observed(lambda typename: True)
    bad = peer.request(("a/f", "x"), [peer.text("bad")])
    mixed = peer.request(("a/f", "x"), [peer.text("good"), peer.text("bad")])
    for skip, data in ((False, bad), (True, mixed)):
        handler = TracedHandler(functions, None)
        handler.attach(Serving(routes=routes, skip=skip, watch=observed.served))
        handler.start(data)
    assert observed.emitted == {"x/out": {"topic": 1}, "x/other": {"statefun_nb.egress": 1}}


def test_a_state_name_keeps_its_first_type_and_expiration(routes):
    for spec, says in [
        (sf.ValueSpec("n", sf.IntType), None),
        (sf.ValueSpec("n", sf.LongType), "cannot become io.statefun.types/long"),
        (sf.ValueSpec("n", sf.IntType, timedelta(hours=1)), "that expires 1:00:00 after a call"),
        (sf.ValueSpec("n", sf.IntType), None),
    ]:
        declared = {"n": spec}
        told = routes.kept_otherwise("a/f", [spec.wire_spec()])  # where it is declared
        assert says in told if says else told == ""
        if says is None:
            routes.check_state("a/f", declared)
            continue
        for _ in range(2):  # as often as it is asked
            with pytest.raises(sf.EngineError, match=says):
                routes.check_state("a/f", declared)


def test_the_balance_knows_what_is_under_way():
    observed = Observed(lambda typename: typename.startswith("a/"))
    observed.posted()
    observed.posted()
    observed.posted_later(IngressMessage(address_of("a/f", "x"), b"", 60_000))
    assert (observed.under_way, observed.delayed()) == (1, 1)
    request = peer.request(("a/f", "x"), [peer.text("m")], caller=("statefun_nb/gateway", "y"))
    value = TypedValue("t/y", b"1")
    reply = encode_result(
        [
            mutation_chunk("n", value),
            send_chunk("a/g", "1", *value, b""),
            send_chunk("elsewhere/g", "1", *value, b""),
            delayed_chunk(60_000, "a/g", "1", value, "t", b""),
            delayed_chunk(60_000, "a/g", "1", value, "", b""),
        ]
    )
    observed.served(decode_request(request), reply)
    assert (observed.received, observed.under_way, observed.delayed()) == (1, 1, 3)
    assert observed.pending(decode_request(request).target, "t")
    assert observed.state["a/f"]["x"] == {"n": value}
    observed.served(decode_request(request), encode_result([cancel_chunk("t")]))
    assert (observed.under_way, observed.delayed()) == (0, 2)
    assert not observed.pending(decode_request(request).target, "t")


def test_who_asks_what_waits_at_an_address_changes_nothing():
    """It is asked from other threads than the loop, which alone takes timers away."""
    ann, bob = address_of("a/f", "ann"), address_of("a/f", "bob")
    observed = Observed(lambda typename: True)
    observed.posted(4)
    observed.posted_to([ann, ann, ann, bob])
    for target, delay in ((ann, 60_000), (bob, 60_000), (ann, 0)):
        observed.posted_later(IngressMessage(target, b"", delay))
    assert (observed.waiting_at([ann]), observed.waiting_at([ann, bob])) == (2, 2)
    assert len(observed._timers) == 3  # also the one whose time has come
    assert len(observed.timers()) == len(observed._timers) == 2


def test_a_message_that_is_posted_while_a_reply_is_counted_is_counted_too():
    observed = Observed(lambda typename: posted_meanwhile())

    def posted_meanwhile():
        thread = Thread(target=observed.posted)
        thread.start()
        thread.join()
        return True

    request = decode_request(peer.request(("a/f", "x"), [peer.text("m")]))
    reply = encode_result([send_chunk("a/g", "1", "t/y", b"1", b"")])
    observed.served(request, reply)
    assert observed.under_way == 2  # what the reply sent, and what was posted


def test_messages_for_undeclared_types_keep_their_order_and_are_counted_by_address():
    undeclared = Undeclared()
    ann, bob = address_of("a/f", "ann"), address_of("a/f", "bob")
    first, *_, last = messages = [
        IngressMessage(to, b"%d" % i) for i, to in enumerate([ann, bob, ann])
    ]
    for message in messages:
        undeclared.add(message)
    assert (len(undeclared), undeclared.addresses) == (3, {ann: 2, bob: 1})
    assert undeclared.discard(ann) == first
    assert undeclared.discard(bob) == messages[1]
    assert undeclared.discard(bob) is None
    assert (len(undeclared), undeclared.addresses) == (1, {ann: 1})
    assert undeclared.take() == [last]
    assert (len(undeclared), undeclared.addresses) == (0, {})


@pytest.mark.parametrize("name", ["flink", "docker"])
def test_an_existing_cluster_has_the_name_it_was_asked_for_by(functions, name):
    pytest.importorskip("confluent_kafka")
    options = Options(
        engine=name,
        port=0,
        functions=functions,
        bootstrap_servers="127.0.0.1:1",
        rest_url="http://127.0.0.1:1",
    )
    with sf.Session(options) as session:
        assert session.status().engine == name


def test_an_empty_incomplete_context_is_two_bytes_of_tag_and_no_length():
    assert encode_missing(()) == b"\xaa\x06\x00"


def test_an_interrupt_ends_the_pip_that_fetches(tmp_path, monkeypatch):
    pid = tmp_path / "pid"
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho $$ > {pid}.new; mv {pid}.new {pid}; exec sleep 600\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))

    def interrupted_when_it_runs():
        eventually(pid.exists)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        artifacts._pip_install("nothing", tmp_path / "cache" / "it", interrupted_when_it_runs)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert not [*(tmp_path / "cache").iterdir()]
