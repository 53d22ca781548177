"""Requests that fail are held open: the address waits for its corrected cell, and nothing else.

A real cluster retries a failed request, and in the end fails the whole job. A request that is not
answered yet makes it do neither: the one address waits, all others and the checkpoints go on.

One case needs care: the runtime waits for the first answer of each function type with its task
blocked. That one must not be held. Each failed request is therefore answered once with an
incomplete context that names no missing value: the runtime then sends the same batch again,
asynchronously, and that one is held (source: ``RequestReplyFunction``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from tornado import httputil

from ..address import SdkAddress
from ..protocol.v3 import decode_request, encode_missing

__all__ = ["Held", "Parking"]

AGAIN = encode_missing(())

Serve = Callable[[httputil.HTTPConnection, bytes], None]


class Held(NamedTuple):
    """A request that waits: where its answer goes, its bytes, how many messages, and why."""

    connection: httputil.HTTPConnection
    body: bytes
    messages: int
    reason: str


class Parking:
    """The requests that are held. All of it belongs to the loop.

    Parameters
    ----------
    serve : callable
        Serves ``(connection, body)`` again.
    answer : callable
        Answers a connection with ``(connection, body)`` and status 200.
    """

    def __init__(self, serve: Serve, answer: Serve) -> None:
        self._serve = serve
        self._answer = answer
        self.held: dict[SdkAddress, Held] = {}
        self._sent_back: dict[SdkAddress, str] = {}
        self._closed = False
        self._waiting: list[tuple[httputil.HTTPConnection, bytes]] = []

    @property
    def closed(self) -> bool:
        """Are all requests held?"""
        return self._closed

    def takes(self, connection: httputil.HTTPConnection, body: bytes) -> bool:
        """Is this request one to hold, without serving it?"""
        if self._closed:
            self._waiting.append((connection, body))
            return True
        if self._sent_back:
            request = decode_request(body)
            reason = self._sent_back.pop(request.target, None)
            if reason is not None:
                held = Held(connection, body, len(request.invocations), reason)
                self.held[request.target] = held
                gone = partial(self._gone, request.target, held)
                connection.set_close_callback(gone)  # type: ignore[attr-defined]  # see Exchange
                return True
        return False

    def failed(self, connection: httputil.HTTPConnection, body: bytes, reason: str) -> None:
        """A request was served, and failed: send it back, to hold it when it comes again."""
        self._sent_back[decode_request(body).target] = reason
        self._answer(connection, AGAIN)

    def release(self, typename: str) -> None:
        """A function was declared: serve what is held for it."""
        for target in [t for t in self._sent_back if t.typename == typename]:
            del self._sent_back[target]
        for target in [t for t in self.held if t.typename == typename]:
            held = self.held.pop(target)
            held.connection.set_close_callback(None)  # type: ignore[attr-defined]  # see Exchange
            self._serve(held.connection, held.body)

    def close(self) -> None:
        """Hold every request from now on."""
        self._closed = True

    def open(self) -> None:
        """Serve again, beginning with what has waited."""
        self._closed = False
        waiting, self._waiting = self._waiting, []
        for connection, body in waiting:
            self._serve(connection, body)

    def forget(self) -> None:
        """Nothing that was held will be asked for any more: the cluster starts anew."""
        self.held.clear()
        self._sent_back.clear()
        self._waiting.clear()

    def _gone(self, target: SdkAddress, held: Held) -> None:
        # The cluster gave up this request, because it restarts: it will ask again.
        if self.held.get(target) is held:
            del self.held[target]
