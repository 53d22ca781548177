"""Which of the names that a failed function reads stand for something else by now.

A function that is declared again is tried again by itself. Of a helper, a table or an import in
another cell nobody tells the engine: who asks why an address waits is told that they have changed.
"""

from __future__ import annotations

import dis
from functools import lru_cache
from types import CodeType, TracebackType
from typing import Any, NamedTuple

from ..cells.places import is_the_users

__all__ = ["NamesRead", "changed_names", "names_read"]


class NamesRead(NamedTuple):
    """The global names that one function of the user's reads, and what each stood for.

    ``objects`` has the ``id`` of each, None where there was none: an object that is gone by now is
    not held for it, and of two that differ both were never the same.
    """

    namespace: dict[str, Any]
    objects: dict[str, int | None]


def names_read(trace: TracebackType | None) -> tuple[NamesRead, ...]:
    """The global names that the user's functions in a traceback read, as they are now.

    Examples
    --------
    >>> names_read(None)
    ()
    """
    found = []
    while trace is not None:
        frame, trace = trace.tb_frame, trace.tb_next
        if is_the_users(frame.f_code.co_filename) and (names := _reads(frame.f_code)):
            namespace = frame.f_globals
            found.append(NamesRead(namespace, {name: _seen(namespace, name) for name in names}))
    return tuple(found)


def changed_names(read: tuple[NamesRead, ...]) -> list[str]:
    """Those that stand for something else by now, or for something at all."""
    changed = [
        name
        for namespace, objects in read
        for name, before in objects.items()
        if _seen(namespace, name) != before
    ]
    return list(dict.fromkeys(changed))


def _seen(namespace: dict[str, Any], name: str) -> int | None:
    return id(namespace[name]) if name in namespace else None


@lru_cache(256)
def _reads(code: CodeType) -> frozenset[str]:
    """Names that code reads, but for those that it binds itself, such as those that count."""
    reads, binds = _globals_of(code)
    return frozenset(reads - binds)


def _globals_of(code: CodeType) -> tuple[set[str], set[str]]:
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
    return reads, binds
