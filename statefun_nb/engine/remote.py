"""Remote functions, of other processes and languages: the endpoints of module.yaml, by HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from ..address import SdkAddress
from ..errors import EngineError, ProtocolError
from ..protocol import v2
from ..protocol.durations import seconds
from ..protocol.effects import Reply, StateSpec, TypedValue
from ..protocol.module_older import state_specs
from ..protocol.module_yaml import OLDER_ENDPOINT, Document
from ..protocol.v3 import decode_reply
from ..sdk.registry import StatefulFunctions
from ..sdk.statuses import OCTETS
from ..trace.own_tasks import OwnTask
from ..trace.remote import RemoteTrace
from .answers import Answer
from .transport import HttpClient, Transport, back_off, is_of_socket

__all__ = ["RemoteEndpoint", "RemoteTransport"]

_ASYNC = "io.statefun.transports.v1/async"


class RemoteEndpoint(NamedTuple):
    """Where functions are: ``pattern`` is ``ns/name`` or ``ns/*``; times are in seconds.

    ``states`` are those of module.yaml, where protocol v2 has no other way to tell them.
    """

    pattern: str
    url: str
    batch_limit: int
    call: float
    connect: float
    protocol: int = 3
    states: Sequence[StateSpec] = ()

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
            if urlsplit(url).scheme not in ("http", "https") and not is_of_socket(url):
                raise ValueError(
                    f"urlPathTemplate {url!r}: the embedded engine speaks http, https, and "
                    "http+unix:// with the path of a socket that ends with .sock"
                )
            if not str(limit).lstrip("-").isdecimal():
                raise ValueError(f"maxNumBatchRequests {limit!r} is not a number")
            call = seconds(times["call"]) if "call" in times else call
            connect = seconds(times["connect"]) if "connect" in times else connect
        except ValueError as error:
            raise EngineError(f"{document.where}: {error}") from error
        of_2 = document.kind == OLDER_ENDPOINT
        protocol, states = (2, state_specs(document)) if of_2 else (3, ())
        name, most = str(spec["functions"]), max(int(limit), 0)
        return cls(name, url, most, call, connect, protocol, states)

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
        # Why what is asked for goes on being asked for; written on the loop.
        self.unanswered: dict[SdkAddress, str] = {}

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
            unknown = [each for each in endpoint.states if each.name not in state]
            if unknown:  # what an endpoint of v3 would ask for
                return Reply((), (), (), (), unknown)
            start = time.perf_counter()
            try:
                asked = data if endpoint.protocol == 3 else v2.encode_request(data)
                body = await self._ask(endpoint, endpoint.url_of(target.typename), asked)
                reply, body = self._read(endpoint, target, body)
            except EngineError as error:
                if traced is not None:
                    what, _, reason = str(error).partition(": ")
                    traced.failed(what, reason)
                self.unanswered[target] = str(error)
                try:
                    await asyncio.sleep(pause)
                finally:
                    del self.unanswered[target]
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

    def _read(
        self, endpoint: RemoteEndpoint, target: SdkAddress, body: bytes
    ) -> tuple[Reply, bytes]:
        """The reply that a body is, if the engine takes it, and its bytes in v3.

        Raises
        ------
        EngineError
            As ``_ask``: on a cluster each of these fails the job, which asks again.
        """
        try:
            if endpoint.protocol == 2:
                body = v2.decode_reply(body)
            reply = decode_reply(body)
            self._check(target, reply)
        except (EngineError, ProtocolError) as error:
            url = endpoint.url_of(target.typename)
            raise EngineError(f"{type(error).__name__}: {url}: {error}") from error
        return reply, body

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
