"""Which batches are for an id: an index that is made when somebody first asks for one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from typing import Final

from ..protocol.v3 import decode_request
from ..protocol.wire import chunk
from .batch import TracedBatch

__all__ = ["IdIndex", "id_of"]

# So many batches that are no longer kept stay in the index at least, before it is made anew.
_STALE: Final = 1_024
# A request begins with its target: where the address begins, and the largest length of one byte.
_BEGINS: Final = 16
_SHORT: Final = 128


def id_of(batch: TracedBatch) -> str:
    """The id that a batch is for, nearly always without decoding it."""
    request = batch.request
    front = _front(batch.spec.typename)
    at = request.find(front, 0, _BEGINS + len(front))
    begin = at + len(front) + 1
    if at >= 0 and len(request) > begin and (size := request[begin - 1]) < _SHORT:
        return request[begin : begin + size].decode(errors="replace")
    return decode_request(request).target.id


@lru_cache(maxsize=1024)
def _front(typename: str) -> bytes:
    """What an encoded address of that type has before the length of its id."""
    namespace, _, name = typename.encode().partition(b"/")
    return chunk(b"\x0a", namespace) + chunk(b"\x12", name) + b"\x1a"


class IdIndex:
    """By id, the numbers of the batches in a log, ascending.

    Of all function types together: an id is seldom one of many. Asked from any thread.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._numbers: dict[str, list[int]] = {}
        self._entered = range(0)

    def find(self, id: str, kept: range, batch: Callable[[int], TracedBatch]) -> list[int] | None:
        """The numbers among ``kept`` of the batches for an id; None when they are not known here.

        Parameters
        ----------
        kept : range
            The numbers of the batches that somebody looks at.
        batch : callable
            The batch of a number.
        """
        with self._lock:
            entered = self._entered
            stale = kept.start - entered.start > max(_STALE, len(kept))
            if stale or kept.start > entered.stop or not self._numbers:
                self._numbers, entered = {}, range(kept.start, kept.start)
            if kept.start < entered.start:
                return None  # of an older view: they have left the index
            numbers = self._numbers
            for number in range(entered.stop, kept.stop):
                numbers.setdefault(id_of(batch(number)), []).append(number)
            self._entered = range(entered.start, max(entered.stop, kept.stop))
            found = numbers.get(id, [])
            return found[bisect_left(found, kept.start) : bisect_left(found, kept.stop)]
