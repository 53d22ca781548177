"""Payloads of StateFun's own types: the six wrappers and the egress records."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError

from ..errors import ProtocolError
from ._pool import (
    KafkaProducerRecord,
    KinesisEgressRecord,
    message_class,
)
from .wire import chunk, name_chunk

__all__ = [
    "EGRESS_TOPIC",
    "KAFKA_RECORD",
    "KINESIS_RECORD",
    "PLAYGROUND_RECORD",
    "KafkaRecord",
    "KinesisRecord",
    "decode_kafka_record",
    "decode_kinesis_record",
    "decode_playground_record",
    "encode_kafka_record",
    "encode_kinesis_record",
    "read_wrapper",
    "write_wrapper",
]

KAFKA_RECORD = "type.googleapis.com/io.statefun.sdk.egress.KafkaProducerRecord"
# On a real cluster, where records go that are for no Kafka egress: the egress is the key, an
# encoded TypedValue the value.
EGRESS_TOPIC = "statefun_nb.egress"
KINESIS_RECORD = "type.googleapis.com/io.statefun.sdk.egress.KinesisEgressRecord"
PLAYGROUND_RECORD = "io.statefun.playground/EgressRecord"

_WRAPPERS = {
    kind: message_class(f"statefun_nb.types.{name}Wrapper")
    for kind, name in {
        "bool": "Boolean",
        "int": "Int",
        "float": "Float",
        "long": "Long",
        "double": "Double",
        "string": "String",
    }.items()
}


class KafkaRecord(NamedTuple):
    """A record for the generic Kafka egress; an empty key is a record without key."""

    topic: str
    key: str
    value: bytes


class KinesisRecord(NamedTuple):
    """A record for the generic Kinesis egress."""

    stream: str
    partition_key: str
    value: bytes
    explicit_hash_key: str


def write_wrapper(kind: str, value: object) -> bytes:
    """Encode ``value`` as the wrapper message of ``kind`` ("int", "string" ...).

    Raises
    ------
    TypeError, ValueError
        protobuf's own checks: a value of the wrong Python type, or out of range; and bytes, which
        protobuf would take for text.
    """
    if isinstance(value, (bytes, bytearray)):
        raise TypeError(kind)
    data: bytes = _WRAPPERS[kind](value=value).SerializeToString()
    return data


def read_wrapper(kind: str, data: bytes) -> object:
    """Decode the wrapper message of ``kind``."""
    try:
        return _WRAPPERS[kind].FromString(data).value
    except DecodeError as error:
        raise ProtocolError(
            f"{len(data)} bytes are not a payload of io.statefun.types/{kind}: {error}"
            f"{_if_text(data)}"
        ) from error


def _if_text(data: bytes) -> str:
    """A hint, where somebody has sent a plain text over HTTP or Kafka."""
    text = data[:40].decode("utf-8", "ignore")
    if not text.isprintable() or len(text) < min(len(data), 40) // 2:
        return ""
    return (
        f"; it is the plain text {text!r}: the payload of a built-in type is a protobuf message. "
        "Send it with a type of your own (sf.simple_type), at an HTTP ingress as Content-Type: "
        "text/plain, or application/vnd.NAMESPACE/TYPE for that type"
    )


def encode_kafka_record(record: KafkaRecord) -> bytes:
    """Encode a KafkaProducerRecord."""
    topic, key, value = record
    out = chunk(b"\x0a", key.encode()) if key else b""
    if value:
        out += chunk(b"\x12", value)
    return out + name_chunk(b"\x1a", topic)


def decode_kafka_record(data: bytes) -> KafkaRecord:
    """Decode a KafkaProducerRecord."""
    try:
        record = KafkaProducerRecord.FromString(data)
    except DecodeError as error:
        raise ProtocolError(f"{len(data)} bytes are not a KafkaProducerRecord: {error}") from error
    return KafkaRecord(record.topic, record.key, record.value_bytes)


def encode_kinesis_record(record: KinesisRecord) -> bytes:
    """Encode a KinesisEgressRecord."""
    data: bytes = KinesisEgressRecord(
        partition_key=record.partition_key,
        value_bytes=record.value,
        stream=record.stream,
        explicit_hash_key=record.explicit_hash_key,
    ).SerializeToString()
    return data


def decode_kinesis_record(data: bytes) -> KinesisRecord:
    """Decode a KinesisEgressRecord."""
    try:
        record = KinesisEgressRecord.FromString(data)
    except DecodeError as error:
        raise ProtocolError(f"{len(data)} bytes are not a KinesisEgressRecord: {error}") from error
    return KinesisRecord(
        record.stream, record.partition_key, record.value_bytes, record.explicit_hash_key
    )


def decode_playground_record(data: bytes) -> tuple[Any, Any]:
    """Topic and payload of a record for the egress of StateFun's playground: JSON.

    Raises
    ------
    ProtocolError
        When the bytes are none.
    """
    try:
        record = json.loads(data)
        return record["topic"], record["payload"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ProtocolError(
            f"a {PLAYGROUND_RECORD} is JSON with topic and payload, not {data!r}"
        ) from error
