"""The arguments of the magics: a line of text to a namespace, pure."""

from __future__ import annotations

import argparse
import re
import shlex
from datetime import timedelta
from typing import Any, NoReturn

from ..errors import StatefunError

__all__ = [
    "HelpShown",
    "UsageError",
    "cell_parser",
    "duration",
    "line_parser",
    "module_parser",
    "parse",
]


class UsageError(StatefunError, ValueError):
    """A magic was called with arguments that it does not take."""


class HelpShown(Exception):  # noqa: N818 - no error
    """``--help`` was asked for and printed; there is nothing else to do."""


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises instead of ending the kernel."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message} ({self.prog} --help shows how)")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:  # noqa: ARG002
        raise HelpShown

    def _print_message(self, message: str, file: Any = None) -> None:  # noqa: ARG002
        print(message, end="")


_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(text: str) -> timedelta:
    """Seconds, or a number with a unit.

    Examples
    --------
    >>> duration("90"), duration("1.5h"), duration("250ms")
    (datetime.timedelta(seconds=90), datetime.timedelta(seconds=5400), datetime.timedelta(microseconds=250000))
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|)", text)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no duration: write 90, 250ms, 5m, 1.5h or 2d"
        )
    return timedelta(seconds=float(match[1]) * _UNITS[match[2]])


def line_parser() -> argparse.ArgumentParser:
    """The parser of ``%statefun``."""
    parser = _Parser(prog="%statefun", description="Run stateful functions in this notebook.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    start = commands.add_parser("start", help="start a session, or show the running one")
    start.add_argument("--port", type=int, default=8000, help="port of the endpoint; 0 is any")
    start.add_argument(
        "--engine",
        choices=("embedded", "flink", "docker"),
        default="embedded",
        help="flink: the real StateFun, as local JVM processes; docker: as containers",
    )
    start.add_argument("--durable", metavar="FILE", help="keep everything in this file")
    start.add_argument("--on-error", choices=("park", "retry", "skip"), default="park")
    start.add_argument("--transport", choices=("direct", "http"), default="direct")
    start.add_argument("--paused", action="store_true", help="serve nothing until resumed")

    commands.add_parser("stop", help="stop the session")
    commands.add_parser("status", help="what the session is doing")

    show = commands.add_parser("show", help="a live view: of everything, or of one address")
    show.add_argument(
        "what",
        nargs="?",
        default="dashboard",
        help="dashboard (default), graph, table, or the typename of an address",
    )
    show.add_argument("id", nargs="?", help="of the address")

    send = commands.add_parser("send", help="send a message")
    send.add_argument("typename", help="namespace/name of the function")
    send.add_argument("id", help="the instance it is for")
    send.add_argument("value", nargs="+", help="a Python literal, or else text")
    send.add_argument("--delay", type=duration, metavar="TIME", help="deliver it later: 90, 5m, 1h")

    state = commands.add_parser("state", help="state of a function type, or of one address")
    state.add_argument("typename")
    state.add_argument("id", nargs="?")

    egress = commands.add_parser("egress", help="what egresses have taken")
    egress.add_argument("typename", nargs="?", help="namespace/name of the egress")
    egress.add_argument("-n", type=int, default=20, help="the last so many (20)")

    trace = commands.add_parser("trace", help="the last invocations")
    trace.add_argument("--type", help="only of this function type")
    trace.add_argument("--id", help="only of this instance")
    trace.add_argument("--status", choices=("ok", "error"))
    trace.add_argument("-n", type=int, default=20, help="the last so many (20)")

    commands.add_parser("module", help="the module.yaml of the declared functions")
    logs = commands.add_parser("logs", help="what the processes of a real cluster have written")
    logs.add_argument("process", nargs="?", help="only this one: jobmanager, kafka ...")
    logs.add_argument("-n", type=int, default=40, help="the last so many lines of each (40)")
    commands.add_parser("pause", help="serve no further message")
    commands.add_parser("step", help="pause, serve one message, and show its invocation")
    commands.add_parser("resume", help="go on")
    advance = commands.add_parser("advance", help="move the session's clock")
    advance.add_argument("time", type=duration, help="how far: 90 (seconds), 5m, 1h, 2d")
    return parser


def cell_parser() -> argparse.ArgumentParser:
    """The parser of ``%%statefun_function``."""
    parser = _Parser(
        prog="%%statefun_function",
        description="The cell is the body of a stateful function of (ctx, message).",
    )
    parser.add_argument("typename", help="namespace/name of the function")
    parser.add_argument(
        "--state",
        action="append",
        default=[],
        metavar="NAME:TYPE",
        help="a state value: int, float, bool, str, dict, list, or a type of the notebook's",
    )
    return parser


def module_parser() -> argparse.ArgumentParser:
    """The parser of ``%%statefun_module``."""
    return _Parser(
        prog="%%statefun_module",
        description="The cell is a module.yaml: ingresses, egresses and endpoints.",
    )


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
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"{parser.prog}: {error} in {line!r}") from error
    return parser.parse_args(words)
