"""Remote functions, of other processes and languages: the endpoints of module.yaml, by HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..address import SdkAddress
from ..errors import EngineError, ProtocolError
from ..protocol import v2
from ..protocol.durations import seconds
from ..protocol.effects import Reply, StateSpec, TypedValue
from ..protocol.module_older_writer import state_specs
from ..protocol.module_yaml import OLDER_ENDPOINT, Document
from ..protocol.relayed import with_cause
from ..protocol.v3 import decode_reply, encode_missing
from ..sdk.registry import StatefulFunctions
from ..sdk.statuses import OCTETS
from ..tables import shorten
from ..trace.own_tasks import OwnTask
from ..trace.remote import RemoteTrace, TracedRequest
from .answers import Answer
from .transport import HttpClient, Transport, back_off, text_of
from .urls import check_url

__all__ = ["Answered", "RemoteCalls", "RemoteEndpoint", "RemoteTransport"]

# An answer may take so long before anybody is told that it has not come.
_SILENT_SECONDS = 1.0
_ASYNC = "io.statefun.transports.v1/async"

# A good reply, and its bytes in v3.
Answered = tuple[Reply, bytes]
State = Mapping[str, TypedValue | None]
# Raises EngineError for a reply of that address which the engine cannot apply.
Check = Callable[[SdkAddress, Reply], None]


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
        holders: dict[tuple[str, ...], dict[str, Any]] = {
            ("timeouts",): spec.get("timeouts") or {},
            ("transport", "timeouts"): transport.get("timeouts") or {},
            ("transport",): transport,
        }
        holder = next((path for path, held in holders.items() if held), ("transport",))
        times = {"call": 120.0, "connect": 20.0} if netty else {"call": 60.0, "connect": 10.0}
        with _naming(document, "urlPathTemplate"):
            check_url(url)
        with _naming(document, "maxNumBatchRequests"):
            if not str(limit).lstrip("-").isdecimal():
                raise ValueError(f"{shorten(repr(limit))} is not a number")
        for key in times.keys() & holders[holder].keys():
            with _naming(document, *holder, key):
                times[key] = seconds(holders[holder][key])
        of_2 = document.kind == OLDER_ENDPOINT
        protocol, states = (2, state_specs(document)) if of_2 else (3, ())
        name, most = str(spec["functions"]), max(int(limit), 0)
        return cls(name, url, most, times["call"], times["connect"], protocol, states)

    def url_of(self, typename: str) -> str:
        """The URL that serves a function type."""
        return self.url.replace("{function.name}", typename.partition("/")[2])


@contextlib.contextmanager
def _naming(document: Document, *path: str) -> Iterator[None]:
    """What is wrong with a setting is said with its name, and its line."""
    try:
        yield
    except ValueError as error:
        raise EngineError(f"{document.where_of(*path)}: {error}") from error


class RemoteCalls:
    """Calls of the endpoints that module.yaml names, until they are answered as they should be.

    All of it belongs to the loop, but for ``use`` and ``unanswered()``.

    Parameters
    ----------
    functions : StatefulFunctions
        What is declared here, and so served here.
    trace : RemoteTrace or None
        Gets what was served elsewhere. Requests have to have one message each then, as a reply
        tells only the sum of a batch.
    """

    def __init__(self, functions: StatefulFunctions, trace: RemoteTrace | None) -> None:
        self._functions = functions
        self.trace = trace
        self._client = HttpClient()
        self._endpoints: dict[str, RemoteEndpoint] = {}
        # Requests that have failed, of which the next try is one more of the same.
        self._failing: dict[SdkAddress, TracedRequest] = {}
        # Where what is asked for just now is asked for, and since when; and why it is once more.
        self._under_way: dict[SdkAddress, tuple[str, float]] = {}
        self._refused: dict[SdkAddress, str] = {}

    def use(self, endpoints: Iterable[RemoteEndpoint]) -> None:
        """Know these endpoints, and no others."""
        self._endpoints = {each.pattern: each for each in endpoints}

    def unanswered(self) -> dict[SdkAddress, str]:
        """What becomes of the addresses that get no good answer, or for a second none at all."""
        now = time.monotonic()
        told = {
            target: f"is asked for again and again: {why}"
            for target, why in [*self._refused.items()]
        }
        for target, (url, begun) in [*self._under_way.items()]:
            if now - begun > _SILENT_SECONDS:
                silent = f"has had no answer from {url} for {now - begun:.0f} s"
                told[target] = f"{told[target]}; now it {silent}" if target in told else silent
        return told

    def find(self, typename: str) -> RemoteEndpoint | None:
        """Which other endpoint serves a function type; ``ns/name`` wins over ``ns/*``."""
        if self._functions.find(typename) is not None:
            return None
        namespace = typename.partition("/")[0]
        return self._endpoints.get(typename) or self._endpoints.get(f"{namespace}/*")

    async def ask(
        self, target: SdkAddress, state: State, data: bytes, check: Check
    ) -> Answered | None:
        """The good reply of a function, however often it has to be asked.

        None when no other endpoint serves it (any more).

        Parameters
        ----------
        state, data : mapping, bytes
            Its state, and the request, encoded.
        check : callable
            Raises EngineError for a reply that the engine cannot apply.
        """
        try:
            for pause in back_off():
                try:
                    return await self.ask_once(target, state, data, check)
                except EngineError as error:
                    self._refused[target] = str(error)  # while it is asked again, too
                await asyncio.sleep(pause)
            raise AssertionError  # back_off does not end
        finally:
            self._refused.pop(target, None)

    async def ask_once(
        self, target: SdkAddress, state: State, data: bytes, check: Check
    ) -> Answered | None:
        """``ask``, a single time.

        Raises
        ------
        EngineError
            When there is no good reply; its text begins with what has failed.
        """
        endpoint = self.find(target.typename)  # a corrected module.yaml, or a cell, is followed
        if endpoint is None:
            return None
        unknown = [each for each in endpoint.states if each.name not in state]
        if unknown:  # what an endpoint of v3 would ask for
            return Reply((), (), (), (), unknown), encode_missing(unknown)
        traced = self._traced(target, state, data)
        start = time.perf_counter()
        try:
            asked = data if endpoint.protocol == 3 else v2.encode_request(data)
            body = await self._post(endpoint, target, asked)
            reply, body = _read(endpoint, target, body, check)
        except EngineError as error:
            if traced is not None:
                what, _, reason = str(error).partition(": ")
                traced.failed(what, reason)
                self._failing[target] = traced
            raise
        if traced is not None and reply.missing is None:
            self._failing.pop(target, None)
            cause = traced.served(reply, body, start)
            if reply.sends or reply.delayed:
                body = with_cause(body, cause)
                reply = decode_reply(body)
        return reply, body

    def _traced(self, target: SdkAddress, state: State, data: bytes) -> TracedRequest | None:
        if self.trace is None:
            return None
        failed = self._failing.get(target)
        if failed is not None and failed.data == data:
            return failed
        return self.trace.request(target, state, data)

    async def _post(self, endpoint: RemoteEndpoint, target: SdkAddress, data: bytes) -> bytes:
        """The body of a good answer; raises as ``ask_once``."""
        url = endpoint.url_of(target.typename)
        self._under_way[target] = url, time.monotonic()
        try:
            status, content_type, body = await self._client.post(
                url, data, call=endpoint.call, connect=endpoint.connect
            )
        except self._client.errors as error:
            reason = str(error) or f"no answer within {endpoint.call:g} s"
            raise EngineError(f"{type(error).__name__}: {url}: {reason}") from error
        finally:
            self._under_way.pop(target, None)
        if not 200 <= status < 300:
            raise EngineError(f"HTTP {status}: {url}: {text_of(body) or 'no reason given'}")
        if content_type != OCTETS:
            given = repr(content_type) if content_type else "missing"
            raise EngineError(f"HTTP {status}: {url}: the content type is {given}, not {OCTETS}")
        return body

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _read(endpoint: RemoteEndpoint, target: SdkAddress, body: bytes, check: Check) -> Answered:
    """The reply that a body is, if the engine takes it, and its bytes in v3.

    Raises
    ------
    EngineError
        As ``ask_once``: on a cluster each of these fails the job, which asks again.
    """
    try:
        if endpoint.protocol == 2:
            body = v2.decode_reply(body)
        reply = decode_reply(body)
        check(target, reply)
    except (EngineError, ProtocolError) as error:
        url = endpoint.url_of(target.typename)
        raise EngineError(f"{type(error).__name__}: {url}: {error}") from error
    return reply, body


class RemoteTransport:
    """Sends each request where its function is: to ``own``, or to an endpoint of module.yaml.

    What is declared here is served here. Another endpoint is asked again, with back-off, until it
    answers as it should: on a cluster the job would fail and start over, for ever.

    Parameters
    ----------
    own : Transport
    calls : RemoteCalls
    check : callable
        Raises EngineError for a reply that the engine cannot apply.
    """

    def __init__(self, own: Transport, calls: RemoteCalls, check: Check) -> None:
        self._own = own
        self._calls = calls
        self._check = check

    def batch_limit(self, typename: str) -> int | None:
        """How many messages a request for that function may have; None: as the engine's other."""
        endpoint = self._calls.find(typename)
        if endpoint is None:
            return None
        return endpoint.batch_limit if self._calls.trace is None else 1

    def send(
        self, target: SdkAddress, state: State, data: bytes
    ) -> Answer | asyncio.Future[Answer]:
        if self._calls.find(target.typename) is None:
            return self._own.send(target, state, data)
        return OwnTask(self._call(target, state, data), loop=asyncio.get_running_loop())

    async def _call(self, target: SdkAddress, state: State, data: bytes) -> Answer:
        found = await self._calls.ask(target, state, data, self._check)
        if found is not None:
            return found[0]
        answer = self._own.send(target, state, data)  # a cell has declared it meanwhile
        return await answer if isinstance(answer, asyncio.Future) else answer

    async def close(self) -> None:
        await self._calls.close()
        await self._own.close()
