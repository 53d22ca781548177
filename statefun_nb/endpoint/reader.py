"""Bytes to requests, within the limits: one connection's side of httptools.

A block with many small requests is put by, and read piece by piece: what one of them holds, and
how long it keeps others waiting, is bounded by the piece and not by the block.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any

import httptools

from ..sdk.statuses import Refusal
from .clients import Clients
from .exchange import Client, Exchange
from .limits import Limits

__all__ = ["CONTINUE", "RequestReader"]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_NOWHERE: deque[Any] = deque(maxlen=0)  # keeps nothing of what is appended
# Stands in the first line of each request that leaves its connection open.
_VERSION = b"HTTP/1."
# A block with more of them is read in pieces of so many bytes: 40 of the smallest requests.
_AT_ONCE = 8
_PIECE = 1024


class RequestReader(asyncio.Protocol):
    """Reads one client's requests.

    Parameters
    ----------
    admit : callable
        Looks at a request whose headers are complete: the status and the reason when it is not to
        be served. Of such a request no body is read.
    limits : Limits
    clients : Clients
        This one and all others.
    """

    def __init__(
        self,
        admit: Callable[[Exchange], Refusal | None],
        limits: Limits,
        clients: Clients,
    ) -> None:
        self._admit = admit
        self._limits = limits
        self._clients = clients
        self._parser: Any = httptools.HttpRequestParser(self)
        self._loop = asyncio.get_running_loop()
        self._reading: Exchange | None = None
        self._header_fields: list[tuple[bytes, bytes]] | deque[Any] = _NOWHERE
        self._small = False
        self._request_bytes = 0  # of the request that is being read, with its framing
        self._other_bytes = 0  # of it since the last piece of its body: headers, framing, trailers
        self._read_by = 0.0  # when it has to be complete
        self._rest: memoryview | None = None  # what was put by
        self._queued = False  # to be read, in turn with others
        self.context = Client("")
        self._closing = False  # no further request is read; close when all are answered

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        size = len(data)
        if size > _PIECE and self._rest is None and data.count(_VERSION) > _AT_ONCE:
            self._put_by(data)
            return
        before = self._reading
        # No header of a request that begins in a small piece, and ends there, is too long.
        self._small = before is None and size <= self._limits.header_bytes
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
            self._refuse(*cause.refusal)
        except httptools.HttpParserError as error:
            if not self._closing:  # behind the last request anything may come
                self._refuse(400, f"this is not a valid HTTP/1.1 request: {error}")
        except _Refused as refused:
            self._refuse(*refused.refusal)

    # What was put by.

    def _put_by(self, data: bytes) -> None:
        self._rest = memoryview(data)
        self._clients.bytes += len(data)
        self._stop_reading()
        if self._clients.bytes > self._limits.all_bodies_bytes:
            refused = self._too_much()
            self._refuse(*refused.refusal)
        else:
            self._queued = True
            self._clients.queue(self)

    def read_piece(self) -> bool:
        """Read a piece of what was put by; is there more that can be read now?"""
        rest = self._rest
        if rest is None:  # the connection is gone
            return False
        size = max(_PIECE, self._left_of_body())
        piece, self._rest = rest[:size], rest[size:]
        self._clients.bytes -= len(piece)
        self.data_received(piece)  # type: ignore[arg-type]  # what httptools takes, too
        if self._closing or not self._rest:
            self._drop_rest()
        return self._goes_on()

    def _left_of_body(self) -> int:
        """Bytes of a body that are to come, as far as its request says; it is read in one piece."""
        reading = self._reading
        if reading is None:
            return 0
        return int(reading.fields.get(b"content-length", 0)) - len(reading.body)

    def _drop_rest(self) -> None:
        if self._rest is not None:
            self._clients.bytes -= len(self._rest)
            self._rest = None

    # The parser's side.

    def _feed(self, data: bytes) -> None:
        rest = None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as stopped:
            rest = data[stopped.args[0] :]
        # Not while that is handled: it would stand in the place of what a callback raises.
        if rest is None:
            return
        self._feed_again(rest)

    def _feed_again(self, rest: bytes) -> None:
        """Go on behind the headers of a request that offers another protocol: llhttp stops there.

        There is no other, and the request is read as if it had not offered one (RFC 9110, 7.8).
        """
        while True:
            if self._reading is None:
                self.shut()  # CONNECT, which is refused: what follows is no request
                return
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
        assert reading is not None  # _feed_again has looked
        version = self._parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self._parser.get_method(), reading.target, version)]
        lines += [b"%b: %b" % each for each in reading.headers if each[0] != b"upgrade"]
        return b"\r\n".join(lines) + b"\r\n\r\n"

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
        # For llhttp, too, one of HTTP/2.0 ends its connection, if it does not say otherwise.
        if not reading.keep_alive or b"connection" in fields:
            version = parser.get_http_version()
            if not version.startswith("1."):
                raise _Refused(505, f"this speaks HTTP/1.1, and not HTTP/{version}")
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
            if parser.get_http_version() != "1.0":  # which has no 100 (RFC 9110, 10.1.1)
                self._expect_body()
        self._other_bytes = 0

    def on_body(self, body: bytes) -> None:
        reading, clients = self._reading, self._clients
        assert reading is not None
        if not reading.body:
            reading.body = body  # nearly always all of it
        else:
            reading.add(body)
        clients.bytes += len(body)
        self._other_bytes = 0
        if len(reading.body) > self._limits.body_bytes:
            raise self._too_large(len(reading.body))
        if clients.bytes > self._limits.all_bodies_bytes:
            raise self._too_much()

    def _headers_too_large(self) -> _Refused:
        return _Refused(431, f"the headers are longer than {self._limits.header_bytes} bytes")

    def _too_large(self, size: int) -> _Refused:
        self._clients.refused = size
        status, limit = self._limits.too_large, self._limits.body_bytes
        return _Refused(status, f"the body is longer than the {limit} bytes that are accepted")

    def _too_much(self) -> _Refused:
        bytes_ = self._clients.bytes
        return _Refused(503, f"{bytes_:,} bytes of requests are being served: try later")

    def _release(self, exchange: Exchange) -> None:
        self._clients.bytes -= len(exchange.body)
        exchange.body = b""

    def _drop_reading(self) -> None:
        if self._reading is not None:
            self._release(self._reading)
            self._reading = None

    # Who serves what was read.

    @abstractmethod
    def on_message_complete(self) -> None:
        """Serve the request that was read, when it is its turn."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send bytes of the answer that is being given."""

    @abstractmethod
    def finish(self, exchange: Exchange) -> None:
        """Note that the answer to an exchange is complete."""

    @abstractmethod
    def shut(self) -> None:
        """Stop reading; close at once when nothing is being answered."""

    @abstractmethod
    def abort(self) -> None:
        """Drop the connection without a further byte."""

    @abstractmethod
    def _expect_body(self) -> None:
        """Tell a client that waits before it sends its body to go on, when it is its turn."""

    @abstractmethod
    def _stop_reading(self) -> None:
        """Let what comes stay with the system."""

    @abstractmethod
    def _goes_on(self) -> bool:
        """Is there more, put by, that can be read now? With nothing put by, the socket is read."""

    @abstractmethod
    def _refuse(self, status: int, message: str, allow: str = "") -> None:
        """Answer what could not be read as a request, after those before it, and close."""


class _Refused(Exception):  # noqa: N818 - an early end of parsing, caught here
    """Raised in a parser's callback to stop reading: the request is refused."""

    def __init__(self, status: int, message: str, allow: str = "") -> None:
        super().__init__(message)
        self.refusal = Refusal(status, message, allow)
