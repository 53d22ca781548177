"""Code as users write it, with annotations: no checker has anything to say of it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from google.protobuf.wrappers_pb2 import StringValue
from typing_extensions import assert_type

import statefun_nb as sf


@dataclass
class Cart:
    owner: str
    apples: int = 0


# Types.

TEXT = sf.make_protobuf_type(StringValue)
ANY = sf.make_json_type("shop/any")
CART: sf.Type[Cart] = sf.simple_type(
    "shop/cart", lambda cart: cart.owner.encode(), lambda data: Cart(data.decode())
)
assert_type(TEXT, sf.Type[StringValue])
assert_type(ANY, sf.Type[Any])
assert_type(sf.IntType, sf.Type[int])
assert_type(sf.LongType, sf.Type[int])
assert_type(sf.FloatType, sf.Type[float])
assert_type(sf.DoubleType, sf.Type[float])
assert_type(sf.BoolType, sf.Type[bool])
assert_type(sf.StringType, sf.Type[str])
assert_type(sf.StringType.serializer().deserialize(b""), str)


class Bytes(sf.TypeSerializer):
    def serialize(self, value: bytes) -> bytes:
        return value

    def deserialize(self, data: bytes) -> bytes:
        return data


class Mine(sf.Type):  # as in the official SDK: it says nothing of its values
    def __init__(self) -> None:
        super().__init__("shop/bytes")

    def serializer(self) -> sf.TypeSerializer:
        return Bytes()


class CartSerializer(sf.TypeSerializer[Cart]):
    def serialize(self, value: Cart) -> bytes:
        return value.owner.encode()

    def deserialize(self, byte: bytes) -> Cart:
        return Cart(byte.decode())


class CartType(sf.Type[Cart]):
    def __init__(self) -> None:
        super().__init__("shop/cart")

    def serializer(self) -> sf.TypeSerializer[Cart]:
        return CartSerializer()


# Functions, by each way of declaring them.

functions = sf.StatefulFunctions()


@sf.function(
    "shop/visits",
    state={"visits": int, "cart": Cart, "text": TEXT, "seen": dict[str, int]},
    functions=functions,
)
def visits(ctx: sf.Context, message: sf.Message) -> None:
    ctx.storage.visits = (ctx.storage.visits or 0) + 1
    assert_type(message.as_int(), int | None)
    assert_type(message.as_long(), int | None)
    assert_type(message.as_float(), float | None)
    assert_type(message.as_double(), float | None)
    assert_type(message.as_bool(), bool | None)
    assert_type(message.as_string(), str | None)
    assert_type(message.as_type(Cart), Cart | None)
    assert_type(message.as_type(CART), Cart | None)
    assert_type(message.as_type(CartType()), Cart | None)
    assert_type(message.as_type(TEXT), StringValue | None)
    assert_type(message.as_type(StringValue), StringValue | None)
    assert_type(message.as_type(sf.IntType), int | None)
    assert_type(message.as_type(str), str | None)
    assert_type(message.as_type(dict[str, int]), dict[str, int] | None)
    assert_type(message.as_type(ANY), Any | None)
    assert_type(message.as_type(Mine()), Any | None)
    if message.is_type(Cart) or message.is_type(TEXT) or message.is_int():
        ctx.send(sf.Message("shop/other", ctx.address.id, message.typed_value))
    if ctx.caller is not None:
        ctx.send(ctx.caller.typename, ctx.caller.id, "hi")
    ctx.send("shop/other", "bob", 5, type=sf.IntType)
    ctx.send("shop/other", "bob", Cart("bob"), type=Cart)
    second = timedelta(seconds=1)
    ctx.send_after(second, "shop/other", "bob", Cart("bob"), token="t", type=CART)
    ctx.send_after(second, sf.message_builder("shop/other", "bob", str_value="hi"), "t")
    ctx.cancel_delayed_message("t")


@sf.function("shop/slow", state=[sf.ValueSpec("n", sf.IntType)], functions=functions)
async def slow(ctx: sf.Context, message: sf.Message) -> int:
    ctx.storage.n = message.as_int()
    return 1


@functions.bind("shop/bound", [sf.ValueSpec("cart", CART, expire_after_call=timedelta(hours=1))])
def bound(context: sf.Context, message: sf.Message) -> str:
    del context.storage.cart
    return "is not looked at"


def renamed(plain: dict[str, str]) -> Cart:
    return Cart(plain["name"])


@sf.function(
    "shop/migrated", state={"cart": sf.State(Cart, migrate=renamed), "n": int}, functions=functions
)
def migrated(ctx: sf.Context, message: sf.Message) -> None:
    assert_type(sf.State(Cart, migrate=renamed), sf.State[Cart])
    sf.ValueSpec("cart", CART, migrate=renamed)


@functions.bind(typename="shop/bound_slow")
async def bound_slow(context: sf.Context, message: sf.Message) -> None:
    context.send_egress(sf.kafka_egress_message("shop/out", "topic", "text", key="bob"))
    context.send_egress(sf.kafka_egress_message("shop/out", "topic", Cart("bob"), CART))
    context.send_egress(sf.kafka_egress_message("shop/out", "topic", Cart("bob"), Cart))
    context.send(sf.message_builder("shop/other", "bob", value=Cart("bob"), value_type=Cart))
    context.send_egress(sf.kafka_egress_message("shop/out", "topic", 1, value_type=sf.LongType))
    context.send_egress(sf.kinesis_egress_message("shop/out", "stream", b"bytes", "key"))
    context.send_egress(sf.kinesis_egress_message("shop/out", "stream", Cart("bob"), "key", CART))
    context.send_egress(sf.egress_message_builder("shop/out", StringValue(value="v"), TEXT))
    context.send_egress(sf.egress_message_builder("shop/out", {"any": 1}, ANY))


@sf.function("shop/basket", functions=functions)
class Basket(sf.StatefulFunction):
    cart = sf.State(Cart, expire_after_write=timedelta(minutes=30))
    visits = sf.State(int, name="seen")
    typed = sf.State(sf.IntType)
    text = sf.State(TEXT)
    named = sf.State(dict[str, int])
    anything = sf.State(ANY)
    official = sf.State(Mine())
    bare: sf.State = sf.State(float)

    def invoke(self, ctx: sf.Context, message: sf.Message) -> None:
        assert_type(self.cart, sf.State[Cart])
        assert_type(self.cart.get(), Cart | None)
        assert_type(self.visits.get(), int | None)
        assert_type(self.typed.get(), int | None)
        assert_type(self.text.get(), StringValue | None)
        assert_type(self.named.get(), dict[str, int] | None)
        assert_type(self.anything.get(), Any | None)
        assert_type(self.official.get(), Any | None)
        assert_type(self.bare.get(), Any | None)
        assert_type(self.cart.exists, bool)
        self.cart.set(Cart("bob", apples=self.total()))
        self.visits.set((self.visits.get() or 0) + 1)
        self.anything.set({"any": [1, None]})
        self.cart.clear()

    def total(self) -> int:
        cart = self.cart.get()
        return 0 if cart is None else cart.apples


@sf.function("shop/slow_basket", functions=functions)
class SlowBasket(sf.StatefulFunction):
    cart: sf.State[Cart] = sf.State(CART)

    def __init__(self) -> None:
        self.count = 0

    async def invoke(self, context: sf.Context, message: sf.Message) -> None:  # its own names
        self.count += 1
        self.cart.set(message.as_type(Cart) or Cart("nobody"))


class Greeter:
    def __init__(self, greeting: str) -> None:
        self.greeting = greeting

    def __call__(self, ctx: sf.Context, message: sf.Message) -> None:
        ctx.send_egress(sf.kafka_egress_message("shop/out", "topic", self.greeting))

    def method(self, ctx: sf.Context, message: sf.Message, *, loud: bool = False) -> None:
        self(ctx, message)


# What comes out of a decorator is what went in: the names of parameters, methods, attributes.


async def unchanged(ctx: sf.Context, message: sf.Message) -> None:
    assert_type(visits(ctx=ctx, message=message), None)
    assert_type(await slow(ctx=ctx, message=message), int)
    assert_type(bound(context=ctx, message=message), str)
    assert_type(await bound_slow(context=ctx, message=message), None)
    assert_type(Basket().total(), int)
    assert_type(SlowBasket().count, int)


greeter = sf.function("shop/greeter", functions=functions)(Greeter("hi"))
assert_type(greeter, Greeter)
assert_type(greeter.greeting, str)
sf.function("shop/method", functions=functions)(greeter.method)
sf.function("shop/partial", functions=functions)(functools.partial(greeter.method, loud=True))
functions.register("shop/registered", greeter)


# Sessions.


def run() -> None:
    with sf.start(engine="embedded", port=0, functions=functions, clock="virtual") as s:
        assert_type(s, sf.Session)
        s.send("shop/basket", "ann", Cart("ann"))
        s.send("shop/basket", "ann", 1, type=sf.IntType, delay=timedelta(seconds=1))
        s.send("shop/basket", "ann", 1, type=int)
        s.send(sf.message_builder("shop/basket", "ann", int_value=1))
        s.send(sf.message_builder("shop/basket", "ann", bool_value=True), delay=timedelta(0))
        s.send(sf.message_builder("shop/basket", "ann", value=Cart("ann"), value_type=CART))
        assert_type(s.send_many([("shop/basket", "ann", 1), ("shop/basket", "bob", Cart(""))]), int)
        assert_type(s.wait_idle().processed, int)
        assert_type(s.advance(timedelta(minutes=1)).parked, int)
        assert_type(s.check("shop/basket", "ann").state(seen=1).invoked(1), sf.Check)
        assert_type(s.state("shop/basket", "ann"), dict[str, Any])
        s.set_state("shop/basket", "ann", seen=1, cart=None)
        assert_type(s.state("shop/basket")["ann"], dict[str, Any])
        assert_type([each.value for each in s.egress("shop/out")], list[Any])
        assert_type(s.invocations[-1], sf.Invocation)
        assert_type(s.invocations[-10:], sf.Invocations)
        assert_type(s.replay(s.invocations.filter(type="shop/basket")), sf.Replay)
        assert_type(s.step(), sf.Invocation | None)


def run_on_a_cluster() -> sf.Session:
    session = sf.start(engine="flink", delivery="exactly-once", on_error="retry", parallelism=2)
    assert_type(sf.session(), sf.Session)
    return session


handler = sf.RequestReplyHandler(functions)


async def web(body: bytes) -> bytes:
    assert_type(handler.handle_sync(body), bytes)
    return await handler.handle_async(body)
