"""A function that does not come back is named with the line where it is, also while it waits."""

from __future__ import annotations

import asyncio
import functools
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import statefun_nb as sf
from tests.waiting import eventually

CURE = r"correct its cell and run it again \(that ends it\), or s\.stop\(\)"


async def inner(event):
    await event.wait()  # the line that is meant


LINE = inner.__code__.co_firstlineno + 1


@pytest.mark.parametrize("way", ["coroutine", "gather", "sleep"])
def test_the_line_of_the_await_is_told(functions, way):
    @sf.function("r/f", functions=functions)
    async def f(ctx, message):
        if way == "coroutine":
            await inner(asyncio.Event())
        elif way == "gather":
            await asyncio.gather(inner(asyncio.Event()))
        else:
            await asyncio.sleep(3600)

    first = f.__code__.co_firstlineno
    line = {"coroutine": LINE, "gather": first + 5, "sleep": first + 7}[way]
    with sf.start(port=0, functions=functions) as session:
        session.send("r/f", "x", 1)
        eventually(lambda: session.running)
        place = rf"waiting at test_running\.py, line {line}\b"
        with pytest.raises(sf.IdleTimeout, match=rf"r/f 'x' has been running .*{place}.*{CURE}"):
            session.wait_idle(1.2)
        (running,) = session.running
        assert (running.line, running.waits_at) == ("", f"test_running.py, line {line}")
        assert f"line {line}" in repr(session.status())


def by_event(go):
    go.wait(60)


def by_thread(go):
    thread = threading.Thread(target=go.wait, args=(60,))
    thread.start()
    thread.join()


def by_pool(go):
    with ThreadPoolExecutor() as pool:
        pool.submit(go.wait, 60).result()


WAITS = {by_event: "Event.wait", by_thread: "Thread.join", by_pool: "Future.result"}


@pytest.mark.parametrize("wait", WAITS, ids=[each.__name__ for each in WAITS])
def test_the_cure_of_an_endless_function_is_told(functions, wait):
    go = threading.Event()
    waits_in = re.escape(WAITS[wait])
    place = rf", at test_running\.py, line \d+, where it waits for another thread \({waits_in}\)"

    @sf.function("r/f", functions=functions)
    def f(ctx, message):
        wait(go)

    with sf.start(port=0, functions=functions) as session:
        session.send("r/f", "x", 1)
        eventually(lambda: session.running)
        with pytest.raises(sf.IdleTimeout, match=rf"{place}.*{CURE}"):
            session.wait_idle(1.2)
        with pytest.raises(sf.BusyError, match=rf"{place}; .*{CURE}"):
            session._thread.call(int, timeout=0.5)
        go.set()


def test_a_page_of_a_session_that_is_busy_says_so_and_blames_no_path(
    functions, tmp_path, monkeypatch
):
    go = threading.Event()

    @sf.function("r/f", state={"n": int}, functions=functions)
    def f(ctx, message):
        go.wait(60)

    with sf.start(port=0, functions=functions) as session:
        session.send("r/f", "x", 1)
        eventually(lambda: session.running)
        quick = functools.partial(session._thread.call, timeout=0.3)
        monkeypatch.setattr(session._thread, "call", quick)
        try:
            with pytest.raises(sf.BusyError, match=r"r/f 'x' has been running"):
                session.snapshot_html(tmp_path / "page.html")
        finally:
            go.set()
