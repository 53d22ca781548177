"""The endpoint over HTTP, beside flink-statefun on aiohttp: the same requests, in turn."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from statistics import median

from .load import load
from .peers import peer_python, serving
from .report import Row, at_least
from .requests import person_request

__all__ = ["measure"]

_ROUNDS = 3
_SECONDS = 2.0
_GOALS = {1: 2.0, 100: 2.0, 1000: 2.5}


def measure() -> Iterator[Row]:
    """Invocations a second, for batches of 1, 100 and 1,000."""
    with serving(sys.executable, "ours.py") as ours, serving(peer_python(), "peer.py") as peer:
        for batch, goal in _GOALS.items():
            body = person_request(batch)
            load(ours, body, 0.3)  # warm both up
            load(peer, body, 0.3)
            rounds = [
                (load(ours, body, _SECONDS) * batch, load(peer, body, _SECONDS) * batch)
                for _ in range(_ROUNDS)
            ]
            yield Row(
                f"endpoint, batch of {batch:,}",
                median(mine for mine, _ in rounds),
                "invocations/s",
                median(its for _, its in rounds),
                "flink-statefun 3.5.0 on aiohttp",
                **at_least(goal, median(mine / its for mine, its in rounds)),
            )
