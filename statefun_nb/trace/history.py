"""What the trace knows of single addresses: who changed their state, and when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..address import SdkAddress
from .batch import TracedBatch
from .events import Invocation
from .ids import id_of
from .reader import read_batch
from .recorder import Recorder

__all__ = ["Dated", "find_invocation", "history", "last_changes", "open_failures"]


def find_invocation(recorder: Recorder, seq: int) -> Invocation | None:
    """The invocation of that number; None when it is not kept any more."""
    view, _ = recorder.view(as_done=True)
    for batch in view.newest():
        index = seq - batch.seq
        if 0 <= index < batch.invocations:
            return next(read_batch(batch, recorder.origin, index, index + 1))
    return None


class Dated(NamedTuple):
    """An invocation, and when its request began, on the clock of ``time.perf_counter``.

    That clock never stands still, as the session's may.
    """

    moment: float
    invocation: Invocation


def history(recorder: Recorder, address: SdkAddress, limit: int) -> list[Dated]:
    """The last ``limit`` invocations of one address, newest first."""
    found: list[Dated] = []
    for batch in _batches_of(recorder, address.typename, address.id):
        served = read_batch(batch, recorder.origin)
        found += reversed([Dated(batch.start, each) for each in served])
        if len(found) >= limit:
            break
    return found[:limit]


def last_changes(recorder: Recorder, typename: str, ids: set[str]) -> dict[str, Dated]:
    """Of each id the last kept invocation that changed its state."""
    found: dict[str, Dated] = {}
    for batch in _batches_of(recorder, typename):
        if len(found) == len(ids):
            break
        id_ = id_of(batch)
        if id_ in ids and id_ not in found:
            changed = [each for each in read_batch(batch, recorder.origin) if each.changed]
            if changed:
                found[id_] = Dated(batch.start, changed[-1])
    return found


def open_failures(recorder: Recorder, limit: int) -> dict[SdkAddress, Invocation]:
    """Of each address the last kept invocation that raised and is not repaired; the newest."""
    found: dict[SdkAddress, Invocation] = {}
    for batch in reversed(recorder.snapshot().batches):
        if batch.error is None or batch.error.repaired:
            continue
        last = batch.invocations - 1
        failed = next(read_batch(batch, recorder.origin, last, last + 1))
        found.setdefault(failed.address, failed)
        if len(found) == limit:
            break
    return found


def _batches_of(recorder: Recorder, typename: str, id: str | None = None) -> Iterator[TracedBatch]:
    view, _ = recorder.view(as_done=True)
    return view.of_type(typename).newest(id)
