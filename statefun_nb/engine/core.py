"""The engine's core: events in, requests and egress records out. No clock, thread or socket.

What it does and where that is written in StateFun 3.3:

* one request in flight per address; what comes meanwhile waits and goes out as one batch, in
  order (``RequestReplyFunction``);
* a reply is applied as a whole or not at all: messages, then delayed messages and cancellations
  in their order, then egress records, then state (``RequestReplyFunction``);
* state names are learnt by the handshake (``PersistedRemoteFunctionValues``);
* FIFO from one sender to one target: messages are put in the order of their sender's replies.

Where the cluster would fail the job and start over, this engine parks the one address.

A mailbox is in one of five states (``mailbox_state.py``), which ``_move`` alone changes;
``_ready``, ``_retries`` and ``_parked`` hold those of three of them. Counts are kept, not counted:
``progress`` is asked ten times a second, whatever the number of addresses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from itertools import chain
from typing import NamedTuple

from ..address import SdkAddress
from ..errors import EngineError, never_declared
from ..protocol.effects import CancelDelayed, Emit, Reply, StateSpec, TypedValue, new_tuple
from .answers import Cancelled, Failed, Parked, Undeclared
from .discarding import discardable
from .mailbox import FunctionType, Mailbox, QueuedMessage, check_target
from .mailbox_state import MailboxState
from .timers import Timers

__all__ = ["Core", "OnError", "Pending"]

_IDLE, _READY, _IN_FLIGHT, _BACKING_OFF, _PARKED = MailboxState

_FIRST_RETRY_MS = 10
_LAST_RETRY_MS = 60_000


class OnError(Enum):
    """What happens to a message whose function raises."""

    PARK = "park"  # it waits at the head of its mailbox until the function is declared anew
    RETRY = "retry"  # it is tried again, after 10 ms, 20 ms, ... up to a minute
    SKIP = "skip"  # it is dropped


class Pending(NamedTuple):
    """A request to be made: the batch of one mailbox and the state it sees."""

    mailbox: Mailbox
    batch: list[QueuedMessage]
    state: dict[str, TypedValue | None]


class Core:
    """All mailboxes, timers and state names, and what each event does to them.

    Parameters
    ----------
    batch_limit : int
        Messages in one request at most (``maxNumBatchRequests``); 0: no limit.
    on_error : OnError
    emit : callable
        Gets each egress record, in order.
    """

    def __init__(self, batch_limit: int, on_error: OnError, emit: Callable[[Emit], object]) -> None:
        self._batch_limit = batch_limit
        self._limits: Callable[[str], int | None] | None = None
        self.on_error = on_error
        self._emit = emit
        self.types: dict[str, FunctionType] = {}
        self.timers = Timers()
        # Of the mailboxes in three of the states: when to try again, why not to go on, whose turn.
        self._retries: dict[Mailbox, int] = {}
        self._parked: dict[Mailbox, Parked] = {}
        # What was in flight as its function was declared again.
        self._corrected: dict[Mailbox, object] = {}
        self._ready: deque[Mailbox] = deque()
        self.in_flight = 0
        self.waiting = 0  # messages in mailboxes that are not parked
        self.processed = 0

    # Events.

    def offer(
        self, target: SdkAddress, caller: SdkAddress | None, argument: bytes, now_ms: int = 0
    ) -> None:
        """Take in a message that has come for ``target``."""
        function_type = self.types.get(target[3])
        if function_type is None:
            function_type = self.add_type(target)
        mailbox = function_type.mailboxes.get(target[2])
        if mailbox is None:
            mailbox = function_type.mailboxes[target[2]] = Mailbox(function_type, target[2])
        mailbox.put((caller, argument, now_ms))
        state = mailbox.state
        if state is not _PARKED:
            self.waiting += 1
            if state is _IDLE:
                self._move(mailbox, _READY)

    def next_request(self, now_ms: int, limit: int | None = None) -> Pending | None:
        """Take the next batch that can go out; None when no address is ready.

        Addresses take turns in the order they became ready.
        """
        if not self._ready:
            return None
        mailbox = self._ready.popleft()
        if limit is None and self._limits is not None:
            limit = self._limits(mailbox.function_type.typename)
        batch = mailbox.take(self._batch_limit if limit is None else limit)
        self._move(mailbox, _IN_FLIGHT)
        self.waiting -= len(batch)
        return new_tuple(Pending, (mailbox, batch, mailbox.read(now_ms, touch=True)))

    def again(self, mailbox: Mailbox, now_ms: int) -> Pending:
        """The same batch once more, with the state names known by now (the handshake)."""
        assert mailbox.in_flight is not None  # it was just answered
        return Pending(mailbox, mailbox.in_flight, mailbox.read(now_ms, touch=True))

    def replied(self, mailbox: Mailbox, reply: Reply, now_ms: int) -> bool:
        """Apply what the function answered. False: it asked for state names; send it ``again``.

        Raises
        ------
        EngineError
            When the reply is one that a cluster refuses; nothing of it was applied.
        """
        if reply.missing is not None:
            for spec in reply.missing:
                mailbox.function_type.register(spec, now_ms)
            return False
        self.check(mailbox, reply)
        self._apply(mailbox, reply, now_ms)
        batch = mailbox.in_flight or []
        mailbox.in_flight = None
        mailbox.attempts = 0
        if mailbox.isolate:
            mailbox.isolate -= 1
        self.processed += len(batch)
        self._move(mailbox, _READY if mailbox.waiting else _IDLE)
        return True

    def failed(self, mailbox: Mailbox, why: Failed | Undeclared | Cancelled, now_ms: int) -> None:
        """Take back a request that brought no reply: nothing of its batch has had an effect."""
        batch = mailbox.in_flight or []
        corrected = self._corrected.pop(mailbox, None) is batch
        mailbox.put_back()
        self.waiting += len(batch)
        if corrected or isinstance(why, Cancelled):
            self._move(mailbox, _READY)
        elif isinstance(why, Undeclared):
            self._park(mailbox, why, now_ms)
        elif len(batch) > 1:
            # One message of the batch is to blame. Batches may be of any size: send them one by
            # one, so that the good ones go through and the bad one is found.
            mailbox.isolate = len(batch)
            self._move(mailbox, _READY)
        elif self.on_error is OnError.PARK:
            self._park(mailbox, why, now_ms)
        elif self.on_error is OnError.SKIP:
            self._skip(mailbox)
        else:
            self._retry_later(mailbox, now_ms)

    def tick(self, now_ms: int) -> None:
        """Deliver the delayed messages that are due, and end the back-offs that are over."""
        while (timer := self.timers.pop_due(now_ms)) is not None:
            self.offer(timer.target, timer.owner, timer.argument, now_ms)
        for mailbox in [m for m, due in self._retries.items() if due <= now_ms]:
            self._move(mailbox, _READY)

    def release(self, typename: str | None = None, id: str | None = None) -> int:
        """Let parked addresses go on, and those that back off; of a type, or one. How many do?

        What is in flight was made for the function as it was: if that fails, it is tried again.
        """
        types = [each for name, each in self.types.items() if typename in (None, name)]
        served: Iterable[Mailbox]
        if id is not None:  # one of each type at most: nobody else is looked at
            held = served = [each.mailboxes[id] for each in types if id in each.mailboxes]
        else:
            held = [*self._parked, *self._retries]
            held = [each for each in held if typename in (None, each.function_type.typename)]
            served = chain.from_iterable(t.mailboxes.values() for t in types if self.in_flight)
        parked = [mailbox for mailbox in held if mailbox.state is _PARKED]
        for mailbox in parked:
            self._move(mailbox, _READY)
        backing_off = [mailbox for mailbox in held if mailbox.state is _BACKING_OFF]
        for mailbox in backing_off:
            self._retries[mailbox] = 0
        # Of those that were noted before, the ones that are still on their way.
        self._corrected = {m: b for m, b in self._corrected.items() if m.in_flight is b}
        self._corrected |= {m: m.in_flight for m in served if m.in_flight is not None}
        return len(parked) + len(backing_off)

    def discard(self, address: SdkAddress, *, paused: bool = False) -> bytes:
        """Give up the message at the head of an address; what it carried. See ``discardable``."""
        mailbox = discardable(self.find(address), address, self.timers, paused=paused)
        _, argument, _ = mailbox.drop_head()
        mailbox.attempts = 0
        if mailbox.isolate:
            mailbox.isolate -= 1
        if mailbox.state is not _PARKED:
            self.waiting -= 1
        if not mailbox.waiting:
            self._move(mailbox, _IDLE)
        elif mailbox.state is not _READY and not self.is_undeclared(mailbox):
            self._move(mailbox, _READY)
        return argument

    def amend(self, address: SdkAddress, argument: bytes) -> None:
        """Put another value into the message at the head of an address that does not go on."""
        mailbox = self.find(address)
        if mailbox is None or mailbox.state not in (_PARKED, _BACKING_OFF) or not mailbox.waiting:
            raise EngineError(f"{address} is not parked: there is no message to edit")
        caller, _, came_ms = mailbox.waiting[0]
        mailbox.waiting[0] = (caller, argument, came_ms)
        mailbox.attempts = 0

    def write(
        self,
        address: SdkAddress,
        values: Mapping[str, TypedValue | None],
        specs: Sequence[StateSpec],
        now_ms: int,
    ) -> None:
        """Set state values from outside, all or none; None clears; see ``Controls.write``.

        Raises
        ------
        EngineError
            When the address is being served, or a name or a type is not as it is kept.
        """
        function_type = self.types.get(address.typename)
        if function_type is None:
            if not specs:
                raise EngineError(f"{address} has no state yet: send it a message first")
            function_type = self.add_type(address)
        mailbox = function_type.mailboxes.get(address.id)
        if mailbox is not None and mailbox.in_flight is not None:
            raise EngineError(f"{address} is being served and will write its state: try again")
        placed = function_type.placed(values, specs, now_ms)
        if mailbox is None:
            mailbox = function_type.mailboxes[address.id] = Mailbox(function_type, address.id)
        function_type.held = None
        for index, value in placed.items():
            mailbox.write(index, value, now_ms)

    def redeclare(self, typename: str, specs: Iterable[StateSpec], now_ms: int) -> None:
        """Take in how a function declares the names that are known of it; see ``register``."""
        function_type = self.types.get(typename)
        if function_type is not None:
            for spec in specs:
                if spec.name in function_type.names:
                    function_type.register(spec, now_ms)

    def limit_batches(self, limits: Callable[[str], int | None]) -> None:
        """From now on a function type has its own ``batch_limit``, where it is not None.

        It is asked for each request: what a cell declares or takes back is served elsewhere.
        """
        self._limits = limits

    def add_type(self, address: SdkAddress) -> FunctionType:
        """A function type that has had no message yet; ``address`` is any of it."""
        added = self.types[address.typename] = FunctionType(address)
        return added

    # Questions.

    def find(self, address: SdkAddress) -> Mailbox | None:
        """The mailbox of an address; None before its first message."""
        found = self.types.get(address.typename)
        return None if found is None else found.mailboxes.get(address.id)

    def parked(self) -> dict[Mailbox, Parked]:
        """The addresses that wait for their function to be declared (again), why, since when."""
        return dict(self._parked)

    def is_undeclared(self, mailbox: Mailbox) -> bool:
        """Does an address wait for its function to be declared?"""
        parked = self._parked.get(mailbox)
        return parked is not None and parked.undeclared

    @property
    def waits(self) -> tuple[Mapping[Mailbox, int], deque[Mailbox]]:
        """Until when addresses back off, and those whose turn comes, in order."""
        return self._retries, self._ready

    @property
    def parked_count(self) -> int:
        """How many addresses are parked."""
        return len(self._parked)

    def next_due_ms(self) -> int | None:
        """When ``tick`` is next worth calling; None when nothing is pending."""
        due = self.timers.next_due_ms()
        if self._retries:
            retry = min(self._retries.values())
            due = retry if due is None else min(due, retry)
        return due

    @property
    def ready(self) -> bool:
        """Can a request go out?"""
        return bool(self._ready)

    @property
    def retrying(self) -> bool:
        """Does an address wait for its back-off?"""
        return bool(self._retries)

    # Steps.

    def _move(self, mailbox: Mailbox, state: MailboxState) -> None:
        """Change a mailbox's state, and what the core keeps of mailboxes in that state.

        Which steps there are, and when, is in ``TRANSITIONS``. Whoever moves one to BACKING_OFF or
        PARKED notes the time, or the reason, first; its messages are where they belong by then.
        """
        before = mailbox.state
        mailbox.state = state
        if state is _IN_FLIGHT:
            self.in_flight += 1
            return  # it was READY, and was taken from there
        if before is _IN_FLIGHT:
            self.in_flight -= 1
        elif before is _READY:
            self._ready.remove(mailbox)
        elif before is _PARKED:
            del self._parked[mailbox]
            self.waiting += len(mailbox.waiting or ())
        elif before is _BACKING_OFF:
            del self._retries[mailbox]
        if state is _READY:
            self._ready.append(mailbox)
        elif state is _PARKED:
            self.waiting -= len(mailbox.waiting or ())

    def check(self, mailbox: Mailbox, reply: Reply) -> None:
        """Raise for what fails the job on a cluster, before anything is applied."""
        function_type = mailbox.function_type
        for mutation in reply.mutations:
            index = function_type.names.get(mutation.name)
            if index is None:
                raise EngineError(never_declared(function_type.typename, mutation.name))
            if mutation.value is not None:
                function_type.check_type(index, mutation.value.typename)
        for send in reply.sends:
            check_target(function_type.typename, send.target)
        if reply.delayed:
            for each in reply.delayed:
                if not isinstance(each, CancelDelayed):
                    check_target(function_type.typename, each.target)
            self.timers.check(mailbox.address, reply.delayed)

    def _apply(self, mailbox: Mailbox, reply: Reply, now_ms: int) -> None:
        # Made only for who needs it: it takes as long as all the rest of a reply without effects.
        address = mailbox.address if reply.sends or reply.delayed else None
        for target, argument in reply.sends:
            self.offer(target, address, argument, now_ms)
        for each in reply.delayed:
            assert address is not None
            if isinstance(each, CancelDelayed):
                self.timers.cancel(address, each.token)
            else:
                due = now_ms + each.delay_ms
                self.timers.add(due, address, each.token, each.target, each.argument)
        for record in reply.egress:
            self._emit(record)
        for name, value in reply.mutations:
            mailbox.write(mailbox.function_type.names[name], value, now_ms)

    def _park(self, mailbox: Mailbox, why: Failed | Undeclared, now_ms: int) -> None:
        self._parked[mailbox] = Parked(why, now_ms)
        self._move(mailbox, _PARKED)

    def _skip(self, mailbox: Mailbox) -> None:
        mailbox.drop_head()
        self.waiting -= 1
        self.processed += 1  # nothing waits for it any more
        if mailbox.isolate:
            mailbox.isolate -= 1
        self._move(mailbox, _READY if mailbox.waiting else _IDLE)

    def _retry_later(self, mailbox: Mailbox, now_ms: int) -> None:
        # Doubling from 10 ms, as the runtime's OkHttp transport does; it gives up after its call
        # timeout and fails the job, here it goes on once a minute until somebody fixes the cell.
        delay = min(_FIRST_RETRY_MS << min(mailbox.attempts, 20), _LAST_RETRY_MS)
        mailbox.attempts += 1
        self._retries[mailbox] = now_ms + delay
        self._move(mailbox, _BACKING_OFF)
