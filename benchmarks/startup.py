"""How long it takes until something can be done: import, and ``sf.start()`` in a warm kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from statistics import median

from .report import Row, at_most

__all__ = ["measure"]

_ROUNDS = 11
_IMPORT_GOAL = 1.4

_OURS = "import statefun_nb"

_THIRD_PARTY = """
import sys
before = set(sys.modules)
import statefun_nb
import json, site
ours = set(sys.modules) - before
own = {"statefun_nb"}
print(json.dumps(sorted(m for m in ours if m.split(".")[0] not in own)))
"""

_FIRST_INVOCATION = """
import time
import statefun_nb as sf

@sf.function("example/first", state={"n": int})
def first(ctx, message):
    ctx.storage.n = 1

def once():
    begin = time.perf_counter()
    session = sf.start(port=0)
    session.send("example/first", "x", "hello")
    session.wait_idle()
    seconds = time.perf_counter() - begin
    assert session.state("example/first", "x") == {"n": 1}
    sf.stop()
    return seconds

once()  # a warm kernel
print(once())
"""


def _seconds(code: str) -> float:
    """How long ``code`` runs in a fresh interpreter, its own start not counted."""
    timed = f"import time\nbegin = time.perf_counter()\n{code}\nprint(time.perf_counter() - begin)"
    return float(_output(timed))


def _output(code: str) -> str:
    # As users have it: the modules are compiled once and kept.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
    )
    return done.stdout.strip()


def measure() -> Iterator[Row]:
    """Import time beside that of the modules that it needs; then the first invocation."""
    names = json.loads(_output(_THIRD_PARTY))
    others = "import importlib\n" + "\n".join(
        f"importlib.import_module({name!r})" for name in names if name in _importable(names)
    )
    rounds = [
        (_seconds(_OURS), _seconds(others), float(_output(_FIRST_INVOCATION)))
        for _ in range(_ROUNDS)
    ]
    ours, needed, first = (median(column) * 1000 for column in zip(*rounds, strict=True))
    yield Row(
        "import statefun_nb",
        ours,
        "ms",
        needed,
        "only the modules that it imports",
        **at_most(_IMPORT_GOAL, median(r[0] / r[1] for r in rounds)),
    )
    yield Row(
        "sf.start() to the first invocation done",
        first,
        "ms",
        ours,
        "import statefun_nb",
        **at_most(1.0, median(r[2] / r[0] for r in rounds)),
    )


def _importable(names: list[str]) -> set[str]:
    """Without what is made at run time and no module of a file, such as ``six.moves``."""
    code = (
        "import importlib, json\nok = []\n"
        f"for name in {names!r}:\n"
        "    try:\n        importlib.import_module(name)\n        ok.append(name)\n"
        "    except ImportError:\n        pass\n"
        "print(json.dumps(ok))"
    )
    return set(json.loads(_output(code)))
