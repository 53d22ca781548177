"""What a person types into a view, as the value of a type."""

from __future__ import annotations

import json
from typing import Any

from ..cells.arguments import literal_of
from ..errors import ConversionError
from ..protocol.effects import TypedValue
from ..sdk.inference import JSON
from ..sdk.types import (
    BUILT_IN_TYPES,
    BoolType,
    DoubleType,
    FloatType,
    IntType,
    LongType,
    StringType,
    Type,
    simple_type,
)
from ..trace.events import Payload
from .names import MESSAGE_TYPES, name_of_typename
from .tree import number_text

__all__ = ["as_text", "literal", "message_text", "read_message", "read_value", "sent_as"]

# A value is offered for editing up to so many characters.
_EDITABLE = 10_000

_NUMBERS: dict[str, type] = {
    IntType.typename: int,
    LongType.typename: int,
    FloatType.typename: float,
    DoubleType.typename: float,
}


def literal(text: str) -> Any:
    """A literal of Python or JSON where the text is one, else the text: no evaluation.

    Examples
    --------
    >>> literal("1"), literal("[1, 'a']"), literal("hello there")
    (1, [1, 'a'], 'hello there')
    """
    try:
        return literal_of(text)
    except ValueError:
        return text


def read_value(tpe: Type, text: str) -> Any:
    """The value of a type that a text stands for: text itself, a number, true, or JSON.

    Raises
    ------
    ConversionError
        When it stands for none.

    Examples
    --------
    >>> read_value(LongType, "12"), read_value(StringType, "12")
    (12, '12')
    """
    typename = tpe.typename
    try:
        if typename == StringType.typename:
            return text
        if typename == BoolType.typename:
            return {"true": True, "false": False}[text.strip().lower()]
        number = _NUMBERS.get(typename)
        if number is not None:
            return number(text.strip())
        if typename.startswith("type.googleapis.com/"):
            return _read_protobuf(tpe, text)
        return tpe.serializer().deserialize(text.encode())
    except Exception as error:  # a deserializer of the user's may raise anything
        reason = "write true or false" if isinstance(error, KeyError) else str(error)
        shown = text if len(text) <= 100 else text[:99] + "…"
        raise ConversionError(
            f"{shown!r} is not a value of {name_of_typename(typename)}: {reason}"
        ) from error


def _read_protobuf(tpe: Type, text: str) -> Any:
    from google.protobuf import json_format

    return json_format.Parse(text, tpe.serializer().deserialize(b""))


def as_text(tpe: Type, value: Any) -> str:
    """The text that ``read_value`` reads as the value.

    Raises
    ------
    UnicodeDecodeError
        When its bytes are no text: one with signs in their place would be read as another value.
    """
    if isinstance(value, str) and tpe.typename == StringType.typename:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if tpe.typename in _NUMBERS:
        return number_text(value)
    if tpe.typename.startswith("type.googleapis.com/"):
        from google.protobuf import json_format

        return json_format.MessageToJson(value)
    return bytes(tpe.serializer().serialize(value)).decode()


def message_text(payload: Payload) -> str | None:
    """What an editor of a message starts with; None where no text can stand for it."""
    known = BUILT_IN_TYPES.get(payload.typename)
    try:
        if known is not None:
            text = as_text(known, payload.value)
        else:
            text = (payload.data or b"").decode()
            json.loads(text)
    except (ValueError, RecursionError):  # bytes of a type that is not known here, and no JSON
        return None
    return text if len(text) <= _EDITABLE else None


def read_message(typename: str, text: str) -> TypedValue:
    """The message of a typename that a text stands for; of one that is not known here, JSON.

    Raises
    ------
    ConversionError
        When it stands for none.
    """
    known = BUILT_IN_TYPES.get(typename)
    if known is not None:
        return TypedValue(typename, known.serializer().serialize(read_value(known, text)))
    read_value(JSON, text)  # raises, unless it is JSON
    return TypedValue(typename, text.encode())


def sent_as(name: str, text: str) -> tuple[Any, Type | None]:
    """A value, and the type to send it as: by a name that the form offers, or by a typename.

    Without a name it is what Python reads: a literal, else text.

    Raises
    ------
    ConversionError
        When the text stands for no value of that type.
    """
    if not name:
        return literal(text), None
    known = MESSAGE_TYPES.get(name)
    if known is not None:
        return read_value(known, text), known
    value = read_message(name, text)
    return value.value, simple_type(name, bytes, bytes)
