"""Messages for function types that nobody has declared: kept here, where no job can fail."""

from __future__ import annotations

from ..address import SdkAddress
from ..engine.facts import IngressMessage, ParkedAddress

__all__ = ["Undeclared"]


class Undeclared:
    """Messages that wait, in the order they came. Guarded by the engine's lock.

    ``addresses`` counts them by target; how many those are can be asked from any thread.
    """

    def __init__(self) -> None:
        self._messages: list[IngressMessage] = []
        self.addresses: dict[SdkAddress, int] = {}

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, message: IngressMessage) -> None:
        """Keep a message."""
        self._messages.append(message)
        self.addresses[message.target] = self.addresses.get(message.target, 0) + 1

    def take(self) -> list[IngressMessage]:
        """Give out all of them: whoever is not declared now comes back by ``add``."""
        messages, self._messages = self._messages, []
        self.addresses = {}
        return messages

    def parked(self) -> list[ParkedAddress]:
        """The addresses that they wait for."""
        reason = "the job that serves its function has not started yet"
        return [
            ParkedAddress(address, reason, "", 0, count, undeclared=True)
            for address, count in self.addresses.items()
        ]

    def discard(self, target: SdkAddress) -> IngressMessage | None:
        """Drop the oldest message of an address, and return it; None when it has none."""
        if target not in self.addresses:
            return None
        index = next(i for i, each in enumerate(self._messages) if each.target == target)
        self.addresses[target] -= 1
        if not self.addresses[target]:
            del self.addresses[target]
        return self._messages.pop(index)
