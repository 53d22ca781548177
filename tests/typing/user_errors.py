"""Mistakes that both checkers find: just the lines that say so. It is never run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import statefun_nb as sf


@dataclass
class Cart:
    owner: str


CART: sf.Type[Cart] = sf.make_json_type("shop/cart")


@sf.function("shop/basket")
class Basket(sf.StatefulFunction):
    cart = sf.State(Cart)
    visits: sf.State[int] = sf.State(int)
    typed = sf.State(sf.IntType)
    wrong: sf.State[str] = sf.State(int)  # error
    neither = sf.State(5)  # error

    def invoke(self, ctx: sf.Context, message: sf.Message) -> None:
        self.cart.set(1)  # error
        self.visits.set("1")  # error
        self.typed.set("1")  # error
        self.visits = 1  # error
        self.cart.get().owner  # error
        number: str | None = message.as_int()  # error
        cart: int | None = message.as_type(Cart)  # error
        message.is_type("shop/cart")  # error
        message.as_type(5)  # error
        ctx.send("shop/basket", "bob")  # error
        ctx.send("shop/basket", 5, "value")  # error
        ctx.send("shop/basket", "bob", 5, type="int")  # error
        ctx.send_after(5, "shop/basket", "bob", 1)  # error
        ctx.send_after(timedelta(1), "shop/basket", "bob")  # error
        ctx.send_egress(message)  # error
        sf.kafka_egress_message("shop/out", "topic", Cart("bob"))  # error
        sf.kafka_egress_message("shop/out", "topic", "bob", CART)  # error
        sf.egress_message_builder("shop/out", "one", sf.IntType)  # error
        sf.message_builder("shop/basket", "bob", int_value="1")  # error
        sf.message_builder("shop/basket", "bob", value=1)  # error


Basket().cart = Cart("bob")  # error


class NoFunction:
    pass


def too_few(ctx: sf.Context) -> None: ...


def too_many(ctx: sf.Context, message: sf.Message, more: int) -> None: ...


def wrong_message(ctx: sf.Context, message: int) -> None: ...


functions = sf.StatefulFunctions()
sf.function("shop/wrong")(NoFunction)  # error
sf.function("shop/wrong")(int)  # error
sf.function("shop/wrong")(5)  # error
sf.function("shop/wrong")(too_few)  # error
sf.function("shop/wrong")(too_many)  # error
sf.function("shop/wrong")(wrong_message)  # error
sf.function("shop/wrong")(lambda ctx: None)  # error
sf.function("shop/wrong", state={"visits": 5})  # error
sf.function("shop/wrong", state=["visits"])  # error
functions.bind("shop/wrong")(too_few)  # error
functions.bind("shop/wrong")(wrong_message)  # error
functions.bind("shop/wrong", [sf.IntType])  # error
functions.register("shop/wrong", too_many)  # error

s = sf.start(engine="spark")  # error
sf.start("flnk")  # error
sf.start(on_error="raise")  # error
sf.start(transport="tcp")  # error
sf.start(clock="fast")  # error
sf.start(delivery="at-most-once")  # error
sf.start(port="8000")  # error
s.send("shop/basket", "bob")  # error
s.send("shop/basket", 5, "value")  # error
s.send("shop/basket", "bob", 1, delay=5)  # error
s.send(sf.message_builder("shop/basket", "bob", int_value=1), "bob", 1)  # error
s.state("shop/basket", "bob").visits  # error
sf.make_protobuf_type(int)  # error
sf.ValueSpec("n", int)  # error
