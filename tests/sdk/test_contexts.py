"""A context ends with its invocation: what outlives it is refused, and booked on no other."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import statefun_nb as sf
from tests.waiting import eventually


class Left:
    """What a function leaves behind, and what came of it."""

    def __init__(self):
        self.errors: list[Any] = []
        self.go = threading.Event()

    def act(self, *acts):
        for each in acts:
            try:
                each()
            except (sf.ContextEndedError, sf.StateNameError) as error:
                self.errors.append(str(error))


def acts(ctx, handle=None):
    """All that a context can do."""
    storage = ctx.storage
    send, send_after, cancel = ctx.send, ctx.send_after, ctx.cancel_delayed_message
    send_egress = ctx.send_egress
    yield lambda: send("c/g", "x", "stray")
    yield lambda: send_after(sf_seconds(1), "c/g", "x", "stray", token="t")
    yield lambda: cancel("t")
    yield lambda: send_egress(sf.kafka_egress_message("c/out", "t", "stray"))
    yield lambda: ctx.send("c/g", "x", "stray")
    yield lambda: ctx.send_after(sf_seconds(1), "c/g", "x", "stray")
    yield lambda: ctx.cancel_delayed_message("t")
    yield lambda: ctx.send_egress(sf.kafka_egress_message("c/out", "t", "stray"))
    yield lambda: setattr(ctx.storage, "n", 99)
    yield lambda: storage.n
    yield lambda: setattr(storage, "n", 99)
    if handle is not None:
        yield handle.get
        yield lambda: handle.set(99)


def sf_seconds(number):
    from datetime import timedelta

    return timedelta(seconds=number)


@pytest.mark.parametrize("way", ["task", "thread", "closure"])
@pytest.mark.parametrize("style", ["function", "class"])
def test_what_outlives_its_invocation_is_refused_and_booked_on_no_other(
    functions, way, style, capsys
):
    left = Left()
    kept: list[Any] = []

    def leave(ctx, handle=None):
        found = list(acts(ctx, handle))

        async def task():
            while not left.go.is_set():
                await asyncio.sleep(0)
            print("from a task")
            left.act(*found)

        if way == "task":
            kept.append(asyncio.get_running_loop().create_task(task()))
        elif way == "thread":
            kept.append(threading.Thread(target=lambda: (left.go.wait(30), left.act(*found))))
            kept[-1].start()
        else:
            kept.append(found)

    async def serve(ctx, message, handle=None):
        if message.value == "first":
            leave(ctx, handle)
        else:
            if way == "closure":
                left.act(*kept.pop())
            left.go.set()
            while len(left.errors) < (13 if handle is not None else 11) and way != "closure":
                await asyncio.sleep(0)
            ctx.send("c/g", "y", "own")

    if style == "function":

        @sf.function("c/f", state={"n": int}, functions=functions)
        async def f(ctx, message):
            await serve(ctx, message)

    else:

        @sf.function("c/f", functions=functions)
        class InClass(sf.StatefulFunction):
            n = sf.State(int)

            async def invoke(self, ctx, message):
                await serve(ctx, message, None if way == "closure" else self.n)

    sf.function("c/g", functions=functions)(lambda ctx, message: None)
    with sf.start(port=0, functions=functions, paused=True) as session:
        session.send("c/f", "k", "first")
        session.send("c/f", "k", "second")
        session.resume()
        session.wait_idle(30)
        assert session.state("c/f") == {}
        assert len(left.errors) >= 11
        # A bare thread has no invocation at all, so a State handle knows none of it.
        assert all("is over" in e or "only while its own" in e for e in left.errors)
        first, second = session.invocations.filter(type="c/f")
        assert (first.batch, len(first.sent), first.stdout) == (second.batch, 0, "")
        assert [each.message.value for each in second.sent] == ["own"]
        assert second.stdout == ""
        assert not session.egress()
    if way == "task":
        assert "from a task" in capsys.readouterr().out
    for each in kept:
        if isinstance(each, threading.Thread):
            each.join(30)


def test_a_context_that_failed_is_over_too(functions):
    left = Left()

    @sf.function("c/f", state={"n": int}, functions=functions)
    async def f(ctx, message):
        async def task():
            await asyncio.to_thread(left.go.wait, 30)
            left.act(*acts(ctx))

        asyncio.get_running_loop().create_task(task())
        raise ValueError("no")

    with sf.start(port=0, functions=functions) as session:
        session.send("c/f", "k", 1)
        assert session.wait_idle().parked == 1
        left.go.set()
        eventually(lambda: left.errors)
        assert session.state("c/f") == {}


def test_tasks_and_threads_that_a_function_awaits_are_its_own(engine, functions):
    @sf.function("c/f", state={"n": int}, functions=functions)
    async def f(ctx, message):
        async def child(number):
            await asyncio.sleep(0)
            ctx.send("c/g", str(number), number)

        await asyncio.gather(*map(child, range(3)))
        await asyncio.to_thread(lambda: setattr(ctx.storage, "n", message.value))
        thread = threading.Thread(target=lambda: ctx.send("c/g", "thread", 1))
        thread.start()
        thread.join()
        print("own")

    sf.function("c/g", functions=functions)(lambda ctx, message: None)
    engine.send_many([("c/f", "k", number) for number in range(5)])
    engine.wait_idle()
    assert engine.state("c/f", "k") == {"n": 4}
    mine = engine.invocations.filter(type="c/f")
    assert [(len(each.sent), each.stdout) for each in mine] == [(4, "own\n")] * 5


def test_a_context_that_was_kept_still_says_whose_it_was(functions):
    kept = []

    @sf.function("c/f", state={"n": int}, functions=functions)
    def f(ctx, message):
        kept.append(ctx)

    with sf.start(port=0, functions=functions) as session:
        session.send("c/f", "k", 1)
        session.wait_idle()
    (context,) = kept
    assert str(context.address) == "c/f 'k'"
    assert "is over" in repr(context.storage)
    assert isinstance(context, sf.Context)


@pytest.mark.parametrize("style", ["sync", "async"])
def test_a_bound_method_alone_that_was_kept_is_refused_too(engine, functions, style):
    kept: list[Any] = []
    errors: list[str] = []

    def serve(ctx, message):
        if kept:
            with pytest.raises(sf.ContextEndedError) as caught:
                kept.pop()("c/g", "x", "stray")
            errors.append(str(caught.value))
        kept.append(ctx.send)
        ctx.send("c/g", "x", "own")

    async def serve_async(ctx, message):
        serve(ctx, message)

    sf.function("c/f", functions=functions)(serve if style == "sync" else serve_async)
    sf.function("c/g", functions=functions)(lambda ctx, message: None)
    engine.send_many([("c/f", "k", number) for number in range(3)])
    engine.wait_idle()
    assert [str(each.message.value) for each in engine.invocations.filter(type="c/g")] == [
        "own"
    ] * 3
    assert len(errors) == 2
    with pytest.raises(sf.ContextEndedError, match="is over"):
        kept.pop()("c/g", "x", "stray")
