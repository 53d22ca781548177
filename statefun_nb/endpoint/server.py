"""The endpoint: listens on loopback, and hands each request to the Application's routes.

A request for StateFun's own route goes the short way, remembered by its target; every other one,
and the first of each target, goes through Tornado's router::

    socket --> HttpConnection (httptools) --> Exchange --+--> RequestReplyRoute.serve
                                                         +--> web.Application --> /health, 404 ...
"""

from __future__ import annotations

import re
import socket
from dataclasses import replace
from functools import cached_property
from hmac import compare_digest
from typing import TYPE_CHECKING

# Tornado imports it with the first request, and without a free descriptor it could not.
import tornado.platform.asyncio  # noqa: F401
from tornado import httputil

from ..errors import EngineError
from ..loop_thread import LoopThread
from ..sdk.statuses import Refusal, wrong_method
from ..trace.traced import TracedHandler
from .admission import new_token, own_names
from .app import (
    HEALTH,
    OCTETS,
    OF_OTHERS,
    OF_V2,
    RequestMessage,
    RequestReplyRoute,
    Route,
    make_application,
    refusal,
    site_refusal,
)
from .exchange import Exchange
from .http_server import LOOPBACK, HttpServer, bind_port
from .limits import Limits
from .parking import Parking

if TYPE_CHECKING:
    from tornado import web

    from .forward import ForwardTo

__all__ = ["Endpoint"]

# How many ports after the wanted one are tried before giving up.
PORTS_TRIED = 100
_STOP_SECONDS = 60.0  # for the loop to come to it: on a machine that is busy it has long turns


class Endpoint:
    """Serves a handler, on the loop of a LoopThread.

    Parameters
    ----------
    handler : TracedHandler
    thread : LoopThread
        Where it runs; started by whoever made it.
    limits : Limits, optional
    host : str
        The IPv4 address, or its name, to listen on.
    token : str
        Goes into the path, so that only who knows it can call the functions; "": none.
    """

    def __init__(
        self,
        handler: TracedHandler,
        thread: LoopThread,
        limits: Limits | None = None,
        *,
        host: str = LOOPBACK,
        token: str = "",
    ) -> None:
        self._thread = thread
        self._host = host
        self._path = f"/statefun/{token}" if token else "/statefun"
        self._health = f"{self._path}{HEALTH}" if token else HEALTH
        tails = ("", OF_V2, OF_OTHERS, OF_OTHERS + OF_V2)
        served = (*(self._path + tail for tail in tails), self._health)
        self._paths = [path.encode() for path in served]
        self._names = own_names([host])
        self._route = RequestReplyRoute(handler, self._names)
        self._forwarded: list[bytes] = []
        self._direct: dict[bytes, Route] = {}
        self._http = HttpServer(self._admit, self._serve, limits or Limits())
        self._last_host: bytes | None = None  # the last Host that was none of another site's
        self._listening = False
        self._listener: socket.socket | None = None
        self.port: int = 0

    @cached_property
    def _application(self) -> web.Application:
        """Made for the first request: the embedded engine alone needs none."""
        return make_application(self._route, self._path, self._health)

    @property
    def url(self) -> str:
        """What module.yaml names as the urlPathTemplate."""
        return f"http://{self._host}:{self.port}{self._path}"

    @property
    def url_v2(self) -> str:
        """What a module.yaml of StateFun 2.x names as the endpoint."""
        return self.url + OF_V2

    @property
    def url_remote(self) -> str:
        """Where a cluster sends requests for functions of other processes, to be handed on."""
        return self.url + OF_OTHERS

    @property
    def url_remote_v2(self) -> str:
        """The same for a cluster of StateFun 2.x."""
        return self.url_remote + OF_V2

    @property
    def health_url(self) -> str:
        """Where it says that it serves, and what; with a token, that is no public knowledge."""
        return f"http://{self._host}:{self.port}{self._health}"

    @property
    def listening(self) -> bool:
        """Is the endpoint open?"""
        return self._listening

    def forward(self, name: str, to: ForwardTo) -> str:
        """Show the pages of another server, too; the link to them, which has a token in it."""
        from .forward import Forwarded  # 2 ms, for nobody but who has a real cluster

        place = f"/{name}/{new_token()}/"
        rule = (re.escape(place) + "(.*)", Forwarded, {"to": to})
        self._thread.call(lambda: self._application.add_handlers(".*", [rule]))
        self._forwarded.append(place.encode())
        return f"http://{self._host}:{self.port}{place}"

    @property
    def refused(self) -> int:
        """The size of the last request that was too large, in bytes; 0: none was."""
        return self._http.clients.refused

    def take(self, body_bytes: int, too_large: int = Limits().too_large) -> None:
        """Accept requests of so many bytes, before there is a connection.

        ``too_large`` is the status of those that are larger.
        """
        limits = self._http.limits
        self._http.limits = replace(limits, body_bytes=body_bytes, too_large=too_large)

    def park(self, *, retry: bool) -> Parking:
        """See ``RequestReplyRoute.park``."""
        return self._route.park(retry=retry)

    def start(self, port: int = 0, *, others: bool = True) -> int:
        """Listen on ``port``, or with ``others`` the next one that is free; 0 is any.

        Returns
        -------
        int
            The port.

        Raises
        ------
        EngineError
            When neither it nor one of the next hundred is free, or the endpoint listens already.
        """
        if self._listening:
            raise EngineError(f"the endpoint is already listening on {self.url}")
        listener = bind_port(self._host, port, PORTS_TRIED if others and port else 0)
        self._listener = listener
        self._thread.run(self._http.listen(listener))
        self._listening = True
        self.port = listener.getsockname()[1]
        return self.port

    def stop(self, grace: float = 1.0) -> None:
        """Stop listening; requests being served get ``grace`` seconds, then are cancelled."""
        if self._listening:
            self._thread.run(self.close(grace), timeout=grace + _STOP_SECONDS)

    def abandon(self) -> None:
        """Give the port back, when the loop's thread has ended without ``close``."""
        if self._listener is not None:
            self._listener.close()

    async def close(self, grace: float = 0.0) -> None:
        """``stop``, on the loop."""
        self._listening = False
        await self._http.close(grace, self._route.cancel)

    def _admit(self, exchange: Exchange) -> Refusal | None:
        """Why a request is refused before its body is read; None when it is not."""
        target, fields = exchange.target, exchange.fields
        if target in self._direct:
            if (  # nearly always: in one go what `refusal` would ask for one by one
                exchange.method == "POST"
                and fields.get(b"host") == self._last_host
                and fields.get(b"content-type") == OCTETS
                and b"origin" not in fields
                and b"sec-fetch-site" not in fields
            ):
                return None
        else:
            path = target.partition(b"?")[0]
            # In a time that does not tell how much of a token was guessed. (The dictionary above
            # compares nothing unless 64 bits of a hash agree, whose key is this process's secret.)
            *serves, tells = (compare_digest(path, each) for each in self._paths)
            if tells:
                refused = wrong_method(exchange.method, ("GET",), "it says what is served")
                return refused or site_refusal(fields, self._names)
            if any(compare_digest(path[: len(each)], each) for each in self._forwarded):
                return self._admit_to_page(exchange)
            if not any(serves):
                return Refusal(404, f"there is nothing at {path[:100].decode('latin-1')!r}")
        refused = refusal(exchange.method, fields, self._names)
        if refused is None:
            self._last_host = fields.get(b"host")
        return refused

    def _admit_to_page(self, exchange: Exchange) -> Refusal | None:
        """Pages may be opened from anywhere, as by the link in a notebook; no page gets at them."""
        fields = exchange.fields
        refused = wrong_method(exchange.method, ("GET",), "it is only to be looked at")
        if refused is not None:
            return refused
        if fields.get(b"sec-fetch-mode") == b"navigate" and b"origin" not in fields:
            fields = {**fields, b"sec-fetch-site": b"none"}
        return site_refusal(fields, self._names)

    def _serve(self, exchange: Exchange) -> None:
        route = self._direct.get(exchange.target)
        if route is not None:
            body = exchange.body
            route.serve_body(exchange, body if type(body) is bytes else bytes(body))
            return
        try:
            self._ask_application(exchange)
        except httputil.HTTPInputError as error:
            exchange.keep_alive = False
            exchange.refuse(400, str(error))

    def _ask_application(self, exchange: Exchange) -> None:
        """The way of any request through Tornado: its router finds the delegate to feed."""
        line = httputil.RequestStartLine(
            exchange.method, exchange.target.decode("latin-1"), "HTTP/1.1"
        )
        headers = httputil.HTTPHeaders()
        for name, value in exchange.headers:
            headers.add(name.decode("latin-1"), value.decode("latin-1"))
        request = httputil.HTTPServerRequest(
            connection=exchange, start_line=line, headers=headers, server_connection=self
        )
        delegate = self._application.find_handler(request)
        # What the router answered for this path holds for the next request, too. Asking it takes
        # 40 us, more than everything else that a request of one message costs.
        if isinstance(delegate, RequestMessage) and b"?" not in exchange.target:
            self._direct[exchange.target] = delegate.route
        delegate.headers_received(line, headers)
        if exchange.body:
            delegate.data_received(bytes(exchange.body))
        delegate.finish()
