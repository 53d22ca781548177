"""What all connections of a server share: what they hold, and whose turn it is to be read."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

__all__ = ["Clients", "Waiting"]

# Others are served after so long, however much has come at once on some connections.
_TURN_SECONDS = 0.001


class Waiting(Protocol):
    """A connection, as the others see it."""

    def read_piece(self) -> bool:
        """Read a piece of what was put by; is there more that can be read now?"""

    def abort(self) -> None:
        """Drop the connection without a further byte."""


class Clients:
    """All connections of a server; all of it belongs to its loop.

    Attributes
    ----------
    bytes : int
        Of bodies, from when they are read until they are answered, and of what was put by.
    refused : int
        The size of the last request that was too large, in bytes; 0: none was.
    """

    __slots__ = ("_line", "_reads", "bytes", "refused")

    def __init__(self) -> None:
        self.bytes = 0
        self.refused = 0
        self._line: deque[Waiting] = deque()
        self._reads = False

    def queue(self, client: Waiting) -> None:
        """Have its pieces read in turn with those of all others that have put something by."""
        self._line.append(client)
        if not self._reads:
            self._reads = True
            asyncio.get_running_loop().call_soon(self._read)

    def _read(self) -> None:
        loop, line = asyncio.get_running_loop(), self._line
        end = loop.time() + _TURN_SECONDS
        while line:
            client = line.popleft()
            try:
                if client.read_piece():
                    line.append(client)
            except Exception as error:  # as asyncio does it: the others go on
                message = "what a client has sent could not be read"
                loop.call_exception_handler({"message": message, "exception": error})
                client.abort()
            if loop.time() >= end:
                break
        self._reads = bool(line)
        if line:
            loop.call_soon(self._read)
