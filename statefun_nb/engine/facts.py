"""The facts that an engine and a session exchange: what waits, what is kept, what was done."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Literal, NamedTuple, NoReturn

from ..address import SdkAddress
from ..errors import SessionError
from ..protocol.effects import TypedValue
from ..protocol.v3 import decode_typed_value

__all__ = [
    "ClockMove",
    "Idle",
    "IngressMessage",
    "ParkedAddress",
    "Progress",
    "States",
    "StoredState",
    "Timer",
    "WaitingAddress",
    "WaitingMessage",
    "Why",
    "Written",
    "newest",
]

# Of a function type: the addresses that keep something, by id, and what they keep, by name.
States = Mapping[str, Mapping[str, TypedValue | None]]
Why = Literal["parked", "undeclared", "backing off", "queued", "running"]


class IngressMessage(NamedTuple):
    """A message from outside: encoded on the sender's thread, delivered after ``delay_ms``."""

    target: SdkAddress
    argument: bytes
    delay_ms: int = 0


class Progress(NamedTuple):
    """Counts of messages, and of parked addresses; read without waiting for the loop."""

    processed: int
    in_flight: int
    queued: int
    parked: int
    delayed: int


class Idle(NamedTuple):
    """What ``wait_idle`` found: messages processed since it last said so, and what is left.

    ``waiting`` is 0 unless the engine is paused, or what failed backs off (``on_error="retry"``) on
    a clock that stands still; ``delayed`` messages fall due later.
    """

    processed: int
    parked: int
    waiting: int = 0
    delayed: int = 0

    def __repr__(self) -> str:
        parts = [f"processed={self.processed}", f"parked={self.parked}"]
        parts += [f"waiting={self.waiting}"] if self.waiting else []
        parts += [f"delayed={self.delayed}"] if self.delayed else []
        return f"Idle({', '.join(parts)})"

    def __await__(self) -> NoReturn:
        raise SessionError(
            "wait_idle has waited already, and holds the cell up meanwhile: leave the await out, "
            "or write await s.idle()"
        )


class ParkedAddress(NamedTuple):
    """An address that does not go on, and why.

    Attributes
    ----------
    address : SdkAddress
    reason : str
        What its function raised, or what else holds it up.
    line : str
        Where that was raised in the user's code, as in "Cell In[3], line 5"; "" where unknown.
    attempts : int
        How often the message at its head was tried; 0 when its function is not declared, and
        where that is not known.
    waiting : int
        Messages, that one included.
    undeclared : bool
        Is it only that nobody has declared its function yet?
    since : datetime or None
        When that message first failed, or began to wait for its function, by the engine's clock;
        None where that is not known.
    """

    address: SdkAddress
    reason: str
    line: str
    attempts: int
    waiting: int
    undeclared: bool
    since: datetime | None = None

    def __repr__(self) -> str:
        where = f" at {self.line}" if self.line else ""
        return f"<parked: {self.address}, {self.waiting} waiting, {self.reason}{where}>"


class WaitingMessage(NamedTuple):
    """A message that waits: who sent it, what it carries, and when it came to its address.

    ``came_ms`` is the engine's time in milliseconds; 0 for what came before the file of a
    ``durable=`` session was opened.
    """

    caller: SdkAddress | None
    argument: bytes
    came_ms: int

    @property
    def value(self) -> TypedValue:
        """Decoded by whoever looks at it: the engine tells of many that nobody does."""
        return decode_typed_value(self.argument)


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


class Timer(NamedTuple):
    """A message that falls due at ``due_ms``; ``number`` orders those of the same millisecond.

    ``owner`` is the address that sent it, None when it came from outside; ``token`` is "" when
    it has none.
    """

    due_ms: int
    number: int
    owner: SdkAddress | None
    token: str
    target: SdkAddress
    argument: bytes


class StoredState(NamedTuple):
    """What one address keeps: values by name, and when they expire, in seconds since the epoch."""

    id: str
    values: dict[str, TypedValue | None]
    expires: dict[str, float]


class Written(NamedTuple):
    """State values set by hand, each name's before and after; ``by`` says who: "s.set_state".

    ``time`` is in the session's seconds since the epoch, ``moment`` of ``time.perf_counter``.
    """

    address: SdkAddress
    time: float
    moment: float
    by: str
    values: dict[str, tuple[TypedValue | None, TypedValue | None]]


class ClockMove(NamedTuple):
    """One ``advance``: the engine's clock before and after it, in milliseconds."""

    before_ms: int
    after_ms: int


def newest(ids: Collection[str], search: str, limit: int) -> tuple[int, list[str]]:
    """How many ids contain ``search``, and the newest of them; ``ids`` begins with the oldest.

    One that is ``search`` itself comes first, however old it is.

    Examples
    --------
    >>> newest({"b": 1, "bob": 2, "ann": 3, "bobby": 4}, "b", 2)
    (3, ['b', 'bobby'])
    """
    found = [each for each in ids if search in each] if search else [*ids]
    shown = found[-limit:][::-1]
    if search in ids:
        shown = [search, *(each for each in shown if each != search)][:limit]
    return len(found), shown
