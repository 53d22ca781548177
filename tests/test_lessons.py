"""The exercises of the notebooks: their folded solutions are right, and nothing else is needed."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
SOLUTION = re.compile(r"<details><summary>A solution</summary>\n\n```python\n(.*?)```", re.DOTALL)
WITH_EXERCISE = sorted(
    path.name for path in NOTEBOOKS.glob("*.ipynb") if "raises-exception" in path.read_text()
)


def solved(notebook):
    """The notebook as a learner leaves it: the solution stands before the exercise's first send."""
    told = next(i for i, cell in enumerate(notebook.cells) if SOLUTION.search(cell.source))
    exercise, *after = [cell for cell in notebook.cells[told:] if cell.cell_type == "code"]
    assert "your code" in exercise.source
    lines = exercise.source.splitlines()
    first = next(
        node.lineno - 1
        for node in ast.parse(exercise.source).body
        if isinstance(node, (ast.For, ast.Expr)) and "s.send" in ast.unparse(node)
    )
    solution = SOLUTION.findall(notebook.cells[told].source)[0]
    exercise.source = "\n".join([*lines[:first], solution, *lines[first:]])
    assert after[0].metadata.pop("tags") == ["raises-exception"]
    return notebook


def test_every_lesson_has_an_exercise():
    assert len(WITH_EXERCISE) >= 6


@pytest.mark.parametrize("name", WITH_EXERCISE)
def test_the_solution_is_right(name):
    notebook = solved(nbformat.read(NOTEBOOKS / name, 4))
    nbclient.NotebookClient(notebook, timeout=60).execute()
