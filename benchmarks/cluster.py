"""The greeter on the real StateFun, its functions served by three SDKs in turn; then embedded.

One cluster (Kafka, one JobManager, one TaskManager of one slot), one job: each SDK has a namespace
of its own, with a Kafka ingress and an at-least-once Kafka egress. Then ours on StateFun 2.2.2, in
turn with ours on 3.3.0.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median

from statefun_nb.cluster.cluster import Cluster
from statefun_nb.cluster.kafka import Clients
from statefun_nb.cluster.local import local_cluster
from statefun_nb.cluster.release import OF_2, OF_3, Release
from statefun_nb.demos.greeter import greeter_functions, greetings
from statefun_nb.endpoint.app import OF_V2
from statefun_nb.protocol.module_yaml import (
    KAFKA_EGRESS,
    KAFKA_INGRESS,
    Document,
)
from statefun_nb.sdk.types import StringType

from .engine import run
from .peers import OFFICIAL, PEER, peer_python, serving
from .report import Row, at_least, at_most

__all__ = ["measure", "module_of"]

_LOADS = ((50_000, 1_000), (20_000, 20_000))
_ROUNDS = 3
_GOALS = {"official": 3.5, "fork": 1.0}
_NAMES = {"official": "apache-flink-statefun 3.3.0", "fork": "flink-statefun 3.5.0"}


def measure() -> Iterator[Row]:
    """End-to-end messages a second: from Kafka to Kafka."""
    with ExitStack() as stack:
        servers = {
            "ours": (sys.executable, "ours.py"),
            "fork": (peer_python(PEER), "peer.py"),
            "official": (peer_python(OFFICIAL), "peer.py"),
        }
        ports = {
            name: stack.enter_context(serving(*server, name)) for name, server in servers.items()
        }
        cluster = local_cluster(OF_3, 1, lambda _: None)
        stack.callback(cluster.close)
        clients = Clients(cluster.bootstrap_servers)
        stack.callback(clients.close)
        yield _start(cluster, clients, ports)
        for messages, keys in _LOADS:
            yield from _compare(clients, list(ports), messages, keys)
        older = stack.enter_context(_running(OF_2, "ours", ports["ours"]))
        for messages, keys in _LOADS:
            yield _compare_releases(older, clients, messages, keys)


def _start(cluster: Cluster, clients: Clients, ports: dict[str, int]) -> Row:
    """Start it side by side, as a session does; then another, one part after the other."""
    ready = _seconds_to_ready(cluster, clients, ports, together=True)
    second = local_cluster(OF_3, 1, lambda _: None)
    others = Clients(second.bootstrap_servers)
    try:
        by_hand = _seconds_to_ready(second, others, ports, together=False)
    finally:
        others.close()
        second.close()
    return Row(
        "cluster ready, everything cached",
        ready,
        "s",
        by_hand,
        "one part after the other",
        **at_most(1.3, ready / by_hand),
    )


def _seconds_to_ready(
    cluster: Cluster, clients: Clients, ports: dict[str, int], *, together: bool
) -> float:
    documents = [
        document
        for name, port in ports.items()
        for document in module_of(cluster.bootstrap_servers, name, port, cluster.release)
    ]
    form = cluster.release.form
    begin = time.perf_counter()
    cluster.start_kafka()
    if together:
        cluster.start_job(form.write(documents))
    cluster.wait_for_kafka(clients)
    clients.create_topics([f"{name}.in" for name in ports], 1)
    clients.create_topics([f"{name}.greetings" for name in ports], 1)
    if not together:
        cluster.start_job(form.write(documents))
    cluster.wait_for_job()
    return time.perf_counter() - begin


@contextmanager
def _running(release: Release, name: str, port: int) -> Iterator[Clients]:
    """A cluster of this release beside the others, for the greeter of one namespace."""
    cluster = local_cluster(release, 1, lambda _: None)
    clients = Clients(cluster.bootstrap_servers)
    try:
        _seconds_to_ready(cluster, clients, {name: port}, together=True)
        yield clients
    finally:
        clients.close()
        cluster.close()


def module_of(address: str, name: str, port: int, release: Release = OF_3) -> list[Document]:
    """The greeter of a namespace at that port, between two topics of the Kafka at ``address``."""
    ingress = {
        "id": f"{name}/in",
        "address": address,
        "consumerGroupId": name,
        "startupPosition": {"type": "earliest"},
        "topics": [
            {
                "topic": f"{name}.in",
                "valueType": StringType.typename,
                "targets": [f"{name}/person"],
            }
        ],
    }
    egress = {"id": f"{name}/out", "address": address}
    documents = [Document(KAFKA_INGRESS, ingress), Document(KAFKA_EGRESS, egress)]
    form, states = release.form, greeter_functions(name).state_specs()
    url = f"http://127.0.0.1:{port}/statefun{OF_V2 if form.version else ''}"
    rules = {form.rule(typename): specs for typename, specs in states.items()}
    return [form.endpoint(each, url, rules[each], 1000, "2min") for each in rules] + documents


def _compare(clients: Clients, names: list[str], messages: int, keys: int) -> Iterator[Row]:
    for name in names:  # warm up: the JIT, and each SDK
        _throughput(clients, name, 5_000, keys)
    rounds = [{name: _throughput(clients, name, messages, keys) for name in names}
              for _ in range(_ROUNDS)]  # fmt: skip
    ours = median(each["ours"] for each in rounds)
    what = f"cluster, {messages:,} messages, {keys:,} keys"
    for name, goal in _GOALS.items():
        yield Row(
            what,
            ours,
            "messages/s",
            median(each[name] for each in rounds),
            _NAMES[name],
            **at_least(goal, median(each["ours"] / each[name] for each in rounds)),
        )
    embedded = median(run(greetings(messages, keys)) for _ in range(_ROUNDS))
    official = median(each["official"] for each in rounds)
    yield Row(
        f"embedded engine, traced, the same {messages:,} messages",
        embedded,
        "messages/s",
        official,
        f"{_NAMES['official']} on the cluster",
        **at_least(5.0, embedded / official),
    )


def _compare_releases(older: Clients, newer: Clients, messages: int, keys: int) -> Row:
    for clients in (older, newer):
        _throughput(clients, "ours", 5_000, keys)
    rounds = [
        [_throughput(clients, "ours", messages, keys) for clients in (older, newer)]
        for _ in range(_ROUNDS)
    ]
    of_2, of_3 = map(median, zip(*rounds, strict=True))
    return Row(
        f"cluster of StateFun {OF_2.statefun}, {messages:,} messages, {keys:,} keys",
        of_2,
        "messages/s",
        of_3,
        f"ours on {OF_3.statefun}",
        ratio=median(each[0] / each[1] for each in rounds),
    )


def _throughput(clients: Clients, name: str, messages: int, keys: int) -> float:
    """Messages a second, from the first one produced to the last greeting in Kafka."""
    value = StringType.serializer().serialize("hello")
    before = clients.end(f"{name}.greetings")
    begin = time.perf_counter()
    for i in range(messages):
        clients.produce(f"{name}.in", f"user-{i % keys}".encode(), value)
    clients.flush()
    while clients.end(f"{name}.greetings") - before < messages:
        time.sleep(0.01)
        if time.perf_counter() - begin > 300:
            raise TimeoutError(f"{name} did not serve {messages} messages in 300 s")
    return messages / (time.perf_counter() - begin)
