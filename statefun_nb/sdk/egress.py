"""Records for the generic Kafka and Kinesis egresses."""

from __future__ import annotations

import struct
from typing import Any, overload

from ..address import parse_typename
from ..effects import TypedValue
from ..errors import ConversionError, ConversionTypeError
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
    parse_typename(typename)
    try:
        if not topic:
            raise ConversionError("a destination topic is missing")
        payload = _payload(value, value_type, numbers=True)
        record = KafkaRecord(
            _text(topic, "topic"), _text("" if key is None else key, "key"), payload
        )
    except ConversionError as error:
        raise type(error)(f"Kafka egress {typename}, topic {_named(topic)}: {error}") from error
    return EgressMessage(typename, TypedValue(KAFKA_RECORD, encode_kafka_record(record)))


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
    parse_typename(typename)
    try:
        if not stream:
            raise ConversionError("a destination stream is missing")
        if partition_key is None:
            raise ConversionError("the partition key is missing")
        record = KinesisRecord(
            _text(stream, "stream"),
            _text(partition_key, "partition key"),
            _payload(value, value_type, numbers=False),
            _text("" if explicit_hash_key is None else explicit_hash_key, "explicit hash key"),
        )
    except ConversionError as error:
        raise type(error)(f"Kinesis egress {typename}, stream {_named(stream)}: {error}") from error
    return EgressMessage(typename, TypedValue(KINESIS_RECORD, encode_kinesis_record(record)))


def _named(place: Any) -> str:
    return repr(place) if isinstance(place, str) else shown(place)


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise ConversionTypeError(f"the {what} is text, not {shown(value)}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ConversionError(f"the {what} {value!r} cannot be written as UTF-8") from error
    return value


def _payload(value: Any, value_type: Type[Any] | type[Any] | None, *, numbers: bool) -> bytes:
    if value is None:
        raise ConversionError("the value is missing")
    if value_type:
        data = typed_value(type_of_class(value_type), value).value
        return data if data is not None else b""
    if isinstance(value, str):
        return _text(value, "value").encode()
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
    )
