"""The engine that a session's options ask for."""

from __future__ import annotations

from .cluster.cluster import Cluster
from .cluster.docker import docker_cluster
from .cluster.external import ExternalCluster
from .cluster.local import local_cluster
from .cluster.progress import Progress
from .cluster.remote import RemoteEngine
from .endpoint.playground import PlaygroundServers
from .endpoint.server import Endpoint
from .engine.base import Engine
from .engine.clock import Clock
from .engine.core import OnError
from .engine.embedded import EmbeddedEngine
from .engine.sqlite_store import SqliteStore
from .engine.transport import DirectTransport, HttpTransport, Transport
from .loop_thread import LoopThread
from .options import Options
from .trace.traced import TracedHandler

__all__ = ["make_engine"]


def make_engine(
    options: Options, thread: LoopThread, endpoint: Endpoint, handler: TracedHandler, clock: Clock
) -> Engine:
    """Make the engine, and start what it needs; ``endpoint`` listens already.

    Raises
    ------
    EngineError
        When something that it needs is not to be had.
    """
    if options.engine == "embedded":
        return _embedded(options, thread, endpoint, handler, clock)
    progress = Progress()
    cluster = _cluster(options, progress)
    progress("")
    return RemoteEngine(
        thread,
        endpoint,
        handler,
        cluster,
        on_error=options.on_error,
        delivery=options.delivery,
        batch_limit=options.batch_limit,
        report=progress,
    )


def _embedded(
    options: Options, thread: LoopThread, endpoint: Endpoint, handler: TracedHandler, clock: Clock
) -> EmbeddedEngine:
    transport = _transport(options, endpoint, handler)
    store = None if options.durable is None else SqliteStore(options.durable, options.clock)
    try:
        engine = EmbeddedEngine(
            thread,
            transport,
            clock,
            options.functions,
            handler.recorder,
            endpoint.url,
            PlaygroundServers,
            on_error=OnError(options.on_error),
            batch_limit=options.batch_limit,
            paused=options.paused,
            store=store,
        )
    except BaseException:
        if store is not None:
            store.close()
        raise
    handler.routes = engine.routes
    return engine


def _transport(options: Options, endpoint: Endpoint, handler: TracedHandler) -> Transport:
    if options.transport == "http":
        return HttpTransport(endpoint.url)
    return DirectTransport(handler)


def _cluster(options: Options, report: Progress) -> Cluster | ExternalCluster:
    if options.bootstrap_servers is not None and options.rest_url is not None:
        return ExternalCluster(options.bootstrap_servers, options.rest_url)
    if options.engine == "flink":
        return local_cluster(options.parallelism, report)
    return docker_cluster(
        options.parallelism, report, image=options.image, kafka_image=options.kafka_image
    )
