"""The dashboard as a page of its own: for a second screen, a projector, a script without Jupyter.

It listens on loopback alone. Its address has a token, without which nothing is told; a request
that another site's page sends, or that came by another name than this machine's own, is refused.
"""

from __future__ import annotations

import json
import secrets
import time
from collections import OrderedDict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ..loop_thread import LoopThread
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
_LARGEST = 1_000_000

_HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>StateFun</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
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
        self._feeds: OrderedDict[str, Feed] = OrderedDict()  # by page
        self._closed = False
        token = secrets.token_urlsafe(24)
        files = {
            "": ("text/html", _HTML),
            "page.js": ("text/javascript", _SCRIPT),
            "dashboard.js": ("text/javascript", bundled("dashboard.js")),
            "dashboard.css": ("text/css", bundled("dashboard.css")),
        }
        self._server = _Server(self, f"/{token}/", files)
        self.url = f"http://127.0.0.1:{self._server.server_port}/{token}/"
        self._thread = LoopThread("statefun_nb page")
        self._thread.start()
        self._thread.post(self._serve)

    def _serve(self) -> None:
        self._thread.loop.run_in_executor(None, self._server.serve_forever, 0.2)

    def close(self) -> None:
        """Tell the pages that the session has ended, and listen no more."""
        self._closed = True
        self._server.shutdown()
        self._server.server_close()
        self._thread.stop()

    def say(self, message: dict[str, Any]) -> Any:
        """The answer to what a page asks for."""
        return self._calls.answer(message)

    def next_update(self, page: str) -> Any:
        """What is new for a page; None when nothing is, for a while."""
        feed = self._feeds.get(page)
        if feed is None:
            feed = self._feeds[page] = Feed(self._source)
            while len(self._feeds) > _PAGES:
                self._feeds.popitem(last=False)
        end = time.monotonic() + _WAIT_SECONDS
        while True:
            update = feed.update()
            if update is not None or self._closed or time.monotonic() > end:
                return update
            time.sleep(_LOOK_SECONDS)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, tab: Tab, base: str, files: dict[str, tuple[str, str]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tab, self.base, self.files = tab, base, files

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a page that was closed while it waited is no event."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:  # the name is http.server's
        name, query = self._asked()
        if name == "updates":
            (page,) = query.get("page", [""])[:1]
            update = self.server.tab.next_update(page[:100])
            if update is None:
                self._answer(HTTPStatus.NO_CONTENT, "application/json", "")
            else:
                self._answer(HTTPStatus.OK, "application/json", _json(update))
        elif name in self.server.files:
            self._answer(HTTPStatus.OK, *self.server.files[name])
        elif name is not None:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", "there is no such page\n")

    def do_POST(self) -> None:
        name, _ = self._asked()
        if name is None:
            return
        length = int(self.headers.get("Content-Length", 0))
        kind = self.headers.get("Content-Type", "").partition(";")[0]
        if name != "say" or kind != "application/json" or not 0 < length <= _LARGEST:
            self.close_connection = True
            self._answer(HTTPStatus.BAD_REQUEST, "text/plain", "POST say, with JSON\n")
            return
        try:
            message = json.loads(self.rfile.read(length))
        except ValueError:
            message = None
        if not isinstance(message, dict):
            self._answer(HTTPStatus.BAD_REQUEST, "text/plain", "this is no JSON object\n")
            return
        self._answer(HTTPStatus.OK, "application/json", _json(self.server.tab.say(message)))

    def _asked(self) -> tuple[str | None, dict[str, list[str]]]:
        """The file that is asked for; None for who may ask for nothing."""
        own, base = self.headers.get("Host", ""), self.server.base
        origin = self.headers.get("Origin")
        site = self.headers.get("Sec-Fetch-Site", "same-origin")
        by_name = own == self.server.tab.url.split("/")[2]
        from_here = origin in (None, f"http://{own}") and site in ("same-origin", "none")
        parts = urlsplit(self.path)
        # A link in the notebook is another site's, too: the page itself may be opened by one.
        opened = parts.path == base and self.command == "GET" and origin is None
        with_token = secrets.compare_digest(parts.path[: len(base)].encode(), base.encode())
        if not (by_name and with_token and (from_here or opened)):
            self.close_connection = True
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", "not for you\n")
            return None, {}
        return parts.path[len(base) :], parse_qs(parts.query)

    def _answer(self, status: HTTPStatus, kind: str, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if status is not HTTPStatus.NO_CONTENT:
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a notebook's output is no log of requests."""


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
