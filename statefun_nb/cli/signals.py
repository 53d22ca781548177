"""How a command ends that is told to: in the same order at Ctrl-C and at SIGTERM."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from concurrent.futures import Future, wait
from types import FrameType
from typing import IO, TYPE_CHECKING

from ..loop_thread import LoopThread

if TYPE_CHECKING:
    from nbclient import NotebookClient

__all__ = ["execute", "sigterm_as_ctrl_c"]

# A kernel is asked to end, and killed after some.
_ENDING_SECONDS = 30.0


@contextlib.contextmanager
def sigterm_as_ctrl_c() -> Iterator[list[int]]:
    """Let SIGTERM end what is in it just as Ctrl-C would; gives the signals that have come so.

    Left alone it ends the process at once, and what that has started runs on.
    """
    came: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        came.append(number)
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler):  # a shell's `command &` ignores Ctrl-C
            raise KeyboardInterrupt
        handler(signal.SIGINT, frame)

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # the main thread alone may have handlers
        yield came
        return
    try:
        yield came
    finally:
        signal.signal(signal.SIGTERM, before)


def execute(client: NotebookClient, words: IO[bytes]) -> None:
    """Run a notebook; what its kernel's process writes goes to ``words``.

    Ctrl-C ends the kernel before it is raised. In the main thread nbclient would take the signals
    for itself: it ends the kernel, too, but then fails of that death, in one of several ways.
    """
    done: Future[None] = Future()

    async def run() -> None:
        try:
            await client.async_execute(stdout=words, stderr=words)
            done.set_result(None)
        except BaseException as error:
            done.set_exception(error)

    with LoopThread("statefun_nb notebook") as thread:
        running = thread.launch(run())
        try:
            thread.result(done, None)
        except KeyboardInterrupt:
            running.cancel()
            wait([done], _ENDING_SECONDS)
            raise
