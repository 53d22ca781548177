"""How the servers of StateFun's own SDKs answer over HTTP, as the documentation of those has it.

It stands beside their scripts: each runs in an environment that has neither statefun_nb nor this
repository's packages.
"""

import asyncio
import contextlib
import os
import sys

from aiohttp import web


def serve(answer):
    """Answer each body by the coroutine ``answer(body)``; print the port, end with stdin."""

    async def respond(request):
        reply = await answer(await request.read())
        return web.Response(body=reply, content_type="application/octet-stream")

    async def main():
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/statefun", respond)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await runner.cleanup()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
    os._exit(0)
