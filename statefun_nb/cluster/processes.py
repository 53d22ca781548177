"""The processes of a cluster, held by a supervisor that outlives the kernel just long enough."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from random import SystemRandom
from typing import Any

from ..errors import EngineError

__all__ = ["Ports", "Processes", "free_ports", "root_cause"]

# Below those that systems give to outgoing connections (from 32,768 on Linux, 49,152 elsewhere):
# what is free now is still free when the JobManager, started again hours later, listens there.
_PORTS = range(20_000, 32_000)


class Processes:
    """Starts and stops named processes; none is left when this process ends, however it ends.

    ``folder`` is theirs: it holds their logs, ``NAME.log``, and is removed in the end.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="statefun_nb_"))
        self._lock = threading.Lock()  # one request to the supervisor at a time
        self._numbers = itertools.count(1)
        # By its file and not as a module of the package: nothing of it is imported, and it is up
        # in 30 ms.
        program = str(Path(__file__).with_name("supervisor.py"))
        try:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-S", program, str(self.folder), str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def start(self, name: str, command: list[str]) -> int:
        """Start a process and return its id.

        Raises
        ------
        EngineError
            When it cannot be started.
        """
        pid: int = self._ask({"start": name, "command": command})["pid"]
        return pid

    def stop(self, name: str, *, gently: bool = True) -> None:
        """End a process, and wait until it has ended; nothing happens when there is none."""
        self._ask({"stop": name, "gently": gently})

    def at_end(self, command: list[str]) -> None:
        """Have a command run when all is over, however this process ends."""
        self._ask({"at_end": command})

    def ended(self) -> dict[str, int]:
        """The processes that have ended by themselves, with their exit status."""
        status = self._ask({"status": None})["status"]
        return {name: code for name, code in status.items() if code is not None}

    def log(self, name: str) -> str:
        """What a process has written."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def logs(self) -> dict[str, str]:
        """What all processes have written, by process."""
        return {path.stem: self.log(path.stem) for path in sorted(self.folder.glob("*.log"))}

    def close(self, timeout: float = 10.0) -> None:
        """End all processes and remove their folder."""
        stdin, stdout = self._supervisor.stdin, self._supervisor.stdout
        assert stdin is not None
        assert stdout is not None
        with self._lock, contextlib.suppress(OSError, ValueError):  # it was killed; closed before
            stdin.write('{"end": null}\n')
            stdin.close()
        self._supervisor.wait(timeout)
        stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)  # its own work, unless it was killed

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            stdin, stdout = self._supervisor.stdin, self._supervisor.stdout
            assert stdin is not None
            assert stdout is not None
            number = next(self._numbers)
            line = "{}"
            try:
                stdin.write(json.dumps({**request, "number": number}) + "\n")
                stdin.flush()
                # Who asked before may have been interrupted: that answer is still there.
                while line and json.loads(line).get("number") != number:
                    line = stdout.readline()
            except ValueError as error:
                raise EngineError("the cluster has been stopped") from error
            except OSError:
                line = ""
        if not line:
            raise EngineError("the cluster's processes are gone: start the session again")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise EngineError(f"{request}: {answer['error']}")
        return answer


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that are free just now, all different.

    Raises
    ------
    EngineError
        When there are not so many.
    """
    with contextlib.ExitStack() as bound:
        return [each.getsockname()[1] for each in _bound(count, bound)]


class Ports:
    """Ports of 127.0.0.1 for servers that are to come, kept from most others until ``close``.

    On Linux a socket keeps a port that does not listen there: who asks for any port is not given
    it, and only whoever sets SO_REUSEADDR, as Java does, can listen. Elsewhere such a socket would
    keep the server out as well, and ports are only free when they are taken.
    """

    def __init__(self) -> None:
        self._held = contextlib.ExitStack()

    def take(self, count: int) -> list[int]:
        """So many, all different; raises as ``free_ports``."""
        if sys.platform != "linux":
            return free_ports(count)
        found = _bound(count, self._held)
        for each in found:  # after binding: or it would find what another one holds so
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return [each.getsockname()[1] for each in found]

    def close(self) -> None:
        """Let them go."""
        self._held.close()


def _bound(count: int, into: contextlib.ExitStack) -> list[socket.socket]:
    found: list[socket.socket] = []
    # Of the system's own chance: the user's ``random.seed`` decides nothing here.
    ports = iter(SystemRandom().sample(_PORTS, len(_PORTS)))
    while len(found) < count:
        port = next(ports, None)
        if port is None:
            raise EngineError(f"ports {_PORTS[0]} to {_PORTS[-1]} of 127.0.0.1 are all taken")
        each = socket.socket()
        try:
            each.bind(("127.0.0.1", port))
        except OSError:
            each.close()
        else:
            found.append(into.enter_context(each))
    return found


def root_cause(log: str) -> str:
    r"""The line of a Java log that says why: the last cause, else the last error, else the last.

    Examples
    --------
    >>> root_cause("ERROR x\njava.lang.Y: no\n  at a.b\nCaused by: java.Z: disk full\n  at c")
    'java.Z: disk full'
    """
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    lines = [line for line in lines if " because its sibling " not in line]  # an effect, no cause
    causes = [line for line in lines if line.startswith("Caused by: ")]
    if causes:
        return causes[-1].removeprefix("Caused by: ")
    errors = [line for line in lines if re.search(r"\bERROR\b|\bFATAL\b|Exception|Error:", line)]
    return (errors or lines or ["it wrote nothing"])[-1]
