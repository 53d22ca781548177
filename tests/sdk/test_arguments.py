"""Wrong arguments of declarations, builders and a function's context: what each says."""

from __future__ import annotations

import asyncio
import copy
import pickle
from datetime import timedelta
from enum import Enum
from typing import Any

import numpy  # noqa: ICN001
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import statefun_nb as sf
from statefun_nb.cells.blame import reason_of
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


def annotated(annotation: Any) -> None:
    cls: Any = _class_with(None)
    del cls.n
    cls.__annotations__ = {"n": annotation}
    sf.function("a/b", functions=sf.StatefulFunctions())(cls)


class Swapped(sf.StatefulFunction):
    def invoke(self, message, ctx):
        pass


class OfOne(sf.StatefulFunction):
    def invoke(self, ctx):  # type: ignore[override]  # the mistake
        pass


class Plain:
    def __init__(self, ctx, message): ...


def register(given: Any) -> None:
    sf.StatefulFunctions().register("a/b", given)


def bind(given: Any) -> None:
    sf.StatefulFunctions().bind("a/b")(given)


# Neither true nor false, and equal to nothing: as numpy's arrays.
ARRAY = numpy.array([1, 2])

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
    (
        declare,
        ({"n": 5},),
        {},
        r"state 'n': 5 \(int\) is not a type, .* write {'n': int}, and",
    ),
    (annotated, (sf.State(int),), {}, r"n of Counter is only annotated, .* write n = sf.State\("),
    (annotated, (sf.State,), {}, r"n of Counter is only annotated"),
    (annotated, (sf.State[int],), {}, r"n of Counter is only annotated"),
    (
        annotated,
        ("sf.State(int)",),
        {},
        r"only annotated, .* write n = sf.State\(int\), with an",
    ),
    (
        annotated,
        ("State(Cart, expire_after_write=HOUR)",),
        {},
        r"State\(Cart, expire_after_",
    ),
    (register, (Plain,), {}, "a/b: Plain is a class, .* derive it from sf.StatefulFunction"),
    (
        register,
        (_class_with(sf.State(int)),),
        {},
        r"Counter is a class, .*sf.function\(\"a/b\",",
    ),
    (bind, (Plain,), {}, "a/b: Plain is a class"),
    (
        register,
        (lambda message, ctx: None,),
        {},
        "a/b: the context comes first, and then the message: write lambda ctx, message: ...$",
    ),
    (
        register,
        (Swapped().invoke,),
        {},
        r"a/b: the context comes first, .*: write def invoke\(self, ctx, message\)$",
    ),
    (
        register,
        (OfOne().invoke,),
        {},
        r"rather \['self', 'ctx'\]: write def invoke\(self, ctx, message\)$",
    ),
    (
        register,
        (lambda ctx, message, n=1: None,),
        {},
        r"functools.partial\(function, n=n\) gives",
    ),
    (
        sf.function,
        ("a/b\u200b",),
        {},
        r"'a/b\\u200b' is not a typename: it has a zero width space",
    ),
    (sf.function, ("a/b c",), {}, r"is not a typename: it has a blank in it"),
    (sf.function, ("a/b\n",), {}, r"it has a line end U\+000A in it"),
    (sf.function, (ARRAY,), {}, "a typename is a string"),
    (register, (ARRAY,), {}, "cannot be called"),
    (sf.ValueSpec, (ARRAY, sf.IntType), {}, "the name of a state value is a string"),
    (sf.ValueSpec, ("n", ARRAY), {}, "the type of state 'n' is a StateFun Type"),
    (sf.make_json_type, (ARRAY,), {}, "a typename is a string"),
    (sf.make_protobuf_type, (ARRAY,), {}, "is not a generated protobuf class"),
    (sf.simple_type, ("a/b", ARRAY, bytes), {}, "serialize_fn of type 'a/b' is a function"),
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


def test_what_is_no_typed_value_is_refused_where_a_message_is_made():
    wrong: Any = "text"
    with pytest.raises(sf.ConversionTypeError, match=r"message to a/ok 'i': 'text' .* not a"):
        sf.Message("a/ok", "i", wrong)
    with pytest.raises(sf.ConversionTypeError, match=r"egress a/e: 'text' .* not a TypedValue"):
        sf.EgressMessage("a/e", wrong)


def test_what_cannot_be_sent_is_refused_where_it_is_sent(functions):
    tried: list[str] = []
    refused: list[tuple[str, tuple[Any, ...], str]] = [
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


def test_an_annotation_beside_its_declaration_is_no_slip():
    class Base(sf.StatefulFunction):
        n: sf.State[int]
        m: sf.State[int] = sf.State(int)

    class Counter(Base):
        n = sf.State(int)
        other: int = 0

        def invoke(self, ctx, message): ...

    functions = sf.StatefulFunctions()
    sf.function("a/b", functions=functions)(Counter)
    assert sorted(functions.for_typename("a/b").layout.specs) == ["m", "n"]


class Town(str, Enum):
    HERE = "here"
    CART = "a/town"


class Name(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


def test_a_member_of_an_enum_of_texts_stands_for_its_value(functions):
    @sf.function(Town.CART, state={"n": int}, functions=functions)
    def town(ctx, message):
        ctx.storage.n = message.value
        if message.value == 1:
            ctx.send(Town.CART, Name("there"), 2)

    with sf.start(port=0, functions=functions) as session:
        session.send(Town.CART, Town.HERE, 1)
        session.wait_idle()
        assert session.state("a/town") == {"here": {"n": 1}, "there": {"n": 2}}
        assert session.state(Town.CART, Town.HERE) == {"n": 1}
        for each in session.invocations:
            assert type(each.address.typename) is type(each.address.id) is str
        assert repr(functions) == "<StatefulFunctions: a/town>"


NO_ITEMS = (
    "TypeError: 'Message' object is not subscriptable; its value is message.value, as in "
    "message.value['x'], or what message.as_type(...) gives"
)


def test_what_is_asked_of_the_wrong_object_says_where_it_is(functions):
    said: list[str] = []

    @functions.bind("a/f")
    def f(ctx, message):
        for name in ("state", "as_int", "sned", "reply", "rest"):
            with pytest.raises(AttributeError) as caught:
                getattr(ctx, name)
            said.append(reason_of(caught.value))
        with pytest.raises(TypeError) as items:
            message["x"]
        said.append(reason_of(items.value))
        assert not hasattr(ctx, "no_such_name")

    with sf.start(port=0, functions=functions) as session:
        session.send("a/f", "x", 1)
        session.wait_idle()
        assert not session.parked
    assert said == [
        f"AttributeError: 'InvocationContext' object has no attribute {hint}"
        for hint in (
            "'state'; what is declared with state= is ctx.storage.NAME",
            "'as_int'; that is asked of the message (are the two parameters swapped?)",
            "'sned'; did you mean 'send'?",
            "'reply'; write ctx.send(ctx.caller.typename, ctx.caller.id, value)",
            "'rest'",
        )
    ] + [NO_ITEMS]


@pytest.mark.parametrize("how", [pickle.dumps, copy.copy, copy.deepcopy])
def test_what_is_at_work_is_not_copied(functions, how):
    said: list[str] = []

    def try_each(*objects: Any) -> None:
        for each in objects:
            with pytest.raises(sf.CopyError, match="is at work and cannot be copied or pickled"):
                how(each)
            said.append(type(each).__name__)

    @functions.bind("a/f")
    def f(ctx, message):
        try_each(ctx, ctx.storage)

    with sf.start(port=0, functions=functions) as session:
        session.send("a/f", "x", 1)
        session.wait_idle()
        assert not session.parked
        handler = sf.RequestReplyHandler(functions)
        try_each(session, session.invocations, functions, handler)
    assert len(said) == 6
    message = sf.message_builder("a/b", "i", int_value=3)
    assert copy.deepcopy(message).as_int() == 3


@pytest.mark.parametrize("request_", ["x", 5, None, ARRAY, [1]])
def test_a_handler_takes_bytes(functions, request_):
    handler = sf.RequestReplyHandler(functions)
    with pytest.raises(sf.ConversionTypeError, match="a handler takes the bytes of a request, not"):
        handler.handle_sync(request_)
    with pytest.raises(sf.ConversionTypeError, match="a handler takes the bytes of a request, not"):
        asyncio.run(handler.handle_async(request_))
