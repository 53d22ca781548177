"""What waits in an engine, as a session and its views see it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from ..address import SdkAddress
from ..protocol.effects import TypedValue

__all__ = ["WaitingAddress", "WaitingMessage", "Why"]

Why = Literal["parked", "undeclared", "backing off", "queued", "running"]


class WaitingMessage(NamedTuple):
    """A message that waits: who sent it, its value, and when it came to its address.

    ``came_ms`` is the engine's time in milliseconds; 0 for what came before the file of a
    ``durable=`` session was opened.
    """

    caller: SdkAddress | None
    value: TypedValue
    came_ms: int


class WaitingAddress(NamedTuple):
    """An address with messages that are not being served, and what they wait for.

    ``why`` is "parked", "undeclared", "backing off" (until ``next_ms``, else 0), "queued", or
    "running": behind those that are being served; ``reason`` says more of the first three.
    ``messages`` are the first of ``waiting``. ``since_ms`` is when it was parked, or when the first
    of its messages came; 0 where that is not known.
    """

    address: SdkAddress
    why: Why
    reason: str
    next_ms: int
    attempts: int
    waiting: int
    messages: list[WaitingMessage]
    since_ms: int = 0
