"""Ctrl-C at many moments of a real cluster's life: a working session is left, or nothing.

    python -m tests.cluster.interrupts [HOW_MANY]

Interrupts a program at 0.5 s of its time, another one at 1 s, and so on: while it starts, sends,
waits and stops. Some minutes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

__all__ = ["interrupted"]

SECONDS = 0.5

PROGRAM = """
import os, signal, sys, threading, time, traceback
from pathlib import Path
import statefun_nb as sf

@sf.function("c/f", state={"n": int})
def f(ctx, message):
    ctx.storage.n = (ctx.storage.n or 0) + 1

def commands():
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(entry.read_bytes().decode(errors="replace"))
        except OSError:
            pass
    return [each for each in found if os.environ["TMPDIR"] in each and "supervisor.py" in each
            or os.environ["TMPDIR"] in each and "-cp" in each]

def count(name):
    return sum(name in each for each in commands())

def interrupt():
    time.sleep(float(sys.argv[1]))
    os.kill(os.getpid(), signal.SIGINT)

# Whoever was started in the background by a shell ignores it.
signal.signal(signal.SIGINT, signal.default_int_handler)
threading.Thread(target=interrupt, daemon=True).start()
doing = "start"
try:
    s = sf.start(engine="flink", port=0)
    doing = "send"
    s.send("c/f", "a", 1)
    doing = "wait"
    s.wait_idle(180)
    doing = "stop"
    sf.stop()
    doing = "rest"
    time.sleep(600)
except KeyboardInterrupt:
    pass
try:
    s = sf.session()
except sf.SessionError:
    left = "nothing"
    until = time.monotonic() + 60
    while commands() and time.monotonic() < until:
        time.sleep(0.1)
    assert not commands(), commands()
else:
    left = "a session"
    s.send("c/f", "b", 1)
    s.wait_idle(180)
    assert s.state("c/f", "b") == {"n": 1}, s.state("c/f")
    assert s.state("c/f", "a") in ({}, {"n": 1}), s.state("c/f")
    one = [count(each) for each in ("ClusterEntryPoint", "kafka.Kafka", "supervisor.py")]
    assert one == [1, 1, 1], one
    assert count("TaskManagerRunner") == 1
sf.stop()
assert not commands(), commands()
print(doing, "->", left)
"""


def interrupted(moment: float) -> str:
    """Run the program with an interrupt so many seconds after its start; where that met it.

    Raises
    ------
    AssertionError
        When something is left that should not be.
    """
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROGRAM, str(moment)],
            env={**os.environ, "TMPDIR": folder},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        left = [each.name for each in Path(folder).glob("statefun_nb_*")]
        assert not left, left
    return done.stdout.strip()


def main() -> None:
    """Interrupt at as many moments as the command line says."""
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    begin = time.monotonic()
    for number in range(1, many + 1):
        print(f"{number * SECONDS:5.1f} s: {interrupted(number * SECONDS)}", flush=True)
    print(f"{many} interrupts, {time.monotonic() - begin:.0f} s: nothing is left of any")


if __name__ == "__main__":
    main()
