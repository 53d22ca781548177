"""Notebooks that are graded: each is run in processes of its own, and what its checks say counted.

``grade`` runs strangers' code. What one notebook does ends with it: time and memory are bounded,
its processes ended, and the network is out of reach where the platform allows; files are not.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..cells.notebook import read_notebook
from ..errors import StatefunError, cut, in_brief
from .exercise_cells import WithChecks, WrittenCheck, with_checks_of, written_checks
from .exercises import Event
from .runs import Limits, Ran, end, run

__all__ = ["Exercise", "Graded", "Limits", "Raised", "find_notebooks", "grade", "writable"]

Outcome = Literal["passed", "failed", "error", "not reached"]

# How much is told of an error, of the name of an exercise, and of a line of code.
_WORDS, _NAME, _LINE = 1_000, 100, 60
# The minor version of the format since which cells have ids.
_WITH_IDS = 5


class Exercise(NamedTuple):
    """What became of one exercise: the points that were got, of how many, and why."""

    name: str
    outcome: Outcome
    points: float
    of: float
    words: str


class Raised(NamedTuple):
    """A cell that raised: its number from 1, or None for one of the reference; its code; what."""

    cell: int | None
    line: str
    text: str


class Graded(NamedTuple):
    """A notebook that was graded.

    Attributes
    ----------
    notebook : Path
    exercises : sequence of Exercise
        In the order in which they are written.
    problem : str
        Why it was not run to its end; "" when it was.
    errors : sequence of Raised
        The cells that raised, in order.
    seconds : float
    without_network : bool
        Was the network out of its reach?
    """

    notebook: Path
    exercises: Sequence[Exercise]
    problem: str
    errors: Sequence[Raised]
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


def find_notebooks(folder: Path, reference: Path | None = None) -> list[Path]:
    """The notebooks below a folder, by their paths, without what Jupyter keeps for itself.

    A reference that lies there as well is no participant's.

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
        and not (reference and reference.exists() and path.samefile(reference))
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
    graded: dict[Future[Graded], Path] = {}
    done: dict[Path, Graded] = {}
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for path in paths:
                graded[pool.submit(_grade, path, model, limits, processes)] = path
            for each in as_completed(graded):
                done[graded[each]] = each.result()
                report(each.result())
        except BaseException:  # Ctrl-C
            pool.shutdown(cancel_futures=True, wait=False)
            while not all(each.done() for each in graded):
                for process in list(processes):
                    end(process)
                wait(graded, 0.1)  # one may be about to start its process
            raise
    return [done[path] for path in paths]


def _grade(
    path: Path, model: Any, limits: Limits, processes: set[subprocess.Popen[bytes]]
) -> Graded:
    begun = time.monotonic()
    checks = [] if model is None else written_checks(model)
    places: list[_Place] = []
    try:
        notebook = _valid_notebook(path)
        checks, numbers = _checks_and_numbers(notebook, model)
        places = [_Place(*each) for each in zip(numbers, map(_line, notebook.cells), strict=True)]
        ran = run(path, notebook, [str(each) for each in places], limits, processes)
    except StatefunError as error:
        ran = Ran(problem=str(error))
    except Exception as error:  # of one notebook, and no other's
        ran = Ran(problem=f"it could not be graded: {in_brief(error)}")
    exercises = _count(checks, ran, places)
    errors = [Raised(*places[cell], _said(text)) for cell, text in ran.errors]
    seconds = time.monotonic() - begun
    return Graded(path, exercises, _said(ran.problem), errors, seconds, ran.without_network)


def _checks_and_numbers(notebook: Any, model: Any) -> WithChecks:
    if model is not None:
        return with_checks_of(notebook, model)
    return WithChecks(written_checks(notebook), list(range(1, len(notebook.cells) + 1)))


class _Place(NamedTuple):
    """A cell: its number for the participant, and the first line of its code."""

    number: int | None
    line: str

    def __str__(self) -> str:
        name = "a check that was gone" if self.number is None else f"cell {self.number}"
        return f"{name} ({self.line})" if self.line else name


def _line(cell: Any) -> str:
    lines = [line.strip() for line in cell.source.splitlines() if line.strip()]
    return _said(lines[0], _LINE) if lines else ""


def _said(text: str, longest: int = _WORDS) -> str:
    """A text that can be written and read: cut, and without halves of characters."""
    return writable(cut(text, longest))


def writable(text: str) -> str:
    r"""A text as UTF-8 has it: its halves of characters, as of the name of a file, are escaped.

    Examples
    --------
    >>> print(writable("\udcff.ipynb"))
    \udcff.ipynb
    """
    return text.encode(errors="backslashreplace").decode()


def _valid_notebook(path: Path) -> Any:
    """A notebook that is as its format says, which reading alone does not ask."""
    notebook = read_notebook(path)
    import nbformat

    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        reason = str(error).splitlines()[0]
        raise StatefunError(f"{path} is not a notebook: {reason}") from error
    # Cells of a notebook of an older format get ids, as those of a reference have them.
    if notebook.nbformat_minor < _WITH_IDS:
        minor = notebook.nbformat_minor
        notebook = nbformat.v4.upgrade(notebook, 4, minor)  # type: ignore[no-untyped-call]
    return notebook


def _count(checks: list[WrittenCheck], ran: Ran, places: list[_Place]) -> list[Exercise]:
    """What each exercise has come to, from what is written and what was told."""
    attempts = _attempts(ran.events)
    raised = dict(reversed(ran.errors))  # the first of each cell
    exercises: dict[str, list[tuple[Outcome, float, str]]] = {}
    for check in checks:
        told = attempts.get((check.cell, check.exercise), [])
        found = told.pop(0) if told else None
        outcome: Outcome
        if found is not None and (found.failed or found.passed):
            outcome, words = ("failed", found.failed) if found.failed else ("passed", "")
        elif check.cell in raised:
            outcome, words = "error", f"{places[check.cell]}: {raised[check.cell]}"
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
    of = sum(points for _, points, _ in parts)
    return Exercise(_said(name, _NAME), outcome, got, of, _said(words))


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
