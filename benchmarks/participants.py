"""What a participant of a workshop takes: memory and processor time of server, kernel, cluster.

A lesson is run in a kernel, and what that kernel and its children take is read when the last cell
has run, before the session is stopped. Memory is the sum of the resident sets: what processes share
counts for each, so that nobody gets less than was measured.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil

from statefun_nb.cells.notebook import read_notebook
from statefun_nb.cluster.processes import free_ports

from .report import Row

__all__ = ["measure"]

_NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
_START = "s = sf.start(port=0)"
# Lesson, what its session is started with instead, and what it is called.
_RUNS = (
    ("00_tour.ipynb", _START, "embedded"),
    ("00_tour.ipynb", 's = sf.start(port=0, durable="tour.db")', "durable"),
    ("15_the_real_cluster.ipynb", _START, "flink"),
)
_STOP = "sf.stop()"


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _taken(process: psutil.Process) -> tuple[float, float]:
    """MiB and processor seconds of a process with its children, those that have ended included."""
    memory = seconds = 0.0
    for each in _family(process):
        memory += each.memory_info().rss / 2**20
        times = each.cpu_times()
        seconds += times.user + times.system + times.children_user + times.children_system
    return memory, seconds


def _kernel() -> psutil.Process:
    """The kernel that was started by this process."""
    (found,) = (
        each for each in psutil.Process().children() if "ipykernel_launcher" in each.cmdline()
    )
    return found


def _lesson(name: str, start: str) -> tuple[float, float]:
    from nbclient import NotebookClient

    notebook = read_notebook(_NOTEBOOKS / name)
    for cell in notebook.cells:
        cell.source = cell.source.replace(_START, start)
    notebook.cells = [cell for cell in notebook.cells if not cell.source.endswith(_STOP)]
    last = max(i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code")
    taken: list[tuple[float, float]] = []

    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": folder}})

        def has_run(cell: object, cell_index: int, execute_reply: object) -> None:  # noqa: ARG001
            if cell_index == last:
                taken.append(_taken(_kernel()))

        client.on_cell_executed = has_run
        client.execute()
    return taken[0]


def _server() -> float:
    """MiB of a JupyterLab server that has answered once."""
    (port,) = free_ports(1)
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--allow-root",
        "--IdentityProvider.token=", "--ServerApp.open_browser=False",
    ]  # fmt: skip
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) as server,
    ):
        try:
            for _ in range(120):
                time.sleep(0.5)
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/lab", timeout=5).read()
                    break
                except OSError:
                    continue
            return _taken(psutil.Process(server.pid))[0]
        finally:
            server.terminate()


def measure() -> Iterator[Row]:
    """Of one participant alone."""
    yield Row("participant: JupyterLab's server", _server(), "MiB")
    os.environ["STATEFUN_NB_PROGRESS"] = "0"
    for name, start, engine in _RUNS:
        memory, seconds = _lesson(name, start)
        yield Row(f"participant: kernel, {engine} ({name})", memory, "MiB")
        yield Row(f"participant: processor time, {engine}", seconds, "s")
