"""Lists that show as tables: the first and the last rows, and how many there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ..engine.base import ParkedAddress
from ..tables import counted, html_list, html_table, text_table
from ..trace.events import EgressRecord

__all__ = ["EgressRecords", "ParkedAddresses", "ends"]

T = TypeVar("T")

# Rows that a table in a cell shows, of both ends together.
_SHOWN = 20


def ends(items: Sequence[T], row: Callable[[T], Sequence[object]]) -> list[Sequence[object]]:
    """The rows of the first and the last items, with a row of dots for those between."""
    if len(items) <= _SHOWN:
        return [row(each) for each in items]
    half = _SHOWN // 2
    first = [row(each) for each in items[:half]]
    last = [row(each) for each in items[-half:]]
    return [*first, ["…"] * len(first[0]), *last]


class _Listing(list[T]):
    """A list that shows as a table."""

    columns: Sequence[str] = ()

    def _title(self) -> str:
        raise NotImplementedError

    def _row(self, each: T) -> Sequence[object]:
        raise NotImplementedError

    def __repr__(self) -> str:
        return (
            text_table(self._title(), self.columns, ends(self, self._row))
            if self
            else self._title()
        )

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002
        printer.text(repr(self))

    def _repr_html_(self) -> str:
        if not self:
            return html_list(self._title(), ())
        return html_table(self._title(), self.columns, ends(self, self._row))


class ParkedAddresses(_Listing[ParkedAddress]):
    """What ``s.parked`` gives: the addresses that do not go on."""

    columns = ("function", "id", "waiting", "attempts", "why", "at")

    def _title(self) -> str:
        return counted(len(self), "parked address", "parked addresses")

    def _row(self, each: ParkedAddress) -> Sequence[object]:
        address = each.address
        return (address.typename, address.id, each.waiting, each.attempts, each.reason, each.line)


class EgressRecords(_Listing[EgressRecord]):
    """What ``s.egress`` gives: the records in order, of one egress or (None) of all.

    ``others`` are the egresses that records did go to, for one that has none.
    """

    columns = ("egress", "topic", "key", "value")

    def __init__(
        self, records: Sequence[EgressRecord], egress: str | None, others: Sequence[str] = ()
    ) -> None:
        super().__init__(records)
        self.egress = egress
        self.others = others

    def _title(self) -> str:
        where = f" of {self.egress}" if self.egress is not None else ""
        title = f"{counted(len(self), 'egress record')}{where}"
        return f"{title}; there are some of {', '.join(self.others)}" if self.others else title

    def _row(self, each: EgressRecord) -> Sequence[object]:
        return (each.egress, each.topic or "", each.key or "", each.value)
