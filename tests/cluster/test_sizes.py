"""What is large on the real StateFun: it goes through, or is an error of who makes it so large."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

import statefun_nb as sf
from statefun_nb.cluster.release import RELEASES
from statefun_nb.sessions.options import Options
from tests.requirements import need_flink
from tests.waiting import eventually

from .shared import left_as_it_was, shared_cluster

MEGABYTE = 1_000_000


RELEASED: list[bool] = []


def keep(ctx, megabytes):
    ctx.storage.text = "x" * (megabytes * MEGABYTE)


def send_one(ctx, megabytes):
    ctx.send("z/nothing", "a", "x" * (megabytes * MEGABYTE))


def send_many(ctx, megabytes):
    for number in range(megabytes // 10):
        ctx.send("z/nothing", str(number), "x" * (10 * MEGABYTE))


DOES = {
    "keep": (keep, 68, "the state of z/large 'keep' would have 68,0"),
    "send_one": (send_one, 68, "a message of 68,0.* to z/nothing 'a' is too large"),
    "send_many": (
        send_many,
        270,
        "the reply to 1 message has 270,.* and a cluster takes 268,435,456",
    ),
}


def declare(functions):
    @sf.function("z/slow", state={"n": int, "size": int}, functions=functions)
    async def slow(ctx, message):
        while not RELEASED:
            await asyncio.sleep(0.01)
        ctx.storage.n = (ctx.storage.n or 0) + 1
        ctx.storage.size = (ctx.storage.size or 0) + len(message.value)

    @sf.function("z/burst", functions=functions)
    def burst(ctx, message):
        for _ in range(80):
            ctx.send("z/slow", "a", "x" * MEGABYTE)
        ctx.send("z/behind", "a", "all of them wait for the first")

    @sf.function("z/behind", functions=functions)
    def behind(ctx, message):
        RELEASED.append(True)

    declare_large(functions)


def declare_large(functions):
    @sf.function("z/large", state={"text": str}, functions=functions)
    def large(ctx, message):
        does, megabytes, _ = DOES[ctx.address.id]
        does(ctx, megabytes)


@pytest.fixture(scope="module", params=RELEASES)
def cluster(request):
    RELEASED.clear()
    with shared_cluster("z", request.param, declare) as (session, functions):
        yield session, functions


@pytest.fixture
def shared(cluster):
    session, _ = cluster
    with left_as_it_was(session, 180):
        yield cluster
    assert session.engine.cluster.restored() == 0


def test_a_batch_and_a_reply_of_more_than_64_mib_go_through(shared):
    session, _ = shared
    session.send("z/slow", "a", "first")
    eventually(lambda: session.status().running, 60)
    session.send("z/burst", "a", 1)
    session.wait_idle(180)
    assert session.state("z/slow", "a") == {"n": 81, "size": 80 * MEGABYTE + len("first")}
    largest = max(each.batch for each in session.invocations.filter(type="z/slow"))
    assert sum(e.batch == largest for e in session.invocations) > 64


@pytest.mark.parametrize("name", DOES)
def test_what_the_cluster_would_not_take_parks_its_address(shared, name):
    session, functions = shared
    declare_large(functions)
    session.send("z/large", name, 1)
    assert session.wait_idle(180).parked == 1
    (parked,) = session.parked
    assert parked.address.id == name
    assert re.search(DOES[name][2], parked.reason)
    session.send("z/slow", "b", "goes on")
    session.wait_idle(180)
    assert session.state("z/slow", "b")["n"] > 0

    @sf.function("z/large", state={"text": str}, functions=functions)
    def mended(ctx, message):
        ctx.storage.text = "small"

    session.wait_idle(180)
    assert session.state("z/large", name) == {"text": "small"}


@pytest.mark.parametrize("statefun", RELEASES)
def test_a_request_that_the_endpoint_refuses_for_its_size_is_told(functions, statefun):
    need_flink()

    @sf.function("z/f", state={"n": int}, functions=functions)
    def f(ctx, message):
        ctx.storage.n = 1

    session = sf.Session(Options(engine="flink", statefun=statefun, port=0, functions=functions))
    try:
        # As if a request had 256 MB: nobody here waits for so much.
        session.endpoint.take(MEGABYTE, RELEASES[statefun].too_large)
        session.send("z/f", "a", "small")
        session.wait_idle(180)
        session.send("z/f", "a", "x" * 2 * MEGABYTE)
        says = (
            r"asks again and again with 2,0\d\d,\d\d\d bytes at once.*most for z/f 'a': 1 message"
        )
        with pytest.raises(sf.IdleTimeout, match=says):
            session.wait_idle(5)
        assert "again and again with 2,0" in session.status().health
        session.send("z/f", "b", "small")  # the job has not failed: all others go on
        eventually(lambda: session.state("z/f", "b"), 30)
        cluster: Any = session.engine.cluster
        assert cluster.restored() == 0
    finally:
        assert session.stop(30)
