"""What a cell with a magic stands for."""

from __future__ import annotations

import pytest

from statefun_nb.cells.history import plain_code


def magic(name, line, body):
    """A cell with this magic, as IPython translates it before it runs it."""
    return f"get_ipython().run_cell_magic({name!r}, {line!r}, {body!r})"


def test_a_magic_that_only_tells_of_its_cell_stands_for_the_cell():
    assert plain_code(magic("time", "", "x = 1\n")) == "x = 1\n"


def test_a_body_stands_for_its_function():
    code = plain_code(magic("statefun_function", "a/sum --state n:int", "ctx.storage.n = 1\n"))
    assert code.startswith("import statefun_nb as sf\n@sf.function('a/sum', state={'n': int})\n")


@pytest.mark.parametrize(
    "cell",
    [
        magic("statefun_function", "--help", "x"),
        magic("statefun_function", "no typename at all", "x"),
        magic("bash", "", "ls"),
        "x = 'run_cell_magic'",
        "run_cell_magic(",
    ],
)
def test_anything_else_stands_for_itself(cell):
    assert plain_code(cell) == cell
