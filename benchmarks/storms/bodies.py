"""Malformed bodies by the million: each is answered, with 4xx where it is no request, and no 5xx.

python -m benchmarks.storms.bodies [BODIES] [--seed N]

What a request is, protobuf's own parser says, and not ours.
"""

from __future__ import annotations

import argparse
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import statefun_nb as sf
from statefun_nb.address import address_of
from statefun_nb.protocol._pool import ToFunction
from statefun_nb.protocol.effects import TypedValue
from statefun_nb.protocol.v3 import encode_request
from statefun_nb.protocol.wire import typed_value_bytes
from statefun_nb.sdk.types import LongType, StringType

__all__ = ["STATUSES", "memory", "post", "serve", "server", "statuses", "storm"]

_AT_ONCE = 200
# 500 is for what the function itself makes of a good request.
STATUSES = {"200", "400", "404", "500"}


def _serve() -> None:
    functions = sf.StatefulFunctions()

    @functions.bind("example/person", [sf.ValueSpec("visits", sf.LongType)])
    def person(ctx: sf.Context, message: sf.Message) -> None:
        pass

    serve(functions)


def serve(functions: sf.StatefulFunctions) -> None:
    """Print the port, and serve until the input ends."""
    with sf.start(port=0, functions=functions, trace=False) as session:
        print(session.endpoint.port, flush=True)
        sys.stdin.read()


@contextmanager
def server(storm: str) -> Iterator[tuple[int, int]]:
    """The port of a storm's server, and the id of its process."""
    with subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.storms.{storm}", "--serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield int(process.stdout.readline()), process.pid
        finally:
            process.stdin.close()


def _request(choose: random.Random) -> bytes:
    """One that is served."""
    visits = TypedValue(LongType.typename, LongType.serializer().serialize(41))
    target = address_of("example/person", f"user-{choose.randrange(100)}")
    caller = address_of("example/caller", "x") if choose.random() < 0.3 else None
    values = [
        TypedValue(StringType.typename, StringType.serializer().serialize("hello" * each))
        for each in range(1 + choose.randrange(4))
    ]
    batch = [(caller, typed_value_bytes(value)) for value in values]
    return encode_request(target, {"visits": visits}, batch)


def _malformed(request: bytes, choose: random.Random) -> bytes:
    """What chance makes of it."""
    data = bytearray(request)
    match choose.randrange(6):
        case 0:
            return choose.randbytes(choose.randrange(200))
        case 1:
            del data[choose.randrange(len(data)) :]
        case 2:
            for _ in range(choose.randint(1, 8)):
                data[choose.randrange(len(data))] ^= 1 << choose.randrange(8)
        case 3:
            start = choose.randrange(len(data))
            data[start:start] = choose.randbytes(choose.randint(1, 20))
        case 4:
            start = choose.randrange(len(data))
            del data[start : start + choose.randint(1, 20)]
        case 5:  # lengths and numbers beyond all bounds
            start = choose.randrange(len(data))
            data[start : start + 1] = b"\xff" * choose.randint(1, 12)
    return bytes(data)


def _expected(body: bytes) -> set[int]:
    """What it may be answered with."""
    try:
        read = ToFunction.FromString(body)
    except Exception:  # whatever kind of error this release of protobuf has for it
        return {400}
    target = read.invocation.target
    if not read.HasField("invocation") or not (target.namespace and target.type):
        return {400}
    if (target.namespace, target.type) != ("example", "person"):
        return {404}
    values = {each.state_name: each.state_value for each in read.invocation.state}
    if "visits" in values and values["visits"].has_value:
        # A good request, and the state in it is not what the function declares: its own error.
        return {200} if values["visits"].typename == LongType.typename else {500}
    return {200}


def post(body: bytes) -> bytes:
    head = (
        b"POST /statefun HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/octet-stream\r\n"
    )
    return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)


def statuses(sock: socket.socket, count: int) -> list[int]:
    found: list[int] = []
    data = b""
    while len(found) < count:
        end = data.find(b"\r\n\r\n")
        if end >= 0:
            head = data[:end].lower()
            size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(data) >= end + 4 + size:
                found.append(int(head[9:12]))
                data = data[end + 4 + size :]
                continue
        more = sock.recv(1 << 20)
        if not more:
            raise EOFError(f"closed after {len(found)} of {count} answers")
        data += more
    return found


def memory(pid: int) -> float:
    """Megabytes that a process has in memory; 0 where there is no /proc."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def storm(bodies: int, seed: int = 0) -> tuple[Counter[str], float]:
    """So many bodies: how often each status came, and by how many megabytes the server grew.

    One that should not have come has the body behind it.
    """
    choose = random.Random(seed)  # noqa: S311 - the same ones again, by their seed
    counted: Counter[str] = Counter()
    before = 0.0
    with server("bodies") as (port, pid), socket.create_connection(("127.0.0.1", port), 60) as sock:
        for start in range(0, bodies, _AT_ONCE):
            sent = [
                _malformed(_request(choose), choose) for _ in range(min(_AT_ONCE, bodies - start))
            ]
            sock.sendall(b"".join(map(post, sent)))
            for body, status in zip(sent, statuses(sock, len(sent)), strict=True):
                if status in _expected(body):
                    counted[str(status)] += 1
                else:
                    counted[f"{status} for {body.hex()}"] += 1
            before = before or memory(pid)  # when all of it has been used once
        sock.sendall(post(_request(choose)))
        if statuses(sock, 1) != [200]:
            counted["a request after it all is not served"] += 1
        return counted, memory(pid) - before


def main() -> None:
    """Send them, and print what came of it."""
    parser = argparse.ArgumentParser(prog="bodies", description=__doc__)
    parser.add_argument("bodies", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        _serve()
        return
    begin = time.perf_counter()
    counted, grown = storm(options.bodies, options.seed)
    for status, count in sorted(counted.items()):
        print(f"{count:9,}  {status}")
    print(f"{time.perf_counter() - begin:.0f} s; the server grew by {grown:.1f} MB")
    raise SystemExit(not counted.keys() <= STATUSES)


if __name__ == "__main__":
    main()
