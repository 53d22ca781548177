"""A notebook that is run in processes of its own, with limits, and what is known of it then."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from ..errors import cut
from .exercises import Event, events
from .isolation import end_descendants

__all__ = ["Limits", "Ran", "end", "run"]

# So much longer than its notebook may take, the process that runs it lives: to say what it has.
_GRACE_SECONDS = 10.0
# So much is read of what it has said: a cell of some lines for each cell, and no more.
_SAID_BYTES = 16 << 20


class Limits(NamedTuple):
    """What a notebook may take.

    Attributes
    ----------
    seconds : float
        All of it; then its processes are killed.
    cell_seconds : float
        One cell; then it is interrupted, and the next one run.
    memory : int
        Bytes of addresses for its kernel.
    network : bool
        May it reach more than loopback?
    """

    seconds: float = 180.0
    cell_seconds: float = 60.0
    memory: int = 2 << 30
    network: bool = False


class Ran(NamedTuple):
    """What is known of a run.

    Attributes
    ----------
    events : sequence of Event
        What its checks have told.
    problem : str
        Why it was not run to its end; "" when it was.
    errors : sequence of (int, str)
        The indices of the cells that raised, and what.
    without_network : bool
        Was the network out of its reach?
    """

    events: Sequence[Event] = ()
    problem: str = ""
    errors: Sequence[tuple[int, str]] = ()
    without_network: bool = False


def run(
    path: Path,
    notebook: Any,
    places: Sequence[str],
    limits: Limits,
    processes: set[subprocess.Popen[bytes]],
) -> Ran:
    """Run a notebook beside copies of the files that lie beside it.

    Parameters
    ----------
    path : Path
        Where it comes from.
    notebook : NotebookNode
    places : sequence of str
        What its cells are called.
    limits : Limits
    processes : set of Popen
        Has the process that runs it, as long as that does.
    """
    with (
        tempfile.TemporaryDirectory(
            prefix="statefun_nb_grade_", ignore_cleanup_errors=True
        ) as folder,
        # Neither has a name by which a notebook could find it.
        tempfile.TemporaryFile() as said,
        tempfile.TemporaryFile() as words,
    ):
        place, told, temporary = _furnish(path, notebook, Path(folder))
        order = {"notebook": str(place), "told": str(told), **limits._asdict()}
        process = subprocess.Popen(  # noqa: S603 - of strangers' code is the notebook alone
            [sys.executable, "-m", "statefun_nb.testing.worker", json.dumps(order)],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=words,
            cwd=place.parent,
            env={**os.environ, "TMPDIR": str(temporary)},
        )
        processes.add(process)
        try:
            process.wait(limits.seconds + _GRACE_SECONDS)
            in_time = True
        except subprocess.TimeoutExpired:
            in_time = False
        finally:
            end(process)
            _end_strays(temporary)
            processes.discard(process)
        lines = list(_lines(said))
        checks = list(events(told))
        problem = _problem(lines, places, limits, in_time, words) or _lost(lines, checks)
        errors = [(cell, text) for what, cell, text in lines if what == "error"]
        without_network = any(what == "without network" for what, _, _ in lines)
        return Ran(checks, problem, errors, without_network)


def _furnish(path: Path, notebook: Any, folder: Path) -> tuple[Path, Path, Path]:
    """A notebook, the file in which its checks tell of themselves, and its temporary files."""
    import nbformat

    place, told, temporary = folder / "notebook", folder / "checks" / "told", folder / "tmp"
    for each in (place, told.parent, temporary):
        each.mkdir()
    told.touch()
    for beside in path.parent.iterdir():
        if beside.is_file() and beside.suffix != ".ipynb":
            shutil.copy(beside, place)
    nbformat.write(notebook, place / path.name)  # type: ignore[no-untyped-call]
    return place / path.name, told, temporary


def _lines(said: IO[bytes]) -> Iterator[tuple[str, int, str]]:
    said.seek(0)
    for line in said.read(_SAID_BYTES).splitlines():
        with contextlib.suppress(ValueError):
            match json.loads(line):
                case [str(what), int(cell), str(text)]:
                    yield what, cell, text


def _problem(
    lines: Sequence[tuple[str, int, str]],
    places: Sequence[str],
    limits: Limits,
    in_time: bool,
    words: IO[bytes],
) -> str:
    """Why a notebook was not run to its end, and where."""
    told = {what: (cell, text) for what, cell, text in reversed(lines)}  # the first of each
    reached = [places[cell] for what, cell, _ in lines if what == "cell"]
    if "died" in told:
        cell, text = told["died"]
        return f"{places[cell]} ended the kernel: {text}"
    if "time is up" in told or not (in_time or "end" in told):
        late = f"it took more than {limits.seconds:g} s"
        if "interrupted" in told:
            return f"{places[told['interrupted'][0]]} was interrupted first: in all {late}"
        return f"{reached[-1]}: {late}" if reached else late
    if "problem" in told:
        return told["problem"][1]
    if "end" in told:
        return ""
    words.seek(max(0, words.seek(0, os.SEEK_END) - 4_096))
    last = words.read().decode(errors="replace").strip().splitlines()[-1:]
    problem = " ".join(["the process that ran it has ended", *last])
    return cut(f"{reached[-1]}: {problem}" if reached else problem, 1_000)


def _lost(lines: Sequence[tuple[str, int, str]], checks: Sequence[Event]) -> str:
    """Is what the checks told all there? Of each cell that was begun there is a line."""
    begun = {cell for what, cell, _ in lines if what == "cell"}
    if begun <= {int(each.text) for each in checks if each.what == "cell"}:
        return ""
    return (
        "what its checks told is not all there: the notebook has written to their file, "
        "or removed it"
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it has started."""
    import psutil  # of the extra "lab", like all that runs a notebook

    if process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            end_descendants(psutil.Process(process.pid))
        process.kill()
    process.wait()


def _end_strays(temporary: Path) -> None:
    """End what is left of a notebook that has ended the process which was to do that."""
    import psutil

    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if each.environ().get("TMPDIR") == str(temporary):
                each.kill()
