"""``s.invocations``: the trace as a sequence, which decodes what is looked at, not what is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from numbers import Integral
from typing import Any, get_args, overload

from ..errors import EngineError, StatefunError, did_you_mean, install_command
from ..sdk.live import Live
from ..tables import at, counted, html_table, shown, text_table
from .batch import Origin, TracedBatch
from .events import AskedStatus, Invocation, InvocationStatus
from .log import Places, View, ascend
from .reader import read_batch
from .recorder import Recorder

__all__ = ["Invocations"]

# Rows that a table in a cell shows; slices and filters show others.
_SHOWN = 50
# The columns of a DataFrame, and what of an invocation stands in them.
_FRAME: dict[str, Callable[[Invocation], object]] = {
    "seq": lambda each: each.seq,
    "time": lambda each: each.time,
    "typename": lambda each: each.address.typename,
    "id": lambda each: each.address.id,
    "caller": lambda each: str(each.caller) if each.caller else None,
    "message_type": lambda each: each.message.typename,
    "message": lambda each: each.message.value,
    "state_before": lambda each: each.state_before,
    "state_after": lambda each: each.state_after,
    "sent": lambda each: len(each.sent),
    "egress": lambda each: len(each.egress),
    "delayed": lambda each: len(each.delayed),
    "cancelled": lambda each: len(each.cancelled),
    "status": lambda each: each.status,
    "error": lambda each: each.error.type if each.error else None,
    "duration_ms": lambda each: each.duration * 1000,
    "stdout": lambda each: each.stdout,
    "function_version": lambda each: each.function_version,
    "batch": lambda each: each.batch,
    "cause": lambda each: each.cause,
}
_STATUSES = get_args(AskedStatus)
_BY_NAME = "s.invocations.filter(type=..., id=...)"


class Invocations(Live, Sequence[Invocation]):
    """The kept invocations as they were when this was made, in the order they started.

    An ``Invocation`` is made of the recorded bytes when it is looked at.

    Attributes
    ----------
    dropped : int
        Older invocations that are no longer kept.

    Examples
    --------
    ``s.invocations.filter(type="example/person", id="bob")``, ``s.invocations[-1]``,
    ``s.invocations.to_dataframe()``.
    """

    def __init__(self, view: View, places: Places, origin: Origin, dropped: int = 0) -> None:
        self._view = view
        self._places = places
        self._origin = origin
        self.dropped = dropped
        self._meant = ""  # where there is none of a type: what may have been meant

    @classmethod
    def of(cls, recorder: Recorder) -> Invocations:
        """The invocations that a recorder keeps just now."""
        view, dropped = recorder.view()
        return cls(view, view.places, recorder.origin, dropped)

    def _with(self, places: Places) -> Invocations:
        found = Invocations(self._view, places, self._origin)
        found._meant = self._meant
        return found

    @overload
    def __getitem__(self, index: int) -> Invocation: ...
    @overload
    def __getitem__(self, index: slice) -> Invocations: ...
    def __getitem__(self, index: int | slice) -> Invocation | Invocations:
        if isinstance(index, slice):
            return self._with(self._places[index])
        hint = f"; those of a function or an id are {_BY_NAME}"
        batch, within = self._view.find(at(self._places, index, "invocation", hint=hint))
        return next(read_batch(batch, self._origin, within, within + 1))

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Invocation]:
        return (each for _, each in self._located())

    def __reversed__(self) -> Iterator[Invocation]:
        return iter(self[::-1])

    def _located(self) -> Iterator[tuple[int, Invocation]]:
        """Each with its place, in order; a batch is decoded once, however many it has."""
        ascending = ascend(self._places)
        for batch, begin, places in self._view.spans(self._places):
            first, last = min(places[0], places[-1]), max(places[0], places[-1]) + 1
            found = enumerate(read_batch(batch, self._origin, first - begin, last - begin), first)
            wanted = None if last - first == len(places) else set(places)
            chosen = (each for each in found if wanted is None or each[0] in wanted)
            yield from chosen if ascending else reversed([*chosen])

    def filter(
        self,
        where: Callable[[Invocation], bool] | None = None,
        *,
        type: str | None = None,
        id: str | None = None,
        status: AskedStatus | None = None,
    ) -> Invocations:
        """Those of a function type, of an id, with a status, and where it is true, in this order.

        A status is "ok", "error" or "rolled back"; "repaired" are those errors whose message has
        gone through since. The trace has an index of types, statuses and, from the first time that
        one is asked for, of ids; for ``where`` it is decoded.

        Raises
        ------
        StatefunError
            Of a status that does not exist, and of what is no text or no function.
        """
        for name, value in ("type", type), ("id", id):
            if value is not None and not isinstance(value, str):
                raise StatefunError(f"{name}={shown(value)}: it takes text")
        if status is not None and not (isinstance(status, str) and status in _STATUSES):
            raise StatefunError(
                f"status={shown(status)} is not known: use one of "
                f"{', '.join(map(repr, _STATUSES))}{did_you_mean(str(status), _STATUSES)}"
            )
        if where is not None and not callable(where):
            raise StatefunError(
                f"where={shown(where)}: it takes a function of an invocation, "
                "such as lambda each: each.changed"
            )
        found = self
        if not ascend(self._places):
            ascending = self._with(self._places[::-1])
            found = ascending.filter(where, type=type, id=id, status=status)
            return found._with(found._places[::-1])
        if type is not None:
            found = found._of_type(type)
            if not found._places and type not in self._view.typenames:
                found._meant = did_you_mean(type, self._view.typenames)
                return found
        if status == "repaired":
            found = found._with_status("error")._where(_is_repaired)
        elif status is not None:
            found = found._with_status(status)
        if id is not None:
            found = found._of_id(id)
        if where is not None:
            found = found._with([at for at, each in found._located() if where(each)])
        return found

    def _of_type(self, typename: str) -> Invocations:
        if self._complete:
            view = self._view.of_type(typename)
            return Invocations(view, view.places, self._origin)
        return self._where(lambda batch: batch.spec.typename == typename)

    def _with_status(self, status: InvocationStatus) -> Invocations:
        if self._complete:
            return self._with(self._view.with_status(status))
        return self._with(
            [
                place
                for batch, begin, places in self._view.spans(self._places)
                for place in places
                if batch.status(place - begin) == status
            ]
        )

    def _of_id(self, id: str) -> Invocations:
        return self._with(self._view.of_id(id, self._places))

    def _where(self, wanted: Callable[[TracedBatch], bool]) -> Invocations:
        spans = self._view.spans(self._places)
        return self._with([at for batch, _, places in spans if wanted(batch) for at in places])

    @property
    def _complete(self) -> bool:
        """Are these all that the view shows?"""
        return self._places == self._view.places

    def caused_by(self, seq: int) -> Invocations:
        """The invocations that serve what invocation ``seq`` sent.

        Raises
        ------
        StatefunError
            When ``seq`` is no whole number.
        """
        if not isinstance(seq, Integral):
            raise StatefunError(f"seq={shown(seq)}: it takes the number of an invocation")
        return self.filter(lambda each: each.cause == seq)

    def to_dataframe(self) -> Any:
        """A pandas DataFrame, one row an invocation, indexed by ``seq``.

        Raises
        ------
        EngineError
            When pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise EngineError(f"to_dataframe() needs pandas: {install_command('lab')}") from error

        rows = [[read(each) for read in _FRAME.values()] for each in self]
        return pd.DataFrame(rows, columns=[*_FRAME]).set_index("seq")

    def _table(self) -> tuple[str, list[str], list[list[object]]]:
        title = counted(len(self), "invocation")
        if len(self) > _SHOWN:
            title += f", the last {_SHOWN} shown"
        if self.dropped:
            title += f", {self.dropped:,} older ones no longer kept"
        title += self._meant
        columns = ["seq", "function", "id", "caller", "message", "state", "sent", "status"]
        return title, columns, [_row(each) for each in self[-_SHOWN:]]

    def __repr__(self) -> str:
        return text_table(*self._table())

    def _repr_html_(self) -> str:
        return html_table(*self._table())


def _is_repaired(batch: TracedBatch) -> bool:
    return batch.error is not None and batch.error.repaired


def _status(each: Invocation) -> str:
    if each.error is None:
        return each.status
    return f"repaired ({each.error.text})" if each.repaired else each.error.text


def _row(each: Invocation) -> list[object]:
    sent = [str(send.target) for send in each.sent]
    sent += [f"{delayed.target} in {delayed.delay}" for delayed in each.delayed]
    sent += [f"{record.egress} {record.topic or ''}".rstrip() for record in each.egress]
    sent += [f"asks to cancel {each.token!r}" for each in each.cancelled]
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
