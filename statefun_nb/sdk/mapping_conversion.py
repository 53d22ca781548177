"""Mappings whose keys are no text, as JSON wants them."""

from __future__ import annotations

import collections
import json
from collections.abc import Callable, Mapping, MutableMapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Annotated, Any, Literal, NewType, get_args, get_origin
from uuid import UUID

from cattrs.gen import make_mapping_structure_fn, make_mapping_unstructure_fn

from .conversion import Rule, is_named, json_text

__all__ = ["Keys", "Mappings"]

_TEXTUAL = (str, UUID, Decimal, date, time, timedelta, bytes, PurePath)
_MAPPINGS: dict[Any, Callable[..., Any]] = {
    dict: dict,
    Mapping: dict,
    MutableMapping: dict,
    collections.OrderedDict: collections.OrderedDict,
    collections.Counter: collections.Counter,
    collections.defaultdict: collections.defaultdict,
}


class _Key(NewType):  # a class since Python 3.10
    """The type of a mapping's keys as they stand in JSON."""


class Keys(Rule):
    """As they are where all of a class are written as text, else as JSON in text."""

    def covers(self, cls: Any) -> bool:
        return isinstance(cls, _Key)

    def writer(self, key: Any) -> Callable[[Any], Any]:
        cls = key.__supertype__
        if _is_textual(cls):
            return lambda value: self.write(value, cls)
        return lambda value: json_text(self.write(value, cls))

    def reader(self, key: Any) -> Callable[[Any, Any], Any]:
        cls = key.__supertype__
        if _is_textual(cls):
            return lambda text, _: self.read(text, cls)
        return lambda text, _: self.read(json.loads(text), cls)


def _is_textual(cls: Any) -> bool:
    """Are all of its values written as text?"""
    origin = get_origin(cls)
    if origin is Annotated:
        return _is_textual(get_args(cls)[0])
    if origin is Literal:
        return all(isinstance(each, str) for each in get_args(cls))
    if isinstance(cls, NewType):
        return _is_textual(cls.__supertype__)
    if not isinstance(cls, type):
        return False
    if issubclass(cls, Enum):
        return is_named(cls) or all(isinstance(member.value, str) for member in cls)
    return issubclass(cls, _TEXTUAL)


class Mappings(Rule):
    """Those whose keys ``Keys`` writes, and those that are more than a dict.

    cattrs has the others. (Of the latter its older releases make plain dicts.)
    """

    def covers(self, cls: Any) -> bool:
        make = _MAPPINGS.get(get_origin(cls))
        if make is None:
            return False
        key = get_args(cls)[0]
        return key not in (str, Any) or (key is str and make is not dict)

    def _plain(self, cls: Any) -> Any:
        key, *value = get_args(cls)
        return dict[_Key("Key", key), value[0] if value else int]  # type: ignore[misc]  # for cattrs

    def writer(self, cls: Any) -> Callable[[Any], Any]:
        return make_mapping_unstructure_fn(self._plain(cls), self.converter, unstructure_to=dict)

    def reader(self, cls: Any) -> Callable[[Any, Any], Any]:
        plain = self._plain(cls)
        read = make_mapping_structure_fn(plain, self.converter)
        make = _MAPPINGS[get_origin(cls)]
        if make is dict:
            return lambda mapping, _: read(mapping, plain)
        if make is collections.defaultdict:
            factory = get_origin(get_args(cls)[1]) or get_args(cls)[1]
            return lambda mapping, _: make(factory, read(mapping, plain))
        return lambda mapping, _: make(read(mapping, plain))
