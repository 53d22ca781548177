"""A function that cancels the tasks of its loop reaches its own, and nothing of the session."""

from __future__ import annotations

import asyncio

import pytest

import statefun_nb as sf


def myself():
    task = asyncio.current_task()
    assert task is not None
    return task


def others():
    return asyncio.all_tasks() - {asyncio.current_task()}


def cancel(tasks):
    for each in tasks:
        each.cancel()


async def all_others():
    cancel(others())


async def all_others_twice():
    cancel(others())
    await asyncio.sleep(0)
    cancel(others())


async def all_and_returns():
    cancel(asyncio.all_tasks())


async def all_and_waits():
    cancel(asyncio.all_tasks())
    await asyncio.sleep(10)


async def itself():
    myself().cancel("enough")
    await asyncio.sleep(10)


async def in_a_thread():
    await asyncio.to_thread(cancel, asyncio.all_tasks() - {asyncio.current_task()})


async def by_a_child():
    mine = asyncio.current_task()

    async def child():
        cancel(asyncio.all_tasks() - {asyncio.current_task(), mine})

    await asyncio.create_task(child())


FINE = [all_others, all_others_twice, all_and_returns, in_a_thread, by_a_child]
FAILS = [all_and_waits, itself]


@pytest.mark.parametrize("acts", [*FINE, *FAILS], ids=lambda each: each.__name__)
def test_the_function_alone_feels_it(engine, functions, acts):
    @sf.function("o/bad", state={"n": int}, functions=functions)
    async def bad(ctx, message):
        ctx.storage.n = 1
        await asyncio.sleep(0)
        await acts()

    @sf.function("o/slow", state={"n": int}, functions=functions)
    async def slow(ctx, message):
        for _ in range(200):
            await asyncio.sleep(0)
        ctx.storage.n = message.value

    engine.pause()
    engine.send("o/slow", "a", 1)
    engine.send("o/bad", "x", 1)
    engine.send("o/slow", "b", 2)
    engine.resume()
    idle = engine.wait_idle()
    assert {key: value["n"] for key, value in engine.state("o/slow").items()} == {"a": 1, "b": 2}
    rows = engine.invocations.filter(type="o/bad")
    if acts in FAILS:
        assert (idle.processed, idle.parked) == (2, 1)
        assert [each.status for each in rows] == ["error"]
        assert engine.parked[0].reason.startswith("CancelledError")
    else:
        assert (idle.processed, idle.parked) == (3, 0)
        assert [each.status for each in rows] == ["ok"]
        assert engine.state("o/bad", "x") == {"n": 1}
    engine.send("o/slow", "c", 3)
    assert engine.wait_idle().processed == 1


def test_the_endpoint_goes_on(functions):
    pytest.importorskip("aiohttp")

    @sf.function("o/bad", functions=functions)
    def bad(ctx, message):
        cancel(asyncio.all_tasks())

    with sf.start(port=0, functions=functions, transport="http") as session:
        for number in range(3):
            session.send("o/bad", "x", number)
            assert tuple(session.wait_idle())[:2] == (1, 0)


def test_what_a_function_has_made_is_cancelled_as_ever(engine, functions):
    seen = []

    @sf.function("o/parent", functions=functions)
    async def parent(ctx, message):
        async def child():
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                seen.append("child")
                raise

        task = asyncio.create_task(child())
        await asyncio.sleep(0)
        cancel(others())
        await asyncio.wait([task])
        try:
            await asyncio.wait_for(asyncio.sleep(60), 0.01)
        except asyncio.TimeoutError:
            seen.append("timeout")

    engine.send("o/parent", "x", 1)
    assert engine.wait_idle().processed == 1
    assert seen == ["child", "timeout"]


def test_cancelling_before_the_first_wait_is_no_failure(engine, functions):
    """As anywhere: it is seen at an await that waits."""

    @sf.function("o/f", state={"n": int}, functions=functions)
    async def f(ctx, message):
        myself().cancel()
        ctx.storage.n = 1

    engine.send("o/f", "x", 1)
    assert engine.wait_idle().processed == 1
    assert engine.state("o/f", "x") == {"n": 1}
