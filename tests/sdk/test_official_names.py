"""One module of expectations, run on the official SDK and on ours: each public name of it."""

from __future__ import annotations

import importlib
import inspect
import json
import warnings
from datetime import timedelta

import pytest

from tests import peer


@pytest.fixture(params=["statefun", "statefun_nb"])
def sdk(request):
    return pytest.importorskip(request.param)


def public_names(module):
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }


def test_every_public_name_is_exported():
    theirs = public_names(pytest.importorskip("statefun"))
    ours = importlib.import_module("statefun_nb")
    assert theirs <= set(ours.__all__)
    scope: dict[str, object] = {}
    exec("from statefun_nb import *", scope)
    assert theirs <= scope.keys()


def test_signatures_take_the_same_arguments():
    theirs = pytest.importorskip("statefun")
    ours = importlib.import_module("statefun_nb")
    for name in sorted(public_names(theirs)):
        their, our = getattr(theirs, name), getattr(ours, name)
        if not callable(their):
            continue
        wanted = [p for p in inspect.signature(their).parameters if p not in ("args", "kwargs")]
        given = list(inspect.signature(our).parameters)
        assert given[: len(wanted)] == wanted, name


def serve(sdk, functions, data):
    return peer.reply(sdk.RequestReplyHandler(functions).handle_sync(data))


def test_a_batch_runs_in_order_on_one_state_and_replies_with_the_sum(sdk):
    functions = sdk.StatefulFunctions()

    @functions.bind(typename="example/person", specs=[sdk.ValueSpec("visits", sdk.IntType)])
    async def person(context, message):
        context.storage.visits = (context.storage.visits or 0) + message.as_int()
        context.send(sdk.message_builder("example/greeter", context.address.id, str_value="hi"))

    five = peer.INT, b"\x0d\x05\0\0\0"
    data = peer.request(("example/person", "bob"), [five, five], {"visits": five})
    result = serve(sdk, functions, data).invocation_result
    (mutation,) = result.state_mutations
    assert (mutation.mutation_type, mutation.state_name) == (1, "visits")
    assert mutation.state_value.value == b"\x0d\x0f\0\0\0"
    assert [m.target.id for m in result.outgoing_messages] == ["bob", "bob"]
    assert result.outgoing_messages[0].argument.typename == peer.STRING
    assert result.outgoing_messages[0].argument.value == b"\x0a\x02hi"


def test_missing_state_names_are_asked_for_and_nothing_runs(sdk):
    functions = sdk.StatefulFunctions()
    runs = []
    functions.register(
        "a/b",
        lambda context, message: runs.append(1),
        [
            sdk.ValueSpec("known", sdk.IntType),
            sdk.ValueSpec("plain", sdk.StringType),
            sdk.ValueSpec("call", sdk.LongType, expire_after_call=timedelta(seconds=1.5)),
            sdk.ValueSpec("write", sdk.BoolType, expire_after_write=timedelta(minutes=1)),
        ],
    )
    answer = serve(sdk, functions, peer.request(("a/b", "x"), [peer.text("m")], {"known": None}))
    missing = answer.incomplete_invocation_context.missing_values
    assert [
        (
            m.state_name,
            m.type_typename,
            m.expiration_spec.mode,
            m.expiration_spec.expire_after_millis,
        )
        for m in missing
    ] == [
        ("plain", peer.STRING, 0, 0),
        ("call", peer.LONG, 2, 1500),
        ("write", "io.statefun.types/bool", 1, 60_000),
    ]
    assert not runs


def test_storage_reads_writes_and_deletes(sdk):
    functions = sdk.StatefulFunctions()
    cart = sdk.make_json_type("example/cart")
    seen = []

    @functions.bind("a/b", [sdk.ValueSpec("cart", cart), sdk.ValueSpec("gone", sdk.StringType)])
    def function(context, message):
        storage = context.storage
        seen.append((storage.cart, storage.gone))
        storage.cart = {"n": 1}
        del storage.gone
        seen.append((storage.cart, storage.gone))
        with pytest.raises(ValueError):
            storage.cart = None
        with pytest.raises(AttributeError, match="nothing"):
            _ = storage.nothing

    state = {"cart": None, "gone": peer.text("x")}
    result = serve(sdk, functions, peer.request(("a/b", "x"), [peer.text("m")], state))
    assert seen == [(None, "x"), ({"n": 1}, None)]
    written = {m.state_name: m for m in result.invocation_result.state_mutations}
    assert json.loads(written["cart"].state_value.value) == {"n": 1}
    assert written["cart"].state_value.typename == "example/cart"
    assert written["gone"].mutation_type == 0


def test_changing_an_object_that_was_read_changes_no_state(sdk):
    functions = sdk.StatefulFunctions()
    cart = sdk.make_json_type("example/cart")

    @functions.bind("a/b", [sdk.ValueSpec("cart", cart)])
    def function(context, message):
        context.storage.cart["n"] = 2
        assert context.storage.cart == {"n": 1}

    state = {"cart": ("example/cart", b'{"n": 1}')}
    result = serve(sdk, functions, peer.request(("a/b", "x"), [peer.text("m")], state))
    assert not result.invocation_result.state_mutations


def test_a_state_of_another_type_is_a_type_error(sdk):
    functions = sdk.StatefulFunctions()
    functions.register(
        "a/b", lambda context, message: context.storage.n, [sdk.ValueSpec("n", sdk.IntType)]
    )
    data = peer.request(("a/b", "x"), [peer.text("m")], {"n": peer.text("x")})
    with pytest.raises(TypeError, match=r"io.statefun.types/string.*io.statefun.types/int"):
        serve(sdk, functions, data)


def test_caller_and_address_are_sdk_addresses(sdk):
    functions = sdk.StatefulFunctions()
    seen = []
    functions.register(
        "a/b", lambda context, message: seen.append((context.address, context.caller))
    )
    serve(sdk, functions, peer.request(("a/b", "x"), [peer.text("m")], caller=("c/d", "y")))
    serve(sdk, functions, peer.request(("a/b", "x"), [peer.text("m")]))
    address = sdk.SdkAddress(namespace="a", name="b", id="x", typename="a/b")
    caller = sdk.SdkAddress(namespace="c", name="d", id="y", typename="c/d")
    assert seen == [(address, caller), (address, None)]


def test_delayed_messages_and_cancellations_keep_their_order(sdk):
    functions = sdk.StatefulFunctions()

    @functions.bind("a/b")
    def function(context, message):
        later = sdk.message_builder(target_typename="c/d", target_id="y", long_value=7)
        context.send_after(timedelta(seconds=2, microseconds=1999), later, "token")
        context.cancel_delayed_message("token")
        context.send_after(timedelta(0), later)

    result = serve(sdk, functions, peer.request(("a/b", "x"), [peer.text("m")])).invocation_result
    assert [
        (d.delay_in_ms, d.target.id, d.cancellation_token, d.is_cancellation_request)
        for d in result.delayed_invocations
    ] == [(2001, "y", "token", False), (0, "", "token", True), (0, "y", "", False)]


@pytest.mark.parametrize(
    ("keyword", "value", "typename", "data"),
    [
        ("int_value", 3, "int", b"\x0d\x03\0\0\0"),
        ("long_value", -1, "long", b"\x09" + b"\xff" * 8),
        ("float_value", 1.0, "float", b"\x0d\0\0\x80\x3f"),
        ("double_value", 1.0, "double", b"\x09\0\0\0\0\0\0\xf0\x3f"),
        ("str_value", "hi", "string", b"\x0a\x02hi"),
        ("bool_value", True, "bool", b"\x08\x01"),
        ("int_value", 0, "int", b""),
    ],
)
def test_message_builder_knows_each_keyword(sdk, keyword, value, typename, data):
    message = sdk.message_builder("a/b", "x", **{keyword: value})
    assert isinstance(message, sdk.Message)
    assert message.value_typename() == f"io.statefun.types/{typename}"
    assert message.raw_value() == data
    assert getattr(message, f"is_{typename}")()
    assert getattr(message, f"as_{typename}")() == value
    assert (message.target_typename, message.target_id) == ("a/b", "x")


@pytest.mark.parametrize(
    ("arguments", "keywords", "error"),
    [
        (("a/b", "x"), {}, TypeError),
        (("a/b", "x"), {"str_value": None}, ValueError),
        (("a/b", "x"), {"other_value": 1}, ValueError),
        (("", "x"), {"str_value": "v"}, ValueError),
        (("a/b", ""), {"str_value": "v"}, ValueError),
        (("a/b", None), {"str_value": "v"}, ValueError),
    ],
)
def test_message_builder_refuses_what_is_incomplete(sdk, arguments, keywords, error):
    with pytest.raises(error):
        sdk.message_builder(*arguments, **keywords)


def test_value_and_value_type_go_together(sdk):
    upper = sdk.simple_type(
        typename="x/upper", serialize_fn=lambda s: s.upper().encode(), deserialize_fn=bytes.decode
    )
    message = sdk.message_builder("a/b", "x", value="hi", value_type=upper)
    assert message.is_type(upper)
    assert message.as_type(upper) == "HI"
    assert isinstance(upper, sdk.Type)
    assert isinstance(upper.serializer(), sdk.TypeSerializer)


def test_absent_values_read_as_none(sdk):
    functions = sdk.StatefulFunctions()
    seen = []
    functions.register(
        "a/b", lambda context, message: seen.append((message.raw_value(), message.as_int()))
    )
    serve(sdk, functions, peer.request(("a/b", "x"), [(peer.INT, None)]))
    assert seen == [(None, None)]


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ("hé", "hé".encode()),
        (b"raw", b"raw"),
        (bytearray(b"raw"), b"raw"),
        (1, b"\0\0\0\x01"),
        (1.0, b"\x3f\xf0\0\0\0\0\0\0"),
    ],
)
def test_kafka_records_convert_values_as_kafka_does(sdk, value, data):
    from statefun_nb.protocol.records import decode_kafka_record

    message = sdk.kafka_egress_message(typename="e/out", topic="t", value=value, key="k")
    assert isinstance(message, sdk.EgressMessage)
    assert message.value_typename().endswith("io.statefun.sdk.egress.KafkaProducerRecord")
    record = decode_kafka_record(message.raw_value())
    assert (record.topic, record.key, record.value) == ("t", "k", data)


def test_egress_messages_reach_their_egress(sdk):
    functions = sdk.StatefulFunctions()

    @functions.bind("a/b")
    def function(context, message):
        context.send_egress(
            sdk.kinesis_egress_message("e/kin", "s", "v", "p", explicit_hash_key="h")
        )
        context.send_egress(sdk.egress_message_builder("e/any", 5, sdk.IntType))

    result = serve(sdk, functions, peer.request(("a/b", "x"), [peer.text("m")])).invocation_result
    kinesis, generic = result.outgoing_egresses
    assert (kinesis.egress_namespace, kinesis.egress_type) == ("e", "kin")
    assert (generic.egress_namespace, generic.egress_type) == ("e", "any")
    assert generic.argument.typename == peer.INT


@pytest.mark.parametrize(
    ("build", "error"),
    [
        (lambda s: s.kafka_egress_message("e/o", "", "v"), ValueError),
        (lambda s: s.kafka_egress_message("e/o", "t", None), ValueError),
        (lambda s: s.kafka_egress_message("e/o", "t", object()), TypeError),
        (lambda s: s.kinesis_egress_message("e/o", "", "v", "p"), ValueError),
        (lambda s: s.kinesis_egress_message("e/o", "s", "v", None), ValueError),
        (lambda s: s.kinesis_egress_message("e/o", "s", 1, "p"), TypeError),
        (lambda s: s.egress_message_builder("", 1, s.IntType), ValueError),
        (lambda s: s.egress_message_builder("e/o", None, s.IntType), ValueError),
        (lambda s: s.ValueSpec("", s.IntType), ValueError),
        (lambda s: s.ValueSpec("a b", s.IntType), ValueError),
        (lambda s: s.ValueSpec("class", s.IntType), ValueError),
        (lambda s: s.ValueSpec("Upper", s.IntType), ValueError),
        (lambda s: s.ValueSpec("x", None), ValueError),
        (lambda s: s.ValueSpec("x", int), TypeError),
        (
            lambda s: s.ValueSpec("x", s.IntType, timedelta(seconds=1), timedelta(seconds=1)),
            ValueError,
        ),
        (lambda s: s.simple_type("", str, str), ValueError),
        (lambda s: s.simple_type("a/b", None, str), ValueError),
        (lambda s: s.simple_type("a/b", str, None), ValueError),
        (lambda s: s.RequestReplyHandler(None), ValueError),
        (lambda s: s.StatefulFunctions().register("a/b", None), ValueError),
        (lambda s: s.StatefulFunctions().register("", lambda c, m: None), ValueError),
        (lambda s: s.StatefulFunctions().register("a/b", lambda c: None), ValueError),
        (
            lambda s: s.StatefulFunctions().register(
                "a/b", lambda c, m: None, [s.ValueSpec("x", s.IntType), s.ValueSpec("x", s.IntType)]
            ),
            ValueError,
        ),
        (lambda s: s.Message("", "x", "v"), ValueError),
        (lambda s: s.EgressMessage("", "v"), ValueError),
    ],
)
def test_wrong_declarations_and_values_are_refused(sdk, build, error):
    with pytest.raises(error) as caught:
        build(sdk)
    if sdk.__name__ == "statefun_nb":
        assert isinstance(caught.value, importlib.import_module("statefun_nb").StatefunError)


def test_protobuf_types_are_named_after_their_message(sdk):
    from google.protobuf.wrappers_pb2 import StringValue

    assert sdk.make_protobuf_type(StringValue).typename.endswith("/google.protobuf.StringValue")
    other = sdk.make_protobuf_type(StringValue, namespace="mine")
    assert other.typename == "mine/google.protobuf.StringValue"
    message = sdk.message_builder("a/b", "x", value=StringValue(value="v"), value_type=other)
    assert message.as_type(other) == StringValue(value="v")


def test_a_user_error_reaches_the_caller_of_the_handler(sdk):
    functions = sdk.StatefulFunctions()

    @functions.bind("a/b")
    def function(context, message):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        serve(sdk, functions, peer.request(("a/b", "x"), [peer.text("m")]))


def test_an_unknown_function_is_a_key_error(sdk):
    with pytest.raises(KeyError):
        serve(sdk, sdk.StatefulFunctions(), peer.request(("a/b", "x"), [peer.text("m")]))


def test_the_same_request_gets_the_same_bytes_from_both():
    theirs, ours = pytest.importorskip("statefun"), importlib.import_module("statefun_nb")

    def functions_of(sdk):
        functions = sdk.StatefulFunctions()

        @functions.bind(
            "a/b", [sdk.ValueSpec("n", sdk.LongType), sdk.ValueSpec("s", sdk.StringType)]
        )
        def function(context, message):
            context.storage.n = (context.storage.n or 0) + 1
            del context.storage.s
            context.send(sdk.message_builder("c/d", "ключ", str_value="x" * 500))
            context.send_after(timedelta(days=1), sdk.message_builder("c/d", "y", bool_value=False))
            context.send_egress(sdk.kafka_egress_message("e/o", "t", "v", key="k"))

        return functions

    data = peer.request(("a/b", "x"), [peer.text("m")] * 3, {"n": None, "s": peer.text("y")})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert serve(theirs, functions_of(theirs), data) == serve(ours, functions_of(ours), data)
