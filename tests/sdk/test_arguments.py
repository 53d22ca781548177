"""Wrong arguments of declarations, builders and a function's context: what each says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue

import statefun_nb as sf
from statefun_nb.protocol.effects import TypedValue

HUGE = 10**5000


def fun(ctx, message): ...


def _class_with(attribute: Any) -> type[sf.StatefulFunction]:
    class Counter(sf.StatefulFunction):
        n = attribute

        def invoke(self, ctx, message): ...

    return Counter


def declare(*given: Any, **named: Any) -> None:
    sf.function("a/b", *given, **{"functions": sf.StatefulFunctions()} | named)(fun)


def declare_class(attribute: Any) -> None:
    sf.function("a/b", functions=sf.StatefulFunctions())(_class_with(attribute))


WRONG_DECLARATIONS: list[tuple[Any, tuple[Any, ...], dict[str, Any], str]] = [
    (sf.function, ([],), {}, "function typename must be provided"),
    (sf.function, ([1],), {}, "a typename is a string"),
    (sf.undeclare, (None,), {}, "a typename is a string"),
    (sf.undeclare, ([],), {}, "a typename is a string"),
    (sf.undeclare, ("a/b",), {"functions": []}, r"functions= takes sf.StatefulFunctions\(\)"),
    (sf.function, ("a/b",), {"functions": []}, r"functions= takes sf.StatefulFunctions\(\)"),
    (declare, (5,), {}, "a/b: state= takes names and their types"),
    (declare, ("visits",), {}, "a/b: state= takes names and their types"),
    (declare, ({"n": HUGE},), {}, "is not a type"),
    (sf.StatefulFunctions().register, ("a/b", fun, 0), {}, "specs holds ValueSpecs"),
    (sf.State, (int,), {"expire_after_write": 30}, "expire_after_write= takes a timedelta"),
    (sf.State, (int,), {"expire_after_write": 0}, "expire_after_write= takes a timedelta"),
    (sf.State, (int,), {"expire_after_call": ""}, "expire_after_call= takes a timedelta"),
    (sf.State, (int,), {"expire_after_call": []}, "expire_after_call= takes a timedelta"),
    (sf.State, (int,), {"expire_after_write": timedelta(0)}, "after at least 1 ms"),
    (sf.State, (int, "n"), {"expire_after_write": 30}, "state 'n': expire_after_write="),
    (sf.State, (int,), {"migrate": 5}, "migrate= takes a function"),
    (sf.ValueSpec, ("n", sf.IntType, 30), {}, "state 'n': expire_after_call= takes a timedelta"),
    (sf.ValueSpec, ("n", sf.IntType), {"migrate": 5}, "state 'n': migrate= takes a function"),
    (sf.simple_type, ("a/b", "x", "y"), {}, "serialize_fn of type 'a/b' is a function"),
    (sf.simple_type, ("a/b", bytes, "y"), {}, "deserialize_fn of type 'a/b' is a function"),
    (sf.simple_type, ([1], bytes, bytes), {}, "a typename is a string"),
    (sf.make_protobuf_type, (StringValue, b"x"), {}, "the namespace of .* is a string"),
    (declare_class, (sf.State,), {}, r"write n = sf.State\(type\)"),
    (declare_class, (sf.State[int],), {}, r"write n = sf.State\(type\)"),
    (sf.message_builder, ("a", "i"), {"int_value": 1}, "'a' is not a typename"),
    (sf.message_builder, ({}, "i"), {"int_value": 1}, "target_typename can not be missing"),
    (
        sf.message_builder,
        ("a/b", 5),
        {"int_value": 1},
        r"the id of a/b must be a string, not 5 \(int\): write str\(5\)",
    ),
    (sf.egress_message_builder, ("a", 1, int), {}, "'a' is not a typename"),
    (sf.kafka_egress_message, ([], "t", "v"), {}, "a typename is a string"),
    (sf.kinesis_egress_message, ("a", "s", "v", "k"), {}, "'a' is not a typename"),
]


@pytest.mark.parametrize(("call", "given", "named", "said"), WRONG_DECLARATIONS)
def test_a_wrong_declaration_says_what_is_wrong(call, given, named, said):
    with pytest.raises(sf.DeclarationError, match=said):
        call(*given, **named)


CYCLE: list[Any] = []
CYCLE.append(CYCLE)
KEYED: dict[str, Any] = {}
KEYED["self"] = KEYED
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]


def _fails(value: Any) -> bytes:
    raise KeyError("no such key")


FAILING = sf.simple_type("a/failing", _fails, _fails)
ANY = sf.make_json_type("a/any")

WRONG_VALUES: list[tuple[Any, Any, str]] = [
    (HUGE, None, "does not fit io.statefun.types/long"),
    (HUGE, sf.IntType, "does not fit io.statefun.types/int"),
    (HUGE, sf.StringType, "is not a value of io.statefun.types/string"),
    (HUGE, sf.BoolType, "io.statefun.types/bool"),
    (2**70, sf.BoolType, "io.statefun.types/bool"),
    (HUGE, sf.DoubleType, "io.statefun.types/double"),
    (HUGE, sf.FloatType, "io.statefun.types/float"),
    (HUGE, ANY, "is not a JSON value"),
    ([HUGE], None, "is not a JSON value"),
    ({HUGE: 1}, None, "would come back as text"),
    (CYCLE, None, "is not a JSON value"),
    (KEYED, None, "is not a JSON value"),
    (DEEP, None, "is not a JSON value"),
    (DEEP, ANY, "is not a JSON value"),
    ({"text": "\ud800"}, None, "is not a JSON value"),
    (1, FAILING, "the serializer of a/failing raised KeyError: 'no such key'"),
]


@pytest.mark.parametrize(("value", "tpe", "said"), WRONG_VALUES, ids=range(len(WRONG_VALUES)))
def test_a_value_that_cannot_be_written(value, tpe, said, functions):
    tried: list[str] = []

    @functions.bind("a/sender", [sf.ValueSpec("n", tpe or sf.make_json_type("a/any"))])
    def sender(ctx, message):
        with pytest.raises(sf.ConversionError, match=said):
            ctx.send("a/sender", "other", value, type=tpe)
        with pytest.raises(sf.ConversionError, match="state 'n' of a/sender: "):
            ctx.storage.n = value
        tried.append(ctx.address.id)

    with sf.start(port=0, functions=functions) as session:
        with pytest.raises(sf.ConversionError, match=said):
            session.send("a/sender", "x", value, type=tpe)
        with pytest.raises(sf.ConversionError, match="state 'n' of a/sender 'x': "):
            session.set_state("a/sender", "x", n=value)
        session.send("a/sender", "x", 1)
        session.wait_idle()
        assert tried == ["x"], session.parked
        assert session.state("a/sender", "x") == {}


def test_bool_value_says_what_it_takes():
    with pytest.raises(sf.ConversionError, match="it takes True or False"):
        sf.message_builder("a/b", "i", bool_value=2**70)  # type: ignore[call-overload]


@pytest.mark.parametrize("typename", [[1], 5, "a b/c", "out", "\ud800/a"])
def test_a_record_for_what_is_no_egress_cannot_be_made(typename):
    with pytest.raises(sf.DeclarationError, match="typename"):
        sf.EgressMessage(typename, TypedValue("t/y", b"1"))


def test_what_is_no_typed_value_is_refused_where_it_is_sent(functions):
    tried: list[str] = []
    text: Any = "text"
    refused: list[tuple[str, tuple[Any, ...], str]] = [
        ("send", (sf.Message("a/ok", "i", text),), "message to a/ok 'i': 'text' .* not a Typed"),
        ("send_after", (timedelta(1), sf.Message("a/ok", "i", text)), "not a TypedValue"),
        ("send_egress", (sf.EgressMessage("a/e", 5),), "egress a/e: 5 .* not a TypedValue"),  # type: ignore[arg-type]
        ("send_egress", (HUGE,), "send_egress takes what an egress builder makes"),
        ("send_after", (HUGE, "a/ok", "i", 1), "is a timedelta"),
        ("send_after", (timedelta(-1), "a/ok", "i", 1), "is negative"),
        ("send_after", (timedelta.max, "a/ok", "i", 1), "is longer than any date is away"),
        ("cancel_delayed_message", ("\ud800",), "cannot be written as UTF-8"),
        ("cancel_delayed_message", (HUGE,), "needs the token"),
    ]  # fmt: skip

    @functions.bind("a/ok")
    def ok(ctx, message):
        for call, given, said in refused:
            with pytest.raises((sf.ConversionError, sf.DeclarationError), match=said):
                getattr(ctx, call)(*given)
            tried.append(call)

    with sf.start(port=0, functions=functions) as session:
        session.send("a/ok", "x", 1)
        session.wait_idle()
        assert len(tried) == len(refused), session.parked
        (done,) = session.invocations
        assert [*done.sent, *done.delayed, *done.egress] == []
