"""A process that holds others, and ends them when whoever started it is gone.

    python supervisor.py FOLDER PARENT

It reads lines of JSON from its input, ``{"start": name, "command": [...]}``, ``{"stop": name}``,
``{"status": null}`` or ``{"at_end": [...]}``, a command to run in the end, and answers each with
one line, and the request's ``number``. At ``{"end": null}``, at the end of its input, and when the
process PARENT is gone, it ends all processes it holds and removes FOLDER. It imports nothing but
the standard library: it must be up before anything else.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Seconds that a process gets to end by itself. Nothing it holds is to be kept.
_GRACE = 3.0
# So often it looks whether its parent is still there.
_LOOK_SECONDS = 0.5
_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    """On Linux the kernel ends the child even when the supervisor itself is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _start(folder: Path, name: str, command: list[str]) -> subprocess.Popen[bytes]:
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            start_new_session=True,
            preexec_fn=_die_with_parent if os.name == "posix" else None,
        )


def _stop(processes: list[subprocess.Popen[bytes]], *, gently: bool) -> None:
    for process in processes:
        if gently:
            process.terminate()
        else:
            process.kill()
    for process in processes:
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _requests(parent: int) -> Iterator[dict[str, Any]]:
    """What is asked for, until whoever asks is gone.

    The end of the input alone does not tell: a forked child of the kernel holds its other end.
    """
    rest = b""
    while os.getppid() == parent:
        if not select.select([0], [], [], _LOOK_SECONDS)[0]:
            continue
        data = os.read(0, 1 << 16)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if "end" in request:
                return
            yield request


def _answer(
    folder: Path,
    held: dict[str, subprocess.Popen[bytes]],
    last: list[list[str]],
    request: dict[str, Any],
) -> dict[str, Any]:
    if "at_end" in request:
        last.append(request["at_end"])
        return {}
    if "start" in request:
        held[request["start"]] = process = _start(folder, request["start"], request["command"])
        return {"pid": process.pid}
    if "stop" in request:
        if request["stop"] not in held:
            return {}
        process = held.pop(request["stop"])
        _stop([process], gently=request.get("gently", True))
        return {"status": process.returncode}
    return {"status": {name: process.poll() for name, process in held.items()}}


def main() -> None:
    """Serve until nobody asks any more."""
    folder = Path(sys.argv[1])
    held: dict[str, subprocess.Popen[bytes]] = {}
    last: list[list[str]] = []
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupted cell ends no cluster
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        for request in _requests(int(sys.argv[2])):
            try:
                answer = _answer(folder, held, last, request)
            except (OSError, KeyError, ValueError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps({**answer, "number": request["number"]}), flush=True)
    finally:
        _stop(list(held.values()), gently=False)
        for command in last:
            subprocess.run(command, capture_output=True, check=False, timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
