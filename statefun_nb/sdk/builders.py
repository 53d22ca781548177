"""The builders of messages and of records for any egress, as in the official SDK."""

from __future__ import annotations

from typing import Any, overload

from ..address import parse_typename
from ..errors import ConversionError, ConversionTypeError, DeclarationError, missing
from .inference import type_of_class
from .messages import EgressMessage, Message, about, typed_value
from .targets import target_of
from .types import BoolType, DoubleType, FloatType, IntType, LongType, StringType, Type, V

__all__ = ["egress_message_builder", "message_builder"]

_KEYWORD_TYPES: dict[str, Type[Any]] = {
    "int_value": IntType,
    "float_value": FloatType,
    "long_value": LongType,
    "str_value": StringType,
    "double_value": DoubleType,
    "bool_value": BoolType,
}


@overload
def message_builder(target_typename: str, target_id: str, *, int_value: int) -> Message: ...
@overload
def message_builder(target_typename: str, target_id: str, *, float_value: float) -> Message: ...
@overload
def message_builder(target_typename: str, target_id: str, *, long_value: int) -> Message: ...
@overload
def message_builder(target_typename: str, target_id: str, *, str_value: str) -> Message: ...
@overload
def message_builder(target_typename: str, target_id: str, *, double_value: float) -> Message: ...
@overload
def message_builder(target_typename: str, target_id: str, *, bool_value: bool) -> Message: ...
@overload
def message_builder(
    target_typename: str, target_id: str, *, value: V, value_type: Type[V] | type[V]
) -> Message: ...
def message_builder(target_typename: str, target_id: str, **kwargs: Any) -> Message:
    """Build a message to a function.

    Parameters
    ----------
    target_typename, target_id : str
        Who it is for.
    **kwargs
        Exactly one of ``int_value``, ``float_value``, ``long_value``, ``str_value``,
        ``double_value``, ``bool_value``; or both ``value`` and ``value_type``, a Type or a class
        that stands for one.

    Raises
    ------
    ConversionTypeError
        When the keywords are not one of these combinations.
    ConversionError
        When the value is None or does not fit its type.

    Examples
    --------
    >>> message_builder("example/greeter", "bob", str_value="hi").as_string()
    'hi'
    """
    if len(kwargs) == 1:
        ((keyword, value),) = kwargs.items()
        tpe = _KEYWORD_TYPES.get(keyword)
        if tpe is None:
            raise ConversionError(
                f"cannot tell the type of {keyword}= (message to {target_typename}): use one of "
                f"{', '.join(_KEYWORD_TYPES)}, or value= with value_type="
            )
    elif kwargs.keys() == {"value", "value_type"}:
        value, tpe = kwargs["value"], kwargs["value_type"]
        if value is not None and missing(tpe):
            raise ConversionError(f"value_type can not be missing (message to {target_typename})")
    else:
        raise ConversionTypeError(
            f"a message to {target_typename} takes exactly one of {', '.join(_KEYWORD_TYPES)}, or "
            f"value= with value_type=; given: {', '.join(kwargs) or 'none'}"
        )
    if (type(target_typename) is not str or not target_typename) and missing(target_typename):
        raise DeclarationError("target_typename can not be missing")
    if target_id is None or target_id == "":
        raise DeclarationError(f"target_id can not be missing (message to {target_typename})")
    target_of(target_typename, target_id)
    if value is None:
        raise ConversionError(f"value can not be missing (message to {target_typename})")
    try:
        return Message(target_typename, target_id, typed_value(type_of_class(tpe), value))
    except ConversionError as error:
        raise about(error, target_typename, target_id) from error


def egress_message_builder(
    target_typename: str, value: V, value_type: Type[V] | type[V]
) -> EgressMessage:
    """Build a record for any egress; for Kafka and Kinesis use their own builders.

    Parameters
    ----------
    target_typename : str
        The egress, as module.yaml declares it.
    value
        What it carries.
    value_type : Type or type
        A Type, or a class that stands for one.

    Raises
    ------
    ConversionError
        When the value is None or does not fit its type.
    DeclarationError
        When the typename is not ``namespace/name``, or the class stands for no type.

    Examples
    --------
    >>> egress_message_builder("example/out", 3, int).value
    3
    """
    parse_typename(target_typename)
    if value is None:
        raise ConversionError(f"value can not be missing (egress {target_typename})")
    try:
        return EgressMessage(target_typename, typed_value(type_of_class(value_type), value))
    except ConversionError as error:
        raise error.__class__(f"egress {target_typename}: {error}") from error
