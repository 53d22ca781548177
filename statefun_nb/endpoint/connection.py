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
from typing import cast

from ..sdk.statuses import Refusal
from .clients import Clients
from .exchange import Client, Exchange
from .limits import Limits
from .reader import CONTINUE, RequestReader

__all__ = ["HttpConnection"]

_LINGER_SECONDS = 1.0
_NEVER = float("inf")
# So soon it is asked whether who closed his side still reads, and then ever less often.
_FIRST_LOOK_SECONDS = 0.005
_LAST_LOOK_SECONDS = 1.0


class HttpConnection(RequestReader):
    """One client's connection: bytes to requests, answers to bytes.

    Parameters
    ----------
    admit : callable
        As a ``RequestReader`` has it.
    serve : callable
        Called with each complete ``Exchange`` when it is its turn.
    limits : Limits
    connections : set
        Holds this connection while it is open.
    clients : Clients
        What it shares with them.
    """

    def __init__(
        self,
        admit: Callable[[Exchange], Refusal | None],
        serve: Callable[[Exchange], None],
        limits: Limits,
        connections: set[HttpConnection],
        clients: Clients,
    ) -> None:
        super().__init__(admit, limits, clients)
        self._serve = serve
        self._connections = connections
        self._transport: asyncio.Transport = None  # type: ignore[assignment]  # connection_made
        self._queue: deque[Exchange] = deque()
        self._serving: Exchange | None = None
        self._expecting: Exchange | None = None  # its client waits to be told to send the body
        self._write_paused = False
        self._reading_paused = False
        self._refused = False  # what comes is no longer looked at
        self.deadline = 0.0

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.context = Client(peer[0] if peer else "")
        self._connections.add(self)
        self.deadline = self._loop.time() + self._limits.idle_seconds

    def eof_received(self) -> bool:
        """Answer what was asked for completely before the client closed its side.

        One that has closed altogether looks the same until it is written to, and its next try must
        not overlap with this one. A client of HTTP/1.0 can not be asked, and is taken to be gone,
        as RFC 9112 (9.6) allows.
        """
        self._drop_reading()
        if self._serving is None and not self._queue:
            return False
        if self._parser.get_http_version() != "1.1":
            return False
        self._last_request()
        self._look_for_client(_FIRST_LOOK_SECONDS)
        return True

    def _look_for_client(self, pause: float) -> None:
        """Write what every client reads over (RFC 9110, 15.2.1): one that is gone resets that."""
        serving = self._serving
        if self._transport.is_closing():
            return
        if serving is not None and not serving.begun and not self._write_paused:
            self._transport.write(CONTINUE)
        longer = min(2 * pause, _LAST_LOOK_SECONDS)
        self._loop.call_later(pause, self._look_for_client, longer)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._closing = True
        self._connections.discard(self)
        waiting = [*([self._serving] if self._serving else []), *self._queue]
        self._drop_reading()
        self._drop_rest()
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

    # Reading, not further ahead than is good.

    def on_message_complete(self) -> None:
        reading = self._reading
        assert reading is not None
        if not reading.method:  # its headers come again, see _feed_again
            return
        self._reading = None
        self._request_bytes = self._other_bytes = 0
        if not reading.keep_alive:
            self._closing = True
        if (  # nearly always
            self._serving is None
            and not self._queue
            and not self._write_paused
            and self._rest is None
        ):
            self._start(reading)
            if self._closing:
                self._next()  # what else has come with it is not answered
            return
        self._queue.append(reading)
        if self._serving is None:
            self._next()
        if self._queue and self._has_enough():
            self._stop_reading()

    def _has_enough(self) -> bool:
        """Do so many answers or requests wait, or so much of them, that no more are read?"""
        queue, limits = self._queue, self._limits
        if self._write_paused or len(queue) >= limits.pipelined:
            return True
        return sum(len(exchange.body) for exchange in queue) > limits.body_bytes

    def _stop_reading(self) -> None:
        if not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()

    def _goes_on(self) -> bool:
        self._queued = False
        if self._closing:  # what comes is thrown away; that the client goes is seen
            self._drop_rest()
            self._read_on()
        elif not self._has_enough():
            if self._rest is not None:
                self._queued = True
            else:
                self._read_on()
        return self._queued

    def _read_on(self) -> None:
        if self._reading_paused and not self._transport.is_closing():
            self._reading_paused = False
            self._transport.resume_reading()

    def _expect_body(self) -> None:
        if self._serving is None and not self._queue:
            self.write(CONTINUE)
        else:
            self._expecting = self._reading

    # Serving, in order.

    def _next(self) -> None:
        while self._serving is None and self._queue and not self._write_paused:
            if self._transport.is_closing():  # nobody is there: connection_lost comes next
                return
            self._start(self._queue.popleft())
        if self._reading_paused and not self._queued:
            # What is half read had to wait meanwhile.
            self._read_by = self._loop.time() + self._limits.request_seconds
            if self._goes_on():
                self._clients.queue(self)
        if self._serving is None and not self._queue:
            if self._closing:
                self._close()
            elif self._expecting is not None:
                self._go_on_with(self._expecting)

    def _go_on_with(self, expecting: Exchange) -> None:
        self._expecting = None
        if expecting is self._reading and not expecting.body:  # else it has not waited
            self._read_by = self._loop.time() + self._limits.request_seconds
            self.write(CONTINUE)

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
        self._read_on()
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
        if self._queue or self._closing or self._expecting is not None:
            self._loop.call_soon(self._next)
        elif not self._write_paused:
            self.deadline = self._loop.time() + self._limits.idle_seconds

    def _last_request(self) -> None:
        self._closing = True
        last = self._queue[-1] if self._queue else self._serving
        if last is not None:  # who reads "close" in one before may not wait for what follows
            last.keep_alive = False

    def _refuse(self, status: int, message: str, allow: str = "") -> None:
        exchange = Exchange(self)
        exchange.keep_alive = False
        exchange.refusal = Refusal(status, message, allow)
        self._drop_reading()
        self._drop_rest()
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
        self._transport.abort()
