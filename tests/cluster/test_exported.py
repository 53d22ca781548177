"""A notebook, exported, served and called by the real StateFun: the commands of the page on it."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import statefun_nb as sf
from statefun_nb.cluster import detached
from tests.requirements import KAFKA_IMAGE, need_docker

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "howto" / "export.md").read_text()
COMMAND = re.compile(r"^    ((?:statefun-nb|python) .*)$", re.MULTILINE)


def run(command, cwd, environment):
    done = subprocess.run(
        _words(command),
        capture_output=True, text=True, check=False, cwd=cwd, env=environment, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def _words(command):
    program, *words = shlex.split(command)
    return [sys.executable, *(["-m", "statefun_nb"] if program != "python" else []), *words]


@contextlib.contextmanager
def running(command, cwd, environment):
    with subprocess.Popen(
        _words(command), cwd=cwd, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            assert "http://127.0.0.1:8000/statefun" in process.stdout.readline() + (
                process.stdout.readline()
            )
            yield
        finally:
            process.terminate()


def exchange(servers):
    """Send a message by Kafka, and wait for the record that comes of it."""
    import confluent_kafka as kafka

    producer = kafka.Producer({"bootstrap.servers": servers})
    payload = sf.StringType.serializer().serialize("from Kafka")
    producer.produce("example.person", payload, key=b"kim")
    producer.flush(30)
    consumer = kafka.Consumer(
        {"bootstrap.servers": servers, "group.id": "test", "auto.offset.reset": "earliest"}
    )
    try:
        consumer.subscribe(["greetings"])
        end = time.monotonic() + 120
        while time.monotonic() < end:
            record = consumer.poll(1.0)
            if record is not None and record.error() is None:
                return record.key(), record.value()
    finally:
        consumer.close()
    raise AssertionError("no record came")


def test_the_way_to_production_as_the_page_says(tmp_path, monkeypatch):
    need_docker()
    monkeypatch.setenv("STATEFUN_NB_CACHE", str(tmp_path / "cache"))
    environment = dict(os.environ)
    export, test, serve, up = COMMAND.findall(PAGE)
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    assert "functions.py" in run(export, tmp_path, environment)
    project = tmp_path / export.split()[-1]
    assert "10 passed" in run(f"{test} -p no:cacheprovider", project, environment)
    with running(serve, project, environment):
        run(f"{up} --kafka-image {KAFKA_IMAGE}", project, environment)
        try:
            cluster = detached.status()
            assert cluster is not None
            answer = exchange(cluster.bootstrap_servers)
        finally:
            run("statefun-nb cluster down", project, environment)
    assert answer == (b"kim", b"kim: welcome back, number 1")
