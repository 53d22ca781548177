"""The publisher: ten times a second it asks the views that somebody looks at for an update."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import importlib
import sys
from collections.abc import Callable
from typing import Protocol

from ..errors import SessionError
from ..loop_thread import LoopThread

__all__ = ["Publisher", "View"]

_SECONDS = 0.1


class View(Protocol):
    """Something that shows a session."""

    def publish(self) -> bool:
        """Send what is new; False when nobody looks just now."""


class Redrawn(Protocol):
    """Static pictures, redrawn when it is quiet."""

    def show(self, kind: str, name: str) -> None:
        """Display one more picture, below what was displayed last."""

    @property
    def outdated(self) -> bool:
        """Is anything to be redrawn?"""

    def refresh_when_quiet(self) -> None:
        """Redraw, unless more is coming."""

    def close(self) -> None:
        """Redraw a last time."""


class Publisher:
    """A thread of its own, so that views tell of a function that blocks the engine's.

    It sleeps while nobody looks, and ends with the session; or with the interpreter, and then
    without a word: what is sent while a kernel takes itself apart is an error of its, at best.
    """

    def __init__(self) -> None:
        self._thread = LoopThread("statefun_nb views")
        self._views: list[View] = []
        self._timer: asyncio.Handle | None = None
        self.pictures: Redrawn | None = None  # from the first view that is displayed on
        self._thread.start()
        _register_what_pyzmq_does_at_exit()
        atexit.register(self._leave)

    def add(self, view: View) -> None:
        """Publish this view, too, from now on."""
        self._views = [*self._views, view]
        self.wake()

    def remove(self, view: View) -> None:
        """Publish this view no more."""
        self._views = [each for each in self._views if each is not view]

    def run(self, function: Callable[..., object], *args: object) -> None:
        """Run something of a view's on the thread that publishes it."""
        try:
            self._thread.post(function, *args)
        except SessionError:  # the session has ended: nothing runs beside this any more
            function(*args)

    def wake(self) -> None:
        """Publish from now on: somebody looks (again)."""
        try:
            self._thread.post(self._wake)
        except SessionError:
            self._publish()

    def _wake(self) -> None:
        if self._timer is None:
            self._timer = self._thread.loop.call_soon(self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self._publish():
            self._timer = self._thread.loop.call_later(_SECONDS, self._tick)

    def _publish(self) -> bool:
        looking = any([view.publish() for view in self._views])  # noqa: C419 - each is asked
        if self.pictures is None or not self.pictures.outdated:
            return looking
        self.pictures.refresh_when_quiet()
        return True

    def stop(self) -> None:
        """Publish what is left to say, and end the thread."""
        atexit.unregister(self._leave)
        self._thread.stop(last=self._last)

    def _leave(self) -> None:
        """The interpreter ends: publish nothing any more, and have sent what was published."""
        self._thread.stop()
        self._views = []
        self.pictures = None
        with contextlib.suppress(Exception):  # there may be no stdout any more, or a closed one
            sys.stdout.flush()  # in a kernel this waits for all that goes to its pages

    async def _last(self) -> None:
        for view in self._views:
            view.publish()
        if self.pictures is not None:
            self.pictures.close()


def _register_what_pyzmq_does_at_exit() -> None:
    """Have ``Publisher._leave`` run before it: the last hook that is registered runs first.

    pyzmq refuses large messages (64 KB) from its hook on, in the kernel's thread that sends; and
    registers it with the first of them, which may come from us, or from any cell.
    """
    if "zmq" in sys.modules:
        importlib.import_module("zmq.utils.garbage")
