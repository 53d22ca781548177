"""What a page shows, as a file: whole values, as JSON lines or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..engine.facts import StoredState
from ..sdk.registry import decode_state
from ..trace.events import Invocation, Payload
from ..trace.invocations import Invocations
from .source import Source
from .state_page import stored_states
from .tree import preview

__all__ = ["download_invocations", "download_sent", "download_state"]

# Rows of one file.
_MOST = 100_000


def download_invocations(source: Source, seqs: Sequence[int], form: str) -> str:
    """Invocations by their numbers, in the order of these; ``form`` is "jsonl" or "csv"."""
    return _written((_invocation(each) for each in _by_seq(source, seqs)), form)


def download_sent(
    source: Source, seqs: Sequence[int], kind: str, where: str, topic: str, form: str
) -> str:
    """What these invocations sent: "message", "delayed" or "egress", to ``where`` (and ``topic``).

    ``where`` is a typename.
    """
    found = (record for each in _by_seq(source, seqs) for record in _sent(each, kind, where, topic))
    return _written(found, form)


def download_state(
    source: Source,
    typename: str,
    search: str,
    form: str,
    sort: str = "",
    descending: bool = False,
) -> str:
    """The addresses of a function type whose id contains ``search``, in the order of the table."""
    _, found = stored_states(source, typename, search, _MOST, sort, descending=descending)
    return _written((_state(source, typename, each) for each in found), form)


def _by_seq(source: Source, seqs: Sequence[int]) -> Iterable[Invocation]:
    place = {seq: index for index, seq in enumerate(seqs[:_MOST])}
    found = (each for each in Invocations.of(source.recorder) if each.seq in place)
    if list(place) == sorted(place):  # as they come: none has to be kept
        return found
    return sorted(found, key=lambda each: place[each.seq])


def _invocation(each: Invocation) -> dict[str, Any]:
    return {
        "seq": each.seq,
        "time": each.time.isoformat(),
        "function": each.address.typename,
        "id": each.address.id,
        "caller": None if each.caller is None else f"{each.caller.typename}/{each.caller.id}",
        "message_type": each.message.typename,
        "message": each.message.value,
        "state_before": each.state_before,
        "state_after": each.state_after,
        "sent": [
            {"to": f"{s.target.typename}/{s.target.id}", "value": s.message.value}
            for s in each.sent
        ],
        "delayed": [
            {"to": f"{d.target.typename}/{d.target.id}", "in": str(d.delay), **_value(d.message)}
            for d in each.delayed
        ],
        "egress": [
            {"egress": e.egress, "topic": e.topic, "key": e.key, "value": e.value}
            for e in each.egress
        ],
        "ms": round(each.duration * 1000, 4),
        "status": each.status,
        "error": None if each.error is None else each.error.text,
        "printed": each.stdout,
        "cause": each.cause,
    }


def _sent(each: Invocation, kind: str, where: str, topic: str) -> Iterator[dict[str, Any]]:
    origin = {
        "seq": each.seq,
        "time": each.time.isoformat(),
        "from": f"{each.address.typename}/{each.address.id}",
    }
    if kind == "egress":
        for record in each.egress:
            if (record.egress, record.topic or "") == (where, topic):
                yield {
                    **origin,
                    "egress": record.egress,
                    "topic": record.topic,
                    "key": record.key,
                    "value": record.value,
                    "type": record.payload.typename,
                }
    elif kind == "message":
        for sent in each.sent:
            if sent.target.typename == where:
                yield {**origin, "to": where, "id": sent.target.id, **_value(sent.message)}
    else:
        for delayed in each.delayed:
            if delayed.target.typename == where:
                yield {
                    **origin,
                    "to": where,
                    "id": delayed.target.id,
                    "in": str(delayed.delay),
                    "token": delayed.token,
                    **_value(delayed.message),
                }


def _value(payload: Payload) -> dict[str, Any]:
    return {"value": payload.value, "type": payload.typename}


def _state(source: Source, typename: str, stored: StoredState) -> dict[str, Any]:
    values = decode_state(source.functions.find(typename), stored.values)
    return {"function": typename, "id": stored.id, **values}


def _written(rows: Iterable[dict[str, Any]], form: str) -> str:
    if form != "csv":
        return "".join(json.dumps(row, default=_plain, ensure_ascii=False) + "\n" for row in rows)
    found = list(rows)
    columns = list(dict.fromkeys(name for row in found for name in row))
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in found)
    return file.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        # A spreadsheet takes these for formulas: what a payload says is not to be run.
        return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
    if value is None or isinstance(value, (int, float)):
        return value
    return json.dumps(value, default=_plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """Bytes as hexadecimal, objects of the user's by their fields, anything else as it is shown."""
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    fields = getattr(value, "__dict__", None)
    return fields if isinstance(fields, dict) and fields else preview(value, 10_000)
