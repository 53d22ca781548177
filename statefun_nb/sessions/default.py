"""The default session: ``sf.start``, ``sf.stop`` and ``sf.session``."""

from __future__ import annotations

import atexit
import os
import sys
import threading

from ..cells.places import warn
from ..errors import SessionError
from ..sdk.functions import default_functions
from ..sdk.registry import StatefulFunctions
from ..tables import counted
from ..trace.output import inside_function
from . import _current
from .control import LATER
from .interrupts import interrupts_later
from .options import (
    ClockName,
    DeliveryName,
    EngineName,
    OnErrorName,
    Options,
    StatefunVersion,
    TransportName,
    full_path,
)
from .preflight import check_before, fetch
from .session import Session

__all__ = ["session", "start", "stop"]


def start(
    engine: EngineName = Options.engine,
    *,
    durable: str | os.PathLike[str] | None = Options.durable,
    paused: bool = Options.paused,
    on_error: OnErrorName = Options.on_error,
    port: int = Options.port,
    token: bool | str = Options.token,
    functions: StatefulFunctions | None = None,
    transport: TransportName = Options.transport,
    batch_limit: int = Options.batch_limit,
    clock: ClockName = Options.clock,
    trace: bool = Options.trace,
    trace_limit: int = Options.trace_limit,
    trace_bytes: int = Options.trace_bytes,
    statefun: StatefunVersion = Options.statefun,
    parallelism: int = Options.parallelism,
    delivery: DeliveryName = Options.delivery,
    image: str | None = Options.image,
    kafka_image: str | None = Options.kafka_image,
    bootstrap_servers: str | None = Options.bootstrap_servers,
    rest_url: str | None = Options.rest_url,
) -> Session:
    """Start a session, or return the running one when it was started with the same options.

    Parameters
    ----------
    engine : str
        ``"embedded"``, ``"flink"``: the real StateFun on Flink with Kafka, as local JVM processes,
        or ``"docker"``: the same as containers. The job starts with the first message, when the
        functions are known.
    durable : path, optional
        A file in which the embedded engine keeps messages, state, timers and egress records: the
        next ``start`` with the same path goes on where this one was, whatever ended it. What
        ``send`` has taken, and what a function's reply has done, is in it, once. Made when it is
        not there; delete it to begin anew.
    paused : bool
        Serve nothing until ``step`` or ``resume``.
    on_error : str
        What happens to a message whose function raises: ``"park"`` (it waits for the corrected
        cell), ``"retry"`` (with back-off) or ``"skip"``.
    port : int
        Of the endpoint on 127.0.0.1; when it is taken, the next free one, with a warning. 0: any.
    token : bool or str
        A part of the endpoint's path, shown in ``url`` and ``module_yaml()``, without which nobody
        can call the functions, not even another user of this machine. True: a random one.
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
    statefun : str
        Which StateFun a real cluster runs: ``"3.3.0"``, on Flink 1.16, or ``"2.2.2"``, on 1.11.
    parallelism : int
        Of the job on a real cluster, which gets as many TaskManagers (700 MB each).
    delivery : str
        Of the records that a real cluster emits: ``"at-least-once"`` or ``"exactly-once"``.
    image, kafka_image : str, optional
        For ``engine="docker"``: an image with StateFun and Flink in /opt/flink/lib (built on first
        use when left out), and one with Kafka in /opt/kafka/libs (``apache/kafka:3.9.1``).
    bootstrap_servers, rest_url : str, optional
        Of an existing cluster, such as ``statefun-nb cluster up`` starts, to be used instead.

    Raises
    ------
    SessionError
        When an option has no such value.
    EngineError
        When no port is free, or ``durable`` cannot be opened or is in use.

    Examples
    --------
    >>> with start(port=0, functions=StatefulFunctions()) as s:
    ...     s.wait_idle()
    Idle(processed=0, parked=0)
    """
    options = Options(
        functions=default_functions if functions is None else functions,
        engine=engine,
        durable=None if durable is None else full_path(durable),
        paused=paused,
        on_error=on_error,
        port=port,
        token=token,
        transport=transport,
        batch_limit=batch_limit,
        clock=clock,
        trace=trace,
        trace_limit=trace_limit,
        trace_bytes=trace_bytes,
        statefun=statefun,
        parallelism=parallelism,
        delivery=delivery,
        image=image,
        kafka_image=kafka_image,
        bootstrap_servers=bootstrap_servers,
        rest_url=rest_url,
    )
    with _current.lock:
        return _started(options)


def _started(options: Options) -> Session:
    """The running session, when it has these options; else a new one in its place."""
    running = _running_session()
    if running is None:
        stop()  # one whose thread has ended may still hold its file
    elif running.options == options:
        return running
    elif inside_function():
        raise SessionError(f"start is not for the inside of a function: {LATER}")
    else:
        check_before(options, running)
        kept = running.options.durable
        warn(
            "a session with other options was running: it is stopped, and its state is "
            + ("gone" if kept is None else f"kept in {kept}")
        )
        running.stop()
    fetch(options)  # which may take minutes, and can be interrupted
    with interrupts_later():  # or a session would run that nobody has
        _current.session = started = Session(options)
    if options.port and started.endpoint.port != options.port:
        warn(f"port {options.port} is taken: the endpoint listens on port {started.endpoint.port}")
    return started


def stop() -> None:
    """Stop the current session; nothing happens when there is none."""
    with _current.lock:
        if _current.session is not None:
            _current.session.stop()
        _current.session = None


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


# States in which a session is still one.
_GOING_ON = ("running", "paused")


def _running_session() -> Session | None:
    current: Session | None = _current.session
    return current if current is not None and current._state() in _GOING_ON else None


def _forget() -> None:
    """In a forked child: the session is the parent's, and so is whoever holds the lock."""
    _current.session = None
    _current.lock = threading.RLock()


def _stop_at_exit() -> None:
    """Stop the session with the program, and tell a script that has not waited for it."""
    running = _running_session()
    if running is not None and running.options.durable is None and not running.engine.paused:
        left = running.engine.progress.in_flight + running.engine.progress.queued
        if left and "ipykernel" not in sys.modules:  # whoever closes a notebook means to
            sys.stderr.write(
                f"statefun_nb: {counted(left, 'message')} had not been served when the program "
                "ended: call s.wait_idle() before\n"
            )
    stop()


atexit.register(_stop_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
