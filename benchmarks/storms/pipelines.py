"""Clients that send many small requests at once and read no answer; another one asks meanwhile.

python -m benchmarks.storms.pipelines [CLIENTS] [--seconds N]

Once for each kind of request: refused, served, and served behind one that does not end.
"""

from __future__ import annotations

import argparse
import asyncio
import select
import selectors
import socket
import time
from contextlib import ExitStack
from typing import NamedTuple

import statefun_nb as sf
from benchmarks.storms.bodies import memory, post, serve, server, statuses
from statefun_nb.address import address_of
from statefun_nb.protocol.effects import TypedValue
from statefun_nb.protocol.v3 import encode_request
from statefun_nb.protocol.wire import typed_value_bytes
from statefun_nb.sdk.types import StringType

__all__ = ["KINDS", "Suffered", "storm"]

_BLOCK = 256 * 1024
_PAUSE = 0.01  # between two questions of the client that behaves


class Suffered(NamedTuple):
    """What the storm has done: megabytes that the server grew by at most, seconds of waiting."""

    megabytes: float
    median: float
    longest: float
    asked: int


def _serve() -> None:
    functions = sf.StatefulFunctions()

    @functions.bind("example/person")
    def person(ctx: sf.Context, message: sf.Message) -> None:
        pass

    @functions.bind("example/endless")
    async def endless(_ctx: sf.Context, _message: sf.Message) -> None:
        await asyncio.sleep(3600)

    serve(functions)


def _request(typename: str) -> bytes:
    value = TypedValue(StringType.typename, StringType.serializer().serialize("hello"))
    body = encode_request(address_of(typename, "x"), {}, [(None, typed_value_bytes(value))])
    return post(body)


_SERVED = _request("example/person")
# What each client begins with, and what it goes on with.
KINDS = {
    "refused": (b"", b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"),
    "served": (b"", _SERVED),
    "waiting": (_request("example/endless"), b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"),
}


def storm(kind: str, clients: int, seconds: float) -> Suffered:
    """So many clients for so long, and what one of good manners sees of it."""
    with server("pipelines") as (port, pid), ExitStack() as opened:
        place = ("127.0.0.1", port)
        good = opened.enter_context(socket.create_connection(place, 300))
        good.sendall(_SERVED)
        assert statuses(good, 1) == [200]
        before = memory(pid)
        first, further = KINDS[kind]
        block = further * (_BLOCK // len(further))
        sockets = [
            opened.enter_context(socket.create_connection(place, 60)) for _ in range(clients)
        ]
        flood = opened.enter_context(_Flood(sockets, first, block))
        waited, peak = [], before
        end = time.perf_counter() + seconds
        while (begin := time.perf_counter()) < end:
            good.sendall(_SERVED)
            while not select.select([good], [], [], 0)[0]:
                flood.send()
            assert statuses(good, 1) == [200]
            waited.append(time.perf_counter() - begin)
            peak = max(peak, memory(pid))
            pause = time.perf_counter() + _PAUSE
            while time.perf_counter() < pause:
                flood.send()
        waited.sort()
        return Suffered(peak - before, waited[len(waited) // 2], waited[-1], len(waited))


class _Flood:
    """Sends on all connections whatever they take."""

    def __init__(self, sockets: list[socket.socket], first: bytes, block: bytes) -> None:
        self._selector = selectors.DefaultSelector()
        self._block = block
        self._left = {each: memoryview(first + block) for each in sockets}
        for each in sockets:
            each.setblocking(False)
            self._selector.register(each, selectors.EVENT_WRITE)

    def __enter__(self) -> _Flood:
        return self

    def __exit__(self, *exc: object) -> None:
        self._selector.close()

    def send(self) -> None:
        """Once on each that takes something; a moment's rest when there is none."""
        for key, _ in self._selector.select(0.001):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            try:
                sent = sock.send(self._left[sock])
            except BlockingIOError:
                continue
            except OSError:  # it was closed
                self._selector.unregister(sock)
                continue
            self._left[sock] = self._left[sock][sent:] or memoryview(self._block)


def main() -> None:
    """Let it storm, and print what came of it."""
    parser = argparse.ArgumentParser(prog="pipelines", description=__doc__)
    parser.add_argument("clients", nargs="?", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        _serve()
        return
    for kind in KINDS:
        found = storm(kind, options.clients, options.seconds)
        print(
            f"{kind:8} the server grew by {found.megabytes:,.0f} MB; another client waited "
            f"{found.median * 1000:,.1f} ms, at most {found.longest:.2f} s ({found.asked} times)",
            flush=True,
        )


if __name__ == "__main__":
    main()
