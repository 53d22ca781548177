"""HTTP/1 connections on httptools, behind Tornado's HTTPConnection interface.

Tornado's own HTTP1Connection parses in Python and is the limit for small requests. Here llhttp
(C, by httptools) parses, and what is above sees the interfaces of ``tornado.httputil``: a
connection delegate that starts requests, a message delegate for each, and an ``HTTPConnection``
to answer on. Requests of one connection are served one after the other, in order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import httptools

from .exchange import Client, Exchange
from .limits import Limits

__all__ = ["Held", "HttpConnection"]

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LINGER_SECONDS = 1.0
_NEVER = float("inf")
_NOWHERE: deque[Any] = deque(maxlen=0)  # keeps nothing of what is appended


class Held:
    """Bytes of bodies on all connections: from when they are read until they are answered.

    ``refused`` is the size of the last request that was too large, in bytes; 0: none was.
    """

    __slots__ = ("bytes", "refused")

    def __init__(self) -> None:
        self.bytes = 0
        self.refused = 0


class HttpConnection(asyncio.Protocol):
    """One client's connection: bytes to requests, answers to bytes.

    Parameters
    ----------
    admit : callable
        Looks at a request whose headers are complete: the status and the reason when it is not to
        be served. Of such a request no body is read.
    serve : callable
        Called with each complete ``Exchange`` when it is its turn.
    limits : Limits
    connections : set
        Holds this connection while it is open.
    held : Held
        Of all of them.
    """

    def __init__(
        self,
        admit: Callable[[Exchange], tuple[int, str] | None],
        serve: Callable[[Exchange], None],
        limits: Limits,
        connections: set[HttpConnection],
        held: Held,
    ) -> None:
        self._admit = admit
        self._serve = serve
        self._limits = limits
        self._connections = connections
        self._held = held
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport = None  # type: ignore[assignment]  # connection_made
        self._loop = asyncio.get_running_loop()
        self._reading: Exchange | None = None
        self._header_fields: list[tuple[bytes, bytes]] | deque[Any] = _NOWHERE
        self._small = False
        self._request_bytes = 0  # of the request that is being read, with its framing
        self._other_bytes = 0  # of it since the last piece of its body: headers, framing, trailers
        self._read_by = 0.0  # when it has to be complete
        self._queue: deque[Exchange] = deque()
        self._serving: Exchange | None = None
        self._write_paused = False
        self._reading_paused = False
        self._refused = False  # what comes is no longer looked at
        self._closing = False  # no further request is read; close when all are answered
        self.context = Client("")
        self.deadline = 0.0

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.context = Client(peer[0] if peer else "")
        self._connections.add(self)
        self.deadline = self._loop.time() + self._limits.idle_seconds

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        before = self._reading
        # No header of a request that begins in a small piece, and ends there, is too long.
        self._small = before is None and len(data) <= self._limits.header_bytes
        size = len(data)
        self._request_bytes += size
        self._other_bytes += size
        try:
            self._feed(data)
            reading = self._reading
            if reading is not None:  # more of it is to come
                limits = self._limits
                if self._other_bytes > limits.header_bytes:
                    raise self._headers_too_large()
                if self._request_bytes > limits.header_bytes + limits.body_bytes:
                    raise self._too_large(self._request_bytes)
                if reading is not before:
                    self._read_by = self._loop.time() + limits.request_seconds
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            if not isinstance(cause, _Refused):
                raise
            self._refuse(cause.status, cause.message)
        except httptools.HttpParserError as error:
            self._refuse(400, f"this is not a valid HTTP/1.1 request: {error}")
        except _Refused as refused:
            self._refuse(refused.status, refused.message)

    def _feed(self, data: bytes) -> None:
        rest = None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as stopped:
            rest = data[stopped.args[0] :]
        # Not while that is handled: it would stand in the place of what a callback raises.
        if rest is None:
            return
        if self._reading is None:
            self.shut()  # CONNECT, which is refused: what follows is no request
        else:
            self._feed_again(rest)

    def _feed_again(self, rest: bytes) -> None:
        """Go on behind the headers of a request that offers another protocol: llhttp stops there.

        There is no other, and the request is read as if it had not offered one (RFC 9110, 7.8).
        """
        while True:
            data = self._without_upgrade() + rest
            self._parser = httptools.HttpRequestParser(self)
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as stopped:  # the next one offers it, too
                rest = data[stopped.args[0] :]
            else:
                return

    def _without_upgrade(self) -> bytes:
        """The head of the request that is being read, once more, without its offer."""
        reading = self._reading
        assert reading is not None  # on_message_complete has left it
        version = self._parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self._parser.get_method(), reading.target, version)]
        lines += [b"%b: %b" % each for each in reading.headers if each[0] != b"upgrade"]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def eof_received(self) -> bool:
        # Who closes its side is taken to be gone, as RFC 9112 (9.6) allows: StateFun's clients
        # close only to give up, and their next try must not overlap with this one.
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._closing = True
        self._connections.discard(self)
        waiting = [*([self._serving] if self._serving else []), *self._queue]
        self._drop_reading()
        self._parser = None  # it holds this connection, too: nothing has to look for the circle
        self._serving = None
        self._queue.clear()
        for exchange in waiting:
            self._release(exchange)
            exchange.closed()

    def pause_writing(self) -> None:
        self._write_paused = True
        self.deadline = self._loop.time() + self._limits.write_seconds

    def resume_writing(self) -> None:
        self._write_paused = False
        if self._serving is None and not self._queue:
            self.deadline = self._loop.time() + self._limits.idle_seconds
        self._next()

    # The parser's side.

    def on_message_begin(self) -> None:
        self._reading = reading = Exchange(self)
        self._header_fields = reading.headers

    def on_url(self, url: bytes) -> None:
        assert self._reading is not None  # on_message_begin came first
        self._reading.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        reading = self._reading
        assert reading is not None
        limits = self._limits
        if not self._small and reading.header_size() > limits.header_bytes:
            raise self._headers_too_large()
        parser, headers = self._parser, reading.headers
        fields = reading.fields = dict(headers)
        if b"upgrade" in fields and parser.should_upgrade():
            return  # see _feed_again
        self._header_fields = _NOWHERE  # for trailers, which are of no use here
        reading.method = parser.get_method().decode("latin-1")
        reading.keep_alive = parser.should_keep_alive()
        if len(fields) != len(headers) or b"host" not in fields:
            hosts = sum(name == b"host" for name, _ in headers)
            if hosts != 1 and parser.get_http_version() == "1.1":  # RFC 9112, 3.2
                raise _Refused(
                    400, f"an HTTP/1.1 request has one Host header, this one has {hosts}"
                )
        if not reading.target.startswith(b"/"):
            reading.take_authority()
        reading.refusal = self._admit(reading)
        size = int(fields.get(b"content-length", 0))  # llhttp refuses a second one
        if reading.refusal is not None and (size or b"transfer-encoding" in fields):
            raise _Refused(*reading.refusal)  # without reading the body
        if size > limits.body_bytes:
            raise self._too_large(size)
        expected = fields.get(b"expect")
        if expected is not None:
            if expected.lower() != b"100-continue":
                raise _Refused(417, f"cannot meet the expectation {expected!r}")
            if self._serving is None and not self._queue:
                self.write(_CONTINUE)
        self._other_bytes = 0

    def on_body(self, body: bytes) -> None:
        reading, held = self._reading, self._held
        assert reading is not None
        if not reading.body:
            reading.body = body  # nearly always all of it
        else:
            reading.add(body)
        held.bytes += len(body)
        self._other_bytes = 0
        if len(reading.body) > self._limits.body_bytes:
            raise self._too_large(len(reading.body))
        if held.bytes > self._limits.all_bodies_bytes:
            raise _Refused(503, f"{held.bytes:,} bytes of requests are being served: try later")

    def on_message_complete(self) -> None:
        reading = self._reading
        assert reading is not None
        if not reading.method:  # its headers come again, see _feed_again
            return
        self._reading = None
        self._request_bytes = self._other_bytes = 0
        if not reading.keep_alive:
            self._closing = True
        if self._serving is None and not self._queue and not self._write_paused:
            self._start(reading)  # nearly always
            if self._closing:
                self._next()  # what else has come with it is not answered
            return
        self._queue.append(reading)
        if self._serving is None:
            self._next()
        if self._queue and not self._reading_paused and self._has_enough():
            self._reading_paused = True
            self._transport.pause_reading()

    def _has_enough(self) -> bool:
        """Do so many requests wait for their turn, or so much of them, that no more are read?"""
        queue, limits = self._queue, self._limits
        if len(queue) >= limits.pipelined:
            return True
        return sum(len(exchange.body) for exchange in queue) > limits.body_bytes

    def _headers_too_large(self) -> _Refused:
        return _Refused(431, f"the headers are longer than {self._limits.header_bytes} bytes")

    def _too_large(self, size: int) -> _Refused:
        self._held.refused = size
        status, limit = self._limits.too_large, self._limits.body_bytes
        return _Refused(status, f"the body is longer than the {limit} bytes that are accepted")

    # Serving, in order.

    def _next(self) -> None:
        while self._serving is None and self._queue and not self._write_paused:
            exchange = self._queue.popleft()
            if self._reading_paused and not self._has_enough():
                self._reading_paused = False
                self._read_by = self._loop.time() + self._limits.request_seconds
                self._transport.resume_reading()
            self._start(exchange)
        if self._closing and self._serving is None and not self._queue:
            self._close()

    def _start(self, exchange: Exchange) -> None:
        self._serving = exchange
        self.deadline = _NEVER  # a function may take as long as it needs
        if exchange.refusal is None:
            self._serve(exchange)
        else:
            exchange.refuse(*exchange.refusal)

    def _close(self) -> None:
        if not self._refused:
            self._transport.close()
            return
        # Closing while the client still sends would reset the connection, and with it the answer
        # that says why: read on for a moment, and throw it away.
        self.deadline = self._loop.time() + _LINGER_SECONDS
        if not self._transport.is_closing():
            self._transport.write_eof()

    def write(self, data: bytes) -> None:
        """Send bytes of the answer that is being given."""
        self._transport.write(data)

    def finish(self, exchange: Exchange) -> None:
        """Note that the answer to an exchange is complete, and go on with the next request."""
        exchange.finished = True
        self._release(exchange)
        if exchange is not self._serving:
            return
        self._serving = None
        if not exchange.keep_alive:
            self._closing = True
        # From _next itself (a sync function) the loop there goes on; else this starts it again.
        if self._queue or self._closing:
            self._loop.call_soon(self._next)
        elif not self._write_paused:
            self.deadline = self._loop.time() + self._limits.idle_seconds

    def _release(self, exchange: Exchange) -> None:
        self._held.bytes -= len(exchange.body)
        exchange.body = b""

    def _drop_reading(self) -> None:
        if self._reading is not None:
            self._release(self._reading)
            self._reading = None

    def _last_request(self) -> None:
        self._closing = True
        for exchange in (*self._queue, *([self._serving] if self._serving else [])):
            exchange.keep_alive = False

    def _refuse(self, status: int, message: str) -> None:
        """Answer what could not be read as a request, after those before it, and close."""
        exchange = Exchange(self)
        exchange.keep_alive = False
        exchange.refusal = (status, message)
        self._drop_reading()
        self._closing = self._refused = True
        self._queue.append(exchange)
        if self._serving is None:
            self._next()

    def check_deadline(self, now: float) -> None:
        """Close a connection whose time is over; the server asks once a second."""
        if self._reading is not None and not self._reading_paused and now >= self._read_by:
            seconds = self._limits.request_seconds
            self._refuse(408, f"the request was not complete after {seconds:g} s")
        elif now < self.deadline:
            return
        elif self._write_paused:
            self._transport.abort()
        elif self._reading is None:
            self._transport.close()

    def shut(self) -> None:
        """Stop reading; close at once when nothing is being answered."""
        self._last_request()
        if self._serving is None and not self._queue:
            self._transport.close()

    def abort(self) -> None:
        """Drop the connection without a further byte."""
        self._transport.abort()


class _Refused(Exception):  # noqa: N818 - an early end of parsing, caught here
    """Raised in a parser's callback to stop reading: the request is refused."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
