"""The exam is passed by a solution, and each of these mistakes is found, in words that help."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import pytest

from statefun_nb.cells.notebook import read_notebook
from statefun_nb.testing.grading import Graded, Limits, grade

nbformat = pytest.importorskip("nbformat")

EXAM = Path(__file__).parents[2] / "notebooks" / "90_exam.ipynb"

# Teachers have a solution at the end of their page: the stock, and the order.
STOCK, ORDER = re.findall(
    r"```python\n(.*?)```",
    (Path(__file__).parents[2] / "docs" / "workshop.md").read_text(encoding="utf-8"),
    re.DOTALL,
)

# What is written instead, the exercises that are missed for it, and what is said of the first.
MISTAKES = {
    "sells what is not there": (
        {'case {"take": count} if count <= free:': 'case {"take": count}:'},
        {"1", "2", "3", "4"},
        "state 'answers' is [{'taken': 3}, {'taken': 3}, {'taken': 2}], not",
    ),
    "mails twice": (
        {'case "paid" if kept.status == "reserved":': 'case "paid":'},
        {"3", "4"},
        "it emitted 2 to exam/mails 'mails' with the value 'ann', not 1",
    ),
    "never lets go": (
        {'            ctx.send("exam/stock", kept.item, {"restock": kept.count})\n': ""},
        {"4"},
        "state 'free' is 0, not 2",
    ),
    "expires what is paid": (
        {'            ctx.cancel_delayed_message("pay")\n': ""},
        {"4"},
        "state 'free' is 5, not 2",
    ),
    "asks for nothing": (
        {'case {"item": item, "count": count} if count <= 0:': 'case {"nothing": item}:'},
        {"5"},
        "state 'status' is 'reserved', not 'invalid'",
    ),
    "misspells a name": (
        {'ctx.send("exam/stock", item, {"take"': 'ctx.send("exam/stok", item, {"take"'},
        {"2", "3", "4"},
        "state 'status' is 'asked', not 'reserved'",
    ),
}
ALL = {"1": 2.0, "2": 3.0, "3": 3.0, "4": 3.0, "5": 1.0}


def hand_in(folder: Path, stock: str, order: str) -> Path:
    """The exam of a participant who has written that."""
    notebook = read_notebook(EXAM)
    for cell in notebook.cells:
        cell.source = {"e03": stock + cell.source.partition("your code")[2], "e07": order}.get(
            cell.id, cell.source
        )
    path = folder / "exam.ipynb"
    folder.mkdir(parents=True)
    nbformat.write(notebook, path)
    return path


def missed(graded: Graded) -> set[str]:
    return {each.name for each in graded.exercises if each.outcome != "passed"}


def changed(changes: dict[str, str]) -> tuple[str, str]:
    stock, order = STOCK, ORDER
    for old, new in changes.items():
        assert (old in stock) != (old in order)
        stock, order = stock.replace(old, new), order.replace(old, new)
    return stock, order


def test_a_solution_has_all_points_and_each_mistake_is_found(tmp_path):
    paths = [hand_in(tmp_path / "solution", STOCK, ORDER)]
    paths += [hand_in(tmp_path / name, *changed(MISTAKES[name][0])) for name in MISTAKES]
    solution, *others = grade(paths, reference=EXAM)
    assert {each.name: each.points for each in solution.exercises} == ALL
    assert (solution.errors, solution.problem, solution.of) == ([], "", 12)
    for (_, exercises, words), graded in zip(MISTAKES.values(), others, strict=True):
        assert (missed(graded), graded.problem) == (exercises, "")
        first = next(each for each in graded.exercises if each.outcome != "passed")
        assert words in first.words


def test_nothing_written_has_no_points(tmp_path):
    path = tmp_path / "exam.ipynb"
    shutil.copy(EXAM, path)
    (graded,) = grade([path])
    assert graded.points == 0
    assert missed(graded) == set(ALL)
    assert graded.of == 12


# Before the order is declared: nothing of it is there then.
BREAKERS = {
    "endless": ("while True: pass\n", "KeyboardInterrupt"),
    "greedy": ("taken = []\nwhile True: taken.append(bytes(64 << 20))\n", "MemoryError"),
}


def test_thirty_exams_are_graded_right_whatever_is_among_them(tmp_path):
    """Each mistake four times, four solutions, one that never ends, one that fills the memory."""
    room = {f"{name} {turn}": name for name in ("nothing wrong", *MISTAKES) for turn in range(4)}
    room |= {name: name for name in BREAKERS}
    names = random.Random(17).sample(sorted(room), len(room))  # any order
    assert len(names) == 30
    paths = []
    for name in names:
        stock, order = changed(MISTAKES.get(room[name], ({}, set(), ""))[0])
        before = BREAKERS.get(name, ("", ""))[0]
        paths.append(hand_in(tmp_path / name, stock, before + order))
    done = grade(paths, reference=EXAM, limits=Limits(cell_seconds=20))
    for name, graded in zip(names, done, strict=True):
        assert graded.problem == "", name
        if name in BREAKERS:
            assert missed(graded) == {"2", "3", "4", "5"}
            assert BREAKERS[name][1] in graded.errors[0].text
        else:
            _, exercises, words = MISTAKES.get(room[name], ({}, set(), ""))
            assert missed(graded) == exercises, name
            told = [each.words for each in graded.exercises if each.outcome != "passed"]
            assert words in (told or [""])[0], name
