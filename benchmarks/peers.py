"""Peers in virtual environments of their own, so that their dependencies do not meet ours."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["OFFICIAL", "PEER", "STATEFUN_2", "peer_python", "serving"]

PEER = ("flink-statefun==3.5.0", "aiohttp")
OFFICIAL = ("apache-flink-statefun==3.3.0", "aiohttp<3.10", "protobuf<3.21")
STATEFUN_2 = ("apache-flink-statefun==2.2.2", "aiohttp<3.10", "protobuf<3.21")
_HERE = Path(__file__).parent


def peer_python(requirements: tuple[str, ...] = PEER, python: str = sys.executable) -> str:
    """The interpreter of a virtual environment with these packages; made when it is not there."""
    name = requirements[0].replace("==", "-")
    folder = _HERE.parent / ".venv-peers" / name
    ready = folder / "ready"
    if not ready.exists():
        print(f"installing {', '.join(requirements)}", file=sys.stderr)
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--disable-pip-version-check", *requirements], check=True)
        ready.touch()
    return str(folder / "bin" / "python")


@contextmanager
def serving(python: str, script: str, *arguments: str) -> Iterator[int]:
    """Run a server of ``servers/``; gives its port, and ends it."""
    process = subprocess.Popen(
        [python, str(_HERE / "servers" / script), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.stdout.close()
        process.wait(30)
