"""Delayed messages, in the order they fall due; cancelled by the token of whoever set them."""

from __future__ import annotations

import heapq
from collections.abc import Container, Sequence

from ..address import SdkAddress
from ..errors import EngineError, token_is_pending
from ..protocol.effects import LONGEST_DELAY_MS, CancelDelayed, DelayedSend
from .facts import Timer

__all__ = ["Timers"]


class Timers:
    """A heap of timers. Source: ``DelaySink``, ``FlinkStateDelayedMessagesBuffer``.

    A token belongs to the address that set it: two addresses may use the same one.
    """

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._by_token: dict[tuple[SdkAddress | None, str], int] = {}
        self._cancelled: set[int] = set()
        self._next_number = 0

    def __len__(self) -> int:
        return len(self._heap) - len(self._cancelled)

    def has(self, owner: SdkAddress, token: str) -> bool:
        """Is a message pending under this token of this address?"""
        return (owner, token) in self._by_token

    def check(self, owner: SdkAddress, delayed: Sequence[DelayedSend | CancelDelayed]) -> None:
        """Raise EngineError for what fails the job on a cluster, and for what has no date."""
        taken: dict[str, bool] = {}
        for each in delayed:
            if isinstance(each, CancelDelayed):
                if not each.token:
                    raise EngineError(f"{owner} cancelled a delayed message without a token")
                taken[each.token] = False
                continue
            if not 0 <= each.delay_ms <= LONGEST_DELAY_MS:
                raise EngineError(f"{owner} sent a message with the delay {each.delay_ms} ms")
            if each.token:
                if taken.get(each.token, self.has(owner, each.token)):
                    raise EngineError(token_is_pending(owner, each.token))
                taken[each.token] = True

    def add(
        self,
        due_ms: int,
        owner: SdkAddress | None,
        token: str,
        target: SdkAddress,
        argument: bytes,
    ) -> None:
        """Set a timer. The token must be free: check with ``has``."""
        self.set(Timer(due_ms, self._next_number, owner, token, target, argument))

    def set(self, timer: Timer) -> None:
        """Set a timer that has its number already; later ones get higher numbers."""
        self._next_number = timer.number + 1
        heapq.heappush(self._heap, timer)
        if timer.token:
            self._by_token[(timer.owner, timer.token)] = timer.number

    def cancel(self, owner: SdkAddress, token: str) -> None:
        """Drop the message under this token; nothing happens when there is none."""
        number = self._by_token.pop((owner, token), None)
        if number is not None:
            self._drop(number)

    def cancel_number(self, number: int) -> bool:
        """Drop one timer, whoever set it; False when it is not pending."""
        for timer in self._heap:
            if timer.number == number and number not in self._cancelled:
                if timer.token:
                    del self._by_token[(timer.owner, timer.token)]
                self._drop(number)
                return True
        return False

    def _drop(self, number: int) -> None:
        self._cancelled.add(number)
        # Cancelled timers stay in the heap until they surface; when they are most of it, sweep.
        if len(self._cancelled) > 64 and len(self._cancelled) * 2 > len(self._heap):
            self._heap = [timer for timer in self._heap if timer.number not in self._cancelled]
            heapq.heapify(self._heap)
            self._cancelled.clear()

    def next_due_ms(self) -> int | None:
        """When the next message falls due; None when nothing is pending."""
        self._drop_cancelled()
        return self._heap[0].due_ms if self._heap else None

    def pop_due(self, now_ms: int) -> Timer | None:
        """Take the next timer that is due, if any."""
        self._drop_cancelled()
        if not self._heap or self._heap[0].due_ms > now_ms:
            return None
        timer = heapq.heappop(self._heap)
        if timer.token:
            del self._by_token[(timer.owner, timer.token)]
        return timer

    def pending(self) -> list[Timer]:
        """All pending timers, soonest first."""
        return sorted(timer for timer in self._heap if timer.number not in self._cancelled)

    def count_after(self, due_ms: float, targets: Container[SdkAddress] | None = None) -> int:
        """How many pending messages fall due later than that, of all or for these addresses.

        It changes nothing: it may be asked from any thread, where it is a moment old.
        """
        cancelled = self._cancelled
        return sum(
            t.due_ms > due_ms
            and t.number not in cancelled
            and (targets is None or t.target in targets)
            for t in self._heap
        )

    def _drop_cancelled(self) -> None:
        while self._heap and self._heap[0].number in self._cancelled:
            self._cancelled.discard(heapq.heappop(self._heap).number)
