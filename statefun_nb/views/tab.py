"""The dashboard as a page of its own: for a second screen, a projector, a script without Jupyter.

It listens on loopback alone. Its address has a token, without which nothing is told; a request
that another site's page sends, or that came by another name than this machine's own, is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import parse_qs

from ..endpoint.exchange import Exchange
from ..endpoint.http_server import LOOPBACK, HttpServer, bind_port
from ..endpoint.limits import Limits
from ..loop_thread import LoopThread
from ..sdk.statuses import Refusal, wrong_method
from ..tables import html_list
from .bundle import bundled
from .calls import Calls
from .feed import Feed
from .source import Source

__all__ = ["Page", "Tab"]

# An update is waited for so long; then the page asks again.
_WAIT_SECONDS = 10.0
_LOOK_SECONDS = 0.1
# So many pages are looked at beside one another.
_PAGES = 8
_LIMITS = Limits(body_bytes=1_000_000)
# A page that was answered asks again so soon, unless it is gone.
_ASKS_SECONDS = 1.0
_JSON = "application/json"

_HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>StateFun</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="dashboard.css"></head>
<body class="sf-page"><div id="view"></div>
<script type="module" src="page.js"></script></body></html>
"""
_SCRIPT = """import { tab } from "./dashboard.js";
tab("./", document.getElementById("view"));
"""
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data: blob:; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Page:
    """Where the dashboard is; shows as a link."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __repr__(self) -> str:
        return f"<statefun_nb dashboard at {self.url}>"

    def _repr_html_(self) -> str:
        link = f'<a href="{self.url}" target="_blank" rel="noreferrer">{self.url}</a>'
        return html_list("The dashboard, in a tab of its own:", ()) + link


class Tab:
    """Serves the dashboard of a session to browsers on this machine, until ``close``.

    Parameters
    ----------
    source : Source
        The session.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._calls = Calls(source)
        self._feeds: OrderedDict[str, Feed] = OrderedDict()  # by page, least lately used first
        self._there: dict[str, float] = {}  # till when a page is looked at, as far as is known
        self._closed = False
        self._files = {
            "": ("text/html", _HTML),
            "page.js": ("text/javascript", _SCRIPT),
            "dashboard.js": ("text/javascript", bundled("dashboard.js")),
            "dashboard.css": ("text/css", bundled("dashboard.css")),
        }
        self._http = HttpServer(self._admit, self._serve, _LIMITS)
        with contextlib.ExitStack() as held:
            listener = held.enter_context(bind_port(LOOPBACK, 0))
            self._own = f"{LOOPBACK}:{listener.getsockname()[1]}".encode()
            self._base = f"/{secrets.token_urlsafe(24)}/".encode()
            self.url = f"http://{(self._own + self._base).decode()}"
            self._thread = LoopThread("statefun_nb page")
            self._thread.start()
            held.callback(self._thread.stop, last=self._http.close)
            self._thread.run(self._http.listen(listener))
            self._held = held.pop_all()  # port and thread, to be given back

    def close(self) -> None:
        """Tell the pages that the session has ended, and listen no more, also if interrupted."""
        with self._held:
            self._thread.run(self._end())

    async def _end(self) -> None:
        self._closed = True
        while any(until > time.monotonic() for until in self._there.values()):
            await asyncio.sleep(0.01)
        await self._http.close(_ASKS_SECONDS)

    def _admit(self, exchange: Exchange) -> Refusal | None:
        fields, base = exchange.fields, self._base
        path = exchange.target.partition(b"?")[0]
        origin = fields.get(b"origin")
        site = fields.get(b"sec-fetch-site", b"same-origin")
        by_name = fields.get(b"host") == self._own
        from_here = origin in (None, b"http://" + self._own) and site in (b"same-origin", b"none")
        # A link in the notebook is another site's, too: the page itself may be opened by one.
        opened = path == base and exchange.method == "GET" and origin is None
        with_token = secrets.compare_digest(path[: len(base)], base)
        if not (by_name and with_token and (from_here or opened)):
            return Refusal(403, "not for you")
        name = self._name(exchange)
        if exchange.method == "POST":
            kind = fields.get(b"content-type", b"").partition(b";")[0]
            is_said = name == "say" and kind == _JSON.encode()
            return None if is_said else Refusal(400, "POST say, with JSON")
        if refused := wrong_method(exchange.method, ("GET", "POST"), "it is GET or POST"):
            return refused
        is_there = name == "updates" or name in self._files
        return None if is_there else Refusal(404, "there is no such page")

    def _name(self, exchange: Exchange) -> str:
        return exchange.target.partition(b"?")[0][len(self._base) :].decode("latin-1")

    def _serve(self, exchange: Exchange) -> None:
        name = self._name(exchange)
        if name in self._files and exchange.method == "GET":
            _respond(exchange, 200, *self._files[name])
            return
        answer = self._say if exchange.method == "POST" else self._update
        task = asyncio.get_running_loop().create_task(_answered(exchange, answer))

        def gone() -> None:  # nobody waits for the answer any more
            task.cancel()

        exchange.set_close_callback(gone)

    async def _say(self, exchange: Exchange) -> None:
        """The answer to what a page asks for."""
        try:
            message = json.loads(bytes(exchange.body))
        except ValueError:
            message = None
        if not isinstance(message, dict):
            exchange.refuse(400, "this is no JSON object")
            return
        # In a thread: it may have to wait for the engine, and other pages go on.
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(None, self._calls.answer, message)
        _respond(exchange, 200, _JSON, _json(found))

    async def _update(self, exchange: Exchange) -> None:
        """What is new for a page; 204 when nothing is, for a while."""
        query = exchange.target.partition(b"?")[2].decode("latin-1")
        (page,) = parse_qs(query).get("page", [""])[:1]
        page = page[:100]
        feed = self._feed(page)
        if not self._closed:
            self._there[page] = math.inf
        try:
            update = await self._next(feed)
        finally:
            self._there.pop(page, None)  # it is gone, or has been told of the end
        if not self._closed and page in self._feeds:
            self._there[page] = time.monotonic() + _ASKS_SECONDS
        if update is None:
            _respond(exchange, 204, _JSON, "")
        else:
            _respond(exchange, 200, _JSON, _json(update))

    async def _next(self, feed: Feed) -> Any:
        end = time.monotonic() + _WAIT_SECONDS
        while True:
            closed = self._closed  # before it is looked: then what has ended is seen to have ended
            update = feed.update()
            if update is not None or closed or time.monotonic() > end:
                return update
            await asyncio.sleep(_LOOK_SECONDS)

    def _feed(self, page: str) -> Feed:
        feed = self._feeds.get(page)
        if feed is None:
            feed = self._feeds[page] = Feed(self._source)
            while len(self._feeds) > _PAGES:
                oldest, _ = self._feeds.popitem(last=False)
                self._there.pop(oldest, None)
        self._feeds.move_to_end(page)  # by use: one that is looked at outlives those that are not
        return feed


async def _answered(
    exchange: Exchange, answer: Callable[[Exchange], Coroutine[Any, Any, None]]
) -> None:
    try:
        await answer(exchange)
    except Exception as error:  # who asked would wait for ever
        exchange.refuse(500, f"{type(error).__name__}: {error}")


def _respond(exchange: Exchange, status: int, kind: str, text: str) -> None:
    headers = {**_HEADERS, "Content-Type": f"{kind}; charset=utf-8"}
    exchange.respond_with(status, headers, text.encode())


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
