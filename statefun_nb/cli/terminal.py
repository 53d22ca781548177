"""What goes to a terminal: no text of anybody's moves its cursor, or does worse."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any, NoReturn

__all__ = ["Parser", "give_up", "plain", "say", "tell"]


def plain(text: str) -> str:
    r"""A text with its control characters written out, but for line ends and tabs.

    Examples
    --------
    >>> print(plain("\x1b[2Jno\nmore"))
    \x1b[2Jno
    more
    """
    return "".join(
        each if each in "\n\t" or each.isprintable() else _written(each) for each in text
    )


def _written(character: str) -> str:
    return repr(character)[1:-1]


def say(text: str) -> None:
    """Write an error, or another word about the program itself, to stderr."""
    print(plain(text), file=sys.stderr, flush=True)


def tell(text: str) -> None:
    """Write what was asked for to stdout, where it is for a person: names may be anybody's."""
    print(plain(text), flush=True)


class Parser(argparse.ArgumentParser):
    """One whose errors repeat what was typed as ``plain`` has it.

    ``hint`` says what a word that is none of its commands may have been meant for.
    """

    hint = ""

    def error(self, message: str) -> NoReturn:
        """End with a message, and the hint where it is about a command."""
        if self.hint and ": invalid choice: " in message and not message.startswith("argument -"):
            message = f"{message}: {self.hint}"
        super().error(message)

    def _print_message(self, message: str, file: Any = None) -> None:
        super()._print_message(plain(message), file)


def give_up() -> None:
    """What is left for stdout is for nobody, also at the interpreter's end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
