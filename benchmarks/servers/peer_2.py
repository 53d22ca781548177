"""The greeter on StateFun's own SDK of 2.x with aiohttp, as its documentation serves it.

``test/...`` are there for tests/protocol/test_peer_2.py, which has the same functions. Annotations
are objects here: the SDK unpacks what the second parameter's says.
"""

import sys
from datetime import timedelta
from typing import Union

from google.protobuf.wrappers_pb2 import (
    BoolValue,
    DoubleValue,
    FloatValue,
    Int32Value,
    Int64Value,
    StringValue,
)
from on_aiohttp import serve  # type: ignore[import-not-found]  # beside this script
from statefun import RequestReplyHandler, StatefulFunctions, kafka_egress_record

NAMESPACE = sys.argv[1] if len(sys.argv) > 1 else "example"
functions = StatefulFunctions()


def person(context, message: StringValue):
    visits = context.state("visits").unpack(Int64Value) or Int64Value()
    visits.value += 1
    context.state("visits").pack(visits)
    text = f"{message.value} x{visits.value}"
    context.pack_and_send(f"{NAMESPACE}/greeter", context.address.identity, StringValue(value=text))


def greeter(context, message: StringValue):
    name = context.address.identity
    record = kafka_egress_record(
        topic=f"{NAMESPACE}.greetings",
        key=name,
        value=StringValue(value=f"{name}: {message.value}"),
    )
    context.pack_and_send_egress(f"{NAMESPACE}/out", record)


_NUMBERS: dict[type, type] = {bool: BoolValue, int: Int64Value, float: DoubleValue}


def every(context, message: Union[StringValue, Int32Value, Int64Value, BoolValue, DoubleValue]):  # noqa: UP007 - for its SDK, which asks __args__ of it
    value = message.value
    if value == "clear":
        del context["kept"]
    elif value == "later":
        later = StringValue(value="it is later")
        context.pack_and_send_after(timedelta(seconds=1.5), "test/other", "x", later)
    elif value == "back":
        if context.caller.type:
            context.pack_and_reply(StringValue(value="back"))
    elif value == "numbers":
        for each in (True, 7, 0, -7, 2**40, 0.5):
            context.pack_and_send("test/other", "x", _NUMBERS[type(each)](value=each))
        context.pack_and_send("test/other", "x", Int32Value(value=-5))
        context.pack_and_send("test/other", "x", FloatValue(value=0.25))
    else:
        context.state("kept").pack(StringValue(value=f"{type(value).__name__} {value}"))


functions.register(f"{NAMESPACE}/person", person)
functions.register(f"{NAMESPACE}/greeter", greeter)
functions.register("test/every", every)
handler = RequestReplyHandler(functions)


async def answer(body):
    return handler(body)


serve(answer)
