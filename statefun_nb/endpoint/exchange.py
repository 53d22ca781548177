"""One request and the answer to it, as ``tornado.httputil`` has them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import lru_cache
from http.client import responses
from typing import Protocol, cast

from tornado import httputil

from ..sdk.statuses import TEXT, Refusal

__all__ = ["Client", "Exchange", "Wire"]

_BODILESS = frozenset({204, 304})


class Client:
    """Where the client is, as tornado.httputil.HTTPServerRequest reads it."""

    __slots__ = ("protocol", "remote_ip")

    def __init__(self, remote_ip: str) -> None:
        self.remote_ip = remote_ip
        self.protocol = "http"


class Wire(Protocol):
    """What an exchange needs of its connection."""

    context: Client

    def write(self, data: bytes) -> None:
        """Send bytes of the answer that is being given."""

    def finish(self, exchange: Exchange) -> None:
        """Note that the answer to an exchange is complete: the next request may be served."""


class Exchange(httputil.HTTPConnection):
    """One request and the answer to it."""

    __slots__ = (
        "_chunked",
        "_close_callback",
        "_connection",
        "_status",
        "body",
        "fields",
        "finished",
        "headers",
        "keep_alive",
        "method",
        "refusal",
        "target",
    )

    def __init__(self, connection: Wire) -> None:
        self._connection = connection
        self._close_callback: Callable[[], None] | None = None
        self._chunked = False
        self._status = 0
        self.method = ""
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []  # names in lower case
        self.fields: dict[bytes, bytes] = {}  # the same by name, when they are complete
        self.body: bytes | bytearray = b""
        self.keep_alive = True
        self.finished = False
        self.refusal: Refusal | None = None  # the answer when it is not to be served

    def add(self, piece: bytes) -> None:
        """Add a piece to the body, which is kept once: tiny pieces would take 20 times as much."""
        if isinstance(self.body, bytes):
            self.body = bytearray(self.body)
        self.body += piece

    def take_authority(self) -> None:
        """Of a target in absolute form, take path and Host (RFC 9112, 3.2.2).

        Any other that begins with no slash stays as it is: nothing is served there.
        """
        scheme, found, rest = self.target.partition(b"://")
        if found and scheme.lower() in (b"http", b"https"):
            authority, slash, path = rest.partition(b"/")
            self.target = slash + path or b"/"
            self.fields[b"host"] = authority

    def header_size(self) -> int:
        """Bytes of target and headers, with colon, space and line end."""
        return len(self.target) + sum(len(n) + len(v) + 4 for n, v in self.headers)

    # What tornado.web asks of a connection.

    @property
    def context(self) -> Client:
        """Where the client is, as tornado.web asks its connection."""
        return self._connection.context

    @property
    def begun(self) -> bool:
        """Has a part of the answer been sent?"""
        return self._status != 0

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Call back when the client goes away before its answer is complete."""
        self._close_callback = callback

    def write_headers(
        self,
        start_line: httputil.RequestStartLine | httputil.ResponseStartLine,
        headers: httputil.HTTPHeaders,
        chunk: bytes | None = None,
    ) -> asyncio.Future[None]:
        line = cast(httputil.ResponseStartLine, start_line)
        self._status = line.code
        lines = [f"HTTP/1.1 {line.code} {line.reason}"]
        has_length = "Content-Length" in headers
        if line.code >= 200 and line.code not in _BODILESS and not has_length:
            self._chunked = True
            lines.append("Transfer-Encoding: chunked")
        if not self.keep_alive:
            lines.append("Connection: close")
        for name, value in headers.get_all():
            if "\n" in name or "\n" in value or "\r" in name or "\r" in value:
                raise ValueError(f"illegal line break in the header {name!r}")
            lines.append(f"{name}: {value}")
        self._connection.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        return self.write(chunk) if chunk else _done()

    def write(self, chunk: bytes) -> asyncio.Future[None]:
        if chunk and self.method != "HEAD":
            if self._chunked:
                chunk = b"%x\r\n%b\r\n" % (len(chunk), chunk)
            self._connection.write(chunk)
        return _done()

    def finish(self) -> None:
        if self.finished:
            return
        if self._chunked and self.method != "HEAD":
            self._connection.write(b"0\r\n\r\n")
        self._connection.finish(self)

    # What the request-reply route uses: a whole answer in one write.

    def respond(self, status: int, content_type: bytes, body: bytes) -> None:
        """Answer with ``body``; 5 us less than HTTPHeaders and write_headers."""
        head = _head(status, content_type, self.keep_alive)
        size = len(body)
        if self.method == "HEAD":
            body = b""
        self._connection.write(b"%b%d\r\n\r\n%b" % (head, size, body))
        self._connection.finish(self)

    def respond_with(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Answer with these headers; ``body`` is left out where the status has none."""
        line = httputil.ResponseStartLine("HTTP/1.1", status, responses.get(status, "Unknown"))
        given = httputil.HTTPHeaders(headers)
        if status in _BODILESS:
            body = b""
        else:
            given["Content-Length"] = str(len(body))
        self.write_headers(line, given, body)
        self.finish()

    def refuse(self, status: int, message: str, allow: str = "") -> None:
        """Answer with a line of text that says what is wrong; ``allow`` names other methods."""
        body = message.encode() + b"\n"
        if allow:
            self.respond_with(status, {"Content-Type": TEXT, "Allow": allow}, body)
        else:
            self.respond(status, TEXT.encode(), body)

    def closed(self) -> None:
        """Tell whoever answers that the client has gone away."""
        callback, self._close_callback = self._close_callback, None
        if callback is not None:
            callback()


def _done() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future


@lru_cache(maxsize=64)
def _head(status: int, content_type: bytes, keep_alive: bool) -> bytes:
    """An answer up to the length of its body, remembered: there are few of them."""
    reason = responses.get(status, "Unknown").encode()
    close = b"" if keep_alive else b"Connection: close\r\n"
    return b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\n%bContent-Length: " % (
        status,
        reason,
        content_type,
        close,
    )
