"""Where the engines differ, as docs/real-cluster.md has it: its table is made from this one.

    python -m tests.parity.differences

A difference is a function of a ``Play`` that says what it sees, and what it sees on each engine.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

import statefun_nb as sf
from tests.parity.scenarios import Play
from tests.waiting import eventually

__all__ = ["DIFFERENCES", "Difference", "table"]


class Difference(NamedTuple):
    """What is done, and what is seen of it; ``what`` is the row's head in the table."""

    what: str
    embedded: str
    real: str
    look: Callable[[Play], str]


DIFFERENCES: dict[str, Difference] = {}


def difference(what: str, embedded: str, real: str):
    def add(look):
        DIFFERENCES[look.__name__] = Difference(what, embedded, real, look)
        return look

    return add


def refused(call) -> str:
    try:
        call()
    except sf.EngineError:
        return "an error"
    return "yes"


@difference('`step`, `advance`, `set_state`, `clock="virtual"`', "yes", "an error")
def what_is_done_by_hand(play):
    @play.declare("f", {"n": int})
    def f(ctx, message):
        ctx.storage.n = 1

    play.send("f", "a", 1)
    play.wait()
    return refused(lambda: play.session.set_state(play.type("f"), "a", n=2))


@difference(
    "a message that fails in a batch",
    "is found by sending the batch again one by one: those before it go through",
    "the whole batch waits",
)
def a_message_that_fails_in_a_batch(play):
    started: list[bool] = []
    released: list[bool] = []

    @play.declare("f", {"n": int})
    async def f(ctx, message):
        started.append(True)
        while not released:
            await asyncio.sleep(0.01)
        if message.value == "bad":
            raise ValueError("bad")
        ctx.storage.n = (ctx.storage.n or 0) + 1

    @play.declare("two")
    def two(ctx, message):
        ctx.send(play.type("f"), "a", "good")
        ctx.send(play.type("f"), "a", "bad")
        ctx.send(play.type("behind"), "a", "the two are one batch behind the first")

    @play.declare("behind")
    def behind(ctx, message):
        released.append(True)

    play.send("f", "a", "first")
    eventually(lambda: started, 90)
    play.send("two", "a", 1)
    parked = play.wait().parked
    through = play.session.state(play.type("f"), "a")["n"]
    play.session.discard(play.type("f"), "a")
    play.wait()
    return {
        (1, 2): "is found by sending the batch again one by one: those before it go through",
        (2, 1): "the whole batch waits",
    }[parked, through]


@difference("state of an expired value", "gone", "shown until the address is invoked again")
def state_of_an_expired_value(play):
    spec = sf.ValueSpec("v", sf.IntType, expire_after_write=timedelta(milliseconds=200))

    @play.declare("f", [spec])
    def f(ctx, message):
        ctx.storage.v = 1

    play.send("f", "a", 1)
    play.wait()
    time.sleep(0.4)
    shown = play.session.state(play.type("f"), "a")
    return "shown until the address is invoked again" if shown else "gone"


@difference(
    "a function sends to a namespace that nobody serves",
    "the message waits for its cell",
    "an error of the sender",
)
def a_namespace_that_nobody_serves(play):
    nobody = f"nobody_{play.name}/f"

    @play.declare("f")
    def f(ctx, message):
        ctx.send(nobody, "a", 1)

    play.send("f", "a", 1)
    play.wait()
    (parked,) = [e for e in play.session.parked if e.address.typename in (nobody, play.type("f"))]
    play.session.discard(parked.address.typename, "a")
    play.wait()
    sender = parked.address.typename == play.type("f")
    return "an error of the sender" if sender else "the message waits for its cell"


@difference("a message of more than 64 MiB", "goes through", "an error of `send`")
def a_message_of_more_than_64_mib(play):
    @play.declare("f", {"n": int})
    def f(ctx, message):
        ctx.storage.n = len(message.value)

    sent = refused(lambda: play.send("f", "a", "x" * 70_000_000))
    play.wait()
    return "goes through" if sent == "yes" else "an error of `send`"


@difference("state of one address of more than 64 MiB", "is kept", "an error of the function")
def state_of_more_than_64_mib(play):
    @play.declare("f", {"text": str})
    def f(ctx, message):
        ctx.storage.text = "x" * 70_000_000

    play.send("f", "a", 1)
    if not play.wait().parked:
        return "is kept"

    @play.declare("f", {"text": str})
    def mended(ctx, message):
        ctx.storage.text = ""

    play.wait()
    return "an error of the function"


@difference("the playground's ingress and egress in a module.yaml", "yes", "an error")
def the_playground(play):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    text = f"kind: io.statefun.playground.v1/egress\nspec:\n  port: {port}\n  topics: [t]\n"
    return refused(lambda: play.session.load_module(text))


def table() -> list[str]:
    """The rows of the table in docs/real-cluster.md that are made from these."""
    return [f"| {each.what} | {each.embedded} | {each.real} |" for each in DIFFERENCES.values()]


if __name__ == "__main__":
    print(*table(), sep="\n")
