"""A session on StateFun in containers; what Docker lacks; and a cluster that stays."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import statefun_nb as sf
from statefun_nb.cli.main import main
from statefun_nb.cluster import docker
from statefun_nb.cluster.cluster import Cluster
from statefun_nb.cluster.engine import ClusterEngine
from statefun_nb.cluster.processes import free_ports, root_cause
from statefun_nb.cluster.release import OF_2, OF_3
from statefun_nb.sessions.options import Options, StatefunVersion
from tests.cluster.shared import served
from tests.requirements import KAFKA_IMAGE, need_docker
from tests.waiting import eventually


def containers(project):
    listed = subprocess.run(
        ["docker", "ps", "-a", "--filter", f"label=com.docker.compose.project={project}",
         "--format", "{{.Names}}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return listed.stdout.split()


def greet(functions):
    @sf.function("d/f", state={"n": int}, functions=functions)
    def f(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1
        ctx.send_egress(sf.kafka_egress_message("d/out", "topic", f"n {ctx.storage.n}"))


def composed(session):
    """The session's cluster, and what runs its containers."""
    assert isinstance(session.engine, ClusterEngine)
    cluster = session.engine.cluster
    assert isinstance(cluster, Cluster)
    assert isinstance(cluster.runner, docker.Compose)
    return cluster, cluster.runner


def greets_a_thousand(session):
    session.send_many(("d/f", f"k{i % 10}", i) for i in range(1_000))
    session.wait_idle(180)
    assert session.state("d/f") == {f"k{i}": {"n": 100} for i in range(10)}
    eventually(lambda: len(session.egress("d/out")) == 1_000)


def test_a_session_with_two_workers_another_process_and_a_second_namespace(functions, tmp_path):
    need_docker()
    greet(functions)
    options = Options(
        engine="docker", port=0, functions=functions, kafka_image=KAFKA_IMAGE, parallelism=2
    )
    session = sf.Session(options)
    _, runner = composed(session)
    try:
        greets_a_thousand(session)
        assert len(containers(runner.project)) == 4
        assert {"kafka", "jobmanager", "taskmanager-1", "taskmanager-2"} <= session.logs().keys()

        with served(tmp_path, *free_ports(1)) as url:
            with pytest.warns(UserWarning, match="with the loaded module.yaml"):
                session.load_module(
                    "kind: io.statefun.endpoints.v1/http\n"
                    f"spec: {{functions: served/count, urlPathTemplate: '{url}'}}\n"
                )
            session.send_many(("served/count", f"k{i % 10}", 1) for i in range(200))
            session.wait_idle(180)
            assert session.state("served/count") == {f"k{i}": {"n": 20} for i in range(10)}
            assert len(session.invocations.filter(type="served/count", status="ok")) == 200

        @sf.function("e/f", state={"n": int}, functions=functions)
        def other(ctx, message):
            ctx.send("d/f", ctx.address.id, 1)

        with pytest.warns(UserWarning, match="starts again"):
            session.wait_idle(180)
        session.send("e/f", "k0", 1)
        session.wait_idle(180)
        assert session.state("d/f", "k0") == {"n": 101}
    finally:
        assert session.stop(60)
    assert containers(runner.project) == []
    assert not runner.folder.exists()


def test_statefun_2_in_containers(functions):
    need_docker(OF_2)
    greet(functions)
    options = Options(
        engine="docker", statefun="2.2.2", port=0, functions=functions, kafka_image=KAFKA_IMAGE
    )
    session = sf.Session(options)
    cluster, runner = composed(session)
    try:
        greets_a_thousand(session)
        assert cluster.rest.get("/config")["flink-version"] == OF_2.flink

        @sf.function("d/g", state={"got": int}, functions=functions)
        def other(ctx, message):
            ctx.storage.got = message.value
            ctx.send("d/f", ctx.address.id, 1)

        with pytest.warns(UserWarning, match="to know d/g"):
            session.send("d/g", "k0", 7)
        session.wait_idle(180)
        assert session.state("d/g", "k0") == {"got": 7}
        assert session.state("d/f", "k0") == {"n": 101}
    finally:
        assert session.stop(60)
    assert containers(runner.project) == []
    assert not runner.folder.exists()


KERNEL = f"""
import time
import statefun_nb as sf

@sf.function("d/f")
def f(ctx, message):
    pass

s = sf.start(engine="docker", port=0, kafka_image="{KAFKA_IMAGE}")
s.send("d/f", "a", 1)
s.wait_idle(180)
print(s.engine.cluster.runner.project, s.engine.cluster.runner.folder, flush=True)
time.sleep(600)
"""


def test_a_killed_kernel_leaves_no_container():
    need_docker()
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", KERNEL], stdout=subprocess.PIPE, text=True
    ) as kernel:
        assert kernel.stdout is not None
        project, folder = kernel.stdout.readline().split()
        assert len(containers(project)) == 3
        kernel.kill()
    eventually(lambda: not containers(project) and not Path(folder).exists(), 120)


@pytest.mark.parametrize("release", [OF_3, OF_2], ids=lambda release: release.statefun)
def test_a_cluster_stays_is_found_and_taken_down(functions, tmp_path, monkeypatch, capsys, release):
    need_docker(release)
    monkeypatch.setenv("STATEFUN_NB_CACHE", str(tmp_path / "cache"))
    greet(functions)
    path = tmp_path / "module.yaml"
    with sf.start(port=0, functions=functions) as embedded:
        port = embedded.endpoint.port
        path.write_text(embedded.module_yaml(version=release.form.version))
    version = release.statefun
    other: StatefunVersion = "3.3.0" if release is OF_2 else "2.2.2"
    up = ["cluster", "up", str(path), "--kafka-image", KAFKA_IMAGE, "--statefun"]
    assert main(["cluster", "status"]) == 1
    assert "no cluster is up" in capsys.readouterr().out
    assert main([*up, other]) == 1
    assert f"is an endpoint of StateFun {version[0]}.x, and the cluster" in capsys.readouterr().err
    try:
        assert main([*up, version]) == 0
        out = capsys.readouterr().out
        assert f"StateFun {version} runs" in out
        assert main(["cluster", "up", str(path), "--statefun", version]) == 1
        assert "up already" in capsys.readouterr().err
        found = docker_place(out)
        assert main(["cluster", "status", "--json"]) == 0
        where = {**found, "statefun": version}
        assert json.loads(capsys.readouterr().out) == {**where, "running": True}
        assert ('statefun="2.2.2"' in out) == (release is OF_2)
        with (
            sf.start(
                engine="docker", port=0, functions=functions, statefun=other, **found
            ) as wrong,
            pytest.raises(sf.EngineError, match=f'StateFun {version}: .*statefun="{version}"'),
        ):
            wrong.send("d/f", "a", 1)
        session = sf.start(engine="docker", port=port, functions=functions, **where)
        session.send("d/f", "a", 1)
        session.wait_idle(180)
        assert session.state("d/f", "a") == {"n": 1}
        assert [record.value for record in session.egress("d/out")] == ["n 1"]
        session.stop()
        assert main(["cluster", "logs", "kafka"]) == 0
        assert "--- kafka" in capsys.readouterr().out
    finally:
        assert main(["cluster", "down"]) == 0
    assert containers("statefun-nb") == []
    capsys.readouterr()
    assert main(["cluster", "down"]) == 0
    assert "no cluster is up" in capsys.readouterr().out


def test_a_module_that_no_cluster_can_have_is_refused_before_anything_starts(tmp_path, capsys):
    need_docker()
    path = tmp_path / "module.yaml"
    assert main(["cluster", "up", str(path)]) == 1
    assert "cannot read" in capsys.readouterr().err
    for text, says in {
        "": "module.yaml is empty",
        "kind: io.statefun.kafka.v1/egress\nspec:\n  id: d/out\n  address: kafka:9092\n": (
            "names no endpoint of functions"
        ),
    }.items():
        path.write_text(text)
        assert main(["cluster", "up", str(path), "--kafka-image", KAFKA_IMAGE]) == 1
        assert says in capsys.readouterr().err
    assert containers("statefun-nb") == []


def test_a_cluster_that_does_not_come_up_leaves_what_it_has_written(tmp_path, monkeypatch, capsys):
    need_docker()
    monkeypatch.setenv("STATEFUN_NB_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "module.yaml"
    path.write_text(
        "kind: io.statefun.endpoints.v2/http\nspec: {functions: d/*, "
        "urlPathTemplate: 'http://127.0.0.1:1/statefun', transport: {type: nobody/client}}\n"
    )
    assert main(["cluster", "up", str(path), "--kafka-image", KAFKA_IMAGE]) == 1
    err = capsys.readouterr().err
    assert "TypeName(nobody, client) does not exist" in err
    written = Path(re.findall(r"all that was written: (.*)\)", err)[0]).read_text()
    assert "--- jobmanager" in written
    assert "TypeName(nobody, client) does not exist" in written
    assert containers("statefun-nb") == []


def docker_place(out):
    lines = dict(re.split(" {2,}", line.strip()) for line in out.splitlines() if "  " in line)
    return {"rest_url": lines["REST interface"], "bootstrap_servers": lines["bootstrap servers"]}


def test_without_docker_the_error_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(sf.EngineError, match=r'not installed: .*engine="flink"'):
        docker.check_docker()
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(sf.EngineError, match=r"does not run: .*Cannot connect"):
        docker.check_docker()
    program.write_text("#!/bin/sh\n[ $1 = info ] && echo 20.10 && exit 0\nexit 1\n")
    with pytest.raises(sf.EngineError, match="no compose"):
        docker.check_docker()


def test_an_image_that_cannot_be_had_is_named():
    need_docker()
    with pytest.raises(sf.EngineError, match="cannot fetch the image statefun-nb/nothing:1"):
        docker.get_images(OF_3, lambda _: None, None, "statefun-nb/nothing:1")


def test_a_container_that_was_killed_for_memory_says_so(monkeypatch, tmp_path):
    program = tmp_path / "docker"
    program.write_text(
        '#!/bin/sh\ncase "$1" in\n  ps) printf "p-kafka\\tExited (137) 2 seconds ago\\n";;\n'
        "  logs) echo it was up;;\nesac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    compose = docker.Compose(tmp_path, "p", "image", "kafka image")
    assert compose.ended() == {"kafka": 137}
    assert root_cause(compose.log("kafka")) == (
        "the container was killed: give Docker more memory (4 GB will do)"
    )
