"""A cell that is run again ends what its older version is stuck in."""

from __future__ import annotations

import asyncio
import time

import pytest

import statefun_nb as sf
from statefun_nb.sessions import superseding
from tests.waiting import eventually


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Who has run for 0.1 s is stuck, so that the tests need not take seconds."""
    monkeypatch.setattr(superseding, "_LONG_SECONDS", 0.1)


def is_stuck(session, typename):
    running = session._handler.running
    return any(each.address.typename == typename and each.seconds > 0.2 for each in running)


@pytest.mark.parametrize("style", ["sync", "async", "async that blocks"])
def test_an_endless_loop_ends_when_its_cell_is_run_again(engine, functions, style):
    if style == "sync":

        @sf.function("s/loop", state={"n": int}, functions=functions)
        def loop(ctx, message):
            while True:
                pass

    else:

        @sf.function("s/loop", state={"n": int}, functions=functions)
        async def loop_later(ctx, message):
            while True:
                if style == "async":
                    await asyncio.sleep(0.01)

    engine.send_many([("s/loop", "x", 1), ("s/loop", "x", 2)])
    eventually(lambda: is_stuck(engine, "s/loop"))

    @sf.function("s/loop", state={"n": int}, functions=functions)
    def mended(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + message.value

    assert engine.wait_idle(20).parked == 0
    assert engine.state("s/loop", "x") == {"n": 3}
    (failed,) = engine.invocations.filter(status="error")
    assert failed.error.text.endswith(": its cell was run again")
    assert failed.repaired


def test_what_another_function_does_goes_on(functions):
    ended = []

    @sf.function("s/slow", functions=functions)
    async def slow(ctx, message):
        await asyncio.sleep(0.5)
        ended.append(message.value)

    @sf.function("s/other", functions=functions)
    def other(ctx, message):
        pass

    with sf.start(port=0, functions=functions) as session:
        session.send("s/slow", "x", 1)
        eventually(lambda: is_stuck(session, "s/slow"))

        @sf.function("s/other", functions=functions)
        def again(ctx, message):
            pass

        assert session.wait_idle(10).processed == 1
        assert not session.invocations.filter(status="error")
    assert ended == [1]


def test_what_fails_after_its_cell_was_run_again_is_tried_by_the_new_version(
    functions, monkeypatch
):
    """The function was at work for a moment only, so it was left to end by itself."""
    begun = []

    @sf.function("s/fails", state={"n": int}, functions=functions)
    async def fails(ctx, message):
        begun.append(1)
        await asyncio.sleep(0.3)
        raise ValueError("the older one")

    with sf.start(port=0, functions=functions) as session:
        monkeypatch.setattr(superseding, "_LONG_SECONDS", 60.0)
        session.send("s/fails", "x", 1)
        eventually(lambda: begun)

        @sf.function("s/fails", state={"n": int}, functions=functions)
        def mended(ctx, message):
            ctx.storage.n = 5

        session.send("s/fails", "y", 1)  # the new version is taken in
        assert session.wait_idle(10).parked == 0
        assert session.state("s/fails", "x") == {"n": 5}
        (failed,) = session.invocations.filter(status="error")
        assert failed.error is not None
        assert failed.error.text == "ValueError: the older one"


def test_a_loop_that_holds_on_to_everything_ends_by_itself(functions):
    until = time.monotonic() + 2

    @sf.function("s/holds", functions=functions)
    def holds(ctx, message):
        while time.monotonic() < until:
            try:
                time.sleep(0.01)
            except BaseException:
                continue

    with sf.start(port=0, functions=functions) as session:
        session.send("s/holds", "x", 1)
        eventually(lambda: is_stuck(session, "s/holds"))

        @sf.function("s/holds", functions=functions)
        def mended(ctx, message):
            pass

        assert session.wait_idle(20).processed == 1
