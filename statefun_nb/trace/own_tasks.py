"""Tasks of the session's own, on a loop that it shares with users' code.

A function that cancels all tasks of "its" loop means those that it has made.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

from . import output

__all__ = ["OwnTask", "share"]

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
    """The request that a task serves, if it does: see ``TracedHandler._serve_async``."""
    frame = getattr(task.get_coro(), "cr_frame", None)
    return None if frame is None else frame.f_locals.get("request")


# As many as asyncio has; asked once, for it takes 20 us.
_WORKERS = min(32, (os.cpu_count() or 1) + 4)


class _Pool(ThreadPoolExecutor):
    """The loop's own pool: works in the context of who asks, as ``asyncio.to_thread`` does."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(copy_context().run, fn, *args, **kwargs)


def share(loop: asyncio.AbstractEventLoop) -> None:
    """Prepare a loop on which a session's tasks and users' code run side by side."""
    loop.set_task_factory(_make_task)
    loop.set_default_executor(_Pool(_WORKERS, thread_name_prefix="asyncio"))


def _make_task(
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, T] | Generator[Any, None, T],
    **options: Any,
) -> asyncio.Task[T]:
    """What a function makes is as it would be elsewhere."""
    task = OwnTask if output.printer.get() is None else asyncio.Task
    return task(coroutine, loop=loop, **options)
