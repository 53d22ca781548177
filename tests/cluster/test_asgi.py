"""The ASGI app on uvicorn with two workers behind the real StateFun, also while it is restarted."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

import pytest

import statefun_nb as sf
from statefun_nb.cluster.kafka import Clients
from statefun_nb.cluster.local import local_cluster
from statefun_nb.cluster.processes import free_ports
from statefun_nb.cluster.release import OF_3
from statefun_nb.sessions.options import Options
from tests.peer_2 import function
from tests.peer_2 import module as module_of_2
from tests.requirements import need_flink
from tests.test_serverless import FUNCTIONS, count_to, module, uvicorn
from tests.waiting import eventually

MESSAGES, ADDRESSES = 1_000, 50


@pytest.fixture
def port(tmp_path):
    """Where ``uvicorn(tmp_path, port)`` will serve far/count and far/total."""
    need_flink()
    pytest.importorskip("uvicorn")
    (tmp_path / "far.py").write_text(FUNCTIONS)
    (found,) = free_ports(1)
    return found


FAR = """
kind: io.statefun.endpoints.v2/http
spec:
  functions: far/*
  urlPathTemplate: http://127.0.0.1:{port}/statefun
---
kind: io.statefun.kafka.v1/ingress
spec:
  id: far/in
  address: {broker}
  consumerGroupId: far
  startupPosition: {{type: earliest}}
  topics:
    - {{topic: numbers, valueType: io.statefun.types/long, targets: [far/count]}}
---
kind: io.statefun.kafka.v1/egress
spec:
  id: far/out
  address: {broker}
  deliverySemantic: {{type: exactly-once, transactionTimeout: 10min}}
"""


def totals(clients, broker):
    """What far/total has emitted, by the topics of the processes that served it."""
    admin: Any = importlib.import_module("confluent_kafka.admin")
    listed = admin.AdminClient({"bootstrap.servers": broker}).list_topics(timeout=10).topics
    topics = [name for name in listed if name.isdecimal()]
    return {name: [int(r.value) for r in clients.read(name, {})] for name in topics}


def test_the_cluster_calls_it_by_itself_and_a_restart_loses_and_doubles_nothing(tmp_path, port):
    """From Kafka to Kafka, with no session: each message is 1, and each total is there once."""
    with contextlib.ExitStack() as stack:
        cluster = local_cluster(OF_3, 1, lambda _: None)
        stack.callback(cluster.close)
        broker = cluster.bootstrap_servers
        clients = Clients(broker)
        stack.callback(clients.close)
        cluster.start_kafka()
        first = stack.enter_context(contextlib.ExitStack())
        first.enter_context(uvicorn(tmp_path, port))
        cluster.wait_for_kafka(clients)
        clients.create_topics(["numbers"], 1)
        cluster.start_job(FAR.format(port=port, broker=broker))
        cluster.wait_for_job()
        one = sf.LongType.serializer().serialize(1)
        for index in range(MESSAGES):
            clients.produce("numbers", b"id-%d" % (index % ADDRESSES), one)
            if index == MESSAGES // 2:
                clients.flush()
                eventually(lambda: sum(map(len, totals(clients, broker).values())) > 100, 60)
                first.close()
                stack.enter_context(uvicorn(tmp_path, port))
        clients.flush()
        eventually(lambda: sum(map(len, totals(clients, broker).values())) >= MESSAGES, 60)
        found = totals(clients, broker)
        assert sorted(n for each in found.values() for n in each) == [*range(1, MESSAGES + 1)]
        assert len(found) >= 2  # processes
        assert cluster.restored() == 0  # the job has never failed


@pytest.mark.parametrize("statefun", ["3.3.0", "2.2.2"])
def test_a_session_calls_it_for_the_cluster_and_a_restart_loses_nothing(tmp_path, port, statefun):
    url = f"http://127.0.0.1:{port}/statefun"
    text = {
        "3.3.0": module(url),
        "2.2.2": module_of_2(
            function("far/count", f"{url}/v2", ["name: n"]),
            function("far/total", f"{url}/v2", ["name: n"]),
        ),
    }[statefun]
    with contextlib.ExitStack() as stack:
        functions = sf.StatefulFunctions()
        session = sf.Session(
            Options(engine="flink", statefun=statefun, port=0, functions=functions)
        )
        stack.callback(session.stop, 30)
        session.load_module(text)
        first = stack.enter_context(contextlib.ExitStack())
        first.enter_context(uvicorn(tmp_path, port))

        def restart():
            eventually(lambda: session.status().processed > 100, 120)
            first.close()
            stack.enter_context(uvicorn(tmp_path, port))

        records = count_to(session, MESSAGES, ADDRESSES, restart)
        assert len({each.topic for each in records}) >= 2
        cluster: Any = session.engine.cluster
        assert cluster.restored() == 0
