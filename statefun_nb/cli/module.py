"""``statefun-nb module``: the module.yaml of functions, and an older one as one of today."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import shtab

from ..cells.places import warn
from ..endpoint.http_server import LOOPBACK
from ..engine.remote import RemoteEndpoint
from ..errors import DeclarationError
from ..protocol.module_older_writer import with_older_endpoints, write_older
from ..protocol.module_reader import ignored, read_source
from ..protocol.module_yaml import OLDER_ENDPOINT, of_today, with_endpoints, write_module
from ..sessions.options import Options
from .arguments import a_path, a_url, readable
from .serving import load_functions
from .terminal import Parser, say

__all__ = ["add_module"]


def add_module(parser: Parser) -> None:
    """Describe the command, and what runs it."""
    parser.add_argument("--functions", metavar="MODULE", help="whose module.yaml is written")
    parser.add_argument(
        "--url",
        type=a_url,
        help="of their endpoint (as `statefun-nb serve` says it for that version)",
    )
    parser.add_argument(
        "--version", choices=["3.x", "2.0"], default="3.x", help="of StateFun (3.x)"
    )
    parser.set_defaults(run=_write)
    parser.hint = "a module of Python goes behind --functions"
    commands = parser.add_subparsers(dest="step", metavar="convert")
    convert = commands.add_parser("convert", help="an older module.yaml as one of today")
    file = convert.add_argument("file", type=a_path)
    file.complete = shtab.FILE  # type: ignore[attr-defined]
    convert.set_defaults(run=_convert)


def _write(options: argparse.Namespace) -> None:
    if options.functions is None:
        raise DeclarationError("whose? Write statefun-nb module --functions MODULE")
    functions = load_functions(options.functions)
    url = options.url or f"http://{LOOPBACK}:{Options.port}/statefun"
    if options.version == "3.x":
        print(write_module(with_endpoints([], functions, url)), end="")
        return
    url = options.url or url + "/v2"
    print(write_older(with_older_endpoints([], functions.state_specs(), url)), end="")


def _convert(options: argparse.Namespace) -> None:
    documents = read_source(readable(options.file))
    if text := ignored(documents):
        warn(text)
    for document in documents:
        if document.is_endpoint:
            RemoteEndpoint.of(document)  # raises for what cannot be called
    print(write_module(map(of_today, documents)), end="")
    for document in documents:
        if document.kind == OLDER_ENDPOINT:
            states = [_in_words(state) for state in document.spec.get("states", ())]
            declares = f", and declare its state itself: {', '.join(states)}" if states else ""
            say(
                f"{document.where}: {document.spec['functions']} has to answer protocol v3 at "
                f"{document.spec['urlPathTemplate']}{declares}"
            )


def _in_words(state: Mapping[str, str]) -> str:
    if "expireAfter" not in state:
        return state["name"]
    mode = state.get("expireMode", "after-invoke")
    return f"{state['name']} (expires {state['expireAfter']} {mode})"
