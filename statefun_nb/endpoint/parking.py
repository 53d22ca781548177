"""Requests that fail are held open: the address waits for its corrected cell, and nothing else.

A real cluster retries a failed request, and in the end fails the whole job. A request that is not
answered yet makes it do neither: the one address waits, all others and the checkpoints go on.

One case needs care: the runtime waits for the first answer of each function type with its task
blocked. That one must not be held. Each failed request is therefore answered once with an
incomplete context that names no missing value: the runtime then sends the same batch again,
asynchronously, and that one is held (source: ``RequestReplyFunction``).

The runtime of 2.x waits for no answer, and knows none that means "again": its request is held at
once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from tornado import httputil

from ..address import SdkAddress
from ..errors import EngineError
from ..protocol.effects import Request, TypedValue
from ..protocol.v3 import encode_missing, has_caller
from ..sdk.messages import own_typed_value

__all__ = ["Held", "Parking", "Why"]

AGAIN = encode_missing(())

Serve = Callable[[httputil.HTTPConnection, Request, bytes], None]


class Why(NamedTuple):
    """Why a request is held, and which of its messages is to blame.

    ``position`` is None when nobody serves its function yet.
    """

    reason: str
    position: int | None


class Held(NamedTuple):
    """A request that waits: where its answer goes, itself and its bytes, and why."""

    connection: httputil.HTTPConnection
    request: Request
    body: bytes
    why: Why


class Parking:
    """The requests that are held. All of it belongs to the loop.

    Parameters
    ----------
    serve : callable
        Serves ``(connection, request, body)``.
    answer : callable
        Answers a connection with ``(connection, body)`` and status 200.
    """

    def __init__(
        self, serve: Serve, answer: Callable[[httputil.HTTPConnection, bytes], None]
    ) -> None:
        self._serve = serve
        self._answer = answer
        self.held: dict[SdkAddress, Held] = {}
        self._sent_back: dict[SdkAddress, Why] = {}
        # Messages that somebody gave up, by address: they come again with each try of their batch.
        self._discarded: dict[SdkAddress, list[bytes]] = {}
        # Messages that the cluster has had an answer for without their being served.
        self.given_up = 0
        self.given_up_at: dict[SdkAddress, int] = {}
        self.last_activity = 0.0  # when a request failed or was held, on time.monotonic()
        self._closed = False
        self._waiting: dict[httputil.HTTPConnection, tuple[Request, bytes]] = {}

    @property
    def closed(self) -> bool:
        """Are all requests held?"""
        return self._closed

    def hold_if_due(
        self, connection: httputil.HTTPConnection, request: Request, body: bytes
    ) -> bool:
        """Hold a request that is not to be served now; False when it is."""
        if self._closed:
            self._waiting[connection] = request, body
            # As with those in `held`: a cluster that gives a request up will ask again.
            gone = partial(self._waiting.pop, connection, None)
            connection.set_close_callback(gone)  # type: ignore[attr-defined]  # see Exchange
            return True
        why = self._sent_back.pop(request.target, None)
        if why is None:
            return False
        self._hold(Held(connection, request, body, why))
        return True

    def _hold(self, held: Held) -> None:
        self.last_activity = time.monotonic()
        self.held[held.request.target] = held
        gone = partial(self._gone, held)
        held.connection.set_close_callback(gone)  # type: ignore[attr-defined]  # see Exchange

    def failed(
        self, connection: httputil.HTTPConnection, request: Request, body: bytes, why: Why
    ) -> None:
        """Send back a request that was served and failed, to hold it when it comes again."""
        self.last_activity = time.monotonic()
        if request.protocol == 2:
            self._hold(Held(connection, request, body, why))
            return
        self._sent_back[request.target] = why
        self._answer(connection, AGAIN)

    def release(self, typename: str | None = None, id: str | None = None) -> int:
        """Serve what is held: all of it, that of a function, or of one address; how many?"""

        def meant(target: SdkAddress) -> bool:
            return typename in (None, target.typename) and id in (None, target.id)

        for target in [t for t in self._sent_back if meant(t)]:
            del self._sent_back[target]
        released = [t for t in self.held if meant(t)]
        for target in released:
            held = self.held.pop(target)
            held.connection.set_close_callback(None)  # type: ignore[attr-defined]  # see Exchange
            self._serve(held.connection, held.request, held.body)
        return len(released)

    def discard(self, target: SdkAddress) -> TypedValue:
        """Give up the message that a held request failed for, and serve the rest of it.

        Raises
        ------
        EngineError
            When nothing is held for that address.
        """
        held = self.held.get(target)
        if held is None:
            raise EngineError(f"{target} is not parked: there is nothing to discard")
        message = held.request.invocations[held.why.position or 0]
        self._discarded.setdefault(target, []).append(message.SerializeToString())
        self.release(target.typename, target.id)
        return own_typed_value(message.argument)

    def discarded_in(self, request: Request) -> list[int]:
        """Which messages of a request were given up, in order."""
        given_up = list(self._discarded.get(request.target, ()))
        positions = []
        for position, message in enumerate(request.invocations if given_up else ()):
            found = message.SerializeToString()
            if found in given_up:
                given_up.remove(found)
                positions.append(position)
        return positions

    def answered(self, request: Request, gone: Sequence[int]) -> None:
        """Note that a request went through, without the messages at ``gone``: none comes again."""
        self._discarded.pop(request.target, None)
        # As elsewhere: what has no caller came from an ingress of the user's, which nobody counts.
        count = sum(has_caller(request.invocations[position]) for position in gone)
        if count:
            self.given_up += count
            self.given_up_at[request.target] = self.given_up_at.get(request.target, 0) + count

    def close(self) -> None:
        """Hold every request from now on."""
        self._closed = True

    def open(self) -> None:
        """Serve again, beginning with what has waited."""
        self._closed = False
        waiting, self._waiting = self._waiting, {}
        for connection, (request, body) in waiting.items():
            connection.set_close_callback(None)  # type: ignore[attr-defined]  # see Exchange
            self._serve(connection, request, body)

    def forget(self) -> None:
        """Drop what is held: the cluster starts anew, and nobody waits for those answers."""
        self.held.clear()
        self._sent_back.clear()
        self._waiting.clear()
        self._discarded.clear()

    def _gone(self, held: Held) -> None:
        # The cluster gave up this request, because it restarts: it will ask again.
        target = held.request.target
        if self.held.get(target) is held:
            del self.held[target]
