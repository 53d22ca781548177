"""What a view may ask for: a table of names and the functions that answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from ..address import address_of
from ..engine.base import StoredState, Timer, controls_of
from ..errors import EngineError, StatefunError
from ..protocol.effects import TypedValue
from ..protocol.v3 import decode_typed_value
from ..sdk.registry import decode_state
from ..sdk.unreadable import Unreadable
from ..trace.events import Invocation, Payload, egress_record
from ..trace.history import find_invocation, history, last_changes
from .entry import MESSAGE_TYPES, as_text, literal, read_value
from .rows import detail_of, row_of, short_id
from .source import Source
from .state_editor import StateEditor, type_of_state
from .tree import FULL, GLANCE, preview, tree
from .wire import (
    CallReply,
    Detail,
    HistoryEntry,
    StatePage,
    StateRow,
    StateValue,
    TimerPage,
    TimerRow,
)

__all__ = ["Calls"]

# Addresses and timers that are shown at once, and records that are downloaded.
_MOST_ADDRESSES = 200
_MOST_TIMERS = 500
_MOST_RECORDS = 100_000
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
            "records": self._records,
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

    def _step(self) -> int:
        """The invocation's number; 0 when no message was ready."""
        found = self._source.step()
        return 0 if found is None else int(found.seq)

    def _advance(self, seconds: float) -> str:
        return repr(self._source.advance(timedelta(seconds=float(seconds))))

    def _send(self, typename: str, id: str, text: str, type: str = "") -> None:
        if not type:
            self._source.send(typename, id, literal(text))
            return
        known = MESSAGE_TYPES[type]
        self._source.send(typename, id, read_value(known, text), type=known)

    def _detail(self, seq: int, full: bool = False) -> Detail:
        found = find_invocation(self._source.recorder, seq)
        if found is None:
            raise EngineError(
                f"invocation {seq} is not kept any more: start the session with a larger "
                "trace_limit or trace_bytes"
            )
        return detail_of(found, FULL if full else GLANCE)

    def _state(self, typename: str = "", search: str = "", limit: int = 50) -> StatePage:
        source = self._source
        types = {**dict.fromkeys(source.functions, 0), **source.engine.types()}
        total = 0
        found: list[StoredState] = []
        if typename:
            total, found = source.engine.page(typename, search, min(limit, _MOST_ADDRESSES))
        changes = last_changes(source.recorder, typename, {each.id for each in found})
        return StatePage(
            types=types,
            typename=typename,
            total=total,
            observed=source.engine.cluster is not None,
            undoable=self._editor.undoable,
            rows=[self._address(typename, each, changes.get(each.id)) for each in found],
        )

    def _address(self, typename: str, stored: StoredState, change: Invocation | None) -> StateRow:
        exact = len(stored.id) <= _LONGEST_ID
        return StateRow(
            id=stored.id if exact else short_id(stored.id),
            exact=exact,
            values=self._values(typename, stored) if exact else [],
            seq=0 if change is None else change.seq,
            time=0 if change is None else change.time.timestamp() * 1000,
            by="" if change is None or change.caller is None else preview(str(change.caller)),
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
                    type=known.typename if known else value.typename if value else "",
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
        return [
            HistoryEntry(
                row=row_of(each),
                before=tree(each.state_before),
                after=tree(each.state_after),
            )
            for each in found
        ]

    def _edit(self, typename: str, id: str, name: str, text: str) -> None:
        self._editor.set(typename, id, name, text)

    def _clear(self, typename: str, id: str, name: str) -> None:
        self._editor.clear(typename, id, name)

    def _undo(self) -> str:
        return self._editor.undo()

    def _timers(self) -> TimerPage:
        pending = self._source.engine.timers()
        return TimerPage(
            now=self._source.engine.now() * 1000,
            total=len(pending),
            rows=[_timer(each) for each in pending[:_MOST_TIMERS]],
        )

    def _cancel(self, number: int) -> bool:
        return controls_of(self._source.engine, "cancelling a delayed message").cancel(number)

    def _records(self, egress: str = "") -> str:
        """The records of an egress, or of all, as JSON lines."""
        lines = []
        for emitted in self._source.engine.egress(egress or None)[-_MOST_RECORDS:]:
            record = egress_record(emitted.egress, decode_typed_value(emitted.argument))
            lines.append(
                json.dumps(
                    {
                        "egress": record.egress,
                        "topic": record.topic,
                        "key": record.key,
                        "value": record.value,
                        "type": record.payload.typename,
                    },
                    default=_json_default,
                )
            )
        return "".join(line + "\n" for line in lines)


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


def _json_default(value: Any) -> Any:
    """Bytes as hexadecimal, anything else as Python shows it."""
    return value.hex() if isinstance(value, (bytes, bytearray)) else preview(value, 10_000)
