"""Envelopes: messages from outside on their way to a real cluster, through Kafka."""

from __future__ import annotations

from typing import NamedTuple

from google.protobuf.message import DecodeError

from ..address import SdkAddress, address_of
from ..errors import ProtocolError
from ._pool import Envelope as _Message
from ._pool import TypedValueMessage
from .effects import TypedValue

__all__ = ["Envelope", "decode_envelope", "encode_envelope"]


class Envelope(NamedTuple):
    """A message for ``target`` after ``delay_ms`` milliseconds; ``number`` tells it from others."""

    target: SdkAddress
    argument: TypedValue
    delay_ms: int
    number: int


def encode_envelope(target: SdkAddress, argument: bytes, delay_ms: int, number: int) -> bytes:
    """Write an envelope; ``argument`` is an encoded TypedValue."""
    message = _Message(delay_ms=delay_ms, number=number)
    message.target.namespace, message.target.type = target.namespace, target.name
    message.target.id = target.id
    message.argument.CopyFrom(TypedValueMessage.FromString(argument))
    data: bytes = message.SerializeToString()
    return data


def decode_envelope(data: bytes) -> Envelope:
    """Read an envelope.

    Raises
    ------
    ProtocolError
        When the bytes are none.
    """
    try:
        message = _Message.FromString(data)
    except DecodeError as error:
        raise ProtocolError(
            f"{len(data)} bytes are not a message for the gateway: {error}"
        ) from error
    target, value = message.target, message.argument
    return Envelope(
        address_of(f"{target.namespace}/{target.type}", target.id),
        TypedValue(value.typename, value.value if value.has_value else None),
        message.delay_ms,
        message.number,
    )
