"""A message that came as one type is read as another only where that gives its value."""

from __future__ import annotations

import json
from typing import Any

import pytest

import statefun_nb as sf
from statefun_nb.protocol.effects import TypedValue
from statefun_nb.sdk.messages import typed_value

BUILT_IN: dict[str, tuple[sf.Type[Any], Any]] = {
    "bool": (sf.BoolType, True),
    "int": (sf.IntType, 7),
    "long": (sf.LongType, 7),
    "float": (sf.FloatType, 7.0),
    "double": (sf.DoubleType, 7.0),
    "string": (sf.StringType, "7"),
}


def message_of(tpe: Any, value: Any) -> sf.Message:
    return sf.Message("r/f", "x", typed_value(tpe, value))


@pytest.mark.parametrize("wanted", BUILT_IN)
@pytest.mark.parametrize("sent", BUILT_IN)
def test_a_built_in_type_is_read_as_itself_alone(sent, wanted):
    tpe, value = BUILT_IN[sent]
    message = message_of(tpe, value)
    read = getattr(message, f"as_{wanted}")
    if sent == wanted:
        assert read() == value
        return
    with pytest.raises(sf.ConversionError, match=rf"'x' is of the type .*/{sent} .*\.as_{sent}\("):
        read()
    with pytest.raises(sf.ConversionError, match=f"cannot be read as .*/{wanted}:"):
        message.as_type(BUILT_IN[wanted][0])


@pytest.mark.parametrize("sent", BUILT_IN)
def test_what_cannot_be_read_says_both_types(sent):
    with pytest.raises(sf.ConversionError, match=f"read as JSON: .* is of the type .*/{sent}: "):
        message_of(*BUILT_IN[sent]).as_type(dict)


def test_a_type_of_ones_own_reads_the_same_bytes_under_another_name():
    """As with the official SDK."""
    ours = sf.simple_type("r/number", serialize_fn=lambda n: b"%d" % n, deserialize_fn=int)
    theirs = sf.simple_type(
        "r/json",
        serialize_fn=lambda n: json.dumps(n).encode(),
        deserialize_fn=json.loads,
    )
    assert message_of(theirs, 5).as_type(ours) == 5
    assert message_of(ours, 5).as_type(theirs) == 5
    with pytest.raises(sf.ConversionError, match="of the type r/json and cannot be read as r/numb"):
        message_of(theirs, [5]).as_type(ours)
    with pytest.raises(json.JSONDecodeError):  # its own deserializer's own affair
        sf.Message("r/f", "x", typed_value(sf.simple_type("r/json", bytes, bytes), b"[")).as_type(
            theirs
        )


def test_a_function_that_reads_another_type_parks(engine, functions):
    @sf.function("r/f", state={"n": int}, functions=functions)
    def f(ctx, message):
        ctx.storage.n = message.as_int()

    engine.send("r/f", "x", 7)
    assert engine.wait_idle().parked == 1
    assert "as_long() reads it" in engine.parked[0].reason
    assert engine.state("r/f", "x") == {}


@pytest.mark.parametrize("data", [b"{", b"\xff", b"[" * 100_000])
def test_bytes_that_are_no_json_are_said_so(data):
    tpe = sf.make_json_type("r/json")
    with pytest.raises(sf.ConversionError, match="'x': cannot be read as JSON: "):
        sf.Message("r/f", "x", TypedValue("r/json", data)).as_type(tpe)
    with pytest.raises(sf.ConversionError, match=r"^cannot be read as JSON: "):
        _ = sf.Message("r/f", "x", TypedValue("statefun_nb/json", data)).value
