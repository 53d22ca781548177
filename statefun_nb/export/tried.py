"""A written project is tried: what its own process says of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from ..cells.progress import progress_bar

__all__ = ["Tried", "try_project"]

_ROOT = Path(__file__).parents[2]
_SECONDS = 300.0
_PROGRAM = (
    "import sys; sys.path.append({root!r}); "
    "from statefun_nb.export.trial import main; main({registry!r}, {wanted!r}, {seconds!r})"
)


class Tried(NamedTuple):
    """How many tests there are, what those say that fail, and what else is wrong."""

    tests: int
    failed: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()


def try_project(
    folder: Path, registry: str | None, wanted: Sequence[str], tests: int, seconds: float = _SECONDS
) -> Tried:
    """Import a project and run its tests, in a process that has nothing of this one.

    Parameters
    ----------
    registry : str or None
        The name of its ``StatefulFunctions``; None when they are the default ones.
    wanted : sequence of str
        The typenames that it is to declare.
    tests : int
        How many recorded invocations it has.
    seconds : float
        How long that may take; it is ended then.
    """
    program = _PROGRAM.format(
        root=str(_ROOT), registry=registry or "", wanted=list(wanted), seconds=seconds
    )
    failed, broken, done = [], [], False
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(  # noqa: S603 - this Python, and a program of ours
            # -B: no __pycache__ among what was written.
            [sys.executable, "-B", "-c", program],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        ) as process,
        progress_bar(total=tests, desc="its tests", unit=" tests") as bar,
    ):
        try:
            for finding in _findings(process.stdout):
                match finding:
                    case {"failed": str(text)}:
                        failed.append(text)
                    case {"broken": str(text)}:
                        broken.append(text)
                    case {"done": True}:
                        done = True
                bar.update("failed" in finding or "passed" in finding)
        finally:
            process.kill()  # it has said all; threads of its own may go on for ever
        if not done and not broken:
            broken.append(_end(errors, seconds))
    return Tried(tests, tuple(failed), tuple(broken))


def _findings(lines: IO[bytes] | None) -> Iterator[dict[str, Any]]:
    assert lines is not None
    for line in lines:
        found = json.loads(line)
        assert isinstance(found, dict)
        yield found


def _end(errors: IO[bytes], seconds: float) -> str:
    """Why the process ended before it was done."""
    errors.seek(0)
    text = errors.read().decode(errors="replace").strip()
    if text.startswith("Timeout (") or "\nTimeout (" in text:
        where = next((line.strip() for line in text.splitlines() if "File " in line), "")
        return f"its tests took longer than {seconds:.0f} s and were ended: {where}"
    last = text.splitlines()[-1] if text else "without a word"
    return f"its tests ended before they were done: {last}"
