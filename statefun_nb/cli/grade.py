"""``statefun-nb grade FOLDER``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import shtab

from ..cells.arguments import whole_number
from ..cells.progress import progress_bar
from ..errors import StatefunError
from ..testing.grading import Graded, Limits, find_notebooks, grade
from ..testing.reports import as_json, as_junit, as_table, feedback_pages, names_of
from .arguments import a_path, check_writable
from .terminal import tell

__all__ = ["add_grade"]

_WARNING = """
It runs what strangers have written, as you. Each notebook has processes of its own, with limits of
time and memory, and no network where the platform allows; but it can read and write your files. For
people that you do not trust, run it in a container: see docs/howto/grading.md.
"""
_LIMITS = Limits()
_NUMBERS = (
    ("--time", int(_LIMITS.seconds), "seconds for a notebook"),
    ("--cell-time", int(_LIMITS.cell_seconds), "seconds for a cell"),
    ("--memory", _LIMITS.memory >> 20, "MiB for a kernel"),
    ("--jobs", 2, "so many at a time"),
)
_FILES = (
    ("--reference", "NOTEBOOK", "whose cells with checks are run in the place of each one's own"),
    ("--json", "FILE", "write all that is known"),
    ("--junit", "FILE", "write JUnit's XML"),
)


def add_grade(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of ``grade``."""
    parser.description = _WARNING
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    folder = parser.add_argument("folder", type=a_path, help="of the participants' notebooks")
    folder.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    for name, word, what in _FILES:
        file = parser.add_argument(name, type=a_path, metavar=word, help=what)
        file.complete = shtab.FILE  # type: ignore[attr-defined]
    feedback = parser.add_argument(
        "--feedback", type=a_path, metavar="FOLDER", help="write a page for each participant"
    )
    feedback.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    for name, default, what in _NUMBERS:
        number, text = whole_number(1), f"{what} ({default})"
        parser.add_argument(name, type=number, default=default, metavar="N", help=text)
    parser.add_argument("--network", action="store_true", help="let them reach the network")
    parser.set_defaults(run=_grade)


def _grade(options: argparse.Namespace) -> None:
    for file in (options.json, options.junit):
        if file:
            check_writable(file)
    if options.feedback:
        check_writable(options.feedback, as_folder=True)
    paths = find_notebooks(options.folder, options.reference)
    limits = Limits(options.time, options.cell_time, options.memory << 20, options.network)
    with progress_bar(total=len(paths), unit=" notebooks", mininterval=0) as bar:
        graded = grade(
            paths,
            reference=options.reference,
            limits=limits,
            jobs=options.jobs,
            report=lambda _: bar.update(1),
        )
    names = names_of(graded, options.folder)
    failed = _write(graded, names, options)
    tell(as_table(graded, names).lstrip("\n"))
    if not options.network and not all(each.without_network or each.problem for each in graded):
        tell("The network was within reach: this platform, or container, does not let it be taken.")
    if all(each.problem for each in graded):
        raise StatefunError("none of these notebooks could be graded: the table says why")
    if failed:
        raise StatefunError(f"cannot write {'; '.join(failed)}")


def _write(
    graded: Sequence[Graded], names: Sequence[str], options: argparse.Namespace
) -> list[str]:
    """Write each report, whatever becomes of the others; which could not be written, and why."""
    texts: dict[Path, str] = {}
    if options.json:
        texts[options.json] = as_json(graded, names)
    if options.junit:
        texts[options.junit] = as_junit(graded, names)
    if options.feedback:
        texts |= feedback_pages(graded, names, options.feedback)
    failed = []
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            failed.append(f"{path}: {error.strerror}")
    return failed
