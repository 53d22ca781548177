"""How many instructions the processor runs for a message, in this tree and in another one.

    python -m benchmarks.instructions OTHER_TREE

The noise of a busy machine, of a tenth and more, hides a change of a few percent from a clock, and
not from a count. Needs valgrind, and takes six minutes. An instruction is no time: what waits for
memory or a disk costs more of it.
"""

from __future__ import annotations

import argparse
import compileall
import os
import re
import subprocess
import sys
from pathlib import Path

from .report import Row, at_most, print_rows

__all__ = ["count", "measure"]

_GOAL = 1.03
_ROOT = Path(__file__).parents[1]
_REFS = re.compile(r"I\s+refs:\s+([\d,]+)")

_CLIENT = """
import http.client, sys
from urllib.parse import urlsplit
url, count, body = urlsplit(sys.argv[1]), int(sys.argv[2]), sys.stdin.buffer.read()
connection = http.client.HTTPConnection(url.netloc)
for _ in range(count):
    connection.request("POST", url.path, body, {"Content-Type": "application/octet-stream"})
    response = connection.getresponse()
    assert response.status == 200 and response.read()
connection.close()
"""
# Runs in either tree, so it asks for nothing but what both have.
_PROGRAM = f"""
import subprocess, sys, tempfile
kind, count = sys.argv[1], int(sys.argv[2])
if kind == "import":
    if count:
        import statefun_nb
    sys.exit()
import statefun_nb as sf
from statefun_nb.demos.greeter import greeter_functions, greetings

def served(**options):
    with sf.start(port=0, functions=greeter_functions(), **options) as session:
        session.send_many(greetings(count, 100), progress=False)
        session.wait_idle(600)
        assert session.status().processed == 2 * count

def asked(batch):
    from benchmarks.requests import person_request
    with sf.start(port=0, functions=greeter_functions()) as session:
        command = [sys.executable, "-c", {_CLIENT!r}, session.url, str(count)]
        subprocess.run(command, input=person_request(int(batch)), check=True)

if kind == "start":
    functions = greeter_functions()
    for _ in range(count):
        session = sf.start(port=0, functions=functions)
        session.send("example/person", "x", "hello")
        session.wait_idle()
        sf.stop()
elif kind == "durable":
    with tempfile.TemporaryDirectory() as folder:
        served(durable=folder + "/a.db")
elif kind == "untraced":
    served(trace=False)
elif kind == "single":
    served(batch_limit=1)
elif kind == "traced":
    served()
else:
    asked(kind)
"""
# What is measured, its kind in the program, and how much of it twice: what both runs have in
# common, such as the start of Python, is no part of the difference.
_MEASURED = (
    ("engine traced, a message", "traced", 2_000, 6_000),
    ("engine not traced, a message", "untraced", 2_000, 6_000),
    ("engine traced, one message a request, a message", "single", 1_000, 3_000),
    ("engine durable, a message", "durable", 2_000, 6_000),
    ("endpoint, one message a request, a request", "1", 200, 1_200),
    ("endpoint, 100 messages a request, a request", "100", 20, 120),
    ("endpoint, 1,000 messages a request, a request", "1000", 10, 30),
    ("from sf.start() to sf.stop(), with one message", "start", 3, 9),
    ("import statefun_nb", "import", 0, 1),
)


def count(tree: Path, kind: str, number: int) -> int:
    """The instructions of one run of the program in a tree."""
    command = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    done = subprocess.run(
        [*command, sys.executable, "-c", _PROGRAM, kind, str(number)],
        cwd=tree,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = _REFS.search(done.stderr)
    if done.returncode or found is None:
        raise SystemExit(f"{kind} in {tree}: {done.stdout}{done.stderr}")
    return int(found[1].replace(",", ""))


def measure(other: Path) -> list[Row]:
    """The rows of this tree, beside another one."""
    for tree in (_ROOT, other):
        # What an import asks for is measured, and not the compiler in a tree that is new.
        compileall.compile_dir(tree / "statefun_nb", quiet=1)
    rows: list[Row] = []
    for what, kind, few, many in _MEASURED:
        ours, theirs = (
            (count(tree, kind, many) - count(tree, kind, few)) / (many - few) / 1000
            for tree in (_ROOT, other)
        )
        hoped = at_most(_GOAL, ours / theirs)
        rows.append(Row(what, ours, "thousand", theirs, "thousand", **hoped))
        print(f"measured: {what}: {ours / theirs:.3f}", file=sys.stderr)
    return rows


def main() -> None:
    """Count, and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.instructions", description=__doc__)
    parser.add_argument("other", type=Path, help="a checkout of another commit")
    print_rows(measure(parser.parse_args().other.resolve()))


if __name__ == "__main__":
    main()
