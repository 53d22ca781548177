"""Remote functions, of other processes and languages: the endpoints of module.yaml, by HTTP."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ..address import SdkAddress
from ..errors import EngineError, ProtocolError
from ..protocol.effects import Reply, TypedValue
from ..protocol.module_yaml import Document
from ..protocol.v3 import decode_reply
from ..sdk.registry import StatefulFunctions
from ..sdk.statuses import OCTETS
from ..trace.own_tasks import OwnTask
from ..trace.remote import RemoteTrace
from .answers import Answer
from .transport import HttpClient, Transport, back_off

__all__ = ["RemoteEndpoint", "RemoteTransport", "seconds"]

_ASYNC = "io.statefun.transports.v1/async"
# Of Flink's durations: what each unit is in seconds.
_UNITS = {
    "ms": 0.001, "milli": 0.001, "millis": 0.001, "millisecond": 0.001, "milliseconds": 0.001,
    "s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1,
    "m": 60, "min": 60, "minute": 60, "minutes": 60,
    "h": 3600, "hour": 3600, "hours": 3600, "d": 86400, "day": 86400, "days": 86400,
}  # fmt: skip


def seconds(text: Any) -> float:
    """A duration of module.yaml in seconds.

    Raises
    ------
    ValueError
        When it is none.

    Examples
    --------
    >>> seconds("2 min"), seconds("500ms")
    (120.0, 0.5)
    """
    match = re.fullmatch(r"\s*(\d+)\s*([a-z]*)\s*", str(text))
    if match is None or (match[2] or "ms") not in _UNITS:
        raise ValueError(f"{text!r} is not a duration: write 30s, 2min or 500ms")
    return float(int(match[1]) * _UNITS[match[2] or "ms"])


class RemoteEndpoint(NamedTuple):
    """Where functions are: ``pattern`` is ``ns/name`` or ``ns/*``; times are in seconds."""

    pattern: str
    url: str
    batch_limit: int
    call: float
    connect: float

    @classmethod
    def of(cls, document: Document) -> RemoteEndpoint:
        """Read a document.

        Raises
        ------
        EngineError
            When this engine cannot call such an endpoint.
        """
        spec = document.spec
        url, limit = str(spec["urlPathTemplate"]), spec.get("maxNumBatchRequests", 1000)
        transport = spec.get("transport") or {}
        # The code's default, where the runtime's pages name the other one.
        netty = document.kind.endswith("v2/http") and transport.get("type", _ASYNC) == _ASYNC
        times = spec.get("timeouts") or transport.get("timeouts") or transport
        call, connect = (120.0, 20.0) if netty else (60.0, 10.0)
        try:
            if urlsplit(url).scheme not in ("http", "https"):
                raise ValueError(
                    f"urlPathTemplate {url!r}: the embedded engine speaks http and https"
                )
            if not str(limit).lstrip("-").isdecimal():
                raise ValueError(f"maxNumBatchRequests {limit!r} is not a number")
            call = seconds(times["call"]) if "call" in times else call
            connect = seconds(times["connect"]) if "connect" in times else connect
        except ValueError as error:
            raise EngineError(f"{document.where}: {error}") from error
        return cls(str(spec["functions"]), url, max(int(limit), 0), call, connect)

    def url_of(self, typename: str) -> str:
        """The URL that serves a function type."""
        return self.url.replace("{function.name}", typename.partition("/")[2])


class RemoteTransport:
    """Sends each request where its function is: to ``own``, or to an endpoint of module.yaml.

    What is declared here is served here. Another endpoint is asked again, with back-off, until it
    answers as it should: on a cluster the job would fail and start over, for ever.

    Parameters
    ----------
    own : Transport
    functions : StatefulFunctions
        What is declared here.
    trace : RemoteTrace or None
        Gets what was served elsewhere. Requests have one message each then, as a reply tells only
        the sum of a batch.
    check : callable
        Raises EngineError for a reply that the engine cannot apply.
    """

    def __init__(
        self,
        own: Transport,
        functions: StatefulFunctions,
        trace: RemoteTrace | None,
        check: Callable[[SdkAddress, Reply], None],
    ) -> None:
        self._own = own
        self._check = check
        self._functions = functions
        self._trace = trace
        self._client = HttpClient()
        self._endpoints: dict[str, RemoteEndpoint] = {}

    def add(self, endpoints: Iterable[RemoteEndpoint]) -> None:
        """Know these endpoints, too; one that was known is replaced."""
        self._endpoints.update((each.pattern, each) for each in endpoints)

    def find(self, typename: str) -> RemoteEndpoint | None:
        """Which other endpoint serves a function type; ``ns/name`` wins over ``ns/*``."""
        if self._functions.find(typename) is not None:
            return None
        namespace = typename.partition("/")[0]
        return self._endpoints.get(typename) or self._endpoints.get(f"{namespace}/*")

    def batch_limit(self, typename: str) -> int | None:
        """How many messages a request for that function may have; None: as the engine's other."""
        endpoint = self.find(typename)
        if endpoint is None:
            return None
        return endpoint.batch_limit if self._trace is None else 1

    def send(
        self, target: SdkAddress, state: Mapping[str, TypedValue | None], data: bytes
    ) -> Answer | asyncio.Future[Answer]:
        endpoint = self.find(target.typename)
        if endpoint is None:
            return self._own.send(target, state, data)
        call = self._call(endpoint, target, state, data)
        return OwnTask(call, loop=asyncio.get_running_loop())

    async def _call(
        self,
        endpoint: RemoteEndpoint,
        target: SdkAddress,
        state: Mapping[str, TypedValue | None],
        data: bytes,
    ) -> Answer:
        traced = None if self._trace is None else self._trace.request(target, state, data)
        for pause in back_off():
            start = time.perf_counter()
            try:
                body = await self._ask(endpoint, endpoint.url_of(target.typename), data)
                reply = self._read(endpoint, target, body)
            except EngineError as error:
                if traced is not None:
                    what, _, reason = str(error).partition(": ")
                    traced.failed(what, reason)
                await asyncio.sleep(pause)
            else:
                if traced is not None and reply.missing is None:
                    traced.served(reply, body, start)
                return reply
            found = self.find(target.typename)  # a corrected module.yaml, or a cell, is followed
            if found is None:
                answer = self._own.send(target, state, data)
                return await answer if isinstance(answer, asyncio.Future) else answer
            endpoint = found
        raise AssertionError  # back_off does not end

    def _read(self, endpoint: RemoteEndpoint, target: SdkAddress, body: bytes) -> Reply:
        """The reply that a body is, if the engine takes it.

        Raises
        ------
        EngineError
            As ``_ask``: on a cluster each of these fails the job, which asks again.
        """
        try:
            reply = decode_reply(body)
            self._check(target, reply)
        except (EngineError, ProtocolError) as error:
            url = endpoint.url_of(target.typename)
            raise EngineError(f"{type(error).__name__}: {url}: {error}") from error
        return reply

    async def _ask(self, endpoint: RemoteEndpoint, url: str, data: bytes) -> bytes:
        """The body of a good answer.

        Raises
        ------
        EngineError
            When there is none; its text begins with what has failed.
        """
        try:
            status, content_type, body = await self._client.post(
                url, data, call=endpoint.call, connect=endpoint.connect
            )
        except self._client.errors as error:
            reason = str(error) or f"no answer within {endpoint.call:g} s"
            raise EngineError(f"{type(error).__name__}: {url}: {reason}") from error
        if not 200 <= status < 300:
            text = body.decode(errors="replace").strip()
            raise EngineError(f"HTTP {status}: {url}: {text or 'no reason given'}")
        if content_type != OCTETS:
            given = repr(content_type) if content_type else "missing"
            raise EngineError(f"HTTP {status}: {url}: the content type is {given}, not {OCTETS}")
        return body

    async def close(self) -> None:
        await self._client.close()
        await self._own.close()
