"""The exercises of the notebooks check themselves, and what the notebooks claim is so."""

from __future__ import annotations

import ast
import copy
import random
import re
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

import statefun_nb as sf
from statefun_nb.testing.exercise_cells import OPEN, SOLUTION

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
# The others only show: the same ground as the tour, and the flights. The exam keeps its solution.
WITH_EXERCISE = sorted(
    path.name for path in NOTEBOOKS.glob("*.ipynb") if path.name[:2] not in ("01", "02", "90")
)
REAL = "15_the_real_cluster.ipynb"


def solved(notebook):
    """The notebook of a learner who runs the exercise as it stands, then the solution.

    The solution stands before the exercise's first message; both cells are run once more, and this
    time the check has to pass.
    """
    told = next(i for i, cell in enumerate(notebook.cells) if SOLUTION.search(cell.source))
    places = [i for i in range(told, len(notebook.cells)) if notebook.cells[i].cell_type == "code"]
    exercise, check = (notebook.cells[i] for i in places[:2])
    assert OPEN in exercise.source
    assert check.metadata.tags == ["raises-exception"]
    assert [output.output_type for output in check.outputs] == ["error"]
    mended, passing = copy.deepcopy(exercise), copy.deepcopy(check)
    lines = exercise.source.splitlines()
    first = next(
        node.lineno - 1
        for node in ast.parse(exercise.source).body
        if isinstance(node, (ast.For, ast.Expr))
        and re.search(r"s\.send|\badd\(", ast.unparse(node))
    )
    solution = SOLUTION.findall(notebook.cells[told].source)[0]
    mended.source = "\n".join([*lines[:first], solution, *lines[first:]])
    del passing.metadata["tags"]
    mended.id, passing.id = "mended", "passing"
    notebook.cells[places[1] + 1 : places[1] + 1] = [mended, passing]
    return notebook


def of_the_embedded_engine(notebook):
    """The lesson on the real cluster, without what only that has: Kafka's own clients."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = cell.source.replace('engine="flink"', 'engine="embedded"')
    only_there = ("broker", "producer", "%%statefun_module")
    notebook.cells = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "markdown" or not any(word in cell.source for word in only_there)
    ]
    return notebook


def test_every_lesson_has_an_exercise():
    assert len(WITH_EXERCISE) >= 9
    assert REAL in WITH_EXERCISE


@pytest.mark.parametrize("name", WITH_EXERCISE)
def test_the_solution_is_right_also_after_another_attempt(name):
    notebook = nbformat.read(NOTEBOOKS / name, 4)
    if name == REAL:  # as a whole: tests/cluster/test_notebook.py
        notebook = of_the_embedded_engine(notebook)
    nbclient.NotebookClient(solved(notebook), timeout=60).execute()


FIRST_MISTAKES = {
    "10_types_and_messages.ipynb": (
        """COLOUR = sf.simple_type("types/color", bytes, tuple)

@sf.function("types/painter", state={"colour": COLOUR})
def painter(ctx, message):
    ctx.storage.colour = message.as_type(COLOUR)[::-1]
"""
    ),
    "11_state_and_expiration.ipynb": (
        """@sf.function("state/limiter")
class Limiter(sf.StatefulFunction):
    passed = sf.State(int)

    def invoke(self, ctx, message):
        passed = self.passed.get() or 0
        if passed < 3:
            self.passed.set(passed + 1)
            ctx.send("state/log", ctx.address.id, message.value)
"""
    ),
    "13_timers.ipynb": (
        """@sf.function("timer/lamp", state={"on": bool})
def lamp(ctx, message):
    ctx.storage.on = message.value != "off"
    if ctx.storage.on:
        ctx.send_after(timedelta(minutes=5), "timer/lamp", ctx.address.id, "off", token="off")
"""
    ),
}


@pytest.mark.parametrize("name", FIRST_MISTAKES)
def test_the_solution_is_right_after_the_first_mistake_that_comes_to_mind(name):
    notebook = solved(nbformat.read(NOTEBOOKS / name, 4))
    told = next(cell for cell in notebook.cells if SOLUTION.search(cell.source))
    solution = SOLUTION.findall(told.source)[0]
    places = [i for i, cell in enumerate(notebook.cells) if cell.id in ("mended", "passing")]
    wrong, failing = (copy.deepcopy(notebook.cells[i]) for i in places)
    wrong.source = wrong.source.replace(solution, FIRST_MISTAKES[name])
    assert wrong.source != notebook.cells[places[0]].source
    wrong.id, failing.id, failing.metadata = "wrong", "failing", {"tags": ["raises-exception"]}
    notebook.cells[places[0] : places[0]] = [wrong, failing]
    done = nbclient.NotebookClient(notebook, timeout=60).execute()
    (failed,) = next(cell for cell in done.cells if cell.id == "failing").outputs
    assert (failed.output_type, failed.ename) == ("error", "CheckFailed")


def test_a_mail_that_is_tried_for_ever_is_found():
    """Half of the task of lesson 16, without the other: no mail is given up."""
    notebook = solved(nbformat.read(NOTEBOOKS / "16_async_calls.ipynb", 4))
    mended = next(cell for cell in notebook.cells if cell.id == "mended")
    gives_up = '    elif ctx.storage.tries == 3:\n        ctx.storage.status = "given up"\n'
    assert gives_up in mended.source
    mended.source = mended.source.replace(gives_up, "")
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="call/mail 'closed-"):
        nbclient.NotebookClient(notebook, timeout=60).execute()


def test_what_nbval_is_to_ignore_is_said_by_tags():
    for path in NOTEBOOKS.glob("*.ipynb"):
        assert "NBVAL" not in path.read_text(), path.name


# The shop.


@pytest.fixture
def shop(functions):
    """A session with the functions of the shop's notebook, and the names of its cells."""
    notebook = nbformat.read(NOTEBOOKS / "20_shopping_cart.ipynb", 4)
    cells = {cell.id: cell.source for cell in notebook.cells}
    kit = SimpleNamespace(
        function=partial(sf.function, functions=functions),
        kafka_egress_message=sf.kafka_egress_message,
    )
    with sf.start(port=0, functions=functions, clock="virtual") as session:
        names = {"sf": kit, "s": session, "timedelta": timedelta, "dataclass": dataclass}
        for cell in ("c03", "c05", "c07"):
            exec(cells[cell], names)
        yield names


@pytest.mark.parametrize("seed", range(40))
def test_the_shop_sells_nothing_twice_whatever_the_order(shop, seed):
    """Orders, payments, steps and the end of reservations, in any order that there is."""
    session, chance = shop["s"], random.Random(seed)
    session.send("shop/stock", "scarf", shop["Restock"](9))
    session.wait_idle(timers=False)
    session.pause()
    for _ in range(60):
        customer = chance.choice(("dan", "eve"))
        match chance.randrange(8):
            case 0 | 1:
                session.send("shop/cart", customer, shop["Add"]("scarf", chance.randint(1, 3)))
            case 2:
                session.send("shop/cart", customer, shop["Pay"]())
            case 3:
                session.advance(shop["HOLD"] / 2)
            case _:
                session.step()
    session.resume()
    session.wait_idle(timers=False)
    adds_up(session)
    session.advance(shop["HOLD"])
    adds_up(session)
    assert session.state("shop/stock", "scarf")["reserved"] == {}


def adds_up(session):
    """Free, reserved and bought are what was put on the shelf, and the carts know it."""
    assert session.parked == []
    stock, carts = session.state("shop/stock", "scarf"), session.state("shop/cart")
    held = {who: cart["items"] for who, cart in carts.items() if cart.get("items")}
    assert held == {who: {"scarf": count} for who, count in stock["reserved"].items()}
    bought = sum(cart.get("bought", {}).get("scarf", 0) for cart in carts.values())
    assert stock["free"] >= 0
    assert stock["free"] + sum(stock["reserved"].values()) + bought == 9
