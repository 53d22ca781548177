"""Who waits in a core, and what for."""

from __future__ import annotations

from itertools import islice
from typing import Literal

from ..address import SdkAddress
from ..errors import EngineError
from ..protocol.v3 import decode_typed_value
from .answers import Undeclared
from .base import WaitingAddress
from .core import Core
from .mailbox import Mailbox

__all__ = ["bring_forward", "waiting_addresses"]

# Of what waits at one address, so many messages are told.
_MESSAGES = 5
# Among so many parked addresses those that have failed are looked for.
_LOOKED = 1_000

_Why = Literal["parked", "undeclared", "backing off", "queued"]


def waiting_addresses(core: Core, limit: int) -> tuple[int, list[WaitingAddress]]:
    """How many addresses have messages that wait, and the first of them; on the loop."""
    parked = core.parked()
    retries, ready = core.waits
    found = [
        _waiting(mailbox, "undeclared" if isinstance(why, Undeclared) else "parked", why.reason)
        for mailbox, why in islice(parked.items(), _LOOKED + limit)
    ]
    found.sort(key=lambda each: each.why == "undeclared")  # what has failed comes first
    found += [_waiting(mailbox, "backing off", "", due) for mailbox, due in retries.items()]
    found += [_waiting(mailbox, "queued") for mailbox in islice(ready, limit)]
    return len(parked) + len(retries) + len(ready), found[:limit]


def _waiting(mailbox: Mailbox, why: _Why, reason: str = "", next_ms: int = 0) -> WaitingAddress:
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
