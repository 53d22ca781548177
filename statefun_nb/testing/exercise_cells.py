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


def with_checks_of(notebook: Any, reference: Any) -> list[WrittenCheck]:
    """Put the cells with checks of a reference in the place of a participant's, by their ids.

    Whoever has changed such a cell is graded by what it was. One that is gone comes back at the
    end.

    Returns
    -------
    list of WrittenCheck
        Those of the reference, by their place in the notebook: what else it checks does not count.
    """
    checked = {each.cell for each in written_checks(reference)}
    places = {cell.get("id"): index for index, cell in enumerate(notebook.cells)}
    counted = []
    for index in sorted(checked):
        cell = reference.cells[index]
        place = places.get(cell.get("id"))
        if place is None:
            notebook.cells.append(cell)
            place = len(notebook.cells) - 1
        else:
            notebook.cells[place] = cell
        counted.append(place)
    return [each for each in written_checks(notebook) if each.cell in counted]
