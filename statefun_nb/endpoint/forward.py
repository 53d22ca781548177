"""Pages of another server of ours, shown at the endpoint's address to whoever has the link.

Only to be looked at: what is not a GET stays here. The link has a token in it.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote

from tornado import web
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

__all__ = ["ForwardTo", "Forwarded"]

_SECONDS = 30.0


class ForwardTo(NamedTuple):
    """Where the other server is just now, how it is spoken to, and paths that are not asked for."""

    url: Callable[[], str]
    context: ssl.SSLContext | None
    refused: tuple[str, ...] = ()


class Forwarded(web.RequestHandler):
    """Answers with what the other server answers to the same path."""

    SUPPORTED_METHODS = ("GET",)

    def initialize(self, to: ForwardTo) -> None:
        self._to = to

    async def get(self, path: str) -> None:
        """Ask the other server; 502 when it does not answer."""
        self.set_header("Referrer-Policy", "no-referrer")  # the token is nobody else's
        self.set_header("X-Frame-Options", "DENY")
        # It is decoded here; what is encoded once more would be read there as what is refused here.
        if "%" in path or any(word in path.lower() for word in self._to.refused):
            self._say(403, "this is only to be looked at")
            return
        query = f"?{self.request.query}" if self.request.query else ""
        asked = HTTPRequest(
            f"{self._to.url()}/{quote(path)}{query}",
            ssl_options=self._to.context,
            follow_redirects=False,
            decompress_response=True,
            request_timeout=_SECONDS,
        )
        client = SimpleAsyncHTTPClient(force_instance=True)
        try:
            answer = await client.fetch(asked, raise_error=False)
        except (OSError, HTTPClientError) as error:
            self._say(502, f"it does not answer: {error}")
            return
        finally:
            client.close()
        if answer.code == 599:  # Tornado's own: no answer
            self._say(502, f"it does not answer: {answer.error}")
            return
        self.set_status(answer.code)
        self.set_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
        self.finish(answer.body)

    def _say(self, status: int, reason: str) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{reason}\n")

    def data_received(self, chunk: bytes) -> None:
        """Never called: a GET has no body."""
