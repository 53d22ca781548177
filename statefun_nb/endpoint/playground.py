"""Messages in and records out by plain HTTP, as StateFun's playground image has them.

Source: ``IngressWebServer``, ``EgressWebServer`` and ``PlaygroundEgress`` of its entrypoint. Other
than there, what is answered is the status line's, both listen on loopback alone, a page of another
site is refused, and ``Content-Type: text/plain`` makes a text of the body.
"""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote

from tornado import web
from tornado.httpserver import HTTPServer

from ..address import SdkAddress, address_of
from ..errors import DeclarationError, EngineError, ProtocolError
from ..protocol.effects import TypedValue
from ..protocol.module_yaml import Document
from ..protocol.records import PLAYGROUND_RECORD, decode_playground_record
from ..sdk.types import StringType
from .admission import foreign, own_names
from .app import no_access_log
from .http_server import LOOPBACK, bind_port

__all__ = ["PlaygroundServers"]

_TYPE_PREFIX = "application/vnd."
_LARGEST_BODY = 32 * 1024 * 1024  # what a runtime's request may have by default
# Records that nobody fetches; the playground keeps as many.
_KEPT = 1 << 20

Send = Callable[[SdkAddress, TypedValue], None]


class _Page(web.RequestHandler):
    def prepare(self) -> None:
        given = self.request.headers.get
        why = foreign(given("Host"), given("Origin"), given("Sec-Fetch-Site"), own_names())
        if why:
            self.refuse(403, why)

    def refuse(self, status: int, reason: str) -> None:
        """Answer with a reason, as text."""
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{reason}\n")

    def data_received(self, chunk: bytes) -> None:
        """Never called: the server collects a body before it asks for an answer."""


class _Ingress(_Page):
    def initialize(self, send: Send) -> None:
        self._send = send

    def post(self) -> None:
        """Send the body to the function that the path names."""
        try:
            parts = [unquote(part, errors="strict") for part in self.request.path[1:].split("/")]
            if len(parts) != 3 or not all(parts):
                raise DeclarationError("the path is /namespace/type/id")
            address = address_of(f"{parts[0]}/{parts[1]}", parts[2])
            value = self._value()
        except ValueError as error:  # a DeclarationError is one
            self.refuse(500, str(error))  # the status is the playground's
            return
        try:
            self._send(address, value)
        except EngineError as error:
            self.refuse(503, str(error))

    put = post

    def _value(self) -> TypedValue:
        """The body, of the type that the request says; raises ValueError for text that is none."""
        content_type, body = self.request.headers.get("Content-Type", ""), self.request.body
        kind = content_type.partition(";")[0].strip()
        if kind == "text/plain":
            return TypedValue(StringType.typename, StringType.serializer().serialize(body.decode()))
        named = kind.startswith(_TYPE_PREFIX)
        typename = kind.removeprefix(_TYPE_PREFIX) if named else StringType.typename
        return TypedValue(typename, body)


class _Egress(_Page):
    def initialize(self, topics: dict[str, deque[str]]) -> None:
        self._topics = topics

    def get(self) -> None:
        """Answer with the oldest record of a topic, and forget it."""
        topic = unquote(self.request.path[1:])
        records = self._topics.get(topic)
        if records is None:
            self.refuse(405, f"no topic {topic!r}; topics are {', '.join(self._topics)}")
        elif not records:
            self.refuse(404, f"no record in {topic!r}")
        else:
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(records.popleft())


class PlaygroundServers:
    """The ports that module.yaml names for ingresses and egresses; all of it on the loop.

    Parameters
    ----------
    send : callable
        Takes what came in, to an address; raises EngineError when it cannot.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._servers: list[HTTPServer] = []
        self._topics: dict[str, deque[str]] = {}

    def open(self, documents: Sequence[Document]) -> None:
        """Open the ports of these documents, all or none.

        Raises
        ------
        EngineError
            When one is not as it should be, or its port cannot be had.
        """
        opened: list[socket.socket] = []
        try:
            for document in documents:
                opened.append(_bind(document))  # noqa: PERF401 - closed if a later one fails
        except EngineError:
            for listener in opened:
                listener.close()
            raise
        for document, listener in zip(documents, opened, strict=True):
            server = HTTPServer(self._application(document), max_body_size=_LARGEST_BODY)
            server.add_socket(listener)
            self._servers.append(server)

    def _application(self, document: Document) -> web.Application:
        rules: list[Any]
        if not document.is_egress:
            rules = [(r"/.*", _Ingress, {"send": self._send})]
        else:
            names = [str(each) for each in document.spec["topics"]]
            own = {name: self._topics.setdefault(name, deque(maxlen=_KEPT)) for name in names}
            rules = [(r"/.*", _Egress, {"topics": own})]
        return web.Application(rules, log_function=no_access_log)

    def check(self, value: TypedValue) -> None:
        """Raise EngineError for a record that no topic takes; the playground fails the job."""
        if self._topics and value.typename == PLAYGROUND_RECORD:
            topic, _ = _record(value)
            if topic not in self._topics:
                raise EngineError(
                    f"no egress has the topic {topic!r}; topics are {', '.join(self._topics)}"
                )

    def offer(self, value: TypedValue) -> None:
        """Keep a record until somebody fetches it; what is none of a topic is left alone."""
        if self._topics and value.typename == PLAYGROUND_RECORD:
            with contextlib.suppress(EngineError):  # another process may have sent anything
                topic, payload = _record(value)
                if topic in self._topics:
                    self._topics[topic].append(payload)

    async def close(self) -> None:
        """Stop listening, and close all connections."""
        for server in self._servers:
            server.stop()
            await server.close_all_connections()
        self._servers.clear()


def _bind(document: Document) -> socket.socket:
    port, topics = document.spec["port"], document.spec.get("topics", [])
    if not isinstance(port, int) or not 0 < port < 65536:
        raise EngineError(f"{document.where}: {port!r} is not a port from 1 to 65535")
    if not isinstance(topics, list):
        raise EngineError(f"{document.where}: topics is a list, not {topics!r}")
    try:
        return bind_port(LOOPBACK, port)
    except EngineError as error:
        raise EngineError(f"{document.where}: {error}") from error


def _record(value: TypedValue) -> tuple[str, str]:
    try:
        topic, payload = decode_playground_record(value.value or b"")
    except ProtocolError as error:
        raise EngineError(str(error)) from error
    return str(topic), str(payload)
