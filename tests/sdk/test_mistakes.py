"""What Python takes without a word, and does not do what was meant: it is told or refused."""

from __future__ import annotations

import warnings
from unittest import mock

import pytest

import statefun_nb as sf

VALUES = [True, 1, 1.5, "hi", b"hi", {"a": 1}, [1], (1,), {1}]


def made(value=1):
    return sf.message_builder("m/f", "x", int_value=value)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_message_that_is_compared_with_a_value_is_told(value):
    with pytest.warns(UserWarning, match=r"a message is not its value: compare message\.value"):
        assert made() != value


@pytest.mark.filterwarnings("error")
def test_whoever_compares_anything_is_asked():
    message, state = made(), sf.State(int)
    assert (message, state) == (mock.ANY, mock.ANY)
    assert [message, state].index(state) == 1


def test_messages_themselves_are_compared_as_objects_are():
    one, other = made(), made()
    same = one
    assert (one == same, one == other, one != other, one is None) == (True, False, True, False)
    assert one != None  # noqa: E711 - the comparison is what is tested
    assert {one: 1, other: 2}[one] == 1
    assert other in [one, other]


class Handle(sf.StatefulFunction):
    n = sf.State(int)


class AskedForTruth(Handle):
    def invoke(self, ctx, message):
        if not self.n:
            self.n.set(1)


class AskedInAsync(Handle):
    async def invoke(self, ctx, message):
        self.n.set(1 if self.n else 2)


SAYS = {
    AskedForTruth: "'n' itself is neither true nor false: ask self.n.exists, or its value, self.n",
    AskedInAsync: "'n' itself is neither true nor false: ask self.n.exists, or its value, self.n",
}


@pytest.mark.parametrize("wrong", SAYS, ids=[each.__name__ for each in SAYS])
def test_a_state_is_not_taken_for_its_value(functions, engine, wrong):
    sf.function("m/f", functions=functions)(wrong)
    engine.send("m/f", "x", 1)
    engine.wait_idle()
    (parked,) = engine.parked
    assert SAYS[wrong] in parked.reason


def test_a_state_that_is_compared_with_a_value_is_told():
    with pytest.warns(UserWarning, match=r"state 'n' is not its value: compare self\.n\.get\(\)"):
        assert Handle.n != 3


def test_states_themselves_are_compared_as_objects_are():
    one, other = sf.State(int), sf.State(int)
    same = one
    assert (one == same, one == other, one != other) == (True, False, True)
    assert {one: 1, other: 2}[other] == 2


@pytest.mark.parametrize("act", [lambda n: n.set(1), bool], ids=["set", "bool"])
def test_a_state_beside_a_function_says_where_it_belongs(functions, engine, act):
    n = sf.State(int)
    sf.function("m/f", functions=functions)(lambda ctx, message: act(n))
    engine.send("m/f", "x", 1)
    engine.wait_idle()
    (parked,) = engine.parked
    assert "belongs to no class" in parked.reason
    assert "a function takes state={'name': type}" in parked.reason


def returns(ctx, message):
    return message.value


async def async_returns(ctx, message):
    return message.value


class Returns(sf.StatefulFunction):
    def invoke(self, ctx, message):
        return message.value


@pytest.mark.parametrize("wrong", [returns, async_returns, Returns], ids=lambda each: each.__name__)
def test_what_is_returned_is_told_once_and_in_each_record(functions, engine, wrong):
    sf.function("m/f", functions=functions)(wrong)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for value in (1, 2, 3):
            engine.send("m/f", "x", value)
            assert engine.wait_idle().parked == 0
    (told,) = [str(each.message) for each in caught]
    assert told.startswith("m/f (test_mistakes.py, line ")
    assert "returned an int, and nothing becomes of it: ctx.send or ctx.send_egress sends" in told
    assert {each.stdout for each in engine.invocations} == {f"UserWarning: {told}\n"}
    assert {each.status for each in engine.invocations} == {"ok"}


@pytest.mark.filterwarnings("error")
def test_what_returns_nothing_is_not_told_of(functions, engine):
    @sf.function("m/f", functions=functions)
    def f(ctx, message):
        if message.value == 1:
            return ctx.send_egress(sf.egress_message_builder("m/out", 1, sf.IntType))
        if message.value == 2:
            return [ctx.send("m/f", "y", 1) for _ in range(2)]
        return message.value == 1 and ctx.send("m/f", "y", 1)

    for value in (1, 2, 3):
        engine.send("m/f", "x", value)
    engine.wait_idle()
    assert {each.stdout for each in engine.invocations} == {""}
