"""``ClusterEngine``: a session's engine whose part is played by the real StateFun."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from ..address import SdkAddress
from ..endpoint.server import Endpoint
from ..engine.base import Idle, IngressMessage, ParkedAddress, Progress, States, StoredState, Timer
from ..errors import EngineError
from ..loop_thread import LoopThread
from ..protocol.effects import Emit, TypedValue
from ..protocol.envelope import encode_envelope
from ..protocol.module_yaml import Document, covers, http_endpoint, write_module
from ..protocol.records import EGRESS_TOPIC, KAFKA_RECORD, KafkaRecord, encode_kafka_record
from ..protocol.v3 import decode_typed_value
from ..protocol.wire import typed_value_bytes
from ..trace.traced import Serving, TracedHandler
from .cluster import Cluster
from .external import ExternalCluster
from .gateway import MESSAGES_TOPIC, gateway_documents, gateway_functions
from .kafka import Clients, Record
from .observed import Observed
from .routes import ClusterRoutes
from .undeclared import Undeclared

__all__ = ["ClusterEngine"]

# How long nothing must have happened to be sure, when counting is not enough: after a restart, or
# while messages wait behind a parked one. Longer than a checkpoint and a restart's delay.
_QUIET_SECONDS = 3.0
_PARKED_QUIET_SECONDS = 1.0
_POLL_SECONDS = 0.03
_EGRESS_SECONDS = 5.0
# The runtime waits so long for an answer: a parked message waits for a person.
_CALL_TIMEOUT = "24h"
_PAYLOAD_BYTES = 64 * 1024 * 1024


class ClusterEngine:
    """Hands messages to a cluster by Kafka, and knows of it what passes the endpoint.

    Parameters
    ----------
    thread, endpoint, handler
        The session's.
    cluster : Cluster or ExternalCluster
        What runs StateFun and Kafka.
    on_error : str
        "park" and "skip" are the endpoint's work, "retry" is the cluster's.
    delivery : str
        Of the egress: "at-least-once" or "exactly-once".
    report : callable
        Told what is being waited for.
    """

    controls = None
    ticks = True

    def __init__(
        self,
        thread: LoopThread,
        endpoint: Endpoint,
        handler: TracedHandler,
        cluster: Cluster | ExternalCluster,
        *,
        on_error: str,
        delivery: str,
        batch_limit: int,
        report: Callable[[str], object],
    ) -> None:
        self.cluster = cluster
        self._thread = thread
        self._endpoint = endpoint
        self._handler = handler
        self._delivery = delivery
        self._batch_limit = batch_limit
        self._report = report
        self._observed = Observed(self._serves)
        self._routes = ClusterRoutes(self._observed.pending)
        self._parking = endpoint.park(retry=on_error == "retry")
        handler.attach(
            Serving(
                routes=self._routes,
                system=gateway_functions(),
                skip=on_error == "skip",
                watch=self._observed.served,
            )
        )
        self._group = f"statefun_nb_{secrets.token_hex(4)}"  # another session reads from the start
        self._numbers = itertools.count(1)
        self._reported = 0
        self._restored = 0
        self._trusted = True  # has the job never gone back to a checkpoint?
        self._user_documents: list[Document] = []
        self._lock = threading.RLock()  # guards starting and restarting, and what follows
        self._running = False
        self._undeclared = Undeclared()
        self._read: dict[str, list[Record]] = {}  # by topic, and where to read on, by partition
        self._read_to: dict[str, dict[int, int]] = {}
        self._clients = Clients(cluster.bootstrap_servers)
        cluster.start_kafka()

    def _serves(self, typename: str) -> bool:
        return self._routes.leads_to(typename, self._endpoint.url)

    # Being ready.

    def prepare(self) -> None:
        """Start the job, or start it anew when a namespace was declared that it does not know.

        StateFun reads module.yaml once. The endpoint of ``namespace/*`` covers every function
        that a later cell declares in a known namespace; for a new one the job has to start again,
        from a savepoint, so that all state lives on.
        """
        with self._lock:
            known = self._routes.documents
            new = sorted(n for n in self._namespaces() if not covers(known, f"{n}/any"))
            if self._running and not new:
                return
            documents = self._module()
            if self._running:
                self._restart(documents, f"to know {', '.join(new)}/*")
            else:
                self._start(documents)
            self.post(self._undeclared.take())

    def _namespaces(self) -> set[str]:
        return {typename.partition("/")[0] for typename in self._handler.functions}

    def _module(self) -> list[Document]:
        own = [
            http_endpoint(
                f"{namespace}/*",
                self._endpoint.url,
                max_batch=self._batch_limit,
                call=_CALL_TIMEOUT,
                payload_max_bytes=_PAYLOAD_BYTES,
            )
            for namespace in sorted({*self._namespaces(), "statefun_nb"})
        ]
        gateway = gateway_documents(self.cluster.bootstrap_servers, self._group, self._delivery)
        return [*own, *self._user_documents, *gateway]

    def _start(self, documents: list[Document]) -> None:
        with self._progress("StateFun is starting"):
            self._routes.documents = documents
            self.cluster.start_job(write_module(documents))
            # Kafka is up, and the topics are there, before the job comes to ask for them.
            self.cluster.wait_for_kafka(self._clients)
            self._clients.create_topics([MESSAGES_TOPIC], self.cluster.parallelism)
            self._clients.create_topics([EGRESS_TOPIC], 1)
            self.cluster.wait_for_job(self._report)
        self._restored = self.cluster.restored()
        self._running = True

    def _restart(self, documents: list[Document], why: str) -> None:
        warnings.warn(f"StateFun starts again, from a savepoint, {why}", stacklevel=4)
        with self._progress("StateFun starts again"):
            self._thread.call(self._parking.close)  # nothing may happen after the savepoint
            savepoint = self.cluster.stop_job()
            self._thread.call(self._parking.forget)
            self._routes.documents = documents
            self.cluster.start_job(write_module(documents), savepoint)
            self._thread.call(self._parking.open)
            self.cluster.wait_for_job(self._report)
        self._restored = self.cluster.restored()

    @contextmanager
    def _progress(self, what: str) -> Iterator[None]:
        self._report(what)
        try:
            yield
        except EngineError as error:
            raise EngineError(f"{error} (all that was written: %statefun logs)") from error
        finally:
            self._report("")

    def documents(self) -> list[Document]:
        """The module.yaml that this session needs."""
        with self._lock:
            return self._module()

    def load(self, documents: list[Document]) -> None:
        """Add documents of the user's to module.yaml."""
        with self._lock:
            self._user_documents += documents
            if self._running:
                self._restart(self._module(), "with the loaded module.yaml")

    # Messages.

    @property
    def name(self) -> str:
        return self.cluster.name

    @property
    def paused(self) -> bool:
        return self._parking.closed

    @property
    def progress(self) -> Progress:
        observed = self._observed
        in_flight = len(self._handler.running)
        return Progress(
            observed.received,
            in_flight,
            max(0, self._under_way - in_flight),
            len(self._parking.held) + len(self._undeclared.addresses),
            observed.delayed(),
        )

    @property
    def _under_way(self) -> int:
        return self._observed.under_way - self._parking.given_up

    def now(self) -> float:
        return time.time()

    def post(self, messages: Iterable[IngressMessage]) -> None:
        with self._lock:
            for message in messages:
                target = message.target
                if not self._running or not covers(self._routes.documents, target.typename):
                    self._undeclared.add(message)
                    continue
                value = encode_envelope(*message, next(self._numbers))
                self._observed.posted()
                if message.delay_ms:
                    self._thread.post(self._observed.posted_later, message)
                key = f"{target.typename}/{target.id}".encode()
                self._clients.produce(MESSAGES_TOPIC, key, value)
            find = self._handler.functions.find
            if any(find(address.typename) for address in self._undeclared.addresses):
                self.prepare()

    def release(self, typename: str) -> None:
        self._thread.post(self._parking.release, typename)

    # Looking.

    def state(self, address: SdkAddress) -> dict[str, TypedValue | None]:
        return dict(self._observed.state.get(address.typename, {}).get(address.id, {}))

    def states(self, typename: str) -> States:
        found = self._observed.state.get(typename, {})
        return {
            id_: dict(values)
            for id_, values in tuple(found.items())
            if any(each is not None and each.value is not None for each in values.values())
        }

    def types(self) -> dict[str, int]:
        return {typename: len(states) for typename, states in tuple(self._observed.state.items())}

    def page(self, typename: str, search: str, limit: int) -> tuple[int, list[StoredState]]:
        return self._observed.page(typename, search, limit)

    def timers(self) -> list[Timer]:
        return self._thread.call(self._observed.timers)

    def health(self) -> str:
        if not self._running or self.cluster.rest.running():
            return ""
        return f"the job is not running just now: {self.cluster.web_url}"

    def egress(self, typename: str | None) -> Sequence[Emit]:
        egresses = [typename] if typename is not None else sorted(self._observed.emitted)
        return [record for egress in egresses for record in self._egress(egress)]

    def _egress(self, typename: str) -> Iterator[Emit]:
        for topic, count in tuple(self._observed.emitted.get(typename, {}).items()):
            records = self._topic(topic, typename if topic == EGRESS_TOPIC else None, count)
            for record in records:
                if topic == EGRESS_TOPIC:
                    yield Emit(typename, record.value)
                else:
                    key = (record.key or b"").decode(errors="replace")
                    kafka = encode_kafka_record(KafkaRecord(topic, key, record.value))
                    yield Emit(typename, typed_value_bytes(TypedValue(KAFKA_RECORD, kafka)))

    def _topic(self, topic: str, key: str | None, count: int) -> list[Record]:
        """The records of a topic; waits a little for what was emitted and is not there yet."""
        deadline = time.monotonic() + _EGRESS_SECONDS
        while True:
            with self._lock:
                records = self._read.setdefault(topic, [])
                read_to = self._read_to.setdefault(topic, {})
                new = self._clients.read(topic, read_to)
                read_to.update((record.partition, record.offset + 1) for record in new)
                records += new
                found = [r for r in records if key is None or (r.key or b"").decode() == key]
            if len(found) >= count or time.monotonic() > deadline:
                return found
            time.sleep(_POLL_SECONDS)

    def parked(self) -> list[ParkedAddress]:
        held = self._thread.call(lambda: dict(self._parking.held))
        addresses = [
            ParkedAddress(
                address=address,
                reason=each.why.reason,
                line="",
                attempts=0,
                waiting=len(each.request.invocations),
                undeclared=each.why.position is None,
            )
            for address, each in held.items()
        ]
        with self._lock:
            waiting = dict(self._undeclared.addresses)
        reason = "no function of that type is declared yet"
        return addresses + [
            ParkedAddress(address, reason, "", 0, count, undeclared=True)
            for address, count in waiting.items()
        ]

    def retry(self, typename: str | None, id: str | None) -> int:
        return self._thread.call(self._parking.release, typename, id)

    def discard(self, address: SdkAddress) -> TypedValue:
        with self._lock:
            message = self._undeclared.discard(address)
        if message is not None:
            return decode_typed_value(message.argument)
        return self._thread.call(self._parking.discard, address)

    # Controlling.

    def pause(self) -> None:
        self._thread.call(self._parking.close)

    def resume(self) -> None:
        self._thread.call(self._parking.open)

    def halt(self) -> None:
        """Left to the endpoint, which is closed: the cluster sends to it what it sends."""

    async def idle(self, timeout: float) -> Idle:
        await asyncio.to_thread(self._clients.flush)
        until = time.time() + timeout
        steady = 0
        while steady < 2:  # twice in a row: a reply may be between endpoint and counting
            steady = steady + 1 if self._is_idle(until) else 0
            await asyncio.sleep(_POLL_SECONDS)
            if not steady:
                await asyncio.to_thread(self._watch_job)
        return self._report_idle()

    def _watch_job(self) -> None:
        """A job that goes back to a checkpoint is not quiet, and counting is over."""
        restored = self.cluster.restored()
        if restored != self._restored or not self.cluster.rest.running():
            self._trusted = self._trusted and restored == self._restored
            self._restored = restored
            self._observed.last_activity = time.monotonic()

    def _is_idle(self, until: float) -> bool:
        observed = self._observed
        if self.paused:
            return not self._handler.running
        if self._handler.running or observed.delayed() > observed.delayed(until):
            return False
        quiet = time.monotonic() - max(observed.last_activity, self._parking.last_activity)
        if self._trusted and not self._parking.held:
            return self._under_way == 0
        return quiet > (_PARKED_QUIET_SECONDS if self._trusted else _QUIET_SECONDS)

    def _report_idle(self) -> Idle:
        observed = self._observed
        done, self._reported = observed.received - self._reported, observed.received
        under_way = max(0, self._under_way)
        parked = (under_way if self._parking.held else 0) + len(self._undeclared)
        return Idle(done, parked, under_way if self.paused else 0, observed.delayed())

    async def close(self) -> None:
        self._clients.close()
        try:
            closing = asyncio.get_running_loop().run_in_executor(None, self.cluster.close)
        except RuntimeError:  # the interpreter is ending and starts no thread any more
            self.cluster.close()
        else:
            await closing

    def abandon(self) -> None:
        self._clients.close()
        self.cluster.close()
