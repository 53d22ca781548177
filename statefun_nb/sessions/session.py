"""The session: functions, endpoint, engine and trace tied together."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ..address import address_of
from ..cells.places import warn
from ..endpoint.admission import new_token
from ..endpoint.server import Endpoint
from ..engine.base import Engine
from ..engine.clock import Clock, VirtualClock
from ..engine.facts import Idle
from ..errors import BusyError, SessionError, StatefunError, quiet
from ..loop_thread import LoopThread
from ..protocol.module_reader import ignored, read_source
from ..protocol.module_yaml import merged
from ..sdk.live import Live
from ..sdk.messages import MISSING, Message
from ..sdk.registry import FunctionSpec
from ..sdk.types import Type
from ..trace.awaited import is_awaited
from ..trace.events import Invocation
from ..trace.exits import guard_exit
from ..trace.output import inside_function
from ..trace.own_tasks import share
from ..trace.recorder import Recorder
from ..trace.replay import Replay, cases_of, replay
from ..trace.traced import TracedHandler
from .arguments import a_path, not_opened, seconds, truth
from .checks import Check, Known, attempt_of, check_of
from .control import LATER, USE_CONTEXT, Control
from .declaring import after_this_cell, refused_state, tell_declared, tell_undeclared
from .engines import make_engine
from .options import Options
from .sending import chunks, ingress_message, seqs_of
from .superseding import end_older
from .waiting import Waiting

if TYPE_CHECKING:
    from ..export.export import Exported

__all__ = ["Session"]

# send_many waits while so many messages are queued, so that memory does not grow with the input.
_MANY_QUEUED = 50_000
# It gives up where a function keeps the engine from serving anything for so long.
_STUCK_SECONDS = 60.0
# A function that keeps the thread when the session ends is interrupted for so long.
_BREAK_OFF_SECONDS = 2.0


class Session(Live, Control):
    """Functions that are served, an engine that drives them, and the trace of what happened.

    Made by ``start``; its methods may be called from any thread but the functions themselves.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self._thread = LoopThread("statefun_nb")
        share(self._thread.loop)
        guard_exit()
        clock = VirtualClock() if options.clock == "virtual" else Clock()
        self.recorder: Recorder = Recorder(
            options.trace_limit, options.trace_bytes, clock.now, clock.ticks
        )
        handler = TracedHandler(options.functions, self.recorder if options.trace else None)
        self._handler = handler
        self._documents = []
        self._told: set[str] = set()
        self._stopped = self._stopping = False
        self._thread.start()
        token = new_token() if options.token is True else options.token or ""
        self.endpoint: Endpoint = Endpoint(handler, self._thread, token=token)
        try:
            self.endpoint.start(options.port)
            self.engine: Engine = make_engine(options, self._thread, self.endpoint, handler, clock)
        except BaseException:
            self._thread.stop(5.0, self.endpoint.close)
            raise
        self._thread.what_runs = self._what_runs
        self._thread.is_awaited = lambda thread: bool(handler.serving_now) and is_awaited(thread)
        self._waiting = Waiting(self._thread, self.engine, handler)
        self._live = None
        self._unsubscribe = options.functions.subscribe(self._declared)

    def _declared(self, spec: FunctionSpec, before: FunctionSpec | None) -> None:
        if not self._stopped and not self._stopping:
            end_older(self._thread, self._handler, spec.typename)
            problem = refused_state(self.engine, spec)
            self.engine.release(spec.typename)
            after_this_cell(partial(self._release_again, spec.typename))
            tell_declared(problem, before, spec)

    def _release_again(self, typename: str) -> None:
        """Try what came back too soon: it may lack what stood further below in the cell."""
        if self._thread.alive and not self._stopping and self._handler.failures.mended(typename):
            self.engine.release(typename)

    # Sending.

    @overload
    def send(self, typename: Message, *, delay: timedelta | None = None) -> None: ...
    @overload
    def send(
        self,
        typename: str,
        id: str,
        value: Any,
        *,
        delay: timedelta | None = None,
        type: Type[Any] | type[Any] | None = None,
    ) -> None: ...
    def send(
        self,
        typename: str | Message,
        id: str = MISSING,
        value: Any = MISSING,
        *,
        delay: timedelta | None = None,
        type: Any = None,
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
            When the value cannot be sent, or the delay is negative or no timedelta.
        DeclarationError
            When the typename is not ``namespace/name``, the id is no text, or ``type`` is none.
        """
        self._check_outside("send", USE_CONTEXT)
        message = ingress_message(typename, id, value, type, delay)
        self.engine.post([message])
        tell_undeclared([message], self.functions, self._reached, self._told)

    def send_many(
        self, messages: Iterable[Message | tuple[str, str, Any]], *, progress: bool = True
    ) -> int:
        """Send messages or ``(typename, id, value)`` tuples; returns how many.

        A progress bar appears when it takes longer than a second. Sending waits while the engine
        is far behind, so that any number of messages fits into memory.

        Raises
        ------
        ConversionError, DeclarationError
            As ``send`` does, when one cannot be sent; it says which, and how many were sent before.
        """
        self._check_outside("send_many", USE_CONTEXT)
        count = 0
        for chunk in chunks(messages, progress=progress):
            self.engine.post(chunk)
            tell_undeclared(chunk, self.functions, self._reached, self._told)
            count += len(chunk)
            self._wait_for_room(count)
        return count

    def _wait_for_room(self, sent: int) -> None:
        """Return when the engine is not far behind any more, or say what keeps it."""
        until, before = time.monotonic() + _STUCK_SECONDS, self.engine.progress
        while (now := self.engine.progress).queued > _MANY_QUEUED and not self.engine.paused:
            if now.processed != before.processed:
                until, before = time.monotonic() + _STUCK_SECONDS, now
            if time.monotonic() > until and (runs := self._what_runs()):
                raise BusyError(
                    f"{runs}: the engine serves nothing else; the first {sent:,} were sent"
                )
            time.sleep(0.005)
            self._check_outside("send_many", f"the first {sent:,} were sent")

    # Waiting.

    def wait_idle(self, timeout: float = 10.0, *, timers: bool = True) -> Idle:
        """Return when nothing can move any more.

        Messages parked on an error, and all messages of a paused engine, cannot move; nor can those
        that are to be tried again later, on a virtual clock. Delayed messages that fall due within
        ``timeout`` seconds are waited for, unless ``timers`` is False.

        Raises
        ------
        IdleTimeout
            When something still moved after ``timeout`` seconds; it says what.
        """
        self._check_outside("wait_idle", LATER)
        timeout = seconds(timeout)
        truth("timers", timers)
        try:
            return self._waiting.wait_idle(timeout, timers=timers)
        except KeyboardInterrupt as interrupt:
            raise quiet(interrupt) from None

    async def idle(self, timeout: float = 10.0, *, timers: bool = True) -> Idle:
        """``wait_idle`` to ``await``, for cells and tests that run in an event loop."""
        self._check_no_function("idle", LATER)
        timeout = seconds(timeout)
        truth("timers", timers)
        return await self._waiting.idle(timeout, timers=timers)

    # Asking.

    def check(
        self, typename: str, id: str, *, exercise: str | None = None, points: float = 1
    ) -> Check:
        """Ask what one address has done, once nothing moves any more.

        Parameters
        ----------
        typename, id : str
        exercise : str, optional
            The name of the exercise that this checks, such as "2a", for ``statefun-nb grade``.
        points : number
            What the check is worth there.

        Examples
        --------
        ``s.check("example/person", "bob").state(visits=3).sent(1, to="example/greeter")`` raises
        ``CheckFailed`` and says what is so instead, or shows what was right.

        Raises
        ------
        UnknownFunctionError
            When nobody has declared the function, and no message has gone to it.
        """
        self._check_outside("check", LATER)
        attempt = attempt_of(exercise, points)
        try:
            self._check_known(typename)
            self.wait_idle(timers=False)
            known = Known(self._check_known, self.engine.egresses)
            problem = self._what_holds(address_of(typename, id))
            return check_of(
                self.engine,
                self._handler.recorder,
                self.functions,
                typename,
                id,
                known,
                attempt,
                problem,
            )
        except StatefunError as error:
            if attempt is not None:
                attempt.failed(str(error))
            raise

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
        self._check_outside("replay", LATER)
        seqs = None if invocations is None else seqs_of(invocations)
        cases = cases_of(self.recorder, seqs)
        again = replay(cases, self.functions, self._handler.serving_now)
        return self._thread.run(again, timeout=None)

    def export(self, folder: str | Path, *, overwrite: bool = False) -> Exported:
        """Write a project that goes on where the notebook ends; see docs/howto/export.md.

        It has the functions with all that they need of the cells, a module.yaml, and recorded
        invocations as tests: those that come out the same when they are run again, chosen by what
        they cover. Then it is imported and its tests are run, in a process of its own: ``problem``
        of what is returned says what fails. The files stay.

        Raises
        ------
        SessionError
            When this is not a notebook, nothing is declared, or a file is there already.
        DeclarationError
            When a function, or a name that it needs, is in no cell, or is what no program can
            have: a session, an open file or connection, what a top-level ``await`` gave.
        """
        target = a_path("folder", folder)
        from ..export.export import export  # 6 ms that most notebooks need not wait for

        try:
            return export(
                target,
                self.functions,
                self._documents,
                self.recorder,
                sessions=Session,
                overwrite=overwrite,
            )
        except KeyboardInterrupt as interrupt:
            raise quiet(interrupt) from None

    def load_module(self, source: str | Path) -> None:
        """Read a module.yaml, a path or its text; ``{kafka}`` in it is a cluster's broker.

        Raises
        ------
        DeclarationError
            When it is not as it should be; with the line.
        EngineError
            When this engine cannot do what it asks for.
        SessionError
            When there is no such file.
        """
        self._check_running()
        cluster = self.engine.cluster
        broker = "" if cluster is None else cluster.bootstrap_servers
        if not (isinstance(source, str) and "\n" in source):
            source = a_path("source", source)
        try:
            documents = read_source(source, broker)
        except (OSError, UnicodeError) as error:
            raise not_opened("source", source, error) from None  # which repeats the path
        if text := ignored(documents):
            warn(text)
        self.engine.load(documents)
        self._documents = merged(self._documents, documents)

    # Ending.

    def stop(self, timeout: float = 5.0) -> bool:
        """Stop engine and endpoint. True when all of it ended within ``timeout`` seconds.

        The trace stays readable.

        Raises
        ------
        SessionError
            When ``timeout`` is no number of seconds, or inside a function.
        """
        timeout = seconds(timeout)  # before anything is stopped
        if self._stopped:
            return True
        if self._thread.forked:  # what this process sees of it is a copy
            self._stopped = True
            return True
        if inside_function():
            raise SessionError(f"stop is not for the inside of a function: {LATER}")
        self._stopping = True  # also when the wait for it is interrupted
        if self._thread.alive:
            ended = self._thread.stop(timeout, self._shut_down) or self._break_off()
        else:
            self.engine.abandon()
            self.endpoint.abandon()
            ended = True
        self._unsubscribe()
        self._stopped = True
        if self._live is not None:
            self._live.stop()
        return ended

    def _break_off(self) -> bool:
        """End the function that keeps the thread, or say that it cannot be ended."""
        self.engine.halt()
        what = self._what_runs()
        if self._thread.interrupt(_BREAK_OFF_SECONDS, lambda: bool(self._what_runs())):
            return True
        what = what or "; ".join(each.text for each in self.running) or "a function"
        if self._thread.left:
            warn(
                f"{what}; it cannot be cancelled: it goes on whatever is raised in it, as a bare "
                "`except:` does, and is left where it is"
            )
        else:
            warn(f"{what}; it cannot be interrupted: its thread goes on till it returns")
        return False

    async def _shut_down(self) -> None:
        await self.engine.close()
        await self.endpoint.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
