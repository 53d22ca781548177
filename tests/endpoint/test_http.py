"""Everything an HTTP/1.1 server owes, byte by byte over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time

import pytest

import statefun_nb as sf
from statefun_nb.endpoint.limits import Limits
from statefun_nb.endpoint.server import Endpoint
from statefun_nb.loop_thread import LoopThread
from statefun_nb.trace.recorder import Recorder
from statefun_nb.trace.traced import TracedHandler
from tests import peer
from tests.waiting import eventually

LIMITS = Limits(header_bytes=4096, body_bytes=100_000)
HURRIED = Limits(request_seconds=0.6, idle_seconds=1.0)


@contextlib.contextmanager
def serving(functions, limits, token=""):
    @sf.function("a/b", state={"n": int}, functions=functions)
    def count(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1

    @sf.function("a/echo", functions=functions)
    async def echo(ctx, message):
        await asyncio.sleep(float(message.value) / 1000)
        ctx.send("a/out", "x", message.value)

    @sf.function("a/fails", functions=functions)
    def fails(ctx, message):
        raise ValueError("on purpose ключ")

    with LoopThread("statefun_nb") as thread:
        endpoint = Endpoint(TracedHandler(functions, Recorder()), thread, limits, token=token)
        endpoint.start()
        try:
            yield endpoint
        finally:
            endpoint.stop(grace=0)
            assert not endpoint._http.connections


@pytest.fixture
def endpoint(functions):
    with serving(functions, LIMITS) as found:
        yield found


@pytest.fixture
def hurried(functions):
    """An endpoint that waits for no client."""
    with serving(functions, HURRIED) as found:
        yield found


@contextlib.contextmanager
def connect(endpoint):
    with socket.create_connection(("127.0.0.1", endpoint.port), timeout=30) as sock:
        yield sock


BODY = peer.request(("a/b", "x"), [peer.text("m")], {"n": None})


def post(body=BODY, headers="", target="/statefun", method="POST"):
    return (
        f"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    ).encode() + body


def read_response(sock, head_only=False):
    """Status, headers and body of one response, whatever else follows it."""
    file = sock.makefile("rb", buffering=0)
    status = int(_line(file).split()[1])
    headers = {}
    while line := _line(file):
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    body = b""
    if not head_only:
        while len(body) < int(headers.get("content-length", 0)):
            body += file.read(int(headers["content-length"]) - len(body))
    return status, headers, body


def _line(file):
    line = b""
    while not line.endswith(b"\r\n"):
        byte = file.read(1)
        if not byte:
            raise EOFError(line)
        line += byte
    return line[:-2]


def ask(endpoint, data):
    with connect(endpoint) as sock:
        sock.sendall(data)
        return read_response(sock)


def closed(sock):
    return sock.recv(1) == b""


def test_a_request_is_served_and_the_connection_kept(endpoint):
    with connect(endpoint) as sock:
        for _ in range(3):
            sock.sendall(post())
            status, headers, body = read_response(sock)
            assert status == 200
            assert headers["content-type"] == "application/octet-stream"
            assert "connection" not in headers
            (mutation,) = peer.reply(body).invocation_result.state_mutations
            assert mutation.state_name == "n"


@pytest.mark.parametrize(
    "header",
    ["", "Content-Type: \r\n", "Content-Type: Application/Octet-Stream; charset=binary\r\n"],
)
def test_a_content_type_that_is_missing_is_that_of_bytes(endpoint, header):
    assert ask(endpoint, post(headers=header))[0] == 200


def test_health_lists_the_functions(endpoint):
    status, headers, body = ask(endpoint, post(b"", target="/health", method="GET"))
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == {"status": "ok", "functions": ["a/b", "a/echo", "a/fails"]}


def test_pipelined_requests_are_answered_in_order(endpoint):
    slow = [peer.request(("a/echo", "x"), [peer.text(ms)]) for ms in ("40", "1", "20", "0")]
    with connect(endpoint) as sock:
        sock.sendall(b"".join(post(body) for body in slow) + post())
        answers = [peer.reply(read_response(sock)[2]).invocation_result for _ in range(5)]
    sent = [a.outgoing_messages[0].argument.value[2:] for a in answers[:4]]
    assert sent == [b"40", b"1", b"20", b"0"]
    assert answers[4].state_mutations


def test_more_pipelined_requests_than_are_read_ahead(endpoint):
    count = LIMITS.pipelined * 10
    with connect(endpoint) as sock:
        sender = threading.Thread(target=sock.sendall, args=(post() * count,))
        sender.start()
        assert [read_response(sock)[0] for _ in range(count)] == [200] * count
        sender.join()


def test_a_request_may_come_byte_by_byte(endpoint):
    with connect(endpoint) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in post():
            sock.sendall(bytes([byte]))
        assert read_response(sock)[0] == 200


def test_chunked_bodies_are_read(endpoint):
    half = len(BODY) // 2
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in (BODY[:half], BODY[half:]))
    head = b"POST /statefun HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    status, _, body = ask(endpoint, head + chunks + b"0\r\n\r\n")
    assert status == 200
    assert peer.reply(body).invocation_result.state_mutations


def test_expect_continue_is_answered_before_the_body(endpoint):
    with connect(endpoint) as sock:
        head, _, body = post(headers="Expect: 100-continue\r\n").partition(b"\r\n\r\n")
        sock.sendall(head + b"\r\n\r\n")
        assert read_response(sock, head_only=True)[0] == 100
        sock.sendall(body)
        assert read_response(sock)[0] == 200


def test_connection_close_is_honoured(endpoint):
    with connect(endpoint) as sock:
        sock.sendall(post(headers="Connection: close\r\n"))
        status, headers, _ = read_response(sock)
        assert (status, headers["connection"]) == (200, "close")
        assert closed(sock)


@pytest.mark.parametrize(
    ("last", "statuses"),
    [
        (post(headers="Connection: close\r\n"), [200, 200]),
        (post().replace(b"HTTP/1.1", b"HTTP/1.0"), [200, 200]),
        (b"\x00 is no request\r\n\r\n", [200, 400]),
        (post(headers="Content-Type: text/plain\r\n"), [200, 415]),
    ],
)
def test_what_comes_with_the_last_request_is_not_answered(endpoint, last, statuses):
    with connect(endpoint) as sock:
        sock.sendall(post() + last + post())
        assert [read_response(sock)[0] for _ in statuses] == statuses
        assert closed(sock)


def test_a_request_that_is_refused_between_two_others_is_answered_in_its_turn(endpoint):
    with connect(endpoint) as sock:
        sock.sendall(post() + b"GET /statefun HTTP/1.1\r\nHost: x\r\n\r\n" + post() * 30)
        assert [read_response(sock)[0] for _ in range(32)] == [200, 405] + [200] * 30


def test_http_1_0_is_answered_and_closed(endpoint):
    with connect(endpoint) as sock:
        sock.sendall(b"GET /health HTTP/1.0\r\nHost: x\r\n\r\n")
        assert read_response(sock)[0] == 200
        assert closed(sock)


def test_a_client_that_closes_its_side_gets_what_was_answered_already(endpoint):
    with connect(endpoint) as sock:
        sock.sendall(post())
        sock.shutdown(socket.SHUT_WR)
        assert read_response(sock)[0] == 200
        assert closed(sock)


REFUSED = [
    pytest.param(post(method="GET"), 405, "StateFun sends POST", id="method"),
    pytest.param(post(method="PUT"), 405, "PUT is not allowed", id="put"),
    pytest.param(post(b"", method="PUT"), 405, "PUT is not allowed", id="put-nothing"),
    pytest.param(post(target="/health"), 405, "says what is served", id="post-health"),
    pytest.param(post(headers="Content-Type: text/plain\r\n"), 415, "text/plain", id="type"),
    pytest.param(post(headers="Origin: http://evil.example\r\n"), 403, "evil", id="origin"),
    pytest.param(post(b""), 400, "no invocation", id="empty-body"),
    pytest.param(post(b"\xff\xff\xff"), 400, "not a ToFunction", id="malformed"),
    pytest.param(
        post(peer.request(("a/unknown", "x"), [peer.text("m")])),
        404,
        "no function 'a/unknown' is declared here (declared: a/b",
        id="unknown-function",
    ),
    pytest.param(
        post(peer.request(("a/fails", "x"), [peer.text("m")])),
        500,
        "ValueError: on purpose ключ",
        id="function-raises",
    ),
    pytest.param(post(target="/elsewhere"), 404, "", id="path"),
    pytest.param(post(headers="Expect: magic\r\n"), 417, "magic", id="expectation"),
    pytest.param(
        b"POST /statefun HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n",
        413,
        "100000 bytes",
        id="oversized-by-length",
    ),
    pytest.param(
        b"POST /statefun HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n" + b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n0\r\n\r\n",
        413,
        "100000 bytes",
        id="oversized-by-chunks",
    ),
    pytest.param(post(headers=f"X: {'y' * 5000}\r\n"), 431, "4096 bytes", id="headers"),
    pytest.param(b"GET /" + b"x" * 9000, 431, "4096 bytes", id="endless-target"),
    pytest.param(b"nonsense\r\n\r\n", 400, "not a valid HTTP", id="not-http"),
    pytest.param(b"GET /health HTTP/1.1\r\n\r\n", 400, "Host", id="no-host"),
    pytest.param(
        b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "has 2", id="two-hosts"
    ),
]


@pytest.mark.parametrize(("data", "status", "says"), REFUSED)
def test_what_is_not_accepted_has_its_status_and_says_why(endpoint, data, status, says):
    answer = ask(endpoint, data)
    assert answer[0] == status
    assert says in answer[2].decode()
    allowed = "GET" if says == "says what is served" else "POST"
    assert answer[1].get("allow") == (allowed if status == 405 else None)
    assert ask(endpoint, post())[0] == 200  # and the next client is served as before


@pytest.mark.parametrize("origin", ["http://localhost:8888", "http://127.0.0.1", "http://[::1]:1"])
def test_pages_of_this_machine_may_ask(endpoint, origin):
    assert ask(endpoint, post(headers=f"Origin: {origin}\r\n"))[0] == 200


def test_a_refused_request_after_a_good_one_waits_its_turn(endpoint):
    with connect(endpoint) as sock:
        slow = peer.request(("a/echo", "x"), [peer.text("30")])
        sock.sendall(post(slow) + b"nonsense\r\n\r\n")
        assert read_response(sock)[0] == 200
        assert read_response(sock)[0] == 400
        assert closed(sock)


def test_a_client_that_never_ends_its_request_is_told_and_closed(hurried):
    with connect(hurried) as sock:
        sock.sendall(post()[:-5])
        assert read_response(sock)[0] == 408
        assert closed(sock)


def test_an_idle_connection_is_closed(hurried):
    with connect(hurried) as sock:
        sock.sendall(post())
        read_response(sock)
        assert closed(sock)  # within the socket's 30 s


def test_a_slow_function_is_not_timed_out(hurried):
    with connect(hurried) as sock:
        sock.sendall(post(peer.request(("a/echo", "x"), [peer.text("1700")])))
        assert read_response(sock)[0] == 200


def hanging(functions):
    """A function a/hangs: when it has begun, and when it was cancelled."""
    begun, cancelled = threading.Event(), threading.Event()

    @sf.function("a/hangs", functions=functions)
    async def hangs(_context, _message):
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    return begun, cancelled


def waiting(functions):
    """A request to a function that waits, and what lets it end."""
    release = threading.Event()

    @sf.function("a/waits", functions=functions)
    async def waits(_context, _message):
        while not release.is_set():
            await asyncio.sleep(0.01)

    return post(peer.request(("a/waits", "x"), [peer.text("m")])), release


def test_a_client_that_goes_away_cancels_its_async_function(endpoint, functions):
    begun, cancelled = hanging(functions)
    with connect(endpoint) as sock:
        sock.sendall(post(peer.request(("a/hangs", "x"), [peer.text("m")])))
        assert begun.wait(30)
    assert cancelled.wait(30)


def test_broken_clients_leave_nothing_behind(endpoint):
    for cut in range(0, len(post()), 7):
        with connect(endpoint) as sock:
            sock.sendall(post()[:cut])
            if cut % 2:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    eventually(lambda: not endpoint._http.connections)


def test_stopping_answers_what_is_being_served(endpoint, functions):
    begun = threading.Event()

    @sf.function("a/takes_a_while", functions=functions)
    async def takes_a_while(ctx, message):
        begun.set()
        await asyncio.sleep(0.2)

    with connect(endpoint) as sock, connect(endpoint) as idle:
        idle.sendall(post())
        read_response(idle)
        sock.sendall(post(peer.request(("a/takes_a_while", "x"), [peer.text("m")])))
        assert begun.wait(30)
        endpoint.stop(grace=30)
        status, headers, _ = read_response(sock)
        assert (status, headers["connection"]) == (200, "close")
        assert closed(idle)
    with pytest.raises(ConnectionRefusedError):
        ask(endpoint, post())


def test_stopping_does_not_wait_longer_than_its_grace(endpoint, functions):
    begun = threading.Event()

    @sf.function("a/hangs", functions=functions)
    async def hangs(ctx, message):
        begun.set()
        await asyncio.sleep(60)

    with connect(endpoint) as sock:
        sock.sendall(post(peer.request(("a/hangs", "x"), [peer.text("m")])))
        assert begun.wait(30)
        begin = time.monotonic()
        endpoint.stop(grace=0.1)
        assert time.monotonic() - begin < 30


def test_a_stop_that_is_given_up_gives_the_port_back(endpoint):
    """Whoever waits for it may have to wait longer than it does: the loop has other work."""

    async def given_up():
        closing = asyncio.get_running_loop().create_task(endpoint.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing

    endpoint._thread.run(given_up())
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", endpoint.port))


def test_a_taken_port_moves_to_the_next_one(endpoint, functions):
    with LoopThread("statefun_nb") as thread:
        other = Endpoint(TracedHandler(functions, None), thread)
        assert other.start(endpoint.port) > endpoint.port
        other.stop()


def test_the_routes_work_on_tornados_own_connection_too(endpoint):
    """The seam: the same Application under Tornado's HTTPServer."""
    from tornado.httpserver import HTTPServer
    from tornado.testing import bind_unused_port

    listener, port = bind_unused_port()

    def serve():
        server = HTTPServer(endpoint._application)
        server.add_socket(listener)
        return server

    server = endpoint._thread.call(serve)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
            sock.sendall(post())
            status, _, body = read_response(sock)
            assert status == 200
            assert peer.reply(body).invocation_result.state_mutations
            sock.sendall(post(peer.request(("a/echo", "x"), [peer.text("1")])))
            assert read_response(sock)[0] == 200
            sock.sendall(post(method="PUT"))
            status, headers, _ = read_response(sock)
            assert (status, headers["allow"]) == (405, "POST")
    finally:
        endpoint._thread.call(server.stop)
