"""Tab completion: of ``%statefun``, from the same table as its help, and of names in calls."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import StatefunError
from ..sdk.functions import default_functions
from ..sessions.default import session
from ..sessions.session import Session
from .line import VIEWS
from .parser import line_parser

__all__ = ["call_suggestions", "offer", "suggestions"]

# The ids that are offered; more of them help nobody to choose.
_MOST = 100

# A call with a name in quotes that is being written, or with the one after it: s.send("shop/ca
CALL = re.compile(
    r"""(?:.*\W)?(?P<object>\w+)\.
    (?P<method>send|state|check|egress|set_state|retry|discard|watch|undeclare)
    \(\s*(?P<quote>["'])(?P<first>[^"']*)
    (?:(?P=quote)\s*,\s*["'](?P<second>[^"']*))?$""",
    re.VERBOSE,
)


# Lines that are the magic's, also where automagic is on; and those of the magic of a cell.
_LINE = re.compile(r"\s*%?statefun\s")
_CELL = re.compile(r"\s*%%statefun_function\s+\S*$")


def offer(shell: Any) -> None:
    """Have a shell complete the magics, and names in calls: these alone, and no names of Python."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    @context_matcher(identifier="statefun_nb")  # type: ignore[untyped-decorator]  # IPython's
    def matcher(context: Any) -> dict[str, Any]:
        text = context.text_until_cursor
        found = _found(text, shell.user_ns)
        written = re.split(r"[\s\"']", text)[-1]
        return {
            "completions": [SimpleCompletion(text=each, type="instance") for each in found],
            "matched_fragment": written,
            "suppress": bool(found),
            "ordered": True,
        }

    known = shell.Completer.custom_matchers
    known[:] = [each for each in known if getattr(each, "matcher_identifier", "") != "statefun_nb"]
    known.append(matcher)


def _found(text: str, names: Mapping[str, Any]) -> list[str]:
    if _LINE.match(text):
        return suggestions(text)
    if _CELL.match(text):
        current = text.rpartition(" ")[2]
        return [
            each for each in ("--state", *sorted(default_functions)) if each.startswith(current)
        ]
    return call_suggestions(text, names)


def suggestions(line: str) -> list[str]:
    """What could come next on a line that starts with ``%statefun``.

    Examples
    --------
    >>> suggestions("%statefun sta")
    ['start', 'state', 'status']
    """
    words = line.split()
    current = "" if line.endswith(" ") else words.pop()
    commands = _commands()
    if not words:  # right behind its name
        found: Iterable[str] = []
    elif len(words) == 1:
        found = sorted(commands)
    elif words[1] not in commands:
        found = []
    elif current.startswith("-"):
        found = sorted(o for a in commands[words[1]]._actions for o in a.option_strings)
    else:
        found = _values(commands[words[1]], words[1], words[2:], current)
    return [each for each in found if each.startswith(current)]


def call_suggestions(text: str, names: Mapping[str, Any]) -> list[str]:
    """What could stand in the quotes at the end of a text: typenames, egresses, ids.

    Of a call on a session, on this package, or on what is no name of the notebook: a context is a
    function's parameter.

    Examples
    --------
    >>> call_suggestions('print(len("', {})
    []
    """
    call = CALL.match(text)
    if call is None:
        return []
    owner = names.get(call["object"])
    if not (owner is None or isinstance(owner, Session) or hasattr(owner, "StatefulFunctions")):
        return []
    if call["second"] is not None:
        found, current = _ids(call["first"], call["second"]), call["second"]
    else:
        found, current = _names(call["method"]), call["first"]
    return [each for each in found if each.startswith(current)]


def _commands() -> dict[str, argparse.ArgumentParser]:
    for action in line_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _values(
    command: argparse.ArgumentParser, name: str, words: list[str], current: str
) -> Iterable[str]:
    """For the argument that comes next, or the option's value: what it may be."""
    options = {o: action for action in command._actions for o in action.option_strings}
    arguments = [action for action in command._actions if not action.option_strings]
    given: dict[str, str] = {}
    wanted: argparse.Action | None = None  # an option that waits for its value
    for word in words:
        if wanted is not None:
            given[wanted.dest], wanted = word, None
        elif word in options:
            wanted = options[word] if options[word].nargs is None else None
        elif arguments:
            given[arguments.pop(0).dest] = word
    if wanted is None and arguments:
        wanted = arguments[0]
    if wanted is None:
        return []
    if wanted.choices:
        return [str(choice) for choice in wanted.choices]
    if wanted.dest in {"typename", "what", "type"}:
        return [*_names(name), *(VIEWS if name == "show" else ())]
    if wanted.dest == "id":
        typename = given.get("typename") or given.get("what") or given.get("type") or ""
        return [each for each in _ids(typename, current) if shlex.quote(each) == each]
    if wanted.dest == "process":
        return _processes()
    return []


def _names(command: str) -> list[str]:
    """The egresses that took something, or the functions that are declared or had a message."""
    try:
        running = session()
        if command == "egress":
            return sorted(running.engine.egresses())
        return sorted({*running.functions, *running.engine.types()})
    except StatefunError:
        return [] if command == "egress" else sorted(default_functions)


def _ids(typename: str, start: str) -> list[str]:
    """Ids of a function type that start so."""
    try:
        found = session().engine.page(typename, start, _MOST)[1]
    except StatefunError:
        return []
    return sorted(each.id for each in found)


def _processes() -> list[str]:
    try:
        return sorted(session().logs())
    except StatefunError:
        return []
