"""The arguments of ``%statefun`` and ``%%statefun_module``."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, get_args

from ..cells.arguments import Parser, whole_number
from ..sessions.options import ClockName, EngineName, OnErrorName, Options, TransportName
from ..trace.events import AskedStatus

__all__ = ["duration", "line_parser", "module_parser", "with_names"]

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(text: str) -> timedelta:
    """Seconds, or a number with a unit.

    Examples
    --------
    >>> [duration(text).total_seconds() for text in ("90", "1.5h", "250ms")]
    [90.0, 5400.0, 0.25]
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|)", text)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a duration: write 90, 250ms, 5m, 1.5h or 2d"
        )
    try:
        return timedelta(seconds=float(match[1]) * _UNITS[match[2]])
    except OverflowError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is longer than any time span") from error


def with_names(line: str, names: Mapping[str, Any]) -> str:
    r"""The line with values of the notebook's in the place of their names in braces.

    Examples
    --------
    >>> with_names('send m/f {who} {"n": 1}', {"who": "bob b"})
    'send m/f \'bob b\' {"n": 1}'
    """

    def value(found: re.Match[str]) -> str:
        if found[1] not in names:
            return found[0]
        given = names[found[1]]
        if isinstance(given, str):
            return f"'{given}'" if given.isdecimal() else shlex.quote(given)  # which is no number
        return re.sub(r"([^\w.-])", r"\\\1", str(given))  # no marks: those would make text of it

    return re.sub(r"(?<![^\s\w/-])\{([^\W\d]\w*)\}", value, line)


def line_parser() -> argparse.ArgumentParser:
    """The parser of ``%statefun``."""
    parser = Parser(prog="%statefun", description="Run stateful functions in this notebook.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    _add_start(commands)
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
    send.add_argument(
        "value",
        nargs="+",
        help='a Python literal (nan, inf too), or else text; "5" in quotation marks is the text 5',
    )
    send.add_argument("--delay", type=duration, metavar="TIME", help="deliver it later: 90, 5m, 1h")

    state = commands.add_parser("state", help="state of a function type, or of one address")
    state.add_argument("typename")
    state.add_argument("id", nargs="?")

    egress = commands.add_parser("egress", help="what egresses have taken")
    egress.add_argument("typename", nargs="?", help="namespace/name of the egress")
    egress.add_argument("-n", type=whole_number(1), default=20, help="the last so many (20)")

    trace = commands.add_parser("trace", help="the last invocations")
    trace.add_argument("--type", help="only of this function type")
    trace.add_argument("--id", help="only of this instance")
    trace.add_argument("--status", choices=get_args(AskedStatus))
    trace.add_argument("-n", type=whole_number(1), default=20, help="the last so many (20)")

    _add_repair(commands)
    _add_replay_and_export(commands)
    module = commands.add_parser("module", help="the module.yaml of the declared functions")
    module.add_argument("--version", choices=["2.0"], help="of StateFun 2.x; left out: 3.x")
    logs = commands.add_parser("logs", help="what the processes of a real cluster have written")
    logs.add_argument("process", nargs="?", help="only this one: jobmanager, kafka ...")
    logs.add_argument(
        "-n", type=whole_number(1), default=40, help="the last so many lines of each (40)"
    )
    commands.add_parser("pause", help="serve no further message")
    commands.add_parser("step", help="pause, serve one message, and show its invocation")
    commands.add_parser("resume", help="go on")
    advance = commands.add_parser("advance", help="move the session's clock")
    advance.add_argument("time", type=duration, help="how far: 90 (seconds), 5m, 1h, 2d")
    return parser


def _add_start(commands: Any) -> None:
    start = commands.add_parser("start", help="start a session, or show the running one")
    start.add_argument(
        "--port", type=int, default=Options.port, help="port of the endpoint; 0: any free one"
    )
    start.add_argument(
        "--token",
        nargs="?",
        const=True,
        default=Options.token,
        help="part of the endpoint's path, without which nobody is served; a random one when none "
        "follows",
    )
    start.add_argument(
        "--engine",
        choices=get_args(EngineName),
        default=Options.engine,
        help="flink: the real StateFun, as local JVM processes; docker: as containers",
    )
    start.add_argument("--durable", metavar="FILE", help="keep everything in this file")
    start.add_argument(
        "--on-error",
        choices=get_args(OnErrorName),
        default=Options.on_error,
        help="a message that fails waits for the corrected cell (park), is tried again and again "
        "(retry), or is left out (skip)",
    )
    start.add_argument(
        "--transport",
        choices=get_args(TransportName),
        default=Options.transport,
        help="call functions in this process (direct), or through the endpoint (http)",
    )
    start.add_argument(
        "--clock",
        choices=get_args(ClockName),
        default=Options.clock,
        help="virtual: time moves by %%statefun advance alone",
    )
    start.add_argument("--paused", action="store_true", help="serve nothing until resumed")


def _add_repair(commands: Any) -> None:
    commands.add_parser("parked", help="the addresses that do not go on, and why")
    retry = commands.add_parser("retry", help="try parked messages again: all, or some")
    retry.add_argument("typename", nargs="?", help="only those of this function")
    retry.add_argument("id", nargs="?", help="only this address")
    discard = commands.add_parser("discard", help="give up the message at the head of an address")
    discard.add_argument("typename")
    discard.add_argument("id")
    resend = commands.add_parser("resend", help="send the message of an invocation once more")
    resend.add_argument("seq", type=int, help="of the invocation, as trace shows it")
    resend.add_argument("value", nargs="*", help="instead of the one it had: a literal, or text")
    resend.add_argument("--delay", type=duration, metavar="TIME", help="deliver it later")


def _add_replay_and_export(commands: Any) -> None:
    replay = commands.add_parser(
        "replay", help="run recorded invocations again, by the functions as they are now"
    )
    replay.add_argument("--type", help="only of this function type")
    replay.add_argument("--id", help="only of this instance")
    replay.add_argument("--status", choices=get_args(AskedStatus))

    export = commands.add_parser(
        "export", help="write functions, module.yaml and tests to a folder"
    )
    export.add_argument("folder", help="where to; made when it is not there")
    export.add_argument(
        "--overwrite", action="store_true", help="replace the files of an earlier export"
    )


def module_parser() -> argparse.ArgumentParser:
    """The parser of ``%%statefun_module``."""
    return Parser(
        prog="%%statefun_module",
        description="The cell is a module.yaml: ingresses, egresses and endpoints.",
    )
