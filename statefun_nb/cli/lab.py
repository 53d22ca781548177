"""``statefun-nb lab``: the tour, or a lesson, in JupyterLab."""

from __future__ import annotations

import argparse
from pathlib import Path

import shtab

from ..errors import StatefunError, install_command
from ..testing.lessons import find_lesson, write_lesson
from .arguments import a_path
from .terminal import say

__all__ = ["add_lab"]

_TOUR = "00_tour.ipynb"


def add_lab(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of ``lab``."""
    parser.usage = "statefun-nb lab [-h] [--lesson N] [FOLDER] [-- OPTIONS OF JUPYTERLAB]"
    folder = parser.add_argument(
        "folder",
        nargs="?",
        type=a_path,
        default=Path(),
        help="folder with the notebooks (default: this one)",
    )
    folder.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    parser.add_argument(
        "--lesson", metavar="N", help="open this lesson, such as 12; it is copied when it lacks"
    )
    parser.set_defaults(run=_lab)


def _lab(options: argparse.Namespace) -> None:
    try:
        from jupyterlab.labapp import main as jupyter_lab
    except ImportError as error:
        raise StatefunError(f"JupyterLab is missing: {install_command('lab')}") from error
    if not options.folder.is_dir():
        raise StatefunError(f"{options.folder} is not a folder")
    if options.lesson is None:
        opened = _found(options.folder, _TOUR)
        if opened is None:
            say(
                f"statefun-nb: there is no tour in {options.folder.absolute()}: "
                "`statefun-nb workshop new FOLDER` writes the lessons to a folder"
            )
    else:
        opened = _lesson(options.folder, find_lesson(options.lesson))
    jupyter_lab([str(opened or options.folder), *options.rest])


def _found(folder: Path, name: str) -> Path | None:
    """A notebook in a folder, or in that of a checkout."""
    return next(
        (each for each in (folder / name, folder / "notebooks" / name) if each.exists()), None
    )


def _lesson(folder: Path, name: str) -> Path:
    found = _found(folder, name)
    if found is None:
        found = folder / name
        write_lesson(folder, name)
    return found
