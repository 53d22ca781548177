"""What can come of a request: the function's reply, or why there is none."""

from __future__ import annotations

from typing import NamedTuple

from ..protocol.effects import Reply

__all__ = ["Answer", "Cancelled", "Failed", "Parked", "Undeclared"]


class Failed(NamedTuple):
    """The function raised, or what it answered is no reply: why, in words."""

    reason: str


class Undeclared(NamedTuple):
    """Nobody declares the function, or not yet: its messages wait."""

    reason: str


class Cancelled(NamedTuple):
    """The request was withdrawn before its answer came: it is to be made again."""


class Parked(NamedTuple):
    """Why an address does not go on, and since when, in the engine's milliseconds."""

    why: Failed | Undeclared
    since_ms: int

    @property
    def undeclared(self) -> bool:
        """Does it wait for its function to be declared?"""
        return isinstance(self.why, Undeclared)


# The reply itself, and no record around it: nearly every answer is one.
Answer = Reply | Failed | Undeclared | Cancelled
