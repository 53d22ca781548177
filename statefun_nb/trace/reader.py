"""From recorded batches to ``Invocation`` records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from ..protocol.effects import CancelDelayed, DelayedSend
from ..protocol.v3 import decode_causes, decode_typed_value, read_caller
from ..sdk.messages import own_typed_value
from ..sdk.unreadable import StateValues, read_or_raw
from .batch import Origin, TracedBatch, TracedFunction
from .events import (
    Cancellation,
    Delayed,
    Invocation,
    InvocationError,
    Payload,
    Sent,
    egress_record,
)

__all__ = ["read_batch"]


def read_batch(
    batch: TracedBatch, origin: Origin, start: int = 0, stop: int | None = None
) -> Iterator[Invocation]:
    """The invocations of one recorded batch, in order; ``start`` and ``stop`` as of a slice."""
    request, parts = batch.open(start, stop)
    causes = decode_causes(batch.request)
    before: dict[str, Any] | None = None
    for part in parts:
        cause = causes[part.place]
        if before is None:
            before = _decode_state(batch.spec, part.before)
        # What the invocations of a failed batch did was undone with it.
        after = before if batch.error is not None else _decode_state(batch.spec, part.after)
        yield Invocation(
            seq=batch.seq + part.place,
            time=datetime.fromtimestamp(origin.time(batch, part.begin), timezone.utc),
            address=request.target,
            caller=read_caller(part.message),
            message=Payload(*own_typed_value(part.message.argument)),
            state_before=before,
            state_after=after,
            sent=tuple(Sent(s.target, _payload(s.argument)) for s in part.sends),
            egress=tuple(
                egress_record(e.egress, decode_typed_value(e.argument)) for e in part.egress
            ),
            delayed=tuple(_delayed(d) for d in part.delayed if isinstance(d, DelayedSend)),
            cancelled=tuple(
                Cancellation(d.token) for d in part.delayed if isinstance(d, CancelDelayed)
            ),
            duration=part.end - part.begin,
            error=_error(batch, part.place),
            rolled_back=batch.error is not None and part.place < batch.invocations - 1,
            stdout=(batch.stdout or {}).get(part.place, ""),
            function_version=batch.spec.version,
            batch=batch.number,
            cause=cause.seq if cause is not None and cause.recorder == origin.recorder else None,
        )
        before = after


def _error(batch: TracedBatch, place: int) -> InvocationError | None:
    if batch.skipped is not None:
        return batch.skipped.get(place)
    return batch.error if place == batch.invocations - 1 else None


def _payload(argument: bytes) -> Payload:
    return Payload(*decode_typed_value(argument))


def _delayed(send: DelayedSend) -> Delayed:
    delay = timedelta(milliseconds=send.delay_ms)
    return Delayed(send.target, _payload(send.argument), delay, send.token)


def _decode_state(spec: TracedFunction, state: Sequence[bytes | None]) -> dict[str, Any]:
    """The values that are there, by name, decoded by the types of the function that ran."""
    values = StateValues()
    for value_spec, data in zip(spec.layout.specs.values(), state, strict=True):
        if data is not None:
            values[value_spec.name] = read_or_raw(value_spec.type, data)
    return values
