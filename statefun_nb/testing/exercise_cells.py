"""The exercises of a notebook, as its cells are written: what is open, the solution, the checks.

An exercise is a code cell that says ``your code`` where the participant is to write, after a text
cell that asks for it and has a solution, folded away. Checks stand in cells of their own.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = [
    "OPEN",
    "SOLUTION",
    "WithChecks",
    "WrittenCheck",
    "with_checks_of",
    "without_solutions",
    "written_checks",
]

# What a cell says where its exercise is open.
OPEN = "your code"
# A solution in a text cell; its code is the group.
SOLUTION = re.compile(
    r"<details><summary>A solution</summary>\n\n```python\n(.*?)```.*?</details>", re.DOTALL
)


class WrittenCheck(NamedTuple):
    """A ``check(..., exercise=..., points=...)`` in a cell, by the index of the cell."""

    cell: int
    exercise: str
    points: float


def without_solutions(text: str) -> str:
    r"""A text cell without the solutions in it.

    Examples
    --------
    >>> solution = "<details><summary>A solution</summary>\n\n```python\n1\n```\n</details>"
    >>> without_solutions(f"Add them.\n\n{solution}\n\nThen go on.")
    'Add them.\n\nThen go on.'
    """
    return re.sub(r"\n{3,}", "\n\n", SOLUTION.sub("", text)).strip("\n")


def written_checks(notebook: Any) -> list[WrittenCheck]:
    """The checks of exercises in the code cells of a notebook, in order."""
    return [
        WrittenCheck(index, *found)
        for index, cell in enumerate(notebook.cells)
        if cell.cell_type == "code"
        for found in _checks(cell.source)
    ]


def _checks(source: str) -> Iterator[tuple[str, float]]:
    python = "\n".join(
        "pass" if line.startswith(("%", "!", "?")) else line for line in source.splitlines()
    )
    try:
        tree = ast.parse(python)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            given = {each.arg: each.value for each in node.keywords}
            match given.get("exercise"), given.get("points", ast.Constant(1)):
                case ast.Constant(str(name)), ast.Constant(int() | float() as points):
                    yield name, points


class WithChecks(NamedTuple):
    """What is graded of a notebook.

    Attributes
    ----------
    checks : list of WrittenCheck
        Those that count, by their place in the notebook as it is run.
    numbers : list of int or None
        For each cell the number that it has for the participant, from 1; None for one that is not
        theirs.
    """

    checks: list[WrittenCheck]
    numbers: list[int | None]


def with_checks_of(notebook: Any, reference: Any) -> WithChecks:
    """Put the cells with checks of a reference in the place of a participant's.

    Whoever has changed such a cell is graded by what it was: it is found by its id, which some
    tools keep among the metadata, or else by being the same. One that is gone comes back before
    the next cell of the reference that is there. What else a notebook checks does not count.
    """
    found = _places(notebook.cells, reference.cells)
    checked = {each.cell for each in written_checks(reference)}
    cells: list[tuple[int | None, Any]] = list(enumerate(notebook.cells, 1))
    for index, place in found.items():
        if index in checked:
            cells[place] = (place + 1, reference.cells[index])
    # From the last to the first, so that the places before stay as they are.
    for index in sorted(checked - found.keys(), reverse=True):
        place = _gap(index, found, len(notebook.cells))
        cells.insert(place, (None, reference.cells[index]))
    notebook.cells = [cell for _, cell in cells]
    ours = {id(reference.cells[index]) for index in checked}
    counted = {index for index, cell in enumerate(notebook.cells) if id(cell) in ours}
    checks = [each for each in written_checks(notebook) if each.cell in counted]
    return WithChecks(checks, [number for number, _ in cells])


def _places(cells: list[Any], of_reference: list[Any]) -> dict[int, int]:
    """Where the cells of a reference are, by their indices."""
    named = {name: place for place, cell in enumerate(cells) for name in _names(cell)}
    found: dict[int, int] = {}
    for index, cell in enumerate(of_reference):
        for name in _names(cell):
            if name in named and named[name] not in found.values():
                found.setdefault(index, named[name])
    for index, cell in enumerate(of_reference):
        if index not in found:
            taken = set(found.values())
            after = max((place for each, place in found.items() if each < index), default=-1)
            same = [
                place
                for place, other in enumerate(cells)
                if place not in taken and _same(other, cell)
            ]
            if same:
                found[index] = next((place for place in same if place > after), same[0])
    return found


def _names(cell: Any) -> list[str]:
    names = (cell.get("id"), cell.metadata.get("id"))
    return [name for name in names if isinstance(name, str)]


def _same(one: Any, other: Any) -> bool:
    return bool(
        one.cell_type == other.cell_type and one.source.strip() == other.source.strip() != ""
    )


def _gap(index: int, found: dict[int, int], count: int) -> int:
    """Where a cell of the reference belongs that is not there.

    What a participant has written between two cells of the reference is run before it, for it may
    be what is checked.
    """
    before = max((each for each in found if each < index), default=None)
    after = min((each for each in found if each > index), default=None)
    first = 0 if before is None else found[before] + 1
    if after is not None and found[after] >= first:
        return found[after]
    return count if before is None else first
