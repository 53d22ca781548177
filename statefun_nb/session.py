"""The session: functions, endpoint, engine and trace tied together, and the default session."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import threading
import time
import warnings
from collections.abc import Iterable, Sized
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from .address import SdkAddress, address_of
from .effects import TypedValue
from .endpoint.server import Endpoint
from .engine.clock import Clock, VirtualClock
from .engine.core import Core, OnError
from .engine.driver import Driver, Idle, Incoming
from .engine.egress_log import EgressLog
from .engine.transport import DirectTransport, HttpTransport, Transport
from .errors import ConversionError, ConversionTypeError, IdleTimeout, SessionError
from .functions import default_functions
from .inference import decode_value, type_of_value
from .loop_thread import LoopThread
from .messages import Message, own_typed_value, typed_value
from .protocol.v3 import decode_typed_value
from .protocol.wire import typed_value_bytes
from .registry import StatefulFunctions
from .tables import html_table, text_table
from .trace.events import EgressRecord, Invocation, egress_record
from .trace.invocations import Invocations
from .trace.recorder import Recorder
from .trace.traced import Blocked, Running, TracedHandler

__all__ = [
    "Options",
    "ParkedAddress",
    "Session",
    "StateTable",
    "Status",
    "session",
    "start",
    "stop",
]

# send_many waits while so many messages are queued, so that memory does not grow with the input.
_MANY_QUEUED = 50_000
_CHUNK = 1_000


class Status(NamedTuple):
    """What a session is doing. ``processed`` counts messages, ``traced`` kept invocations."""

    engine: str
    state: str
    url: str
    functions: tuple[str, ...]
    processed: int
    in_flight: int
    queued: int
    parked: int
    delayed: int
    errors: int
    traced: int
    trace_bytes: int


class ParkedAddress(NamedTuple):
    """An address that does not go on, its waiting messages, and why."""

    address: SdkAddress
    waiting: int
    reason: str


class StateTable(dict[str, dict[str, Any]]):
    """The state of all addresses of one function type, by id; a dict that shows as a table."""

    def __init__(self, typename: str, values: dict[str, dict[str, Any]]) -> None:
        super().__init__(values)
        self.typename = typename

    def _table(self) -> tuple[str, list[str], list[list[object]]]:
        names = list(dict.fromkeys(name for values in self.values() for name in values))
        rows: list[list[object]] = [
            [id_, *(values.get(name, "") for name in names)] for id_, values in self.items()
        ]
        return f"state of {self.typename}", ["id", *names], rows

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002
        printer.text(text_table(*self._table()))

    def _repr_html_(self) -> str:
        return html_table(*self._table())


@dataclass(frozen=True)
class Options:
    """What a session was started with; see ``start``."""

    engine: str
    paused: bool
    on_error: OnError
    port: int
    functions: StatefulFunctions
    transport: str
    batch_limit: int
    clock: str
    trace: bool
    trace_limit: int
    trace_bytes: int


class Session:
    """Functions that are served, an engine that drives them, and the trace of what happened.

    Made by ``start``; its methods may be called from any thread but the functions themselves.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self._thread = LoopThread("statefun_nb")
        self._clock = VirtualClock() if options.clock == "virtual" else Clock()
        self._recorder = Recorder(options.trace_limit, options.trace_bytes, self._clock.now)
        handler = TracedHandler(options.functions, self._recorder if options.trace else None)
        self._handler = handler
        self._egress = EgressLog()
        self._core = Core(options.batch_limit, options.on_error, self._egress.append)
        self._stopped = False
        self._thread.start()
        try:
            self.endpoint = Endpoint(handler, self._thread)
            self.endpoint.start(options.port)
            self._driver = self._thread.call(self._make_driver)
        except BaseException:
            self._thread.stop()
            raise
        self._unsubscribe = options.functions.subscribe(self._declared)

    def _make_driver(self) -> Driver:
        transport: Transport
        if self.options.transport == "http":
            transport = HttpTransport(self.endpoint.url)
        else:
            transport = DirectTransport(self._handler)
        return Driver(self._core, transport, self._clock, paused=self.options.paused)

    def _declared(self, typename: str) -> None:
        if not self._stopped:
            self._thread.post(self._driver.release, typename)

    # Sending.

    def send(
        self,
        typename: str | Message,
        id: str = "",  # noqa: A002 - the field's own name
        value: Any = None,
        *,
        delay: timedelta | None = None,
        type: Any = None,  # noqa: A002
    ) -> None:
        """Send a message from outside: ``send(typename, id, value)``, or ``send(message)``.

        A message to a function that is not declared yet waits until its cell is run.

        Parameters
        ----------
        delay : timedelta, optional
            Deliver it so much later, cut to whole milliseconds.
        type : Type or type, optional
            The value's type; inferred from the Python value when left out.

        Raises
        ------
        ConversionError
            When the value or the address cannot be sent.
        """
        self._check_running()
        self._driver.post([_incoming((typename, id, value), type, delay)])

    def send_many(
        self, messages: Iterable[Message | tuple[str, str, Any]], *, progress: bool = True
    ) -> int:
        """Send messages or ``(typename, id, value)`` tuples; returns how many.

        A progress bar appears when it takes longer than a second. Sending waits while the engine
        is far behind, so that any number of messages fits into memory.
        """
        self._check_running()
        from tqdm import tqdm  # 30 ms that a first cell need not wait for

        count = 0
        chunk: list[Incoming] = []
        total = len(messages) if isinstance(messages, Sized) else None
        with tqdm(
            total=total,
            unit=" messages",
            delay=1,
            mininterval=0.5,
            leave=False,
            disable=not progress,
        ) as bar:
            for message in messages:
                chunk.append(_incoming(message, None, None))
                if len(chunk) == _CHUNK:
                    self._post(chunk)
                    count += len(chunk)
                    bar.update(len(chunk))
                    chunk = []
            if chunk:
                self._post(chunk)
                count += len(chunk)
                bar.update(len(chunk))
        return count

    def _post(self, chunk: list[Incoming]) -> None:
        self._driver.post(chunk)
        while self._driver.queued > _MANY_QUEUED and not self._driver.paused:
            before = self._core.processed
            time.sleep(0.005)
            if self._core.processed == before and not self._core.in_flight and not self._core.ready:
                self._check_running()

    # Waiting.

    def wait_idle(self, timeout: float = 10.0, *, timers: bool = True) -> Idle:
        """Return when nothing can move any more.

        Messages parked on an error, and all messages of a paused engine, cannot move. Delayed
        messages that fall due within ``timeout`` seconds are waited for, unless ``timers`` is
        False.

        Raises
        ------
        IdleTimeout
            When something still moved after ``timeout`` seconds; it says what.
        """
        self._check_running()
        waiting = asyncio.run_coroutine_threadsafe(self._idle(timeout, timers), self._thread.loop)
        return self._idle_result(waiting, timeout)

    async def idle(self, timeout: float = 10.0, *, timers: bool = True) -> Idle:
        """``wait_idle`` to ``await``, for cells and tests that run in an event loop."""
        self._check_running()
        waiting = asyncio.run_coroutine_threadsafe(self._idle(timeout, timers), self._thread.loop)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(waiting), timeout)
        except asyncio.TimeoutError:
            raise self._idle_timeout(timeout) from None

    async def _idle(self, timeout: float, timers: bool) -> Idle:
        await self._driver.idle(timeout if timers else 0.0)
        return self._driver.report()

    def _idle_result(self, waiting: Future[Idle], timeout: float) -> Idle:
        try:
            return waiting.result(timeout)
        except FutureTimeout:
            if waiting.done():
                return waiting.result()
            waiting.cancel()
            raise self._idle_timeout(timeout) from None

    def _idle_timeout(self, timeout: float) -> IdleTimeout:
        text = f"not idle after {timeout:g} s: {self._driver.queued} messages wait, "
        text += f"{self._core.in_flight} requests are in flight"
        for running in self.running[:3]:
            text += f"; {running.address} has been running for {running.seconds:.1f} s"
            if not running.is_async:
                text += " (a sync function: nothing else runs meanwhile; make it async, or faster)"
        return IdleTimeout(text)

    # Looking.

    def state(self, typename: str, id: str | None = None) -> Any:  # noqa: A002
        """The state of one address, by name; without ``id``, of all addresses of the type, by id.

        Empty when there is none.
        """
        self._check_running()
        if id is None:
            found = self._thread.call(self._read_all, typename)
            decoded = {key: self._decode(typename, values) for key, values in found.items()}
            return StateTable(typename, {key: values for key, values in decoded.items() if values})
        return self._decode(typename, self._thread.call(self._read, address_of(typename, id)))

    def _read(self, address: SdkAddress) -> dict[str, TypedValue | None]:
        mailbox = self._core.mailboxes.get(address)
        return {} if mailbox is None else mailbox.read(self._clock.now_ms(), touch=False)

    def _read_all(self, typename: str) -> dict[str, dict[str, TypedValue | None]]:
        addresses = [a for a in self._core.mailboxes if a.typename == typename]
        return {address.id: self._read(address) for address in addresses}

    def _decode(self, typename: str, values: dict[str, TypedValue | None]) -> dict[str, Any]:
        """Values by name, by their declared types where these are the stored ones."""
        spec = self.options.functions.find(typename)
        declared = {} if spec is None else spec.layout.specs
        decoded = {}
        for name, value in values.items():
            if value is None or value.value is None:
                continue
            known = declared.get(name)
            if known is not None and known.type.typename == value.typename:
                decoded[name] = known.type.serializer().deserialize(value.value)
            else:
                decoded[name] = decode_value(value)
        return decoded

    def egress(self, typename: str | None = None) -> list[EgressRecord]:
        """The records that went to an egress, or to all of them, in order."""
        self._check_running()
        return [
            egress_record(record.egress, decode_typed_value(record.argument))
            for record in self._egress.records(typename)
        ]

    @property
    def invocations(self) -> Invocations:
        """The kept invocations as they are now, in the order they started."""
        return Invocations.of(self._recorder)

    @property
    def parked(self) -> list[ParkedAddress]:
        """The addresses that wait for a corrected or missing function."""
        self._check_running()
        return self._thread.call(self._parked)

    def _parked(self) -> list[ParkedAddress]:
        return [
            ParkedAddress(m.address, len(m.waiting or ()), m.parked.reason)
            for m in self._core.parked()
            if m.parked is not None
        ]

    @property
    def running(self) -> list[Running]:
        """The requests that are being served just now."""
        return self._handler.running

    @property
    def blocked(self) -> list[Blocked]:
        """The last sync functions that held up everything else for more than 0.1 s."""
        return list(self._handler.blocked)

    @property
    def url(self) -> str:
        """The endpoint, as module.yaml names it."""
        return self.endpoint.url

    def status(self) -> Status:
        """What the session is doing; answers also while a function blocks the engine."""
        core, driver = self._core, self._driver
        state = "stopped" if self._stopped else "paused" if driver.paused else "running"
        return Status(
            self.options.engine,
            state,
            self.url,
            tuple(self.options.functions),
            core.processed,
            core.in_flight,
            driver.queued,
            len(core.parked()),
            len(core.timers),
            self._recorder.failures,
            self._recorder.count,
            self._recorder.bytes,
        )

    # Controlling.

    def pause(self) -> None:
        """Serve no further message until ``step`` or ``resume``."""
        self._check_running()
        self._thread.call(self._driver.pause)

    def resume(self) -> None:
        """Go on."""
        self._check_running()
        self._thread.call(self._driver.resume)

    def step(self, timeout: float = 30.0) -> Invocation | None:
        """Pause, serve one message, and return its invocation; None when none is ready."""
        self.pause()
        if not self._thread.run(self._driver.step(), timeout) or not self.options.trace:
            return None
        invocations = self.invocations
        return invocations[-1] if invocations else None

    def advance(self, duration: timedelta, timeout: float = 30.0) -> Idle:
        """Move the session's clock; delayed messages and expirations on the way happen in order.

        Parameters
        ----------
        duration : timedelta
            Not negative.
        timeout : float
            Seconds to wait for what falls due.
        """
        self._check_running()
        if duration < timedelta(0):
            raise ConversionError(f"the clock cannot go back: {duration}")
        self._thread.run(self._driver.advance(duration), timeout)
        return self._thread.call(self._driver.report)

    def stop(self, timeout: float = 5.0) -> bool:
        """Stop engine and endpoint. True when all of it ended within ``timeout`` seconds.

        The trace stays readable.
        """
        if self._stopped:
            return True
        self._unsubscribe()
        with contextlib.suppress(TimeoutError):  # a sync function blocks the loop: see the result
            self._thread.run(self._shut_down(), timeout)
        self._stopped = True
        return self._thread.stop(timeout)

    async def _shut_down(self) -> None:
        await self._driver.close()
        await self.endpoint.close()

    def _check_running(self) -> None:
        if self._stopped:
            raise SessionError("this session has been stopped: call sf.start() for a new one")

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # Showing.

    def _table(self) -> tuple[str, list[str], list[list[object]]]:
        status = self.status()
        title = f"StateFun session: {status.engine} engine, {status.state}, {status.url}"
        rows: list[list[object]] = [
            ["functions", ", ".join(status.functions) or "none declared"],
            ["messages", f"{status.processed} processed, {status.queued} queued"],
            ["parked", status.parked],
            ["delayed", status.delayed],
            ["errors", status.errors],
        ]
        rows += [["running", f"{r.address} for {r.seconds:.1f} s"] for r in self.running[:5]]
        rows += [["blocked", f"{b.address} for {b.seconds:.1f} s"] for b in self.blocked[-5:]]
        return title, ["", ""], rows

    def __repr__(self) -> str:
        return text_table(*self._table())

    def _repr_html_(self) -> str:
        return html_table(*self._table())


def _incoming(message: Any, tpe: Any, delay: timedelta | None) -> Incoming:
    if isinstance(message, tuple) and len(message) == 3 and isinstance(message[0], Message):
        message = message[0]
    if isinstance(message, Message):
        address = address_of(message.target_typename, message.target_id)
        value = own_typed_value(message.typed_value)
    else:
        address, value = _encode(message, tpe)
    delay_ms = 0
    if delay is not None:
        if not isinstance(delay, timedelta) or delay < timedelta(0):
            raise ConversionError(f"a delay is a timedelta, not negative: {delay!r}")
        delay_ms = delay // timedelta(milliseconds=1)
    try:
        address.id.encode()
    except UnicodeEncodeError as error:
        raise ConversionError(
            f"the id {address.id!r} (message to {address.typename}) cannot be written as UTF-8"
        ) from error
    return Incoming(address, typed_value_bytes(value), delay_ms)


def _encode(message: Any, tpe: Any) -> tuple[SdkAddress, TypedValue]:
    try:
        typename, id_, value = message
    except (TypeError, ValueError) as error:
        raise ConversionTypeError(
            f"a message is a Message or a tuple (typename, id, value), not {message!r}"
        ) from error
    address = address_of(typename, id_)
    if not id_:
        raise ConversionError(f"the id of a message to {typename} can not be empty")
    if value is None:
        raise ConversionError(f"value can not be missing (message to {address})")
    try:
        return address, typed_value(type_of_value(value, tpe), value)
    except ConversionError as error:
        raise type(error)(f"message to {address}: {error}") from error


# The default session. One variable and its lock; it outlives a reload of this module, as
# %autoreload does, for its thread and its port do.
_lock: threading.RLock = globals().get("_lock") or threading.RLock()
_current: Session | None = globals().get("_current")


def start(
    engine: str = "embedded",
    *,
    paused: bool = False,
    on_error: str = "park",
    port: int = 8000,
    functions: StatefulFunctions | None = None,
    transport: str = "direct",
    batch_limit: int = 1000,
    clock: str = "system",
    trace: bool = True,
    trace_limit: int = 10_000,
    trace_bytes: int = 64 * 1024 * 1024,
) -> Session:
    """Start a session, or return the running one when it was started with the same options.

    Parameters
    ----------
    engine : str
        ``"embedded"``.
    paused : bool
        Serve nothing until ``step`` or ``resume``.
    on_error : str
        What happens to a message whose function raises: ``"park"`` (it waits for the corrected
        cell), ``"retry"`` (with back-off) or ``"skip"``.
    port : int
        Of the endpoint on 127.0.0.1; when it is taken, the next free one, with a warning. 0: any.
    functions : StatefulFunctions, optional
        What to serve; the functions declared with ``sf.function`` when left out.
    transport : str
        ``"direct"`` calls functions in process, ``"http"`` through the endpoint; same bytes.
    batch_limit : int
        Messages in one request at most (``maxNumBatchRequests``); 0: no limit.
    clock : str
        ``"system"``, or ``"virtual"``: time moves by ``advance`` alone.
    trace : bool
        Record invocations.
    trace_limit, trace_bytes : int
        The last so many invocations are kept, and of those so many bytes.

    Raises
    ------
    SessionError
        When an option has no such value.
    EngineError
        When no port is free.

    Examples
    --------
    >>> with start(port=0, functions=StatefulFunctions()) as s:
    ...     s.wait_idle()
    Idle(processed=0, parked=0)
    """
    global _current
    options = Options(
        _one_of("engine", engine, ("embedded",)),
        paused,
        OnError(_one_of("on_error", on_error, tuple(each.value for each in OnError))),
        _port(port),
        default_functions if functions is None else functions,
        _one_of("transport", transport, ("direct", "http")),
        batch_limit,
        _one_of("clock", clock, ("system", "virtual")),
        trace,
        trace_limit,
        trace_bytes,
    )
    with _lock:
        running = _running_session()
        if running is not None:
            if running.options == options:
                return running
            warnings.warn(
                "a session with other options was running: it is stopped, and its state is gone",
                stacklevel=2,
            )
            running.stop()
        _current = Session(options)
        if port and _current.endpoint.port != port:
            warnings.warn(
                f"port {port} is taken: the endpoint listens on port {_current.endpoint.port}",
                stacklevel=2,
            )
        return _current


def stop() -> None:
    """Stop the current session; nothing happens when there is none."""
    global _current
    with _lock:
        if _current is not None:
            _current.stop()
        _current = None


def session() -> Session:
    """The current session.

    Raises
    ------
    SessionError
        When none is running.
    """
    running = _running_session()
    if running is None:
        raise SessionError("no session is running: call sf.start() first")
    return running


def _running_session() -> Session | None:
    return _current if _current is not None and not _current._stopped else None


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise SessionError(f"{name}={value!r} is not known: use {', '.join(map(repr, allowed))}")
    return value


def _port(port: Any) -> int:
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535:
        raise SessionError(f"port={port!r} is no port: use a number from 0 (any) to 65535")
    return port


atexit.register(stop)
