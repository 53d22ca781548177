"""Code as users write it, without annotations: no checker has anything to say of it."""

# mypy: allow-untyped-defs, allow-untyped-calls
# pyright: basic

from __future__ import annotations

from datetime import timedelta

import statefun_nb as sf

functions = sf.StatefulFunctions()


@sf.function("plain/visits", state={"visits": int, "names": list}, functions=functions)
def visits(ctx, message):
    ctx.storage.visits = (ctx.storage.visits or 0) + message.value
    ctx.send("plain/other", ctx.address.id, ctx.storage.visits)
    ctx.send_after(timedelta(seconds=1), "plain/other", "bob", 1)


@sf.function("plain/slow", functions=functions)
async def slow(ctx, message):
    ctx.send_egress(sf.kafka_egress_message("plain/out", "topic", message.as_string()))


@functions.bind("plain/bound", [sf.ValueSpec("n", sf.IntType)])
def bound(context, message):
    context.storage.n = message.as_int()


@sf.function("plain/basket", functions=functions)
class Basket(sf.StatefulFunction):
    items = sf.State(list)

    async def invoke(self, ctx, message):
        self.items.set([*(self.items.get() or []), message.value])


class Greeter:
    def __call__(self, context, message):
        return context.send("plain/other", "bob", message.as_int() + 1)


class Mine(sf.Type):
    def __init__(self):
        super().__init__("plain/mine")

    def serializer(self):
        return sf.StringType.serializer()


sf.function("plain/greeter", functions=functions)(Greeter())
sf.function("plain/lambda", {"mine": Mine()}, functions=functions)(
    lambda ctx, message: ctx.send("plain/other", "bob", message.value)
)
functions.register("plain/registered", visits)
