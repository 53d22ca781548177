"""What functions print, kept with the invocation that printed it."""

from __future__ import annotations

import io
import sys
from contextvars import ContextVar
from typing import Any, TextIO

__all__ = ["Output", "captured_output", "install", "uninstall"]

# More than that of one invocation is cut: a print in a loop must not fill the memory.
_LIMIT = 64 * 1024


class Output:
    """What one request's functions printed since it was last taken."""

    __slots__ = ("_cut", "_size", "parts")

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._size = 0
        self._cut = 0

    def write(self, text: str) -> None:
        room = _LIMIT - self._size
        if len(text) > room:
            self._cut += len(text) - room
            text = text[:room]
        if text:
            self.parts.append(text)
            self._size += len(text)

    def take(self) -> str:
        """What was printed, at most 64 KiB of it; forgets it."""
        if not self.parts:
            return ""
        text = "".join(self.parts)
        if self._cut:
            text += f"... ({self._cut} more characters)"
        self.parts.clear()
        self._size = self._cut = 0
        return text


captured_output: ContextVar[Output | None] = ContextVar("statefun_nb_output", default=None)


class _Router(io.TextIOBase):
    """Stands for sys.stdout or sys.stderr: inside a function to its Output, else to the original.

    A context variable tells the two apart, so that printing in the cell, in other threads and in
    several async functions at once each goes where it belongs.
    """

    def __init__(self, original: TextIO) -> None:
        super().__init__()
        self.original = original

    def write(self, text: str) -> int:
        output = captured_output.get()
        if output is None:
            return self.original.write(text)
        output.write(text)
        return len(text)

    def flush(self) -> None:
        if captured_output.get() is None:
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
        if stream is not None and type(stream).__name__ != _Router.__name__:
            setattr(sys, name, _Router(stream))


def uninstall() -> None:
    """Give back the streams that ``install`` found."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if type(stream).__name__ == _Router.__name__:
            setattr(sys, name, stream.original)
