"""Which of the names that a failed function reads have been set since.

A function that is declared again is tried again by itself. Of a helper, a table or an import in
another cell nobody tells the engine: who asks why an address waits is told that it has been set.
"""

from __future__ import annotations

import contextlib
import dis
import weakref
from collections.abc import Callable, Iterator
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from ..cells.places import is_the_users
from ..errors import traceback_of

__all__ = ["NamesRead", "names_read", "names_set"]

# Names of one failure that are remembered, about; and errors that led to one.
_MOST = 100
_NOTHING = object()


class NamesRead(NamedTuple):
    """Global names that the user's functions read, and how to get what each stood for.

    An object is held weakly where its class allows that, and otherwise as long as the failure is
    remembered: one that was let go could come back as another one at the same place in memory.
    """

    namespace: dict[str, Any]
    objects: dict[str, Callable[[], object]]


def names_read(error: BaseException | None) -> tuple[NamesRead, ...]:
    """What the user's functions that an error came through read, as it is now.

    Those that they name are looked at, too: a helper may have returned what was wrong.

    Examples
    --------
    >>> names_read(None)
    ()
    """
    found: dict[int, NamesRead] = {}
    bound: set[str] = set()
    codes = [*_codes_of(error)]
    looked = {id(code) for code, _ in codes}
    count = 0
    for code, namespace in codes:  # grows by what these name
        if count >= _MOST or not is_the_users(code.co_filename):
            continue
        reads, binds = _globals_of(code)
        bound |= binds
        read = found.setdefault(id(namespace), NamesRead(namespace, {})).objects
        for name in sorted(reads - read.keys()):
            count += 1
            value = namespace.get(name, _NOTHING)
            read[name] = _held(value)
            if isinstance(value, FunctionType) and id(value.__code__) not in looked:
                looked.add(id(value.__code__))
                codes.append((value.__code__, value.__globals__))
    for each in found.values():  # what counts, for one, is set all the time
        for name in bound & each.objects.keys():
            del each.objects[name]
    return tuple(found.values())


def names_set(read: tuple[NamesRead, ...]) -> list[str]:
    """Those that stand for another object by now, or for one at all."""
    found = [
        name
        for namespace, objects in read
        for name, before in objects.items()
        if (now := namespace.get(name, _NOTHING)) is not _NOTHING and now is not before()
    ]
    return list(dict.fromkeys(found))


def _codes_of(error: BaseException | None) -> Iterator[tuple[CodeType, dict[str, Any]]]:
    """The code that an error came through, and those that led to it, each once."""
    looked: set[int] = set()
    for each in _with_its_causes(error):
        trace = traceback_of(each)
        while trace is not None:  # of a recursion as many as there are functions
            frame, trace = trace.tb_frame, trace.tb_next
            if id(frame.f_code) not in looked:
                looked.add(id(frame.f_code))
                yield frame.f_code, frame.f_globals


def _with_its_causes(error: BaseException | None) -> list[BaseException]:
    found = [] if error is None else [error]
    for each in found:  # grows
        led = [_CAUSE(each), _CONTEXT(each)]
        with contextlib.suppress(Exception):  # a class of the user's may have anything there
            led += getattr(each, "exceptions", ())  # of a group
        looked = {id(known) for known in found}
        found += [e for e in led if isinstance(e, BaseException) and id(e) not in looked]
        if len(found) > _MOST:
            break
    return found


# Past whatever a class of the user's has in their places.
_CAUSE = BaseException.__dict__["__cause__"].__get__
_CONTEXT = BaseException.__dict__["__context__"].__get__


def _held(value: object) -> Callable[[], object]:
    try:
        return weakref.ref(value)
    except TypeError:
        return lambda: value


@lru_cache(256)
def _globals_of(code: CodeType) -> tuple[frozenset[str], frozenset[str]]:
    """Global names that code reads, and those that it binds."""
    reads, binds = set(), set()
    for each in dis.get_instructions(code):
        if each.opname == "LOAD_GLOBAL":
            reads.add(each.argval)
        elif each.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            binds.add(each.argval)
    for inner in code.co_consts:  # a comprehension, a lambda
        if isinstance(inner, CodeType):
            more_reads, more_binds = _globals_of(inner)
            reads |= more_reads
            binds |= more_binds
    return frozenset(reads), frozenset(binds)
