"""What must hold of an engine's core between any two events."""

from __future__ import annotations

from statefun_nb.engine.core import Core
from statefun_nb.engine.mailbox_state import TRANSITIONS, MailboxState


class CheckedMoves(Core):
    """A core whose mailboxes change their states only as the table says."""

    def _move(self, mailbox, state):
        assert state in TRANSITIONS[mailbox.state], (mailbox.state, state)
        super()._move(mailbox, state)


def check_core(core):
    """Every mailbox is where its state says, and the counts are true."""
    mailboxes = [m for each in core.types.values() for m in each.mailboxes.values()]
    by_state = {
        state: {mailbox for mailbox in mailboxes if mailbox.state is state}
        for state in MailboxState
    }
    assert by_state[MailboxState.READY] == set(core._ready)
    assert len(by_state[MailboxState.READY]) == len(core._ready)
    assert by_state[MailboxState.PARKED] == core.parked().keys()
    assert by_state[MailboxState.BACKING_OFF] == core._retries.keys()
    assert len(by_state[MailboxState.IN_FLIGHT]) == core.in_flight
    for mailbox in mailboxes:
        assert (mailbox.in_flight is not None) == (mailbox.state is MailboxState.IN_FLIGHT)
        if mailbox.state is MailboxState.IDLE:
            assert not mailbox.waiting
        elif mailbox.state is not MailboxState.IN_FLIGHT:
            assert mailbox.waiting
    going = set(mailboxes) - by_state[MailboxState.PARKED]
    assert core.waiting == sum(len(mailbox.waiting or ()) for mailbox in going)
