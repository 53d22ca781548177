"""A durable session killed at random, again and again: nothing is lost, doubled or out of order.

python -m benchmarks.storms.kills [KILLS] [--seed N]
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import statefun_nb as sf

__all__ = ["storm"]

_KEYS = 7
_DELAY = timedelta(milliseconds=30)
_ROOT = Path(__file__).parents[2]


def _functions() -> sf.StatefulFunctions:
    """Each number goes to its key, which counts it, sends it on, emits it, and again later."""
    functions = sf.StatefulFunctions()

    @sf.function("d/in", state={"n": int, "late": int}, functions=functions)
    def take(ctx: sf.Context, message: sf.Message) -> None:
        number, is_late = divmod(message.value, 2)
        if is_late:
            ctx.storage.late = (ctx.storage.late or 0) + 1
            return
        ctx.storage.n = (ctx.storage.n or 0) + 1
        ctx.send("d/sum", "all", number)
        ctx.send_after(_DELAY, "d/in", ctx.address.id, 2 * number + 1)
        ctx.send_egress(sf.egress_message_builder("d/out", number, sf.IntType))

    @sf.function("d/sum", state={"n": int, "total": int}, functions=functions)
    def add(ctx: sf.Context, message: sf.Message) -> None:
        ctx.storage.n = (ctx.storage.n or 0) + 1
        ctx.storage.total = (ctx.storage.total or 0) + message.value

    return functions


def _work(path: str, first: int) -> None:
    """Send numbers, and say which ``send`` has returned, until somebody ends it."""
    with sf.start(
        port=0, durable=path, functions=_functions(), trace=False, batch_limit=3
    ) as session:
        print("began", flush=True)
        for number in range(first, 1 << 40):
            session.send("d/in", str(number % _KEYS), 2 * number)
            print(number, flush=True)


def _killed(path: Path, first: int, seconds: float) -> int:
    """Let it work for so long and kill it; the number after the last one that was confirmed."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.storms.kills", "--work", str(path), str(first)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        if said != "began\n":
            raise AssertionError(f"it did not start: {said}")
        threading.Timer(seconds, process.send_signal, [signal.SIGKILL]).start()
        numbers = [int(line) for line in process.stdout if line.endswith("\n")]
    return numbers[-1] + 1 if numbers else first


def storm(kills: int, seed: int = 0) -> dict[str, Any]:
    """Kill it so often; what was counted in the end.

    Raises
    ------
    AssertionError
        When anything is lost, doubled, or out of order.
    """
    choose = random.Random(seed)  # noqa: S311 - the same ones again, by their seed
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kept.db"
        confirmed = 0
        for _ in range(kills):
            confirmed = _killed(path, confirmed, choose.uniform(0.0, 0.5))
        with sf.start(port=0, durable=path, functions=_functions(), trace=False) as session:
            session.wait_idle(60)
            out = [record.value for record in session.egress("d/out")]
            keys = session.state("d/in")
            summed = session.state("d/sum", "all")
    # One whose send was cut off may be in the file, and is sent again: each kill doubles one number
    # at most, and each send is one message with all its effects.
    assert set(out) >= set(range(confirmed)), "what was confirmed is lost"
    doubled = len(out) - len(set(out))
    assert doubled <= kills, f"{doubled} are there twice"
    assert summed["n"] == len(out), (summed, len(out))
    assert summed["total"] == sum(out), (summed, sum(out))
    assert sum(each["n"] for each in keys.values()) == len(out)
    assert sum(each["late"] for each in keys.values()) == len(out), "a timer is lost or doubled"
    for key in range(_KEYS):
        mine = [number for number in out if number % _KEYS == key]
        assert mine == sorted(mine), f"key {key} is out of order"
    return {"kills": kills, "confirmed": confirmed, "served": len(out), "sent twice": doubled}


def main() -> None:
    """Kill it, and print what came of it."""
    parser = argparse.ArgumentParser(prog="kills", description=__doc__)
    parser.add_argument("kills", nargs="?", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        _work(options.work[0], int(options.work[1]))
        return
    begin = time.perf_counter()
    print(storm(options.kills, options.seed))
    print(f"{time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
