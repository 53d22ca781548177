"""Recorded invocations, run again by the functions as they are now: what is different?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import perf_counter
from typing import Any, NamedTuple

from ..cells.progress import progress_bar
from ..sdk.registry import StatefulFunctions
from ..tables import counted, html_list, html_table, shorten, text_table
from .case import Case, EffectsJson, read_cases, run_case, typed
from .events import Payload
from .recorder import Recorder
from .served import Served

__all__ = ["Replay", "Replayed", "cases_of", "differences", "replay"]

# Rows that a table in a cell shows.
_SHOWN = 50
# The loop serves others, too: it is given back after so long, between two invocations.
_AT_ONCE_SECONDS = 0.01


class Replayed(NamedTuple):
    """An invocation that was run again; ``differences`` says in words what came out otherwise."""

    seq: int
    typename: str
    id: str
    message: Any
    differences: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Did it do just what it had done?"""
        return not self.differences


class Replay(Sequence[Replayed]):
    """What came of running invocations again; it shows as a table of those that differ."""

    def __init__(self, items: Sequence[Replayed]) -> None:
        self._items = items

    @property
    def different(self) -> list[Replayed]:
        """Those that did something else this time."""
        return [each for each in self._items if not each.same]

    def __getitem__(self, index: Any) -> Any:
        return Replay(self._items[index]) if isinstance(index, slice) else self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Replayed]:
        return iter(self._items)

    def _table(self) -> tuple[str, list[str], list[list[object]]]:
        different = self.different
        same = len(self) - len(different)
        title = f"{counted(len(self), 'invocation')} run again: {same} did the same"
        if different:
            title += f", {len(different)} did not"
        if len(different) > _SHOWN:
            title += f", the last {_SHOWN} shown"
        rows: list[list[object]] = [
            [each.seq, each.typename, each.id, each.message, "; ".join(each.differences)]
            for each in different[-_SHOWN:]
        ]
        return title, ["seq", "function", "id", "message", "what is different"], rows

    def __repr__(self) -> str:
        title, columns, rows = self._table()
        return text_table(title, columns, rows) if rows else title

    def _repr_html_(self) -> str:
        title, columns, rows = self._table()
        return html_table(title, columns, rows) if rows else html_list(title, ())


def cases_of(recorder: Recorder, seqs: Iterable[int] | None = None) -> list[Case]:
    """The kept invocations (only those numbers), in the order they started.

    Without those that were undone with their batch: they had no effect, and were run again.
    """
    wanted = None if seqs is None else set(seqs)
    found = [
        case
        for batch in recorder.snapshot().batches
        if batch.spec.version > 0  # the code of other processes' functions is not here
        if wanted is None or not wanted.isdisjoint(range(batch.seq, batch.seq + batch.invocations))
        for case in read_cases(batch)
        if wanted is None or case.seq in wanted
    ]
    return sorted(found, key=lambda case: case.seq)


async def replay(
    cases: Sequence[Case], functions: StatefulFunctions, serving_now: set[Served] | None = None
) -> Replay:
    """Run each once more, on the running loop, from the state it had; no effect goes anywhere.

    ``serving_now`` holds the one that runs; a session's own is what its ``stop`` interrupts.
    """
    items = []
    with progress_bar(cases, unit=" invocations") as bar:
        yielded = perf_counter()
        for case in bar:
            now = await run_case(case, functions, serving_now)
            found = tuple(differences(case.effects, now))
            message = Payload(*case.message).value
            items.append(Replayed(case.seq, case.address.typename, case.address.id, message, found))
            if perf_counter() - yielded > _AT_ONCE_SECONDS:
                await asyncio.sleep(0)  # the engine's turn, and where a replay can be cancelled
                yielded = perf_counter()
    return Replay(items)


def differences(before: EffectsJson, now: EffectsJson) -> Iterator[str]:
    """What ``now`` does otherwise than ``before``, each thing in a line of words."""
    if before["error"] != now["error"]:
        yield f"{now['error'] or 'no error'} (was: {before['error'] or 'no error'})"
    for name in dict.fromkeys([*before["state"], *now["state"]]):
        was, is_ = before["state"].get(name), now["state"].get(name)
        if _text(was) != _text(is_):
            yield f"state {name}: {_value(is_)} (was {_value(was)})"
    for kind, (verb, words) in _WORDS.items():
        was, is_ = before[kind], now[kind]
        if _text(was) == _text(is_):
            continue
        lacking, new = _without(was, is_), _without(is_, was)
        changed = min(len(lacking), len(new))
        for old, other in zip(lacking, new, strict=False):
            (was_value, was_place), (value, place) = words(old), words(other)
            if was_place == place:
                yield f"{verb} {value} (was {was_value}){place}"
            else:
                yield f"{verb} {value}{place} (was {was_value}{was_place})"
        yield from (f"{verb} {''.join(words(each))}" for each in new[changed:])
        yield from (f"not {verb} {''.join(words(each))}" for each in lacking[changed:])
        if not lacking and not new:
            yield f"{verb} the same in another order"


def _text(found: Any) -> str:
    return json.dumps(found, sort_keys=True)  # and not ==: a NaN that stays a NaN is the same


def _without(these: list[Any], those: list[Any]) -> list[Any]:
    rest = [_text(each) for each in those]
    found = []
    for each in these:
        if _text(each) in rest:
            rest.remove(_text(each))
        else:
            found.append(each)
    return found


def _value(written: dict[str, Any] | None) -> str:
    if written is None:
        return "not there"
    return shorten(repr(Payload(*typed(written)).value), 60)


Words = tuple[str, str]  # what, and where to


def _sent_words(sent: list[Any]) -> Words:
    typename, id_, value = sent
    return _value(value), f" to {typename} {id_!r}"


def _delayed_words(delayed: list[Any]) -> Words:
    milliseconds, typename, id_, value, token = delayed
    with_token = f", token {token!r}" if token else ""
    return _value(value), f" to {typename} {id_!r} in {milliseconds} ms{with_token}"


def _egress_words(record: dict[str, Any]) -> Words:
    if "topic" in record:
        key = "" if record["key"] is None else f", key {record['key']!r}"
        value = shorten(repr(record["value"]), 60)
        return value, f" to {record['egress']}, topic {record['topic']!r}{key}"
    written = {name: each for name, each in record.items() if name != "egress"}
    return _value(written), f" to {record['egress']}"


# Of each kind of effect: its verb, and what follows it.
_WORDS: dict[str, tuple[str, Callable[[Any], Words]]] = {
    "sent": ("sent", _sent_words),
    "delayed": ("sent with a delay", _delayed_words),
    "cancelled": ("cancelled", lambda token: (repr(token), "")),
    "egress": ("emitted", _egress_words),
}
