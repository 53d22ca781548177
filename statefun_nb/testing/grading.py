"""Notebooks that are graded: each is run in processes of its own, and what its checks say counted.

``grade`` runs strangers' code. What one notebook does ends with it: time, memory and processes are
bounded, and the network is out of reach where the platform allows; files are not.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..cells.notebook import read_notebook
from ..errors import StatefunError, cut
from .exercise_cells import WrittenCheck, with_checks_of, written_checks
from .exercises import Event, events

__all__ = ["Exercise", "Graded", "Limits", "find_notebooks", "grade"]

Outcome = Literal["passed", "failed", "error", "not reached"]

# How much is told of an error.
_WORDS = 1_000
# So much longer than its notebook may take, the process that runs it lives: to say what it has.
_GRACE_SECONDS = 5.0


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


class Exercise(NamedTuple):
    """What became of one exercise: the points that were got, of how many, and why."""

    name: str
    outcome: Outcome
    points: float
    of: float
    words: str


class Graded(NamedTuple):
    """A notebook that was graded.

    Attributes
    ----------
    notebook : Path
    exercises : sequence of Exercise
        In the order in which they are written.
    problem : str
        Why it was not run to its end; "" when it was.
    errors : sequence of (int, str)
        The cells that raised, counted from 1, and what.
    seconds : float
    without_network : bool
        Was the network out of its reach?
    """

    notebook: Path
    exercises: Sequence[Exercise]
    problem: str
    errors: Sequence[tuple[int, str]]
    seconds: float
    without_network: bool

    @property
    def points(self) -> float:
        """All that were got."""
        return sum(each.points for each in self.exercises)

    @property
    def of(self) -> float:
        """All that there are."""
        return sum(each.of for each in self.exercises)


def find_notebooks(folder: Path) -> list[Path]:
    """The notebooks below a folder, by their paths, without what Jupyter keeps for itself.

    Raises
    ------
    StatefunError
        When there is no such folder, or no notebook in it.
    """
    if not folder.is_dir():
        raise StatefunError(f"{folder} is not a folder")
    found = [
        path
        for path in sorted(folder.rglob("*.ipynb"))
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not found:
        raise StatefunError(f"there is no notebook in {folder}: nothing to grade")
    return found


def grade(
    notebooks: Iterable[Path],
    *,
    reference: Path | None = None,
    limits: Limits = Limits(),  # noqa: B008 - it never changes
    jobs: int = 2,
    report: Callable[[Graded], object] = lambda _: None,
) -> list[Graded]:
    """Run notebooks, some at a time, and count what their checks say.

    Parameters
    ----------
    notebooks : iterable of Path
    reference : Path, optional
        A notebook whose cells with checks are run in the place of each participant's own, and alone
        count.
    limits : Limits
        For each of them.
    jobs : int
        So many are run at the same time.
    report : callable
        Told of each notebook when it is done.

    Raises
    ------
    StatefunError
        When the reference cannot be read or checks nothing. What is wrong with a notebook stands in
        its result, and stops no other.
    """
    model = None if reference is None else _valid_notebook(reference)
    if model is not None and not written_checks(model):
        raise StatefunError(f'{reference} checks no exercise: s.check(..., exercise="1") does')
    paths = list(notebooks)
    processes: set[subprocess.Popen[bytes]] = set()
    with ThreadPoolExecutor(jobs) as pool:
        graded = {pool.submit(_grade, path, model, limits, processes): path for path in paths}
        done: dict[Path, Graded] = {}
        try:
            for each in as_completed(graded):
                done[graded[each]] = each.result()
                report(each.result())
        except BaseException:  # Ctrl-C
            pool.shutdown(cancel_futures=True, wait=False)
            for process in list(processes):
                _kill(process)
            raise
    return [done[path] for path in paths]


def _grade(
    path: Path, model: Any, limits: Limits, processes: set[subprocess.Popen[bytes]]
) -> Graded:
    begun = time.monotonic()
    checks = [] if model is None else written_checks(model)
    try:
        notebook = _valid_notebook(path)
        checks = with_checks_of(notebook, model) if model else written_checks(notebook)
        with tempfile.TemporaryDirectory(prefix="statefun_nb_grade_") as folder:
            ran = _run(path, notebook, Path(folder), limits, processes)
    except StatefunError as error:
        ran = _Ran([], str(error), [], False)
    exercises = _count(checks, ran)
    seconds = time.monotonic() - begun
    return Graded(path, exercises, ran.problem, ran.errors, seconds, ran.without_network)


def _valid_notebook(path: Path) -> Any:
    """A notebook that is as its format says, which reading alone does not ask."""
    notebook = read_notebook(path)
    import nbformat

    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        reason = str(error).splitlines()[0]
        raise StatefunError(f"{path} is not a notebook: {reason}") from error
    return notebook


class _Ran(NamedTuple):
    """What is known of a run: what the checks told, why it ended early, which cells raised."""

    events: list[Event]
    problem: str
    errors: list[tuple[int, str]]
    without_network: bool


def _run(
    path: Path,
    notebook: Any,
    folder: Path,
    limits: Limits,
    processes: set[subprocess.Popen[bytes]],
) -> _Ran:
    """Run a notebook beside copies of the files that lie beside it."""
    import nbformat

    place = folder / "notebook"
    place.mkdir()
    for beside in path.parent.iterdir():
        if beside.is_file() and beside.suffix != ".ipynb":
            shutil.copy(beside, place)
    nbformat.write(notebook, place / path.name)  # type: ignore[no-untyped-call]
    told, result, words = folder / "checks", folder / "result.json", folder / "words"
    order = {
        "notebook": str(place / path.name),
        "told": str(told),
        "result": str(result),
        **limits._asdict(),
    }
    with words.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - of strangers' code is the notebook alone
            [sys.executable, "-m", "statefun_nb.testing.worker", json.dumps(order)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=place,
            env={**os.environ, "TMPDIR": str(folder)},
        )
        processes.add(process)
        problem = _wait(process, limits)
        processes.discard(process)
    found = list(events(told))
    try:
        told_last = json.loads(result.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        told_last = {"problem": "", "errors": [], "without_network": False}
        if not problem:
            last = words.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            problem = " ".join(["the process that ran it has ended", *last])
    reached = [int(each.text) + 1 for each in found if each.what == "cell"]
    problem = problem or told_last["problem"]
    if problem and reached:
        problem = f"cell {reached[-1]}: {problem}"
    errors = [(number, text) for number, text in told_last["errors"]]
    return _Ran(found, problem, errors, told_last["without_network"])


def _wait(process: subprocess.Popen[bytes], limits: Limits) -> str:
    """Wait until a process has ended, with all that it has started; why it had to."""
    try:
        process.wait(limits.seconds + _GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        return f"it took more than {limits.seconds:g} s"
    finally:
        _kill(process)
    return ""


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it has started."""
    import psutil  # of the extra "lab", like all that runs a notebook

    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    process.kill()
    process.wait()
    for each in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()


def _count(checks: list[WrittenCheck], ran: _Ran) -> list[Exercise]:
    """What each exercise has come to, from what is written and what was told."""
    attempts = _attempts(ran.events)
    raised = dict(ran.errors)
    exercises: dict[str, list[tuple[Outcome, float, str]]] = {}
    for check in checks:
        told = attempts.get((check.cell, check.exercise), [])
        found = told.pop(0) if told else None
        outcome: Outcome
        if found is not None and (found.failed or found.passed):
            outcome, words = ("failed", found.failed) if found.failed else ("passed", "")
        elif check.cell + 1 in raised:
            outcome, words = "error", f"cell {check.cell + 1}: {raised[check.cell + 1]}"
        elif found is not None:
            outcome, words = "failed", "it asks nothing"
        else:
            outcome, words = "not reached", ran.problem
        exercises.setdefault(check.exercise, []).append((outcome, check.points, words))
    return [_sum(name, parts) for name, parts in exercises.items()]


def _sum(name: str, parts: list[tuple[Outcome, float, str]]) -> Exercise:
    missed = [(outcome, words) for outcome, _, words in parts if outcome != "passed"]
    outcome: Outcome = missed[0][0] if missed else "passed"
    words = missed[0][1] if missed else ""
    got = sum(points for each, points, _ in parts if each == "passed")
    return Exercise(name, outcome, got, sum(points for _, points, _ in parts), cut(words, _WORDS))


class _Attempt(NamedTuple):
    """A check that was made: the questions that were answered well, and the one that was not."""

    passed: list[str]
    failed: str


def _attempts(told: Iterable[Event]) -> dict[tuple[int, str], list[_Attempt]]:
    """The checks that were made, by the index of their cell and their exercise."""
    found: dict[int, _Attempt] = {}
    places: dict[tuple[int, str], list[int]] = {}
    cell = 0
    for each in told:
        if each.what == "cell":
            cell = int(each.text)
        elif each.what == "begun":
            found[each.attempt] = _Attempt([], "")
            places.setdefault((cell, each.exercise), []).append(each.attempt)
        elif each.attempt in found and each.what == "passed":
            found[each.attempt].passed.append(each.text)
        elif each.attempt in found:
            found[each.attempt] = found[each.attempt]._replace(failed=each.text)
    return {place: [found[number] for number in numbers] for place, numbers in places.items()}
