"""Request-reply protocol v3: ToFunction and FromFunction, both directions.

``decode_request`` and the ``*_chunk`` writers are the function's side, ``encode_request`` and
``decode_reply`` the engine's. Field numbers: proto/request_reply.proto.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any

from ..address import GATEWAY, SdkAddress, parse_typename
from ..errors import ProtocolError
from ._pool import FromFunction, ToFunction, TypedValueMessage, parse
from .effects import (
    CancelDelayed,
    Cause,
    DelayedSend,
    Emit,
    ExpireMode,
    Mutation,
    Reply,
    Request,
    Send,
    StateSpec,
    TypedValue,
    new_tuple,
)
from .wire import (
    FIELD_100,
    LENGTHS,
    address_bytes,
    address_head,
    chunk,
    length,
    name_chunk,
    pair,
    read_cause,
    sdk_address_bytes,
    typed_value_bytes,
    value_head,
    varint,
)

__all__ = [
    "cancel_chunk",
    "decode_causes",
    "decode_reply",
    "decode_request",
    "decode_typed_value",
    "delayed_chunk",
    "egress_chunk",
    "encode_missing",
    "encode_request",
    "encode_result",
    "has_caller",
    "mutation_chunk",
    "read_caller",
    "send_chunk",
    "state_spec",
    "without_messages",
]

_FIELD_101 = b"\xaa\x06"  # FromFunction.incomplete_invocation_context


@lru_cache(maxsize=4096)
def _typename(namespace: str, name: str) -> str:
    """One string for all addresses of a type: a million of them must fit into memory."""
    return f"{namespace}/{name}"


def _address(message: Any) -> SdkAddress:
    namespace, name = message.namespace, message.type
    return new_tuple(SdkAddress, (namespace, name, message.id, _typename(namespace, name)))


def _typed_value(message: Any) -> TypedValue:
    return new_tuple(TypedValue, (message.typename, message.value if message.has_value else None))


def decode_typed_value(data: bytes) -> TypedValue:
    """Read an encoded TypedValue."""
    return _typed_value(parse(TypedValueMessage, data, "TypedValue"))


# The function's side: requests in, effects out.


def decode_request(data: bytes) -> Request:
    """Read a ToFunction.

    Raises
    ------
    ProtocolError
        When the bytes are no ToFunction, hold no invocation, or name no target function.
    """
    message = parse(ToFunction, data, "ToFunction")
    if not message.HasField("invocation"):
        raise ProtocolError(
            "the ToFunction holds no invocation (field 100): the body is empty or of another "
            "protocol version"
        )
    batch = message.invocation
    target = _address(batch.target)
    if not target[0] or not target[1]:
        raise ProtocolError(f"the request's target {target.typename!r} lacks a namespace or a name")
    state = {}
    for entry in batch.state[:]:  # a list: protobuf's own sequence ends with a caught IndexError
        value = entry.state_value
        data_or_none = value.value if value.has_value else None
        state[entry.state_name] = new_tuple(TypedValue, (value.typename, data_or_none))
    return new_tuple(Request, (target, state, batch.invocations[:], 3))


def without_messages(data: bytes, positions: Collection[int]) -> bytes:
    """A ToFunction less some of its messages; b"" when none is left."""
    message = parse(ToFunction, data, "ToFunction")
    invocations = message.invocation.invocations
    for position in sorted(positions, reverse=True):
        del invocations[position]
    left: bytes = message.SerializeToString() if invocations else b""
    return left


def read_caller(message: Any) -> SdkAddress | None:
    """Who sent a message of a Request; None when it came from an ingress."""
    if not message.HasField("caller"):
        return None
    caller = _address(message.caller)
    if caller.typename == GATEWAY:
        return None
    # The official SDK reads an address of three empty fields as no caller.
    return None if caller.typename == "/" and not caller.id else caller


def has_caller(message: Any) -> bool:
    """Did a function send this message of a Request? The gateway counts as one here."""
    return bool(message.HasField("caller"))


def decode_causes(data: bytes) -> list[Cause | None]:
    """Which traced invocation sent each message of a request; None where nobody says so."""
    batch = parse(ToFunction, data, "ToFunction").invocation
    found = (read_cause(message.argument.statefun_nb_cause) for message in batch.invocations)
    return [None if cause is None else Cause(*cause) for cause in found]


def send_chunk(
    typename: str,
    id: str,
    value_typename: str,
    data: bytes | None,
    cause: bytes,
) -> bytes:
    """One entry of InvocationResponse.outgoing_messages; its argument by the fields of it."""
    key = id.encode()
    if data and key:
        # Small messages are written in one go: as nested calls of chunk() they take twice the time.
        head, head_size, type_head, type_size = _send_heads(typename, value_typename)
        key_size, data_size = len(key), len(data)
        target_size = head_size + key_size
        value_size = type_size + data_size + len(cause)
        size = 4 + target_size + value_size
        if size < 128:  # every length in it fits one byte
            return b"".join(
                (
                    _SENDS[size],
                    LENGTHS[target_size],
                    head,
                    LENGTHS[key_size],
                    key,
                    _ARGUMENTS[value_size],
                    type_head,
                    LENGTHS[data_size],
                    data,
                    cause,
                )
            )
    target = chunk(b"\x0a", address_bytes(typename, id))
    return chunk(b"\x12", target + chunk(b"\x12", typed_value_bytes((value_typename, data), cause)))


# An outgoing message up to the length of its target, and the tag and length of its argument.
_SENDS = tuple(b"\x12" + size + b"\x0a" for size in LENGTHS[:128])
_ARGUMENTS = tuple(b"\x12" + size for size in LENGTHS[:128])


@lru_cache(maxsize=4096)
def _send_heads(typename: str, value_typename: str) -> tuple[bytes, int, bytes, int]:
    """The parts of a message that come again and again, and their sizes with the lengths after."""
    head = address_head(typename) + b"\x1a"
    type_head = value_head(value_typename)
    return head, len(head) + 1, type_head, len(type_head) + 1


def delayed_chunk(
    delay_ms: int,
    typename: str,
    id: str,
    value: TypedValue,
    token: str,
    cause: bytes,
) -> bytes:
    """One entry of InvocationResponse.delayed_invocations; ``delay_ms`` >= 0, milliseconds."""
    body = b"\x08" + varint(delay_ms) if delay_ms else b""
    body += chunk(b"\x12", address_bytes(typename, id))
    body += chunk(b"\x1a", typed_value_bytes(value, cause))
    if token:
        body += chunk(b"\x5a", token.encode())
    return chunk(b"\x1a", body)


def cancel_chunk(token: str) -> bytes:
    """The entry of InvocationResponse.delayed_invocations that cancels ``token``."""
    return chunk(b"\x1a", b"\x50\x01" + chunk(b"\x5a", token.encode()))


def egress_chunk(typename: str, value: TypedValue, instead_of: str = "") -> bytes:
    """One entry of InvocationResponse.outgoing_egresses.

    ``instead_of`` is the egress that the function named, where this is another one.
    """
    body = typed_value_bytes(value)
    body = _egress_head(typename) + length(body) + body
    if instead_of:
        body += chunk(b"\xb2\xc8\x03", instead_of.encode())
    return chunk(b"\x22", body)


@lru_cache(maxsize=4096)
def _egress_head(typename: str) -> bytes:
    """An egress record up to the length of its value, remembered by egress."""
    namespace, name = parse_typename(typename)
    return name_chunk(b"\x0a", namespace) + name_chunk(b"\x12", name) + b"\x1a"


@lru_cache(maxsize=4096)
def _modify_head(name: str) -> bytes:
    """A mutation that sets ``name``, up to the length of the value; remembered by name."""
    return b"\x08\x01" + name_chunk(b"\x12", name) + b"\x1a"


def mutation_chunk(name: str, value: TypedValue | None) -> bytes:
    """One entry of InvocationResponse.state_mutations: MODIFY, or DELETE for None."""
    if value is None:
        return chunk(b"\x0a", name_chunk(b"\x12", name))
    typename, data = value
    head = _modify_head(name)
    if data:  # small ones in one go, as in send_chunk
        type_head = value_head(typename)
        data_size = len(data)
        value_size = len(type_head) + 1 + data_size
        size = len(head) + 1 + value_size
        if size < 128:
            return b"\x0a%c%b%c%b%c%b" % (size, head, value_size, type_head, data_size, data)
    body = typed_value_bytes(value)
    return chunk(b"\x0a", head + length(body) + body)


def encode_result(chunks: Iterable[bytes]) -> bytes:
    """A FromFunction with an InvocationResponse of these entries; no entries, no bytes.

    An empty FromFunction means "no side effects" and is what the official SDK sends then.
    """
    body = b"".join(chunks)
    return chunk(FIELD_100, body) if body else b""


def encode_missing(specs: Iterable[StateSpec]) -> bytes:
    """A FromFunction that asks for state values to be registered (the handshake)."""
    body = b""
    for spec in specs:
        expiration = b""
        if spec.mode is not ExpireMode.NONE:
            expiration = bytes([0x08, spec.mode])
            if spec.expire_after_ms:
                expiration += b"\x10" + varint(spec.expire_after_ms)
        body += chunk(
            b"\x0a",
            chunk(b"\x0a", spec.name.encode())
            + chunk(b"\x12", expiration)
            + chunk(b"\x1a", spec.typename.encode()),
        )
    return chunk(_FIELD_101, body)


# The engine's side: requests out, replies in.


def encode_request(
    target: SdkAddress,
    state: Mapping[str, TypedValue | None],
    invocations: Iterable[tuple[SdkAddress | None, bytes] | tuple[SdkAddress | None, bytes, int]],
) -> bytes:
    """A ToFunction: a batch of (caller, encoded TypedValue) with the state as it is now.

    What an engine knows of a message besides, such as when it came, stays with it.
    """
    parts = [chunk(b"\x0a", sdk_address_bytes(target))]
    for name, value in state.items():
        if value is None:
            parts.append(chunk(b"\x12", name_chunk(b"\x0a", name)))
        else:
            parts.append(pair(b"\x12", name.encode(), typed_value_bytes(value)))
    sender, address = None, b""
    for invocation in invocations:
        caller, argument = invocation[0], invocation[1]
        if caller is None:
            parts.append(chunk(b"\x1a", chunk(b"\x12", argument)))
            continue
        if caller is not sender:  # what one reply sends comes behind one another
            sender, address = caller, sdk_address_bytes(caller)
        parts.append(pair(b"\x1a", address, argument))
    return chunk(FIELD_100, b"".join(parts))


def decode_reply(data: bytes) -> Reply:
    """Read a FromFunction.

    Raises
    ------
    ProtocolError
        When the bytes are no FromFunction.
    """
    message = parse(FromFunction, data, "FromFunction")
    if message.HasField("incomplete_invocation_context"):
        values = message.incomplete_invocation_context.missing_values
        return Reply((), (), (), (), [state_spec(value) for value in values])
    result = message.invocation_result
    sends, delayed = result.outgoing_messages, result.delayed_invocations
    egress, mutations = result.outgoing_egresses, result.state_mutations
    # Most replies lack most of these, and an empty comprehension costs as much as one message. The
    # slices are lists: going through protobuf's own sequence ends with a caught IndexError.
    effects = (
        [_send(m) for m in sends[:]] if sends else (),
        [_delayed(m) for m in delayed[:]] if delayed else (),
        [_emit(m) for m in egress[:]] if egress else (),
        [_mutation(m) for m in mutations[:]] if mutations else (),
        None,
    )
    return new_tuple(Reply, effects)


def _send(message: Any) -> Send:
    return new_tuple(Send, (_address(message.target), message.argument.SerializeToString()))


def _emit(message: Any) -> Emit:
    egress = message.statefun_nb_egress
    egress = egress or _typename(message.egress_namespace, message.egress_type)
    return new_tuple(Emit, (egress, message.argument.SerializeToString()))


def _mutation(message: Any) -> Mutation:
    value = _typed_value(message.state_value) if message.mutation_type == 1 else None
    return new_tuple(Mutation, (message.state_name, value))


def _delayed(message: Any) -> DelayedSend | CancelDelayed:
    if message.is_cancellation_request:
        return CancelDelayed(message.cancellation_token)
    return DelayedSend(
        message.delay_in_ms,
        _address(message.target),
        message.argument.SerializeToString(),
        message.cancellation_token,
    )


def state_spec(message: Any) -> StateSpec:
    """A PersistedValueSpec, parsed.

    Raises
    ------
    ProtocolError
        When it expires in an unknown way.
    """
    expiration = message.expiration_spec
    try:
        mode = ExpireMode(expiration.mode)
    except ValueError as error:
        raise ProtocolError(
            f"state {message.state_name!r} has the unknown expire mode {expiration.mode}"
        ) from error
    return StateSpec(
        message.state_name, message.type_typename, mode, expiration.expire_after_millis
    )
