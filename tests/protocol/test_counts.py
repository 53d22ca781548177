"""Counting callers and egresses says what decoding says."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from statefun_nb.address import GATEWAY, address_of
from statefun_nb.protocol._pool import ToFunction
from statefun_nb.protocol.counts import count_callers, count_egresses
from statefun_nb.protocol.effects import TypedValue
from statefun_nb.protocol.v3 import (
    decode_reply,
    decode_request,
    egress_chunk,
    encode_request,
    encode_result,
    read_caller,
)
from statefun_nb.protocol.wire import typed_value_bytes

NAMES = st.sampled_from(["a/f", "a/ff", "b/f", "ä/ö", "a/" + "n" * 200, GATEWAY])
CALLERS = st.lists(st.none() | st.builds(address_of, NAMES, st.text(max_size=5)), max_size=30)


# What looks like an address in a payload is none; lengths of one byte, and of two.
PAYLOADS = st.sampled_from([b"\x0a\x01a\x12\x01f", b"", b"a" * 118, b"a" * 119, b"a" * 300])


@given(CALLERS, PAYLOADS)
def test_callers_are_those_of_the_decoded_request(callers, payload):
    value = typed_value_bytes(TypedValue("t/y", payload))
    data = encode_request(address_of("a/f", "x"), {}, [(caller, value) for caller in callers])
    read = [read_caller(each) for each in decode_request(data).invocations]
    assert count_callers(data) == Counter("" if c is None else c.typename for c in read)


def test_fields_in_another_order_are_counted_as_well():
    message = ToFunction()
    message.invocation.invocations.add().caller.type = "f"  # no namespace: no usual beginning
    message.invocation.invocations.add().caller.namespace = "a"
    message.invocation.invocations.add()  # without anything
    assert count_callers(message.SerializeToString()) == {"/f": 1, "a/": 1, "": 1}
    other_order = b"\xa2\x06\x0c\x1a\x0a\x0a\x08\x1a\x00\x12\x01f\x0a\x01a"
    assert count_callers(other_order) == {"a/f": 1}


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["o", "p"]))))
def test_egresses_are_those_of_the_decoded_reply(egresses):
    value = TypedValue("t/y", b"1")
    data = encode_result(
        [egress_chunk(f"{namespace}/{name}", value, "x/instead" if name == "p" else "")
         for namespace, name in egresses]
    )  # fmt: skip
    assert count_egresses(data) == Counter(each.egress for each in decode_reply(data).egress)
