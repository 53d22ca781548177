"""Who waits in a core, and what for."""

from __future__ import annotations

from itertools import islice
from typing import Literal

from ..address import SdkAddress
from ..errors import EngineError
from ..protocol.v3 import decode_typed_value
from .answers import Parked, Undeclared
from .base import WaitingAddress
from .core import Core
from .mailbox import Mailbox

__all__ = ["Line", "bring_forward", "waiting_addresses"]

# Of what waits at one address, so many messages are told.
_MESSAGES = 5
# Among so many parked addresses those that have failed are looked for.
_LOOKED = 1_000

_Why = Literal["parked", "undeclared", "backing off", "queued"]


class Line:
    """Since when addresses stand in line while nobody is served: noted only while paused.

    Otherwise they stand there for milliseconds, and to note it would cost every message.
    """

    def __init__(self, core: Core) -> None:
        _, self._ready = core.waits
        self._since_ms: dict[Mailbox, int] = {}

    def note(self, now_ms: int) -> None:
        """Note those that have come to the end of the line since the last time."""
        for mailbox in reversed(self._ready):
            if mailbox in self._since_ms:
                break
            self._since_ms[mailbox] = now_ms

    def since_ms(self, mailbox: Mailbox) -> int:
        """Since when it stands there, in milliseconds; 0 where that is not known."""
        return self._since_ms.get(mailbox, 0)

    def leave(self, mailbox: Mailbox | None) -> None:
        """It was served, or its first message was given up: it comes to the end anew, if at all."""
        if mailbox is not None:
            self._since_ms.pop(mailbox, None)

    def clear(self) -> None:
        """All are served again."""
        self._since_ms.clear()


def waiting_addresses(core: Core, line: Line, limit: int) -> tuple[int, list[WaitingAddress]]:
    """How many addresses have messages that wait, and the first of them; on the loop."""
    parked = core.parked()
    retries, ready = core.waits
    found = [_parked(mailbox, each) for mailbox, each in islice(parked.items(), _LOOKED + limit)]
    found.sort(key=lambda each: each.why == "undeclared")  # what has failed comes first
    found += [_waiting(mailbox, "backing off", "", due) for mailbox, due in retries.items()]
    found += [
        _waiting(mailbox, "queued", since_ms=line.since_ms(mailbox))
        for mailbox in islice(ready, limit)
    ]
    return len(parked) + len(retries) + len(ready), found[:limit]


def _parked(mailbox: Mailbox, parked: Parked) -> WaitingAddress:
    why, since_ms = parked
    kind: _Why = "undeclared" if isinstance(why, Undeclared) else "parked"
    return _waiting(mailbox, kind, why.reason, since_ms=since_ms)


def _waiting(
    mailbox: Mailbox, why: _Why, reason: str = "", next_ms: int = 0, since_ms: int = 0
) -> WaitingAddress:
    waiting = mailbox.waiting or ()
    return WaitingAddress(
        address=mailbox.address,
        why=why,
        reason=reason,
        next_ms=next_ms,
        attempts=mailbox.attempts,
        waiting=len(waiting),
        messages=[
            (caller, decode_typed_value(argument))
            for caller, argument in islice(waiting, _MESSAGES)
        ],
        since_ms=since_ms,
    )


def bring_forward(core: Core, address: SdkAddress) -> None:
    """Let an address be the next whose turn it is; on the loop.

    Raises
    ------
    EngineError
        When none of its messages is ready.
    """
    mailbox = core.find(address)
    _, ready = core.waits
    if mailbox is None or mailbox not in ready:
        raise EngineError(f"no message of {address} is ready to be served")
    ready.remove(mailbox)
    ready.appendleft(mailbox)
