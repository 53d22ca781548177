"""Who sends to whom, counted from recorded batches without decoding a payload."""

from __future__ import annotations

from collections.abc import Iterable

from ..protocol.counts import count_callers, count_egresses
from .batch import TracedBatch

__all__ = ["Flows"]


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
    invocations, errors, repaired : dict
        By typename; a repaired error is one of the errors, too.

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
        self.repaired: dict[str, int] = {}
        self._mended: set[int] = set()  # numbers of the batches whose error is repaired

    def add(self, batches: Iterable[TracedBatch]) -> None:
        """Count the messages and records of these batches, too."""
        for batch in batches:
            typename = batch.spec.typename
            count = batch.invocations
            self.invocations[typename] = self.invocations.get(typename, 0) + count
            if batch.failures:
                self.errors[typename] = self.errors.get(typename, 0) + batch.failures
            if batch.error is not None:  # nothing of it has had an effect: it comes again
                self.mend(batch)
                continue
            for caller, messages in count_callers(batch.request).items():
                _count(self.messages, (caller, typename), messages)
            if batch.emitted:
                for egress, records in count_egresses(batch.reply).items():
                    _count(self.records, (typename, egress), records)

    def mend(self, batch: TracedBatch) -> None:
        """Count the error of a batch as repaired, if it is, and has not been counted."""
        if batch.error is None or not batch.error.repaired or batch.number in self._mended:
            return
        self._mended.add(batch.number)
        typename = batch.spec.typename
        self.repaired[typename] = self.repaired.get(typename, 0) + 1

    def open_errors(self, typename: str) -> int:
        """How many errors of a function nothing has repaired yet."""
        return self.errors.get(typename, 0) - self.repaired.get(typename, 0)


def _count(counts: dict[tuple[str, str], int], key: tuple[str, str], number: int) -> None:
    counts[key] = counts.get(key, 0) + number
