"""The functions: what each declares, and how its last invocations went."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from ..cells.places import place_of_function, unwrapped
from ..sdk.registry import FunctionSpec
from ..sdk.value_spec import ValueSpec
from ..trace.reader import read_batch
from .names import name_of_type, name_of_typename
from .rows import quantile
from .source import Source
from .wire import FunctionPage, FunctionRow, FunctionState

__all__ = ["function_page"]

# The last batches that durations are of, and messages that are looked at for their types.
_BATCHES = 2_000
_LOOKED_AT = 20
_OF_ONE_BATCH = 200
_SOURCE = 20_000
# Durations below 0.01 ms, 0.02 ms, 0.04 ms, ... up to 5 minutes.
_FIRST_BUCKET, _BUCKETS = 0.01, 25
_WAITING = 10_000


def function_page(source: Source) -> FunctionPage:
    """All functions that are declared, or have had a message."""
    addresses = source.engine.types()
    durations, takes = _look(source)
    waiting, parked = _count_waiting(source)
    names = dict.fromkeys([*source.functions, *addresses])
    return FunctionPage(
        rows=[
            _row(
                name,
                source.functions.find(name),
                addresses.get(name, 0),
                waiting[name],
                parked[name],
                list(takes.get(name, ())),
                durations.get(name, []),
            )
            for name in names
        ]
    )


def _look(source: Source) -> tuple[dict[str, list[float]], dict[str, dict[str, None]]]:
    """Durations in milliseconds, and the types of messages, by function."""
    durations: dict[str, list[float]] = {}
    takes: dict[str, dict[str, None]] = {}
    looked: Counter[str] = Counter()
    for batch in reversed(source.recorder.snapshot().batches[-_BATCHES:]):
        typename = batch.spec.typename
        found = durations.setdefault(typename, [])
        found += [seconds * 1000 for seconds in batch.durations(_OF_ONE_BATCH)]
        if looked[typename] < _LOOKED_AT:
            looked[typename] += 1
            for each in read_batch(batch, source.recorder.origin, 0, 1):
                name = name_of_typename(each.message.typename)
                takes.setdefault(typename, {})[name] = None
    return durations, takes


def _count_waiting(source: Source) -> tuple[Counter[str], Counter[str]]:
    """Messages that wait, and addresses that are parked, by function."""
    waiting: Counter[str] = Counter()
    parked: Counter[str] = Counter()
    controls = source.engine.controls
    if controls is not None:
        for each in controls.waiting(_WAITING)[1]:
            waiting[each.address.typename] += each.waiting
            parked[each.address.typename] += each.why in ("parked", "undeclared")
    else:
        for held in source.parked:
            waiting[held.address.typename] += held.waiting
            parked[held.address.typename] += 1
    return waiting, parked


def _row(
    typename: str,
    spec: FunctionSpec | None,
    addresses: int,
    waiting: int,
    parked: int,
    takes: list[str],
    durations: list[float],
) -> FunctionRow:
    code, place = ("", "") if spec is None else _source(spec.fun)
    ordered = sorted(durations)
    return FunctionRow(
        typename=typename,
        declared=spec is not None,
        version=0 if spec is None else spec.version,
        is_async=spec is not None and spec.is_async,
        place=place,
        source=code,
        state=[] if spec is None else [_state(each) for each in spec.layout.specs.values()],
        addresses=addresses,
        waiting=waiting,
        parked=parked,
        takes=takes,
        p50=quantile(ordered, 0.5),
        p99=quantile(ordered, 0.99),
        durations=_histogram(ordered),
    )


def _state(spec: ValueSpec) -> FunctionState:
    duration = timedelta(milliseconds=spec.duration)
    when = "call" if spec.after_call else "write"
    expires = f"{duration} after {when}" if spec.duration else ""
    return FunctionState(name=spec.name, type=name_of_type(spec.type), expires=expires)


def _source(fun: Any) -> tuple[str, str]:
    """The code of a function, and where it is; "" where that is not known."""
    found = unwrapped(getattr(fun, "__func__", fun))
    owner = getattr(fun, "__self__", None)
    shown = found if owner is None else type(owner)
    try:
        text = inspect.getsource(shown)
    except (OSError, TypeError):  # of an interpreter without a notebook, or written in C
        text = ""
    return text[:_SOURCE], place_of_function(fun)


def _histogram(durations: Iterable[float]) -> list[int]:
    counts = [0] * _BUCKETS
    for each in durations:
        bucket, bound = 0, _FIRST_BUCKET
        while each >= bound and bucket < _BUCKETS - 1:
            bucket, bound = bucket + 1, bound * 2
        counts[bucket] += 1
    while counts and not counts[-1]:
        counts.pop()
    return counts
