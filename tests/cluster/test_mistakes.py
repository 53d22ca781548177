"""Mistakes in functions, on the real StateFun: the same words as anywhere, and the job goes on."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

import statefun_nb as sf
from tests.engine.test_failures import RAISERS

from .shared import left_as_it_was, shared_cluster


@pytest.fixture(scope="module")
def cluster():
    with shared_cluster("m") as found:
        yield found


@pytest.fixture
def shared(cluster):
    with left_as_it_was(cluster[0], 180):
        yield cluster


def declare_raiser(functions, typename, style, raiser):
    if style == "sync":

        @sf.function(typename, state={"n": int}, functions=functions)
        def bad(ctx, message):
            ctx.storage.n = 1
            raiser()

    else:

        @sf.function(typename, state={"n": int}, functions=functions)
        async def bad(ctx, message):
            ctx.storage.n = 1
            await asyncio.sleep(0)
            raiser()


def test_whatever_leaves_a_function_parks_its_one_address(shared):
    session, functions = shared

    @sf.function("m/good", state={"n": int}, functions=functions)
    def good(ctx, message):
        ctx.storage.n = message.value

    says = {}
    for number, (raiser, words) in enumerate(RAISERS.values()):
        for style in ("sync", "async"):
            typename = f"m/bad_{style}_{number}"
            says[typename] = words
            declare_raiser(functions, typename, style, raiser)
    session.send_many((typename, "x", 1) for typename in says)
    session.send("m/good", "x", 2)
    idle = session.wait_idle(180)
    assert idle.parked == len(says)
    assert session.state("m/good", "x") == {"n": 2}
    reasons = {each.address.typename: each.reason for each in session.parked}
    assert reasons.keys() == says.keys()
    wrong = {name: reasons[name] for name, words in says.items() if words not in reasons[name]}
    assert wrong == {}

    for typename in says:  # the cell, corrected

        @sf.function(typename, state={"n": int}, functions=functions)
        def mended(ctx, message):
            ctx.storage.n = 5

    assert session.wait_idle(180).parked == 0
    assert all(session.state(typename, "x") == {"n": 5} for typename in says)


def test_state_that_is_changed_in_place_is_told_and_not_kept(shared):
    session, functions = shared

    @sf.function("m/cart", state={"items": list}, functions=functions)
    async def cart(ctx, message):
        if message.value == 0:
            ctx.storage.items = [0]
        else:
            ctx.storage.items.append(message.value)

    session.send("m/cart", "x", 0)
    session.send("m/cart", "x", 1)
    with pytest.warns(UserWarning, match="m/cart .* state 'items' was .* not assigned"):
        session.wait_idle(60)
    assert session.state("m/cart", "x") == {"items": [0]}
    assert "ctx.storage.items = items" in session.invocations.filter(type="m/cart")[1].stdout


def test_calls_that_wait_are_refused_inside_a_function(shared):
    session, functions = shared
    calls = {
        "wait_idle": lambda: session.wait_idle(3),
        "check": lambda: session.check("m/nothing", "x"),
        "send_many": lambda: session.send_many([("m/nothing", "x", 1)]),
        "stop": session.stop,
    }
    refused: dict[str, str] = {}

    @sf.function("m/waits", functions=functions)
    def waits(ctx, message):
        try:
            calls[message.value]()
        except sf.SessionError as error:
            refused[message.value] = str(error)

    for name in calls:
        session.send("m/waits", name, name)
    session.wait_idle(180)
    assert {name for name, said in refused.items() if "function" in said} == set(calls)


def test_a_context_ends_with_its_invocation(shared):
    session, functions = shared
    refused: list[str] = []

    @sf.function("m/strays", state={"n": int}, functions=functions)
    async def strays(ctx, message):
        if message.value != "first":
            while not refused:  # the task of the first tries while this one runs
                await asyncio.sleep(0.01)
            return

        async def stray():
            await asyncio.sleep(0)
            try:
                ctx.storage.n = 99
            except sf.StatefunError as error:
                refused.append(str(error))

        tasks.append(asyncio.create_task(stray()))

    tasks: list[asyncio.Task[None]] = []
    session.send("m/strays", "k", "first")
    session.send("m/strays", "k", "second")
    session.wait_idle(180)
    assert len(refused) == 1
    assert "an invocation that is over" in refused[0]
    assert not session.state("m/strays")


@dataclasses.dataclass
class Cart:
    owner: str = "nobody"


@dataclasses.dataclass
class Invoice:
    cents: int = 0


def test_a_value_of_another_class_is_refused_where_it_is_set(shared):
    session, functions = shared

    @sf.function("m/wrong", state={"cart": Cart}, functions=functions)
    def wrong(ctx, message):
        ctx.storage.cart = Invoice(700)

    session.send("m/wrong", "x", 1)
    session.wait_idle(180)
    (parked,) = session.parked
    assert "Invoice" in parked.reason
    assert "Cart" in parked.reason

    @sf.function("m/wrong", state={"cart": Cart}, functions=functions)
    def right(ctx, message):
        ctx.storage.cart = Cart("bob")

    session.wait_idle(180)
    assert session.state("m/wrong", "x")["cart"].owner == "bob"


def test_state_that_the_class_of_today_cannot_read_is_shown_raw(shared):
    session, functions = shared

    @sf.function("m/evolves", state={"cart": make_cart([])}, functions=functions)
    def first(ctx, message):
        ctx.storage.cart = make_cart([])()

    session.send("m/evolves", "x", 1)
    session.wait_idle(180)

    @sf.function("m/evolves", state={"cart": make_cart(["owner"])}, functions=functions)
    def second(ctx, message):
        assert ctx.storage.cart

    shown = repr(session.state("m/evolves", "x"))
    assert "cannot be read" in shown
    assert "owner" in shown
    session.send("m/evolves", "x", 2)
    session.wait_idle(180)
    (parked,) = session.parked
    assert "owner" in parked.reason
    assert session.discard("m/evolves", "x").value == 2


def make_cart(fields):
    """A class as a cell that was run again defines it: the same name, other fields."""
    cls = dataclasses.make_dataclass("Evolving", [*((name, str) for name in fields)])
    cls.__module__ = __name__
    return cls


def test_what_is_shown_is_bounded_and_harmless(shared):
    session, functions = shared
    hostile = "\x1b]0;owned\x07\x1b[2J\nFAKE LINE"

    @sf.function("m/shown", state={"text": str}, functions=functions)
    def shows(ctx, message):
        ctx.storage.text = message.value
        if ctx.address.id.startswith("bad"):
            raise ValueError(message.value * 1_000)

    session.send("m/shown", "bad" + hostile, hostile)
    session.send_many(("m/shown", f"k{i}", hostile) for i in range(2_000))
    session.wait_idle(180)
    table = session.state("m/shown")
    for text in map(repr, (table, session.parked, session.invocations)):
        assert len(text) < 100_000
        assert "\x1b" not in text
        assert "\x07" not in text
    assert "2,000" in repr(table)
    with pytest.raises(sf.StatefunError) as failed:
        session.send("m/shown", "x", tuple(range(1_000_000)))
    assert len(str(failed.value)) < 1_000
    assert session.discard("m/shown", "bad" + hostile).value == hostile


def test_asking_for_what_is_not_there_says_so(shared):
    session, _ = shared
    for ask in (
        lambda: session.state("m/nothin"),
        lambda: session.check("m/nothin", "x"),
    ):
        with pytest.raises(sf.StatefunError, match="m/nothing"):
            ask()
