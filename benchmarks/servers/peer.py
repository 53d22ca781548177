"""The same greeter on a StateFun SDK with aiohttp, as its documentation serves it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys

from aiohttp import web
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


async def serve(request):
    reply = await handler.handle_async(await request.read())
    return web.Response(body=reply, content_type="application/octet-stream")


async def main():
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/statefun", serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


handler = RequestReplyHandler(functions)
with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main())
os._exit(0)
