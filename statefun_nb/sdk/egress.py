"""Records for the generic Kafka and Kinesis egresses."""

from __future__ import annotations

import struct
from typing import Any, overload

from ..errors import ConversionError, ConversionTypeError, forgotten_await, missing
from ..protocol.effects import TypedValue, new_tuple
from ..protocol.records import (
    KAFKA_RECORD,
    KINESIS_RECORD,
    KafkaRecord,
    KinesisRecord,
    encode_kafka_record,
    encode_kinesis_record,
)
from ..tables import shown
from .inference import type_of_class
from .messages import EgressMessage, typed_value
from .types import Type, V

__all__ = ["kafka_egress_message", "kinesis_egress_message"]


@overload
def kafka_egress_message(
    typename: str,
    topic: str,
    value: str | bytes | bytearray | float,
    value_type: None = None,
    key: str | None = None,
) -> EgressMessage: ...
@overload
def kafka_egress_message(
    typename: str, topic: str, value: V, value_type: Type[V] | type[V], key: str | None = None
) -> EgressMessage: ...
def kafka_egress_message(
    typename: str,
    topic: str,
    value: Any,
    value_type: Type[Any] | type[Any] | None = None,
    key: str | None = None,
) -> EgressMessage:
    """Build a record for a Kafka egress.

    Parameters
    ----------
    typename : str
        The egress, as module.yaml declares it.
    topic, key : str
        Where the record goes; no key, or an empty one, makes a record without key.
    value
        Text is written as UTF-8, bytes as they are, an int as 4 bytes and a float as 8 bytes, both
        big-endian (Kafka's IntegerSerializer and DoubleSerializer), unless ``value_type`` is given.

    Raises
    ------
    ConversionError
        When topic or value are missing, or the value cannot be converted.

    Examples
    --------
    >>> kafka_egress_message("example/out", "greetings", "hi", key="bob").typename
    'example/out'
    """
    try:
        if (type(topic) is not str or not topic) and missing(topic):
            raise ConversionError("a destination topic is missing")
        payload = _payload(value, value_type, numbers=True)
        parts = (_text(topic, "topic"), "" if key is None else _text(key, "key"), payload)
        record = new_tuple(KafkaRecord, parts)
        data = encode_kafka_record(record)
    except (ConversionError, UnicodeEncodeError) as error:
        raise _about(f"Kafka egress {typename}, topic {_named(topic)}", error) from error
    message = EgressMessage(typename, new_tuple(TypedValue, (KAFKA_RECORD, data)))
    message.topic = record.topic
    return message


@overload
def kinesis_egress_message(
    typename: str,
    stream: str,
    value: str | bytes | bytearray,
    partition_key: str,
    value_type: None = None,
    explicit_hash_key: str | None = None,
) -> EgressMessage: ...
@overload
def kinesis_egress_message(
    typename: str,
    stream: str,
    value: V,
    partition_key: str,
    value_type: Type[V] | type[V],
    explicit_hash_key: str | None = None,
) -> EgressMessage: ...
def kinesis_egress_message(
    typename: str,
    stream: str,
    value: Any,
    partition_key: str,
    value_type: Type[Any] | type[Any] | None = None,
    explicit_hash_key: str | None = None,
) -> EgressMessage:
    """Build a record for a Kinesis egress.

    Parameters
    ----------
    typename : str
        The egress, as module.yaml declares it.
    stream, partition_key, explicit_hash_key : str
        Where the record goes.
    value
        Text is written as UTF-8, bytes as they are, unless ``value_type`` is given.

    Raises
    ------
    ConversionError
        When stream, value or partition key are missing, or the value cannot be converted.
    """
    try:
        if missing(stream):
            raise ConversionError("a destination stream is missing")
        if partition_key is None:
            raise ConversionError("the partition key is missing")
        record = KinesisRecord(
            _text(stream, "stream"),
            _text(partition_key, "partition key"),
            _payload(value, value_type, numbers=False),
            "" if explicit_hash_key is None else _text(explicit_hash_key, "explicit hash key"),
        )
        data = encode_kinesis_record(record)
    except (ConversionError, UnicodeEncodeError) as error:
        raise _about(f"Kinesis egress {typename}, stream {_named(stream)}", error) from error
    return EgressMessage(typename, TypedValue(KINESIS_RECORD, data))


def _about(egress: str, error: ConversionError | UnicodeEncodeError) -> ConversionError:
    if isinstance(error, UnicodeEncodeError):  # half a surrogate pair
        return ConversionError(f"{egress}: {shown(error.object)} cannot be written as UTF-8")
    return type(error)(f"{egress}: {error}")


def _named(place: Any) -> str:
    return repr(place) if isinstance(place, str) else shown(place)


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise ConversionTypeError(f"the {what} is text, not {shown(value)}{forgotten_await(value)}")
    return value


def _payload(value: Any, value_type: Type[Any] | type[Any] | None, *, numbers: bool) -> bytes:
    if value is None:
        raise ConversionError("the value is missing")
    if value_type is not None and not missing(value_type):
        data = typed_value(type_of_class(value_type), value).value
        return data if data is not None else b""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if numbers and isinstance(value, int):
        try:
            return struct.pack(">i", value)
        except struct.error as error:
            raise ConversionError(
                f"{shown(value)} does not fit the 4 bytes of a Kafka integer: pass value_type="
            ) from error
    if numbers and isinstance(value, float):
        return struct.pack(">d", value)
    kinds = "str, bytes, int or float" if numbers else "str or bytes"
    raise ConversionTypeError(
        f"cannot convert {shown(value)} to bytes: use {kinds}, or pass value_type="
        f"{forgotten_await(value)}"
    )
