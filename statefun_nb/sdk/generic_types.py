"""Containers and unions as types: ``list[Cart]``, ``dict[str, int]``, ``Cart | Order``.

They are JSON, under the typename of plain lists and dicts: what is written as ``list[int]`` can be
read as ``list``. Their items are written as the fields of dataclasses are.
"""

from __future__ import annotations

import dataclasses
import re
import types
from collections.abc import Iterator
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import (
    Annotated,
    Any,
    ForwardRef,
    Literal,
    NewType,
    Union,
    get_args,
    get_origin,
)
from uuid import UUID

from ..errors import DeclarationTypeError
from ..tables import shown
from .conversion import is_numpy
from .dataclass_types import DataclassSerializer
from .types import Type

__all__ = [
    "GenericSerializer",
    "check_generic",
    "check_parameters",
    "is_typed_dict",
    "is_union",
    "members",
    "plain_annotation",
]

_SCALARS = (
    bool, int, float, str, bytes, types.NoneType,
    Decimal, UUID, date, time, timedelta, Enum, PurePath,
)  # fmt: skip
# Of any class, what tells that it says itself how it is written: attrs', pydantic's, protobuf's.
_FOREIGN = ("__attrs_attrs__", "model_validate_json", "SerializeToString")


class GenericSerializer(DataclassSerializer):
    """Writes a container or a union as JSON, and reads it back."""

    __slots__ = ()

    def parts(self, value: Any) -> Any:
        return value

    def serialize(self, value: Any) -> bytes:
        if is_union(self.of) or self.cls is Literal or is_typed_dict(self.cls):
            return self.write(value)  # the converter says what fits
        return super().serialize(value)

    def reads(self, data: bytes) -> bool:
        """Can these bytes be read as one?"""
        try:
            self.read(data)
        except Exception:  # of bytes that are something else, or what a class of the user's raises
            return False
        return True


def is_typed_dict(annotation: Any) -> bool:
    """A TypedDict, also the one of typing_extensions."""
    is_dict = isinstance(annotation, type) and issubclass(annotation, dict)
    return is_dict and hasattr(annotation, "__required_keys__")


def is_union(annotation: Any) -> bool:
    """``A | B``, ``Optional[A]`` ..."""
    return get_origin(annotation) in (Union, types.UnionType)


def members(tpe: Type[Any]) -> tuple[Any, ...]:
    """The classes of a type that is a union; none of any other."""
    serializer = tpe.serializer()
    if isinstance(serializer, GenericSerializer) and is_union(serializer.of):
        return get_args(serializer.of)
    return ()


def plain_annotation(annotation: Any) -> Any:
    """What a name or a note stands for: of ``Optional[A]``, A; a state that is None is not there.

    Examples
    --------
    >>> plain_annotation(Annotated[int | None, "visits"])
    <class 'int'>
    """
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif hasattr(annotation, "__value__") and type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        elif is_union(annotation) and types.NoneType in get_args(annotation):
            annotation = Union[  # noqa: UP007 - of what is known only now
                tuple(each for each in get_args(annotation) if each is not types.NoneType)
            ]
        else:
            return annotation


def check_generic(annotation: Any) -> None:
    """Raise where an item can never be written.

    Raises
    ------
    DeclarationTypeError
        It names the part.
    """
    _check_unions(annotation)
    for part in _parts(annotation):
        check_parameters(part)
        if isinstance(part, (str, ForwardRef)):
            name = part if isinstance(part, str) else part.__forward_arg__
            raise DeclarationTypeError(
                f"{annotation} names {name} in quotes: write the class itself, below its cell"
            )
        if not _is_known(part):
            raise DeclarationTypeError(
                f"{annotation}: {shown(part)} cannot be written as JSON: make it a dataclass, or "
                "pass a Type (sf.simple_type, sf.make_json_type)"
            )


def _check_unions(annotation: Any) -> None:
    """Raise where a value alone does not tell the members of a union apart."""
    members = get_args(annotation)
    if is_union(annotation):
        if Any in members:
            raise DeclarationTypeError(
                f"{annotation}: Any is also what the others are, which would come back as dicts: "
                "leave Any out"
            )
        origins = [get_origin(each) for each in members if isinstance(get_origin(each), type)]
        doubled = next((each for each in origins if origins.count(each) > 1), None)
        if doubled is not None:
            name = doubled.__name__
            raise DeclarationTypeError(
                f"{annotation}: a value does not tell one {name} from the other: write one "
                f"{name}[...] with a union in it"
            )
    if get_origin(annotation) is not Literal:
        for each in members:
            _check_unions(each)


def check_parameters(cls: Any) -> None:
    """Raise for a generic dataclass without its parameters, where its fields need them.

    Raises
    ------
    DeclarationTypeError
    """
    if not dataclasses.is_dataclass(cls) or not isinstance(cls, type):
        return
    names = [each.__name__ for each in getattr(cls, "__parameters__", ())]
    used = " ".join(str(field.type) for field in dataclasses.fields(cls))
    if any(re.search(rf"\b{name}\b", used) for name in names):
        raise DeclarationTypeError(
            f"{cls.__name__} is generic: say of what it is one, such as "
            f"{cls.__name__}[{', '.join(['int'] * len(names))}]"
        )


def _parts(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Literal:
        return
    if origin is None or origin is Annotated:
        yield plain_annotation(annotation) if origin is Annotated else annotation
        return
    if dataclasses.is_dataclass(origin):
        return
    for each in get_args(annotation):
        if each is not ...:
            yield from _parts(each)


def _is_known(part: Any) -> bool:
    if part is Any or part is None or isinstance(part, NewType) or is_typed_dict(part):
        return True
    if not isinstance(part, type):
        return False
    if dataclasses.is_dataclass(part) or any(hasattr(part, each) for each in _FOREIGN):
        return True
    if issubclass(part, (list, dict, set, frozenset, tuple)):
        return True
    return issubclass(part, _SCALARS) or is_numpy(part)
