"""Which recorded invocations become tests: those that come out the same, by what they cover."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from inspect import unwrap
from itertools import zip_longest
from types import MappingProxyType
from typing import Any, NamedTuple

from ..cells.progress import progress_bar
from ..errors import described
from ..loop_thread import LoopThread
from ..sdk.registry import StatefulFunctions
from ..tables import counted, shorten
from ..trace.case import Case, EffectsJson, readable, run_case
from ..trace.events import Payload
from ..trace.replay import differences
from .watch import Watch

__all__ = ["Chosen", "LeftOut", "choose", "covering"]

# Of one function: so many tests at most, and so many of those that do the same.
MOST, ALIKE = 50, 3
# Of one function: so many invocations are run again at most, for so many seconds; of one of them.
_TRIED, _SECONDS, _TIMEOUT = 1000, 20.0, 10.0
# Where an object is: its module, the file of its cell, its place in memory.
_PLACE = re.compile(r"__main__|ipykernel_\d+|<ipython-input| at 0x[0-9a-f]{6,}")

Covered = frozenset[tuple[Any, ...]]


class LeftOut(NamedTuple):
    """Invocations of a function that are no tests, why, and one of them."""

    function: str
    number: int
    reason: str
    example: str

    def __str__(self) -> str:
        such = "it is" if self.number == 1 else "one is"
        what = counted(self.number, "invocation")
        return f"{what} of {self.function}: {self.reason}; {such} {self.example}"


class Chosen(NamedTuple):
    """The cases that become tests, those that cannot, and how many more there were."""

    cases: list[Case]
    left_out: list[LeftOut]
    others: int


class _Tried(NamedTuple):
    """A case that came out the same, and what it covers."""

    case: Case
    covers: Covered


def choose(
    cases: Iterable[Case],
    functions: StatefulFunctions,
    unsettled: Mapping[str, str] = MappingProxyType({}),
) -> Chosen:
    """Run cases again, on a loop of their own, and choose; what they do goes nowhere.

    A case is left out when it asks the clock or chance, and when it does otherwise than it did. Of
    the others those are taken that run lines, or have effects of a kind, that no case before them
    has; then some of each kind. None are taken of a function that is ``unsettled``; that is said.
    """
    state = random.getstate()  # the notebook's own sequence goes on where it was
    try:
        with LoopThread("statefun_nb export") as loop:
            return loop.run(_choose(cases, functions, unsettled), timeout=None)
    finally:
        random.setstate(state)


async def _choose(
    cases: Iterable[Case], functions: StatefulFunctions, unsettled: Mapping[str, str]
) -> Chosen:
    usable = _usable(cases, functions)
    order = {
        typename: _spread(found) for typename, found in usable.items() if typename not in unsettled
    }
    spaces = _namespaces(functions)
    chosen: list[Case] = []
    reasons: dict[tuple[str, str], list[str]] = {
        (typename, unsettled[typename]): [_words(case) for case in found]
        for typename, found in usable.items()
        if typename in unsettled
    }
    total = sum(map(len, order.values()))
    with progress_bar(total=total, desc="trying", unit=" invocations") as bar:
        for typename, found in order.items():
            tried: list[_Tried] = []
            end = time.monotonic() + _SECONDS
            for case in found:
                bar.update()
                if time.monotonic() > end:
                    continue
                outcome = await _try(case, functions, spaces)
                if isinstance(outcome, _Tried):
                    tried.append(outcome)
                else:
                    reason, example = outcome
                    reasons.setdefault((typename, reason), []).append(example)
                await asyncio.sleep(0)  # the loop ends when it is told to
            chosen += covering(tried)
    left_out = [
        LeftOut(typename, len(examples), reason, shorten(examples[0], 200))
        for (typename, reason), examples in reasons.items()
    ]
    others = sum(map(len, usable.values())) - len(chosen) - sum(each.number for each in left_out)
    return Chosen(sorted(chosen, key=lambda case: case.seq), left_out, others)


def _usable(cases: Iterable[Case], functions: StatefulFunctions) -> dict[str, list[Case]]:
    """By function, what it did as it is declared now, each once."""
    kept: dict[str, dict[str, Case]] = {}
    for case in cases:
        spec = functions.find(case.address.typename)
        if spec is not None and case.version == spec.version:
            kept.setdefault(case.address.typename, {})[repr(case._replace(seq=0))] = case
    return {typename: list(found.values()) for typename, found in kept.items()}


def _spread(cases: Sequence[Case]) -> list[Case]:
    """Those to be run again: one of each kind in turn, and of a kind from all of the time."""
    kinds: dict[Covered, list[Case]] = {}
    for case in cases:
        kinds.setdefault(_kinds(case), []).append(case)
    turns = zip_longest(*(_evenly(found) for found in kinds.values()))
    flat = (case for turn in turns for case in turn if case is not None)
    return [case for case, _ in zip(flat, range(_TRIED), strict=False)]


def _evenly(cases: Sequence[Case]) -> Iterator[Case]:
    step = max(1, len(cases) // _TRIED)
    return iter(cases[::step])


def _namespaces(functions: StatefulFunctions) -> list[dict[str, Any]]:
    """Where the functions' own code is: the globals of each, and of what it wraps."""
    found = {}
    for typename in functions:
        fun = functions.for_typename(typename).fun
        for each in (fun, unwrap(fun), getattr(fun, "func", None)):
            space = getattr(getattr(each, "__call__", each), "__globals__", None)  # noqa: B004
            space = getattr(each, "__globals__", space)
            if isinstance(space, dict):
                found[id(space)] = space
    return list(found.values())


async def _try(
    case: Case, functions: StatefulFunctions, spaces: Collection[dict[str, Any]]
) -> _Tried | tuple[str, str]:
    """Run it twice: what it covers, or why it is left out, and it in words."""
    watch = Watch(spaces)
    try:
        with watch:
            first = await _run(case, functions)
        if watch.asked is not None:
            return watch.asked, _words(case)
        second = await _run(case, functions)
    except (asyncio.TimeoutError, TimeoutError):  # one and the same since Python 3.11
        return f"takes longer than {_TIMEOUT:.0f} s when it is run again", _words(case)
    except Exception as error:  # its message or state cannot be served any more
        return "cannot be run again", f"{_words(case)}: {described(error)}"
    before = case.effects
    for now in (first, second):
        found = "; ".join(differences(before, now))
        if found:
            return _reason(first, second), f"{_words(case)}: {found}"
    if (place := _PLACE.search(json.dumps(before))) is not None:
        return f"has {place[0].strip()!r} in it, which is another elsewhere", _words(case)
    return _Tried(case, _kinds(case) | frozenset(("line", *step) for step in watch.steps))


async def _run(case: Case, functions: StatefulFunctions) -> EffectsJson:
    begin = time.monotonic()
    now = await asyncio.wait_for(run_case(case, functions), _TIMEOUT)
    if time.monotonic() - begin > _TIMEOUT:  # that it was cancelled was its failure, or it is sync
        raise TimeoutError
    return now


def _reason(first: EffectsJson, second: EffectsJson) -> str:
    if next(differences(first, second), None) is not None:
        return "does otherwise each time it is run"
    return "does otherwise when it is run again (what it uses was changed since, or remembers)"


def _words(case: Case) -> str:
    return f"{case.address.id!r} {shorten(repr(Payload(*case.message).value), 40)}"


def _kinds(case: Case) -> Covered:
    """The kinds of what it was given and did, without what is in it."""
    effects = case.effects
    after = effects["state"]
    found: set[tuple[Any, ...]] = {
        ("message", case.message.typename, case.caller is None),
        ("error", (effects["error"] or "").partition(":")[0]),
        *(("sent", typename, value["type"]) for typename, _, value in effects["sent"]),
        *(("delayed", typename) for _, typename, *_ in effects["delayed"]),
        *(("cancelled",) for _ in effects["cancelled"]),
        *(("egress", each["egress"], each.get("topic")) for each in effects["egress"]),
    }
    for name in {*case.state, *after}:
        before, now = case.state.get(name), after.get(name)
        found.add(("state", name, before is None, now is None, _changed(case, name)))
    return frozenset(found)


def _changed(case: Case, name: str) -> bool:
    before, now = case.state.get(name), case.effects["state"].get(name)
    if before is None or now is None:
        return before is not now
    return json.dumps(readable(before)) != json.dumps(now)


def covering(tried: Sequence[_Tried], most: int = MOST, alike: int = ALIKE) -> list[Case]:
    """The cases that cover all that is covered, then some of each kind, ``most`` of them.

    First whichever adds most to what the others cover, and so on until nothing is added. Then of
    those that cover just the same ``alike`` at most, one of each such kind in turn.
    """
    taken: dict[int, _Tried] = {}
    covered: set[tuple[Any, ...]] = set()
    first = {each.covers: each for each in reversed(tried)}  # of each kind the first
    while len(taken) < most and first:
        best = max(first.values(), key=lambda each: (len(each.covers - covered), -each.case.seq))
        if not best.covers - covered:
            break
        taken[id(best)] = best
        covered |= best.covers
        del first[best.covers]
    kinds: dict[Covered, list[_Tried]] = {}
    for each in tried:
        kinds.setdefault(each.covers, []).append(each)
    turns = zip_longest(*(found[:alike] for found in kinds.values()))
    for each in (each for turn in turns for each in turn if each is not None):
        if len(taken) >= most:
            break
        taken[id(each)] = each
    return [each.case for each in taken.values()]
