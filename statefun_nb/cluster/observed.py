"""A real cluster as its endpoint sees it: the state it handed in, and what it still has to do.

Each message from outside, and each message that a reply sends, becomes one invocation at the
endpoint sooner or later. The difference is what is under way in the cluster, where nobody can
look. It is exact while the cluster does not restart; after a restart it may serve messages again
that were counted before, and only quiet tells.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from operator import itemgetter

from ..address import SdkAddress
from ..engine.facts import IngressMessage, StoredState, Timer, newest
from ..engine.timers import Timers
from ..protocol.effects import CancelDelayed, DelayedSend, Emit, Received, Request, TypedValue
from ..protocol.records import KAFKA_RECORD, decode_kafka_record
from ..protocol.v3 import decode_reply, decode_typed_value, has_caller, read_caller

__all__ = ["Observed"]


class Observed:
    """Messages, records and state as the endpoint sees them.

    ``emitted`` counts the records that went to each topic of Kafka, by egress.

    Written on the loop; ``posted`` by who hands in messages, one thread at a time. ``state``, the
    counts and ``page`` are read from any thread, where they may be a moment old.

    ``has_remote`` says whether the cluster calls functions elsewhere, which send messages to those
    of this endpoint.

    Parameters
    ----------
    serves : callable
        Is a function type served by this endpoint?
    """

    def __init__(self, serves: Callable[[str], bool]) -> None:
        self._serves = serves
        self.received = 0
        self.has_remote = False
        self.last_activity = time.monotonic()
        self.state: dict[str, dict[str, dict[str, TypedValue | None]]] = {}
        self.emitted: dict[str, dict[str, int]] = {}
        # Adding to a count is no single step: each has one writer, ``posted`` and the loop.
        self._posted = 0
        self._sent = 0
        self._timers = Timers()
        self._targets: dict[tuple[SdkAddress, str], SdkAddress] = {}  # of those that have a token
        self._at: dict[SdkAddress, int] = {}  # for whom: posted or sent, and not received

    def posted(self, count: int = 1) -> None:
        """Count a message that is handed in from outside; a delayed one: ``posted_later``, too."""
        self._posted += count
        self.last_activity = time.monotonic()

    def posted_to(self, targets: Iterable[SdkAddress]) -> None:
        """Note whom messages that were ``posted`` are for; on the loop."""
        for target in targets:
            self._count_at(target, 1)

    def _count_at(self, address: SdkAddress, by: int) -> None:
        count = self._at.get(address, 0) + by
        if count:
            self._at[address] = count
        else:
            self._at.pop(address, None)

    def waiting_at(self, addresses: Collection[SdkAddress]) -> int:
        """How many messages for these addresses are under way; from any thread."""
        pending = self._timers.count_after(_now_ms(), addresses)
        return sum(self._at.get(address, 0) for address in addresses) - pending

    def busiest(self) -> tuple[SdkAddress, int] | None:
        """The address for which most messages are under way, and how many; from any thread."""
        waiting = tuple(self._at.items())
        return max(waiting, key=itemgetter(1)) if waiting else None

    def posted_later(self, message: IngressMessage) -> None:
        """Remember when a message that was ``posted`` falls due: until then it is not under way."""
        due_ms = _now_ms() + message.delay_ms
        self._timers.add(due_ms, None, "", message.target, message.argument)

    def served(self, request: Request, reply: bytes) -> None:
        """Take in a request and its encoded reply: what it consumed, sent and left as state."""
        self.last_activity = time.monotonic()
        self._elapse()
        # What has no caller came from an ingress of the user's, which nobody counts.
        received = sum(1 for each in request.invocations if self._is_counted(each))
        self.received += received
        effects = decode_reply(reply)
        owner = request.target
        self._count_at(owner, -received)
        for send in effects.sends:
            if self._serves(send.target.typename):
                self._sent += 1
                self._count_at(send.target, 1)
        for each in effects.delayed:
            if isinstance(each, CancelDelayed):
                self._cancel(owner, each.token)
            elif self._serves(each.target.typename):
                self._sent += 1
                self._count_at(each.target, 1)
                due_ms = _now_ms() + each.delay_ms
                if self.pending(owner, each.token):
                    self._cancel(owner, each.token)  # the cluster has let go of it already
                self._timers.add(due_ms, owner, each.token, each.target, each.argument)
                if each.token:
                    self._targets[owner, each.token] = each.target
        for emit in effects.egress:
            self._emitted(emit)
        values = self.state.setdefault(owner.typename, {}).setdefault(owner.id, {})
        values.update(request.state)
        values.update(effects.mutations)

    def _is_counted(self, received: Received) -> bool:
        """Was this message counted as it was sent, by us or by what this endpoint has served?"""
        if not self.has_remote:
            return has_caller(received)
        if not has_caller(received):
            return False
        caller = read_caller(received)  # None for the gateway
        return caller is None or self._serves(caller.typename)

    def _emitted(self, emit: Emit) -> None:
        # Counted here and not as functions emit them: what a failed one emitted goes nowhere.
        value = decode_typed_value(emit.argument)
        if value.typename == KAFKA_RECORD:
            topic = decode_kafka_record(value.value or b"").topic
            topics = self.emitted.setdefault(emit.egress, {})
            topics[topic] = topics.get(topic, 0) + 1

    def _cancel(self, owner: SdkAddress, token: str) -> None:
        if self.pending(owner, token):
            self._timers.cancel(owner, token)
            self._sent -= 1
            self._count_at(self._targets.pop((owner, token)), -1)

    def _elapse(self) -> None:
        """Drop the timers whose time has come: those messages are on their way now."""
        now_ms = _now_ms()
        while (due := self._timers.pop_due(now_ms)) is not None:
            if due.owner is not None:
                self._targets.pop((due.owner, due.token), None)

    def pending(self, owner: SdkAddress, token: str) -> bool:
        """Is a delayed message of ``owner`` pending under this token?"""
        self._elapse()
        return self._timers.has(owner, token)

    def check_delayed(
        self, owner: SdkAddress, delayed: Sequence[DelayedSend | CancelDelayed]
    ) -> None:
        """Raise EngineError for delayed messages of a reply that would fail the job."""
        self._elapse()
        self._timers.check(owner, delayed)

    def page(self, typename: str, search: str, limit: int) -> tuple[int, list[StoredState]]:
        """The newest addresses of a function type; when their values expire is not known here."""
        states = dict(self.state.get(typename, {}))
        total, shown = newest(states, search, limit)
        return total, [StoredState(id_, dict(states[id_]), {}) for id_ in shown]

    def timers(self) -> list[Timer]:
        """The delayed messages that are pending, soonest first; on the loop."""
        self._elapse()
        return self._timers.pending()

    def delayed(self, until: float = 0.0) -> int:
        """Delayed messages due after ``until``, in seconds since the epoch; 0: after now.

        From any thread.
        """
        later_ms = max(_now_ms(), until * 1000)
        return self._timers.count_after(later_ms)

    @property
    def under_way(self) -> int:
        """Messages in the cluster that are not waiting for their time."""
        return self._posted + self._sent - self.received - self.delayed()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
