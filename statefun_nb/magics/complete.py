"""Tab completion of ``%statefun``, from the same table as its help."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import SessionError
from ..sdk.functions import default_functions
from ..sessions.default import session
from .line import VIEWS
from .parser import line_parser

__all__ = ["complete", "suggestions"]


def complete(_shell: Any, event: Any) -> list[str]:
    """IPython's hook: ``event.line`` is the text up to the cursor."""
    return suggestions(event.line)


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
    if len(words) == 1:
        found = sorted(commands)
    elif words[1] not in commands:
        found = []
    elif current.startswith("-"):
        found = sorted(o for a in commands[words[1]]._actions for o in a.option_strings)
    elif words[-1] == "--type" or (len(words) == 2 and _first(commands[words[1]]) in _NAMED):
        found = [*_typenames(), *(VIEWS if words[1] == "show" else ())]
    else:
        found = _choices(commands[words[1]], words[-1])
    return [each for each in found if each.startswith(current)]


def _commands() -> dict[str, argparse.ArgumentParser]:
    for action in line_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


# What arguments that are names of functions are called in the table.
_NAMED = {"typename", "what"}


def _first(command: argparse.ArgumentParser) -> str:
    """The first argument of a command that is no option; "" when it has none."""
    return next((each.dest for each in command._actions if not each.option_strings), "")


def _typenames() -> list[str]:
    try:
        return sorted(session().options.functions)
    except SessionError:
        return sorted(default_functions)


def _choices(command: argparse.ArgumentParser, option: str) -> list[str]:
    for action in command._actions:
        if option in action.option_strings and action.choices:
            return [str(choice) for choice in action.choices]
    return []
