"""Which messages can be given up: those at the head of an address that does not go on by itself."""

from __future__ import annotations

from ..address import SdkAddress
from ..errors import EngineError
from ..tables import counted
from .mailbox import Mailbox
from .mailbox_state import MailboxState
from .timers import Timers

__all__ = ["discardable"]


def discardable(
    mailbox: Mailbox | None, address: SdkAddress, timers: Timers, *, paused: bool
) -> Mailbox:
    """The mailbox of an address, when the message at its head can be given up.

    Raises
    ------
    EngineError
        When it cannot; with what can be done instead.
    """
    state = MailboxState.IDLE if mailbox is None else mailbox.state
    if mailbox is not None and (
        state in (MailboxState.PARKED, MailboxState.BACKING_OFF)
        or (paused and state is MailboxState.READY)
    ):
        return mailbox
    if state is MailboxState.IN_FLIGHT:
        raise EngineError(
            f"{address} is being served, and what is in flight cannot be taken back: it can be "
            "discarded when it has failed"
        )
    if state is MailboxState.READY:
        raise EngineError(f"{address} is about to be served: call s.pause() first, then discard")
    delayed = sum(timer.target == address for timer in timers.pending())
    if delayed:
        falls = "falls due" if delayed == 1 else "fall due"
        raise EngineError(
            f"{counted(delayed, 'delayed message')} for {address} {falls} later, and nothing waits "
            "there now: what is delayed is cancelled by its token (ctx.cancel_delayed_message), or "
            "in the dashboard's timers"
        )
    raise EngineError(f"{address} is not parked: there is nothing to discard")
