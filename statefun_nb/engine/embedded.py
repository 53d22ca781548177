"""The embedded engine: core, driver, clock and transport put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Protocol

from ..address import SdkAddress
from ..errors import BusyError, EngineError, SessionError, token_is_pending
from ..loop_thread import LoopThread
from ..protocol.effects import Emit, Reply, StateSpec, TypedValue
from ..protocol.egresses import Egresses
from ..protocol.module_yaml import PLAYGROUND_EGRESS, PLAYGROUND_INGRESS, Document, merged
from ..protocol.v3 import decode_typed_value
from ..protocol.wire import typed_value_bytes
from ..sdk.registry import StatefulFunctions
from ..sdk.value_spec import ValueSpec
from ..trace.recorder import Recorder
from ..trace.remote import RemoteTrace
from .clock import Clock
from .core import Core, OnError
from .driver import Driver
from .egress_log import EgressLog
from .embedded_controls import EmbeddedControls
from .facts import (
    Idle,
    IngressMessage,
    ParkedAddress,
    Progress,
    States,
    StoredState,
    Timer,
    newest,
)
from .mailbox import KeptStates, Mailbox
from .remote import RemoteCalls, RemoteEndpoint, RemoteTransport
from .transport import Transport

if TYPE_CHECKING:
    from .durable import Persistence
    from .sqlite_store import SqliteStore

__all__ = ["EmbeddedEngine"]

# So long a declaration waits to be told that its state is kept otherwise.
_TELL_SECONDS = 0.5


class Ports(Protocol):
    """Where messages come in and records go out by HTTP; on the loop."""

    def open(self, documents: Sequence[Document]) -> None:
        """Open the ports of these documents, all or none."""

    def check(self, value: TypedValue) -> None:
        """Raise EngineError for a record that has no way out."""

    def offer(self, value: TypedValue) -> None:
        """Keep a record until it is fetched."""

    async def close(self) -> None:
        """Stop listening."""


class EmbeddedRoutes:
    """Refuses at the user's line what the core would refuse of the reply; see ``Routes``."""

    def __init__(self, core: Core, clock: Clock) -> None:
        self._core = core
        self._clock = clock
        self._timers = core.timers
        self._agreed: dict[str, Mapping[str, ValueSpec]] = {}  # what the core has taken in
        self.ports: Ports | None = None
        self.egresses = Egresses()

    # Any will do: a message to a function that nobody declared waits for its cell.
    check_target: Callable[[str], None] | None = None

    def check_token(self, owner: SdkAddress, token: str) -> None:
        if self._timers.has(owner, token):
            raise EngineError(token_is_pending(owner, token))

    def check_state(self, typename: str, specs: Mapping[str, ValueSpec]) -> None:
        """Have the core take in how a cell that was run again declares what it knows.

        It learns new names by the handshake alone.
        """
        if self._agreed.get(typename) is not specs:  # asked for each request
            wanted = [spec.wire_spec() for spec in specs.values()]
            self._core.redeclare(typename, wanted, self._clock.now_ms())
            self._agreed[typename] = specs

    def egress(self, typename: str, value: TypedValue, topic: str | None) -> tuple[str, TypedValue]:
        self.egresses.check(typename, value, topic)
        if self.ports is not None:
            self.ports.check(value)
        return typename, value


class EmbeddedEngine:
    """Runs functions in this process; see ``Engine``.

    Parameters
    ----------
    thread : LoopThread
        Whose loop does the work.
    transport : Transport
        Takes requests to their functions.
    functions, recorder : StatefulFunctions, Recorder or None
        What is declared here, and what records that which other processes serve.
    own_url : str
        Of the endpoint that serves what is declared here.
    ports : callable
        Makes ``Ports``, given what takes a message that came in.
    batch_limit : int
        Messages in one request at most; 0: no limit.
    store : SqliteStore, optional
        Keeps everything, and gives back what it kept; closed with the engine.
    """

    name = "embedded"
    cluster = None

    def __init__(
        self,
        thread: LoopThread,
        transport: Transport,
        clock: Clock,
        functions: StatefulFunctions,
        recorder: Recorder | None,
        own_url: str,
        ports: Callable[[Callable[[SdkAddress, TypedValue], None]], Ports],
        *,
        on_error: OnError,
        batch_limit: int,
        paused: bool,
        store: SqliteStore | None = None,
    ) -> None:
        self._thread = thread
        self._clock = clock
        self._documents: list[Document] = []
        self._functions = functions
        self._recorder = recorder
        self._own_url = own_url
        self._own = transport
        self._remote: RemoteCalls | None = None  # from the first other endpoint on
        self._make_ports = ports
        self._ports: Ports | None = None  # from the first port on
        self._log = EgressLog()
        self._persistence: Persistence | None = None
        self._core: Core
        if store is None:
            self._core = Core(batch_limit, on_error, self._log.append)
        else:
            from .durable import (  # SQLite takes 4 ms that few need wait for
                DurableCore,
                Persistence,
            )

            self._core = core = DurableCore(batch_limit, on_error)
            self._persistence = Persistence(core, clock, self._log, store)
        commit = None if self._persistence is None else self._persistence.commit
        self.routes = EmbeddedRoutes(self._core, clock)  # for the handler that serves its requests
        self._driver = Driver(
            thread.loop, self._core, transport, clock, paused=paused, commit=commit
        )
        self.controls = EmbeddedControls(
            thread, self._driver, clock, None if store is None else store.backup
        )
        if self._persistence is not None:
            thread.post(self._driver.wake)  # for what was kept

    @property
    def paused(self) -> bool:
        return self._driver.paused

    @property
    def progress(self) -> Progress:
        core = self._core
        return Progress(
            core.processed,
            core.in_flight,
            self._driver.queued,
            core.parked_count,
            len(core.timers),
        )

    def now(self) -> float:
        return self._clock.now()

    @property
    def ticks(self) -> bool:
        return self._clock.ticks

    def prepare(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - it always is
        return True

    def post(self, messages: Iterable[IngressMessage]) -> None:
        if self._persistence is None:
            self._driver.post(messages)
        else:
            self._thread.call(self._driver.take, messages)

    def release(self, typename: str) -> None:
        self._thread.post(self._driver.release, typename)

    def kept_otherwise(self, typename: str, specs: Sequence[StateSpec]) -> str:
        known = self._core.types.get(typename)
        if known is None or not known.knows_otherwise(specs):  # nearly always
            return ""
        now_ms = self._clock.now_ms()
        try:
            return self._thread.call(known.kept_otherwise, specs, now_ms, timeout=_TELL_SECONDS)
        except (BusyError, SessionError):  # from inside of a function, or behind one that runs long
            return ""

    def retry(self, typename: str | None, id: str | None) -> int:
        return self._thread.call(self._driver.retry, typename, id)

    def discard(self, address: SdkAddress) -> TypedValue:
        return decode_typed_value(self._thread.call(self._driver.discard, address))

    def state(self, address: SdkAddress) -> dict[str, TypedValue | None]:
        return self._thread.call(self._read, address)

    def states(self, typename: str) -> States:
        return self._thread.call(self._read_all, typename)

    def _check_kept(self) -> None:
        if self._driver.failure:  # what is in memory may be more than what is kept
            raise EngineError(self._driver.failure)

    def _read(self, address: SdkAddress) -> dict[str, TypedValue | None]:
        self._check_kept()
        mailbox = self._core.find(address)
        return {} if mailbox is None else mailbox.read(self._clock.now_ms(), touch=False)

    def _read_all(self, typename: str) -> States:
        self._check_kept()
        known = self._core.types.get(typename)
        return {} if known is None else KeptStates(known, self._clock.now_ms())

    def types(self) -> dict[str, int]:
        return {name: len(each.mailboxes) for name, each in tuple(self._core.types.items())}

    def page(self, typename: str, search: str, limit: int) -> tuple[int, list[StoredState]]:
        known = self._core.types.get(typename)
        mailboxes = {} if known is None else dict(known.mailboxes)
        # Searched here, off the loop: among a million ids it takes a while.
        total, shown = newest(mailboxes, search, limit)
        return total, self._thread.call(lambda: [self._stored(mailboxes[id_]) for id_ in shown])

    def _stored(self, mailbox: Mailbox) -> StoredState:
        values = mailbox.read(self._clock.now_ms(), touch=False)
        expires = {
            spec.name: deadline / 1000
            for spec, deadline in zip(
                mailbox.function_type.specs, mailbox.deadlines or (), strict=False
            )
            if deadline
        }
        return StoredState(mailbox.id, values, expires)

    def timers(self) -> list[Timer]:
        return self._thread.call(self._core.timers.pending)

    def unanswered(self) -> dict[SdkAddress, str]:
        return {} if self._remote is None else self._remote.unanswered()

    def unseen(self) -> dict[str, str]:
        return {}

    @property
    def broken(self) -> bool:
        return bool(self.health())

    def health(self) -> str:
        gone = "" if self._persistence is None else self._persistence.gone
        return self._driver.failure or gone

    def egress(self, typename: str | None) -> Sequence[Emit]:
        return self._log.records(typename)

    def egresses(self) -> set[str]:
        return self._log.egresses()

    def parked(self) -> list[ParkedAddress]:
        return self._thread.call(self._parked)

    def _parked(self) -> list[ParkedAddress]:
        return [
            ParkedAddress(
                address=mailbox.address,
                reason=each.why.reason,
                line="",
                attempts=0,
                waiting=len(mailbox.waiting or ()),
                undeclared=each.undeclared,
                since=datetime.fromtimestamp(each.since_ms / 1000, timezone.utc),
            )
            for mailbox, each in self._core.parked().items()
        ]

    def load(self, documents: list[Document]) -> None:
        for document in documents:
            if document.needs_cluster:
                raise EngineError(
                    f"{document.where}: the embedded engine reads no "
                    f'{document.kind}; it needs engine="flink"'
                )
        known = merged(self._documents, documents)
        own = (self._own_url, self._own_url + "/v2")
        elsewhere = [
            RemoteEndpoint.of(each)
            for each in known
            if each.is_endpoint and each.spec["urlPathTemplate"] not in own
        ]
        if elsewhere and self._remote is None:
            trace = None if self._recorder is None else RemoteTrace(self._recorder)
            try:
                self._remote = RemoteCalls(self._functions, trace)
            except EngineError:  # without aiohttp: well, where all that they name is declared here
                if any(self._functions.find(each.pattern) is None for each in elsewhere):
                    raise
        self._thread.call(self._load, documents, elsewhere)
        self._documents = known
        self.routes.egresses = Egresses(self._documents)

    def _check(self, target: SdkAddress, reply: Reply) -> None:
        mailbox = self._core.find(target)
        if mailbox is not None and reply.missing is None:
            self._core.check(mailbox, reply)

    def _load(self, documents: list[Document], elsewhere: list[RemoteEndpoint]) -> None:
        ports = [d for d in documents if d.kind in (PLAYGROUND_INGRESS, PLAYGROUND_EGRESS)]
        if ports:
            self._open(ports)
        if self._remote is not None:
            self._remote.use(elsewhere)
            transport = RemoteTransport(self._own, self._remote, self._check)
            self._driver.use(transport)
            self._core.limit_batches(transport.batch_limit)
            for mailbox in self._core.parked():
                if self._remote.find(mailbox.function_type.typename) is not None:
                    self._driver.release(mailbox.function_type.typename)

    def _open(self, documents: list[Document]) -> None:
        opened = self._make_ports(self._take) if self._ports is None else self._ports
        opened.open(documents)
        if self._ports is None:
            self._ports = self.routes.ports = opened
            self._log.listener = self._offer
            for record in self._log.records():  # those that were emitted before
                self._offer(record)

    def _offer(self, record: Emit) -> None:
        assert self._ports is not None  # it listens from the first port on
        self._ports.offer(decode_typed_value(record.argument))

    def _take(self, address: SdkAddress, value: TypedValue) -> None:
        self._driver.take([IngressMessage(address, typed_value_bytes(value))])

    def documents(self) -> list[Document]:
        return list(self._documents)

    def pause(self) -> None:
        self._thread.call(self._driver.pause)

    def resume(self) -> None:
        self._thread.call(self._driver.resume)

    def halt(self) -> None:
        self._driver.paused = True

    async def idle(self, timeout: float) -> Idle:
        await self._driver.idle(timeout)
        return self._driver.report()

    async def close(self) -> None:
        if self._ports is not None:
            await self._ports.close()
        await self._driver.close()
        if self._persistence is not None:
            self._persistence.close()

    def abandon(self) -> None:
        if self._persistence is not None:
            self._persistence.close()
