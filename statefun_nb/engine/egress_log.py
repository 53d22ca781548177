"""What the embedded engine's egresses have taken."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ..protocol.effects import Emit

__all__ = ["EGRESS_LIMIT", "EgressLog"]

EGRESS_LIMIT = 1_000_000


class EgressLog:
    """The last ``limit`` egress records, in order."""

    def __init__(self, limit: int = EGRESS_LIMIT) -> None:
        # Plain tuples: the garbage collector leaves those of text and bytes alone, but visits
        # every named tuple again and again.
        self._records: deque[tuple[str, bytes]] = deque(maxlen=limit)
        self.listener: Callable[[Emit], None] | None = None  # told of each record

    def append(self, record: Emit) -> None:
        """Keep a record."""
        self._records.append((record.egress, record.argument))
        if self.listener is not None:
            self.listener(record)

    def records(self, egress: str | None = None) -> list[Emit]:
        """The kept records of one egress, or of all."""
        return [Emit(*r) for r in self._records.copy() if egress is None or r[0] == egress]
