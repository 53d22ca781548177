"""The port of the dashboard's page, as somebody who means no good finds it."""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlsplit

import pytest

import statefun_nb as sf
from statefun_nb.endpoint.http_server import HttpServer
from statefun_nb.endpoint.limits import Limits
from statefun_nb.views.tab import _PAGES
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
        sock.sendall(get(url, url.path).replace(b"GET", b"DELETE"))
        status, headers, _ = read_response(sock)
        assert (status, headers["allow"]) == (405, "GET, POST")
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
    tab = session._views._tab
    with connect(url) as sock:
        sock.sendall(get(url, f"{url.path}updates?page=a"))
        assert read_response(sock)[0] == 200
        stopping = threading.Thread(target=session.stop)
        stopping.start()
        eventually(lambda: tab._closed)
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


def page_threads():
    return [each for each in threading.enumerate() if each.name == "statefun_nb page"]


def test_many_threads_that_ask_for_the_page_get_the_same_one(session):
    together, urls = threading.Barrier(8), []

    def ask():
        together.wait()
        urls.append(session.dashboard(where="browser").url)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(urls) == 8
    assert len(set(urls)) == 1
    assert len(page_threads()) == 1


def test_a_page_that_cannot_be_opened_keeps_neither_port_nor_thread(session, monkeypatch):
    found = []

    async def listen(self, listener):
        found.append(listener)
        raise OSError("no more descriptors")

    with monkeypatch.context() as patch:
        patch.setattr(HttpServer, "listen", listen)
        with pytest.raises(OSError, match="no more descriptors"):
            session.dashboard(where="browser")
    assert [each.fileno() for each in found] == [-1]
    assert page_threads() == []
    assert session.dashboard(where="browser").url


def test_an_interrupted_stop_gives_back_port_and_thread(session, url):
    tab = session._views._tab
    tab._there["a"] = math.inf  # a page that is waited for

    def interrupt():
        eventually(lambda: tab._closed)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            session._views.stop()
        thread.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert page_threads() == []
    with pytest.raises(ConnectionRefusedError), connect(url):
        pass


def test_a_page_that_is_looked_at_outlives_those_that_are_gone(session, url):
    tab = session._views._tab
    looked_at = tab._feed("looked at")
    for number in range(3 * _PAGES):
        tab._feed(f"loaded anew {number}")
        assert tab._feed("looked at") is looked_at
    assert len(tab._feeds) == _PAGES


def test_a_page_that_others_have_pushed_out_is_not_waited_for(session, url):
    tab = session._views._tab
    with ExitStack() as stack:
        first = stack.enter_context(connect(url))
        first.sendall(get(url, f"{url.path}updates?page=first"))
        assert read_response(first)[0] == 200
        first.sendall(get(url, f"{url.path}updates?page=first"))
        eventually(lambda: tab._there.get("first") == math.inf)
        for number in range(_PAGES):
            other = stack.enter_context(connect(url))
            other.sendall(get(url, f"{url.path}updates?page={number}"))
            assert read_response(other)[0] == 200
        assert "first" not in tab._there
        session.pause()  # something is new
        assert read_response(first)[0] == 200
        assert tab._there.keys() <= tab._feeds.keys()
