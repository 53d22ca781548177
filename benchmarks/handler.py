"""``handle_sync`` alone, as a host without an event loop calls it (AWS Lambda), beside a peer's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from .peers import peer_python
from .report import Row, at_least
from .requests import person_request

__all__ = ["measure"]

_ROUNDS = 5
_SCRIPT = Path(__file__).parent / "servers" / "sync.py"


def _rate(python: str, module: str, body: bytes) -> float:
    command = [python, str(_SCRIPT), module, "1.0", body.hex()]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure() -> Iterator[Row]:
    """Requests a second at a batch of 1."""
    body, peer = person_request(1), peer_python()
    rounds = [
        (_rate(sys.executable, "statefun_nb", body), _rate(peer, "statefun", body))
        for _ in range(_ROUNDS)
    ]
    yield Row(
        "handle_sync, batch of 1",
        median(mine for mine, _ in rounds),
        "requests/s",
        median(its for _, its in rounds),
        "flink-statefun 3.5.0",
        **at_least(8.0, median(mine / its for mine, its in rounds)),
    )
