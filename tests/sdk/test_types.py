"""Types: every fast path against protobuf, and the errors."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import statefun_nb as sf
from statefun_nb.protocol._pool import message_class
from statefun_nb.sdk.inference import decode_value, type_of_class, type_of_value
from statefun_nb.sdk.messages import typed_value
from statefun_nb.sdk.types import BUILT_IN_TYPES

BUILT_IN: dict[str, tuple[sf.Type, st.SearchStrategy[Any]]] = {
    "Boolean": (sf.BoolType, st.booleans()),
    "Int": (sf.IntType, st.integers(-(2**31), 2**31 - 1)),
    "Float": (sf.FloatType, st.floats(width=32)),
    "Long": (sf.LongType, st.integers(-(2**63), 2**63 - 1)),
    "Double": (sf.DoubleType, st.floats()),
    "String": (sf.StringType, st.text(st.characters(exclude_categories=["Cs"]), max_size=300)),
}


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_types_write_and_read_what_protobuf_does(name):
    tpe, values = BUILT_IN[name]
    wrapper = message_class(f"statefun_nb.types.{name}Wrapper")
    serializer = tpe.serializer()

    @given(values)
    def check(value):
        data = wrapper(value=value).SerializeToString()
        assert serializer.serialize(value) == data
        read = serializer.deserialize(data)
        assert type(read) is type(wrapper.FromString(data).value)
        if isinstance(value, float):
            assert math.copysign(1, read) == math.copysign(1, value) or math.isnan(value)
        assert read == value or value != value  # noqa: PLR0124 - NaN

    check()


@given(st.binary(max_size=40))
def test_reading_any_bytes_gives_what_protobuf_gives(data):
    for name, (tpe, _) in BUILT_IN.items():
        wrapper = message_class(f"statefun_nb.types.{name}Wrapper")
        try:
            wanted = wrapper.FromString(data).value
        except Exception:  # whatever this protobuf raises
            with pytest.raises(sf.ProtocolError):
                tpe.serializer().deserialize(data)
        else:
            read = tpe.serializer().deserialize(data)
            assert read == wanted or wanted != wanted  # noqa: PLR0124 - NaN


@pytest.mark.parametrize(
    ("tpe", "value", "error"),
    [
        (sf.IntType, 2**31, ValueError),
        (sf.IntType, -(2**31) - 1, ValueError),
        (sf.LongType, 2**63, ValueError),
        (sf.IntType, "1", TypeError),
        (sf.IntType, 1.5, TypeError),
        (sf.StringType, 1, TypeError),
        (sf.StringType, "\ud800", ValueError),
        (sf.BoolType, "yes", TypeError),
        (sf.DoubleType, "1.0", TypeError),
        (sf.StringType, b"a", TypeError),
        (sf.StringType, bytearray(b"a"), TypeError),
        *((tpe, b"", TypeError) for tpe in BUILT_IN_TYPES.values()),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_value_and_type(tpe, value, error):
    with pytest.raises(error) as caught:
        tpe.serializer().serialize(value)
    assert isinstance(caught.value, sf.ConversionError)
    assert repr(value) in str(caught.value)
    assert tpe.typename in str(caught.value)


@dataclass
class Item:
    name: str
    price: float


@dataclass
class Cart:
    owner: str
    items: list[Item] = field(default_factory=list)


@pytest.mark.parametrize(
    ("value", "typename"),
    [
        (True, "io.statefun.types/bool"),
        (1, "io.statefun.types/long"),
        (1.5, "io.statefun.types/double"),
        ("x", "io.statefun.types/string"),
        ({"a": [1, None]}, "statefun_nb/json"),
        ([1, 2], "statefun_nb/json"),
        (Cart("bob", [Item("tea", 2.5)]), "statefun_nb.json/Cart"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_the_type_of_a_python_value_is_inferred(value, typename):
    tpe = type_of_value(value)
    assert tpe.typename == typename
    assert type_of_class(type(value)) is tpe
    data = tpe.serializer().serialize(value)
    assert tpe.serializer().deserialize(data) == value


def test_protobuf_messages_and_pydantic_models_are_inferred():
    from google.protobuf.wrappers_pb2 import StringValue

    message = StringValue(value="x")
    tpe = type_of_value(message)
    assert tpe.typename == "type.googleapis.com/google.protobuf.StringValue"
    assert decode_value(typed_value(tpe, message)) == message

    pytest.importorskip("pydantic")
    from pydantic import BaseModel

    class Model(BaseModel):
        n: int

    tpe = type_of_value(Model(n=1))
    assert tpe.typename.startswith("statefun_nb.json/test_protobuf_messages")
    assert tpe.typename.endswith("_are_inferred.Model")
    assert tpe.serializer().deserialize(b'{"n": 2}') == Model(n=2)


@pytest.mark.parametrize("value", [None, object(), b"bytes", {1, 2}])
def test_a_value_without_a_type_says_what_may_be_used(value):
    with pytest.raises(sf.ConversionTypeError, match="make_json_type"):
        type_of_value(value)


def test_an_explicit_type_wins_over_inference():
    assert type_of_value(1, sf.IntType) is sf.IntType
    assert type_of_value("1", int) is sf.LongType


def test_unknown_types_decode_to_their_bytes():
    assert decode_value(typed_value(sf.simple_type("x/y", bytes, bytes), b"ab")) == b"ab"


def test_a_serializer_that_returns_no_bytes_is_named():
    with pytest.raises(sf.ConversionTypeError, match="x/y returned str, not bytes"):
        typed_value(sf.simple_type("x/y", str, str), 1)  # type: ignore[arg-type]  # the mistake


@pytest.mark.parametrize("name", ["", "x", "x/", "/x", "a/b/c"])
def test_a_typename_that_is_none_is_refused(name):
    with pytest.raises(ValueError, match="namespace/name"):
        sf.make_json_type(name)
