"""The endpoint over HTTP, beside SDKs of StateFun on aiohttp: the same requests, in turn."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median

from statefun_nb.protocol.v2 import encode_request

from .load import load
from .peers import STATEFUN_2, peer_python, serving
from .report import Row, at_least
from .requests import person_request

__all__ = ["measure"]

_ROUNDS = 3
_SECONDS = 2.0
_GOALS = {1: 2.0, 100: 2.0, 1000: 2.5}


def measure() -> Iterator[Row]:
    """Invocations a second, for batches of 1, 100 and 1,000; of protocol v2, of 100."""
    with serving(sys.executable, "ours.py") as ours:
        with serving(peer_python(), "peer.py") as peer:
            for batch, goal in _GOALS.items():
                body = person_request(batch)
                yield _beside(
                    f"endpoint, batch of {batch:,}",
                    batch,
                    partial(load, ours, body),
                    partial(load, peer, body),
                    "flink-statefun 3.5.0 on aiohttp",
                    goal,
                )
        with serving(peer_python(STATEFUN_2), "peer_2.py") as peer:
            body = encode_request(person_request(100))
            yield _beside(
                "endpoint, protocol v2, batch of 100",
                100,
                partial(load, ours, body, path="/statefun/v2"),
                partial(load, peer, body),
                "apache-flink-statefun 2.2.2 on aiohttp",
                5.0,
            )


def _beside(
    what: str,
    batch: int,
    ours: Callable[[float], float],
    peer: Callable[[float], float],
    name: str,
    goal: float,
) -> Row:
    """One row: answers a second of both, in turn, after both are warm."""
    ours(0.3)
    peer(0.3)
    rounds = [(ours(_SECONDS) * batch, peer(_SECONDS) * batch) for _ in range(_ROUNDS)]
    return Row(
        what,
        median(mine for mine, _ in rounds),
        "invocations/s",
        median(its for _, its in rounds),
        name,
        **at_least(goal, median(mine / its for mine, its in rounds)),
    )
