"""The routes.

``POST /statefun`` serves requests, ``POST /statefun/v2`` those of StateFun 2.x, and ``GET /health``
says that they are served. A real cluster sends to ``/statefun/remote``, or ``/statefun/remote/v2``,
what is for functions of other processes; it is the same route, and its address says in module.yaml
what goes through.
"""

from __future__ import annotations

import asyncio
import json
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http.client import responses
from typing import Any, NamedTuple

from tornado import httputil, web

from ..cells.blame import reason_of
from ..errors import ProtocolError, UnknownFunctionError
from ..protocol import v2
from ..protocol.effects import Request
from ..protocol.v3 import decode_request, without_messages
from ..sdk import statuses
from ..sdk.dispatch import Outcome, withdraw
from ..sdk.statuses import Refusal, wrong_method, wrong_type
from ..trace.traced import TracedHandler
from .admission import Names, foreign, own_names
from .exchange import Exchange
from .parking import Parking, Why

__all__ = [
    "HEALTH",
    "OCTETS",
    "OF_OTHERS",
    "OF_V2",
    "RequestMessage",
    "RequestReplyRoute",
    "Route",
    "make_application",
    "no_access_log",
    "refusal",
    "site_refusal",
]

OCTETS = statuses.OCTETS.encode()
HEALTH = "/health"
OF_V2 = "/v2"  # behind the path of 3.x
# Behind it, too: requests for functions of other processes, which a cluster sends by this endpoint.
OF_OTHERS = "/remote"


class _Asked(NamedTuple):
    """Whom to answer, what the request was, its bytes, and which messages were left out of it."""

    connection: httputil.HTTPConnection
    request: Request
    body: bytes
    gone: Sequence[int]

    def position(self, served: int) -> int:
        """Where a message stands in the request as it came, by its place in what was served."""
        for gone in self.gone:  # in order
            served += gone <= served
        return served


class Route(httputil.HTTPServerConnectionDelegate):
    """Where requests of one version of the protocol are posted to."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def start_request(
        self,
        server_conn: object,  # noqa: ARG002 - the interface's
        request_conn: httputil.HTTPConnection,
    ) -> httputil.HTTPMessageDelegate:
        return RequestMessage(self, request_conn)

    def on_close(self, server_conn: object) -> None:
        pass

    def serve(
        self,
        connection: httputil.HTTPConnection,
        method: str,
        headers: Mapping[bytes, bytes],
        body: bytes,
    ) -> None:
        """Answer one request on ``connection``; ``headers`` with lower-case names."""
        refused = refusal(method, headers, self._names)
        if refused is not None:
            _answer(connection, *refused)
            return
        self.serve_body(connection, body)

    @abstractmethod
    def serve_body(self, connection: httputil.HTTPConnection, body: bytes) -> None:
        """Answer a request of which only the body is left to be looked at."""


class RequestReplyRoute(Route):
    """Serves StateFun's requests on any ``HTTPConnection``, Tornado's own or ours.

    Statuses: 405 for another method than POST, 403 for a browser's request from another site,
    415 for a Content-Type that is present and not application/octet-stream (as the Go SDK), 400
    for bytes that are no request, 404 for a function that nobody declared (400 in v2), 500 when it
    raised.
    """

    def __init__(self, handler: TracedHandler, names: Names | None = None) -> None:
        super().__init__(own_names() if names is None else names)
        self.handler = handler
        self._tasks: set[asyncio.Task[Outcome]] = set()
        # Set for a real cluster: what failed is held open instead of being answered.
        self.parking: Parking | None = None
        self.retry = False  # but what a function raised is answered, and left to the cluster

    def park(self, *, retry: bool) -> Parking:
        """Hold failed requests from now on; with ``retry`` only those that nobody serves yet."""
        self.retry = retry
        self.parking = Parking(self.serve_request, lambda to, body: _answer(to, 200, body))
        return self.parking

    def serve_body(self, connection: httputil.HTTPConnection, body: bytes) -> None:
        try:
            request = decode_request(body)
            v2.refuse_in_v3(request)
        except ProtocolError as error:
            _answer(connection, error.status_hint, str(error))
            return
        self.serve_request(connection, request, body)

    def serve_request(
        self, connection: httputil.HTTPConnection, request: Request, body: bytes
    ) -> None:
        """Answer a decoded request, or hold it; ``body`` is it, encoded."""
        parking = self.parking
        gone: Sequence[int] = ()
        left, of_it = body, request
        if parking is not None:
            if parking.hold_if_due(connection, request, body):
                return
            gone = parking.discarded_in(request)
            if gone:
                left = without_messages(body, gone)
                if left:
                    of_it = decode_request(left)._replace(protocol=request.protocol)
        try:
            # Where every message was given up, none has an effect.
            outcome = self.handler.start(left, of_it) if left else Outcome(b"", False, None)
        except BaseException as error:  # whoever asked would wait till its time is up
            self._answer_error(_Asked(connection, request, body, gone), error)
            return
        if (  # nearly always
            isinstance(outcome, Outcome)
            and parking is None
            and outcome.failure is None
            and isinstance(connection, Exchange)
        ):
            connection.respond(200, OCTETS, outcome.reply)
            return
        asked = _Asked(connection, request, body, gone)
        if isinstance(outcome, Outcome):
            self._answer_outcome(asked, outcome)
            return
        self._tasks.add(outcome)
        # A client that goes away will ask again: two runs of one batch must not overlap.
        gone_away = partial(withdraw, outcome)
        connection.set_close_callback(gone_away)  # type: ignore[attr-defined]  # see Exchange
        outcome.add_done_callback(partial(self._done, asked))

    def _answer_error(self, asked: _Asked, error: BaseException) -> None:
        if isinstance(error, UnknownFunctionError):
            self._answer_failure(asked, error.status_hint, Why(str(error), None), hold=True)
        else:
            self._answer_failure(asked, 500, Why(reason_of(error), None), hold=not self.retry)

    def _done(self, asked: _Asked, task: asyncio.Task[Outcome]) -> None:
        self._tasks.discard(task)
        asked.connection.set_close_callback(None)  # type: ignore[attr-defined]  # see Exchange
        if task.cancelled():
            _answer(asked.connection, 503, "the endpoint is stopping: this was not served")
        elif (error := task.exception()) is not None:
            self._answer_error(asked, error)
        else:
            self._answer_outcome(asked, task.result())

    def _answer_outcome(self, asked: _Asked, outcome: Outcome) -> None:
        failure = outcome.failure
        if failure is None:
            if self.parking is not None and not outcome.missing:
                self.parking.answered(asked.request, asked.gone)
            _answer(asked.connection, 200, outcome.reply)
            return
        why = Why(reason_of(failure.error), asked.position(failure.position))
        self._answer_failure(asked, 500, why, hold=not self.retry)

    def _answer_failure(self, asked: _Asked, status: int, why: Why, *, hold: bool) -> None:
        if hold and self.parking is not None:
            self.parking.failed(asked.connection, asked.request, asked.body, why)
        else:
            _answer(asked.connection, status, why.reason)

    def cancel(self) -> None:
        """Cancel the async functions that are still running."""
        for task in self._tasks:
            withdraw(task)


class RouteOfV2(Route):
    """Serves requests of StateFun 2.x by the route of 3.x: they differ on the wire alone.

    Parameters
    ----------
    route : RequestReplyRoute
        Serves them, and holds what fails.
    """

    def __init__(self, route: RequestReplyRoute) -> None:
        super().__init__(route._names)
        self._route = route

    def serve_body(self, connection: httputil.HTTPConnection, body: bytes) -> None:
        declared = self._route.handler.functions._state_typename
        try:
            request, body = v2.decode_request(body, declared)
        except ProtocolError as error:
            _answer(connection, error.status_hint, str(error))
            return
        self._route.serve_request(_AnsweredInV2(connection), request, body)


class _AnsweredInV2(httputil.HTTPConnection):
    """A connection that takes replies of v2; ``_answer`` looks through it."""

    def __init__(self, connection: httputil.HTTPConnection) -> None:
        self.connection = connection

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        self.connection.set_close_callback(callback)  # type: ignore[attr-defined]  # see Exchange


class RequestMessage(httputil.HTTPMessageDelegate):
    """Collects one request and hands it to the route."""

    def __init__(self, route: Route, connection: httputil.HTTPConnection) -> None:
        self.route = route
        self._connection = connection
        self._method = ""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []

    def headers_received(
        self,
        start_line: httputil.RequestStartLine | httputil.ResponseStartLine,
        headers: httputil.HTTPHeaders,
    ) -> None:
        assert isinstance(start_line, httputil.RequestStartLine)
        self._method = start_line.method
        self._headers = {
            name.lower().encode("latin-1"): value.encode("latin-1")
            for name, value in headers.get_all()
        }

    def data_received(self, chunk: bytes) -> None:
        self._body.append(chunk)

    def finish(self) -> None:
        self.route.serve(self._connection, self._method, self._headers, b"".join(self._body))

    def on_connection_close(self) -> None:
        self._body.clear()


def refusal(method: str, headers: Mapping[bytes, bytes], names: Names) -> Refusal | None:
    """Why a request for a function is refused before its body is read; None when it is not."""
    refused = wrong_method(method) or site_refusal(headers, names)
    if refused is not None:
        return refused
    given = headers.get(b"content-type", OCTETS)
    return None if given == OCTETS else wrong_type(given.decode("latin-1"))


def site_refusal(headers: Mapping[bytes, bytes], names: Names) -> Refusal | None:
    """Why a page of another site is refused; None for every other request."""

    def text(name: bytes) -> str | None:
        value = headers.get(name)
        return None if value is None else value.decode("latin-1")

    why = foreign(text(b"host"), text(b"origin"), text(b"sec-fetch-site"), names)
    return Refusal(403, why) if why else None


def _answer(
    connection: httputil.HTTPConnection, status: int, body: bytes | str, allow: str = ""
) -> None:
    content_type = statuses.OCTETS
    if isinstance(connection, _AnsweredInV2):
        connection = connection.connection
        if isinstance(body, bytes):
            body = v2.encode_reply(body)
    if isinstance(body, str):
        body, content_type = body.encode(errors="replace") + b"\n", statuses.TEXT
    if isinstance(connection, Exchange) and not allow:
        connection.respond(status, content_type.encode(), body)
        return
    headers = httputil.HTTPHeaders({"Content-Type": content_type, "Content-Length": str(len(body))})
    if allow:
        headers["Allow"] = allow
    reason = responses.get(status, "Unknown")
    connection.write_headers(httputil.ResponseStartLine("HTTP/1.1", status, reason), headers, body)
    connection.finish()


class _Health(web.RequestHandler):
    """``GET /health``: which functions are served, as JSON."""

    def initialize(self, handler: TracedHandler) -> None:
        self._handler = handler

    def get(self) -> None:
        self.set_header("Content-Type", "application/json")
        self.finish(
            json.dumps({"status": "ok", "functions": sorted(self._handler.functions)}) + "\n"
        )


def no_access_log(handler: web.RequestHandler) -> None:
    """Write no access line: a notebook shows invocations."""


def make_application(route: RequestReplyRoute, path: str, health: str) -> web.Application:
    """The Application that owns every route: at ``path`` the one that StateFun talks to."""
    rules: list[Any] = [
        (re.escape(path), route),
        (re.escape(path + OF_V2), RouteOfV2(route)),
        (re.escape(path + OF_OTHERS), route),
        (re.escape(path + OF_OTHERS + OF_V2), RouteOfV2(route)),
        (re.escape(health), _Health, {"handler": route.handler}),
    ]
    return web.Application(rules, log_function=no_access_log)
