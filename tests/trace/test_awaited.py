"""A session's call where the loop cannot go on meanwhile is refused at once, by whatever way."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

import statefun_nb as sf
from tests.waiting import eventually


def in_pool(call):
    with ThreadPoolExecutor() as pool:
        pool.submit(call).result()


def by_map(call):
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda _: call(), range(3)))


def several(call):
    with ThreadPoolExecutor() as pool:
        done, _ = wait([pool.submit(call) for _ in range(2)])
        [each.result() for each in done]


def one_by_one(call):
    with ThreadPoolExecutor() as pool:
        [each.result() for each in as_completed([pool.submit(call) for _ in range(2)])]


def in_the_end(call):
    with ThreadPoolExecutor() as pool:
        future = pool.submit(call)
    future.result()


def in_thread(call):
    errors: list[BaseException] = []

    def work():
        try:
            call()
        except sf.StatefunError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    for each in errors:
        raise each


CALLS = {
    "send": lambda s: s.send("w/g", "x", 1),
    "send_many": lambda s: s.send_many([("w/g", "x", n) for n in range(20_000)], progress=False),
    "wait_idle": lambda s: s.wait_idle(),
    "state": lambda s: s.state("w/g", "x"),
    "check": lambda s: s.check("w/g", "x"),
    "advance": lambda s: s.advance(timedelta(seconds=1)),
}


@pytest.mark.parametrize("call", ["send", "send_many", "wait_idle"])
@pytest.mark.parametrize(
    "way", [in_pool, by_map, several, one_by_one, in_the_end, in_thread], ids=lambda w: w.__name__
)
def test_in_a_thread_that_a_function_waits_for(engine, functions, way, call):
    @sf.function("w/f", functions=functions)
    def f(ctx, message):
        def work():
            # A call that comes before the function waits is refused when it looks again.
            eventually(lambda: awaited(engine))
            CALLS[call](engine)

        way(work)

    sf.function("w/g", functions=functions)(lambda ctx, message: None)
    begun = time.monotonic()
    engine.send("w/f", "x", 1)
    assert engine.wait_idle(30).parked == 1
    assert "a function waits for this thread" in engine.parked[0].reason
    assert time.monotonic() - begun < 9  # and not after the 10 s that an answer may take
    if (call, way) not in POSTED:
        assert not engine.invocations.filter(type="w/g")


# While there is room, send_many waits for nothing: it is right between one wait of a function for
# several threads and the next.
POSTED = {("send_many", way) for way in (by_map, several, one_by_one)}


def awaited(session):
    return session._thread.is_awaited(session._thread._thread.ident)


@pytest.mark.parametrize("call", ["send", "wait_idle", "check"])
def test_a_call_that_a_function_begins_to_wait_for_ends(functions, tmp_path, call):
    begun = threading.Event()

    @sf.function("w/f", functions=functions)
    def f(ctx, message):
        with ThreadPoolExecutor() as pool:

            def work():
                begun.set()
                CALLS[call](session)

            future = pool.submit(work)
            begun.wait(30)
            time.sleep(0.1)  # the call is under way by now, or is refused as the others are
            future.result()

    sf.function("w/g", functions=functions)(lambda ctx, message: None)
    with sf.start(port=0, functions=functions, durable=tmp_path / "w.db") as session:
        session.send("w/f", "x", 1)
        assert session.wait_idle(9).parked == 1  # and not when the call's own ten seconds are over
        assert "a function waits for this thread" in session.parked[0].reason
        assert not session.invocations.filter(type="w/g")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("way", ["task", "callback"])
def test_in_what_a_function_has_left_on_the_loop(engine, functions, way, call):
    errors: list[str] = []
    took: list[float] = []

    def act():
        begun = time.monotonic()
        try:
            CALLS[call](engine)
        except sf.SessionError as error:
            errors.append(str(error))
        took.append(time.monotonic() - begun)

    @sf.function("w/f", functions=functions)
    async def f(ctx, message):
        async def task():
            await asyncio.sleep(0.01)
            act()

        loop = asyncio.get_running_loop()
        kept.append(loop.create_task(task()) if way == "task" else loop.call_later(0.01, act))

    kept: list[Any] = []
    sf.function("w/g", functions=functions)(lambda ctx, message: None)
    engine.send("w/f", "x", 1)
    eventually(lambda: took)
    (text,) = errors
    assert "was made on it" in text
    assert took[0] < 2
    engine.wait_idle()
    assert not engine.invocations.filter(type="w/g")


def test_a_task_that_was_left_behind_sends_from_a_thread(engine, functions):
    kept = []

    @sf.function("w/f", functions=functions)
    async def f(ctx, message):
        async def task():
            await asyncio.sleep(0.01)
            await asyncio.to_thread(engine.send, "w/g", "x", 1)

        kept.append(asyncio.get_running_loop().create_task(task()))

    sf.function("w/g", functions=functions)(lambda ctx, message: None)
    engine.send("w/f", "x", 1)
    eventually(lambda: engine.invocations.filter(type="w/g"))
    engine.wait_idle()  # the row is there before what it did is applied


def test_the_loops_pool_is_inside_the_function_that_asks(engine, functions):
    @sf.function("w/f", functions=functions)
    async def f(ctx, message):
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, print, "from the pool")
        await loop.run_in_executor(None, engine.send, "w/g", "x", 1)

    sf.function("w/g", functions=functions)(lambda ctx, message: None)
    engine.send("w/f", "x", 1)
    assert engine.wait_idle().parked == 1
    assert "is not for the inside of a function" in engine.parked[0].reason
    (row,) = engine.invocations.filter(type="w/f")
    assert row.stdout == "from the pool\n"
    assert not engine.invocations.filter(type="w/g")


def test_other_threads_send_while_a_function_waits_for_its_own(functions):
    go, waits = threading.Event(), threading.Event()

    @sf.function("w/f", functions=functions)
    def f(ctx, message):
        with ThreadPoolExecutor() as pool:

            def work():
                waits.set()
                go.wait(30)

            pool.submit(work).result()

    sf.function("w/g", functions=functions)(lambda ctx, message: None)
    with sf.start(port=0, functions=functions) as session, ThreadPoolExecutor() as pool:
        session.send("w/f", "x", 1)
        waits.wait(30)
        pool.submit(session.send, "w/g", "x", 1).result(30)
        go.set()
        assert session.wait_idle(30).processed == 2


def test_sending_many_behind_a_function_that_never_returns_ends(functions, monkeypatch):
    monkeypatch.setattr("statefun_nb.sessions.session._STUCK_SECONDS", 0.2)
    go = threading.Event()

    @sf.function("w/f", functions=functions)
    def f(ctx, message):
        go.wait(60)

    with sf.start(port=0, functions=functions) as session:
        session.send("w/f", "x", 1)
        with pytest.raises(
            sf.BusyError, match=r"w/f 'x' has been running .* the first 60,000 were"
        ):
            session.send_many((("w/f", "y", n) for n in range(90_000)), progress=False)
        go.set()


class Waits(NamedTuple):
    """What a function waits by, how another thread ends that, and what it is called."""

    wait: Callable[[], object]
    end: Callable[[], object]
    name: str


def _waits(kind):
    if kind == "event":
        event = threading.Event()
        return Waits(event.wait, event.set, "Event.wait")
    if kind == "queue":
        items: queue.Queue[int] = queue.Queue()
        return Waits(items.get, lambda: items.put(1), "Queue.get")
    semaphore = threading.Semaphore(0)
    return Waits(semaphore.acquire, semaphore.release, "Semaphore.acquire")


@pytest.mark.parametrize("kind", ["event", "queue", "semaphore"])
def test_a_wait_names_the_function_that_waits_for_another_thread(functions, kind):
    """Nobody can know which thread it is for; so it is named, and the wait ends in its time."""
    waits = _waits(kind)
    functions.register("a/f", lambda ctx, message: waits.wait() and None)
    with sf.start(port=0, functions=functions) as session:
        session.send("a/f", "x", 1)
        eventually(lambda: any(each.waits_in for each in session.running))
        (running,) = session.running
        assert running.waits_in == waits.name
        assert f"where it waits for another thread ({waits.name})" in running.text
        said = rf"another thread \({waits.name}\).*; if it waits for the thread that has asked here"
        begin = time.monotonic()
        with pytest.raises(sf.IdleTimeout, match=said):
            session.wait_idle(0.3)
        assert time.monotonic() - begin < 5
        waits.end()
        session.wait_idle()
        assert session.status().processed == 1
