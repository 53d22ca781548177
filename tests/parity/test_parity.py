"""The same scenarios on the embedded engine and on real StateFun, compared address by address."""

from __future__ import annotations

import pytest

import statefun_nb as sf
from statefun_nb.sessions.options import Options
from tests.parity.scenarios import SCENARIOS, Play
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
        expected = run(name, embedded, functions)
    assert real["served"] == expected["served"]
    assert real["state"] == expected["state"]
    assert real["egress"] == expected["egress"]
    assert expected["served"]
