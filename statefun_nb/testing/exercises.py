"""Exercises that check themselves: what became of each check, told to whoever grades a notebook.

A program that grades names a file in the environment. Each check of an exercise adds lines to it as
it goes, so that what was reached is known whatever ends the kernel.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

__all__ = ["CHECKS_FILE", "Attempt", "Event", "begin", "events", "write_event"]

# The name of the variable with the path of the file.
CHECKS_FILE = "STATEFUN_NB_CHECKS"

# So much of a file is read; a check tells some hundred bytes.
_LARGEST = 16 << 20
_DIGITS = 10  # of the index of a cell

_numbers = itertools.count(1)


class Event(NamedTuple):
    """One line of the file.

    Attributes
    ----------
    attempt : int
        Which check, counted from 1 in each kernel; 0 for a cell that begins.
    what : str
        "cell" (a cell begins; ``text`` is its index), "begun", "passed" or "failed".
    exercise : str
    text : str
        Of what was asked, in words.
    """

    attempt: int
    what: Literal["cell", "begun", "passed", "failed"]
    exercise: str
    text: str


class Attempt:
    """A check of an exercise, while it goes on."""

    def __init__(self, exercise: str) -> None:
        self._exercise = exercise
        self._number = next(_numbers)
        self._tell("begun", "")

    def passed(self, text: str) -> None:
        """A question was answered as it should be."""
        self._tell("passed", text)

    def failed(self, text: str) -> None:
        """A question was not; or there was none, for the check could not be made."""
        self._tell("failed", text)

    def _tell(self, what: Literal["begun", "passed", "failed"], text: str) -> None:
        if path := os.environ.get(CHECKS_FILE):
            write_event(Path(path), Event(self._number, what, self._exercise, text))


def begin(exercise: str | None) -> Attempt | None:
    """The attempt of a check, if it is one of an exercise."""
    return None if exercise is None else Attempt(exercise)


def write_event(path: Path, event: Event) -> None:
    """Add a line, in one piece; nobody is told where there is no such file any more."""
    how = os.O_WRONLY | os.O_CREAT
    with contextlib.suppress(OSError), os.fdopen(_opened(path, how), "wb") as file:
        file.write(json.dumps(event).encode() + b"\n")


def _opened(path: Path, how: int) -> int:
    """A descriptor of a regular file: what somebody has put into its place could block for ever."""
    flags = how | os.O_APPEND | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags, 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise FileNotFoundError(path)


def events(path: Path) -> Iterator[Event]:
    """The lines of a file; what somebody else has written there is left out."""
    try:
        with os.fdopen(_opened(path, os.O_RDONLY), "rb") as file:
            lines = file.read(_LARGEST).decode(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            found: Any = json.loads(line)
        except ValueError:
            continue
        match found:
            case [0, "cell", str(), str(text)] if text.isdecimal() and len(text) <= _DIGITS:
                yield Event(*found)
            case [int(), "begun" | "passed" | "failed", str(), str()]:
                yield Event(*found)
