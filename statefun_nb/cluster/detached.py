"""A cluster of containers that goes on without a session: ``statefun-nb cluster``.

Its folder is in the cache, so that another process finds it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ..address import GATEWAY
from ..cells.places import warn
from ..errors import EngineError
from ..protocol.module_reader import ignored, read_source
from ..protocol.module_yaml import KAFKA_INGRESS, Document, covers
from .artifacts import cache_folder
from .cluster import Cluster
from .docker import CONTAINER_FLINK, CONTAINER_KAFKA, Compose, get_images
from .flink import Rest
from .gateway import MESSAGES_TOPIC, gateway_documents
from .identity import PEM, client_context
from .kafka import Clients
from .release import OF_3, Release

__all__ = ["DetachedCluster", "context_for", "down", "logs", "status", "up"]

_PROJECT = "statefun-nb"
# Of the gateway: as many messages in a request as with StateFun's default, and longer than a
# session holds it while it is paused.
_BATCH, _CALL = 1000, "24h"


class DetachedCluster(NamedTuple):
    """Which StateFun it is, where, and whether its job runs."""

    statefun: str
    bootstrap_servers: str
    rest_url: str
    running: bool


def _folder() -> Path:
    return cache_folder() / "cluster"


def _known() -> dict[str, Any] | None:
    path = _folder() / "cluster.json"
    return json.loads(path.read_text()) if path.exists() else None


def up(
    module: str | Path,
    report: Callable[[str], object],
    *,
    release: Release = OF_3,
    parallelism: int = 1,
    image: str | None = None,
    kafka_image: str | None = None,
) -> DetachedCluster:
    """Start Kafka and StateFun with this module.yaml, and leave them running.

    Parameters
    ----------
    module : str or Path
        The text or the file of a module.yaml; ``{kafka}`` in it stands for the address of the
        broker. A gateway for a session's ``send`` is added.
    release : Release
        Which StateFun it is; the module.yaml is written for it.

    Raises
    ------
    DeclarationError
        When the module.yaml is not as it should be.
    EngineError
        When one is up already, when the module.yaml names no functions or is for another version,
        or when it cannot be started: then nothing is left of it but a file with what its containers
        have written.
    """
    wanted = read_source(module)
    if text := ignored(wanted):
        warn(text)
    release.form.refuse(wanted)
    if not any(document.is_endpoint for document in wanted):
        raise EngineError(
            f"this module.yaml names no endpoint of functions: {_writes(release)} writes one "
            "for a session's functions"
        )
    if _known() is not None:
        raise EngineError("a cluster is up already: statefun-nb cluster status, or down first")
    images = get_images(release, report, image, kafka_image)
    folder = _folder()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    compose = Compose(folder, _PROJECT, *images)
    cluster = Cluster("docker", release, compose, CONTAINER_FLINK, CONTAINER_KAFKA, parallelism)
    try:
        documents = read_source(module, cluster.bootstrap_servers)
        documents += _gateway(cluster, documents)
        _start(cluster, documents, report)
    except BaseException as error:
        written = compose.logs()
        compose.close()
        if written and isinstance(error, EngineError):
            raise EngineError(f"{error} (all that was written: {_keep(written)})") from error
        raise
    finally:
        cluster.leave()
    place = {
        "statefun": release.statefun,
        "bootstrap_servers": cluster.bootstrap_servers,
        "rest_url": cluster.rest.url,
    }
    (folder / "cluster.json").write_text(json.dumps({**place, "images": images}))
    return DetachedCluster(**place, running=True)


def _writes(release: Release) -> str:
    version = release.form.version
    return "s.module_yaml()" if version is None else f's.module_yaml(version="{version}")'


def _keep(logs: dict[str, str]) -> Path:
    path = cache_folder() / "cluster.log"
    path.write_text("".join(f"--- {name}\n{log}\n" for name, log in logs.items()))
    return path


def _gateway(cluster: Cluster, documents: list[Document]) -> list[Document]:
    """What lets a session at the first endpoint's address send into this cluster."""
    added = gateway_documents(cluster.bootstrap_servers, _PROJECT, "at-least-once")
    urls = [document.spec["urlPathTemplate"] for document in documents if document.is_endpoint]
    if not covers(documents, GATEWAY):
        form = cluster.release.form
        added.append(form.endpoint(form.rule(GATEWAY), urls[0], (), _BATCH, _CALL))
    return added


def _start(cluster: Cluster, documents: list[Document], report: Callable[[str], object]) -> None:
    report("Kafka is starting")
    cluster.start_kafka()
    ingresses = [document for document in documents if document.kind == KAFKA_INGRESS]
    topics = {each["topic"] for ingress in ingresses for each in ingress.spec["topics"]}
    with contextlib.closing(Clients(cluster.bootstrap_servers)) as clients:
        cluster.wait_for_kafka(clients)
        clients.create_topics(sorted({*topics, MESSAGES_TOPIC}), cluster.parallelism)
    report("StateFun is starting")
    cluster.start_job(cluster.release.form.write(documents))
    cluster.wait_for_job(report)


def status() -> DetachedCluster | None:
    """The cluster that is up, None when none is."""
    known = _known()
    if known is None:
        return None
    rest = Rest(known["rest_url"], context_for(known["rest_url"]))
    running = rest.running()
    rest.close()
    return DetachedCluster(
        known["statefun"], known["bootstrap_servers"], known["rest_url"], running
    )


def context_for(rest_url: str) -> ssl.SSLContext | None:
    """How its REST interface is spoken to, if ``rest_url`` is that of the cluster that is up."""
    known = _known()
    pem = _folder() / PEM
    if known is None or known["rest_url"] != rest_url.rstrip("/") or not pem.exists():
        return None
    return client_context(pem)


def logs() -> dict[str, str]:
    """What its containers have written, by service."""
    return _compose().logs()


def down() -> bool:
    """Take it down; False when none was up."""
    if _known() is None:
        return False
    _compose().close()
    return True


def _compose() -> Compose:
    known = _known()
    if known is None:
        raise EngineError("no cluster is up: statefun-nb cluster up MODULE.yaml")
    return Compose(_folder(), _PROJECT, *known["images"])
