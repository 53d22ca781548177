"""The states of a mailbox, and what leads from one to another.

``Core._move`` is the only place where a mailbox's state changes; the drawing in
docs/architecture.md is made of ``TRANSITIONS``, and the tests hold every step of theirs against it.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["TRANSITIONS", "MailboxState"]


class MailboxState(Enum):
    """What the engine is waiting for before it does something for an address."""

    IDLE = "idle"  # for a message
    READY = "ready"  # for its turn
    IN_FLIGHT = "in flight"  # for the answer to its request
    BACKING_OFF = "backing off"  # for the time of the next try
    PARKED = "parked"  # for a cell that fixes or declares its function


TRANSITIONS: dict[MailboxState, dict[MailboxState, str]] = {
    MailboxState.IDLE: {
        MailboxState.READY: "a message comes",
    },
    MailboxState.READY: {
        MailboxState.IN_FLIGHT: "its request goes out",
    },
    MailboxState.IN_FLIGHT: {
        MailboxState.IDLE: "done, nothing waits",
        MailboxState.READY: "done, more waits; or one by one",
        MailboxState.BACKING_OFF: "it failed: retry",
        MailboxState.PARKED: "it failed: park; undeclared",
    },
    MailboxState.BACKING_OFF: {
        MailboxState.READY: "its time has come",
        MailboxState.IDLE: "its last message is discarded",
    },
    MailboxState.PARKED: {
        MailboxState.READY: "its cell is run; retry; discard",
        MailboxState.IDLE: "its last message is discarded",
    },
}
