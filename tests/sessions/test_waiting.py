"""What ``wait_idle`` says when its time is up: what moves, where, and why."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
import threading
from datetime import timedelta

import pytest

import statefun_nb as sf
from tests.waiting import eventually


def test_an_endless_chain_is_named_and_what_failed_long_ago_is_not(functions):
    @sf.function("w/chain", functions=functions)
    def chain(ctx, message):
        ctx.send("w/chain", ctx.address.id, message.value + 1)

    @sf.function("w/bad", functions=functions)
    def bad(ctx, message):
        raise ValueError("long ago")

    with sf.start(port=0, functions=functions) as session:
        session.send("w/bad", "b", 1)
        assert session.wait_idle().parked == 1
        session.send("w/chain", "x", 1)
        with pytest.raises(sf.IdleTimeout) as caught:
            session.wait_idle(2)
        text = str(caught.value)
        assert "messages served meanwhile, the last by w/chain 'x': a chain that always" in text
        assert "w/bad" not in text
        assert "make it async" not in text
        session.pause()


@pytest.mark.parametrize(
    ("paused", "wait"),
    [
        (False, lambda session: session.wait_idle(3)),
        (True, lambda session: session.step(3)),
        (False, lambda session: session.advance(timedelta(seconds=1), timeout=3)),
    ],
    ids=["wait_idle", "step", "advance"],
)
@pytest.mark.parametrize("listens", [True, False])
def test_who_waits_for_an_endpoint_elsewhere_is_told_for_which(
    functions, monkeypatch, paused, wait, listens
):
    pytest.importorskip("aiohttp")
    monkeypatch.setattr("statefun_nb.engine.remote._SILENT_SECONDS", 0.1)
    becomes = "has had no answer from {url} for " if listens else "is asked for .* {url}: Cannot"
    with (
        socket.socket() as taken,
        sf.start(port=0, functions=functions, clock="virtual") as session,
    ):
        taken.bind(("127.0.0.1", 0))
        if listens:  # and accepts nothing: the system takes the connection, and nobody reads
            taken.listen()
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/statefun"
        session.load_module(
            f"kind: io.statefun.endpoints.v2/http\nspec:\n  functions: away/*\n"
            f"  urlPathTemplate: {url}\n"
        )
        if paused:
            session.pause()
        session.send("away/f", "x", 1)
        with pytest.raises(
            (sf.IdleTimeout, sf.BusyError), match=rf"; away/f 'x' {becomes.format(url=url)}"
        ):
            wait(session)


UNAWAITED = """
import statefun_nb as sf

async def look_up(key):
    pass

class Client:
    async def get(self, key):
        pass

@sf.function("w/sync")
def sync(ctx, message):
    look_up(message.value)

@sf.function("w/async")
async def asynchronous(ctx, message):
    Client().get(message.value)
    await look_up(message.value)

with sf.start(port=0) as session:
    for name in ("w/sync", "w/async"):
        session.send_many([(name, key, 1) for key in "ab"], progress=False)
    session.wait_idle()
    session.wait_idle()
    assert {each.status for each in session.invocations} == {"ok"}
"""


def test_a_coroutine_that_nobody_awaits_is_told_once_where_one_waits(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(UNAWAITED)
    done = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, timeout=120, check=True
    )
    told = re.findall(r"program.py:(\d+): UserWarning: (w/.*), and nothing of it", done.stderr)
    line = str(UNAWAITED.splitlines().index("    session.wait_idle()") + 1)
    assert sorted(told, key=lambda each: each[1]) == [
        (line, "w/async called Client.get() without awaiting it"),
        (line, "w/sync called look_up() without awaiting it"),
    ], done.stderr


def test_idle_says_so_where_the_session_ends_meanwhile(functions):
    async def cell():
        waiting = asyncio.create_task(session.idle())
        await asyncio.sleep(0)  # it has begun
        session.stop()
        await waiting

    with sf.start(port=0, functions=functions) as session, pytest.raises(sf.StatefunError):
        asyncio.run(cell())


def test_idle_that_is_cancelled_waits_no_more(functions):
    go_on = threading.Event()

    @sf.function("w/slow", functions=functions)
    async def slow(ctx, message):
        await asyncio.to_thread(go_on.wait, 30)

    async def cell():
        waiting = asyncio.create_task(session.idle())
        await asyncio.to_thread(eventually, lambda: driver._waiters)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    with sf.start(port=0, functions=functions) as session:
        driver = session.engine._driver  # type: ignore[attr-defined]
        session.send("w/slow", "x", 1)
        asyncio.run(cell())
        eventually(lambda: not driver._waiters)
        go_on.set()
        assert session.wait_idle().processed == 1
