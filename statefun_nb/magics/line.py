"""``%statefun COMMAND``: parse, one call, show."""

from __future__ import annotations

import argparse
import contextlib
import re
from collections.abc import Callable
from typing import Any

from ..cells.arguments import HelpShown, Quoted, UsageError, literal_of, parse
from ..cells.history import running_shell
from ..errors import SessionError, StatefunError, quiet
from ..sessions import default as sessions
from ..sessions.session import Session
from ..tables import shorten
from .parser import line_parser

__all__ = ["VIEWS", "running_session", "statefun"]


def statefun(line: str) -> Any:
    """Run stateful functions in this notebook; ``%statefun --help`` lists the commands."""
    try:
        arguments = parse(line_parser(), line)
        _check_names(arguments)
        return _COMMANDS[arguments.command](arguments)
    except HelpShown:
        return None
    except KeyboardInterrupt as interrupt:
        raise quiet(interrupt) from None
    except StatefunError as error:
        print(f"{type(error).__name__}: {error}")  # a user's slip: one line, no traceback
        return None


def _check_names(arguments: argparse.Namespace) -> None:
    """Raise for a name in braces that the notebook does not have, where an address stands."""
    for each in ("typename", "what", "id", "type"):
        given = getattr(arguments, each, None) or ""
        if not isinstance(given, Quoted) and (found := _IN_BRACES.search(given)):
            raise UsageError(
                f"%statefun: the notebook has no variable {found[1]!r}, for {found[0]} in {given}: "
                "run its cell, or write it between quotation marks if it is meant as it stands"
            )


_IN_BRACES = re.compile(r"\{([^\W\d]\w*)\}")


def _start(arguments: argparse.Namespace) -> Session:
    if arguments == parse(line_parser(), "start"):  # nothing was asked for: whatever runs
        with contextlib.suppress(SessionError):
            return sessions.session()
    return sessions.start(
        engine=arguments.engine,
        durable=arguments.durable,
        port=arguments.port,
        token=arguments.token,
        on_error=arguments.on_error,
        transport=arguments.transport,
        clock=arguments.clock,
        paused=arguments.paused,
    )


def running_session() -> Session:
    """The current session.

    Raises
    ------
    SessionError
        When none is running; in the words of the magics.
    """
    try:
        return sessions.session()
    except SessionError as error:
        raise SessionError("no session is running: %statefun start starts one") from error


def _stop(_: argparse.Namespace) -> None:
    sessions.stop()


def _status(_: argparse.Namespace) -> Any:
    return running_session().status()


def _show(arguments: argparse.Namespace) -> Any:
    session = running_session()
    if arguments.id is not None:
        return session.watch(arguments.what, arguments.id)
    if arguments.what not in VIEWS:
        raise UsageError(f"%statefun show {arguments.what}: which id? Or show one of {_KNOWN}")
    return VIEWS[arguments.what](session)


VIEWS: dict[str, Callable[[Session], Any]] = {
    "dashboard": Session.dashboard,
    "graph": Session.graph,
    "table": Session.table,
}
_KNOWN = ", ".join(VIEWS)


def _send(arguments: argparse.Namespace) -> None:
    value = _value(arguments.value)
    running_session().send(arguments.typename, arguments.id, value, delay=arguments.delay)


def _value(words: list[str]) -> Any:
    """The literal, or the text; what is between quotation marks is text: ``"5"`` is no number.

    A slip in a list or a dict makes no text of it, nor does a call of what the notebook has.

    Raises
    ------
    UsageError
        When it begins as a list or a dict, and is none; when there is such a call in it.
    """
    text = " ".join(words)
    if all(isinstance(word, Quoted) for word in words):
        return text
    try:
        return literal_of(text)
    except ValueError:
        if call := _call_in(text):
            raise UsageError(
                f"%statefun: {call}(...) is a call, and this line takes literals: "
                "sf.session().send(typename, id, value) takes any value; as text it stands "
                "between quotation marks"
            ) from None
        if not text.startswith(("{", "[")):
            return text
        raise UsageError(
            f"%statefun: {shorten(text)} is no list or dict, of Python or of JSON: close its "
            "brackets, and put its texts in quotation marks"
        ) from None


def _call_in(text: str) -> str:
    """What is called in a text, if the notebook has it; else it is how somebody writes."""
    names = running_shell().user_ns
    for dotted, name in _CALLED.findall(text):
        if callable(names.get(name)) or (name != dotted and name in names):
            return str(dotted)
    return ""


# Of "shop.Loan(" the whole, and its first name.
_CALLED = re.compile(r"\b((\w+)(?:\.\w+)*)\(")


def _state(arguments: argparse.Namespace) -> Any:
    return running_session().state(arguments.typename, arguments.id)


def _egress(arguments: argparse.Namespace) -> Any:
    return running_session().egress(arguments.typename).last(arguments.n)


def _parked(_: argparse.Namespace) -> Any:
    return running_session().parked


def _retry(arguments: argparse.Namespace) -> Any:
    return running_session().retry(arguments.typename, arguments.id)


def _discard(arguments: argparse.Namespace) -> Any:
    return running_session().discard(arguments.typename, arguments.id)


def _resend(arguments: argparse.Namespace) -> None:
    session = running_session()
    if arguments.value:
        value = _value(arguments.value)
        session.resend(arguments.seq, value, delay=arguments.delay)
    else:
        session.resend(arguments.seq, delay=arguments.delay)


def _trace(arguments: argparse.Namespace) -> Any:
    found = running_session().invocations.filter(
        type=arguments.type, id=arguments.id, status=arguments.status
    )
    return found[-arguments.n :]


def _replay(arguments: argparse.Namespace) -> Any:
    session = running_session()
    chosen = session.invocations.filter(
        type=arguments.type, id=arguments.id, status=arguments.status
    )
    return session.replay(chosen) if chosen else chosen  # which says what may have been meant


def _export(arguments: argparse.Namespace) -> Any:
    return running_session().export(arguments.folder, overwrite=arguments.overwrite)


def _module(arguments: argparse.Namespace) -> None:
    print(running_session().module_yaml(version=arguments.version), end="")


def _logs(arguments: argparse.Namespace) -> None:
    for name, text in running_session().logs().items():
        if arguments.process in (None, name):
            print(f"--- {name}", *text.splitlines()[-arguments.n :], sep="\n")


def _pause(_: argparse.Namespace) -> None:
    running_session().pause()


def _step(_: argparse.Namespace) -> Any:
    served = running_session().step()
    if served is None:
        print("no message is ready; the session is paused now: %statefun resume lets it go on")
    return served


def _resume(_: argparse.Namespace) -> None:
    running_session().resume()


def _advance(arguments: argparse.Namespace) -> Any:
    return running_session().advance(arguments.time)


_COMMANDS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "start": _start,
    "stop": _stop,
    "status": _status,
    "show": _show,
    "send": _send,
    "state": _state,
    "egress": _egress,
    "parked": _parked,
    "retry": _retry,
    "discard": _discard,
    "resend": _resend,
    "trace": _trace,
    "replay": _replay,
    "export": _export,
    "module": _module,
    "logs": _logs,
    "pause": _pause,
    "step": _step,
    "resume": _resume,
    "advance": _advance,
}
