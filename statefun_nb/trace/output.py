"""What functions print, kept with the invocation that printed it."""

from __future__ import annotations

import io
import sys
from contextvars import ContextVar
from typing import Any, Protocol, TextIO

__all__ = ["Output", "Printer", "Router", "inside_function", "install", "printer", "uninstall"]

# More than that of one invocation is cut: a print in a loop must not fill the memory.
_LIMIT = 64 * 1024


class Output:
    """What one invocation has printed, at most 64 KiB of it."""

    __slots__ = ("_cut", "_parts", "_size")

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._size = 0
        self._cut = 0

    def write(self, text: str) -> None:
        room = _LIMIT - self._size
        if len(text) > room:
            self._cut += len(text) - room
            text = text[:room]
        if text:
            self._parts.append(text)
            self._size += len(text)

    @property
    def text(self) -> str:
        """What was printed, as far as it is kept."""
        cut = f"... ({self._cut} more characters)" if self._cut else ""
        return "".join(self._parts) + cut


class Printer(Protocol):
    """Something that what a function prints is kept with."""

    @property
    def serving(self) -> bool:
        """Is the invocation that it stands for still running?"""

    @property
    def keeps(self) -> bool:
        """Is what is printed kept with it? Where nothing is recorded it goes on its usual way."""

    @property
    def request(self) -> object:
        """The request that it belongs to."""

    def print(self, text: str) -> None:
        """Keep a piece of what a function prints."""


# The request that the current task serves: what it prints goes there.
printer: ContextVar[Printer | None] = ContextVar("statefun_nb_printer", default=None)


def inside_function() -> bool:
    """Does a function's invocation run here: in its task, or in a thread or task that it awaits?"""
    current = printer.get()
    return current is not None and current.serving


def _keeper() -> Printer | None:
    """What keeps what is printed here; None where it goes to the original.

    So it does outside functions, from what an invocation has left behind, and without a recorder.
    """
    current = printer.get()
    return current if current is not None and current.serving and current.keeps else None


class Router(io.TextIOBase):
    """Stands for sys.stdout or sys.stderr: inside a function to its Printer, else to the original.

    A context variable tells the two apart, so that printing in the cell, in other threads and in
    several async functions at once each goes where it belongs.
    """

    def __init__(self, original: TextIO) -> None:
        super().__init__()
        self.original = original

    def __del__(self) -> None:
        # That of a stream closes it, which flushes the original: that is somebody else's, and may
        # be closed by then, of which Python 3.13 writes to stderr.
        pass

    def write(self, text: str) -> int:
        current = _keeper()
        if current is None:
            return self.original.write(text)
        if not isinstance(text, str):  # as the original would
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        current.print(text)
        return len(text)

    def flush(self) -> None:
        if _keeper() is None:
            self.original.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self.original.isatty()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a read-only view of the original's
        return self.original.encoding

    def fileno(self) -> int:
        return self.original.fileno()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)  # what ipykernel and pytest add to their streams


def install() -> None:
    """Route sys.stdout and sys.stderr; done again when someone has put in streams of their own."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and type(stream).__name__ != Router.__name__:
            setattr(sys, name, Router(stream))


def uninstall() -> None:
    """Give back the streams that ``install`` found."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if type(stream).__name__ == Router.__name__:
            setattr(sys, name, stream.original)
