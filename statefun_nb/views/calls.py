"""What a view may ask for: a table of names and the functions that answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from ..address import address_of
from ..engine.base import controls_of
from ..engine.facts import StoredState, Timer, Written
from ..errors import EngineError, StatefunError
from ..protocol.effects import TypedValue
from ..protocol.v3 import decode_typed_value
from ..sdk.registry import decode_state
from ..sdk.unreadable import Unreadable
from ..trace.events import Invocation, Payload
from ..trace.history import Dated, find_invocation, history, last_changes
from .catalogue import function_page
from .download import download_invocations, download_sent, download_state
from .entry import as_text, sent_as
from .matching import matches
from .names import name_of_type, name_of_typename
from .rows import detail_of, row_by_hand, row_of, short_id
from .source import Source
from .state_editor import StateEditor, type_of_state
from .tree import FULL, GLANCE, preview, tree
from .waiting import amend, waiting_page
from .wire import (
    CallReply,
    Detail,
    FunctionPage,
    HistoryEntry,
    Matches,
    StatePage,
    StateRow,
    StateValue,
    TimerPage,
    TimerRow,
    WaitingPage,
)

__all__ = ["Calls"]

# Addresses and timers that are shown at once.
_MOST_ADDRESSES = 200
_MOST_TIMERS = 500
_HISTORY = 50
# A value is offered for editing up to so many characters, an address up to an id of so many.
_EDITABLE = 10_000
_LONGEST_ID = 20_000


class Calls:
    """Answers what a browser asks of a session. Callable from any thread.

    Parameters
    ----------
    source : Source
        The session.

    Examples
    --------
    ``Calls(session).answer({"id": "1", "name": "pause", "arguments": {}})``
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._editor = StateEditor(source)
        self._methods: dict[str, Callable[..., Any]] = {
            "pause": self._pause,
            "resume": self._resume,
            "step": self._step,
            "advance": self._advance,
            "send": self._send,
            "detail": self._detail,
            "state": self._state,
            "history": self._history,
            "edit": self._edit,
            "clear": self._clear,
            "undo": self._undo,
            "timers": self._timers,
            "cancel": self._cancel,
            "download": self._download,
            "waiting": self._waiting,
            "retry": self._retry,
            "discard": self._discard,
            "discard_all": self._discard_all,
            "amend": self._amend,
            "resend": self._resend,
            "functions": self._functions,
            "matching": self._matching,
        }

    def answer(self, message: dict[str, Any]) -> CallReply:
        """The reply to ``{"id", "name", "arguments"}``; what went wrong is said in it."""
        id_ = str(message.get("id", ""))
        try:
            method = self._methods[message["name"]]
            result = method(**message.get("arguments", {}))
        except StatefunError as error:
            return CallReply(kind="reply", id=id_, error=f"{error}")
        except Exception as error:  # of the browser's making, or of a user's type
            return CallReply(kind="reply", id=id_, error=f"{type(error).__name__}: {error}")
        return CallReply(kind="reply", id=id_, result=result)

    def _pause(self) -> None:
        self._source.pause()

    def _resume(self) -> None:
        self._source.resume()

    def _step(self, typename: str = "", id: str = "") -> int:
        """The invocation's number; 0 when no message was ready. An address may be chosen."""
        if typename:
            controls = controls_of(self._source.engine, "step")
            controls.bring_forward(address_of(typename, id))
        found = self._source.step()
        return 0 if found is None else int(found.seq)

    def _advance(self, seconds: float) -> str:
        return repr(self._source.advance(timedelta(seconds=float(seconds))))

    def _send(self, typename: str, id: str, text: str, type: str = "", delay: float = 0) -> None:
        value, known = sent_as(type, text)
        later = timedelta(seconds=float(delay)) if delay else None
        self._source.send(typename, id, value, type=known, delay=later)

    def _detail(self, seq: int, full: bool = False) -> Detail:
        return detail_of(self._find(seq), FULL if full else GLANCE)

    def _find(self, seq: int) -> Invocation:
        found = find_invocation(self._source.recorder, seq)
        if found is None:
            raise EngineError(
                f"invocation {seq} is not kept any more: start the session with a larger "
                "trace_limit or trace_bytes"
            )
        return found

    def _state(self, typename: str = "", search: str = "", limit: int = 50) -> StatePage:
        source = self._source
        total = 0
        found: list[StoredState] = []
        if typename:
            total, found = source.engine.page(typename, search, min(limit, _MOST_ADDRESSES))
        written = {each.address.id: each for each in self._written(typename)}  # the last of each
        changes = last_changes(source.recorder, typename, {each.id for each in found})
        return StatePage(
            types=self._types(),
            typename=typename,
            total=total,
            observed=source.engine.cluster is not None,
            undoable=self._editor.undoable,
            rows=[
                self._address(typename, each, changes.get(each.id), written.get(each.id))
                for each in found
            ],
        )

    def _types(self) -> dict[str, int]:
        """How many addresses each type has; those that keep something come first."""
        functions = self._source.functions
        counts = {**dict.fromkeys(functions, 0), **self._source.engine.types()}

        def place(typename: str) -> tuple[bool, bool, str]:
            spec = functions.find(typename)
            return spec is not None and not spec.layout.specs, counts[typename] == 0, typename

        return {typename: counts[typename] for typename in sorted(counts, key=place)}

    def _address(
        self,
        typename: str,
        stored: StoredState,
        change: Dated | None,
        written: Written | None,
    ) -> StateRow:
        exact = len(stored.id) <= _LONGEST_ID
        seq, time, by = 0, 0.0, ""
        if written is not None and (change is None or written.moment > change.moment):
            time, by = written.time, written.by
        elif change is not None:
            found = change.invocation
            seq, time = found.seq, found.time.timestamp()
            by = "" if found.caller is None else preview(str(found.caller))
        return StateRow(
            id=stored.id if exact else short_id(stored.id),
            exact=exact,
            values=self._values(typename, stored) if exact else [],
            seq=seq,
            time=time * 1000,
            by=by,
        )

    def _values(self, typename: str, stored: StoredState) -> list[StateValue]:
        spec = self._source.functions.find(typename)
        names = dict.fromkeys([*(spec.layout.specs if spec else ()), *stored.values])
        shown: list[StateValue] = []
        for name in names:
            value = stored.values.get(name)
            known = type_of_state(self._source, typename, name, value)
            decoded = self._decode(typename, name, value)
            shown.append(
                StateValue(
                    name=name,
                    type=name_of_type(known) if known else _type_of(value),
                    present=value is not None,
                    value=tree(decoded),
                    text=_editable_text(known, decoded) if value is not None else "",
                    expires=stored.expires.get(name, 0) * 1000,
                )
            )
        return shown

    def _decode(self, typename: str, name: str, value: TypedValue | None) -> Any:
        spec = self._source.functions.find(typename)
        return decode_state(spec, {name: value}).get(name)

    def _history(self, typename: str, id: str) -> list[HistoryEntry]:
        found = history(self._source.recorder, address_of(typename, id), _HISTORY)
        written = [each for each in self._written(typename) if each.address.id == id]
        entries = [(each.moment, self._by_hand(each)) for each in reversed(written)]
        entries += [(moment, _entry(each)) for moment, each in found]
        entries.sort(key=lambda each: -each[0])
        return [entry for _, entry in entries[:_HISTORY]]

    def _written(self, typename: str) -> list[Written]:
        controls = self._source.engine.controls
        return [] if controls is None else controls.written(typename)

    def _by_hand(self, written: Written) -> HistoryEntry:
        typename, id_ = written.address.typename, written.address.id
        before = self._values_of(typename, {n: b for n, (b, _) in written.values.items()})
        after = self._values_of(typename, {n: a for n, (_, a) in written.values.items()})
        return HistoryEntry(
            row=row_by_hand(typename, id_, written.time, written.by, before, after),
            before=tree(before),
            after=tree(after),
            by=written.by,
        )

    def _values_of(self, typename: str, values: dict[str, TypedValue | None]) -> dict[str, Any]:
        return decode_state(self._source.functions.find(typename), values)

    def _edit(self, typename: str, id: str, name: str, text: str) -> None:
        self._editor.set(typename, id, name, text)

    def _clear(self, typename: str, id: str, name: str) -> None:
        self._editor.clear(typename, id, name)

    def _undo(self) -> str:
        return self._editor.undo()

    def _timers(self, typename: str = "", id: str = "") -> TimerPage:
        pending = [
            each
            for each in self._source.engine.timers()
            if (not typename or each.target.typename == typename) and id in each.target.id
        ]
        return TimerPage(
            now=self._source.engine.now() * 1000,
            total=len(pending),
            rows=[_timer(each) for each in pending[:_MOST_TIMERS]],
        )

    def _cancel(self, number: int) -> bool:
        return controls_of(self._source.engine, "cancelling a delayed message").cancel(number)

    def _download(self, what: str, form: str = "jsonl", **wanted: Any) -> str:
        """What a pane shows, as the text of a file."""
        return _DOWNLOADS[what](self._source, form=form, **wanted)

    # What waits, and what to do about it.

    def _waiting(self, typename: str = "", id: str = "", limit: int = 200) -> WaitingPage:
        return waiting_page(self._source, typename, id, limit)

    def _retry(self, typename: str = "", id: str = "") -> int:
        return self._source.retry(typename or None, id if typename else None)

    def _discard(self, typename: str, id: str) -> None:
        self._source.discard(typename, id)

    def _discard_all(self) -> int:
        """Give up the message at the head of every address that has failed."""
        parked = [each.address for each in self._source.parked if not each.undeclared]
        for address in parked:
            self._source.discard(address.typename, address.id)
        return len(parked)

    def _amend(self, typename: str, id: str, text: str) -> None:
        amend(self._source, typename, id, text)

    def _resend(self, seq: int, text: str | None = None, delay: float = 0) -> None:
        """Send the message of an invocation again, or another one like it."""
        later = timedelta(seconds=float(delay)) if delay else None
        found = self._find(seq)
        if text is None:
            self._source.resend(seq, delay=later)
            return
        value, known = sent_as(found.message.typename, text)
        address = found.address
        self._source.send(address.typename, address.id, value, type=known, delay=later)

    def _matching(self, of: str, path: str, compare: str, value: str, after: int = 0) -> Matches:
        return matches(self._source, of, path, compare, value, after)

    def _functions(self) -> FunctionPage:
        return function_page(self._source)


_DOWNLOADS: dict[str, Callable[..., str]] = {
    "invocations": download_invocations,
    "sent": download_sent,
    "state": download_state,
}


def _entry(found: Invocation) -> HistoryEntry:
    return HistoryEntry(
        row=row_of(found),
        before=tree(found.state_before),
        after=tree(found.state_after),
        by="",
    )


def _type_of(value: TypedValue | None) -> str:
    return "" if value is None else name_of_typename(value.typename)


def _editable_text(known: Any, value: Any) -> str | None:
    """What the editor starts with; None where a text cannot stand for the value."""
    if known is None:
        return None
    try:
        raw = isinstance(value, Unreadable)
        text = json.dumps(value.value, ensure_ascii=False) if raw else as_text(known, value)
    except Exception:  # a serializer of the user's may raise anything; bytes are no JSON
        return None
    return text if len(text) <= _EDITABLE else None


def _timer(timer: Timer) -> TimerRow:
    message = decode_typed_value(timer.argument)
    return TimerRow(
        number=timer.number,
        due=timer.due_ms,
        owner=preview(str(timer.owner)) if timer.owner else "",
        token=short_id(timer.token),
        typename=timer.target.typename,
        id=short_id(timer.target.id),
        text=preview(Payload(*message).value),
    )
