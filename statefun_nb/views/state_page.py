"""The addresses of a function type and what they keep, as a pane shows them and a file has them."""

from __future__ import annotations

import json
import math
from typing import Any

from ..address import address_of
from ..engine.facts import StoredState, Written
from ..protocol.effects import TypedValue
from ..sdk.registry import decode_state
from ..sdk.unreadable import Unreadable
from ..trace.history import Dated, last_changes
from .entry import as_text
from .names import means, name_of_type, name_of_typename
from .rows import short_id
from .source import Source
from .state_editor import type_of_state
from .tree import preview, tree
from .wire import StatePage, StateRow, StateValue

__all__ = ["state_page", "stored_states", "written_in"]

# Addresses that are shown at once.
_MOST = 1_000
# And that are put in order: to read the state of more of them would keep the engine from serving.
_MOST_IN_ORDER = 10_000
# A value is offered for editing up to so many characters, an address up to an id of so many.
_EDITABLE = 10_000
_LONGEST_ID = 20_000
# What a table is sorted by: "id", or "state.n" for the value n.
_STATE = "state."


def state_page(
    source: Source,
    undoable: int,
    typename: str = "",
    search: str = "",
    limit: int = 50,
    sort: str = "",
    descending: bool = False,
) -> StatePage:
    """The newest addresses whose id contains ``search``, or the first ones by what they keep.

    ``typename`` may lack its namespace; "" is the first of all types.
    """
    types = _types(source)
    typename = _meant(typename, types)
    total = 0
    found: list[StoredState] = []
    if typename:
        total, found = stored_states(
            source, typename, search, min(limit, _MOST), sort, descending=descending
        )
    written = {each.address.id: each for each in written_in(source, typename)}  # the last of each
    changes = last_changes(source.recorder, typename, {each.id for each in found})
    return StatePage(
        types=types,
        typename=typename,
        total=total,
        most=_MOST,
        ordered=min(total, _MOST_IN_ORDER) if sort else total,
        observed=source.engine.cluster is not None,
        undoable=undoable,
        rows=[
            _row(source, typename, each, changes.get(each.id), written.get(each.id))
            for each in found
        ],
    )


def stored_states(
    source: Source,
    typename: str,
    search: str,
    limit: int,
    sort: str = "",
    *,
    descending: bool = False,
) -> tuple[int, list[StoredState]]:
    """How many addresses have ``search`` in their id, and what ``limit`` of them keep.

    Without ``sort`` the newest, else the first by it of the newest 10,000: by "id", or by a state
    value as "state.n". Numbers come before texts, and what is not there at the end.
    """
    if not sort:
        return source.engine.page(typename, search, limit)
    total, found = source.engine.page(typename, search, _MOST_IN_ORDER)
    keyed = [(_key(source, typename, sort, each), each) for each in found]
    known = [(key, each) for key, each in keyed if key is not None]
    known.sort(key=lambda pair: pair[0], reverse=descending)
    unknown = [each for key, each in keyed if key is None]
    return total, [*(each for _, each in known), *unknown][:limit]


def _key(
    source: Source, typename: str, sort: str, stored: StoredState
) -> tuple[int, float, str] | None:
    """What an address is sorted by; None when it does not have that value."""
    if not sort.startswith(_STATE):
        return 1, 0, stored.id
    name = sort.removeprefix(_STATE)
    value = _decode(source, typename, name, stored.values.get(name))
    if isinstance(value, (int, float)):
        nowhere = isinstance(value, float) and math.isnan(value)
        return None if nowhere else (0, value, "")
    if value is None:
        return None
    return 1, 0, value if isinstance(value, str) else preview(value)


def _types(source: Source) -> dict[str, int]:
    """How many addresses each type has; those that keep something come first."""
    functions = source.functions
    counts = {**dict.fromkeys(functions, 0), **source.engine.types()}

    def place(typename: str) -> tuple[bool, bool, str]:
        spec = functions.find(typename)
        return spec is not None and not spec.layout.specs, counts[typename] == 0, typename

    return {typename: counts[typename] for typename in sorted(counts, key=place)}


def _meant(typename: str, types: dict[str, int]) -> str:
    """The type that a person has written; as it is written where there is none."""
    if typename in types:
        return typename
    return next((each for each in types if means(typename, "", address_of(each, ""))), typename)


def _row(
    source: Source,
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
        values=_values(source, typename, stored) if exact else [],
        seq=seq,
        time=time * 1000,
        by=by,
    )


def _values(source: Source, typename: str, stored: StoredState) -> list[StateValue]:
    spec = source.functions.find(typename)
    names = dict.fromkeys([*(spec.layout.specs if spec else ()), *stored.values])
    shown: list[StateValue] = []
    for name in names:
        value = stored.values.get(name)
        known = type_of_state(source, typename, name, value)
        decoded = _decode(source, typename, name, value)
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


def _decode(source: Source, typename: str, name: str, value: TypedValue | None) -> Any:
    return decode_state(source.functions.find(typename), {name: value}).get(name)


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


def written_in(source: Source, typename: str) -> list[Written]:
    """What was set by hand in the state of a function type, oldest first."""
    controls = source.engine.controls
    return [] if controls is None else controls.written(typename)
