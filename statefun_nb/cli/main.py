"""``statefun-nb``: what can be done without a notebook."""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import json
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import get_args

import shtab

from .. import __version__
from ..cells.arguments import whole_number
from ..cluster.release import OF_2
from ..endpoint.http_server import LOOPBACK
from ..errors import EngineError, StatefunError
from ..protocol.module_reader import read_source
from ..protocol.module_yaml import OLDER_ENDPOINT, PLAYGROUND_INGRESS
from ..sdk.registry import StatefulFunctions
from ..sessions.default import start
from ..sessions.options import OnErrorName, Options
from .arguments import a_path, add_token, readable
from .cluster import add_cluster
from .demo import demo as run_demo
from .doctor import as_table, examine
from .grade import add_grade
from .lab import add_lab
from .module import add_module
from .run_notebook import export_notebook
from .serving import follow, load_functions, served
from .signals import sigterm_as_ctrl_c
from .terminal import Parser, give_up, plain, say, tell
from .workshop import add_workshop

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="statefun-nb", description="Stateful functions without a notebook.")
    parser.add_argument("--version", action="version", version=__version__)
    shtab.add_argument_to(parser, help="print the completion script for this shell, and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    demo = commands.add_parser("demo", help="run the greeter and a year of flights")
    demo.add_argument(
        "--flights", type=whole_number(1), metavar="N", help="only the first N flights"
    )
    demo.set_defaults(run=lambda options: run_demo(options.flights))
    doctor = commands.add_parser(
        "doctor", help="show what is installed, and what missing parts are needed for"
    )
    doctor.add_argument("--json", action="store_true", help="as JSON")
    doctor.set_defaults(run=_doctor)
    add_lab(commands.add_parser("lab", help="open the tour, or a lesson, in JupyterLab"))
    _add_serve(commands.add_parser("serve", help="serve the functions of a module, for a cluster"))
    _add_run(
        commands.add_parser(
            "run", help="run a module.yaml on the embedded engine: no Java, no Docker"
        )
    )
    add_module(commands.add_parser("module", help="write or convert a module.yaml"))
    _add_export(
        commands.add_parser(
            "export",
            help="run a notebook, and write its functions, module.yaml and tests to a folder",
        )
    )
    add_grade(commands.add_parser("grade", help="run participants' notebooks, and count points"))
    add_workshop(commands.add_parser("workshop", help="the lessons, and what a room needs"))
    add_cluster(
        commands.add_parser("cluster", help="run the real StateFun in Docker; it keeps running")
    )
    return parser


_PORT = whole_number(0, 65535)
_PORT_HELP = f"0: any free one (default {Options.port})"
_NO_INGRESS = (
    "no message comes in, as the file has no ingress. Behind a line --- add one for curl, "
    f"`kind: {PLAYGROUND_INGRESS}` and `spec: {{port: 8090}}`: then POST to "
    f"http://{LOOPBACK}:8090/NAMESPACE/NAME/ID"
)


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("module", help="module, or module:NAME of a StatefulFunctions in it")
    parser.add_argument("--port", type=_PORT, default=Options.port, help=_PORT_HELP)
    parser.add_argument(
        "--host", default=LOOPBACK, help=f"0.0.0.0 to be reached from elsewhere ({LOOPBACK})"
    )
    add_token(parser)
    parser.add_argument("--json", action="store_true", help="say as JSON where it is")
    parser.set_defaults(run=_serve)


def _add_run(parser: argparse.ArgumentParser) -> None:
    module = parser.add_argument(
        "module", type=a_path, help="endpoints, and the playground's ingress and egress"
    )
    parser.add_argument(
        "--functions", metavar="MODULE", help="Python module whose functions this process serves"
    )
    parser.add_argument(
        "--port",
        type=_PORT,
        default=Options.port,
        help=f"port of their endpoint; {_PORT_HELP}",
    )
    add_token(parser)
    durable = parser.add_argument("--durable", metavar="FILE", help="keep everything in this file")
    parser.add_argument(
        "--on-error",
        choices=get_args(OnErrorName),
        default="retry",
        help="a message that fails is tried again and again (retry, the default), waits (park), or "
        "is left out (skip)",
    )
    for each in (module, durable):
        each.complete = shtab.FILE  # type: ignore[attr-defined]
    parser.set_defaults(run=_run_module)


def _add_export(parser: argparse.ArgumentParser) -> None:
    notebook = parser.add_argument("notebook", type=a_path, help="an .ipynb file")
    target = parser.add_argument("folder", type=a_path, help="where to; made when it is not there")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the files of an earlier export"
    )
    notebook.complete = shtab.FILE  # type: ignore[attr-defined]
    target.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    parser.set_defaults(run=_export)


def _doctor(options: argparse.Namespace) -> None:
    findings = examine()
    if options.json:
        print(json.dumps([finding._asdict() for finding in findings], indent=1))
        return
    tell(as_table(findings))


def _serve(options: argparse.Namespace) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what functions print, also in a log
    functions = load_functions(options.module)
    with (
        contextlib.suppress(KeyboardInterrupt),  # which is how it ends
        served(functions, host=options.host, port=options.port, token=options.token) as endpoint,
    ):
        if options.json:
            urls = {"url": endpoint.url, "url_v2": endpoint.url_v2}
            place = {**urls, "health_url": endpoint.health_url}
            print(json.dumps({**place, "functions": list(functions)}), flush=True)
        else:
            tell(
                f"{', '.join(functions)}\n  at {endpoint.url} (Ctrl-C stops it)\n"
                f"  for StateFun 2.x at {endpoint.url_v2}"
            )
        while True:
            time.sleep(3600)


def _run_module(options: argparse.Namespace) -> None:
    functions = load_functions(options.functions) if options.functions else StatefulFunctions()
    with (
        contextlib.suppress(KeyboardInterrupt),  # which is how it ends
        start(
            port=options.port,
            token=options.token,
            functions=functions,
            durable=options.durable,
            on_error=options.on_error,
        ) as session,
    ):
        module = readable(options.module)
        try:
            session.load_module(module)
        except EngineError as error:
            documents = read_source(module)
            if not any(document.needs_cluster for document in documents):
                raise
            older = any(document.kind == OLDER_ENDPOINT for document in documents)
            version = f" --statefun {OF_2.statefun}" if older else ""
            raise StatefunError(
                f"{error}: from a shell, `statefun-nb cluster up {module}{version}`, and "
                "`statefun-nb serve MODULE` for the functions"
            ) from error
        tell(session.module_yaml() + "--- running (Ctrl-C stops it)")
        if all(each.kind != PLAYGROUND_INGRESS for each in session.engine.documents()):
            say(_NO_INGRESS)
        follow(session, say)


def _export(options: argparse.Namespace) -> None:
    done = export_notebook(options.notebook, options.folder, overwrite=options.overwrite)
    tell(done.text)
    if done.problem:
        raise StatefunError(done.problem)


def _warning_in_a_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """As the user of a program reads it: without a place in our code."""
    if category is UserWarning:
        return f"statefun-nb: {plain(str(message))}\n"
    return _in_lines_of_code(message, category, filename, lineno, line)


_in_lines_of_code = warnings.formatwarning


# Of a stdout that takes no more: these have no name of a file.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


def _in_words(error: OSError) -> str:
    """What the system does not do, and where; what is no matter of the user's is raised."""
    if error.filename is not None:
        target = "" if error.filename2 is None else f" -> {error.filename2}"
        return f"{error.filename}{target}: {error.strerror}"
    if error.errno in _NO_ROOM:
        give_up()
        return f"what it has to say cannot be written: {error.strerror}"
    try:
        Path.cwd()
    except OSError:
        return "the folder that this was started in is gone: `cd` to one that is there"
    raise error


def main(arguments: list[str] | None = None) -> int:
    """Run a command.

    Returns
    -------
    int
        The exit status: 0, or 1 after an error; 130 after Ctrl-C, 143 after SIGTERM, and 141 when
        nobody reads on, as shells have it for a program that ends by SIGINT, SIGTERM and SIGPIPE.
        (argparse ends with 2.)
    """
    words = sys.argv[1:] if arguments is None else arguments
    rest: list[str] = []
    came: list[int] = []
    warnings.formatwarning = _warning_in_a_line
    if words[:1] == ["lab"] and "--" in words:  # what follows is for JupyterLab
        words, rest = words[: words.index("--")], words[words.index("--") + 1 :]
    try:
        parser = _parser()
        options, unknown = parser.parse_known_args(words, argparse.Namespace(rest=rest))
        if unknown:
            hint = " (write -- before what is for JupyterLab)" if words[:1] == ["lab"] else ""
            parser.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        with sigterm_as_ctrl_c() as came:
            status: int = options.run(options) or 0
            sys.stdout.flush()
    except StatefunError as error:
        say(f"statefun-nb: {error}")
        return 1
    except KeyboardInterrupt:  # whoever pressed Ctrl-C knows why it ended
        return 128 + (signal.SIGTERM if came else signal.SIGINT)
    except BrokenPipeError:  # `| head`
        give_up()
        return 141
    except OSError as error:
        say(f"statefun-nb: {_in_words(error)}")
        return 1
    return status
