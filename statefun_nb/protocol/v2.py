"""Request-reply protocol v2, of StateFun 2.x: what is different from v3, as a translation.

::

    the function's side   request of v2 --decode_request--> Request, and the same in bytes of v3
                          reply of v3   --encode_reply----> reply of v2
    the engine's side     request of v3 --encode_request--> request of v2
                          reply of v2   --decode_reply----> reply of v3

Between the two stands what serves v3, and knows of nothing else. Field numbers:
proto/request_reply_v2.proto. Three things are different: values are Anys (``any_values.py``), state
names are not asked for but named in module.yaml, and nothing can be cancelled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ProtocolError
from . import v3
from ._pool import AnyMessage, FromFunction2, ResultOf3, ToFunction, ToFunction2, parse
from .any_values import ANY, any_bytes, local_name, opened, typed_bytes
from .effects import Request
from .wire import FIELD_100, chunk, name_chunk, pair, typed_value_bytes, varint

__all__ = ["decode_reply", "decode_request", "encode_reply", "encode_request", "refuse_in_v3"]

# Tells the typename that a function declares for a state name: (function's typename, state name).
Declared = Callable[[str, str], str | None]

_CAUSE = b"\xaa\xc8\x03"  # field 7301, of TypedValue and of Any
_IS_ANY = b"\xb8\xc8\x03\x01"  # TypedValue.statefun_nb_any


# The function's side.


def decode_request(data: bytes, declared: Declared = lambda *_: None) -> tuple[Request, bytes]:
    """Read a ToFunction: the request, and its bytes in v3.

    Parameters
    ----------
    declared : callable
        Two names of a type are the same in v2 when they agree behind the last slash; a state value
        gets the one that its function declares.

    Raises
    ------
    ProtocolError
        When the bytes are no ToFunction, hold no invocation, or name no target function.
    """
    message = parse(ToFunction2, data, "ToFunction", 2)
    if not message.HasField("invocation"):
        raise ProtocolError(
            "the ToFunction holds no invocation (field 100): the body is empty or of another "
            "protocol version"
        )
    batch = message.invocation
    typename = f"{batch.target.namespace}/{batch.target.type}"
    parts = [chunk(b"\x0a", batch.target.SerializeToString())]
    parts += [_state_of_v3(each, declared(typename, each.state_name)) for each in batch.state[:]]
    invocations = batch.invocations[:]
    if invocations and invocations[0].argument.value_of_version_3:
        raise ProtocolError(
            "this is a request of protocol v3: its place is the path without /v2, and "
            "handlers without protocol=2"
        )
    for each in invocations:
        caller, argument = each.caller, _value_of_v3(each.argument, _IS_ANY)
        if caller:
            parts.append(pair(b"\x1a", caller, argument))
        else:
            parts.append(chunk(b"\x1a", chunk(b"\x12", argument)))
    body = chunk(FIELD_100, b"".join(parts))
    return v3.decode_request(body)._replace(protocol=2), body


def refuse_in_v3(request: Request) -> None:
    """Raise for a request of v2 that was read as one of v3, where its values are absent ones.

    For who takes requests from outside: an engine's own need no look, which is 1 % of a small one.

    Raises
    ------
    ProtocolError
        When the first message carries an Any.
    """
    if not request.invocations:
        return
    argument: Any = request.invocations[0].argument
    if not argument.has_value and AnyMessage.FromString(argument.SerializeToString()).value:
        raise ProtocolError(
            "this is a request of protocol v2: its place is the path with /v2 at its end, and "
            "handlers with protocol=2"
        )


def _value_of_v3(message: Any, more: bytes = b"") -> bytes:
    cause = message.statefun_nb_cause
    if cause:
        more = chunk(_CAUSE, cause) + more
    return typed_bytes(message.type_url, message.value, more)


def _state_of_v3(entry: Any, declared: str | None) -> bytes:
    """A PersistedValue; what is no Any after all is handed on under the name of one."""
    head, data = name_chunk(b"\x0a", entry.state_name), entry.state_value
    if not data:
        return chunk(b"\x12", head)
    value = (ANY, data)
    if declared != ANY and (found := opened(data)) is not None:
        value = found
        if declared is not None and declared != found.typename:
            stored = AnyMessage.FromString(data)
            if local_name(stored.type_url) == local_name(declared):
                value = (declared, stored.value)
    return chunk(b"\x12", head + chunk(b"\x12", typed_value_bytes(value)))


def encode_reply(reply: bytes) -> bytes:
    """The FromFunction of a reply of v3 that asks for no state names and cancels nothing."""
    result = ResultOf3.FromString(reply).invocation_result
    parts = []
    for mutation in result.state_mutations[:]:
        body = name_chunk(b"\x12", mutation.state_name)
        if mutation.modify:
            value = mutation.state_value
            body = b"\x08\x01" + body + chunk(b"\x1a", _state_of_v2(value))
        parts.append(chunk(b"\x0a", body))
    parts += _sends(result, _value_of_v2)
    for later in result.delayed_invocations[:]:  # whoever sets a token and never uses it: as well
        body = b"\x08" + varint(later.delay_in_ms) if later.delay_in_ms else b""
        body += chunk(b"\x12", later.target)
        parts.append(chunk(b"\x1a", body + chunk(b"\x1a", _value_of_v2(later.argument))))
    parts += _records(result, _value_of_v2)
    return v3.encode_result(parts)


def _sends(result: Any, value: Callable[[Any], bytes]) -> list[bytes]:
    """The messages of a result of either version, with their values in the other's form."""
    return [
        pair(b"\x12", send.target, value(send.argument)) for send in result.outgoing_messages[:]
    ]


def _records(result: Any, value: Callable[[Any], bytes]) -> list[bytes]:
    """The egress records of a result, likewise."""
    parts = []
    for record in result.outgoing_egresses[:]:
        body = name_chunk(b"\x0a", record.egress_namespace)
        body += name_chunk(b"\x12", record.egress_type)
        parts.append(chunk(b"\x22", body + chunk(b"\x1a", value(record.argument))))
    return parts


def _value_of_v2(message: Any) -> bytes:
    cause = message.statefun_nb_cause
    more = chunk(_CAUSE, cause) if cause else b""
    return any_bytes(message.typename, message.value, more)


def _state_of_v2(message: Any) -> bytes:
    if message.typename == ANY:
        data: bytes = message.value
        return data
    return _value_of_v2(message)


# The engine's side. What it keeps as the state of such a function are Anys, unopened: the runtime
# of 2.x knows no types, and hands back the bytes that it was given.


def encode_request(data: bytes) -> bytes:
    """The ToFunction of a request of v3."""
    batch = ToFunction.FromString(data).invocation
    parts = [chunk(b"\x0a", batch.target.SerializeToString())]
    for entry in batch.state[:]:
        body = name_chunk(b"\x0a", entry.state_name)
        if entry.state_value.has_value:
            body += chunk(b"\x12", _state_of_v2(entry.state_value))
        parts.append(chunk(b"\x12", body))
    for each in batch.invocations[:]:
        argument = _value_of_v2(each.argument)
        if each.HasField("caller"):
            parts.append(pair(b"\x1a", each.caller.SerializeToString(), argument))
        else:
            parts.append(chunk(b"\x1a", chunk(b"\x12", argument)))
    return chunk(FIELD_100, b"".join(parts))


def decode_reply(data: bytes) -> bytes:
    """The reply of v3 that a FromFunction is.

    Raises
    ------
    ProtocolError
        When the bytes are no FromFunction.
    """
    message = parse(FromFunction2, data, "FromFunction", 2)
    if message.HasField("incomplete_invocation_context"):
        # The state names of Go's SDK of that time, which come without types.
        values = message.incomplete_invocation_context.missing_values
        return v3.encode_missing([v3.state_spec(value)._replace(typename=ANY) for value in values])
    result = message.invocation_result
    parts = []
    for mutation in result.state_mutations[:]:
        body = name_chunk(b"\x12", mutation.state_name)
        if mutation.mutation_type == 1 and mutation.state_value:
            body = b"\x08\x01" + body
            body += chunk(b"\x1a", typed_value_bytes((ANY, mutation.state_value)))
        parts.append(chunk(b"\x0a", body))
    parts += _sends(result, _value_of_v3)
    for later in result.delayed_invocations[:]:
        body = b"\x08" + varint(max(later.delay_in_ms, 0)) + chunk(b"\x12", later.target)
        parts.append(chunk(b"\x1a", body + chunk(b"\x1a", _value_of_v3(later.argument))))
    parts += _records(result, _value_of_v3)
    return v3.encode_result(parts)
