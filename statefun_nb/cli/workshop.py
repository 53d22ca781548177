"""``statefun-nb workshop``: the lessons in a folder, and whether a room is ready for them."""

from __future__ import annotations

import argparse

import shtab

from ..testing.lessons import write_lessons
from .arguments import a_path
from .doctor import as_table
from .room import examine_room, lacking
from .terminal import tell

__all__ = ["add_workshop"]


def add_workshop(parser: argparse.ArgumentParser) -> None:
    """Give a parser the actions of ``workshop``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="action")
    new = actions.add_parser("new", help="write the lessons to a folder, with open exercises")
    folder = new.add_argument("folder", type=a_path, help="where to; made when it is not there")
    folder.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    new.add_argument(
        "--teacher", action="store_true", help="with solutions, outputs, and the notes for teachers"
    )
    new.set_defaults(run=_new)
    check = actions.add_parser("check", help="show whether this machine is ready for the lessons")
    check.set_defaults(run=_check)


def _new(options: argparse.Namespace) -> None:
    written = write_lessons(options.folder, teacher=options.teacher)
    tell("\n".join(str(options.folder / name) for name in written if "/" not in name))
    tell(f"to begin: statefun-nb lab {options.folder}")


def _check(_: argparse.Namespace) -> int:
    findings = examine_room()
    tell(as_table(findings))
    missing = lacking(findings)
    if missing:
        tell(f"not ready: {', '.join(missing)}")
        return 1
    tell("ready for the lessons; what lacks (--) only lesson 15 or single cells need")
    return 0
