"""What the words of a command line may be."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from ..errors import StatefunError

__all__ = ["readable", "whole_number"]


def whole_number(low: int, high: int | None = None) -> Callable[[str], int]:
    """A type for argparse: a whole number from ``low`` to ``high``.

    Examples
    --------
    >>> whole_number(0, 65535)("8000")
    8000
    """
    wanted = f"{low} or more" if high is None else f"{low} to {high}"

    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if number < low or (high is not None and number > high):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, {wanted}")
        return number

    return convert


def readable(path: Path) -> Path:
    """The path of a file that is text.

    Raises
    ------
    StatefunError
        When it cannot be read as such.
    """
    try:
        path.read_text(encoding="utf-8")
    except OSError as error:
        raise StatefunError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StatefunError(f"cannot read {path}: it is not text in UTF-8") from error
    return path
