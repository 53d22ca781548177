"""What is said of an error beside its own words."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import statefun_nb as sf
from statefun_nb.cells.blame import hint_for, reason_of


def runs_a_loop(ctx, message):
    coroutine = asyncio.sleep(0)
    try:
        asyncio.run(coroutine)
    finally:
        coroutine.close()


def uses_the_loop(ctx, message):
    coroutine = asyncio.sleep(0)
    try:
        asyncio.get_running_loop().run_until_complete(coroutine)
    finally:
        coroutine.close()


def raises_a_class(ctx, message):
    raise ValueError


@pytest.fixture
def session():
    functions = sf.StatefulFunctions()
    for function in (runs_a_loop, uses_the_loop, raises_a_class):
        functions.bind(f"a/{function.__name__}")(function)
    with sf.start(port=0, functions=functions) as running:
        yield running


@pytest.mark.parametrize("name", ["runs_a_loop", "uses_the_loop"])
def test_a_loop_in_a_function_is_told_to_be_async(session, name):
    session.send(f"a/{name}", "x", 1)
    session.wait_idle()
    (parked,) = session.parked
    assert parked.reason.startswith("RuntimeError: ")
    assert parked.reason.endswith("declare it with `async def`, and `await`")
    error = session.invocations[-1].error
    assert error is not None
    assert "async def" in error.traceback
    assert "async def" not in error.text  # the words of the error are its own


def test_an_error_without_a_text_is_told_by_its_line(session):
    line = raises_a_class.__code__.co_firstlineno + 1
    session.send("a/raises_a_class", "x", 1)
    session.wait_idle()
    (parked,) = session.parked
    assert parked.reason == f"ValueError at test_blame.py, line {line}"


def test_all_others_say_enough():
    assert reason_of(ValueError("no")) == "ValueError: no"
    assert reason_of(ValueError()) == "ValueError"  # never raised: it has no line
    assert hint_for(RuntimeError("no")) == ""


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
def test_a_coroutine_that_is_reckoned_with_was_not_awaited(functions):
    async def price():
        return 1

    @sf.function("a/sum", functions=functions)
    async def adds_up(ctx, message):
        return message.value + price()

    with sf.start(port=0, functions=functions) as session:
        session.send("a/sum", "x", 1)
        session.wait_idle()
        assert session.parked[0].reason.endswith("did you forget `await`?")


class Handles(sf.StatefulFunction):
    n = sf.State(int)
    items = sf.State(list)


class Adds(Handles):
    def invoke(self, ctx, message):
        self.n += 1  # type: ignore[operator,assignment]


class Reads(Handles):
    def invoke(self, ctx, message):
        self.n.set(self.n.get() + 1)  # type: ignore[operator]


class Extends(Handles):
    def invoke(self, ctx, message):
        self.items.get().append(1)  # type: ignore[union-attr]


def adds(ctx, message):
    ctx.storage.n += 1


def joins(ctx, message):
    ctx.storage.text = ctx.storage.text + "more"


def loops(ctx, message):
    for item in ctx.storage.items:
        print(item)


def extends(ctx, message):
    ctx.storage.items.append(1)


def multiplies(ctx, message):
    ctx.storage.n *= message.value + 1  # all of it


def looks_up(ctx, message):
    print(ctx.storage.known["a"])


def sets_an_item(ctx, message):
    ctx.storage["n"] = 1


async def asks_for_an_item(ctx, message):
    print(ctx.storage["n"])


def emits_parts(ctx, message):
    ctx.send_egress("a/out", "t", "hi")


def answers(ctx, message):
    ctx.send(ctx.caller.typename, ctx.caller.id, 1)


def adds_a_message(ctx, message):
    ctx.storage.n = 1 + message


def asks_a_message_for_more(ctx, message):
    print(message.upper())


async def goes_through_a_message(ctx, message):
    for each in message:
        print(each)


def changes_a_message(ctx, message):
    message.value = 3


def calls_the_value(ctx, message):
    print(message.value())


def looks_for_names_in_a_text(ctx, message):
    print(str(message.value)["name"])  # type: ignore[index]


def asks_for_itself(ctx, message):
    print(ctx.self.id)


NONE_YET = "is None until it is written: "
VALUE = "its value is message.value, as in message.value['x'], or what message.as_type(...) gives"
STATE = {"n": int, "text": str, "items": list, "known": dict}
HINTS: dict[Any, str] = {
    adds: f"ctx.storage.n {NONE_YET}write ctx.storage.n = (ctx.storage.n or 0) + 1",
    joins: "write ctx.storage.text = (ctx.storage.text or \"\") + 'more'",
    multiplies: "write ctx.storage.n = (ctx.storage.n or 0) * (message.value + 1)",
    loops: f"ctx.storage.items {NONE_YET}write (ctx.storage.items or [])",
    looks_up: f"ctx.storage.known {NONE_YET}write print((ctx.storage.known or {{}})['a'])",
    extends: "items = ctx.storage.items or [], change that, and ctx.storage.items = items",
    sets_an_item: "write ctx.storage.n, where n is the declared name",
    asks_for_an_item: "write ctx.storage.n, where n is the declared name",
    emits_parts: "ctx.send_egress(sf.kafka_egress_message(typename, topic, value))",
    answers: "ctx.caller is None where the message came from outside, as by s.send",
    adds_a_message: VALUE,
    asks_a_message_for_more: VALUE,
    goes_through_a_message: VALUE,
    changes_a_message: "take a copy of message.value, and change that",
    calls_the_value: "message.value, without ()",
    looks_for_names_in_a_text: "of a message whose value has names, send a dict",
    asks_for_itself: "the address that is served is ctx.address, with typename and id",
    Adds: "self.n.set((self.n.get() or 0) + 1)",
    Reads: f"self.n.get() {NONE_YET}write self.n.set((self.n.get() or 0) + 1)",
    Extends: "items = self.items.get() or [], change that, and self.items.set(items)",
}


@pytest.mark.parametrize(("wrong", "hint"), HINTS.items(), ids=[each.__name__ for each in HINTS])
def test_a_plain_mistake_is_told_what_to_write(functions, engine, wrong, hint):
    state = None if isinstance(wrong, type) else STATE
    sf.function("a/wrong", state=state, functions=functions)(wrong)
    engine.send("a/wrong", "x", 1)
    engine.wait_idle()
    (parked,) = engine.parked
    assert parked.reason.startswith(("TypeError: ", "AttributeError: "))
    assert parked.reason.endswith(f"{hint}")
    assert hint in engine.invocations[-1].error.traceback


def mistakes_of_their_own(ctx, message):
    nothing = None
    nothing.go()  # type: ignore[attr-defined]


def test_what_is_no_mistake_about_state_gets_no_hint(functions, engine):
    sf.function("a/wrong", functions=functions)(mistakes_of_their_own)
    engine.send("a/wrong", "x", 1)
    engine.wait_idle()
    (parked,) = engine.parked
    assert parked.reason == "AttributeError: 'NoneType' object has no attribute 'go'"
