"""From recorded batches to ``Invocation`` records."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from ..effects import CancelDelayed, DelayedSend
from ..protocol.v3 import (
    decode_causes,
    decode_reply,
    decode_request,
    decode_typed_value,
    read_caller,
)
from ..sdk.messages import own_typed_value
from .events import (
    Cancelled,
    Delayed,
    Invocation,
    InvocationError,
    Payload,
    Sent,
    egress_record,
)
from .recorder import TracedBatch, TracedFunction

__all__ = ["read_batch"]


def read_batch(
    batch: TracedBatch, recorder_id: int, start: int = 0, stop: int | None = None
) -> Iterator[Invocation]:
    """The invocations of one recorded batch, in order; ``start`` and ``stop`` as of a slice."""
    request = decode_request(batch.request)
    reply = decode_reply(batch.reply)
    causes = decode_causes(batch.request)
    width, failed = batch.width, batch.error is not None
    begin, sent, delayed, egress = batch.start, 0, 0, 0
    handed_in = [request.state[n].value for n in batch.spec.layout.specs]
    if start:
        begin, *done = batch.rows[(start - 1) * width : start * width]
        if not failed:
            sent, delayed, egress, *handed_in = done
    before = _decode_state(batch.spec, handed_in)
    last_end = batch.rows[-width] if batch.rows else begin
    for index in range(*slice(start, stop).indices(batch.invocations)):
        end, to_sent, to_delayed, to_egress, *state = batch.rows[
            index * width : (index + 1) * width
        ]
        incoming, cause = request.invocations[index], causes[index]
        if failed:  # what its invocations did was undone with the batch: there is no reply
            after, to_sent, to_delayed, to_egress = before, 0, 0, 0
        else:
            after = _decode_state(batch.spec, state)
        later = reply.delayed[delayed:to_delayed]
        yield Invocation(
            seq=batch.seq + index,
            time=datetime.fromtimestamp(batch.time - (last_end - begin), timezone.utc),
            address=request.target,
            caller=read_caller(incoming),
            message=Payload(*own_typed_value(incoming.argument)),
            state_before=before,
            state_after=after,
            sent=tuple(Sent(s.target, _payload(s.argument)) for s in reply.sends[sent:to_sent]),
            egress=tuple(
                egress_record(e.egress, decode_typed_value(e.argument))
                for e in reply.egress[egress:to_egress]
            ),
            delayed=tuple(_delayed(d) for d in later if isinstance(d, DelayedSend)),
            cancelled=tuple(Cancelled(d.token) for d in later if isinstance(d, CancelDelayed)),
            duration=end - begin,
            error=_error(batch, index),
            stdout=(batch.stdout or {}).get(index, ""),
            function_version=batch.spec.version,
            batch=batch.number,
            cause=cause.seq if cause is not None and cause.recorder == recorder_id else None,
        )
        begin, before = end, after
        sent, delayed, egress = to_sent, to_delayed, to_egress


def _error(batch: TracedBatch, index: int) -> InvocationError | None:
    if batch.skipped is not None:
        return batch.skipped.get(index)
    if batch.error is None or index == batch.invocations - 1:
        return batch.error
    return InvocationError(
        "RolledBack",
        f"undone: message {batch.invocations} of the same batch raised {batch.error.type}",
        "",
    )


def _payload(argument: bytes) -> Payload:
    return Payload(*decode_typed_value(argument))


def _delayed(send: DelayedSend) -> Delayed:
    delay = timedelta(milliseconds=send.delay_ms)
    return Delayed(send.target, _payload(send.argument), delay, send.token)


def _decode_state(spec: TracedFunction, state: list[bytes | None]) -> dict[str, Any]:
    """The values that are there, by name, decoded by the types of the function that ran."""
    values = {}
    for value_spec, data in zip(spec.layout.specs.values(), state, strict=True):
        if data is not None:
            try:
                values[value_spec.name] = value_spec.type.serializer().deserialize(data)
            except Exception:  # a type of the user's may raise anything: show what is there
                values[value_spec.name] = data
    return values
