"""Functions without a server of one's own: on AWS Lambda, and behind any ASGI server.

Both answer as the endpoint does: ``POST`` at any path, a path that ends with ``/v2`` for StateFun
2.x, and ``GET`` of a path that ends with ``/health``. They need what functions need, protobuf and
cattrs, and nothing else.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, NamedTuple

from .cells.blame import reason_of
from .errors import ProtocolError, StatefunError
from .sdk.dispatch import Outcome, withdraw
from .sdk.handler import RequestReplyHandler, run
from .sdk.registry import StatefulFunctions
from .sdk.statuses import OCTETS, TEXT, wrong_method, wrong_type
from .tables import shown

__all__ = ["asgi_app", "lambda_handler"]

_log = logging.getLogger("statefun_nb")

# What StateFun's own client sends at most is 32 MiB.
_LONGEST = 64 << 20

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class _Answer(NamedTuple):
    status: int
    body: bytes
    content_type: str = OCTETS
    allow: str = ""

    @classmethod
    def of(cls, status: int, text: str, allow: str = "") -> _Answer:
        return cls(status, text.encode(errors="replace") + b"\n", TEXT, allow)

    @property
    def headers(self) -> dict[str, str]:
        allow = {"Allow": self.allow} if self.allow else {}
        return {"Content-Type": self.content_type, **allow}


class _Started(NamedTuple):
    """A request that is served: by whom, and what came of it or is to be awaited."""

    handler: RequestReplyHandler
    outcome: Outcome | Coroutine[Any, Any, Outcome]

    def answer(self, outcome: Outcome) -> _Answer:
        failure = outcome.failure
        if failure is None:
            return _Answer(200, self.handler.encoded(outcome))
        _log.error("a function failed", exc_info=failure.error)
        return _Answer.of(500, reason_of(failure.error))


class _Service:
    """Requests to answers, whatever has carried them."""

    def __init__(self, functions: StatefulFunctions) -> None:
        self._functions = functions
        self._of_3 = RequestReplyHandler(functions)
        self._of_2 = RequestReplyHandler(functions, protocol=2)

    def refused(self, method: str, path: str, content_type: str | None) -> _Answer | None:
        """The answer to what is no request for a function; None to what is one."""
        is_health = path.rstrip("/").endswith("/health")
        if method == "GET" and is_health:
            health = {"status": "ok", "functions": sorted(self._functions)}
            return _Answer(200, json.dumps(health).encode() + b"\n", "application/json")
        refusal = wrong_method(method, ("GET", "POST") if is_health else ("POST",))
        if refusal is None and content_type is not None:
            refusal = wrong_type(content_type)
        return None if refusal is None else _Answer.of(*refusal)

    def start(self, path: str, body: bytes) -> _Answer | _Started:
        handler = self._of_2 if path.rstrip("/").endswith("/v2") else self._of_3
        try:
            return _Started(handler, handler.start(body))
        except ProtocolError as error:
            return _Answer.of(error.status_hint, str(error))


def lambda_handler(
    functions: StatefulFunctions,
) -> Callable[[Mapping[str, Any], Any], dict[str, Any]]:
    """What AWS Lambda calls, with events of a function URL or of API Gateway (both versions).

    An async function is waited for. What a function raises is logged with its traceback, and is
    status 500 for StateFun.

    Examples
    --------
    >>> handler = lambda_handler(StatefulFunctions())
    >>> handler({"httpMethod": "GET", "path": "/statefun"}, None)["statusCode"]
    405
    """
    service = _Service(functions)

    def handle(event: Mapping[str, Any], context: Any = None) -> dict[str, Any]:  # noqa: ARG001
        answer = _answer_of_event(service, event)
        binary = answer.content_type == OCTETS
        body = base64.b64encode(answer.body) if binary else answer.body
        return {
            "statusCode": answer.status,
            "headers": answer.headers,
            "body": body.decode(),
            "isBase64Encoded": binary,
        }

    return handle


def _answer_of_event(service: _Service, event: Mapping[str, Any]) -> _Answer:
    try:
        if "httpMethod" in event:  # version 1 of API Gateway's events, and load balancers
            method, path = event["httpMethod"], event["path"]
        else:
            method, path = event["requestContext"]["http"]["method"], event["rawPath"]
        headers = _headers_of(event)
        body = event.get("body")
    except (KeyError, TypeError, AttributeError):
        return _no_event()
    if not isinstance(method, str) or not isinstance(path, str):
        return _no_event()
    content_type = headers.get("content-type")
    # A list, or what else is no text, is no content type that there is.
    given = None if content_type is None else str(content_type)
    refused = service.refused(method, path, given)
    if refused is not None:
        return refused
    body = "" if body is None else body
    if not isinstance(body, str):
        return _Answer.of(400, f"the event's body cannot be read: it is {shown(body)}, and no text")
    try:
        if event.get("isBase64Encoded"):
            data = base64.b64decode(body, validate=True)
        else:  # a byte a character: no request begins with what UTF-8 could carry
            data = body.encode("latin-1")
    except UnicodeEncodeError:
        return _Answer.of(
            400,
            "the event's body was made text on its way: name application/octet-stream among the "
            "binary media types of the API",
        )
    except ValueError as error:  # binascii.Error is one, and what base64 says of other characters
        return _Answer.of(400, f"the event's body cannot be read: {error}")
    started = service.start(path, data)
    if isinstance(started, _Answer):
        return started
    outcome = started.outcome
    return started.answer(outcome if isinstance(outcome, Outcome) else run(outcome))


def _headers_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """By names in small letters; a load balancer may send lists of values, and nothing else."""
    found = event.get("headers")
    if found is None:
        lists = (event.get("multiValueHeaders") or {}).items()
        found = {
            name: values[-1] if isinstance(values, list) else values
            for name, values in lists
            if values
        }
    return {name.lower(): value for name, value in (found or {}).items()}


def _no_event() -> _Answer:
    return _Answer.of(400, "this is no event of a function URL or of API Gateway")


def asgi_app(
    functions: StatefulFunctions,
) -> Callable[[dict[str, Any], Receive, Send], Coroutine[Any, Any, None]]:
    """An ASGI 3 application: ``uvicorn functions:app`` where ``app = asgi_app(functions)``.

    A sync function runs on the server's loop, and holds up what else this process serves; take
    more processes (``--workers``) or an async function where that is long.
    """
    service = _Service(functions)

    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            answer = await _answer_of_scope(service, scope, receive)
            if answer is not None:
                await _send(send, answer)
        else:
            raise StatefunError(f"StateFun speaks HTTP, not {scope['type']}")

    return app


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


async def _send(send: Send, answer: _Answer) -> None:
    headers = [
        *((name.lower().encode(), value.encode()) for name, value in answer.headers.items()),
        (b"content-length", str(len(answer.body)).encode()),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _answer_of_scope(
    service: _Service, scope: dict[str, Any], receive: Receive
) -> _Answer | None:
    """The answer; None when nobody waits for it any more."""
    headers = dict(scope.get("headers") or ())
    content_type = headers.get(b"content-type")
    refused = service.refused(
        scope["method"],
        scope["path"],
        None if content_type is None else content_type.decode("latin-1"),
    )
    if refused is not None:
        return refused
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body") or b""
        more = message.get("more_body", False)
        if len(body) > _LONGEST:
            return _Answer.of(
                413, f"the body is longer than the {_LONGEST} bytes that are accepted"
            )
    started = service.start(scope["path"], bytes(body))
    if isinstance(started, _Answer):
        return started
    outcome = started.outcome
    if not isinstance(outcome, Outcome):
        found = await _unless_gone(outcome, receive)
        if found is None:
            return None
        outcome = found
    return started.answer(outcome)


async def _unless_gone(coroutine: Coroutine[Any, Any, Outcome], receive: Receive) -> Outcome | None:
    """What comes of it; None when the client goes away before.

    It will ask again: two runs of one batch must not overlap.
    """
    import asyncio  # loaded long since, by whoever runs this: 0 ms

    task = asyncio.ensure_future(coroutine)
    gone = asyncio.ensure_future(receive())
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        return None
    finally:
        gone.cancel()
        if not task.done():
            withdraw(task)
