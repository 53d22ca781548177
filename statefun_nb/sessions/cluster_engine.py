"""The engines over a real cluster: one that is started here, or one that is there."""

from __future__ import annotations

from ..cells.progress import ProgressLine
from ..cluster import artifacts
from ..cluster.cluster import Cluster
from ..cluster.docker import docker_cluster, get_images
from ..cluster.engine import ClusterEngine
from ..cluster.external import ExternalCluster
from ..cluster.identity import check_library
from ..cluster.kafka import Clients, kafka_library
from ..cluster.local import local_cluster
from ..cluster.release import RELEASES
from ..endpoint.forward import ForwardTo
from ..endpoint.server import Endpoint
from ..loop_thread import LoopThread
from ..trace.traced import TracedHandler
from .options import Options

__all__ = ["cluster_engine", "fetch_parts", "prepare"]


def cluster_engine(
    options: Options, thread: LoopThread, endpoint: Endpoint, handler: TracedHandler
) -> ClusterEngine:
    """Make the engine, and start what it needs.

    Raises
    ------
    EngineError
        When something that it needs is not to be had.
    """
    progress = ProgressLine()
    cluster = _cluster(options, progress)
    progress("")
    try:
        if cluster.rest.context is not None:
            # Without what a click in it could do, should Flink serve it by a plain GET.
            rest = cluster.rest
            to = ForwardTo(lambda: rest.url, rest.context, ("yarn-cancel", "yarn-stop"))
            cluster.web_url = endpoint.forward("flink", to)
        return ClusterEngine(
            thread,
            endpoint,
            handler,
            cluster,
            on_error=options.on_error,
            delivery=options.delivery,
            batch_limit=options.batch_limit,
            report=progress,
        )
    except BaseException:
        cluster.close()
        raise


def prepare(options: Options) -> None:
    """Look for what ``cluster_engine`` will need, and fetch what is not here; start nothing.

    Raises
    ------
    EngineError
        When something is not to be had, or an existing cluster does not answer.
    """
    fetch_parts(options)
    if options.bootstrap_servers is not None and options.rest_url is not None:
        there = _existing(options, options.bootstrap_servers, options.rest_url)
        clients = Clients(options.bootstrap_servers)
        there.wait_for_kafka(clients)
        clients.close()
        there.wait_for_job()


def fetch_parts(options: Options) -> None:
    """Fetch what is needed and not here, for a cluster that is started here; start nothing.

    Raises
    ------
    EngineError
        When something is not to be had.
    """
    kafka_library()
    if options.bootstrap_servers is not None and options.rest_url is not None:
        return
    check_library()
    progress, release = ProgressLine(), RELEASES[options.statefun]
    try:
        if options.engine == "flink":
            artifacts.resolve(release, progress)
        else:
            get_images(release, progress, options.image, options.kafka_image)
    finally:
        progress("")


def _cluster(options: Options, report: ProgressLine) -> Cluster | ExternalCluster:
    if options.bootstrap_servers is not None and options.rest_url is not None:
        return _existing(options, options.bootstrap_servers, options.rest_url)
    release = RELEASES[options.statefun]
    if options.engine == "flink":
        return local_cluster(release, options.parallelism, report)
    return docker_cluster(
        release,
        options.parallelism,
        report,
        image=options.image,
        kafka_image=options.kafka_image,
    )


def _existing(options: Options, bootstrap_servers: str, rest_url: str) -> ExternalCluster:
    release = RELEASES[options.statefun]
    return ExternalCluster(options.engine, release, bootstrap_servers, rest_url)
