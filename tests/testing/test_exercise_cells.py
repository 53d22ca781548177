"""The checks of a reference come into a participant's notebook, whatever became of its cells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from statefun_nb.cells.notebook import read_notebook
from statefun_nb.testing.exercise_cells import with_checks_of
from statefun_nb.testing.grading import grade

from .notebooks import write_notebook
from .test_exam import EXAM, ORDER, STOCK, hand_in

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")


def check(n):
    return f's.check("a/b", "x", exercise="{n}").invoked({n})'


REFERENCE = ("start()", "...  # your code", check(1), "# two", check(2), check(3), "stop()")


def prepared(tmp_path, *cells, ids="other-{}"):
    reference = read_notebook(write_notebook(tmp_path / "reference.ipynb", *REFERENCE))
    notebook = read_notebook(write_notebook(tmp_path / "own.ipynb", *cells, ids=ids))
    checks, numbers = with_checks_of(notebook, reference)
    sources = [cell.source for cell in notebook.cells]
    assert [sources[each.cell] for each in checks] == [check(1), check(2), check(3)]
    return sources, numbers


def test_cells_without_their_ids_are_known_by_being_the_same(tmp_path):
    sources, numbers = prepared(tmp_path, *REFERENCE)
    assert sources == list(REFERENCE)
    assert numbers == [1, 2, 3, 4, 5, 6, 7]


def test_a_changed_cell_is_known_by_its_id(tmp_path):
    changed = [each.replace("invoked", "sent") for each in REFERENCE]
    assert prepared(tmp_path, *changed, ids="cell-{}") == (list(REFERENCE), [1, 2, 3, 4, 5, 6, 7])


@pytest.mark.parametrize("gone", [{2}, {4}, {5}, {2, 4, 5}, {3, 4}])
def test_a_check_that_is_gone_comes_back_where_it_was(tmp_path, gone):
    left = [each for n, each in enumerate(REFERENCE) if n not in gone]
    sources, numbers = prepared(tmp_path, *left)
    assert sources == [each for n, each in enumerate(REFERENCE) if each in left or n != 3]
    assert [number for number in numbers if number] == list(range(1, len(left) + 1))
    assert numbers.count(None) == len(gone - {3})


def test_what_was_written_before_the_next_cell_is_run_before_the_check(tmp_path):
    own = [*REFERENCE[:2], "the solution", *REFERENCE[3:]]
    sources, numbers = prepared(tmp_path, *own)
    assert sources == [*REFERENCE[:2], "the solution", *REFERENCE[2:]]
    assert numbers == [1, 2, 3, None, 4, 5, 6, 7]


def as_saved_elsewhere(path: Path, minor: int) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        name = cell.pop("id")
        if minor == 0:
            cell["metadata"]["id"] = name
    notebook["nbformat_minor"] = minor
    path.write_text(json.dumps(notebook), encoding="utf-8")


def without(path: Path, name: str) -> None:
    notebook = read_notebook(path)
    notebook.cells = [cell for cell in notebook.cells if cell.id != name]
    nbformat.write(notebook, path)


def test_a_solution_has_all_points_whatever_saved_it(tmp_path):
    paths = [hand_in(tmp_path / name, STOCK, ORDER) for name in ("4.4", "4.0", "gone")]
    as_saved_elsewhere(paths[0], 4)
    as_saved_elsewhere(paths[1], 0)
    without(paths[2], "e08")
    for graded in grade(paths, reference=EXAM):
        assert (graded.points, graded.problem, graded.errors) == (12, "", [])


def test_an_error_of_a_check_that_was_gone_has_no_number(tmp_path):
    path = hand_in(tmp_path / "gone", STOCK, ORDER.replace("exam/order", "exam/odrer", 1))
    without(path, "e08")
    (graded,) = grade([path], reference=EXAM)
    assert graded.errors[0].cell is None
    assert graded.errors[0].line == 's.send("exam/stock", "hat", {"restock": 5})'
