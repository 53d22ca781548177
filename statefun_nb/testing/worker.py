"""``python -m statefun_nb.testing.worker ORDER``: runs one notebook that is graded, and ends.

What it has to say it writes line by line to its standard output, which the notebook's kernel does
not have: what was said is known, whatever ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import cut
from .exercises import CHECKS_FILE, Event, write_event
from .isolation import (
    adopt_orphans,
    close_to_others,
    end_descendants,
    leave_network,
    limit_memory,
)

__all__ = ["main"]

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# How much is said of an error, and of how many in a cell.
_WORDS, _ERRORS = 1_000, 10
# So much longer than it may take, a cell has to show that it was interrupted.
_INTERRUPT_SECONDS = 2.0


class _Said:
    """Lines for whoever grades: ``[what, index of a cell or -1, text]``."""

    def __init__(self) -> None:
        self._file = os.fdopen(os.dup(1), "w", encoding="ascii")
        os.dup2(2, 1)

    def say(self, what: str, cell: int = -1, text: str = "") -> None:
        self._file.write(json.dumps([what, cell, cut(text, _WORDS)]) + "\n")
        self._file.flush()


def main(order: dict[str, Any]) -> None:
    """Run ``order["notebook"]``, and say what is to be said of it."""
    import psutil

    said = _Said()
    if not order["network"] and leave_network():
        said.say("without network")
    adopt_orphans()
    close_to_others()
    bounded = limit_memory(order["memory"])
    os.environ[CHECKS_FILE] = order["told"]
    try:
        asyncio.run(_Run(order, said, bounded).run())
    finally:
        end_descendants(psutil.Process())


class _Run:
    """The cells of a notebook, one after the other, whatever they raise."""

    def __init__(self, order: dict[str, Any], said: _Said, bounded: bool) -> None:
        import nbformat
        from nbclient import NotebookClient

        path = Path(order["notebook"])
        self._order = order
        self._said = said
        self._bounded = bounded
        self._notebook: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
        # A participant's may have another name here.
        self._notebook.metadata.pop("kernelspec", None)
        self._reply: dict[str, Any] = {}
        self._client = NotebookClient(
            self._notebook,
            allow_errors=True,
            interrupt_on_timeout=True,
            iopub_timeout=60,
            resources={"metadata": {"path": str(path.parent)}},
            extra_arguments=["--log-level=ERROR"],
            on_cell_executed=self._keep_reply,
        )

    def _keep_reply(self, *, execute_reply: dict[str, Any], **_: Any) -> None:
        self._reply = execute_reply["content"]

    async def run(self) -> None:
        """Run them until the last one, or the first after which it cannot go on."""
        until = time.monotonic() + self._order["seconds"]
        try:
            async with self._client.async_setup_kernel():
                for index, cell in enumerate(self._notebook.cells):
                    if cell.cell_type == "code" and not await self._run_cell(index, cell, until):
                        # What hangs would not end of itself.
                        self._client.shutdown_kernel = "immediate"
                        break
                self._said.say("end")
        except RuntimeError as error:  # nbclient's for a kernel that does not start
            self._said.say("problem", -1, f"the kernel did not start: {error}")

    async def _run_cell(self, index: int, cell: Any, until: float) -> bool:
        """Run a cell; False when it was the last one that could be run."""
        begun = time.monotonic()
        left = until - begun
        if left <= 0:
            self._said.say("time is up")
            return False
        timeout = max(1, int(min(self._order["cell_seconds"], left)))
        self._client.timeout = timeout
        self._said.say("cell", index)
        write_event(Path(self._order["told"]), Event(0, "cell", "", str(index)))
        self._reply = {}
        running = self._client.async_execute_cell(cell, index)
        try:
            await asyncio.wait_for(running, left + _INTERRUPT_SECONDS)
        except (asyncio.TimeoutError, RuntimeError):  # the latter is nbclient's for a dead kernel
            if time.monotonic() >= until:
                self._said.say("time is up")
            else:
                self._said.say("died", index, await self._how_it_died())
            return False
        finally:
            late = timeout if time.monotonic() - begun >= timeout else 0
            for text in self._errors(cell, late):
                self._said.say("error", index, text)
            if late:
                self._said.say("interrupted", index)
        payload = self._reply.get("payload", ())
        if any(each.get("source") == "ask_exit" and not each.get("keepkernel") for each in payload):
            self._said.say("died", index, "exit()")
            return False
        return True

    def _errors(self, cell: Any, late: int) -> Iterator[str]:
        """What a cell raised, in words; ``late`` are the seconds after which it was interrupted."""
        interrupt = f"KeyboardInterrupt: it took more than {late} s and was interrupted"
        raised = [each for each in cell.get("outputs", ()) if each.output_type == "error"]
        if late and all(each.ename != "KeyboardInterrupt" for each in raised):
            yield interrupt
        for each in raised[:_ERRORS]:
            if late and each.ename == "KeyboardInterrupt":
                yield interrupt
            elif self._bounded and each.ename.endswith("MemoryError"):
                yield f"{each.ename}: it asked for more than {self._order['memory'] >> 20} MiB"
            else:
                yield _COLOURS.sub("", f"{each.ename}: {cut(each.evalue, _WORDS)}")

    async def _how_it_died(self) -> str:
        code = None
        with contextlib.suppress(AttributeError):
            code = await self._client.km.provisioner.poll()  # type: ignore[union-attr]
        if code is None:
            return "nobody knows how"
        if code == -signal.SIGKILL:
            return "it was killed: out of memory, perhaps"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"{signal.Signals(-code).name} came"
        return f"status {code}, as of os._exit({code})"


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
