"""What it costs that a real cluster calls functions of other processes through the session.

    python -m benchmarks.hop

The greeter in a process of its own, from Kafka to Kafka: called by the cluster itself, and through
the session, whose trace is on, and off. The ways take turns.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Any, NamedTuple

import statefun_nb as sf
from statefun_nb.cluster import engine
from statefun_nb.cluster.cluster import Cluster
from statefun_nb.cluster.kafka import Clients
from statefun_nb.cluster.remote import RemoteFunctions
from statefun_nb.protocol.module_yaml import Document, write_module
from statefun_nb.sdk.types import StringType
from statefun_nb.sessions.options import Options

from .cluster import module_of
from .peers import serving

_LOADS = ((10_000, 1_000), (5_000, 5_000))
_ROUNDS = 3


class _Cost(NamedTuple):
    """Messages a second of the whole way, and the session's processor time in us for each."""

    rate: float
    cpu: float


class _Direct(RemoteFunctions):
    """Leaves the namespace ``direct`` to the cluster."""

    def deployed(self, document: Document) -> Document:
        if document.spec.get("functions") == "direct/*":
            return document
        return super().deployed(document)


@contextmanager
def _session(ports: dict[str, int], **options: Any) -> Iterator[sf.Session]:
    functions = sf.StatefulFunctions()  # none: all of them are elsewhere
    session = sf.Session(Options(engine="flink", port=0, functions=functions, **options))
    try:
        servers = _servers(session)
        clients = Clients(servers)
        clients.wait(60)
        clients.create_topics([f"{name}.in" for name in ports], 1)
        clients.create_topics([f"{name}.greetings" for name in ports], 1)
        documents = [d for name, port in ports.items() for d in module_of(servers, name, port)]
        session.load_module(write_module(documents))
        session.engine.prepare()
        yield session
        clients.close()
    finally:
        session.stop()


def _servers(session: sf.Session) -> str:
    cluster = session.engine.cluster
    assert isinstance(cluster, Cluster)
    return cluster.bootstrap_servers


def _measure(session: sf.Session, name: str, messages: int, keys: int) -> _Cost:
    clients = Clients(_servers(session))
    value = StringType.serializer().serialize("hello")
    before = clients.end(f"{name}.greetings")
    for i in range(messages):
        clients.produce(f"{name}.in", f"user-{i % keys}".encode(), value)
    begin, busy = time.perf_counter(), time.process_time()
    clients.flush()
    while clients.end(f"{name}.greetings") - before < messages:
        time.sleep(0.02)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - busy
    clients.close()
    return _Cost(messages / seconds, cpu / messages * 1e6)


def main() -> None:
    """Print a line for each way and load."""
    engine.RemoteFunctions = _Direct  # type: ignore[attr-defined]
    ports: dict[str, int] = {}
    with ExitStack() as stack:
        for name in ("direct", "through"):
            ports[name] = stack.enter_context(serving(sys.executable, "ours.py", name))
        traced = stack.enter_context(_session(ports))
        untraced = stack.enter_context(_session(ports, trace=False))
        ways = {
            "by the cluster itself": (traced, "direct"),
            "through the session, traced": (traced, "through"),
            "through the session, trace=False": (untraced, "through"),
        }
        for messages, keys in _LOADS:
            for way in ways.values():
                _measure(*way, 2_000, keys)
            rounds = [
                {what: _measure(*way, messages, keys) for what, way in ways.items()}
                for _ in range(_ROUNDS)
            ]
            for what in ways:
                rate = median(each[what].rate for each in rounds)
                cpu = median(each[what].cpu for each in rounds)
                print(
                    f"{messages:,} messages, {keys:,} keys, {what}: {rate:,.0f} messages/s, "
                    f"{cpu:,.0f} us of the session's processor time for each",
                    flush=True,
                )


if __name__ == "__main__":
    main()
