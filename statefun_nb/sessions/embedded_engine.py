"""The embedded engine, put together as the options say."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..address import SdkAddress
from ..endpoint.server import Endpoint
from ..engine.clock import Clock
from ..engine.core import OnError
from ..engine.embedded import EmbeddedEngine
from ..engine.transport import DirectTransport, HttpTransport, Transport
from ..loop_thread import LoopThread
from ..protocol.effects import TypedValue
from ..trace.traced import Serving, TracedHandler
from .options import Options

if TYPE_CHECKING:
    from ..endpoint.playground import PlaygroundServers
    from ..engine.sqlite_store import SqliteStore

__all__ = ["embedded_engine"]


def embedded_engine(
    options: Options, thread: LoopThread, endpoint: Endpoint, handler: TracedHandler, clock: Clock
) -> EmbeddedEngine:
    """Make the engine that runs in this process.

    Raises
    ------
    EngineError
        When its file cannot be had, or something that it needs is not installed.
    """
    transport = _transport(options, endpoint, handler)
    store = None
    if options.durable is not None:
        store = _store(options.durable, options.clock)
        store.what_runs = lambda: thread.what_runs()  # noqa: PLW0108 - it is set later
    try:
        engine = EmbeddedEngine(
            thread,
            transport,
            clock,
            options.functions,
            handler.recorder,
            endpoint.url,
            _ports,
            on_error=OnError(options.on_error),
            batch_limit=options.batch_limit,
            paused=options.paused,
            store=store,
        )
    except BaseException:
        if store is not None:
            store.close()
        raise
    engine.controls.on_amend = handler.failures.amended
    handler.attach(Serving(routes=engine.routes))
    return engine


def _store(path: str, clock: str) -> SqliteStore:
    from ..engine.sqlite_store import SqliteStore  # SQLite takes 4 ms that few need wait for

    return SqliteStore(path, clock)


def _ports(send: Callable[[SdkAddress, TypedValue], None]) -> PlaygroundServers:
    from ..endpoint.playground import PlaygroundServers  # 2 ms that few need wait for

    return PlaygroundServers(send)


def _transport(options: Options, endpoint: Endpoint, handler: TracedHandler) -> Transport:
    if options.transport == "http":
        return HttpTransport(endpoint.url)
    return DirectTransport(handler)
