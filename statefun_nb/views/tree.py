"""Values as a browser may have them: a bounded tree of JSON that says what was cut, or one line.

A value becomes one of

=====================================  ====================================================
``null``, ``true``, number, text       itself, where a browser reads it as the same
``["list", nodes, total]``             a list; ``total`` counts all items, nodes may be fewer
``["map", [[key, node], ...], total]``  a dict, a dataclass, a model, a protobuf message
``["text", beginning, total]``         a text of ``total`` characters that was cut
``["bytes", hexadecimal, total]``      ``total`` bytes, and the first of them
``["number", text]``                   a whole number beyond 2**53, or not a finite one
``["object", text]``                   anything else, as Python shows it
``["deep"]``                           levels that were cut
=====================================  ====================================================
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import reprlib
from collections.abc import Iterable
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

__all__ = ["FULL", "GLANCE", "Bounds", "number_text", "plain_text", "preview", "tree"]

_SAFE = 2**53 - 1  # JavaScript's Number.MAX_SAFE_INTEGER


class Bounds(NamedTuple):
    """How much of a value is shown: characters, items of one container, levels, nodes in all."""

    text: int
    items: int
    depth: int
    nodes: int


GLANCE = Bounds(text=2_000, items=100, depth=8, nodes=1_000)
_LINE = Bounds(text=120, items=6, depth=4, nodes=200)
FULL = Bounds(text=16_000_000, items=20_000, depth=64, nodes=50_000)


def tree(value: Any, limits: Bounds = GLANCE) -> Any:
    """A value as a tree of JSON, cut by ``limits``; the head of this module says how.

    Examples
    --------
    >>> tree({"a": [1, 2**60]})
    ['map', [['a', ['list', [1, ['number', '1152921504606846976']], 2]]], 1]
    >>> tree(b"xy")
    ['bytes', '7879', 2]
    """
    return _Tree(limits).node(value, limits.depth)


class _Tree:
    def __init__(self, limits: Bounds) -> None:
        self._limits = limits
        self._left = limits.nodes

    def node(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if value is None or value is True or value is False:
            return value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int):
            return value if -_SAFE <= value <= _SAFE else ["number", str(value)]
        if isinstance(value, float):
            return value if math.isfinite(value) else ["number", str(value)]
        if isinstance(value, (bytes, bytearray, memoryview)):
            data = bytes(value[: self._limits.text // 2])
            return ["bytes", data.hex(), len(value)]
        if depth == 0 or self._left <= 0:
            return ["deep"]
        if isinstance(value, (list, tuple, set, frozenset)):
            part = islice(value, self._limits.items)
            return ["list", [self.node(each, depth - 1) for each in part], len(value)]
        fields = _fields(value)
        if fields is None:
            return ["object", plain_text(_SHORT.repr(value))]
        items, total = fields
        shown = islice(items, self._limits.items)
        return ["map", [[_key(k), self.node(v, depth - 1)] for k, v in shown], total]

    def _text(self, value: str) -> Any:
        if len(value) <= self._limits.text:
            return plain_text(value)
        return ["text", plain_text(value[: self._limits.text]), len(value)]


def _fields(value: Any) -> tuple[Iterable[tuple[Any, Any]], int] | None:
    """Names and values of what has some; None of what has not."""
    if isinstance(value, dict):
        return value.items(), len(value)
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return [(name, getattr(value, name, None)) for name in names], len(names)
    if hasattr(value, "ListFields"):  # a protobuf message
        found = [(field.name, each) for field, each in value.ListFields()]
        return [(name, _plain_container(each)) for name, each in found], len(found)
    if hasattr(type(value), "model_fields"):  # a pydantic model
        names = list(type(value).model_fields)
        return [(name, getattr(value, name, None)) for name in names], len(names)
    return None


def _plain_container(value: Any) -> Any:
    """Protobuf's repeated and map fields as list and dict."""
    if hasattr(value, "items"):
        return dict(value.items())
    return value if isinstance(value, (str, bytes)) or not hasattr(value, "append") else list(value)


def _key(key: Any) -> str:
    return plain_text(key[:200] if isinstance(key, str) else _SHORT.repr(key))


def plain_text(text: str) -> str:
    """The text without what UTF-8 cannot carry: half surrogates, which JSON may bring along."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


# Made once: json.dumps with options makes one for each value, 2 us.
_encode = json.JSONEncoder(ensure_ascii=False).encode
_SHORT = reprlib.Repr()
_SHORT.maxlevel = 4
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 120
_SHORT.maxdict = _SHORT.maxlist = _SHORT.maxtuple = 6


def preview(value: Any, longest: int = 120) -> str:
    """A value in one line, whatever its size: as JSON, in which values are edited.

    A text stands for itself. Bytes, which JSON has none of, are as in Python.

    Examples
    --------
    >>> preview("hello"), preview({"a": True}), preview("x" * 200)[-1]
    ('hello', '{"a": true}', '…')
    """
    if isinstance(value, str):
        text = plain_text(value[: longest + 1])
    elif type(value) is int or _is_flat(value):  # the same line, in a fifth of the time
        text = plain_text(_encode(value))
    else:
        text = _line(tree(value, _LINE))
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _is_flat(value: Any) -> bool:
    """Is it a small dict of short texts and whole numbers, as most state is?"""
    return (
        type(value) is dict
        and len(value) <= _LINE.items
        and all(
            type(name) is str
            and len(name) <= _LINE.text
            and (type(each) is int or (type(each) is str and len(each) <= _LINE.text))
            for name, each in value.items()
        )
    )


def _line(node: Any) -> str:
    """A tree as JSON in one line; ``…`` stands for what was cut."""
    if isinstance(node, float):
        return number_text(node)
    if not isinstance(node, list):
        return _encode(node)
    kind = node[0]
    shown: Any = node[1] if len(node) > 1 else "…"
    if kind == "text":
        return _encode(shown + "…")
    if kind == "bytes":
        return repr(bytes.fromhex(shown)) + ("…" if len(shown) < node[2] * 2 else "")
    if kind not in ("list", "map"):
        return str(shown)
    if kind == "list":
        parts = [_line(each) for each in shown]
    else:
        parts = [f"{_encode(k)}: {_line(each)}" for k, each in shown]
    more = ["…"] if len(shown) < node[2] else []
    inner = ", ".join([*parts, *more])
    return f"[{inner}]" if kind == "list" else f"{{{inner}}}"


def number_text(value: float) -> str:
    """A number as JavaScript writes it, which shows the trees.

    Examples
    --------
    >>> number_text(2e6), number_text(1e-05), number_text(1e-07), number_text(7)
    ('2000000', '0.00001', '1e-7', '7')
    """
    text = repr(value)
    if not math.isfinite(value):
        return text
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        return format(Decimal(text), "f").removesuffix(".0")
    return re.sub(r"(?<=e[+-])0+", "", text)
