"""Memory: after a million messages, and with a million addresses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from .report import Row, at_most

__all__ = ["measure"]

_CODE = """
import gc, sys
from pathlib import Path
import statefun_nb as sf
from statefun_nb.demos.greeter import greeter_functions

def resident():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

messages, keys = int(sys.argv[1]), int(sys.argv[2])

@sf.function("example/person", state={"visits": int})
def person(ctx, message):
    ctx.storage.visits = (ctx.storage.visits or 0) + 1

with sf.start(port=0) as session:
    before = resident()
    session.send_many((("example/person", f"user-{i % keys}", "hello") for i in range(messages)),
                      progress=False)
    session.wait_idle(timeout=600)
    assert session.status().processed == messages
    print(resident() - before, session.status().trace_bytes / 2**20)
"""


def _grown(messages: int, keys: int) -> tuple[float, float]:
    """MiB that the process has grown by, and MiB that the trace says it holds."""
    done = subprocess.run(
        [sys.executable, "-c", _CODE, str(messages), str(keys)],
        check=True,
        capture_output=True,
        text=True,
    )
    grown, traced = done.stdout.split()
    return float(grown), float(traced)


def measure() -> Iterator[Row]:
    """Resident memory, in a process of its own each."""
    small, _ = _grown(100_000, 1_000)
    grown, traced = _grown(1_000_000, 1_000)
    yield Row(
        "memory after 1,000,000 messages, 1,000 addresses",
        grown,
        "MiB",
        small,
        "after 100,000 messages",
        **at_most(1.5, grown / small),
    )
    yield Row("trace after 1,000,000 messages", traced, "MiB", 64, "its limit", traced / 64)
    grown, _ = _grown(1_000_000, 1_000_000)
    yield Row("memory of 1,000,000 addresses with state", grown * 2**20 / 1e6, "bytes each")
