"""How a request reaches its function: by a direct call, or by HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from ..address import SdkAddress
from ..cells.blame import reason_of
from ..errors import (
    EngineError,
    ProtocolError,
    UnknownFunctionError,
    cut,
    install_command,
)
from ..protocol.effects import TypedValue
from ..protocol.v3 import decode_reply
from ..sdk.dispatch import Outcome, withdraw
from ..sdk.statuses import OCTETS
from ..trace.own_tasks import OwnTask
from ..trace.traced import TracedHandler
from .answers import Answer, Failed, Undeclared

__all__ = [
    "DirectTransport",
    "HttpClient",
    "HttpTransport",
    "Transport",
    "back_off",
    "http_library",
    "is_of_socket",
]

# Statuses that say "later", not "your function failed": the rules of the runtime's transports.
_LATER = frozenset({408, 409, 420, 429, 499, 502, 503, 504})
_FIRST_BACKOFF = 0.01
_LAST_BACKOFF = 1.0
_LARGE = 256 * 1024
# Of what another endpoint says of its failure.
_LONGEST_REASON = 500


class Transport(Protocol):
    """Takes the bytes of a ToFunction to its function."""

    def send(
        self, target: SdkAddress, state: Mapping[str, TypedValue | None], data: bytes
    ) -> Answer | asyncio.Future[Answer]:
        """Make a request, on the loop; what is answered at once needs no future.

        ``data`` is the encoded request; ``target`` and ``state`` are in it as well, and are handed
        on for those that look at them.
        """

    async def close(self) -> None:
        """Release connections."""


class DirectTransport:
    """Calls a handler in this process; the same bytes as over HTTP."""

    def __init__(self, handler: TracedHandler) -> None:
        self._handler = handler

    def send(
        self,
        target: SdkAddress,  # noqa: ARG002
        state: Mapping[str, TypedValue | None],  # noqa: ARG002
        data: bytes,
    ) -> Answer | asyncio.Future[Answer]:
        try:
            outcome = self._handler.start(data)
            if isinstance(outcome, Outcome):
                if outcome.failure is None:  # nearly always
                    return decode_reply(outcome.reply)
                return _answer(outcome)
        except UnknownFunctionError as error:
            return Undeclared(str(error))
        except ProtocolError as error:
            return Failed(str(error))
        except BaseException as error:  # without an answer the address would wait for ever
            return Failed(reason_of(error))
        return OwnTask(_wait(outcome), loop=asyncio.get_running_loop())

    async def close(self) -> None:
        pass


async def _wait(task: asyncio.Task[Outcome]) -> Answer:
    try:
        await asyncio.wait((task,))
    except asyncio.CancelledError:
        withdraw(task)
        raise
    return _answer(task.result())


def _answer(outcome: Outcome) -> Answer:
    if outcome.failure is None:
        return decode_reply(outcome.reply)
    return Failed(reason_of(outcome.failure.error))


def http_library() -> Any:
    """The module ``aiohttp``.

    Raises
    ------
    EngineError
        When it is not installed.
    """
    try:
        import aiohttp  # of the extra [http]: only this way to a function needs it
    except ImportError as error:
        raise EngineError(f"functions over HTTP need aiohttp: {install_command('http')}") from error
    return aiohttp


class HttpClient:
    """POSTs requests to endpoints, over connections that stay open.

    Raises
    ------
    EngineError
        When aiohttp is not installed.
    """

    def __init__(self) -> None:
        aiohttp = self._aiohttp = http_library()
        self._sessions: dict[str, Any] = {}  # by the path of a socket; "" are hosts
        # What a call raises when its endpoint cannot be reached, or does not answer in time.
        self.errors: tuple[type[Exception], ...] = (
            aiohttp.ClientError,
            OSError,
            asyncio.TimeoutError,
        )

    async def post(
        self, url: str, data: bytes, *, call: float | None = None, connect: float = 10.0
    ) -> tuple[int, str, bytes]:
        """Status, content type and body of the answer; ``call`` and ``connect`` are in seconds.

        A redirect is an answer as any other: its body says where it leads to. What a message and
        a state hold goes to the host that the user has named, and to no other.
        """
        session, url = self._session_of(url)
        # aiohttp wants a large body as a file, which it sends piece by piece.
        body = io.BytesIO(data) if len(data) > _LARGE else data
        timeout = self._aiohttp.ClientTimeout(total=call, sock_connect=connect)
        headers = {"Content-Type": OCTETS}
        async with session.post(
            url, data=body, headers=headers, timeout=timeout, allow_redirects=False
        ) as response:
            # Not response.content_type, which has a value of its own where there is none.
            content_type = response.headers.get("Content-Type", "").partition(";")[0]
            answer = await response.read()
            location = response.headers.get("Location")
            if 300 <= response.status < 400 and location is not None:
                answer = _elsewhere(location).encode()
            return response.status, content_type.strip().lower(), answer

    async def close(self) -> None:
        """Close the connections."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    def _session_of(self, url: str) -> tuple[Any, str]:
        """The connections that lead to a URL, and the URL as these know it."""
        path = ""
        if is_of_socket(url):
            path, sock, rest = url[len(_SOCKET) :].partition(".sock")
            path, url = path + sock, f"http://localhost{rest or '/'}"
        session = self._sessions.get(path)
        if session is None:
            connector = self._aiohttp.UnixConnector(path=path) if path else None
            session = self._aiohttp.ClientSession(connector=connector, trust_env=False)
            self._sessions[path] = session
        return session, url


def _elsewhere(location: str) -> str:
    return f"a redirect to {cut(location, _LONGEST_REASON)!r}, which is not followed"


_SOCKET = "http+unix://"


def is_of_socket(url: str) -> bool:
    """Does it name a socket of this machine, as ``http+unix:///run/fn.sock/statefun``?"""
    return url.startswith(_SOCKET) and ".sock" in url


class HttpTransport:
    """POSTs to an endpoint; goes on trying, with back-off, while the endpoint cannot be reached.

    Parameters
    ----------
    url : str
        The endpoint's URL.
    """

    def __init__(self, url: str) -> None:
        self._client = HttpClient()
        self._url = url

    def send(
        self,
        target: SdkAddress,  # noqa: ARG002
        state: Mapping[str, TypedValue | None],  # noqa: ARG002
        data: bytes,
    ) -> asyncio.Future[Answer]:
        return OwnTask(self._call(data), loop=asyncio.get_running_loop())

    async def _call(self, data: bytes) -> Answer:
        for pause in back_off():
            with contextlib.suppress(*self._client.errors):
                # No time limit: how long a function takes is the function's affair here.
                status, content_type, body = await self._client.post(self._url, data)
                if status not in _LATER:
                    return _read_answer(status, content_type, body)
            await asyncio.sleep(pause)
        raise AssertionError  # back_off does not end

    async def close(self) -> None:
        await self._client.close()


def back_off() -> Iterator[float]:
    """Seconds to wait before each next try: from 10 ms, doubling as the runtime's transports do.

    Not more than a second, where those go on doubling until the call's time is up: somebody sits
    in front of it.
    """
    pause = _FIRST_BACKOFF
    while True:
        yield pause
        pause = min(pause * 2, _LAST_BACKOFF)


def text_of(body: bytes) -> str:
    """What the body of an error says, as much of it as somebody reads."""
    return cut(body.decode(errors="replace").strip(), _LONGEST_REASON)


def _read_answer(status: int, content_type: str, body: bytes) -> Answer:
    if 200 <= status < 300:
        if content_type != OCTETS:
            return Failed(f"the endpoint answered {content_type!r}, not {OCTETS}")
        try:
            return decode_reply(body)
        except ProtocolError as error:
            return Failed(f"{type(error).__name__}: {error}")
    reason = text_of(body) or f"HTTP status {status}"
    return Undeclared(reason) if status == 404 else Failed(reason)
