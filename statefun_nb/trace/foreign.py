"""The trace of functions that other processes serve: made of a request and its reply."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..effects import Reply, Request, TypedValue
from ..sdk.inference import decode_value
from ..sdk.types import BUILT_IN_TYPES, Type, simple_type
from .events import InvocationError
from .recorder import Recorder, TracedBatch

__all__ = ["ForeignTrace"]


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


class ForeignTrace:
    """Records requests of one message; a reply tells the sum of a batch, and not each one's part.

    Parameters
    ----------
    recorder : Recorder
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._functions: dict[tuple[str, ...], _Function] = {}

    def served(
        self, request: Request, reply: Reply, data: bytes, answer: bytes, start: float
    ) -> None:
        """It went well; ``start`` is on the clock of ``time.perf_counter``."""
        after = dict(request.state)
        after.update((m.name, m.value or TypedValue("", None)) for m in reply.mutations)
        types = {
            name: after[name].typename or value.typename for name, value in request.state.items()
        }
        function = self._function(request.target.typename, types)
        row = (len(reply.sends), len(reply.delayed), len(reply.egress))
        state = [after[name].value for name in function.layout.specs]
        self._recorder.add(self._batch(function, data, answer, start, (*row, *state), None))

    def failing(self, request: Request, data: bytes, start: float) -> Callable[[str, str], None]:
        """What to call with the type and text of each failure of this request: one error, counted."""
        types = {name: value.typename for name, value in request.state.items()}
        function = self._function(request.target.typename, types)
        nothing = (0, 0, 0, *[None] * len(types))
        recorded: TracedBatch | None = None

        def failed(kind: str, message: str) -> None:
            nonlocal recorded
            error = InvocationError(kind, message, "")
            if recorded is not None:
                recorded = self._recorder.failed_again(recorded, error)
            if recorded is None:
                recorded = self._batch(function, data, b"", start, nothing, error)
                self._recorder.add(recorded)

        return failed

    def _batch(
        self,
        function: _Function,
        data: bytes,
        answer: bytes,
        start: float,
        row: tuple[Any, ...],
        error: InvocationError | None,
    ) -> TracedBatch:
        seq, number = self._recorder.reserve(1)
        now = self._recorder.clock()
        rows = (time.perf_counter(), *row)
        return TracedBatch(seq, number, now, start, function, data, answer, rows, None, error, None)

    def _function(self, typename: str, types: Mapping[str, str]) -> _Function:
        key = (typename, *types, *types.values())
        known = self._functions.get(key)
        if known is None:
            values = {name: _Value(name, _type(kind)) for name, kind in types.items()}
            known = self._functions[key] = _Function(typename, _Layout(values))
        return known


def _type(typename: str) -> Type:
    known = BUILT_IN_TYPES.get(typename)
    if known is not None:
        return known
    name = typename or "io.statefun.types/unset"  # it was never there: nothing will be decoded

    def read(data: bytes) -> Any:
        return decode_value(TypedValue(name, data))

    return simple_type(name, bytes, read)
