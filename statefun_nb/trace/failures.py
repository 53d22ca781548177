"""The last failure of each address: what is a retry of it, and what has repaired it."""

from __future__ import annotations

from typing import NamedTuple

from ..address import SdkAddress
from ..cells.places import place_of_traceback
from ..errors import traceback_of
from ..protocol.effects import Request
from ..sdk.dispatch import Failure
from .batch import TracedBatch
from .mended import NamesRead, names_read, names_set
from .recorder import Recorder

__all__ = ["Failures", "LastFailure"]

# Of so many addresses the last failure is remembered; of an older one its retry is a new error.
_KEPT = 1_000


class LastFailure(NamedTuple):
    """A message that failed, encoded with its sender, how often, and where.

    ``message`` is None when it was given another value since: it is still the one at the head.
    ``ahead`` of it are so many that are equal to it. ``line`` is the user's, as in "Cell In[3],
    line 5". ``batch`` is its record, None where nothing is recorded. ``names`` are those that the
    user's code read, by which one can tell that a helper of it has been mended.
    """

    message: bytes | None
    ahead: int
    attempts: int
    line: str
    batch: TracedBatch | None
    names: tuple[NamesRead, ...] = ()


class Failures:
    """Remembers failures. Belongs to the loop, but for ``find`` and ``mended``.

    Parameters
    ----------
    recorder : Recorder or None
        Where the attempts of one message become one error with a count.

    Attributes
    ----------
    last : dict
        The last failure of each address whose message has not gone through yet.
    count : int
        Messages that have failed, each once, however often it was tried.
    """

    def __init__(self, recorder: Recorder | None) -> None:
        self._recorder = recorder
        self.last: dict[SdkAddress, LastFailure] = {}
        self.count = 0

    def find(self, address: SdkAddress) -> LastFailure | None:
        """The last failure of an address, until its message has gone through."""
        return self.last.get(address)

    def mended(self, typename: str) -> bool:
        """Has a function failed for the lack of something that has been set since?"""
        return any(
            address.typename == typename and names_set(last.names)
            for address, last in [*self.last.items()]
        )

    def failed(self, request: Request, failure: Failure, batch: TracedBatch | None) -> bool:
        """Note and record a failure; False when its message has failed before.

        Such an attempt is counted in the record of the first one, as long as that is kept.
        """
        message = _message(request, failure.position)
        ahead = _equal(message, request, failure.position)
        line = place_of_traceback(traceback_of(failure.error))
        before = self.last.pop(request.target, None)
        if before is not None and (
            before.message == message or (before.message is None and failure.position == 0)
        ):
            attempts = before.attempts + 1
        else:
            before, attempts = None, 1
            self.count += 1
            if len(self.last) >= _KEPT:
                del self.last[next(iter(self.last))]  # the oldest
        kept = self._record(None if before is None else before.batch, batch)
        names = names_read(failure.error)
        self.last[request.target] = LastFailure(message, ahead, attempts, line, kept, names)
        return before is None

    def _record(self, before: TracedBatch | None, now: TracedBatch | None) -> TracedBatch | None:
        if self._recorder is None or now is None or now.error is None:
            return None
        if before is None:
            self._recorder.add(now)
            return now
        return self._recorder.failed_again(before, now.error, lambda e: now._replace(error=e))

    def served(self, request: Request) -> None:
        """Note that a request went well: if its message had failed, that is repaired."""
        last = self.last.get(request.target)
        if last is None:
            return
        if last.message is not None:
            served = _equal(last.message, request, len(request.invocations))
            if served <= last.ahead:
                self.last[request.target] = last._replace(ahead=last.ahead - served)
                return
        del self.last[request.target]
        if self._recorder is not None and last.batch is not None:
            self._recorder.repaired(last.batch)

    def amended(self, address: SdkAddress) -> None:
        """Note that the message that failed has another value from now on."""
        last = self.last.get(address)
        if last is not None:
            self.last[address] = last._replace(message=None)

    def forget(self, address: SdkAddress) -> None:
        """Drop a failure: its message is given up."""
        self.last.pop(address, None)


def _equal(message: bytes, request: Request, before: int) -> int:
    """How many of the messages before a position are equal to one."""
    return sum(_message(request, at) == message for at in range(before))


def _message(request: Request, position: int) -> bytes:
    # A failure before any message ran, such as a state that cannot be read, has position 0.
    if position >= len(request.invocations):
        return b""
    return request.invocations[position].SerializeToString()
