"""The embedded engine on the greeter, beside a loop that only parses and serialises its bytes."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import statefun_nb as sf
from statefun_nb.demos.greeter import greeter_functions, greetings
from statefun_nb.sdk.dispatch import Outcome
from statefun_nb.trace.traced import TracedHandler

from .limit import prepare, round_trip
from .report import Row, at_least

__all__ = ["measure"]

_MESSAGES = 200_000
_ROUNDS = 3
_KEYS = (10, 1_000, 100_000)
_LIMIT_GOAL = 0.4
_MANY_KEYS_GOAL = 0.8

Messages = list[tuple[str, str, str]]


def run(
    messages: Messages, *, trace: bool = True, batch_limit: int = 1000, durable: Path | None = None
) -> float:
    """Messages a second, from the first send to the last egress record."""
    # What the benchmark itself holds, the bytes of 400,000 requests, is not the engine's to visit.
    gc.collect()
    gc.freeze()
    try:
        return _run(messages, trace=trace, batch_limit=batch_limit, durable=durable)
    finally:
        gc.unfreeze()


def _run(messages: Messages, **options: Any) -> float:
    with sf.start(port=0, functions=greeter_functions(), **options) as session:
        begin = time.perf_counter()
        session.send_many(messages, progress=False)
        session.wait_idle(timeout=600)
        seconds = time.perf_counter() - begin
        assert len(session.egress("example/out")) == len(messages)
    return len(messages) / seconds


def exchanged(messages: Messages) -> list[tuple[bytes, bytes]]:
    """The bytes of each request and its reply in such a run."""
    pairs: list[tuple[bytes, bytes]] = []
    start = TracedHandler.start

    def recording(handler: TracedHandler, data: bytes) -> object:
        outcome = start(handler, data)
        assert isinstance(outcome, Outcome)  # the greeter is a sync function
        pairs.append((data, outcome.reply))
        return outcome

    TracedHandler.start = recording  # type: ignore[method-assign, assignment]  # to listen in
    try:
        run(messages, trace=False)
    finally:
        TracedHandler.start = start  # type: ignore[method-assign]
    return pairs


def limit(pairs: list[tuple[bytes, bytes]], messages: int) -> float:
    """Messages a second of a loop that does nothing but ``round_trip``."""
    prepared = [prepare(request, reply) for request, reply in pairs]
    begin = time.perf_counter()
    for request, asked, reply, answered in prepared:
        round_trip(request, asked, reply, answered)
    return messages / (time.perf_counter() - begin)


def measure() -> Iterator[Row]:
    """Messages a second with 10, 1,000 and 100,000 keys, trace on and off."""
    for keys in _KEYS:
        messages = greetings(_MESSAGES, keys)
        pairs = exchanged(messages)
        rounds = [
            (run(messages), run(messages, trace=False), limit(pairs, len(messages)))
            for _ in range(_ROUNDS)
        ]
        on, off, most = (median(column) for column in zip(*rounds, strict=True))
        yield Row(
            f"engine, {keys:,} keys, traced",
            on,
            "messages/s",
            most,
            "only parsing and serialising",
            **at_least(_LIMIT_GOAL, median(r[0] / r[2] for r in rounds)),
        )
        yield Row(f"engine, {keys:,} keys, not traced", off, "messages/s", on, "traced", off / on)
    yield _durable()
    yield _flatness()


def _durable() -> Row:
    messages = greetings(_MESSAGES, 1_000)
    rounds = []
    for _ in range(_ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            kept = run(messages, durable=Path(folder) / "kept.db")
        rounds.append((kept, run(messages)))
    return Row(
        "engine, 1,000 keys, durable",
        median(r[0] for r in rounds),
        "messages/s",
        median(r[1] for r in rounds),
        "in memory",
        median(r[0] / r[1] for r in rounds),
    )


def _flatness() -> Row:
    # With few keys more messages wait for each, and batches are larger. Cost by key is seen where
    # that plays no part: one message a request.
    few, many = greetings(_MESSAGES, 1_000), greetings(_MESSAGES, 100_000)
    rounds = [(run(many, batch_limit=1), run(few, batch_limit=1)) for _ in range(_ROUNDS)]
    return Row(
        "engine, 100,000 keys, one message a request",
        median(r[0] for r in rounds),
        "messages/s",
        median(r[1] for r in rounds),
        "1,000 keys",
        **at_least(_MANY_KEYS_GOAL, median(r[0] / r[1] for r in rounds)),
    )
