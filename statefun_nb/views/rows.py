"""From ``Invocation`` records to what the browser shows of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..trace.events import Invocation, differs
from .entry import message_text
from .frames import frames_of
from .names import name_of_typename
from .tree import GLANCE, Bounds, plain_text, preview, tree
from .wire import Detail, DetailError, DetailOut, Out, Row

__all__ = ["detail_of", "quantile", "row_by_hand", "row_of", "short_id"]

# Of what one invocation sent, so many are in its row; its detail has all.
_OUTS = 6
# An id is shown whole up to so many characters.
_ID = 200


def short_id(id_: str) -> str:
    """An id cut to what fits a table, without what UTF-8 cannot carry."""
    return plain_text(id_ if len(id_) <= _ID else id_[: _ID - 1] + "…")


def quantile(ordered: Sequence[float], part: float) -> float:
    """The value below which ``part`` of ``ordered`` is, which rises; 0 where there is none.

    Examples
    --------
    >>> quantile([1.0, 2.0, 3.0], 0.5), quantile([1.0, 2.0, 3.0], 0.99), quantile([], 0.5)
    (2.0, 3.0, 0.0)
    """
    if not ordered:
        return 0.0
    return round(ordered[min(len(ordered) - 1, int(part * len(ordered)))], 4)


def row_of(each: Invocation) -> Row:
    """An invocation as one row of the browser's table."""
    outs = len(each.sent) + len(each.delayed) + len(each.egress) + len(each.cancelled)
    error = "" if each.error is None else preview(each.error.text)
    caller = "" if each.caller is None else f"{each.caller.typename}/{short_id(each.caller.id)}"
    return Row(
        each.seq,
        each.time.timestamp() * 1000,
        each.address.typename,
        short_id(each.address.id),
        caller,
        preview(each.message.value),
        _change(each.state_before, each.state_after) if each.changed else "",
        _outs(each) if outs else [],
        outs,
        round(each.duration * 1000, 4),
        each.status,
        error,
        each.repaired,
        each.cause or 0,
    )


def row_by_hand(
    typename: str, id_: str, time: float, by: str, before: dict[str, Any], after: dict[str, Any]
) -> Row:
    """What somebody set by hand, as a row among invocations; ``time`` in seconds."""
    change = _change(before, after)
    return Row(
        0, time * 1000, typename, short_id(id_), by, "", change, [], 0, 0.0, "ok", "", False, 0
    )


def _change(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What was done to the state, in one line."""
    parts = []
    for name in {**before, **after}:
        if name not in after:
            parts.append(f"{name} cleared")
        elif name not in before:
            parts.append(f"{name}: {preview(after[name], 40)}")
        elif differs(before[name], after[name]):
            parts.append(f"{name}: {preview(before[name], 40)} → {preview(after[name], 40)}")
    return preview(", ".join(parts))


def _outs(each: Invocation) -> list[Out]:
    found = [
        Out("message", s.target.typename, short_id(s.target.id), "", "", preview(s.message.value))
        for s in each.sent[:_OUTS]
    ]
    found += [
        Out("egress", e.egress, "", e.topic or "", short_id(e.key or ""), preview(e.value))
        for e in each.egress[: _OUTS - len(found)]
    ]
    for d in each.delayed[: _OUTS - len(found)]:
        text = f"in {d.delay}: {preview(d.message.value)}"
        found.append(
            Out("delayed", d.target.typename, short_id(d.target.id), "", short_id(d.token), text)
        )
    found += [
        Out("cancel", "", "", "", short_id(c.token), "")
        for c in each.cancelled[: _OUTS - len(found)]
    ]
    return found


def detail_of(each: Invocation, limits: Bounds = GLANCE) -> Detail:
    """An invocation, opened: trees of its payloads, cut by ``limits``."""
    error: DetailError | None = None
    if each.error is not None:
        error = {
            "type": each.error.type,
            "message": tree(each.error.message, limits),
            "traceback": tree(each.error.traceback, limits),
            "frames": frames_of(each.error.traceback),
            "retries": each.error.retries,
            "repaired": each.error.repaired,
        }
    return Detail(
        seq=each.seq,
        message_type=name_of_typename(each.message.typename),
        message=tree(each.message.value, limits),
        text=message_text(each.message),
        before=tree(each.state_before, limits),
        after=tree(each.state_after, limits),
        out=_all_outs(each, limits)[: limits.items],
        stdout=tree(each.stdout, limits),
        error=error,
        function_version=each.function_version,
        batch=each.batch,
    )


def _all_outs(each: Invocation, limits: Bounds) -> list[DetailOut]:
    found: list[DetailOut] = [
        {
            "kind": "message",
            "where": s.target.typename,
            "id": short_id(s.target.id),
            "type": name_of_typename(s.message.typename),
            "value": tree(s.message.value, limits),
        }
        for s in each.sent[: limits.items]
    ]
    found += [
        {
            "kind": "egress",
            "where": e.egress,
            "topic": plain_text(e.topic or ""),
            "key": short_id(e.key or ""),
            "type": name_of_typename(e.payload.typename),
            "value": tree(e.value, limits),
        }
        for e in each.egress[: limits.items]
    ]
    found += [
        {
            "kind": "delayed",
            "where": d.target.typename,
            "id": short_id(d.target.id),
            "delay": str(d.delay),
            "key": short_id(d.token),
            "type": name_of_typename(d.message.typename),
            "value": tree(d.message.value, limits),
        }
        for d in each.delayed[: limits.items]
    ]
    found += [{"kind": "cancel", "where": "", "key": short_id(c.token)} for c in each.cancelled]
    return found
