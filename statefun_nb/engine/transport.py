"""How a request reaches its function: by a direct call, or by HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import io
from typing import Any, NamedTuple, Protocol

from ..dispatch import Outcome
from ..errors import EngineError, ProtocolError, UnknownFunctionError
from ..trace.traced import TracedHandler

__all__ = ["Answer", "DirectTransport", "HttpTransport", "Transport"]

_new = tuple.__new__  # half the time of calling a NamedTuple's class

_OCTETS = "application/octet-stream"
# Statuses that say "later", not "your function failed": the rules of the runtime's transports.
_LATER = frozenset({408, 409, 420, 429, 499, 502, 503, 504})
_FIRST_BACKOFF = 0.01
_LAST_BACKOFF = 1.0
_LARGE = 256 * 1024


class Answer(NamedTuple):
    """The bytes of a FromFunction, or why there are none (``reply`` is None then)."""

    reply: bytes | None
    reason: str = ""
    undeclared: bool = False


class Transport(Protocol):
    """Takes the bytes of a ToFunction to its function."""

    def send(self, data: bytes) -> Answer | asyncio.Future[Answer]:
        """Make a request, on the loop. What is answered at once needs no future."""

    async def close(self) -> None:
        """Release connections."""


class DirectTransport:
    """Calls a handler in this process; the same bytes as over HTTP."""

    def __init__(self, handler: TracedHandler) -> None:
        self._handler = handler

    def send(self, data: bytes) -> Answer | asyncio.Future[Answer]:
        try:
            outcome = self._handler.start(data)
        except UnknownFunctionError as error:
            return Answer(None, str(error), undeclared=True)
        except ProtocolError as error:
            return Answer(None, str(error))
        if isinstance(outcome, Outcome):
            return _answer(outcome)
        return asyncio.ensure_future(_wait(outcome))

    async def close(self) -> None:
        pass


async def _wait(task: asyncio.Task[Outcome]) -> Answer:
    try:
        return _answer(await task)
    except asyncio.CancelledError:
        task.cancel()
        raise


def _answer(outcome: Outcome) -> Answer:
    if outcome.failure is None:
        return _new(Answer, (outcome.reply, "", False))
    error = outcome.failure.error
    return Answer(None, f"{type(error).__name__}: {error}")


class HttpTransport:
    """POSTs to an endpoint; goes on trying, with back-off, while the endpoint cannot be reached.

    Parameters
    ----------
    url : str
        The endpoint's URL.

    Raises
    ------
    EngineError
        When aiohttp is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            import aiohttp  # of the extra [http]: only this transport needs it
        except ImportError as error:
            raise EngineError(
                'transport="http" needs aiohttp: pip install "statefun_nb[http]"'
            ) from error
        self._aiohttp: Any = aiohttp
        self._url = url
        self._session: Any = None

    def send(self, data: bytes) -> Answer | asyncio.Future[Answer]:
        return asyncio.ensure_future(self._call(data))

    async def _call(self, data: bytes) -> Answer:
        backoff = _FIRST_BACKOFF
        while True:
            with contextlib.suppress(self._aiohttp.ClientError, OSError):
                status, content_type, body = await self._post(data)
                if status not in _LATER:
                    return _read_answer(status, content_type, body)
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, _LAST_BACKOFF)

    async def _post(self, data: bytes) -> tuple[int, str, bytes]:
        if self._session is None:
            # No time limit: how long a function takes is the function's affair here.
            self._session = self._aiohttp.ClientSession(
                timeout=self._aiohttp.ClientTimeout(total=None, sock_connect=10),
                trust_env=False,
            )
        # aiohttp wants a large body as a file, which it sends piece by piece.
        body = io.BytesIO(data) if len(data) > _LARGE else data
        async with self._session.post(
            self._url, data=body, headers={"Content-Type": _OCTETS}
        ) as response:
            return response.status, response.content_type, await response.read()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


def _read_answer(status: int, content_type: str, body: bytes) -> Answer:
    if 200 <= status < 300:
        if content_type != _OCTETS:
            return Answer(None, f"the endpoint answered {content_type!r}, not {_OCTETS}")
        return Answer(body)
    reason = body.decode(errors="replace").strip() or f"HTTP status {status}"
    return Answer(None, reason, undeclared=status == 404)
