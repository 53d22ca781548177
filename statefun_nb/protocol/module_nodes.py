"""Nodes of a YAML text, each with its line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..tables import shorten
from .module_yaml import Setting

__all__ = [
    "LineError",
    "child",
    "has_not",
    "line_of",
    "lines_of",
    "node_pairs",
    "pairs",
    "settings_of",
    "value_of",
]


class LineError(Exception):
    """What is wrong in a line."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def child(node: Any, key: str, where: str) -> Any:
    """What is under ``key``.

    Raises
    ------
    LineError
        When there is nothing.
    """
    found = dict(pairs(node)).get(key)
    if found is None:
        raise LineError(line_of(node), f"{where} has no {key}:")
    return found


def pairs(node: Any) -> list[tuple[str, Any]]:
    """The entries of a mapping whose keys are text; of anything else none."""
    return [(key.value, value) for key, value in node_pairs(node) if isinstance(key.value, str)]


def node_pairs(node: Any) -> list[tuple[Any, Any]]:
    """The entries of a mapping, as nodes; of anything else none."""
    return node.value if node.id == "mapping" else []


def has_not(line: int, owner: str, key: object, known: Iterable[str]) -> str:
    """What to say of a name that the runtime does not know, and ignores: it may be misspelt."""
    return f"line {line}: {owner} has no {shorten(key)!r}, only {', '.join(sorted(known))}"


def line_of(node: Any) -> int:
    """Where it begins, from 1."""
    return int(node.start_mark.line) + 1


def value_of(node: Any) -> Any:
    """What a node stands for, by the safe constructor.

    Raises
    ------
    LineError
        When it stands for nothing.
    """
    from yaml import MarkedYAMLError
    from yaml.constructor import SafeConstructor

    try:
        return SafeConstructor().construct_document(node)
    except MarkedYAMLError as error:
        line = line_of(node) if error.problem_mark is None else error.problem_mark.line + 1
        raise LineError(line, str(error.problem)) from error
    except (ValueError, TypeError, OverflowError) as error:  # a number of 5,000 digits, a 30th day
        raise LineError(line_of(node), str(error)) from error


def lines_of(node: Any) -> dict[str, int]:
    """The line of each key of a mapping."""
    return {key.value: line_of(key) for key, _ in node_pairs(node) if isinstance(key.value, str)}


# The settings whose own settings are used here.
_HOLDERS = {("timeouts",), ("transport",), ("transport", "timeouts")}


def settings_of(spec: Any, above: tuple[str, ...] = ()) -> dict[tuple[str, ...], Setting]:
    """Where each setting of a spec is, by the keys that lead to it."""
    found = {}
    for key, value in node_pairs(spec):
        if isinstance(key.value, str):
            path = (*above, key.value)
            found[path] = Setting(key.value, line_of(key))
            if path in _HOLDERS:
                found |= settings_of(value, path)
    return found
