"""The engine's core: events in, requests and egress records out. No clock, thread or socket.

What it does and where that is written in StateFun 3.3:

* one request in flight per address; what comes meanwhile waits and goes out as one batch, in
  order (``RequestReplyFunction``);
* a reply is applied as a whole or not at all: messages, then delayed messages and cancellations
  in their order, then egress records, then state (``RequestReplyFunction``);
* state names are learnt by the handshake (``PersistedRemoteFunctionValues``);
* FIFO from one sender to one target: messages are put in the order of their sender's replies.

Where the cluster would fail the job and start over, this engine parks the one address.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple

from ..address import SdkAddress
from ..effects import CancelDelayed, DelayedSend, Emit, Reply, TypedValue
from ..errors import EngineError, token_is_pending
from .mailbox import Envelope, FunctionType, Mailbox, Parked
from .timers import Timers

__all__ = ["Core", "OnError", "Pending"]

_new = tuple.__new__  # half the time of calling a NamedTuple's class

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
    batch: list[Envelope]
    state: dict[str, TypedValue | None]


class Core:
    """The state of the whole engine.

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
        self._limits: Callable[[str], int | None] = lambda _: None
        self.on_error = on_error
        self._emit = emit
        self.types: dict[str, FunctionType] = {}
        self.timers = Timers()
        self._retries: dict[Mailbox, int] = {}
        self._parked: dict[Mailbox, None] = {}  # an ordered set
        self._ready: deque[Mailbox] = deque()
        self.in_flight = 0
        self.waiting = 0  # messages in mailboxes that are not parked
        self.processed = 0
        self.skipped = 0

    # Events.

    def offer(self, target: SdkAddress, caller: SdkAddress | None, argument: bytes) -> None:
        """A message for ``target`` has arrived."""
        kind = self.types.get(target[3])
        if kind is None:
            kind = self.add_type(target)
        mailbox = kind.mailboxes.get(target[2])
        if mailbox is None:
            mailbox = kind.mailboxes[target[2]] = Mailbox(kind, target[2])
        mailbox.put((caller, argument))
        if mailbox.parked is None:
            self.waiting += 1
            if mailbox.in_flight is None and not mailbox.queued:
                mailbox.queued = True
                self._ready.append(mailbox)

    def next_request(self, now_ms: int, limit: int | None = None) -> Pending | None:
        """Take the next batch that can go out; None when no address is ready.

        Addresses take turns in the order they became ready.
        """
        if not self._ready:
            return None
        mailbox = self._ready.popleft()
        mailbox.queued = False
        batch = mailbox.take(mailbox.kind.batch_limit if limit is None else limit)
        self.in_flight += 1
        self.waiting -= len(batch)
        return _new(Pending, (mailbox, batch, mailbox.read(now_ms, touch=True)))

    def again(self, mailbox: Mailbox, now_ms: int) -> Pending:
        """The same batch once more, with the state names known by now (the handshake)."""
        assert mailbox.in_flight is not None  # it was just answered
        return Pending(mailbox, mailbox.in_flight, mailbox.read(now_ms, touch=True))

    def replied(self, mailbox: Mailbox, reply: Reply, now_ms: int) -> bool:
        """The function answered. False: it asked for state names; send the batch ``again``.

        Raises
        ------
        EngineError
            When the reply is one that a cluster refuses; nothing of it was applied.
        """
        if reply.missing is not None:
            for spec in reply.missing:
                mailbox.kind.register(spec)
            return False
        self._check(mailbox, reply)
        self._apply(mailbox, reply, now_ms)
        batch = mailbox.in_flight or []
        mailbox.in_flight = None
        mailbox.attempts = 0
        if mailbox.isolate:
            mailbox.isolate -= 1
        self.in_flight -= 1
        self.processed += len(batch)
        if mailbox.waiting:
            self._make_ready(mailbox)
        return True

    def failed(self, mailbox: Mailbox, reason: str, now_ms: int, *, undeclared: bool) -> None:
        """The request failed: nothing of the batch has had an effect."""
        batch = mailbox.in_flight or []
        self.in_flight -= 1
        mailbox.put_back()
        self.waiting += len(batch)
        if undeclared:
            self._park(mailbox, Parked(reason, undeclared=True))
        elif len(batch) > 1:
            # One message of the batch is to blame. Batches may be of any size: send them one by
            # one, so that the good ones go through and the bad one is found.
            mailbox.isolate = len(batch)
            self._make_ready(mailbox)
        elif self.on_error is OnError.PARK:
            self._park(mailbox, Parked(reason, undeclared=False))
        elif self.on_error is OnError.SKIP:
            self._skip(mailbox)
        else:
            self._retry_later(mailbox, now_ms)

    def tick(self, now_ms: int) -> None:
        """Time has passed: deliver what is due, and try again what waited for its back-off."""
        while (timer := self.timers.pop_due(now_ms)) is not None:
            self.offer(timer.target, timer.owner, timer.argument)
        for mailbox in [m for m, due in self._retries.items() if due <= now_ms]:
            del self._retries[mailbox]
            mailbox.queued = False
            self._make_ready(mailbox)

    def release(self, typename: str) -> int:
        """A function type was declared (again): its parked addresses go on. How many did?"""
        released = 0
        for mailbox in self.parked():
            if mailbox.kind.typename == typename:
                mailbox.parked = None
                mailbox.attempts = 0
                del self._parked[mailbox]
                self.waiting += len(mailbox.waiting or ())
                released += 1
                if mailbox.waiting:
                    self._make_ready(mailbox)
        for mailbox in self._retries:
            if mailbox.kind.typename == typename:
                self._retries[mailbox] = 0
        return released

    def write(self, address: SdkAddress, name: str, value: TypedValue | None, now_ms: int) -> None:
        """Somebody sets a state value from outside, or clears it.

        Raises
        ------
        EngineError
            When the address is being served, or the name or the type is not as it declared.
        """
        mailbox = self.find(address)
        index = None if mailbox is None else mailbox.kind.names.get(name)
        if mailbox is None or index is None:
            raise EngineError(f"{address} has no state {name!r} yet: send it a message first")
        if mailbox.in_flight is not None:
            raise EngineError(f"{address} is being served and will write its state: try again")
        if value is not None:
            mailbox.kind.check_type(index, value.typename)
        mailbox.write(index, value, now_ms)

    def limit_batches(self, limits: Callable[[str], int | None]) -> None:
        """From now on a function type has its own ``batch_limit``, where it is not None."""
        self._limits = limits
        for kind in self.types.values():
            kind.batch_limit = self._limit_of(kind.typename)

    def add_type(self, address: SdkAddress) -> FunctionType:
        """A function type that has had no message yet; ``address`` is any of it."""
        kind = FunctionType(address, self._limit_of(address.typename))
        self.types[address.typename] = kind
        return kind

    def _limit_of(self, typename: str) -> int:
        limit = self._limits(typename)
        return self._batch_limit if limit is None else limit

    # Questions.

    def find(self, address: SdkAddress) -> Mailbox | None:
        """The mailbox of an address; None before its first message."""
        kind = self.types.get(address.typename)
        return None if kind is None else kind.mailboxes.get(address.id)

    def parked(self) -> list[Mailbox]:
        """The addresses that wait for their function to be declared (again)."""
        return list(self._parked)

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

    def _make_ready(self, mailbox: Mailbox) -> None:
        if not mailbox.queued:
            mailbox.queued = True
            self._ready.append(mailbox)

    def _check(self, mailbox: Mailbox, reply: Reply) -> None:
        """Raise for what fails the job on a cluster, before anything is applied."""
        kind = mailbox.kind
        for mutation in reply.mutations:
            index = kind.names.get(mutation.name)
            if index is None:
                raise EngineError(
                    f"{kind.typename} changed state {mutation.name!r}, which it never declared"
                )
            if mutation.value is not None:
                kind.check_type(index, mutation.value.typename)
        for send in reply.sends:
            _check_target(kind, send.target)
        if reply.delayed:
            for each in reply.delayed:
                if not isinstance(each, CancelDelayed):
                    _check_target(kind, each.target)
            self._check_tokens(mailbox.address, reply.delayed)

    def _check_tokens(
        self, owner: SdkAddress, delayed: Sequence[DelayedSend | CancelDelayed]
    ) -> None:
        taken: dict[str, bool] = {}
        for each in delayed:
            if isinstance(each, CancelDelayed):
                if not each.token:
                    raise EngineError(f"{owner} cancelled a delayed message without a token")
                taken[each.token] = False
                continue
            if each.delay_ms < 0:
                raise EngineError(f"{owner} sent a message with the delay {each.delay_ms} ms")
            if each.token:
                if taken.get(each.token, self.timers.has(owner, each.token)):
                    raise EngineError(token_is_pending(owner, each.token))
                taken[each.token] = True

    def _apply(self, mailbox: Mailbox, reply: Reply, now_ms: int) -> None:
        address = mailbox.address
        for target, argument in reply.sends:
            self.offer(target, address, argument)
        for each in reply.delayed:
            if isinstance(each, CancelDelayed):
                self.timers.cancel(address, each.token)
            else:
                due = now_ms + each.delay_ms
                self.timers.add(due, address, each.token, each.target, each.argument)
        for record in reply.egress:
            self._emit(record)
        for name, value in reply.mutations:
            mailbox.write(mailbox.kind.names[name], value, now_ms)

    def _park(self, mailbox: Mailbox, parked: Parked) -> None:
        mailbox.parked = parked
        self.waiting -= len(mailbox.waiting or ())
        self._parked[mailbox] = None

    def _skip(self, mailbox: Mailbox) -> None:
        mailbox.drop_head()
        self.waiting -= 1
        self.skipped += 1
        if mailbox.isolate:
            mailbox.isolate -= 1
        if mailbox.waiting:
            self._make_ready(mailbox)

    def _retry_later(self, mailbox: Mailbox, now_ms: int) -> None:
        # Doubling from 10 ms, as the runtime's OkHttp transport does; it gives up after its call
        # timeout and fails the job, here it goes on once a minute until somebody mends the cell.
        delay = min(_FIRST_RETRY_MS << min(mailbox.attempts, 20), _LAST_RETRY_MS)
        mailbox.attempts += 1
        mailbox.queued = True  # in its own queue: a message that comes must not make it ready
        self._retries[mailbox] = now_ms + delay


def _check_target(kind: FunctionType, target: SdkAddress) -> None:
    if not target.namespace or not target.name or target.typename.count("/") != 1:
        raise EngineError(
            f"{kind.typename} sent a message to {target.typename!r}: no such typename"
        )
