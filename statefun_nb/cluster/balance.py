"""What a real cluster still has to do, told from what passes the endpoint.

Each message from outside, and each message that a reply sends, becomes one invocation at the
endpoint sooner or later. The difference is what is under way in the cluster, where nobody can
look. It is exact while the cluster does not restart; after a restart it may serve messages again
that were counted before, and only quiet tells.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable

from ..address import SdkAddress
from ..effects import CancelDelayed, Request, TypedValue
from ..protocol.v3 import decode_reply, has_caller

__all__ = ["Balance"]


class Balance:
    """Messages and state as the endpoint sees them. Belongs to the loop, but for ``posted``.

    Parameters
    ----------
    serves : callable
        Is a function type served by this endpoint?
    """

    def __init__(self, serves: Callable[[str], bool]) -> None:
        self._serves = serves
        self.received = 0
        self.last_activity = time.monotonic()
        self.state: dict[str, dict[str, dict[str, TypedValue | None]]] = {}
        self._sent = 0
        self._due: list[float] = []  # of delayed messages, in seconds since the epoch
        self._tokens: dict[tuple[SdkAddress, str], float] = {}
        self._cancelled: dict[float, int] = {}

    def posted(self, delay_ms: int) -> None:
        """A message is handed in from outside."""
        self._sent += 1
        self.last_activity = time.monotonic()
        if delay_ms:
            heapq.heappush(self._due, time.time() + delay_ms / 1000)

    def served(self, request: Request, reply: bytes) -> None:
        """A request was served."""
        self.last_activity = time.monotonic()
        # What has no caller came from an ingress of the user's, which nobody counts.
        self.received += sum(1 for each in request.invocations if has_caller(each))
        effects = decode_reply(reply)
        owner = request.target
        for send in effects.sends:
            self._sent += int(self._serves(send.target.typename))
        for each in effects.delayed:
            if isinstance(each, CancelDelayed):
                self._cancel(owner, each.token)
            elif self._serves(each.target.typename):
                self._sent += 1
                due = time.time() + each.delay_ms / 1000
                heapq.heappush(self._due, due)
                if each.token:
                    self._tokens[(owner, each.token)] = due
        values = self.state.setdefault(owner.typename, {}).setdefault(owner.id, {})
        values.update(request.state)
        values.update(effects.mutations)

    def _cancel(self, owner: SdkAddress, token: str) -> None:
        due = self._tokens.pop((owner, token), 0.0)
        if due > time.time():
            self._sent -= 1
            self._cancelled[due] = self._cancelled.get(due, 0) + 1

    def pending(self, owner: SdkAddress, token: str) -> bool:
        """Is a delayed message of ``owner`` pending under this token?"""
        return self._tokens.get((owner, token), 0.0) > time.time()

    def delayed(self, until: float = 0.0) -> int:
        """Delayed messages that fall due after ``until`` (default: now), seconds since the epoch."""
        now = time.time()
        while self._due and self._due[0] <= now:
            due = heapq.heappop(self._due)
            self._cancelled.pop(due, None)
        later = max(now, until)
        return sum(d > later for d in self._due) - sum(
            count for d, count in self._cancelled.items() if d > later
        )

    @property
    def under_way(self) -> int:
        """Messages in the cluster that are not waiting for their time."""
        return self._sent - self.received - self.delayed()
