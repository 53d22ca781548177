"""``ClusterEngine``: a session's engine whose part is played by the real StateFun."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from ..address import SdkAddress
from ..endpoint.server import Endpoint
from ..engine.facts import Idle, IngressMessage, ParkedAddress, Progress, States, StoredState, Timer
from ..errors import EngineError
from ..loop_thread import LoopThread
from ..protocol.effects import Emit, StateSpec, TypedValue
from ..protocol.egresses import LARGEST_EXCHANGE
from ..protocol.envelope import encode_envelope
from ..protocol.module_yaml import Document
from ..protocol.v3 import decode_typed_value
from ..trace.traced import Serving, TracedHandler
from .cluster import Cluster
from .deployment import Deployment
from .egress_reader import EgressReader
from .external import ExternalCluster
from .gateway import MESSAGES_TOPIC, gateway_documents, gateway_functions
from .kafka import Clients
from .keeper import Keeper
from .module import SessionModule
from .observed import Observed
from .remote import RemoteFunctions
from .routes import ClusterRoutes
from .sizes import all_are_held, check_size, too_large_request
from .undeclared import Undeclared

__all__ = ["ClusterEngine"]

# How long nothing must have happened to be sure when counting is over: after the job went back to
# a checkpoint. Longer than a checkpoint and a restart's delay.
_QUIET_SECONDS = 3.0
_POLL_SECONDS, _LOOK_SECONDS = 0.03, 0.25
# The runtime waits so long for an answer: a parked message waits for a person.
_CALL_TIMEOUT = "24h"


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
        self._observed = Observed(self._serves)
        form = cluster.release.form
        urls = form.urls(endpoint)
        self._routes = ClusterRoutes(urls, self._observed.pending, handler.functions.meant_by)
        call = "" if on_error == "retry" else _CALL_TIMEOUT
        self._remote = RemoteFunctions(
            handler, self._routes, self._observed, urls, form, call=call, deploys=cluster.deploys
        )
        endpoint.take(LARGEST_EXCHANGE, cluster.release.too_large)
        self._parking = endpoint.park(retry=on_error == "retry")
        handler.attach(
            Serving(
                routes=self._routes,
                system=gateway_functions(),
                skip=on_error == "skip",
                check=check_size,
                watch=self._observed.served,
                elsewhere=self._remote.start,
            )
        )
        self._group = f"statefun_nb_{secrets.token_hex(4)}"  # another session reads from the start
        self._numbers = itertools.count(1)
        self._reported = 0
        self._restored = (0, 0)  # the job's start, and how often it went back to a checkpoint
        self._trusted = True  # has the job never gone back to a checkpoint?
        self._lock = threading.RLock()  # guards what waits, and handing in
        self._undeclared = Undeclared()
        self._clients = Clients(cluster.bootstrap_servers)
        self._egresses = EgressReader(self._clients, self._observed)
        cluster.start_kafka()
        self._keeper = Keeper(cluster, self._clients)
        gateway = gateway_documents(cluster.bootstrap_servers, self._group, delivery)
        module = SessionModule(
            form, urls, gateway, self._remote.deployed, max_batch=batch_limit, call=_CALL_TIMEOUT
        )
        self._deployment = self._deploy(module, report)

    def _deploy(self, module: SessionModule, report: Callable[[str], object]) -> Deployment:
        return Deployment(
            self.cluster, self._clients, self._keeper, module, self._handler.functions,
            self._routes, self._remote, self._parking, self._thread,
            started=self._job_started, report=report,
        )  # fmt: skip

    def _serves(self, typename: str) -> bool:
        return self._routes.leads_here(typename)

    # Being ready.

    def prepare(self, timeout: float | None = None) -> bool:
        """See ``Deployment``; who waits does not have a job started that has nothing to do."""
        if timeout is not None and not self._deployment.is_wanted and not self._waits():
            return True
        return self._deployment.prepare(timeout)

    def _waits(self) -> bool:
        """Is there a message for a function that has been declared since it was sent?"""
        find = self._handler.functions.find
        with self._lock:
            types = {address.typename for address in self._undeclared.addresses}
            return any(find(each) or self._remote.knows(each) for each in types)

    def _job_started(self) -> None:
        """Send it what has waited for it; called by the keeper."""
        with self._lock:
            self._restored = (self.cluster.generation, self.cluster.restored())
            self._observed.has_remote = self._routes.lead_elsewhere
            self._deployment.runs = True
            self._hand_in(self._undeclared.take())

    def documents(self) -> list[Document]:
        """The module.yaml that this session needs."""
        return self._deployment.documents

    def load(self, documents: list[Document]) -> None:
        """Have the job run with documents of the user's, too; see ``Deployment``."""
        self.cluster.release.form.refuse(documents)
        self._deployment.load(documents)

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
        in_flight = len(self._handler.running) + len(self._remote.serving)
        return Progress(
            observed.received,
            in_flight,
            max(0, self._under_way - in_flight),
            len(self._parking.held) + len(self._undeclared.addresses),
            observed.delayed(),
        )

    @property
    def _under_way(self) -> int:
        return self._observed.under_way - self._parking.given_up - len(self._clients.refused)

    def now(self) -> float:
        return time.time()

    def post(self, messages: Iterable[IngressMessage]) -> None:
        with self._lock:
            self._hand_in(messages)
        if self._waits():
            self.prepare()

    def _hand_in(self, messages: Iterable[IngressMessage]) -> None:
        handed_in: list[SdkAddress] = []
        try:
            self._produce(messages, handed_in)
        finally:
            self._thread.post(self._observed.posted_to, handed_in)

    def _produce(self, messages: Iterable[IngressMessage], handed_in: list[SdkAddress]) -> None:
        for message in messages:
            target = message.target
            if not self._deployment.runs or not self._goes_right(target.typename):
                self._undeclared.add(message)
                continue
            value = encode_envelope(*message, next(self._numbers))
            key = f"{target.typename}/{target.id}".encode()
            counted = int(self._serves(target.typename))
            self._observed.posted(counted)  # before it can be served
            try:
                self._clients.produce(MESSAGES_TOPIC, key, value)
            except EngineError as error:
                self._observed.posted(-counted)
                raise EngineError(f"{target}: {error}") from error
            if counted:
                handed_in.append(target)
            if message.delay_ms and counted:
                self._thread.post(self._observed.posted_later, message)

    def _goes_right(self, typename: str) -> bool:
        """Does the job that runs send messages for that type where they are to go?"""
        if self._serves(typename):
            return True
        # What is declared here, is served here, whatever the module says of its namespace.
        return self._handler.functions.find(typename) is None and self._routes.reaches(typename)

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

    def unanswered(self) -> dict[SdkAddress, str]:
        return self._remote.unanswered()

    def unseen(self) -> dict[str, str]:
        return self._remote.direct

    broken = False  # a cluster that fails starts again, or says so in ``health``

    def health(self) -> str:
        trouble = self._keeper.trouble or self._keeper.doing
        if trouble or self._under_way <= self._parked:
            return trouble
        too_large = too_large_request(self._endpoint.refused, self._observed.busiest())
        return too_large or all_are_held(len(self._parking.held), self.cluster.requests)

    def kept_otherwise(self, typename: str, specs: Sequence[StateSpec]) -> str:
        return self._routes.kept_otherwise(typename, specs)

    def egress(self, typename: str | None) -> Sequence[Emit]:
        return self._egresses.records(typename)

    def egresses(self) -> set[str]:
        return {*self._observed.emitted}

    def parked(self) -> list[ParkedAddress]:
        held = self._thread.call(lambda: dict(self._parking.held))
        addresses = []
        for address, each in held.items():
            why, waiting = each.why, len(each.request.invocations)
            unknown = why.position is None
            addresses.append(ParkedAddress(address, why.reason, "", 0, waiting, undeclared=unknown))
        with self._lock:
            return addresses + self._undeclared.parked()

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
        until, looked, steady = time.time() + timeout, 0.0, 0
        while True:
            # Twice in a row: a reply may be between endpoint and counting.
            steady = steady + 1 if self._is_idle(until) else 0
            if steady >= 2 or time.monotonic() - looked > _LOOK_SECONDS:
                well = await asyncio.to_thread(self._job_is_well)
                looked = time.monotonic()
                if well and steady >= 2 and await asyncio.to_thread(self._has_read_all):
                    return self._report_idle()
            await asyncio.sleep(_POLL_SECONDS)

    def _job_is_well(self) -> bool:
        """Does all of it run? A job that went back to a checkpoint is not quiet, nor counted."""
        if not self._deployment.runs:
            return not self._keeper.doing
        well = self._keeper.is_well()
        if self._keeper.gone:
            raise EngineError(self._keeper.gone)
        restored = (self.cluster.generation, self.cluster.restored()) if well else self._restored
        if restored != self._restored:
            self._trusted, self._restored = False, restored
            well = False
        if not well:
            self._observed.last_activity = time.monotonic()
        return well

    @property
    def _parked(self) -> int:
        """Messages that are held here, or wait in the cluster for an address that is."""
        held = dict(self._parking.held)  # a copy: the loop goes on
        if not held:
            return 0
        given_up = sum(self._parking.given_up_at.get(address, 0) for address in held)
        return self._observed.waiting_at(held) - given_up

    def _has_read_all(self) -> bool:
        """Where only quiet tells: has the job read all messages, and dealt with them, for certain?

        It may be quiet because it waits for Kafka, or for its turn on a busy machine.
        """
        if self._trusted or self.paused or not self.cluster.generation:
            return True  # where somebody else runs it, its group is not known
        try:
            if self._clients.unread(MESSAGES_TOPIC, self._group):
                return False
        except EngineError:
            return False
        return self.cluster.rest.checkpoint_begun_after((time.time() - self._quiet()) * 1000)

    def _quiet(self) -> float:
        """Since how many seconds nothing has happened."""
        return time.monotonic() - max(self._observed.last_activity, self._parking.last_activity)

    def _is_idle(self, until: float) -> bool:
        observed = self._observed
        at_work = self._handler.running or self._remote.serving
        if self.paused:
            return not at_work
        if at_work or observed.delayed() > observed.delayed(until):
            return False
        if self._trusted:
            return self._under_way == self._parked
        return self._quiet() > _QUIET_SECONDS

    def _report_idle(self) -> Idle:
        observed = self._observed
        done, self._reported = observed.received - self._reported, observed.received
        under_way = max(0, self._under_way)
        parked = (under_way if self._parking.held else 0) + len(self._undeclared)
        return Idle(done, parked, under_way if self.paused else 0, observed.delayed())

    async def close(self) -> None:
        await self._remote.close()
        self._clients.close()
        try:
            closing = asyncio.get_running_loop().run_in_executor(None, self._keeper.close)
        except RuntimeError:  # the interpreter is ending and starts no thread any more
            self._keeper.close()
        else:
            await closing

    def abandon(self) -> None:
        self._clients.close()
        self._keeper.close()
