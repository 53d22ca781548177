"""A process that holds others, and ends them when whoever started it is gone.

    python supervisor.py FOLDER

It reads lines of JSON from its input, ``{"start": name, "command": [...]}``, ``{"stop": name}``,
``{"status": null}`` or ``{"at_end": [...]}``, a command to run in the end, and answers each with
one line. When its input ends, because the session stopped or because the kernel
was killed, it ends all processes it holds and removes FOLDER. It imports nothing but the
standard library: it must be up before anything else.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

# Seconds that a process gets to end by itself. Nothing it holds is to be kept.
_GRACE = 3.0
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


def _answer(
    folder: Path, held: dict[str, subprocess.Popen[bytes]], last: list[list[str]], line: str
) -> dict[str, Any]:
    request = json.loads(line)
    if "at_end" in request:
        last.append(request["at_end"])
        return {}
    if "start" in request:
        held[request["start"]] = process = _start(folder, request["start"], request["command"])
        return {"pid": process.pid}
    if "stop" in request:
        process = held.pop(request["stop"])
        _stop([process], gently=request.get("gently", True))
        return {"status": process.returncode}
    return {"status": {name: process.poll() for name, process in held.items()}}


def main() -> None:
    """Serve until the input ends."""
    folder = Path(sys.argv[1])
    held: dict[str, subprocess.Popen[bytes]] = {}
    last: list[list[str]] = []
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupted cell ends no cluster
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        for line in sys.stdin:
            try:
                answer = _answer(folder, held, last, line)
            except (OSError, KeyError, ValueError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)
    finally:
        _stop(list(held.values()), gently=False)
        for command in last:
            subprocess.run(command, capture_output=True, check=False, timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
