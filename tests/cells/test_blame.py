"""What is said of an error beside its own words."""

from __future__ import annotations

import asyncio

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
