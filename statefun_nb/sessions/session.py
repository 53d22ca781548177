"""The session: functions, endpoint, engine and trace tied together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..address import address_of
from ..effects import TypedValue
from ..endpoint.server import Endpoint
from ..engine.base import Engine, Idle, Incoming, ParkedAddress
from ..engine.clock import Clock, VirtualClock
from ..errors import ConversionError, IdleTimeout, SessionError
from ..loop_thread import LoopThread
from ..module_yaml import Document, read_source, with_endpoints, write_module
from ..protocol.v3 import decode_typed_value
from ..sdk.messages import Message
from ..tables import text_table
from ..trace.events import EgressRecord, Invocation, egress_record
from ..trace.invocations import Invocations
from ..trace.recorder import Recorder
from ..trace.replay import Replay, cases_of, replay
from ..trace.traced import Blocked, Running, TracedHandler
from ..views.live import LiveViews
from ..views.status import StateTable, Status, decode_state, not_idle
from .checks import Check, check_of
from .engines import make_engine
from .options import Options
from .sending import chunks, incoming

if TYPE_CHECKING:
    from ..export.export import Exported

__all__ = ["Session"]

# send_many waits while so many messages are queued, so that memory does not grow with the input.
_MANY_QUEUED = 50_000


class Session(LiveViews):
    """Functions that are served, an engine that drives them, and the trace of what happened.

    Made by ``start``; its methods may be called from any thread but the functions themselves.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self._thread = LoopThread("statefun_nb")
        clock = VirtualClock() if options.clock == "virtual" else Clock()
        self.recorder = Recorder(options.trace_limit, options.trace_bytes, clock.now)
        handler = TracedHandler(options.functions, self.recorder if options.trace else None)
        self._handler = handler
        self._documents: list[Document] = []  # of the user's module.yaml
        self._stopped = False
        self._thread.start()
        self.endpoint = Endpoint(handler, self._thread)
        try:
            self.endpoint.start(options.port)
            self.engine: Engine = make_engine(options, self._thread, self.endpoint, handler, clock)
        except BaseException:
            self._thread.stop(5.0, self.endpoint.close)
            raise
        self._unsubscribe = options.functions.subscribe(self._declared)

    def _declared(self, typename: str) -> None:
        if not self._stopped:
            self.engine.release(typename)

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
        message = typename if isinstance(typename, Message) else (typename, id, value)
        self.engine.post([incoming(message, type, delay)])

    def send_many(
        self, messages: Iterable[Message | tuple[str, str, Any]], *, progress: bool = True
    ) -> int:
        """Send messages or ``(typename, id, value)`` tuples; returns how many.

        A progress bar appears when it takes longer than a second. Sending waits while the engine
        is far behind, so that any number of messages fits into memory.
        """
        self._check_running()
        count = 0
        for chunk in chunks(messages, progress=progress):
            self._post(chunk)
            count += len(chunk)
        return count

    def _post(self, chunk: list[Incoming]) -> None:
        self.engine.post(chunk)
        while self.engine.progress.queued > _MANY_QUEUED and not self.engine.paused:
            time.sleep(0.005)
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
        self.engine.prepare()
        waiting = asyncio.run_coroutine_threadsafe(self._idle(timeout, timers), self._thread.loop)
        return self._idle_result(waiting, timeout)

    async def idle(self, timeout: float = 10.0, *, timers: bool = True) -> Idle:
        """``wait_idle`` to ``await``, for cells and tests that run in an event loop."""
        self._check_running()
        await asyncio.to_thread(self.engine.prepare)
        waiting = asyncio.run_coroutine_threadsafe(self._idle(timeout, timers), self._thread.loop)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(waiting), timeout)
        except asyncio.TimeoutError:
            raise self._idle_timeout(timeout) from None

    async def _idle(self, timeout: float, timers: bool) -> Idle:
        return await self.engine.idle(timeout if timers else 0.0)

    def _idle_result(self, waiting: Future[Idle], timeout: float) -> Idle:
        try:
            return waiting.result(timeout)
        except FutureTimeout:
            if waiting.done():
                return waiting.result()
            waiting.cancel()
            raise self._idle_timeout(timeout) from None

    def _idle_timeout(self, timeout: float) -> IdleTimeout:
        return IdleTimeout(not_idle(timeout, self.engine.progress, self.running))

    # Looking.

    def state(self, typename: str, id: str | None = None) -> Any:  # noqa: A002
        """The state of one address, by name; without ``id``, of all of its type, in order of ids.

        Empty when there is none. Of a real cluster it is what the endpoint saw last, which the
        table's ``observed`` says.
        """
        self._check_running()
        if id is None:
            found = self.engine.states(typename)
            decoded = {key: self._decode(typename, values) for key, values in sorted(found.items())}
            present = {key: values for key, values in decoded.items() if values}
            return StateTable(typename, present, observed=self.engine.observed)
        return self._decode(typename, self.engine.state(address_of(typename, id)))

    def _decode(self, typename: str, values: dict[str, TypedValue | None]) -> dict[str, Any]:
        return decode_state(self.options.functions.find(typename), values)

    def check(self, typename: str, id: str) -> Check:  # noqa: A002
        """Ask what one address has done, once nothing moves any more.

        Examples
        --------
        ``s.check("example/person", "bob").state(visits=3).sent(1, to="example/greeter")`` raises
        ``CheckFailed`` and says what is so instead, or shows what was right.
        """
        self.wait_idle(timers=False)
        return check_of(self.engine, self.recorder, self.options.functions, typename, id)

    def egress(self, typename: str | None = None) -> list[EgressRecord]:
        """The records that went to an egress, or to all of them, in order."""
        self._check_running()
        return [
            egress_record(record.egress, decode_typed_value(record.argument))
            for record in self.engine.egress(typename)
        ]

    @property
    def invocations(self) -> Invocations:
        """The kept invocations as they are now, in the order they started."""
        return Invocations.of(self.recorder)

    def replay(self, invocations: Iterable[Invocation] | None = None) -> Replay:
        """Run recorded invocations again, by the functions as they are now: what is different?

        Each gets the message and the state that it had; nothing that it does goes anywhere, but
        what a function does outside of its context is done again.

        Parameters
        ----------
        invocations : iterable of Invocation, optional
            Which; such as ``s.invocations.filter(type="example/person")``. All that are kept when
            left out.

        Examples
        --------
        ``s.replay()`` after a cell was changed shows what it would have done otherwise;
        ``s.replay().different`` is empty when that is nothing.
        """
        self._check_running()
        seqs = None if invocations is None else [each.seq for each in invocations]
        again = replay(cases_of(self.recorder, seqs), self.options.functions)
        return self._thread.run(again, timeout=None)

    def export(self, folder: str | Path, *, overwrite: bool = False) -> Exported:
        """Write a project that goes on where the notebook ends; see docs/howto/export.md.

        It has the functions with all that they need of the cells, a module.yaml, and the recorded
        invocations as tests.

        Raises
        ------
        SessionError
            When this is no notebook, nothing is declared, or a file is there already.
        DeclarationError
            When a function, or a name that it needs, is in no cell.
        """
        from ..export.export import export  # 6 ms that most notebooks need not wait for

        target = Path(folder).expanduser()
        functions = self.options.functions
        return export(target, functions, self._documents, self.recorder, overwrite=overwrite)

    @property
    def parked(self) -> list[ParkedAddress]:
        """The addresses that wait for a corrected or missing function."""
        self._check_running()
        return self.engine.parked()

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

    def module_yaml(self) -> str:
        """The module.yaml that serves the declared functions from this endpoint.

        One endpoint for each namespace, the documents that ``load_module`` has read, and for a
        real cluster what ``send`` and ``egress`` need.
        """
        return write_module(
            with_endpoints(self.engine.documents(), self.options.functions, self.url)
        )

    def load_module(self, source: str | Path) -> None:
        """Read a module.yaml, a path or its text; ``{kafka}`` in it is a cluster's broker.

        Raises
        ------
        DeclarationError
            When it is not as it should be; with the line.
        EngineError
            When this engine cannot do what it asks for.
        """
        self._check_running()
        documents = read_source(source, self.engine.broker)
        self.engine.load(documents)
        self._documents += documents

    def logs(self) -> dict[str, str]:
        """What the processes of a real cluster have written, by process."""
        self._check_running()
        return self.engine.logs()

    def status(self) -> Status:
        """What the session is doing; answers also while a function blocks the engine."""
        progress = self.engine.progress
        state = "stopped" if self._stopped else "paused" if self.engine.paused else "running"
        return Status(
            self.engine.name,
            state,
            self.url,
            tuple(self.options.functions),
            progress.processed,
            progress.in_flight,
            progress.queued,
            progress.parked,
            progress.delayed,
            self.recorder.failures,
            self.recorder.count,
            self.recorder.bytes,
            self.engine.web_url,
            self.options.durable,
            tuple(self.running),
            tuple(self.blocked),
        )

    # Controlling.

    def pause(self) -> None:
        """Serve no further message until ``step`` or ``resume``."""
        self._check_running()
        self.engine.pause()

    def resume(self) -> None:
        """Go on."""
        self._check_running()
        self.engine.resume()

    def step(self, timeout: float = 30.0) -> Invocation | None:
        """Pause, serve one message, and return its invocation; None when none is ready."""
        self.pause()
        if not self._thread.run(self.engine.step(), timeout) or not self.options.trace:
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
        return self._thread.run(self.engine.advance(duration), timeout)

    # Ending.

    def stop(self, timeout: float = 5.0) -> bool:
        """Stop engine and endpoint. True when all of it ended within ``timeout`` seconds.

        The trace stays readable.
        """
        if self._stopped:
            return True
        ended = self._thread.stop(timeout, self._shut_down)
        self._unsubscribe()
        self._stopped = True
        self._stop_publishing()
        return ended

    async def _shut_down(self) -> None:
        await self.engine.close()
        await self.endpoint.close()

    def _check_running(self) -> None:
        if self._stopped:
            raise SessionError("this session has been stopped: call sf.start() for a new one")

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # Showing.

    def __repr__(self) -> str:
        return text_table(*self.status()._table())

    def _repr_html_(self) -> str:
        return self.status()._repr_html_()
