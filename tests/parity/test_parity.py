"""The same scenarios on the embedded engine and on real StateFun, compared address by address."""

from __future__ import annotations

from pathlib import Path

import pytest

import statefun_nb as sf
from statefun_nb.sessions.options import Options
from tests.parity.differences import DIFFERENCES, table
from tests.parity.scenarios import MODULE, SCENARIOS, Play
from tests.requirements import need_flink


@pytest.fixture(scope="module", params=["flink"])
def other(request):
    """One real cluster for all scenarios: they differ in their function types."""
    need_flink()
    functions = sf.StatefulFunctions()
    # The namespace is known from the start: no restart between scenarios.
    sf.function("parity/nothing", functions=functions)(lambda ctx, message: None)
    options = Options(engine=request.param, port=0, functions=functions, trace_limit=100_000)
    session = sf.Session(options)
    session.load_module(MODULE)
    yield session, functions
    session.stop(30)


def run(name, session, functions):
    play = Play(session, functions, name)
    SCENARIOS[name](play)
    return play.history(ordered=not play.unordered)


@pytest.mark.parametrize("name", SCENARIOS)
def test_both_engines_do_the_same(other, functions, name):
    session, real_functions = other
    real = run(name, session, real_functions)
    with sf.start(port=0, functions=functions) as embedded:
        embedded.load_module(MODULE)
        expected = run(name, embedded, functions)
    assert real["served"] == expected["served"]
    assert real["state"] == expected["state"]
    assert real["egress"] == expected["egress"]
    assert expected["served"]


@pytest.mark.parametrize("name", DIFFERENCES)
def test_the_engines_differ_as_the_page_says(other, functions, name):
    session, real_functions = other
    difference = DIFFERENCES[name]
    assert difference.look(Play(session, real_functions, name)) == difference.real
    with sf.start(port=0, functions=functions) as embedded:
        assert difference.look(Play(embedded, functions, name)) == difference.embedded


def test_the_page_has_the_table_of_the_differences_and_the_number_of_scenarios():
    page = (Path(__file__).parents[2] / "docs" / "real-cluster.md").read_text(encoding="utf-8")
    assert "\n".join(table()) in page
    assert f"runs {len(SCENARIOS)} scenarios" in page
