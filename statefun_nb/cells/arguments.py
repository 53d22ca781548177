"""Arguments of a magic: a line of text to a namespace, pure."""

from __future__ import annotations

import argparse
import ast
import json
import re
import shlex
from collections.abc import Callable
from typing import Any, NoReturn

from ..errors import StatefunError

__all__ = [
    "HelpShown",
    "Parser",
    "Quoted",
    "UsageError",
    "cell_parser",
    "literal_of",
    "parse",
    "split",
    "whole_number",
]

_BELOW_ZERO = re.compile(r"-(inf$|\.?\d)")


class UsageError(StatefunError, ValueError):
    """A magic was called with arguments that it does not take."""


class HelpShown(Exception):  # noqa: N818 - no error
    """``--help`` was asked for and printed; there is nothing else to do."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises instead of ending the kernel."""

    def error(self, message: str) -> NoReturn:
        shown = "%" + self.prog.lstrip("%")  # %%... alone would be a cell without a body
        raise UsageError(f"{self.prog}: {message} ({shown} --help shows how)")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:  # noqa: ARG002
        raise HelpShown

    def _parse_optional(self, arg_string: str) -> Any:
        # What is between quotation marks is text, also where it begins as an option does; -inf and
        # -10s are numbers and durations, which argparse does not know.
        is_value = isinstance(arg_string, Quoted) or _BELOW_ZERO.match(arg_string)
        return None if is_value else super()._parse_optional(arg_string)

    def _print_message(self, message: str, file: Any = None) -> None:  # noqa: ARG002
        print(message, end="")


def cell_parser() -> argparse.ArgumentParser:
    """The parser of ``%%statefun_function``."""
    parser = Parser(
        prog="%%statefun_function",
        description="The cell is the body of a stateful function of (ctx, message).",
    )
    parser.add_argument("typename", help="namespace/name of the function")
    parser.add_argument(
        "--state",
        action="append",
        default=[],
        metavar="NAME:TYPE",
        help="a state value: int, float, bool, str, dict, list, a type of the notebook's, or one "
        "made of these such as list[int], without spaces",
    )
    return parser


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


def parse(parser: argparse.ArgumentParser, line: str) -> argparse.Namespace:
    """Split a line as a shell would, and parse it.

    Raises
    ------
    UsageError
        When the line is not as it should be.
    HelpShown
        When it asked for help.
    """
    try:
        words = split(line)
    except ValueError as error:
        raise UsageError(
            f"{parser.prog}: {error} in {line!r}: write a text that has a quotation mark in it "
            "between marks of the other kind"
        ) from error
    return parser.parse_args(words)


class Quoted(str):
    """A word that stood between quotation marks, all of it: it is text, whatever it says."""

    __slots__ = ()


def split(line: str) -> list[str]:
    """The line as a shell splits it, but that a list or a dict is one word, quotes and all.

    Examples
    --------
    >>> [type(each).__name__ for each in split('send m/f a "5"')]
    ['str', 'str', 'str', 'Quoted']
    """
    for bracket in re.finditer(r"(?<!\S)[\[{(]", line):
        begin = bracket.start()
        try:
            words = _shell_words(line[:begin])
        except ValueError:  # it is within quotes
            continue
        options = [
            option.start() for option in re.finditer(r"\s--", line) if option.start() > begin
        ]
        for end in (len(line), *reversed(options)):
            literal = line[begin:end].strip()
            if _is_literal(literal):
                return [*words, literal, *_shell_words(line[end:])]
    return _shell_words(line)


def _shell_words(text: str) -> list[str]:
    words = shlex.split(_ESCAPED.sub(_kept, text))
    return [
        Quoted(word)
        if _QUOTED.fullmatch(as_written)
        else as_written
        if _PREFIXED.fullmatch(as_written)
        else word
        for word, as_written in zip(words, _WORD.findall(text), strict=True)
    ]


def _kept(found: re.Match[str]) -> str:
    """A backslash before a letter stands for itself, as in a path of Windows."""
    text = found[0]
    return text.replace("\\", "\\\\") if re.match(r"\\[^\W_]", text) else text


_IN_MARKS = r"""'[^']*'|"(?:\\.|[^"\\])*\""""
_QUOTED = re.compile(_IN_MARKS, re.DOTALL)
_ESCAPED = re.compile(rf"{_IN_MARKS}|\\.", re.DOTALL)
_PREFIXED = re.compile(rf"[bBrRuU]{{1,2}}(?:{_IN_MARKS})", re.DOTALL)  # a literal of Python's
_WORD = re.compile(rf"""(?:\\.|{_IN_MARKS}|[^\s'"\\])+""", re.DOTALL)


def _is_literal(text: str) -> bool:
    try:
        literal_of(text)
    except ValueError:
        return False
    return True


class _WithFloats(ast.NodeTransformer):
    """Takes ``nan`` and ``inf`` for what Python writes so: IPython puts them where ``{x}`` is."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """A number in the place of its name."""
        return ast.Constant(float(node.id)) if node.id in ("nan", "inf") else node


def literal_of(text: str) -> Any:
    """The value that a text is written for, in Python or in JSON: no evaluation.

    Raises
    ------
    ValueError
        When it is neither.

    Examples
    --------
    >>> literal_of("(1, 'a')"), literal_of('{"open": true}')
    ((1, 'a'), {'open': True})
    >>> literal_of("{'least': -inf}")
    {'least': -inf}
    """
    try:
        node = ast.parse(text.lstrip(" \t"), mode="eval")
        return ast.literal_eval(_WithFloats().visit(node))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        if text[:1] not in ("{", "["):
            raise ValueError(text) from None
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError(str(error)) from None
