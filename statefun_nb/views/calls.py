"""What a view may ask for: a table of names and the functions that answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from ..address import address_of
from ..engine.base import controls_of
from ..engine.facts import Timer, Written
from ..errors import ConversionError, EngineError, StatefunError
from ..protocol.effects import TypedValue
from ..protocol.v3 import decode_typed_value
from ..sdk.registry import decode_state
from ..tables import shorten
from ..trace.events import Invocation, Payload
from ..trace.history import find_invocation, history
from .catalogue import function_page
from .download import download_invocations, download_sent, download_state
from .entry import sent_as
from .matching import matches
from .names import means
from .rows import detail_of, row_by_hand, row_of, short_id
from .source import Source
from .state_editor import StateEditor
from .state_page import state_page, written_in
from .tree import FULL, GLANCE, preview, tree
from .waiting import amend, discard_all, retry_all, waiting_page
from .wire import (
    CallReply,
    Detail,
    FunctionPage,
    HistoryEntry,
    Matches,
    StatePage,
    TimerPage,
    TimerRow,
    WaitingPage,
)

__all__ = ["Calls"]

# Timers that are shown at once.
_MOST_TIMERS = 500
_HISTORY = 50


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
            "retry_all": self._retry_all,
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
        return repr(self._source.advance(_span(seconds)))

    def _send(self, typename: str, id: str, text: str, type: str = "", delay: float = 0) -> None:
        value, known = sent_as(type, text)
        later = _span(delay) if delay else None
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

    def _state(self, **asked: Any) -> StatePage:
        return state_page(self._source, self._editor.undoable, **asked)

    def _history(self, typename: str, id: str) -> list[HistoryEntry]:
        found = history(self._source.recorder, address_of(typename, id), _HISTORY)
        written = [each for each in written_in(self._source, typename) if each.address.id == id]
        entries = [(each.moment, self._by_hand(each)) for each in reversed(written)]
        entries += [(moment, _entry(each)) for moment, each in found]
        entries.sort(key=lambda each: -each[0])
        return [entry for _, entry in entries[:_HISTORY]]

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
            each for each in self._source.engine.timers() if means(typename, id, each.target)
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

    def _retry(self, typename: str, id: str) -> int:
        return self._source.retry(typename, id)

    def _retry_all(self, typename: str = "", id: str = "") -> int:
        return retry_all(self._source, typename, id)

    def _discard(self, typename: str, id: str) -> None:
        self._source.discard(typename, id)

    def _discard_all(self, typename: str = "", id: str = "") -> int:
        return discard_all(self._source, typename, id)

    def _amend(self, typename: str, id: str, text: str) -> None:
        amend(self._source, typename, id, text)

    def _resend(self, seq: int, text: str | None = None, delay: float = 0) -> None:
        """Send the message of an invocation again, or another one like it."""
        later = _span(delay) if delay else None
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


def _span(seconds: float) -> timedelta:
    try:
        return timedelta(seconds=float(seconds))
    except (TypeError, ValueError, OverflowError) as error:
        most = timedelta.max.total_seconds()
        raise ConversionError(
            f"{shorten(repr(seconds), 50)} is no number of seconds, or longer than any date is "
            f"away: at most {most:,.0f}"
        ) from error


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
