"""The requests of the greeter: a person with its state, and a batch of messages."""

from __future__ import annotations

from statefun_nb.address import address_of
from statefun_nb.protocol.effects import TypedValue
from statefun_nb.protocol.v3 import encode_request
from statefun_nb.protocol.wire import typed_value_bytes
from statefun_nb.sdk.types import LongType, StringType

__all__ = ["person_request"]


def person_request(batch: int) -> bytes:
    """A ToFunction for one person who has been here before, with ``batch`` messages."""
    visits = TypedValue(LongType.typename, LongType.serializer().serialize(41))
    hello = TypedValue(StringType.typename, StringType.serializer().serialize("hello"))
    argument = typed_value_bytes(hello)
    target = address_of("example/person", "user-7")
    return encode_request(target, {"visits": visits}, [(None, argument)] * batch)
