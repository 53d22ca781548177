"""The port of the dashboard's page, as somebody who means no good finds it."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlsplit

import pytest

import statefun_nb as sf
from statefun_nb.endpoint.limits import Limits
from tests.endpoint.test_http import closed, read_response
from tests.waiting import eventually


@pytest.fixture
def session(functions):
    with sf.start(port=0, functions=functions) as found:
        yield found


@pytest.fixture
def url(session):
    return urlsplit(session.dashboard(where="browser").url)


@contextmanager
def connect(url):
    with socket.create_connection((url.hostname, url.port), timeout=30) as sock:
        yield sock


def get(url, target, headers=""):
    return f"GET {target} HTTP/1.1\r\nHost: {url.netloc}\r\n{headers}\r\n".encode()


def post(url, body, headers=""):
    head = (
        f"Host: {url.netloc}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    )
    return f"POST {url.path}say HTTP/1.1\r\n{head}{headers}\r\n{body}".encode()


def test_a_page_is_served_and_updated(session, url):
    with connect(url) as sock:
        sock.sendall(get(url, url.path) + get(url, f"{url.path}page.js"))
        status, headers, body = read_response(sock)
        assert status == 200
        assert headers["content-type"] == "text/html; charset=utf-8"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert body.startswith(b"<!doctype html>")
        assert read_response(sock)[1]["content-type"] == "text/javascript; charset=utf-8"
        sock.sendall(get(url, f"http://{url.netloc}{url.path}updates?page=a"))  # in absolute form
        status, headers, body = read_response(sock)
        assert (status, headers["content-type"]) == (200, "application/json; charset=utf-8")
        assert json.loads(body)
        sock.sendall(post(url, "[]"))
        assert read_response(sock)[0] == 400
        sock.sendall(post(url, "{}"))
        assert read_response(sock)[0] == 200
        sock.sendall(post(url, "x", headers="Origin: http://elsewhere.example\r\n"))
        assert read_response(sock)[0] == 403
        assert closed(sock)


@pytest.mark.parametrize("target", ["/", "/x/updates", "http://elsewhere.example{}updates"])
def test_who_does_not_know_the_address_is_told_nothing(url, target):
    with connect(url) as sock:
        sock.sendall(get(url, target.format(url.path)))
        assert read_response(sock)[0] == 403


def test_clients_that_ask_for_half_take_no_thread_and_hold_up_nobody(session, url):
    before = threading.active_count()
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(url)) for _ in range(200)]
        for each in clients:
            each.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        with connect(url) as sock:
            sock.sendall(get(url, url.path))
            assert read_response(sock)[0] == 200
        assert threading.active_count() < before + 10


def test_pages_that_wait_for_what_is_new_take_no_thread_each(session, url):
    before = threading.active_count()
    with ExitStack() as stack:
        waiting = [stack.enter_context(connect(url)) for _ in range(8)]
        for number, each in enumerate(waiting):
            each.sendall(get(url, f"{url.path}updates?page={number}"))
            assert read_response(each)[0] == 200
            each.sendall(get(url, f"{url.path}updates?page={number}"))
        with connect(url) as sock:
            sock.sendall(get(url, url.path))
            assert read_response(sock)[0] == 200
        assert threading.active_count() < before + 8
        session.stop()  # each of them is told
        assert {read_response(each)[0] for each in waiting} <= {200, 204}


def test_a_page_that_is_about_to_ask_is_told_the_end(session, url):
    with connect(url) as sock:
        sock.sendall(get(url, f"{url.path}updates?page=a"))
        assert read_response(sock)[0] == 200
        stopping = threading.Thread(target=session.stop)
        stopping.start()
        eventually(lambda: session._views._tab is None or session._views._tab._closed)
        sock.sendall(get(url, f"{url.path}updates?page=a"))
        status, _, body = read_response(sock)
        assert status == 200
        assert json.loads(body)["header"]["state"] == "stopped"
        stopping.join()


def test_a_request_that_never_ends_is_ended(session, url):
    tab = session._views._tab
    tab._http.limits = Limits(request_seconds=0.5)
    with connect(url) as sock:
        sock.sendall(get(url, url.path)[:-2])
        eventually(lambda: tab._http.connections)
        sock.sendall(b"X: y\r\n")
        assert read_response(sock)[0] == 408
        assert closed(sock)


def test_who_reads_no_answer_is_not_read(session, url):
    request = get(url, f"{url.path}page.js")
    with connect(url) as sock:
        sock.settimeout(0.5)
        with suppress(TimeoutError):
            while True:
                sock.sendall(request * 1000)
        begin = time.monotonic()
        with connect(url) as other:
            other.sendall(request)
            assert read_response(other)[0] == 200
        assert time.monotonic() - begin < 10
        tab = session._views._tab
        assert tab._http.clients.bytes <= 256 * 1024 + 1000
