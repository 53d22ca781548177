"""Functions of other processes, on a real cluster: it calls this endpoint, and that calls them.

So they are in the trace, ``wait_idle`` counts their messages, and what would fail the job is their
error, as with the embedded engine. A request that is not answered well is held and asked again,
with back-off, as there. But in StateFun 3.x the first one of a function type must not be held (see
``endpoint/parking.py``): each is tried once, and then sent back to come again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..address import SdkAddress
from ..endpoint.parking import AGAIN
from ..engine.remote import Answered, RemoteCalls, RemoteEndpoint
from ..errors import EngineError
from ..protocol.effects import CancelDelayed, DelayedSend, Reply, Request, TypedValue
from ..protocol.module_yaml import Document
from ..protocol.relayed import rerouted
from ..protocol.v3 import encode_request, read_caller
from ..sdk.dispatch import Failure, Outcome, not_in_module, withdraw
from ..trace.own_tasks import OwnTask
from ..trace.remote import RemoteTrace
from ..trace.traced import TracedHandler
from .module_forms import ModuleForm
from .observed import Observed
from .routes import ClusterRoutes
from .sizes import check_size

__all__ = ["RemoteFunctions"]

# StateFun's own transports; what another one does is not known here.
_TRANSPORTS = ("io.statefun.transports.v1/async", "io.statefun.transports.v1/okhttp")
# With these the runtime shows who it is, by files that may lie where it runs.
_OF_TLS = ("trust_cacerts", "client_cert", "client_key", "client_key_password")
_SENT_BACK = Outcome(AGAIN, True, None)


class _Asked(NamedTuple):
    """A request as it was sent, and the good reply to it."""

    data: bytes
    found: Answered


class RemoteFunctions:
    """Serves a cluster's requests for functions of other processes, by calling them.

    Serving belongs to the loop; what is deployed is asked from the keeper's thread.

    Parameters
    ----------
    handler : TracedHandler
        Has what is declared here, and so served here, and what records the others.
    routes, observed : ClusterRoutes, Observed
        What the cluster takes, and what counts the messages.
    urls : tuple of str
        Of this endpoint, in what is deployed: for what is declared here, and for the others.
    form : ModuleForm
        How a document is written that is deployed.
    call : str
        How long the cluster waits for an answer; "": as long as the endpoint's own time. Then a
        failure is answered, and the cluster asks again.
    deploys : bool
        Is module.yaml ours to deploy? Else the cluster calls all of them itself.
    """

    def __init__(
        self,
        handler: TracedHandler,
        routes: ClusterRoutes,
        observed: Observed,
        urls: tuple[str, str],
        form: ModuleForm,
        *,
        call: str,
        deploys: bool,
    ) -> None:
        self._handler = handler
        self._trace = None if handler.recorder is None else RemoteTrace(handler.recorder)
        self._routes = routes
        self._observed = observed
        self._own_url, self._url = urls
        self._call = call
        self._form = form
        self._deploys = deploys
        self._calls: RemoteCalls | None = None  # from the first endpoint on
        self._endpoints: dict[str, RemoteEndpoint] = {}
        # What the cluster calls itself, and why.
        self.direct: dict[str, str] = {}
        # Requests that failed, and will come again: what was answered up to there.
        self._sent_back: dict[SdkAddress, list[_Asked]] = {}
        self.serving: set[asyncio.Task[Outcome]] = set()

    # What is deployed.

    def use(self, documents: Iterable[Document]) -> None:
        """Call the endpoints of these documents from now on, and no others."""
        endpoints: dict[str, RemoteEndpoint] = {}
        direct: dict[str, str] = {}
        for document in documents:
            if document.is_endpoint and document.spec["urlPathTemplate"] != self._own_url:
                rule = str(document.spec["functions"])
                try:
                    endpoints[rule] = self._behind(document)
                except EngineError as error:
                    direct[rule] = str(error)
        if self._calls is not None:
            self._calls.use(endpoints.values())
        self._endpoints, self.direct = endpoints, direct

    def knows(self, typename: str) -> bool:
        """Does one of the documents serve this function type, whoever calls it?"""
        rules = {*self._endpoints, *self.direct}
        return not rules.isdisjoint((typename, f"{typename.partition('/')[0]}/*"))

    def _behind(self, document: Document) -> RemoteEndpoint:
        """The endpoint, when the cluster can be given ours in its place.

        Raises
        ------
        EngineError
            Why it cannot.
        """
        if not self._deploys:
            raise EngineError("the module.yaml of an existing cluster is not ours to deploy")
        transport = document.spec.get("transport") or {}
        for key in _OF_TLS:
            if key in transport:
                raise EngineError(f"{document.where}: {key} is for the cluster to show")
        if transport.get("type", _TRANSPORTS[0]) not in _TRANSPORTS:
            raise EngineError(f"{document.where}: its transport is {transport['type']}")
        endpoint = RemoteEndpoint.of(document)
        if self._calls is None:
            self._calls = RemoteCalls(self._handler.functions, self._trace)
        return endpoint

    def deployed(self, document: Document) -> Document:
        """A document as the cluster gets it: an endpoint of others has this one's address."""
        if not document.is_endpoint or document.spec["urlPathTemplate"] == self._own_url:
            return document
        rule = document.spec["functions"]
        endpoint = self._endpoints.get(rule)
        if endpoint is None:
            return document
        call = self._call or f"{round(endpoint.call * 1000)}ms"
        return self._form.endpoint(rule, self._url, endpoint.states, endpoint.batch_limit, call)

    # Serving.

    def unanswered(self) -> dict[SdkAddress, str]:
        """As ``RemoteCalls.unanswered``."""
        return {} if self._calls is None else self._calls.unanswered()

    def start(self, request: Request) -> asyncio.Task[Outcome] | None:
        """Serve a request; None when no endpoint of others serves its function."""
        if self._calls is None or self._calls.find(request.target.typename) is None:
            return None
        serve = self._serve(self._calls, request)
        task = OwnTask(serve, loop=asyncio.get_running_loop())
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)
        return task

    async def _serve(self, calls: RemoteCalls, request: Request) -> Outcome:
        """Ask for each message by itself where that is traced: a reply tells the sum alone."""
        target, state = request.target, _state(request)
        before = self._sent_back.pop(target, None)
        holds = bool(self._call) and (before is not None or request.protocol == 2)
        asked: list[_Asked] = []
        delayed: list[DelayedSend | CancelDelayed] = []

        def check(target: SdkAddress, reply: Reply) -> None:
            if reply.missing is not None and request.protocol == 2:
                raise EngineError(not_in_module(target.typename, reply.missing))
            self._routes.check_reply(target, state, reply)
            self._observed.check_delayed(target, [*delayed, *reply.delayed])

        for batch in self._batches(request):
            data = encode_request(target, state, batch)
            found = _known(before, len(asked), data)
            try:
                if found is None and holds:
                    found = await calls.ask(target, state, data, check)
                elif found is None:
                    found = await calls.ask_once(target, state, data, check)
            except EngineError as error:
                self._sent_back[target] = asked
                return _SENT_BACK if self._call else Outcome(b"", False, Failure(len(asked), error))
            if found is None:  # a cell has declared it meanwhile
                return await self._serve_here(request)
            reply, body = found
            if reply.missing is not None:
                return Outcome(body, True, None)
            state = {**state, **dict(reply.mutations)}
            delayed += reply.delayed
            asked.append(_Asked(data, found))
        # Protobuf's messages one behind the other are one, which has the entries of all of them.
        whole = b"".join(
            rerouted(body, self._routes.egress) if reply.egress else body
            for _, (reply, body) in asked
        )
        try:
            check_size(request, sum(len(each.data) for each in asked), whole)
        except EngineError as error:  # it would come again and again
            return Outcome(b"", False, Failure(len(asked) - 1, error))
        self._observed.served(request, whole)
        return Outcome(whole, False, None)

    async def _serve_here(self, request: Request) -> Outcome:
        data = encode_request(request.target, _state(request), _messages(request))
        started = self._handler.start(data, request)
        return started if isinstance(started, Outcome) else await started

    def _batches(self, request: Request) -> list[list[tuple[SdkAddress | None, bytes]]]:
        messages = _messages(request)
        return [messages] if self._trace is None else [[each] for each in messages]

    async def close(self) -> None:
        """End what is being asked for, and close the connections."""
        serving = tuple(self.serving)
        for task in serving:
            withdraw(task)
        await asyncio.gather(*serving, return_exceptions=True)
        if self._calls is not None:
            await self._calls.close()


def _messages(request: Request) -> list[tuple[SdkAddress | None, bytes]]:
    # Without the gateway, which is no caller.
    return [
        (read_caller(each), each.argument.SerializeToString())  # type: ignore[attr-defined]
        for each in request.invocations
    ]


def _state(request: Request) -> dict[str, TypedValue | None]:
    return {name: value if value.has_value else None for name, value in request.state.items()}


def _known(before: Sequence[_Asked] | None, number: int, data: bytes) -> Answered | None:
    """What was answered when the same message was asked for, and one behind it failed."""
    if before is None or number >= len(before) or before[number].data != data:
        return None
    return before[number].found
