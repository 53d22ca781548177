"""Which recorded invocations become tests: what comes out the same, by what it covers."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import random
import sys
import time
import uuid
from datetime import date

import pytest

import statefun_nb as sf
from statefun_nb.export import cases
from statefun_nb.export.cases import choose
from statefun_nb.export.project import kafka_documents
from statefun_nb.export.watch import Watch
from statefun_nb.trace.replay import cases_of

REMEMBERED: list[int] = []
FACTOR = 1


def tried(functions, function, messages, *, state=None, on_error="skip"):
    """What is chosen of these messages to x/f, each to an address of its own."""
    sf.function("x/f", state=state, functions=functions)(function)
    with sf.start(port=0, functions=functions, on_error=on_error) as session:
        session.send_many([("x/f", f"{n}", message) for n, message in enumerate(messages)])
        session.wait_idle()
    return choose(cases_of(session.recorder), functions)


def keep(ctx, value):
    ctx.storage.kept = str(value)


def asks_clock(ctx, message):
    keep(ctx, int(time.time()) // 10**6)


def asks_date_by_its_own_import(ctx, message):
    from datetime import datetime

    keep(ctx, datetime.now(dt.timezone.utc).year)


def asks_date(ctx, message):
    keep(ctx, date.today().year)  # noqa: DTZ011


def throws_dice(ctx, message):
    keep(ctx, random.choice([1, 1, 1]))


def names_things(ctx, message):
    keep(ctx, uuid.uuid4().version)


async def asks_after_a_wait(ctx, message):
    await asyncio.sleep(0.001)
    keep(ctx, time.strftime("%Y"))


def asks_a_helper(ctx, message):
    keep(ctx, sum(each().year for each in (lambda: date.today(),)))  # noqa: DTZ011, PLW0108


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (asks_clock, "reads the clock (time.time)"),
        (asks_date, "reads the clock (date.today)"),
        (asks_date_by_its_own_import, "reads the clock (datetime.now)"),
        (asks_after_a_wait, "reads the clock (time.strftime)"),
        (asks_a_helper, "reads the clock (date.today)"),
        (throws_dice, "uses chance (random)"),
        (names_things, "uses chance (os.urandom, as uuid4 and secrets do)"),
    ],
)
def test_time_and_chance_are_found_also_where_they_come_out_the_same(functions, function, reason):
    chosen = tried(functions, function, [1, 2], state={"kept": str})
    assert chosen.cases == []
    assert chosen.left_out == [("x/f", 2, reason, "'0' 1")]
    assert str(chosen.left_out[0]) == f"2 invocations of x/f: {reason}; one is '0' 1"


class Around(contextlib.ContextDecorator):
    """The function that it makes is of contextlib."""

    def __enter__(self):
        pass

    def __exit__(self, *exc):
        pass


class Today(sf.StatefulFunction):
    kept = sf.State(str)

    def invoke(self, ctx, message):
        keep(ctx, date.today().year)  # noqa: DTZ011


class Called:
    def __call__(self, ctx, message):
        keep(ctx, date.today().year)  # noqa: DTZ011


@pytest.mark.parametrize(
    "function", [Around()(asks_date), Called(), Today, functools.partial(asks_date)],
    ids=["wrapped", "object", "class", "partial"],
)  # fmt: skip
def test_the_code_is_found_behind_what_declares_it(functions, function):
    state = None if function is Today else {"kept": str}
    (left,) = tried(functions, function, [1], state=state).left_out
    assert left.reason == "reads the clock (date.today)"


def counts_its_calls(ctx, message):
    REMEMBERED.append(1)
    keep(ctx, len(REMEMBERED))


def uses_what_changes(ctx, message):
    keep(ctx, FACTOR)


def test_what_does_otherwise_is_left_out_with_what_it_does(functions, monkeypatch):
    REMEMBERED.clear()
    chosen = tried(functions, counts_its_calls, [1], state={"kept": str})
    (left,) = chosen.left_out
    assert left.reason == "does otherwise each time it is run"
    assert left.example == "'0' 1: state kept: '2' (was '1')"

    sf.function("x/f", state={"kept": str}, functions=functions)(uses_what_changes)
    with sf.start(port=0, functions=functions) as session:
        session.send("x/f", "a", 1)
        session.wait_idle()
    monkeypatch.setitem(globals(), "FACTOR", 2)
    chosen = choose(cases_of(session.recorder), functions)
    (left,) = chosen.left_out
    assert left.reason.startswith("does otherwise when it is run again (what it uses was changed")
    assert left.example == "'a' 1: state kept: '2' (was '1')"


def test_what_does_not_end_is_left_out(functions, monkeypatch):
    once: list[int] = []

    async def waits(ctx, message):
        if once:
            await asyncio.Event().wait()
        once.append(1)

    monkeypatch.setattr(cases, "_TIMEOUT", 0.05)
    chosen = tried(functions, waits, [1])
    assert "takes longer than" in chosen.left_out[0].reason


def shows_itself(ctx, message):
    keep(ctx, shows_itself)


def test_what_names_the_notebook_or_its_memory_is_left_out(functions):
    chosen = tried(functions, shows_itself, [1], state={"kept": str})
    assert chosen.left_out[0].reason.startswith("has 'at 0x")


def logs_and_waits(ctx, message):
    import logging

    logging.getLogger("x").info("the record of a log has a time")
    begin = time.perf_counter()
    rng = random.Random(7)
    keep(ctx, rng.random() if time.perf_counter() >= begin else 0)


def test_what_asks_and_comes_out_the_same_all_the_same_stays(functions):
    assert len(tried(functions, logs_and_waits, [1], state={"kept": str}).cases) == 1


def test_the_chance_of_the_notebook_goes_on_where_it_was(functions):
    random.seed(1)
    before = random.getstate()
    sf.function("x/f", functions=functions)(throws_dice)
    choose([], functions)
    assert random.getstate() == before


def branches(ctx, message):
    if message.value == 77:
        ctx.storage.kept = "seldom"
    elif message.value % 10 == 0:
        if message.value > 900:
            raise ValueError(f"too much: {message.value}")
        ctx.send("x/g", "a", message.value)
    else:
        ctx.storage.kept = "often"


def test_cases_are_chosen_by_what_they_cover_and_not_by_when_they_were(functions):
    functions.register("x/g", lambda ctx, message: None)
    chosen = tried(functions, branches, range(1000), state={"kept": str})
    values = [each.message.value for each in chosen.cases if each.address.typename == "x/f"]
    assert len(values) == 3 * 3 + 1
    found = {each.address.id: each.effects for each in chosen.cases}
    assert found["77"]["state"]["kept"]["value"] == "seldom"
    errors = [each["error"] for each in found.values() if each["error"]]
    assert errors == ["ValueError: too much: 910", "ValueError: too much: 920",
                      "ValueError: too much: 930"]  # fmt: skip
    assert chosen.left_out == []
    assert chosen.others == 1000 + 91 - len(chosen.cases)


def test_of_one_function_there_are_so_many_at_most(functions):
    def sends(ctx, message):
        ctx.send(f"x/{message.value}", "a", 1)

    for n in range(70):
        functions.register(f"x/{n}", lambda ctx, message: None)
    chosen = tried(functions, sends, range(70))
    assert sum(each.address.typename == "x/f" for each in chosen.cases) == cases.MOST
    assert len(chosen.cases) == cases.MOST + 70


def test_only_what_the_declared_version_did_counts_and_each_once(functions):
    for _ in range(2):
        chosen = tried(functions, lambda ctx, message: None, [1, 1])
    assert len(chosen.cases) == 2


def test_topics_are_of_what_succeeded(functions):
    @sf.function("x/f", functions=functions)
    def only_text(ctx, message):
        message.value.upper()
        ctx.send_egress(sf.kafka_egress_message("x/out", "t", "hi"))

    with sf.start(port=0, functions=functions, on_error="skip") as session:
        session.send("x/f", "a", 1)
        session.send("x/f", "b", "text")
        session.wait_idle()
        found = kafka_documents([], session.invocations)
        none = kafka_documents([], session.invocations.filter(status="error"))
    (topic,) = found[0].spec["topics"]
    assert topic["valueType"] == "io.statefun.types/string"
    assert none == []


def test_a_watch_leaves_the_thread_as_it_was():
    before = sys.gettrace(), sys.getprofile()
    with Watch([globals()]) as watch:
        asks_date.__name__.upper()
    assert (sys.gettrace(), sys.getprofile()) == before
    assert watch.asked is None
