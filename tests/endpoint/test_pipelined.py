"""Many requests at once on a connection, answers that nobody reads, and a side that is closed."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections import Counter

import pytest

import statefun_nb as sf
from statefun_nb.endpoint.limits import Limits
from tests import peer
from tests.endpoint.test_http import (
    BODY,
    LIMITS,
    ask,
    closed,
    connect,
    hanging,
    post,
    read_response,
    serving,
    waiting,
)
from tests.waiting import eventually

NOTHING = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"
BLOCK = 256 * 1024  # what asyncio reads at once


@pytest.fixture
def endpoint(functions):
    with serving(functions, LIMITS) as found:
        yield found


def slow(milliseconds):
    return post(peer.request(("a/echo", "x"), [peer.text(str(milliseconds))]))


def last_answer(sock):
    """The next one that is not an interim one."""
    while True:
        answer = read_response(sock)
        if answer[0] != 100:
            return answer


def fill(sock, data, endpoint):
    """Send it again and again until the endpoint reads no more.

    Returns how many bytes were taken, and the connection, which has to be the only one.
    """
    deadline = time.monotonic() + 60
    connection = eventually(lambda: next(iter(endpoint._http.connections), None))
    sock.settimeout(0.5)
    sent = 0
    while True:
        try:
            sent += sock.send(data[sent % len(data) :])
        except TimeoutError:  # or it is busy
            if rests(connection, endpoint):
                break
            assert time.monotonic() < deadline, f"it reads on after {sent:,} bytes"
    sock.settimeout(30)
    return sent, connection


def rests(connection, endpoint):
    """Does it read and write nothing while another client is served?"""

    def looks():
        written = connection._transport.get_write_buffer_size()
        return connection._reading_paused, connection._queued, len(connection._queue), written

    before = looks()
    assert ask(endpoint, post())[0] == 200
    return before[:2] == (True, False) and looks() == before


def read_answers(sock, count):
    """Read so many, and no more have come."""
    found, data = 0, b""
    while found < count:
        data += sock.recv(BLOCK)
        found += data.count(b"HTTP/1.1 ")
        data = data[data.rfind(b"HTTP/1.1 ") + 9 :]  # a beginning may be cut in two
    assert found == count


@pytest.mark.parametrize("request_", [NOTHING, post()], ids=["refused", "served"])
def test_of_who_reads_no_answer_no_more_is_read(endpoint, request_):
    data = request_ * (BLOCK // len(request_))
    with connect(endpoint) as sock:
        sent, connection = fill(sock, data, endpoint)
        assert len(connection._queue) <= LIMITS.pipelined + 40
        assert endpoint._http.clients.bytes <= BLOCK + 50 * len(BODY)
        assert connection._transport.get_write_buffer_size() < 2 * 65_536
        assert ask(endpoint, post())[0] == 200
        begun = -(-sent // len(request_))
        rest = (data + request_)[sent % len(data) :][: begun * len(request_) - sent]
        sender = threading.Thread(target=sock.sendall, args=(rest,))
        sender.start()
        read_answers(sock, begun)
        sender.join()
        assert sent > BLOCK
        eventually(lambda: endpoint._http.clients.bytes == 0 and not connection._reading_paused)


def test_what_waits_behind_a_request_is_bounded_in_number(endpoint):
    data = NOTHING * (BLOCK // len(NOTHING))
    with connect(endpoint) as sock:
        sock.sendall(slow(2_000))
        _, connection = fill(sock, data, endpoint)
        assert len(connection._queue) <= LIMITS.pipelined + 40
        assert endpoint._http.clients.bytes <= BLOCK + 1000
    assert ask(endpoint, post())[0] == 200


def test_one_block_of_requests_does_not_hold_up_others(endpoint, functions):
    """Between its requests the loop turns, and so serves whoever else asks."""
    turns = 0
    served: Counter[int] = Counter()

    async def turn():
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    @sf.function("a/counts", functions=functions)
    def counts(_context, _message):
        served[turns] += 1

    data = post(peer.request(("a/counts", "x"), [peer.text("m")]))
    count = BLOCK // len(data)
    turning = endpoint._thread.call(lambda: asyncio.ensure_future(turn()))
    with connect(endpoint) as sock:
        sender = threading.Thread(target=sock.sendall, args=(data * count,))
        sender.start()
        assert [read_response(sock)[0] for _ in range(count)] == [200] * count
        sender.join()
    endpoint._thread.call(turning.cancel)
    assert served.total() == count > 1000
    assert max(served.values()) < 300


def test_blocks_of_requests_with_bodies_come_through_whole(endpoint):
    """Pieces end anywhere: within a first line, a header, a body, a chunk."""
    counts = [1, 2, 8, 9, 10, 60, 400, 3]
    bodies = [peer.request(("a/b", "x"), [peer.text("m" * 97)] * n, {"n": None}) for n in counts]
    upgrade = "Connection: Upgrade\r\nUpgrade: h2c\r\n"
    requests = []
    for number, body in enumerate(bodies * 3):
        requests.append(post(body, headers=upgrade if number % 4 == 1 else ""))
        head = b"POST /statefun HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        requests.append(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
    with connect(endpoint) as sock:
        sender = threading.Thread(target=sock.sendall, args=(b"".join(requests),))
        sender.start()
        assert [read_response(sock)[0] for _ in requests] == [200] * len(requests)
        sender.join()
    eventually(lambda: endpoint._http.clients.bytes == 0)


@pytest.mark.parametrize(
    ("last", "status"),
    [(b"\x00 is no request\r\n\r\n", 400), (post(headers="Connection: close\r\n"), 200)],
)
def test_a_block_ends_with_what_is_its_last_request(endpoint, last, status):
    with connect(endpoint) as sock:
        sock.sendall(post() * 20 + last + post() * 20)
        assert [read_response(sock)[0] for _ in range(21)] == [200] * 20 + [status]
        with contextlib.suppress(ConnectionResetError):  # what came behind it was not read
            assert closed(sock)
    eventually(lambda: endpoint._http.clients.bytes == 0)


def test_what_was_put_by_counts_among_what_all_clients_may_send(functions):
    limits = Limits(body_bytes=20_000, all_bodies_bytes=30_000)
    request, release = waiting(functions)
    block = NOTHING * 700  # 19,600 bytes: one packet of loopback, so that one read has all
    with serving(functions, limits) as endpoint:
        clients, connections = endpoint._http.clients, endpoint._http.connections
        with connect(endpoint) as first, connect(endpoint) as second:
            for sock in (first, second):
                sock.sendall(request)
            eventually(lambda: sum(each._serving is not None for each in list(connections)) == 2)
            first.sendall(block)
            eventually(lambda: clients.bytes > 15_000)
            second.sendall(block)
            eventually(lambda: any(each._refused for each in list(connections)))
            assert clients.bytes < 30_000
            release.set()
        eventually(lambda: not connections)
        assert clients.bytes == 0
        assert ask(endpoint, post())[0] == 200


def test_who_closes_his_side_is_answered_what_he_has_asked_for(endpoint):
    with connect(endpoint) as sock:
        sock.sendall(slow(300) + slow(20) + post() + post()[:-5])
        sock.shutdown(socket.SHUT_WR)
        answers = [last_answer(sock) for _ in range(3)]
        assert [answer[0] for answer in answers] == [200, 200, 200]
        assert answers[2][1]["connection"] == "close"
        assert peer.reply(answers[0][2]).invocation_result.outgoing_messages
        assert closed(sock)
    eventually(lambda: not endpoint._http.connections)


def test_who_closes_his_side_behind_what_is_no_request_is_told_so(endpoint):
    with connect(endpoint) as sock:
        sock.sendall(slow(100) + b"nonsense\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        assert [last_answer(sock)[0] for _ in range(2)] == [200, 400]
        assert closed(sock)


def test_who_goes_away_later_is_noticed_too(endpoint, functions):
    begun, cancelled = hanging(functions)
    with connect(endpoint) as sock:
        sock.sendall(post(peer.request(("a/hangs", "x"), [peer.text("m")])))
        sock.shutdown(socket.SHUT_WR)
        assert begun.wait(30)
        assert read_response(sock, head_only=True)[0] == 100
        assert not cancelled.is_set()
    assert cancelled.wait(30)
    eventually(lambda: not endpoint._http.connections)


def test_a_client_of_http_1_0_that_closes_its_side_is_taken_to_be_gone(endpoint):
    with connect(endpoint) as sock:
        sock.sendall(slow(20_000).replace(b"HTTP/1.1", b"HTTP/1.0"))
        sock.shutdown(socket.SHUT_WR)
        assert closed(sock)


@pytest.mark.parametrize("headers", ["", "Connection: keep-alive\r\n", "Upgrade: h2c\r\n"])
@pytest.mark.parametrize("version", ["2.0", "0.9"])
def test_another_version_of_http_is_refused(endpoint, version, headers):
    with connect(endpoint) as sock:
        sock.sendall(post(headers=headers).replace(b"HTTP/1.1", f"HTTP/{version}".encode()) * 2)
        status, _, body = read_response(sock)
        assert (status, body) == (505, f"this speaks HTTP/1.1, and not HTTP/{version}\n".encode())
        assert closed(sock)


def test_a_client_that_begins_with_http_2_is_refused(endpoint):
    with connect(endpoint) as sock:
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 9)
        assert read_response(sock)[0] in (400, 505)
        assert closed(sock)


OTHER_PROTOCOL = b"Host: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"


def all_of_a_block_are_answered(endpoint):
    with connect(endpoint) as sock:
        sock.sendall(NOTHING * 40)
        read_answers(sock, 40)


@pytest.mark.parametrize("before", [b"", NOTHING * 20], ids=["alone", "in a block"])
@pytest.mark.parametrize(
    "offers", [b"", b"GET /x HTTP/1.1\r\n" + OTHER_PROTOCOL], ids=["", "twice"]
)
def test_who_asks_for_a_tunnel_ends_nobody_elses_turn(endpoint, before, offers, caplog):
    with connect(endpoint) as sock:
        sock.sendall(before + offers + b"CONNECT x:1 HTTP/1.1\r\n" + OTHER_PROTOCOL + NOTHING * 20)
        while sock.recv(BLOCK):
            pass
    all_of_a_block_are_answered(endpoint)
    assert caplog.text == ""


def test_what_cannot_be_served_of_a_block_ends_its_own_connection(endpoint, monkeypatch, caplog):
    with monkeypatch.context() as patch:
        patch.setattr(endpoint._http, "_admit", lambda exchange: 1 / 0)
        with connect(endpoint) as sock:
            sock.sendall(NOTHING * 40)
            assert closed(sock)
    eventually(lambda: "ZeroDivisionError" in caplog.text)
    all_of_a_block_are_answered(endpoint)


def test_a_body_that_comes_block_by_block_has_no_more_time_than_others(functions):
    with serving(functions, Limits(request_seconds=0.5)) as endpoint, connect(endpoint) as sock:
        sock.sendall(b"POST /statefun HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        sock.settimeout(0.05)
        answer = b""
        for _ in range(100):  # five seconds
            with contextlib.suppress(TimeoutError):
                answer = sock.recv(1_000)
                break
            sock.sendall(b"HTTP/1.1 " * 200)
        assert answer.startswith(b"HTTP/1.1 408 ")


def test_of_requests_that_wait_the_last_answer_alone_ends_the_connection(endpoint):
    with connect(endpoint) as sock:
        sock.sendall(slow(50) * 3)
        sock.shutdown(socket.SHUT_WR)
        headers = [last_answer(sock)[1] for _ in range(3)]
    assert [each.get("connection") for each in headers] == [None, None, "close"]


def test_nothing_is_said_of_what_comes_behind_the_last_request(endpoint):
    closing = slow(50).replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    with connect(endpoint) as sock:
        sock.sendall(closing + NOTHING)
        assert last_answer(sock)[0] == 200
        assert closed(sock)


EXPECTING = post(headers="Expect: 100-continue\r\n")


def test_who_waits_to_send_a_body_is_told_to_when_its_turn_comes(endpoint):
    with connect(endpoint) as sock:
        sock.sendall(slow(100) + EXPECTING[: -len(BODY)])
        assert read_response(sock)[0] == 200
        assert read_response(sock, head_only=True)[0] == 100
        sock.sendall(BODY + EXPECTING[: -len(BODY)])
        assert read_response(sock)[0] == 200
        assert read_response(sock, head_only=True)[0] == 100
        sock.sendall(BODY)
        assert read_response(sock)[0] == 200


def test_who_does_not_wait_for_its_turn_is_not_told_to_send_what_it_has_sent(endpoint):
    with connect(endpoint) as sock:
        sock.sendall(slow(100) + EXPECTING[:-5])
        assert read_response(sock)[0] == 200
        sock.sendall(EXPECTING[-5:])
        assert read_response(sock)[0] == 200


def test_a_client_of_http_1_0_is_not_told_to_go_on(endpoint):
    with connect(endpoint) as sock:
        sock.sendall(EXPECTING.replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert read_response(sock)[0] == 200
