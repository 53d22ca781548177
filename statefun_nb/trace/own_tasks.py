"""Tasks of the session's own, on a loop that it shares with users' code.

A function that cancels all tasks of "its" loop means those that it has made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

from . import output

__all__ = ["OwnTask", "make_task"]

T = TypeVar("T")


class OwnTask(asyncio.Task[T]):
    """A task that no function can cancel, but for one in whose task it runs itself."""

    def cancel(self, msg: Any = None) -> bool:
        function = output.printer.get()
        if function is None:
            return super().cancel(msg)
        if not (function.serving and function.request is _request_of(self)):
            return False
        # Seen at its next await, as ever. At once, a function that returns before one would be
        # cancelled in place of what it has returned.
        if asyncio.current_task() is self:
            self.get_loop().call_soon(super().cancel, msg)
            return True
        return super().cancel(msg)


def _request_of(task: asyncio.Task[Any]) -> object:
    """The request that a task serves, if it does: see ``TracedHandler``."""
    frame = getattr(task.get_coro(), "cr_frame", None)
    return None if frame is None else frame.f_locals.get("request")


def make_task(
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, T] | Generator[Any, None, T],
    **options: Any,
) -> asyncio.Task[T]:
    """The task factory of a session's loop: what a function makes is as it would be elsewhere."""
    task = OwnTask if output.printer.get() is None else asyncio.Task
    return task(coroutine, loop=loop, **options)
