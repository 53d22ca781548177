"""Values as a browser may have them."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statefun_nb.views import tree as tree_module
from statefun_nb.views.tree import FULL, GLANCE, Bounds, number_text, preview, tree


@dataclasses.dataclass
class Point:
    x: int
    y: bytes


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (2**53 - 1, 2**53 - 1),
        (2**53, ["number", "9007199254740992"]),
        (-(2**63), ["number", "-9223372036854775808"]),
        (1.5, 1.5),
        (math.nan, ["number", "nan"]),
        (-math.inf, ["number", "-inf"]),
        ("text", "text"),
        ("", ""),
        (b"\x00\xff", ["bytes", "00ff", 2]),
        ([1, [2]], ["list", [1, ["list", [2], 1]], 2]),
        ((1,), ["list", [1], 1]),
        ({"a": None}, ["map", [["a", None]], 1]),
        ({1: 2}, ["map", [["1", 2]], 1]),
        ({"list": ["x"]}, ["map", [["list", ["list", ["x"], 1]]], 1]),
        (Point(1, b"z"), ["map", [["x", 1], ["y", ["bytes", "7a", 1]]], 2]),
        (object, ["object", "<class 'object'>"]),
        ("\ud800x", "?x"),
    ],
)
def test_every_value_has_its_form(value, expected):
    assert tree(value) == expected


def test_a_protobuf_message_is_a_map_of_its_fields():
    from google.protobuf import struct_pb2

    message = struct_pb2.Struct()
    message["name"] = "bob"
    kind, [[field, (inner, _, total)]], count = tree(message)
    assert (kind, field, inner, total, count) == ("map", "fields", "map", 1, 1)


def test_a_long_text_is_cut_and_says_how_long_it_is():
    assert tree("x" * 5_000_000) == ["text", "x" * GLANCE.text, 5_000_000]
    assert tree("x" * 5_000_000, FULL) == "x" * 5_000_000


def test_a_large_container_is_cut_and_says_how_large_it_is():
    kind, shown, total = tree(list(range(10_000)))
    assert (kind, len(shown), total) == ("list", GLANCE.items, 10_000)


def test_a_deep_value_ends():
    deep = json.loads("[" * 900 + "]" * 900)
    text = json.dumps(tree(deep))
    assert text.count("list") == GLANCE.depth
    assert '["deep"]' in text


def test_a_wide_and_deep_value_has_a_bounded_number_of_nodes():
    value: object = 0
    for _ in range(6):
        value = [value] * 50
    limits = Bounds(text=10, items=50, depth=8, nodes=500)
    assert json.dumps(tree(value, limits)).count("[") < 5_000


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@given(JSON_VALUES)
def test_every_tree_is_strict_json_in_utf_8(value):
    text = json.dumps(tree(value), allow_nan=False, ensure_ascii=False)
    assert json.loads(text.encode()) == tree(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (True, "true"),
        (2**70, str(2**70)),
        (2_000_000.0, "2000000"),
        (math.nan, "nan"),
        ("it's", "it's"),
        ({"qty": 0, "open": True}, '{"qty": 0, "open": true}'),
        ({"who": "it's ü", "none": None}, '{"who": "it\'s ü", "none": null}'),
        ([1.0, (2.5, [])], "[1, [2.5, []]]"),
        (list(range(9)), "[0, 1, 2, 3, 4, 5, …]"),
        ([[[[[0]]]]], "[[[[…]]]]"),
        (b"xy", "b'xy'"),
        (Point(1, b"z"), '{"x": 1, "y": b\'z\'}'),
        (object, "<class 'object'>"),
    ],
)
def test_a_preview_is_json_as_an_editor_has_it(value, expected):
    assert preview(value) == expected


@given(st.dictionaries(st.text(max_size=3), st.booleans() | st.none() | st.integers(), max_size=3))
def test_a_small_preview_is_read_by_an_editor(value):
    assert json.loads(preview(value, 1_000)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_number_is_that_number(value):
    assert math.copysign(1, float(number_text(value))) == math.copysign(1, value)
    assert float(number_text(value)) == value


@given(st.one_of(JSON_VALUES, st.binary(), st.text(st.characters())))
def test_a_preview_is_short_and_can_be_sent(value):
    assert len(preview(value)) <= 120
    preview(value).encode()


def test_a_preview_of_something_huge_is_quick():
    huge = {str(n): "x" * 1000 for n in range(100_000)}
    assert preview(huge).endswith("…") or len(preview(huge)) <= 120


SCALARS = st.one_of(st.integers(), st.text(max_size=130), st.booleans(), st.none())


@given(st.one_of(st.integers(), st.dictionaries(st.text(max_size=130), SCALARS, max_size=8)))
def test_a_line_is_the_same_whichever_way_it_is_made(value):
    line = tree_module._line(tree(value, tree_module._LINE))
    assert preview(value, 10_000) == line
