"""Values of protocol v2, ``google.protobuf.Any``, as typed values of v3 and back.

===================================  ================================================
type_url, behind its last slash      typename
===================================  ================================================
``google.protobuf.StringValue``      ``io.statefun.types/string``; so all six built-in
``...flink.io.KafkaProducerRecord``  that of the same record today; so for Kinesis
any other                            the type_url
===================================  ================================================
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError

from ..errors import ProtocolError
from ._pool import AnyMessage, message_class
from .effects import TypedValue, new_tuple
from .records import KAFKA_RECORD, KINESIS_RECORD, read_wrapper, write_wrapper
from .wire import LENGTHS, chunk, typed_value_bytes, value_head, varint

__all__ = [
    "ANY",
    "any_bytes",
    "from_any",
    "local_name",
    "of_either_form",
    "opened",
    "to_any",
    "type_url",
    "type_url_of_bytes",
    "typed_bytes",
    "typename_of_bytes",
]

PREFIX = "type.googleapis.com/"
# The type of a value that is an Any itself: what the engine keeps for functions of v2, unopened.
ANY = f"{PREFIX}google.protobuf.Any"
# How module.yaml's examples of that time begin a type_url; the SDKs' own is PREFIX.
_EXAMPLES_PREFIX = "com.googleapis/"

_Int32 = message_class("statefun_nb.reqreply2.Int32Value")
_Int64 = message_class("statefun_nb.reqreply2.Int64Value")


def local_name(typename: str) -> str:
    """What names the type in v2: all that is behind the last slash.

    Examples
    --------
    >>> local_name("com.googleapis/google.protobuf.StringValue")
    'google.protobuf.StringValue'
    """
    return typename.rpartition("/")[2]


class _Same(NamedTuple):
    """One type under its two names, and what makes bytes of the one those of the other."""

    name: str  # the protobuf message's
    typename: str
    read: Callable[[bytes], bytes] | None = None  # None: they are the same bytes
    write: Callable[[bytes], bytes] | None = None


def _reader(kind: str, cls: Any) -> Callable[[bytes], bytes]:
    def read(data: bytes) -> bytes:
        if len(data) == 2 and data[0] == 8 and data[1] < 128:  # 1 to 127
            return write_wrapper(kind, data[1])
        return write_wrapper(kind, cls.FromString(data).value) if data else b""

    return read


def _writer(kind: str, cls: Any) -> Callable[[bytes], bytes]:
    def write(data: bytes) -> bytes:
        number = read_wrapper(kind, data)
        assert isinstance(number, int)
        if 0 < number < 1024:
            return b"\x08" + LENGTHS[number]  # a varint, as lengths are
        written: bytes = cls(value=number).SerializeToString()
        return written

    return write


_SAME = (
    _Same("google.protobuf.BoolValue", "io.statefun.types/bool"),
    _Same(
        "google.protobuf.Int32Value",
        "io.statefun.types/int",
        _reader("int", _Int32),
        _writer("int", _Int32),
    ),
    _Same("google.protobuf.FloatValue", "io.statefun.types/float"),
    _Same(
        "google.protobuf.Int64Value",
        "io.statefun.types/long",
        _reader("long", _Int64),
        _writer("long", _Int64),
    ),
    _Same("google.protobuf.DoubleValue", "io.statefun.types/double"),
    _Same("google.protobuf.StringValue", "io.statefun.types/string"),
    _Same("org.apache.flink.statefun.flink.io.KafkaProducerRecord", KAFKA_RECORD),
    _Same("org.apache.flink.statefun.flink.io.KinesisEgressRecord", KINESIS_RECORD),
)
# Of a payload of the built-in type: field 1, in 4 or in 8 bytes.
_FIRST_BYTES = {"google.protobuf.Int32Value": b"\x0d", "google.protobuf.Int64Value": b"\x09"}
_BY_NAME = {each.name: each for each in _SAME}
_BY_TYPENAME = {each.typename: each for each in _SAME}


@lru_cache(maxsize=4096)
def _known(type_url: str) -> tuple[str, Callable[[bytes], bytes] | None]:
    """The typename of a type_url, and what makes its bytes the ones of that type."""
    name = local_name(type_url)
    same = _BY_NAME.get(name)
    if same is not None:
        return same.typename, same.read
    return PREFIX + name if type_url.startswith(_EXAMPLES_PREFIX) else type_url, None


def typename_of_bytes(type_url: str) -> str:
    """The typename of a type_url whose bytes stay as they are, as those of an ingress do."""
    typename, read = _known(type_url)
    return typename if read is None else PREFIX + local_name(type_url)


def type_url_of_bytes(typename: str) -> str:
    """A type_url for bytes of a typename that stay as they are."""
    same = _BY_TYPENAME.get(typename)
    return typename if same is None or same.write is not None else PREFIX + same.name


def from_any(type_url: str, data: bytes) -> TypedValue:
    """The typed value that an Any is; one without a type_url is absent."""
    if not type_url:
        return new_tuple(TypedValue, ("", data or None))
    typename, read = _known(type_url)
    if read is not None:
        try:
            data = read(data)
        except DecodeError:  # whoever reads it is told so
            typename = type_url
    return new_tuple(TypedValue, (typename, data))


def type_url(typename: str) -> str:
    """What an Any of that type has as its type_url.

    Examples
    --------
    >>> type_url("io.statefun.types/int"), type_url("shop/cart")
    ('type.googleapis.com/google.protobuf.Int32Value', 'shop/cart')
    """
    same = _BY_TYPENAME.get(typename)
    return typename if same is None else PREFIX + same.name


def to_any(typename: str, data: bytes | None) -> tuple[str, bytes]:
    """The type_url and the bytes of a typed value."""
    same = _BY_TYPENAME.get(typename)
    if same is None:
        return typename, data or b""
    if same.write is not None:
        try:
            data = same.write(data or b"")
        except ProtocolError:  # as in from_any
            return typename, data or b""
    return PREFIX + same.name, data or b""


# The same two as messages, with what comes again and again remembered by type: each is called for
# every message on its way.


@lru_cache(maxsize=4096)
def _head_of_v3(type_url: str) -> tuple[bytes, Callable[[bytes], bytes] | None]:
    typename, read = _known(type_url)
    return value_head(typename), read


def typed_bytes(type_url: str, data: bytes, more: bytes = b"") -> bytes:
    """A TypedValue message of an Any's fields, and of fields that follow them."""
    if data and type_url:
        head, read = _head_of_v3(type_url)
        if read is None:
            size = len(data)
            return head + (LENGTHS[size] if size < 1024 else varint(size)) + data + more
    return typed_value_bytes(from_any(type_url, data), more)


@lru_cache(maxsize=4096)
def _head_of_v2(typename: str) -> tuple[bytes, bool]:
    """An Any up to the length of its value, and whether the value's bytes are the same."""
    same = _BY_TYPENAME.get(typename)
    head = chunk(b"\x0a", type_url(typename).encode()) + b"\x12"
    return head, same is None or same.write is None


def any_bytes(typename: str, data: bytes | None, more: bytes = b"") -> bytes:
    """An Any message of a typed value, and of fields that follow its own."""
    if data and typename:
        head, as_it_is = _head_of_v2(typename)
        if as_it_is:
            size = len(data)
            return head + (LENGTHS[size] if size < 1024 else varint(size)) + data + more
    url, data = to_any(typename, data)
    out = chunk(b"\x0a", url.encode()) if url else b""
    return out + chunk(b"\x12", data) + more if data else out + more


def of_either_form(name: str, read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """``read``, also for bytes of the built-in type that stands for the message ``name``.

    Who reads a message of v2 as protobuf's own Int32Value is given a built-in int's bytes. The two
    differ in their first byte.
    """
    same = _BY_NAME.get(name)
    if same is None or same.write is None:
        return read
    write, other = same.write, _FIRST_BYTES[name]
    return lambda data: read(write(data) if data[:1] == other else data)


def opened(data: bytes) -> TypedValue | None:
    """The typed value in an encoded Any; None when the bytes are none."""
    try:
        message = AnyMessage.FromString(data)
    except DecodeError:
        return None
    return from_any(message.type_url, message.value) if message.type_url else None
