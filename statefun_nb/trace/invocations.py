"""``s.invocations``: the trace as a sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

from ..tables import html_table, text_table
from .events import Invocation
from .reader import read_batch
from .recorder import Recorder

__all__ = ["Invocations"]

# Rows that a table in a cell shows; slices and filters show others.
_SHOWN = 50


class Invocations(Sequence[Invocation]):
    """The kept invocations as they were when this was made, in the order they started.

    Examples
    --------
    ``s.invocations.filter(type="example/person", id="bob")``, ``s.invocations[-1]``,
    ``s.invocations.to_dataframe()``.
    """

    def __init__(self, items: Sequence[Invocation], dropped: int = 0) -> None:
        self._items = items
        self.dropped = dropped

    @classmethod
    def of(cls, recorder: Recorder) -> Invocations:
        """The invocations that a recorder keeps just now."""
        snapshot = recorder.snapshot()
        items = [i for batch in snapshot.batches for i in read_batch(batch, recorder.id)]
        items.sort(key=lambda invocation: invocation.seq)
        return cls(items, snapshot.dropped)

    @overload
    def __getitem__(self, index: int) -> Invocation: ...
    @overload
    def __getitem__(self, index: slice) -> Invocations: ...
    def __getitem__(self, index: int | slice) -> Invocation | Invocations:
        if isinstance(index, slice):
            return Invocations(self._items[index])
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Invocation]:
        return iter(self._items)

    def filter(
        self,
        where: Callable[[Invocation], bool] | None = None,
        *,
        type: str | None = None,
        id: str | None = None,
        status: str | None = None,
    ) -> Invocations:
        """Those of a function type, of an id, with a status, and where it is true.

        A status is "ok", "error" or "rolled back".
        """
        return Invocations(
            [
                each
                for each in self._items
                if (type is None or each.address.typename == type)
                and (id is None or each.address.id == id)
                and (status is None or each.status == status)
                and (where is None or where(each))
            ]
        )

    def caused_by(self, seq: int) -> Invocations:
        """The invocations that serve what invocation ``seq`` sent."""
        return self.filter(lambda each: each.cause == seq)

    def to_dataframe(self) -> Any:
        """A pandas DataFrame, one row an invocation, indexed by ``seq``.

        Raises
        ------
        ImportError
            When pandas is not installed.
        """
        import pandas as pd

        rows = [
            {
                "seq": each.seq,
                "time": each.time,
                "typename": each.address.typename,
                "id": each.address.id,
                "caller": str(each.caller) if each.caller else None,
                "message_type": each.message.typename,
                "message": each.message.value,
                "state_before": each.state_before,
                "state_after": each.state_after,
                "sent": len(each.sent),
                "egress": len(each.egress),
                "delayed": len(each.delayed),
                "status": each.status,
                "error": each.error.type if each.error else None,
                "duration_ms": each.duration * 1000,
                "stdout": each.stdout,
                "function_version": each.function_version,
                "batch": each.batch,
                "cause": each.cause,
            }
            for each in self._items
        ]
        return pd.DataFrame(rows).set_index("seq") if rows else pd.DataFrame()

    def _table(self) -> tuple[str, list[str], list[list[object]]]:
        title = f"{len(self)} invocations"
        if len(self) > _SHOWN:
            title += f", the last {_SHOWN} shown"
        if self.dropped:
            title += f", {self.dropped} older ones no longer kept"
        columns = ["seq", "function", "id", "caller", "message", "state", "sent", "status"]
        return title, columns, [_row(each) for each in self._items[-_SHOWN:]]

    def __repr__(self) -> str:
        return text_table(*self._table())

    def _repr_html_(self) -> str:
        return html_table(*self._table())


def _status(each: Invocation) -> str:
    if each.error is None:
        return each.status
    return f"repaired ({each.error.text})" if each.repaired else each.error.text


def _row(each: Invocation) -> list[object]:
    sent = [str(send.target) for send in each.sent]
    sent += [f"{delayed.target} in {delayed.delay}" for delayed in each.delayed]
    sent += [f"{record.egress} {record.topic or ''}".rstrip() for record in each.egress]
    return [
        each.seq,
        each.address.typename,
        each.address.id,
        str(each.caller) if each.caller else "",
        each.message.value,
        each.state_after if each.changed else "",
        ", ".join(sent),
        _status(each),
    ]
