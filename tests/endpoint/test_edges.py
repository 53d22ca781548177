"""What a client may do to an endpoint that is no mistake of a well-meaning one."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from statefun_nb.endpoint.admission import foreign, own_names
from statefun_nb.endpoint.limits import Limits
from tests import peer
from tests.endpoint.test_http import (
    BODY,
    HURRIED,
    LIMITS,
    ask,
    closed,
    connect,
    post,
    read_response,
    serving,
    waiting,
)
from tests.waiting import eventually

UPGRADE = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
CHUNKED = b"POST /statefun HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def endpoint(functions):
    with serving(functions, LIMITS) as found:
        yield found


def reading(endpoint):
    """The only connection, when it has begun to read a request."""
    connection = eventually(lambda: next(iter(endpoint._http.connections), None))
    eventually(lambda: connection._reading is not None and connection._reading.method)
    return connection


def test_an_offer_of_another_protocol_is_ignored(endpoint):
    """As Java's HttpClient and ``curl --http2`` make it with each request."""
    with connect(endpoint) as sock:
        for _ in range(2):
            sock.sendall(post(headers=UPGRADE))
            assert read_response(sock)[0] == 200
        sock.sendall(post(headers=UPGRADE) + post() + post(headers=UPGRADE))
        assert [read_response(sock)[0] for _ in range(3)] == [200, 200, 200]
        sock.sendall(f"GET /health HTTP/1.1\r\nHost: x\r\n{UPGRADE}\r\n".encode() + post())
        assert [read_response(sock)[0] for _ in range(2)] == [200, 200]


def test_a_request_with_an_upgrade_may_come_byte_by_byte(endpoint):
    with connect(endpoint) as sock:
        for byte in post(headers=UPGRADE):
            sock.sendall(bytes([byte]))
        assert read_response(sock)[0] == 200
        sock.sendall(post())
        assert read_response(sock)[0] == 200


@pytest.mark.parametrize(
    ("refused", "status"),
    [
        (post(headers=UPGRADE, target="/statefun/wrong"), 404),
        (post(headers=UPGRADE + "Content-Type: text/plain\r\n"), 415),
        (post(headers=UPGRADE).replace(b"Host: x", b"Host: evil.example"), 403),
        (post(headers=UPGRADE).replace(b"Host: x\r\n", b""), 400),
    ],
)
def test_a_request_with_an_upgrade_is_refused_as_any_other(endpoint, refused, status):
    for before in (b"", post(), post(headers=UPGRADE)):
        with connect(endpoint) as sock:
            sock.sendall(before + refused)
            if before:
                assert read_response(sock)[0] == 200
            assert read_response(sock)[0] == status
            assert closed(sock)


@pytest.mark.parametrize("scheme", ["http", "HTTP", "https"])
def test_a_target_in_absolute_form_is_served(endpoint, scheme):
    target = f"{scheme}://127.0.0.1:{endpoint.port}/statefun"
    assert ask(endpoint, post(target=target))[0] == 200
    # Its host counts, and not the header.
    assert ask(endpoint, post(target=f"{scheme}://evil.example/statefun"))[0] == 403
    assert ask(endpoint, post(target=f"{scheme}://localhost"))[0] == 404
    assert ask(endpoint, post(target="statefun"))[0] in (400, 404)


@pytest.mark.parametrize("target", ["/statefun", "/health"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("Host: 127.0.0.1:8000\r\n", 200),
        ("Host: localhost\r\n", 200),
        ("Host: LOCALHOST.:8000\r\n", 200),
        ("Host: [::1]:8000\r\n", 200),
        ("Host: 192.168.1.5:8000\r\n", 200),  # of a machine with a port that is forwarded
        ("Host: functions:8000\r\n", 200),  # a service of Docker's compose
        ("Host: host.docker.internal:8000\r\n", 200),
        ("Host: evil.example\r\n", 403),
        ("Host: 127.0.0.1.evil.example\r\n", 403),
        ("Host: localhost.evil.example:8000\r\n", 403),
        ("Host: [::1\r\n", 403),
        ("Host: \r\n", 403),
        ("Host: x\r\nSec-Fetch-Site: cross-site\r\n", 403),  # an image, a script, a link
        ("Host: x\r\nSec-Fetch-Site: same-origin\r\n", 200),
        ("Host: x\r\nSec-Fetch-Site: none\r\n", 200),  # typed into the address bar
        ("Host: x\r\nOrigin: http://localhost:8888\r\nSec-Fetch-Site: cross-site\r\n", 200),
        ("Host: x\r\nOrigin: http://evil.example\r\nSec-Fetch-Site: same-site\r\n", 403),
        ("Host: x\r\nOrigin: http://192.168.1.5\r\n", 403),
        ("Host: x\r\nOrigin: null\r\n", 403),
    ],
)
def test_a_page_of_another_site_reaches_nothing(endpoint, target, headers, status):
    method, body = ("POST", BODY) if target == "/statefun" else ("GET", b"")
    line = f"{method} {target} HTTP/1.1\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    assert ask(endpoint, line.encode() + body)[0] == status


def test_a_tunnel_is_refused(endpoint):
    with connect(endpoint) as sock:
        sock.sendall(b"CONNECT other.example:443 HTTP/1.1\r\nHost: x\r\n\r\n" + post())
        assert read_response(sock)[0] in (403, 404, 405)
        assert closed(sock)


def test_names_that_the_user_gives_are_taken(monkeypatch):
    assert foreign("functions.example:8000", None, None, own_names())
    monkeypatch.setenv("STATEFUN_NB_HOSTS", "Functions.example, other.example")
    names = own_names()
    assert not foreign("functions.example:8000", "https://other.example", "cross-site", names)
    assert foreign("third.example", None, None, names)


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        pytest.param(CHUNKED + b"0\r\n", b"X: y\r\n", id="trailers"),
        pytest.param(CHUNKED + b"0\r\nX: ", b"yyyyyyyy", id="one-trailer"),
        pytest.param(CHUNKED + b"5;a=", b"yyyyyyyy", id="chunk-extension"),
    ],
)
def test_what_is_no_body_is_counted_too(endpoint, begin, more):
    with connect(endpoint) as sock:
        sock.sendall(begin)
        reading(endpoint)
        sock.sendall(more * (2 * LIMITS.header_bytes // len(more)))
        assert read_response(sock)[0] == 431
    assert ask(endpoint, post())[0] == 200


def test_trailers_within_the_limit_are_read_over(endpoint):
    body = b"%x\r\n%b\r\n0\r\nX: y\r\n\r\n" % (len(BODY), BODY)
    with connect(endpoint) as sock:
        sock.sendall(CHUNKED + body + post())
        assert [read_response(sock)[0] for _ in range(2)] == [200, 200]


def test_a_body_in_tiny_pieces_is_kept_once(endpoint):
    with connect(endpoint) as sock:
        sock.sendall(CHUNKED + b"1\r\na\r\n" * 10_000)
        connection = reading(endpoint)
        eventually(lambda: endpoint._http.clients.bytes == 10_000)
        assert isinstance(connection._reading.body, bytearray)
    eventually(lambda: endpoint._http.clients.bytes == 0)


def test_framing_counts_as_much_as_a_body(endpoint):
    with connect(endpoint) as sock:
        sock.sendall(CHUNKED)
        sock.sendall(b"1\r\na\r\n" * 20_000)  # 20,000 bytes of 100,000 that a body may have
        assert read_response(sock)[0] == 413


@pytest.mark.parametrize("expect", ["", "Expect: 100-continue\r\n"])
def test_a_body_for_a_path_that_is_not_served_is_not_read(endpoint, expect):
    with connect(endpoint) as sock:
        head = f"POST /elsewhere HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n{expect}\r\n"
        sock.sendall(head.encode())
        status, _, body = read_response(sock)
        assert (status, body) == (404, b"there is nothing at '/elsewhere'\n")
        assert closed(sock)


def test_without_the_token_there_is_nothing_and_nothing_is_read(functions):
    with serving(functions, LIMITS, token="right-1") as endpoint:
        path = endpoint.url.partition(str(endpoint.port))[2]
        assert path == "/statefun/right-1"
        assert endpoint.health_url == endpoint.url + "/health"
        assert ask(endpoint, post(target=path))[0] == 200
        assert ask(endpoint, post(target=path))[0] == 200  # the shorter way, remembered
        assert ask(endpoint, post(b"", target=f"{path}/health", method="GET"))[0] == 200
        wrong = [
            "/statefun",
            "/statefun/",
            "/statefun/right-2",
            "/statefun/right-11",
            "/",
            "/health",
        ]
        for target in [*wrong, f"{path}/", f"{path}/x", path.upper(), "/statefun/%72ight-1"]:
            for method in ("POST", "GET", "OPTIONS"):
                head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n"
                with connect(endpoint) as sock:
                    sock.sendall(head.encode())
                    status, _, body = read_response(sock)
                    assert (status, body) == (404, f"there is nothing at {target!r}\n".encode())
                    assert closed(sock)
        assert len(endpoint._route.handler.recorder.snapshot(0).batches) == 2


def test_a_half_request_behind_one_that_is_served_has_its_time_too(functions):
    with serving(functions, HURRIED) as endpoint, connect(endpoint) as sock:
        slow = peer.request(("a/echo", "x"), [peer.text("2500")])
        sock.sendall(post(slow) + post()[:-5])
        assert read_response(sock)[0] == 200
        assert read_response(sock)[0] == 408
        assert closed(sock)


def test_what_all_clients_may_send_together(functions):
    limits = Limits(body_bytes=100_000, all_bodies_bytes=150_000)
    head = b"POST /statefun HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
    with serving(functions, limits) as endpoint:
        with connect(endpoint) as first, connect(endpoint) as second:
            first.sendall(head + b"x" * 90_000)
            eventually(lambda: endpoint._http.clients.bytes == 90_000)
            second.sendall(head + b"x" * 90_000)
            assert read_response(second)[0] == 503
        eventually(lambda: endpoint._http.clients.bytes == 0)
        assert ask(endpoint, post())[0] == 200


def test_so_much_is_read_ahead_and_no_more(functions):
    """While one request is served, what waits behind it on its connection is bounded in bytes."""
    request, release = waiting(functions)
    data = post(peer.request(("a/b", "x"), [peer.text("m" * 100)] * 350, {"n": None})) * 30
    assert len(data) > 1_000_000
    with serving(functions, Limits(body_bytes=100_000)) as endpoint, connect(endpoint) as sock:
        sock.sendall(request)
        sender = threading.Thread(target=sock.sendall, args=(data,))
        sender.start()
        connection = eventually(lambda: next(iter(endpoint._http.connections), None))
        eventually(lambda: connection._reading_paused)
        # What is parsed at once is one read of asyncio, 256 KiB.
        assert endpoint._http.clients.bytes < 100_000 + 262_144 + 50_000
        release.set()
        assert [read_response(sock)[0] for _ in range(31)] == [200] * 31
        sender.join()
        eventually(lambda: endpoint._http.clients.bytes == 0)


def test_a_connection_that_is_gone_is_gone(endpoint):
    gc.collect()
    gc.disable()  # what is freed from here on, is freed without a search for circles
    try:
        with connect(endpoint) as sock:
            sock.sendall(post()[:-5])
            gone = weakref.ref(reading(endpoint))
        eventually(lambda: gone() is None)
    finally:
        gc.enable()
