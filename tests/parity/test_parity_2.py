"""The scenarios on the real StateFun 2.2.2, and on the embedded engine as it calls by protocol v2.

Both are compared with the embedded engine that calls its functions directly.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import statefun_nb as sf
from statefun_nb.sessions.options import Options
from tests.parity.differences import DIFFERENCES
from tests.parity.scenarios import EGRESS, SCENARIOS, Play
from tests.requirements import need_flink

# Scenarios of what StateFun 2.x does not have, or has in another form.
_OF_3 = {
    "a_cancelled_message_is_never_delivered": "it cancels",
    "unknown_tokens_are_ignored_and_used_ones_free_again": "it cancels",
    "cancelled_and_set_again_in_one_message": "it cancels",
    "a_token_that_is_pending_parks_its_sender": "it cancels",
    "a_cancellation_by_another_address_has_no_effect": "it cancels",
    "protobuf_messages": "a StringValue is the built-in text",
    "functions_of_another_process": "its module.yaml is of today",
}
SHARED = [name for name in SCENARIOS if name not in _OF_3]

# A function of another process is asked again where one of this process is parked; and of its
# classes and its state names only that process knows.
_OF_THIS_PROCESS = {
    "a_state_name_keeps_its_type": "it parks",
    "an_error_is_mended": "it parks",
    "records_that_would_fail_a_cluster_park_their_sender": "it parks",
    "records_that_a_declared_egress_does_not_take_park_their_sender": "it parks",
    "a_parked_message_is_given_up": "it parks",
    "a_parked_message_is_tried_again_when_asked_to": "it parks",
    "a_function_is_taken_back_and_declared_again": "it parks",
    "an_error_in_the_middle_of_a_chain_stops_only_what_follows": "it parks",
    "an_error_of_an_async_function_is_mended": "it parks",
    "a_new_version_adds_and_drops_state_names": "the names it has dropped are shown",
    "json_values": "an instance is shown as JSON",
    "instances_of_a_class_as_messages": "an instance is shown as JSON",
    "custom_types": "a value is shown as bytes",
}
OF_OTHERS = [name for name in SHARED if name not in _OF_THIS_PROCESS]


def run(name, session, functions):
    play = Play(session, functions, name)
    SCENARIOS[name](play)
    return play.history(ordered=not play.unordered)


@pytest.fixture(scope="module")
def expected():
    """What the embedded engine does in each scenario, and what was declared in it."""
    histories: dict[str, dict[str, Any]] = {}
    declared: dict[str, dict[str, sf.ValueSpec]] = defaultdict(dict)
    for name in (*SHARED, *DIFFERENCES):
        functions = sf.StatefulFunctions()

        def note(spec, _):
            declared[spec.typename].update(spec.layout.specs)

        functions.subscribe(note)
        with sf.Session(Options(port=0, functions=functions)) as session:
            session.load_module(EGRESS)
            if name in SCENARIOS:
                histories[name] = run(name, session, functions)
            else:
                DIFFERENCES[name].look(Play(session, functions, name))
    return histories, declared


@pytest.fixture(scope="module")
def real(expected):
    """One cluster for all scenarios; it knows all of their functions from the start."""
    need_flink()
    _, declared = expected
    functions = sf.StatefulFunctions()
    options = Options(
        engine="flink", statefun="2.2.2", port=0, functions=functions, trace_limit=100_000
    )
    session = sf.Session(options)
    session.load_module(EGRESS)
    for typename, specs in declared.items():
        functions.register(typename, lambda ctx, message: None, specs.values())
    session.wait_idle(60)
    for typename in declared:
        sf.undeclare(typename, functions=functions)
    yield session, functions
    session.stop(30)


@pytest.mark.parametrize("name", SHARED)
def test_the_real_one_does_the_same(expected, real, name):
    session, functions = real
    generation = session.engine.cluster.generation
    found = run(name, session, functions)
    assert found == expected[0][name]
    assert found["served"]
    assert session.engine.cluster.generation == generation


@pytest.mark.parametrize("name", DIFFERENCES)
def test_the_real_one_differs_as_that_of_today(real, name):
    session, functions = real
    difference = DIFFERENCES[name]
    assert difference.look(Play(session, functions, name)) == difference.real


@contextmanager
def calling_by_v2(functions):
    """A session that calls these functions, of another one, by protocol v2."""
    with sf.Session(Options(port=0, functions=functions)) as served:
        options = Options(port=0, functions=sf.StatefulFunctions(), trace_limit=100_000)
        with sf.Session(options) as session:
            session.load_module(EGRESS)

            def follow(*_):
                session.load_module(served.module_yaml(version="2.0"))

            stop = functions.subscribe(follow)
            yield session
            stop()


@pytest.mark.parametrize("name", OF_OTHERS)
def test_the_embedded_one_does_the_same_by_v2(expected, functions, name):
    pytest.importorskip("aiohttp")
    with calling_by_v2(functions) as session:
        assert run(name, session, functions) == expected[0][name]


def test_what_is_left_out_is_known_and_the_page_has_the_numbers():
    assert {*_OF_3, *_OF_THIS_PROCESS} <= {*SCENARIOS}
    page = (Path(__file__).parents[2] / "docs" / "real-cluster.md").read_text(encoding="utf-8")
    assert f"runs {len(SHARED)} of its scenarios on 2.2.2, too, and {len(OF_OTHERS)} where" in page
