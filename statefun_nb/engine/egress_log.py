"""What the embedded engine's egresses have taken."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import overload

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

    def records(self, egress: str | None = None) -> Sequence[Emit]:
        """The kept records of one egress, or of all."""
        kept = self._records.copy()
        return _Emits([*kept] if egress is None else [r for r in kept if r[0] == egress])

    def egresses(self) -> set[str]:
        """The egresses that kept records went to."""
        return {egress for egress, _ in self._records.copy()}


class _Emits(Sequence[Emit]):
    """Records that are made when somebody looks at one."""

    def __init__(self, records: list[tuple[str, bytes]]) -> None:
        self._records = records

    @overload
    def __getitem__(self, index: int) -> Emit: ...
    @overload
    def __getitem__(self, index: slice) -> _Emits: ...
    def __getitem__(self, index: int | slice) -> Emit | _Emits:
        if isinstance(index, slice):
            return _Emits(self._records[index])
        return Emit(*self._records[index])

    def __len__(self) -> int:
        return len(self._records)
