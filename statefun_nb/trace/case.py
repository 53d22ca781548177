"""A recorded invocation as a case: what it was given, and what it did. It can be run again.

What it did is plain JSON, the same whether it was recorded a moment ago, read from a file or just
run: so one comparison serves replay and tests.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..address import SdkAddress
from ..errors import ProtocolError, SessionError, StatefunError, described
from ..loop_thread import Interrupted
from ..protocol.effects import CancelDelayed, DelayedSend, Emit, Reply, TypedValue
from ..protocol.v3 import (
    decode_reply,
    decode_typed_value,
    encode_request,
    read_caller,
)
from ..protocol.wire import typed_value_bytes
from ..sdk.dispatch import Outcome, withdraw
from ..sdk.messages import own_typed_value
from ..sdk.registry import StatefulFunctions
from ..sdk.types import BUILT_IN_TYPES
from .batch import TracedBatch
from .events import egress_record
from .recorder import Recorder
from .served import Served
from .traced import TracedHandler

__all__ = ["Case", "EffectsJson", "read_cases", "readable", "run_case", "typed"]

# By name: state (after it), sent, delayed, cancelled, egress, error.
EffectsJson = dict[str, Any]


class Case(NamedTuple):
    """One invocation: who was given which message in which state, and what came of it.

    ``seq`` is that of the invocation and ``version`` that of the function, 0 when it came from a
    file. ``state`` lacks the values that were not there.
    """

    seq: int
    version: int
    address: SdkAddress
    caller: SdkAddress | None
    message: TypedValue
    state: dict[str, TypedValue]
    effects: EffectsJson


def read_cases(batch: TracedBatch) -> Iterator[Case]:
    """The invocations of one recorded batch, in order, but those undone with their batch."""
    request, parts = batch.open()
    specs = batch.spec.layout.specs
    last = batch.invocations - 1
    state = {name: value for name, value in request.state.items() if value.value is not None}
    for part in parts:
        before = state
        state = {
            name: TypedValue(spec.type.typename, data)
            for (name, spec), data in zip(specs.items(), part.after, strict=True)
            if data is not None
        }
        error = (batch.skipped or {}).get(part.place)
        if batch.error is not None:
            if part.place < last:
                continue  # it comes again
            error = batch.error
        if error is not None:
            state = before
        yield Case(
            batch.seq + part.place,
            batch.spec.version,
            request.target,
            read_caller(part.message),
            own_typed_value(part.message.argument),
            before,
            _effects(
                state,
                Reply(part.sends, part.delayed, part.egress, (), None),
                None if error is None else error.text,
            ),
        )


async def run_case(
    case: Case, functions: StatefulFunctions, serving_now: set[Served] | None = None
) -> EffectsJson:
    """Serve its message once more, on the running loop; nothing of it goes anywhere.

    A state name that was declared since is not there yet, as on an engine. ``serving_now`` holds it
    as long as it runs.

    Raises
    ------
    SessionError
        When it was interrupted.
    """
    recorder = Recorder()
    handler = TracedHandler(functions, recorder, serving_now)
    state: dict[str, TypedValue | None] = dict(case.state)
    message = typed_value_bytes(case.message)
    while True:
        try:
            outcome = handler.start(encode_request(case.address, state, [(case.caller, message)]))
        except ProtocolError as error:  # nobody declares its function any more
            return _effects(case.state, _NOTHING, described(error))
        if not isinstance(outcome, Outcome):
            outcome = await _outcome(outcome)
        if outcome.failure is not None and type(outcome.failure.error) is Interrupted:
            raise SessionError(f"the session was stopped while {case.address} was run again")
        if not outcome.missing:
            break
        missing = decode_reply(outcome.reply).missing or ()
        state.update(dict.fromkeys(spec.name for spec in missing))
    (batch,) = recorder.snapshot().batches
    (again,) = read_cases(batch)
    return again.effects


async def _outcome(task: asyncio.Task[Outcome]) -> Outcome:
    try:
        await asyncio.wait((task,))
    except asyncio.CancelledError:
        withdraw(task)  # or it would be the failure of the function
        raise
    return task.result()


_NOTHING = Reply((), (), (), (), None)


def _effects(state: dict[str, TypedValue], reply: Reply, error: str | None) -> EffectsJson:
    delayed = [each for each in reply.delayed if isinstance(each, DelayedSend)]
    cancelled = [each.token for each in reply.delayed if isinstance(each, CancelDelayed)]
    return {
        "state": {name: readable(value) for name, value in sorted(state.items())},
        "sent": [[t.typename, t.id, readable(decode_typed_value(a))] for t, a in reply.sends],
        "delayed": [
            [d.delay_ms, d.target.typename, d.target.id, readable(decode_typed_value(d.argument)),
             d.token]
            for d in delayed
        ],
        "cancelled": cancelled,
        "egress": [_egress(each) for each in reply.egress],
        "error": error,
    }  # fmt: skip


def _egress(emit: Emit) -> dict[str, Any]:
    argument = decode_typed_value(emit.argument)
    record = egress_record(emit.egress, argument)
    if record.topic is None:
        return {"egress": emit.egress, **readable(argument)}
    value = record.value
    if isinstance(value, bytes):
        value = {"base64": base64.b64encode(value).decode()}
    return {"egress": emit.egress, "topic": record.topic, "key": record.key, "value": value}


def readable(value: TypedValue) -> dict[str, Any]:
    """A typed value as JSON that loses nothing: a value, else text, else base64.

    Examples
    --------
    >>> readable(TypedValue("io.statefun.types/bool", b""))
    {'type': 'io.statefun.types/bool', 'value': False}
    """
    typename, data = value
    if data is None:
        return {"type": typename}
    known = BUILT_IN_TYPES.get(typename)
    if known is not None:
        serializer = known.serializer()
        try:
            decoded = serializer.deserialize(data)
            plain = isinstance(decoded, (bool, int, float, str))  # what JSON can hold
            if plain and serializer.serialize(decoded) == data:
                return {"type": typename, "value": decoded}
        except (StatefunError, ValueError):
            pass  # others may send anything under that typename
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if text.replace("\n", " ").replace("\t", " ").isprintable():
        return {"type": typename, "text": text}
    return {"type": typename, "base64": base64.b64encode(data).decode()}


def typed(written: dict[str, Any]) -> TypedValue:
    """The typed value that ``readable`` wrote as JSON.

    Raises
    ------
    ValueError
        When it has not.

    Examples
    --------
    >>> typed({"type": "my/text", "text": "hello"})
    TypedValue(typename='my/text', value=b'hello')
    """
    match written:
        case {"type": str(typename), "value": value} if typename in BUILT_IN_TYPES:
            return TypedValue(typename, BUILT_IN_TYPES[typename].serializer().serialize(value))
        case {"type": str(typename), "text": str(text)}:
            return TypedValue(typename, text.encode())
        case {"type": str(typename), "base64": str(text)}:
            return TypedValue(typename, base64.b64decode(text, validate=True))
        case {"type": str(typename), **rest} if not rest:
            return TypedValue(typename, None)
    raise ValueError(f"{json.dumps(written)} is not a value")
