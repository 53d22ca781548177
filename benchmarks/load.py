"""A load generator: keep-alive connections, each with one request under way.

All answers to one request are of one length, so that it is learnt once and then only counted:
the client costs a few microseconds a request and is not what is measured.
"""

from __future__ import annotations

import selectors
import socket
import time
from dataclasses import dataclass

__all__ = ["Answer", "ask", "load"]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: its status, its body, and all of its bytes."""

    status: int
    body: bytes
    size: int


def _head(port: int, body: bytes, path: str) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/octet-stream\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()


def ask(port: int, body: bytes, path: str = "/statefun") -> Answer:
    """One request, read to its end."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(_head(port, body, path) + body)
        data = b""
        while b"\r\n\r\n" not in data:
            data += _some(connection)
        head, _, rest = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        lengths = [line for line in lines if line.lower().startswith(b"content-length:")]
        length = int(lengths[0].split(b":")[1])
        while len(rest) < length:
            rest += _some(connection)
        return Answer(int(lines[0].split()[1]), rest, len(head) + 4 + length)


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 20)
    if not data:
        raise ConnectionError("the server closed the connection")
    return data


def load(
    port: int, body: bytes, seconds: float, connections: int = 8, path: str = "/statefun"
) -> float:
    """Answers a second, over ``seconds`` seconds.

    Raises
    ------
    ConnectionError
        When an answer is not a success: its length tells.
    """
    expected = ask(port, body, path)
    if expected.status != 200:
        raise ConnectionError(f"status {expected.status}: {expected.body[:200]!r}")
    request = _head(port, body, path) + body
    selector = selectors.DefaultSelector()
    for _ in range(connections):
        connection = socket.create_connection(("127.0.0.1", port), timeout=30)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection, selectors.EVENT_READ, [0])
        connection.sendall(request)
    answers = 0
    start = time.perf_counter()
    end = start + seconds
    while time.perf_counter() < end:
        for key, _ in selector.select(1.0):
            answered, received = key.fileobj, key.data
            assert isinstance(answered, socket.socket)
            received[0] += len(_some(answered))
            if received[0] > expected.size:
                raise ConnectionError("an answer is longer than the first one")
            if received[0] == expected.size:
                received[0] = 0
                answers += 1
                answered.sendall(request)
    elapsed = time.perf_counter() - start
    for key in list(selector.get_map().values()):
        assert isinstance(key.fileobj, socket.socket)
        key.fileobj.close()
    selector.close()
    return answers / elapsed
