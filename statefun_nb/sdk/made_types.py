"""Types that are made of what others read and write: the json module, and protobuf's classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import (
    ConversionError,
    ConversionTypeError,
    DeclarationError,
    DeclarationTypeError,
    forgotten_await,
    missing,
)
from ..protocol.any_values import of_either_form
from ..tables import shown
from .plain import json_bytes, json_value
from .types import Type, simple_type
from .unwritable import cure_of

if TYPE_CHECKING:
    from google.protobuf.message import Message as ProtobufMessage

__all__ = ["make_json_type", "make_protobuf_type"]

M = TypeVar("M", bound="ProtobufMessage")


def make_json_type(typename: str) -> Type[Any]:
    """A type whose values are what the json module reads and writes, as UTF-8 JSON.

    A value that is none raises ConversionError where it is sent or stored.

    Parameters
    ----------
    typename : str
        ``namespace/name``.

    Raises
    ------
    DeclarationError
        When it is missing, or not of that form.

    Examples
    --------
    >>> make_json_type("example/cart").serializer().serialize({"apples": 2})
    b'{"apples": 2}'
    """

    def serialize(value: Any) -> bytes:
        try:
            return json_bytes(value)
        except (TypeError, ValueError) as error:
            kind = ConversionTypeError if isinstance(error, TypeError) else ConversionError
            raise kind(f"{shown(value)} is not a JSON value: {error}{cure_of(value)}") from error
        except RecursionError as error:
            kind_of = f"a {type(value).__name__} is not a JSON value"
            raise ConversionError(f"{kind_of}: it is nested too deep, or in itself") from error

    return simple_type(typename, serialize, json_value)


def make_protobuf_type(cls: type[M], namespace: str | None = None) -> Type[M]:
    """A type whose values are messages of a generated protobuf class.

    A value that is none raises ConversionError where it is sent or stored.

    Parameters
    ----------
    cls : type
        The generated class.
    namespace : str, optional
        What the typename has before ``/<full name of the message>``; "type.googleapis.com" when
        left out.

    Raises
    ------
    DeclarationError
        When ``cls`` is no such class, or ``namespace`` cannot stand in a typename.

    Examples
    --------
    >>> from google.protobuf.wrappers_pb2 import StringValue
    >>> make_protobuf_type(StringValue).typename
    'type.googleapis.com/google.protobuf.StringValue'
    """
    if missing(cls):
        raise DeclarationError("the generated protobuf class is missing")
    name = getattr(getattr(cls, "DESCRIPTOR", None), "full_name", None)
    if not name:
        raise DeclarationTypeError(
            f"{shown(cls)} is not a generated protobuf class: it has no DESCRIPTOR"
        )
    if namespace is not None and not isinstance(namespace, str):
        raise DeclarationTypeError(f"the namespace of {name} is a string, not {shown(namespace)}")

    def serialize(value: Any) -> bytes:
        found = getattr(getattr(value, "DESCRIPTOR", None), "full_name", None)
        if found != name:  # by name: a module that was imported anew has classes of its own
            other = "" if found is None else f" but a {found}"
            raise ConversionTypeError(
                f"{shown(value)} is not a protobuf message {name}{other}{forgotten_await(value)}"
            )
        try:
            data: bytes = value.SerializeToString()
        except Exception as error:  # EncodeError: a required field of proto2 is not set
            raise ConversionError(f"{shown(value)} cannot be written: {error}") from error
        return data

    def deserialize(data: bytes) -> Any:
        try:
            return cls.FromString(data)
        except Exception as error:  # DecodeError derives from nothing better
            raise ConversionError(f"cannot be read as {name}: {error}") from error

    typename = f"{namespace or 'type.googleapis.com'}/{name}"
    return simple_type(typename, serialize, of_either_form(name, deserialize))
