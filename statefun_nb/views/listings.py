"""Lists that show as tables: the first and the last rows, and how many there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex, TypeVar, overload

from ..engine.facts import ParkedAddress
from ..errors import cut
from ..protocol.effects import Emit
from ..protocol.v3 import decode_typed_value
from ..tables import (
    HTML_CELL,
    TEXT_CELL,
    at,
    counted,
    html_list,
    html_table,
    shorten,
    text_table,
)
from ..trace.events import EgressRecord, egress_record

__all__ = ["REASON", "EgressRecords", "ParkedAddresses", "ends", "first_and_last"]

T = TypeVar("T")

# Rows that a table in a cell shows, of both ends together.
_SHOWN = 20
# Characters of a reason, both ends of it: at the second one stands what to do. And what a table
# shows of it, which has how many are not shown.
REASON, _WHOLE = 500, 550


def first_and_last(items: Sequence[T]) -> Sequence[T]:
    """The first and the last items, as many as a table shows."""
    half = _SHOWN // 2
    return items if len(items) <= _SHOWN else [*items[:half], *items[-half:]]


def ends(items: Sequence[T], row: Callable[[T], Sequence[object]]) -> list[Sequence[object]]:
    """The rows of the first and the last items, with a row of dots for those between."""
    rows = [row(each) for each in first_and_last(items)]
    if len(rows) < len(items):
        rows.insert(_SHOWN // 2, ["…"] * len(rows[0]))
    return rows


class _Listing(Sequence[T]):
    """A sequence that shows as a table.

    Attributes
    ----------
    columns : sequence of str
    longest : tuple of int
        So many characters of a cell are shown, as text and as HTML; a row may cut its cells itself.
    """

    columns: Sequence[str] = ()
    longest: tuple[int, int] = (TEXT_CELL, HTML_CELL)

    def _title(self) -> str:
        raise NotImplementedError

    def _row(self, each: T) -> Sequence[object]:
        raise NotImplementedError

    def __repr__(self) -> str:
        if not self:
            return self._title()
        return text_table(self._title(), self.columns, ends(self, self._row), self.longest[0])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002
        printer.text(repr(self))

    def _repr_html_(self) -> str:
        if not self:
            return html_list(self._title(), ())
        return html_table(self._title(), self.columns, ends(self, self._row), self.longest[1])


class ParkedAddresses(list[ParkedAddress], _Listing[ParkedAddress]):
    """What ``s.parked`` gives: the addresses that do not go on."""

    __repr__ = _Listing.__repr__  # and not that of list

    @overload
    def __getitem__(self, index: SupportsIndex) -> ParkedAddress: ...
    @overload
    def __getitem__(self, index: slice) -> list[ParkedAddress]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> ParkedAddress | list[ParkedAddress]:
        if isinstance(index, slice):
            return super().__getitem__(index)
        items: Sequence[ParkedAddress] = [*self]
        return at(items, index, "parked address", "parked addresses")

    # Why comes last, and its end is shown whatever its length: what to do about it stands there.
    columns = ("function", "id", "waiting", "attempts", "at", "why")
    longest = (_WHOLE, _WHOLE)

    def _title(self) -> str:
        return counted(len(self), "parked address", "parked addresses")

    def _row(self, each: ParkedAddress) -> Sequence[object]:
        address = each.address
        typename, id_, line = (
            shorten(text, TEXT_CELL) for text in (address.typename, address.id, each.line)
        )
        return (typename, id_, each.waiting, each.attempts, line, cut(each.reason, REASON))


class EgressRecords(_Listing[EgressRecord]):
    """What ``s.egress`` gives: the records in order, of one egress or (None) of all.

    A record is decoded when it is looked at; a list of the same records is equal. ``others`` are
    the egresses that records did go to, for one that has none.
    """

    columns = ("egress", "topic", "key", "value")

    def __init__(
        self, records: Sequence[Emit], egress: str | None, others: Sequence[str] = ()
    ) -> None:
        self._records = records
        self.egress = egress
        self.others = others

    @overload
    def __getitem__(self, index: SupportsIndex) -> EgressRecord: ...
    @overload
    def __getitem__(self, index: slice) -> list[EgressRecord]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> EgressRecord | list[EgressRecord]:
        if isinstance(index, slice):
            return [_decoded(each) for each in self._records[index]]
        of_one = "; those of one egress are s.egress(typename)"
        return _decoded(at(self._records, index, "egress record", hint=of_one))

    def last(self, count: int) -> EgressRecords:
        """The last of them, which show as a table, too; a slice is a plain list."""
        return EgressRecords(self._records[-count:], self.egress, self.others)

    def __len__(self) -> int:
        return len(self._records)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (list, EgressRecords)):
            return NotImplemented
        return len(self) == len(other) and [*self] == [*other]

    __hash__ = None  # type: ignore[assignment]  # as a list

    def _title(self) -> str:
        where = f" of {self.egress}" if self.egress is not None else ""
        title = f"{counted(len(self), 'egress record')}{where}"
        return f"{title}; there are some of {', '.join(self.others)}" if self.others else title

    def _row(self, each: EgressRecord) -> Sequence[object]:
        return (each.egress, each.topic or "", each.key or "", each.value)


def _decoded(record: Emit) -> EgressRecord:
    return egress_record(record.egress, decode_typed_value(record.argument))
