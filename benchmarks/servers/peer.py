"""The same greeter on a StateFun SDK with aiohttp, as its documentation serves it."""

from __future__ import annotations

import sys

from on_aiohttp import serve  # type: ignore[import-not-found]  # beside this script
from statefun import (
    LongType,
    RequestReplyHandler,
    StatefulFunctions,
    ValueSpec,
    kafka_egress_message,
    message_builder,
)

NAMESPACE = sys.argv[1] if len(sys.argv) > 1 else "example"
functions = StatefulFunctions()


@functions.bind(typename=f"{NAMESPACE}/person", specs=[ValueSpec("visits", LongType)])
def person(context, message):
    visits = (context.storage.visits or 0) + 1
    context.storage.visits = visits
    text = f"{message.as_string()} x{visits}"
    context.send(message_builder(f"{NAMESPACE}/greeter", context.address.id, str_value=text))


@functions.bind(typename=f"{NAMESPACE}/greeter")
def greeter(context, message):
    context.send_egress(
        kafka_egress_message(
            typename=f"{NAMESPACE}/out",
            topic=f"{NAMESPACE}.greetings",
            key=context.address.id,
            value=f"{context.address.id}: {message.as_string()}",
        )
    )


serve(RequestReplyHandler(functions).handle_async)
