"""The codec of StateFun 2.x against protobuf's own messages, in both directions."""

from __future__ import annotations

import struct

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.wrappers_pb2 import (
    BoolValue,
    BytesValue,
    DoubleValue,
    FloatValue,
    Int32Value,
    Int64Value,
    StringValue,
)
from hypothesis import example, given
from hypothesis import strategies as st

import statefun_nb as sf
from statefun_nb.errors import ProtocolError
from statefun_nb.protocol import v2, v3
from statefun_nb.protocol.any_values import ANY, from_any, local_name, to_any
from statefun_nb.protocol.effects import CancelDelayed, ExpireMode, StateSpec, TypedValue
from statefun_nb.protocol.wire import cause_bytes, chunk, typed_value_bytes
from statefun_nb.sdk.inference import decode_value
from statefun_nb.sdk.messages import received_message
from tests import peer, peer_2

from .test_v3 import address, text, typename, value

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
BUILT_IN = [
    (StringValue, sf.StringType, TEXTS),
    (BoolValue, sf.BoolType, st.booleans()),
    (Int32Value, sf.IntType, st.integers(-(2**31), 2**31 - 1)),
    (Int64Value, sf.LongType, st.integers(-(2**63), 2**63 - 1)),
    (FloatValue, sf.FloatType, st.floats(width=32, allow_nan=False)),
    (DoubleValue, sf.DoubleType, st.floats(allow_nan=False)),
]
built_in = st.sampled_from(BUILT_IN).flatmap(
    lambda kind: st.tuples(st.just(kind[0]), st.just(kind[1]), kind[2])
)
prefix = st.sampled_from(["type.googleapis.com/", "com.googleapis/", "shop/", "/"])
# What a module.yaml or an SDK of any language may say.
type_url = st.builds("{}{}".format, prefix, text) | text.filter(bool)


@given(built_in, prefix)
def test_a_built_in_value_is_protobufs_own_wrapper(kind, where):
    cls, tpe, held = kind
    url, data = peer_2.packed(cls(value=held), where)
    typed = from_any(url, data)
    assert typed == (tpe.typename, tpe.serializer().serialize(held))
    assert to_any(*typed) == ("type.googleapis.com/" + cls.DESCRIPTOR.full_name, data)


@given(type_url, st.binary(max_size=60))
@example("x/google.protobuf.Int32Value", b"\x08")
@example("x/google.protobuf.Int64Value", b"\xff\xff")
def test_any_value_comes_back_under_the_name_behind_its_last_slash(url, data):
    back = to_any(*from_any(url, data))
    assert local_name(back[0]) == local_name(url)
    if local_name(url) not in ("google.protobuf.Int32Value", "google.protobuf.Int64Value"):
        assert back[1] == data


@given(value)
def test_any_typed_value_comes_back_as_it_was(typed):
    back = from_any(*to_any(*typed))
    assert back == TypedValue(typed.typename, typed.value or b"")


messages = st.lists(st.tuples(type_url, st.binary(max_size=200)), max_size=5)


@given(
    typename,
    text,
    st.dictionaries(text, st.none() | st.tuples(type_url, st.binary(max_size=200))),
    messages,
    st.none() | st.tuples(typename, text.filter(bool)),
)
def test_a_request_is_what_protobuf_wrote(name, id_, state, sent, caller):
    stored = {n: b"" if v is None else peer_2.stored(v) for n, v in state.items()}
    request, body = v2.decode_request(peer_2.request((name, id_), sent, stored, caller))
    assert request == v3.decode_request(body)._replace(protocol=2)
    assert request.target == address(name, id_)
    assert request.state == {
        n: TypedValue("", None) if v is None else from_any(*v) for n, v in state.items()
    }
    for incoming, each in zip(request.invocations, sent, strict=True):
        assert v3.read_caller(incoming) == (caller and address(*caller))
        assert (incoming.argument.typename, incoming.argument.value) == from_any(*each)
        assert getattr(incoming.argument, "statefun_nb_any")  # noqa: B009 - of the message, not of its interface


@given(
    typename,
    text,
    st.dictionaries(text, st.none() | value),
    st.lists(st.tuples(st.none() | st.tuples(typename, text.filter(bool)), value), max_size=5),
)
def test_the_engines_request_is_what_protobuf_reads_and_the_function_too(name, id_, state, sent):
    data = v3.encode_request(
        address(name, id_),
        state,
        [(caller and address(*caller), typed_value_bytes(typed)) for caller, typed in sent],
    )
    encoded = v2.encode_request(data)
    batch = peer_2.ToFunction.FromString(encoded).invocation
    assert (f"{batch.target.namespace}/{batch.target.type}", batch.target.id) == (name, id_)
    for entry, wanted in zip(batch.state, state.values(), strict=True):
        if wanted is None or wanted.value is None:
            assert entry.state_value == b""
        else:
            read = Any.FromString(entry.state_value)
            assert (read.type_url, read.value) == to_any(*wanted)
    for incoming, (caller, typed) in zip(batch.invocations, sent, strict=True):
        assert (incoming.argument.type_url, incoming.argument.value) == to_any(*typed)
        assert incoming.HasField("caller") == (caller is not None)
    request, _ = v2.decode_request(encoded)
    assert request.target == address(name, id_)
    assert [v.value for v in request.state.values()] == [v and v.value for v in state.values()]


@given(typename, text, value, st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
def test_a_sent_message_reads_back_with_its_cause(name, id_, typed, recorder, seq):
    cause = cause_bytes(recorder, seq)
    reply = v3.encode_result([v3.send_chunk(name, id_, typed.typename, typed.value, cause)])
    data = v2.encode_reply(reply)
    (sent,) = peer_2.reply(data).outgoing_messages
    assert (f"{sent.target.namespace}/{sent.target.type}", sent.target.id) == (name, id_)
    assert (sent.argument.type_url, sent.argument.value) == to_any(*typed)
    (read,) = v3.decode_reply(v2.decode_reply(data)).sends
    assert read.target == address(name, id_)
    back = v3.decode_typed_value(read.argument)
    assert back == TypedValue(typed.typename, typed.value or b"")
    asked = v2.encode_request(v3.encode_request(read.target, {}, [(None, read.argument)]))
    assert v3.decode_causes(v2.decode_request(asked)[1]) == [(recorder, seq)]


@given(typename, text, value, st.integers(0, 2**50), text)
def test_each_effect_reads_back_as_it_was_written(name, id_, typed, delay, state):
    reply = v3.encode_result(
        [
            v3.mutation_chunk(state, typed),
            v3.mutation_chunk(state + "2", None),
            v3.delayed_chunk(delay, name, id_, typed, "a token", b""),
            v3.egress_chunk(name, typed),
        ]
    )
    data = v2.encode_reply(reply)
    theirs = peer_2.reply(data)
    written, deleted = theirs.state_mutations
    assert (written.mutation_type, written.state_name) == (1, state)
    found = Any.FromString(written.state_value)
    assert (found.type_url, found.value) == to_any(*typed)
    assert (deleted.mutation_type, deleted.state_value) == (0, b"")
    (later,) = theirs.delayed_invocations
    assert (later.delay_in_ms, later.argument.value) == (delay, to_any(*typed)[1])
    (record,) = theirs.outgoing_egresses
    assert f"{record.egress_namespace}/{record.egress_type}" == name
    read = v3.decode_reply(v2.decode_reply(data))
    kept, gone = read.mutations
    assert kept.value == TypedValue(ANY, written.state_value)
    assert gone == (state + "2", None)
    (timer,) = read.delayed
    assert not isinstance(timer, CancelDelayed)
    assert (timer.delay_ms, timer.target, timer.token) == (delay, address(name, id_), "")
    assert read.egress[0].egress == name
    asked = v3.encode_request(address(name, id_), {state: kept.value}, [])
    given_back = peer_2.ToFunction.FromString(v2.encode_request(asked)).invocation.state[0]
    assert given_back.state_value == written.state_value


def test_no_effects_are_no_bytes():
    assert v2.encode_reply(b"") == b""
    assert v2.decode_reply(b"") == b""


@pytest.mark.parametrize("mode", ExpireMode)
def test_the_early_handshake_of_go_has_no_types(mode):
    """What Go's SDK of that time answers when a name is missing in the request."""
    spec = StateSpec("seen", "", mode, 0 if mode is ExpireMode.NONE else 60_000)
    data = v3.encode_missing([spec])
    assert v3.decode_reply(v2.decode_reply(data)).missing == [spec._replace(typename=ANY)]


@given(st.binary(max_size=200))
def test_random_bytes_are_read_or_refused_never_anything_else(data):
    for decode in (
        v2.decode_request,
        v2.decode_reply,
        lambda b: v3.decode_reply(v2.decode_reply(b)),
    ):
        try:
            decode(data)
        except ProtocolError as error:
            assert error.status_hint == 400


@given(st.data())
def test_a_damaged_message_is_read_or_refused_never_anything_else(data):
    number = peer_2.packed(Int32Value(value=300))
    whole = bytearray(
        data.draw(
            st.sampled_from(
                [
                    peer_2.request(("a/b", "id"), [number] * 3, {"s": peer_2.stored(number)}),
                    v2.encode_reply(
                        v3.encode_result(
                            [
                                v3.send_chunk("a/b", "id", "t/x", b"v", b""),
                                v3.mutation_chunk("s", TypedValue("t/x", b"1")),
                                v3.delayed_chunk(9, "a/b", "i", TypedValue("t/x", b""), "", b""),
                            ]
                        )
                    ),
                ]
            )
        )
    )
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    for decode in (v2.decode_request, lambda b: v3.decode_reply(v2.decode_reply(b))):
        try:
            decode(cut)
        except ProtocolError as error:
            assert error.status_hint == 400


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no invocation"),
        (b"\xff\xff", "not a ToFunction message of StateFun's request-reply protocol v2"),
        (peer_2.request(("/", ""), []), "lacks a namespace"),
        (peer.request(("a/b", "x"), [peer.text("hi")]), "a request of protocol v3"),
    ],
    ids=["empty", "garbage", "no-target", "of-v3"],
)
def test_what_is_no_request_is_refused_with_the_reason(data, says):
    with pytest.raises(ProtocolError, match=says):
        v2.decode_request(data)


def message_of(url, data):
    request, _ = v2.decode_request(peer_2.request(("a/b", "x"), [(url, data)]))
    return received_message("a/b", "x", request.invocations[0].argument)


def test_a_type_is_named_behind_the_last_slash_only():
    message = message_of("anybody/shop.Cart", b"")
    cart = sf.simple_type("shop/shop.Cart", bytes, bytes)
    assert message.is_type(cart)
    assert not message.is_type(sf.simple_type("shop/Cart", bytes, bytes))
    of_v3 = received_message("a/b", "x", TypedValue("anybody/shop.Cart", b""))
    assert not of_v3.is_type(cart)  # where a typename is one as a whole


@given(st.integers(-(2**31), 2**31 - 1))
def test_a_wrapper_is_read_as_the_built_in_type_and_as_protobufs_own_class(number):
    for cls, built_in in ((Int32Value, sf.IntType), (Int64Value, sf.LongType)):
        message = message_of(*peer_2.packed(cls(value=number), "com.googleapis/"))
        assert message.value == number
        assert message.is_type(built_in)
        assert message.is_type(cls)
        assert message.as_type(cls) == cls(value=number)
    raw = struct.pack("<i", number)
    message = message_of(*peer_2.packed(BytesValue(value=raw)))
    assert message.is_type(BytesValue)
    assert message.as_type(BytesValue) == BytesValue(value=raw)
    assert message.value == BytesValue(value=raw)


def test_a_state_value_gets_the_name_that_is_declared():
    stored = {"n": peer_2.stored(("old/shop.Cart", b"1")), "m": b"\xff\xff"}
    data = peer_2.request(("a/b", "x"), [], stored)
    request, _ = v2.decode_request(data, lambda of, name: f"shop/{of[0]}.Cart" if name else None)
    assert request.state["n"] == ("old/shop.Cart", b"1")
    request, _ = v2.decode_request(data, lambda *_: "shop/shop.Cart")
    assert request.state["n"] == ("shop/shop.Cart", b"1")
    assert request.state["m"] == (ANY, b"\xff\xff")  # no Any after all


def test_what_is_in_an_any_is_shown():
    def shown(data):
        return decode_value(TypedValue(ANY, data))

    assert shown(peer_2.stored(peer_2.packed(Int64Value(value=7)))) == 7
    assert shown(peer_2.stored(("x/y", b"raw"))) == b"raw"
    assert shown(b"\xff") == b"\xff"
    nested = peer_2.stored((ANY, peer_2.stored(("x/y", b"raw"))))
    assert shown(nested) == chunk(b"\x0a", b"x/y") + b"\x12\x03raw"


def test_a_request_of_v2_is_told_from_one_with_absent_values():
    of_2 = v3.decode_request(peer_2.request(("a/b", "x"), [("t/x", b"v")]))
    with pytest.raises(ProtocolError, match="a request of protocol v2"):
        v2.refuse_in_v3(of_2)
    v2.refuse_in_v3(v3.decode_request(peer.request(("a/b", "x"), [("t/x", None), ("t/x", b"v")])))
    v2.refuse_in_v3(v3.decode_request(peer.request(("a/b", "x"), [])))
