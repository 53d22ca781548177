"""From a Python value or class to a Type: the only place that guesses.

========================  =======================================================
Python                    type
========================  =======================================================
bool                      ``io.statefun.types/bool``
int                       ``io.statefun.types/long``
float                     ``io.statefun.types/double``
str                       ``io.statefun.types/string``
protobuf message          ``type.googleapis.com/<full name>``
dict, list                JSON, typename ``statefun_nb/json``
dataclass                 JSON, typename ``statefun_nb.json/<class name>``
pydantic model            JSON, typename ``statefun_nb.json/<class name>``
list[T], dict[K, T] ...   JSON, typename ``statefun_nb/json``; items are checked
A | B                     JSON, typename ``statefun_nb/json``; ``A | None`` is A
========================  =======================================================
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from functools import cache
from typing import Any, Literal, get_args, get_origin

from ..errors import (
    ConversionError,
    ConversionTypeError,
    DeclarationTypeError,
)
from ..protocol.any_values import ANY, opened
from ..protocol.effects import TypedValue
from ..tables import shown
from .class_types import ClassType
from .dataclass_types import DataclassSerializer
from .generic_types import (
    GenericSerializer,
    check_generic,
    check_parameters,
    is_typed_dict,
    is_union,
    members,
    plain_annotation,
)
from .made_types import make_json_type, make_protobuf_type
from .plain import json_value
from .pydantic_types import ModelSerializer
from .types import (
    BUILT_IN_TYPES,
    BoolType,
    DoubleType,
    LongType,
    StringType,
    Type,
    simple_type,
)
from .unwritable import cure_of

__all__ = [
    "CLASS_TYPES",
    "JSON",
    "JSON_NAMESPACE",
    "decode_value",
    "named_member",
    "type_of_class",
    "type_of_value",
]

JSON_NAMESPACE = "statefun_nb.json"
_NO_NAME = re.compile(r"[\s<>*/]")  # as in <lambda>, or Pair[int, str]
_PROTOBUF_PREFIX = "type.googleapis.com/"


def _checked_json(value: Any) -> bytes:
    with contextlib.suppress(RecursionError):  # the json module says so, too
        _check_keys(value, "")
    return _json.serialize(value)


def _check_keys(value: Any, path: str) -> None:
    """Raise where the json module would make text of a key, which nothing makes a number again."""
    if isinstance(value, dict):
        for key, each in value.items():
            if not isinstance(key, str):
                raise ConversionTypeError(
                    f"{path and path + ': '}the key {shown(key)} would come back as text: use "
                    "text, or a dataclass with a field such as dict[int, str]"
                )
            if each.__class__ in _NESTING:
                _check_keys(each, f"{path}[{key!r}]")
    elif isinstance(value, (list, tuple)):
        for index, each in enumerate(value):
            if each.__class__ in _NESTING:
                _check_keys(each, f"{path}[{index}]")


_NESTING = (dict, list, tuple)
_json = make_json_type("statefun_nb/json").serializer()
JSON = simple_type("statefun_nb/json", _checked_json, _json.deserialize)

# The plain classes whose values have a type of their own.
CLASS_TYPES: dict[type, Type] = {
    bool: BoolType,
    int: LongType,
    float: DoubleType,
    str: StringType,
    dict: JSON,
    list: JSON,
}
_ACCEPTED = (
    "bool, int, float, str, dict, list, a dataclass, a pydantic model or a protobuf message, or "
    "list[...], dict[..., ...] and the like of them; "
    "for anything else pass a Type (sf.simple_type, sf.make_json_type, sf.make_protobuf_type)"
)


def type_of_value(value: object, explicit: object = None) -> Type:
    """The type to send or store ``value`` as; an ``explicit`` type (or class) always wins.

    Raises
    ------
    ConversionTypeError
        When the value's class has no type.

    Examples
    --------
    >>> type_of_value(1)
    <Type io.statefun.types/long>
    """
    if explicit is not None:
        return type_of_class(explicit)
    cls: type = type(value)
    known = CLASS_TYPES.get(cls)
    if known is not None:
        return known
    try:
        return _infer(cls)
    except DeclarationTypeError as error:
        if dataclasses.is_dataclass(cls):  # a generic one
            raise ConversionTypeError(
                f"cannot tell which StateFun type {shown(value)} has: {error}"
            ) from None
        raise ConversionTypeError(
            f"cannot tell which StateFun type {shown(value)} has: use {_ACCEPTED}{cure_of(value)}"
        ) from None


def type_of_class(annotation: object) -> Type:
    """The type that a class or a Type stands for, as in ``state={"visits": int}``.

    Raises
    ------
    DeclarationTypeError
        When the class has no type.
    """
    if isinstance(annotation, Type):
        return annotation
    annotation = plain_annotation(annotation)
    origin = get_origin(annotation)
    cls: Any = origin if origin is not None else annotation
    if isinstance(cls, type) and cls in _OF_DICT and not get_args(annotation):
        name = cls.__name__
        wanted = f"{name}[str]" if cls is Counter else f"{name}[str, int]"
        raise DeclarationTypeError(
            f"{name} alone would come back as a dict: say what is in it, such as {wanted}"
        )
    if isinstance(cls, type) and cls in _BARE and not get_args(annotation):
        raise DeclarationTypeError(
            f"{cls.__name__} alone has no StateFun type: say what is in it, such as {_BARE[cls]}"
        )
    if origin in _GENERIC or is_union(annotation) or is_typed_dict(cls):
        return _container(annotation)
    if not isinstance(cls, type):
        raise DeclarationTypeError(f"{shown(annotation)} is not a type: use {_ACCEPTED}")
    if origin is not None and dataclasses.is_dataclass(cls):
        return _generic(annotation)  # Box[int] tells what is in it
    return CLASS_TYPES.get(cls) or _infer(cls)


def named_member(tpe: Type, is_named: Callable[[Type], bool]) -> Type | None:
    """The member of a union that a typename names, where the value alone may not tell; or None."""
    for member in members(tpe):
        with contextlib.suppress(DeclarationTypeError):  # of what is only written in JSON
            found = type_of_class(member)
            if not isinstance(found.serializer(), GenericSerializer) and is_named(found):
                return found
    return None


# Those of the containers whose annotations tell what is in them.
_OF_DICT = (Counter, OrderedDict, defaultdict)
_BARE = {set: "set[str]", frozenset: "frozenset[str]", tuple: "tuple[int, str]"}
_GENERIC = (list, dict, tuple, set, frozenset, Literal, *_OF_DICT)


@cache
def _infer(cls: type) -> Type:
    for base, known in CLASS_TYPES.items():  # bool before int: True is an int, too
        if issubclass(cls, base):
            return known
    if hasattr(cls, "DESCRIPTOR") and hasattr(cls, "SerializeToString"):
        return make_protobuf_type(cls)
    if hasattr(cls, "model_validate_json"):
        return ClassType(_typename(cls), ModelSerializer(cls))
    if dataclasses.is_dataclass(cls):
        check_parameters(cls)
        return ClassType(_typename(cls), DataclassSerializer(cls))
    raise DeclarationTypeError(f"{cls.__name__} has no StateFun type: use {_ACCEPTED}")


@cache
def _generic(annotation: Any) -> Type:
    return ClassType(_typename(annotation.__origin__), DataclassSerializer(annotation))


@cache
def _container(annotation: Any) -> Type:
    check_generic(annotation)
    return ClassType(JSON.typename, GenericSerializer(annotation))


def _typename(cls: type) -> str:
    """The typename of a class: two of one name in one module, inside of others, are two types.

    Without the module, which is another one when a notebook has become a project.
    """
    name = cls.__qualname__.replace("<locals>.", "")
    return f"{JSON_NAMESPACE}/{re.sub(_NO_NAME, '', name)}"


def decode_value(value: TypedValue) -> Any:
    """The Python value of a typed value, as far as its typename tells.

    The built-in types, JSON, and protobuf messages whose generated class is imported; the bytes
    as they are for every other type, None for an absent value.
    """
    typename, data = value
    if data is None:
        return None
    known = BUILT_IN_TYPES.get(typename)
    if known is not None:
        return known.serializer().deserialize(data)
    if typename == JSON.typename or typename.startswith(JSON_NAMESPACE + "/"):
        return json_value(data)
    if typename == ANY:
        found = opened(data)
        if found is None:
            return data
        return found.value if found.typename == ANY else decode_value(found)
    if typename.startswith(_PROTOBUF_PREFIX):
        return _decode_protobuf(typename[len(_PROTOBUF_PREFIX) :], data)
    return data


def _decode_protobuf(name: str, data: bytes) -> Any:
    from google.protobuf import descriptor_pool, message_factory

    try:
        descriptor = descriptor_pool.Default().FindMessageTypeByName(name)
    except KeyError:
        return data
    try:
        return message_factory.GetMessageClass(descriptor).FromString(data)
    except Exception as error:  # DecodeError derives from nothing better
        raise ConversionError(f"cannot be read as {name}: {error}") from error
