"""The routes: ``POST /statefun`` serves requests, ``GET /health`` says that it does."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from functools import partial
from http.client import responses
from typing import Any
from urllib.parse import urlsplit

from tornado import httputil, web

from ..effects import Request
from ..errors import ProtocolError, UnknownFunctionError, described
from ..protocol.v3 import decode_request
from ..sdk.dispatch import Outcome, withdraw
from ..trace.traced import TracedHandler
from .exchange import Exchange
from .parking import Parking

__all__ = [
    "LOOPBACK_NAMES",
    "RequestMessage",
    "RequestReplyRoute",
    "is_loopback_origin",
    "make_application",
    "no_access_log",
]

_OCTETS = "application/octet-stream"
_OCTETS_BYTES = _OCTETS.encode()
# What this machine calls itself, and is reached by from nowhere else.
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class RequestReplyRoute(httputil.HTTPServerConnectionDelegate):
    """Serves StateFun's requests on any ``HTTPConnection``, Tornado's own or ours.

    Statuses: 405 for another method than POST, 403 for a browser's request from another site,
    415 for a Content-Type that is present and not application/octet-stream (as the Go SDK), 400
    for bytes that are no request, 404 for a function that nobody declared, 500 when it raised.
    """

    def __init__(self, handler: TracedHandler) -> None:
        self._handler = handler
        self._tasks: set[asyncio.Task[Outcome]] = set()
        # Set for a real cluster: what failed is held open instead of being answered.
        self.parking: Parking | None = None
        self.retry = False  # but what a function raised is answered, and left to the cluster

    def park(self, *, retry: bool) -> Parking:
        """Hold failed requests from now on; with ``retry`` only those that nobody serves yet."""
        self.retry = retry
        self.parking = Parking(self.serve_request, lambda to, body: _answer(to, 200, body))
        return self.parking

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
        refusal = _refusal(method, headers)
        if refusal is not None:
            _answer(connection, *refusal)
            return
        self.serve_body(connection, body)

    def serve_body(self, connection: httputil.HTTPConnection, body: bytes) -> None:
        """Answer a request of which only the body is left to be looked at."""
        try:
            request = decode_request(body)
        except ProtocolError as error:
            _answer(connection, error.status_hint, str(error))
            return
        self.serve_request(connection, request, body)

    def serve_request(
        self, connection: httputil.HTTPConnection, request: Request, body: bytes
    ) -> None:
        """Answer a decoded request, or hold it; ``body`` is it, encoded."""
        if self.parking is not None and self.parking.takes(connection, request, body):
            return
        try:
            outcome = self._handler.start(body, request)
        except UnknownFunctionError as error:
            self._answer_failure(connection, request, error.status_hint, str(error), hold=True)
            return
        if isinstance(outcome, Outcome):
            if outcome.failure is None and isinstance(connection, Exchange):  # nearly always
                connection.respond(200, _OCTETS_BYTES, outcome.reply)
            else:
                self._answer_outcome(connection, request, outcome)
            return
        self._tasks.add(outcome)
        # A client that goes away will ask again: two runs of one batch must not overlap.
        connection.set_close_callback(partial(withdraw, outcome))  # type: ignore[attr-defined]  # see Exchange
        outcome.add_done_callback(lambda task: self._done(connection, request, task))

    def _done(
        self,
        connection: httputil.HTTPConnection,
        request: Request,
        task: asyncio.Task[Outcome],
    ) -> None:
        self._tasks.discard(task)
        connection.set_close_callback(None)  # type: ignore[attr-defined]  # see Exchange
        if task.cancelled():
            _answer(connection, 503, "the endpoint is stopping: this request was not served")
        else:
            self._answer_outcome(connection, request, task.result())

    def _answer_outcome(
        self, connection: httputil.HTTPConnection, request: Request, outcome: Outcome
    ) -> None:
        if outcome.failure is None:
            _answer(connection, 200, outcome.reply)
            return
        reason = described(outcome.failure.error)
        self._answer_failure(connection, request, 500, reason, hold=not self.retry)

    def _answer_failure(
        self,
        connection: httputil.HTTPConnection,
        request: Request,
        status: int,
        reason: str,
        *,
        hold: bool,
    ) -> None:
        if hold and self.parking is not None:
            self.parking.failed(connection, request.target, reason)
        else:
            _answer(connection, status, reason)

    def cancel(self) -> None:
        """Cancel the async functions that are still running."""
        for task in self._tasks:
            withdraw(task)


class RequestMessage(httputil.HTTPMessageDelegate):
    """Collects one request and hands it to the route."""

    def __init__(self, route: RequestReplyRoute, connection: httputil.HTTPConnection) -> None:
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


def _refusal(method: str, headers: Mapping[bytes, bytes]) -> tuple[int, str] | None:
    """Why a request is refused before its body is looked at; None when it is not."""
    if method != "POST":
        return 405, f"{method} is not allowed here: StateFun sends POST"
    origin = headers.get(b"origin")
    if origin is not None and not is_loopback_origin(origin.decode("latin-1")):
        return 403, f"requests from the web page {origin.decode('latin-1')!r} are refused"
    given = headers.get(b"content-type", _OCTETS_BYTES)
    if given != _OCTETS_BYTES:
        content_type = given.decode("latin-1")
        if content_type.partition(";")[0].strip().lower() != _OCTETS:
            return 415, f"the content type is {_OCTETS}, not {content_type!r}"
    return None


def is_loopback_origin(origin: str) -> bool:
    """Is this ``Origin`` header that of a page served by this very machine?"""
    try:
        return urlsplit(origin).hostname in LOOPBACK_NAMES
    except ValueError:
        return False


def _answer(connection: httputil.HTTPConnection, status: int, body: bytes | str) -> None:
    content_type = _OCTETS
    if isinstance(body, str):
        body, content_type = body.encode(errors="replace") + b"\n", "text/plain; charset=utf-8"
    if isinstance(connection, Exchange):
        connection.respond(status, content_type.encode(), body)
        return
    headers = httputil.HTTPHeaders({"Content-Type": content_type, "Content-Length": str(len(body))})
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


def make_application(
    handler: TracedHandler, path: str = "/statefun"
) -> tuple[web.Application, RequestReplyRoute]:
    """The Application that owns every route, and the one that StateFun talks to, at ``path``."""
    route = RequestReplyRoute(handler)
    rules: list[Any] = [
        (re.escape(path), route),
        (r"/health", _Health, {"handler": handler}),
    ]
    return web.Application(rules, log_function=no_access_log), route
