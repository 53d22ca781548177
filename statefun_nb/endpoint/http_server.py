"""A port that HTTP is spoken at: whatever is served there, by the same limits."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable

from ..errors import EngineError
from ..sdk.statuses import Refusal
from .clients import Clients
from .connection import HttpConnection
from .exchange import Exchange
from .limits import Limits

__all__ = ["LOOPBACK", "HttpServer", "bind_port"]

LOOPBACK = "127.0.0.1"
# Connections that wait to be accepted; the system may take fewer (Linux 4,096). StateFun 2.2.2
# opens 1,024 at once for each task: what finds no place is dropped, and tried again a second later.
_BACKLOG = 16_384


class HttpServer:
    """Serves exchanges on a socket; all of it belongs to the loop.

    Parameters
    ----------
    admit : callable
        Looks at a request whose headers are complete: the status and the reason when it is not to
        be served. Of such a request no body is read.
    serve : callable
        Called with each complete ``Exchange`` when it is its turn.
    limits : Limits
    """

    def __init__(
        self,
        admit: Callable[[Exchange], Refusal | None],
        serve: Callable[[Exchange], None],
        limits: Limits,
    ) -> None:
        self._admit = admit
        self._serve = serve
        self.limits = limits  # of connections that come
        self.clients = Clients()
        self.connections: set[HttpConnection] = set()
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None

    async def listen(self, listener: socket.socket) -> None:
        """Serve who connects to it."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, sock=listener, backlog=_BACKLOG)
        self._sweeper = loop.call_later(1.0, self._sweep)

    def _connection(self) -> HttpConnection:
        return HttpConnection(self._admit, self._serve, self.limits, self.connections, self.clients)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in tuple(self.connections):
            connection.check_deadline(now)
        self._sweeper = loop.call_later(1.0, self._sweep)

    async def close(self, grace: float = 0.0, cancel: Callable[[], None] = lambda: None) -> None:
        """Stop listening; what is served gets ``grace`` seconds, then ``cancel`` is called."""
        server, self._server = self._server, None
        if server is None:
            return
        try:
            await _stop_accepting(server)
        finally:  # also when whoever waits for it waits no more: it would listen for ever
            server.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in tuple(self.connections):
            connection.shut()
        deadline = asyncio.get_running_loop().time() + grace
        while self.connections and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        cancel()
        await asyncio.sleep(0)
        for connection in tuple(self.connections):
            connection.abort()
        await server.wait_closed()


async def _stop_accepting(server: asyncio.Server) -> None:
    """Let what was accepted just now become a connection before the server is closed.

    asyncio (3.11) forgets a socket that it accepted in the same turn: ``Server._attach`` fails,
    and the client waits on a connection that nobody serves.
    """
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):  # the proactor loop of Windows has no readers
        for listener in server.sockets:
            loop.remove_reader(listener.fileno())
    for _ in range(3):  # accept, make the transport, connection_made
        await asyncio.sleep(0)


def bind_port(host: str, port: int, others: int = 0) -> socket.socket:
    """A socket that listens on ``port``, or on one of the next ``others``.

    Raises
    ------
    EngineError
        When none is free.
    """
    last = min(port + others, 65535)
    for candidate in range(port, last + 1):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                continue
            raise EngineError(f"cannot listen on {host}, port {candidate}: {error}") from error
        listener.setblocking(False)
        return listener
    if last == port:
        raise EngineError(f"port {port} of {host} is taken: end what uses it, or take another one")
    raise EngineError(f"no free port from {port} to {last} on {host}: pass port=0 for any")
