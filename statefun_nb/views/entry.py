"""What a person types into a view, as the value of a type."""

from __future__ import annotations

import ast
from typing import Any

from ..errors import ConversionError
from ..sdk.inference import JSON
from ..sdk.types import (
    BoolType,
    DoubleType,
    FloatType,
    IntType,
    LongType,
    StringType,
    Type,
)

__all__ = ["MESSAGE_TYPES", "as_text", "literal", "read_value"]

# What the form for messages offers beside a guess.
MESSAGE_TYPES: dict[str, Type] = {
    "string": StringType,
    "long": LongType,
    "int": IntType,
    "double": DoubleType,
    "float": FloatType,
    "boolean": BoolType,
    "JSON": JSON,
}
_NUMBERS: dict[str, type] = {
    IntType.typename: int,
    LongType.typename: int,
    FloatType.typename: float,
    DoubleType.typename: float,
}


def literal(text: str) -> Any:
    """A Python literal where the text is one, else the text: no evaluation.

    Examples
    --------
    >>> literal("1"), literal("[1, 'a']"), literal("hello there")
    (1, [1, 'a'], 'hello there')
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
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
        raise ConversionError(f"{shown!r} is not a value of {typename}: {reason}") from error


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
        return repr(value)
    if tpe.typename.startswith("type.googleapis.com/"):
        from google.protobuf import json_format

        return json_format.MessageToJson(value)
    return bytes(tpe.serializer().serialize(value)).decode()
