"""Who sends to whom, counted from recorded batches without decoding a payload."""

from __future__ import annotations

from collections.abc import Iterable

from ..protocol.counts import count_callers, count_egresses
from .recorder import FIXED_COLUMNS, TracedBatch

__all__ = ["Flows"]

_EGRESS_COLUMN = 3  # of a batch's rows


class Flows:
    """Counts of messages between function types, since it was made.

    A message counts once it was served without an error, a record when it was emitted; what
    failed counts as an invocation and an error alone.

    Attributes
    ----------
    messages : dict
        By sending and receiving typename; the sender is "" for what comes from outside.
    records : dict
        By emitting typename and egress.
    invocations, errors : dict
        By typename.

    Examples
    --------
    >>> flows = Flows()
    >>> flows.add([])
    >>> flows.messages
    {}
    """

    def __init__(self) -> None:
        self.messages: dict[tuple[str, str], int] = {}
        self.records: dict[tuple[str, str], int] = {}
        self.invocations: dict[str, int] = {}
        self.errors: dict[str, int] = {}

    def add(self, batches: Iterable[TracedBatch]) -> None:
        """Count some more."""
        for batch in batches:
            typename = batch.spec.typename
            count = batch.invocations
            self.invocations[typename] = self.invocations.get(typename, 0) + count
            failed = 1 if batch.error is not None else len(batch.skipped or ())
            if failed:
                self.errors[typename] = self.errors.get(typename, 0) + failed
            if batch.error is not None:  # nothing of it has had an effect: it comes again
                continue
            for caller, messages in count_callers(batch.request).items():
                _count(self.messages, (caller, typename), messages)
            if batch.rows and self._emitted(batch):
                for egress, records in count_egresses(batch.reply).items():
                    _count(self.records, (typename, egress), records)

    @staticmethod
    def _emitted(batch: TracedBatch) -> bool:
        """Did it emit anything? The last row has the total."""
        last = len(batch.rows) - FIXED_COLUMNS - len(batch.spec.layout.specs)
        return bool(batch.rows[last + _EGRESS_COLUMN])


def _count(counts: dict[tuple[str, str], int], key: tuple[str, str], number: int) -> None:
    counts[key] = counts.get(key, 0) + number
