"""The greeter: one message makes two invocations, a state update and an egress record."""

from __future__ import annotations

from typing import Any

from ..sdk.context import Context
from ..sdk.egress import kafka_egress_message
from ..sdk.functions import function
from ..sdk.messages import Message
from ..sdk.registry import StatefulFunctions

__all__ = ["greeter_functions", "greetings"]


def greeter_functions(namespace: str = "example") -> StatefulFunctions:
    """A person counts visits; a greeter emits a greeting for each, to ``<namespace>/out``."""
    functions = StatefulFunctions()

    @function(f"{namespace}/person", state={"visits": int}, functions=functions)
    def person(ctx: Context, message: Message) -> None:
        visits = (ctx.storage.visits or 0) + 1
        ctx.storage.visits = visits
        ctx.send(f"{namespace}/greeter", ctx.address.id, f"{message.value} x{visits}")

    @function(f"{namespace}/greeter", functions=functions)
    def greeter(ctx: Context, message: Message) -> None:
        ctx.send_egress(
            kafka_egress_message(
                typename=f"{namespace}/out",
                topic=f"{namespace}.greetings",
                key=ctx.address.id,
                value=f"{ctx.address.id}: {message.value}",
            )
        )

    return functions


def greetings(count: int, people: int) -> list[tuple[str, str, Any]]:
    """``count`` messages to ``people`` different persons, in turn."""
    return [("example/person", f"user-{i % people}", "hello") for i in range(count)]
