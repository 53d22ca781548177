"""The trace of remote functions, which other processes serve: made of a request and its reply."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..address import SdkAddress
from ..protocol.effects import Reply, TypedValue
from ..protocol.wire import cause_value
from ..sdk.inference import decode_value
from ..sdk.types import BUILT_IN_TYPES, Type, simple_type
from .batch import TracedBatch, row
from .events import InvocationError
from .recorder import Recorder

__all__ = ["RemoteTrace", "TracedRequest"]


class _Value(NamedTuple):
    name: str
    type: Type


class _Layout(NamedTuple):
    specs: Mapping[str, _Value]


class _Function(NamedTuple):
    """What the wire tells of a function; version 0: nothing of it is declared here."""

    typename: str
    layout: _Layout
    version: int = 0


class RemoteTrace:
    """Records requests of one message; a reply tells the sum of a batch, and not each one's part.

    Parameters
    ----------
    recorder : Recorder
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._functions: dict[tuple[str, ...], _Function] = {}

    def request(
        self, target: SdkAddress, state: Mapping[str, TypedValue | None], data: bytes
    ) -> TracedRequest:
        """The record of a request that is about to be made; ``data`` is it, encoded."""
        return TracedRequest(self, target.typename, state, data)

    def function(self, typename: str, types: Mapping[str, str]) -> _Function:
        """What is known of a function by its state names and their typenames."""
        key = (typename, *types, *types.values())
        known = self._functions.get(key)
        if known is None:
            values = {name: _Value(name, _type(each)) for name, each in types.items()}
            known = self._functions[key] = _Function(typename, _Layout(values))
        return known


class TracedRequest:
    """A request until it is answered: however often it fails, it is one error, with a count."""

    def __init__(
        self,
        trace: RemoteTrace,
        typename: str,
        state: Mapping[str, TypedValue | None],
        data: bytes,
    ) -> None:
        self._trace = trace
        self._typename = typename
        self._state = state
        self.data = data
        self._began = time.perf_counter()
        self._recorded: TracedBatch | None = None  # its failures so far

    def served(self, reply: Reply, answer: bytes, start: float) -> bytes:
        """It went well; ``start`` is on the clock of ``time.perf_counter``.

        Returns
        -------
        bytes
            What its messages are to carry, so that they are traced back to it.
        """
        after = {**self._state, **dict(reply.mutations)}
        types = {
            name: _typename(after[name]) or _typename(before)
            for name, before in self._state.items()
        }
        values = [None if (v := after[name]) is None else v.value for name in types]
        ended = row(time.perf_counter(), reply, values)
        if self._recorded is not None:
            self._trace.recorder.repaired(self._recorded)
        batch = self._batch(types, answer, start, ended, None)
        self._trace.recorder.add(batch)
        return cause_value(self._trace.recorder.origin.recorder, batch.seq)

    def failed(self, what: str, reason: str) -> None:
        """It failed (again): the type and the text of the error."""
        error = InvocationError(what, reason, "")
        recorder = self._trace.recorder
        if self._recorded is None:
            self._recorded = self._failed(error)
            recorder.add(self._recorded)
        else:
            self._recorded = recorder.failed_again(self._recorded, error, self._failed)

    def _failed(self, error: InvocationError) -> TracedBatch:
        types = {name: _typename(value) for name, value in self._state.items()}
        ended = row(time.perf_counter(), None, [None] * len(types))
        return self._batch(types, b"", self._began, ended, error)

    def _batch(
        self,
        types: Mapping[str, str],
        answer: bytes,
        start: float,
        ended: tuple[Any, ...],
        error: InvocationError | None,
    ) -> TracedBatch:
        recorder = self._trace.recorder
        seq, number = recorder.reserve(1)
        return TracedBatch(
            seq=seq,
            number=number,
            time=recorder.clock() - (time.perf_counter() - start if recorder.origin.ticks else 0),
            start=start,
            spec=self._trace.function(self._typename, types),
            request=self.data,
            reply=answer,
            rows=ended,
            stdout=None,
            error=error,
            skipped=None,
        )


def _typename(value: TypedValue | None) -> str:
    return "" if value is None else value.typename


def _type(typename: str) -> Type:
    known = BUILT_IN_TYPES.get(typename)
    if known is not None:
        return known
    name = typename or "io.statefun.types/unset"  # it was never there: nothing will be decoded

    def read(data: bytes) -> Any:
        return decode_value(TypedValue(name, data))

    return simple_type(name, bytes, read)
