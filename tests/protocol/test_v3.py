"""The codec against protobuf itself, in both directions."""

from __future__ import annotations

import struct
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statefun_nb.address import SdkAddress
from statefun_nb.errors import ProtocolError
from statefun_nb.protocol import v3
from statefun_nb.protocol._pool import FromFunction, ToFunction, TypedValueMessage
from statefun_nb.protocol.effects import (
    CancelDelayed,
    DelayedSend,
    Emit,
    ExpireMode,
    Mutation,
    Send,
    StateSpec,
    TypedValue,
)
from statefun_nb.protocol.wire import cause_bytes, typed_value_bytes, varint
from tests import peer

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
letters = st.characters(exclude_categories=["C", "Z"], exclude_characters="/")
part = st.text(letters, min_size=1)
typename = st.builds("{}/{}".format, part, part)
value = st.builds(TypedValue, typename, st.none() | st.binary(max_size=300))


def address(name: str, id_: str) -> SdkAddress:
    namespace, kind = name.split("/")
    return SdkAddress(namespace, kind, id_, name)


@given(st.integers(0, 2**63 - 1))
def test_a_varint_reads_back_as_the_number_it_was(number):
    data = b"\x08" + varint(number)
    assert FromFunction.ExpirationSpec.FromString(b"\x10" + data[1:]).expire_after_millis == number


@given(value)
def test_a_typed_value_is_what_protobuf_would_write(typed):
    message = TypedValueMessage.FromString(typed_value_bytes(typed))
    assert message.typename == typed.typename
    assert message.has_value == typed.has_value
    assert message.value == (typed.value or b"")
    assert typed_value_bytes(typed) == message.SerializeToString(deterministic=True)
    assert v3.decode_typed_value(typed_value_bytes(typed)) == typed


@given(typename, text, value, st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
def test_a_sent_message_reads_back_with_its_cause(name, id_, typed, recorder, seq):
    cause = cause_bytes(recorder, seq)
    data = v3.encode_result([v3.send_chunk(name, id_, typed.typename, typed.value, cause)])
    (sent,) = FromFunction.FromString(data).invocation_result.outgoing_messages
    assert (f"{sent.target.namespace}/{sent.target.type}", sent.target.id) == (name, id_)
    assert sent.argument.typename == typed.typename
    assert sent.argument.has_value == typed.has_value
    assert sent.argument.value == (typed.value or b"")
    assert sent.argument.statefun_nb_cause == struct.pack("<IQ", recorder, seq)
    (read,) = v3.decode_reply(data).sends
    assert read.target == address(name, id_)
    request = v3.encode_request(read.target, {}, [(None, read.argument)])
    (read_cause,) = v3.decode_causes(request)
    assert read_cause == (recorder, seq)


@given(
    typename,
    text,
    st.dictionaries(text, st.none() | value),
    st.lists(st.tuples(st.none() | st.tuples(typename, text), value), max_size=5),
)
def test_a_request_is_what_protobuf_reads(name, id_, state, messages):
    data = v3.encode_request(
        address(name, id_),
        state,
        [(caller and address(*caller), typed_value_bytes(typed)) for caller, typed in messages],
    )
    batch = ToFunction.FromString(data).invocation
    assert (f"{batch.target.namespace}/{batch.target.type}", batch.target.id) == (name, id_)
    assert [entry.state_name for entry in batch.state] == list(state)
    for entry in batch.state:
        wanted = state[entry.state_name]
        assert entry.HasField("state_value") == (wanted is not None)
    request = v3.decode_request(data)
    assert request.target == address(name, id_)
    assert {n: v.value for n, v in request.state.items()} == {
        n: None if v is None else v.value for n, v in state.items()
    }
    for incoming, (caller, typed) in zip(request.invocations, messages, strict=True):
        assert v3.read_caller(incoming) == (caller and address(*caller))
        assert incoming.argument.typename == typed.typename
        assert incoming.argument.has_value == typed.has_value


EFFECTS = [
    pytest.param(
        v3.send_chunk("a/b", "id", "t/x", b"v", b""),
        lambda reply: reply.sends,
        [Send(address("a/b", "id"), typed_value_bytes(TypedValue("t/x", b"v")))],
        id="send",
    ),
    pytest.param(
        v3.delayed_chunk(1500, "a/b", "id", TypedValue("t/x", b""), "token", b""),
        lambda reply: reply.delayed,
        [
            DelayedSend(
                1500, address("a/b", "id"), typed_value_bytes(TypedValue("t/x", b"")), "token"
            )
        ],
        id="delayed",
    ),
    pytest.param(
        v3.delayed_chunk(0, "a/b", "id", TypedValue("t/x", None), "", b""),
        lambda reply: reply.delayed,
        [DelayedSend(0, address("a/b", "id"), typed_value_bytes(TypedValue("t/x", None)), "")],
        id="delayed-by-nothing",
    ),
    pytest.param(
        v3.cancel_chunk("token"), lambda reply: reply.delayed, [CancelDelayed("token")], id="cancel"
    ),
    pytest.param(
        v3.egress_chunk("e/out", TypedValue("t/x", b"v")),
        lambda reply: reply.egress,
        [Emit("e/out", typed_value_bytes(TypedValue("t/x", b"v")))],
        id="egress",
    ),
    pytest.param(
        v3.mutation_chunk("name", TypedValue("t/x", b"")),
        lambda reply: reply.mutations,
        [Mutation("name", TypedValue("t/x", b""))],
        id="write-of-a-default-value",
    ),
    pytest.param(
        v3.mutation_chunk("name", None),
        lambda reply: reply.mutations,
        [Mutation("name", None)],
        id="delete",
    ),
]


@pytest.mark.parametrize(("chunk", "pick", "expected"), EFFECTS)
def test_each_effect_reads_back_as_it_was_written(chunk, pick, expected):
    assert pick(v3.decode_reply(v3.encode_result([chunk]))) == expected


@pytest.mark.parametrize(
    "spec",
    [
        StateSpec("a", "t/x", ExpireMode.NONE, 0),
        StateSpec("b", "t/x", ExpireMode.AFTER_WRITE, 1),
        StateSpec("c", "t/x", ExpireMode.AFTER_INVOKE, 2**40),
    ],
    ids=lambda spec: spec.mode.name,
)
def test_the_handshake_reads_back_as_it_was_written(spec):
    data = v3.encode_missing([spec])
    (missing,) = FromFunction.FromString(data).incomplete_invocation_context.missing_values
    assert missing.expiration_spec.mode == int(spec.mode)
    assert missing.expiration_spec.expire_after_millis == spec.expire_after_ms
    assert v3.decode_reply(data).missing == [spec]


def test_no_effects_are_no_bytes():
    assert v3.encode_result([]) == b""
    assert v3.decode_reply(b"") == ((), (), (), (), None)


@given(st.binary(max_size=200))
def test_random_bytes_are_read_or_refused_never_anything_else(data):
    for decode in (v3.decode_request, v3.decode_reply, v3.decode_typed_value, v3.decode_causes):
        try:
            decode(data)
        except ProtocolError as error:
            assert error.status_hint == 400


@given(st.data())
def test_a_damaged_request_is_read_or_refused_never_anything_else(data):
    whole = bytearray(peer.request(("a/b", "id"), [peer.text("x")] * 3, {"s": ("t/x", b"1")}))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        request = v3.decode_request(cut)
    except ProtocolError:
        return
    assert request.target.namespace
    assert request.target.name


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no invocation"),
        (b"\xff\xff", "not a ToFunction"),
        (ToFunction(invocation={}).SerializeToString(), "lacks a namespace"),
    ],
    ids=["empty", "garbage", "no-target"],
)
def test_what_is_no_request_is_refused_with_the_reason(data, says):
    with pytest.raises(ProtocolError, match=says):
        v3.decode_request(data)


def test_the_official_sdk_and_a_generated_module_live_beside_ours():
    pytest.importorskip("statefun")
    code = (
        "import statefun, statefun_nb, statefun.request_reply_pb2 as theirs\n"
        "from statefun_nb.protocol._pool import ToFunction\n"
        "assert ToFunction is not theirs.ToFunction\n"
        "print(theirs.ToFunction.DESCRIPTOR.full_name)"
    )
    for order in (code, code.replace("statefun, statefun_nb", "statefun_nb, statefun")):
        run = subprocess.run(
            [sys.executable, "-c", order], check=False, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
        assert run.stdout.strip() == "io.statefun.sdk.reqreply.ToFunction"
