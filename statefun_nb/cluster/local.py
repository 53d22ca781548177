"""``engine="flink"``: StateFun, Flink and Kafka as processes of this machine."""

from __future__ import annotations

from collections.abc import Callable

from .artifacts import resolve
from .cluster import Cluster
from .processes import Processes
from .release import Release
from .runtime import Runtime

__all__ = ["local_cluster"]


def local_cluster(release: Release, parallelism: int, report: Callable[[str], object]) -> Cluster:
    """Fetch what is needed and not there; nothing is started yet.

    Raises
    ------
    EngineError
        When something cannot be had.
    """
    artifacts = resolve(release, report)
    java = artifacts.java.program
    flink = Runtime(java, ":".join(map(str, (*artifacts.flink, *artifacts.statefun))))
    kafka = Runtime(java, ":".join(map(str, artifacts.kafka)))
    processes = Processes()
    try:
        return Cluster("flink", release, processes, flink, kafka, parallelism)
    except BaseException:
        processes.close()
        raise
