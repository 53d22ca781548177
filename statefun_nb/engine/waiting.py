"""Who waits in a core, and what for."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice

from ..address import SdkAddress
from ..errors import EngineError
from .answers import Parked
from .core import Core
from .facts import WaitingAddress, WaitingMessage, Why
from .mailbox import Mailbox

__all__ = ["bring_forward", "waiting_addresses"]

# Of what waits at one address, so many messages are told.
_MESSAGES = 5
# Among so many parked addresses those that have failed are looked for.
_LOOKED = 1_000


def waiting_addresses(
    core: Core, serving: Iterable[Mailbox], limit: int
) -> tuple[int, list[WaitingAddress]]:
    """How many addresses have messages that wait, and the first of them; on the loop.

    ``serving`` are the mailboxes that have requests in flight, behind which others may wait.
    """
    parked = core.parked()
    retries, ready = core.waits
    behind = [mailbox for mailbox in serving if mailbox.waiting]
    first = list(islice(parked.items(), _LOOKED + limit))
    first.sort(key=lambda each: _why(each[1]) == "undeclared")  # what has failed comes first
    # Each is looked at as it is taken: of a hundred thousand no more than the limit are.
    found = chain(
        (_parked(mailbox, each) for mailbox, each in first),
        (_waiting(mailbox, "backing off", next_ms=due) for mailbox, due in retries.items()),
        (_waiting(mailbox, "running") for mailbox in behind),
        (_waiting(mailbox, "queued") for mailbox in ready),
    )
    total = len(parked) + len(retries) + len(behind) + len(ready)
    return total, list(islice(found, limit))


def _why(parked: Parked) -> Why:
    return "undeclared" if parked.undeclared else "parked"


def _parked(mailbox: Mailbox, parked: Parked) -> WaitingAddress:
    found = _waiting(mailbox, _why(parked), parked.why.reason)
    return found._replace(since_ms=parked.since_ms)


def _waiting(mailbox: Mailbox, why: Why, reason: str = "", next_ms: int = 0) -> WaitingAddress:
    waiting = mailbox.waiting or ()
    messages = [WaitingMessage(*message) for message in islice(waiting, _MESSAGES)]
    return WaitingAddress(
        address=mailbox.address,
        why=why,
        reason=reason,
        next_ms=next_ms,
        attempts=mailbox.attempts,
        waiting=len(waiting),
        messages=messages,
        since_ms=messages[0].came_ms if messages else 0,
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
