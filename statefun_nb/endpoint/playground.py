"""Messages in and records out by plain HTTP, as StateFun's playground image has them.

Source: ``IngressWebServer``, ``EgressWebServer`` and ``PlaygroundEgress`` of its entrypoint. Other
than there, what is answered is the status line's, both listen on loopback alone, a page of another
site is refused, and ``Content-Type: text/plain`` makes a text of the body.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from urllib.parse import unquote

from ..address import SdkAddress, address_of
from ..errors import DeclarationError, EngineError, ProtocolError
from ..protocol.effects import TypedValue
from ..protocol.module_yaml import Document
from ..protocol.records import PLAYGROUND_RECORD, decode_playground_record
from ..sdk.statuses import TEXT, Refusal, wrong_method
from ..sdk.types import StringType
from ..trace.own_tasks import OwnTask
from .admission import Names, own_names
from .app import site_refusal
from .exchange import Exchange
from .http_server import LOOPBACK, HttpServer, bind_port
from .limits import Limits

__all__ = ["PlaygroundServers"]

_TYPE_PREFIX = "application/vnd."
_LIMITS = Limits(body_bytes=32 * 1024 * 1024)  # what a runtime's request may have by default
# Records that nobody fetches; the playground keeps as many.
_KEPT = 1 << 20

Send = Callable[[SdkAddress, TypedValue], None]


class _Ingress:
    """Sends what is posted to ``/namespace/type/id``."""

    methods = ("POST", "PUT")

    def __init__(self, send: Send) -> None:
        self._send = send

    def serve(self, exchange: Exchange) -> None:
        try:
            path = _path(exchange)
            parts = [unquote(part, errors="strict") for part in path.split("/")]
            if len(parts) != 3 or not all(parts):
                raise DeclarationError("the path is /namespace/type/id")
            address = address_of(f"{parts[0]}/{parts[1]}", parts[2])
            value = self._value(exchange)
        except ValueError as error:  # a DeclarationError is one
            exchange.refuse(500, str(error))  # the status is the playground's
            return
        try:
            self._send(address, value)
        except EngineError as error:
            exchange.refuse(503, str(error))
        else:
            exchange.respond(200, TEXT.encode(), b"")

    def _value(self, exchange: Exchange) -> TypedValue:
        """The body, of the type that the request says; raises ValueError for text that is none."""
        content_type = exchange.fields.get(b"content-type", b"").decode("latin-1")
        kind, body = content_type.partition(";")[0].strip(), bytes(exchange.body)
        if kind == "text/plain":
            return TypedValue(StringType.typename, StringType.serializer().serialize(body.decode()))
        named = kind.startswith(_TYPE_PREFIX)
        typename = kind.removeprefix(_TYPE_PREFIX) if named else StringType.typename
        return TypedValue(typename, body)


class _Egress:
    """Answers with the oldest record of a topic, ``/topic``, and forgets it."""

    methods = ("GET",)

    def __init__(self, topics: dict[str, deque[str]]) -> None:
        self._topics = topics

    def serve(self, exchange: Exchange) -> None:
        topic = unquote(_path(exchange))
        records = self._topics.get(topic)
        if records is None:
            topics = ", ".join(self._topics)
            exchange.refuse(405, f"no topic {topic!r}; topics are {topics}", "GET")
        elif not records:
            exchange.refuse(404, f"no record in {topic!r}")
        else:
            exchange.respond(200, TEXT.encode(), records.popleft().encode(errors="replace"))


def _path(exchange: Exchange) -> str:
    return exchange.target.partition(b"?")[0].decode("latin-1").removeprefix("/")


def _admit(methods: Sequence[str], names: Names, exchange: Exchange) -> Refusal | None:
    refused = site_refusal(exchange.fields, names)
    return refused or wrong_method(exchange.method, methods, f"it is {' or '.join(methods)}")


class PlaygroundServers:
    """The ports that module.yaml names for ingresses and egresses; all of it on the loop.

    Parameters
    ----------
    send : callable
        Takes what came in, to an address; raises EngineError when it cannot.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._servers: list[HttpServer] = []
        self._listening: list[asyncio.Task[None]] = []
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
            route = self._route(document)
            admit = partial(_admit, route.methods, own_names())
            server = HttpServer(admit, route.serve, _LIMITS)
            self._servers.append(server)
            # It listens already: who connects before the loop turns waits so long.
            loop = asyncio.get_running_loop()
            self._listening.append(OwnTask(server.listen(listener), loop=loop))

    def _route(self, document: Document) -> _Ingress | _Egress:
        if not document.is_egress:
            return _Ingress(self._send)
        names = [str(each) for each in document.spec["topics"]]
        return _Egress({name: self._topics.setdefault(name, deque(maxlen=_KEPT)) for name in names})

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
        await asyncio.gather(*self._listening, return_exceptions=True)
        for server in self._servers:
            await server.close()
        self._servers.clear()
        self._listening.clear()


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
