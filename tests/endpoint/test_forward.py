"""Pages of another server at the endpoint's address: for who has the link, to be looked at."""

from __future__ import annotations

import http.server
import threading
from typing import ClassVar

import pytest

from statefun_nb.endpoint.forward import ForwardTo
from tests.endpoint.test_http import LIMITS, ask, connect, read_response, serving


class Behind(http.server.BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self):
        self.asked.append(f"{self.command} {self.path}")
        self.send_response(404 if "nothing" in self.path else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(b'{"seen": true}')

    def log_message(self, *_):
        pass


@pytest.fixture
def behind():
    Behind.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Behind) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def link(functions, behind):
    """The endpoint, and the path of the link."""
    with serving(functions, LIMITS) as endpoint:
        to = ForwardTo(lambda: f"http://127.0.0.1:{behind.server_address[1]}", None, ("cancel",))
        url = endpoint.forward("flink", to)
        yield endpoint, url.partition(str(endpoint.port))[2]


def get(endpoint, target, headers="", method="GET"):
    return ask(endpoint, f"{method} {target} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())


def test_who_has_the_link_sees_the_pages(link):
    endpoint, path = link
    for _ in range(2):
        status, headers, body = get(endpoint, f"{path}jobs/overview?x=1&y=%20")
        assert (status, body) == (200, b'{"seen": true}')
    assert headers["content-type"] == "application/json"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers
    assert Behind.asked == ["GET /jobs/overview?x=1&y=%20"] * 2
    assert get(endpoint, path)[0] == 200
    assert get(endpoint, f"{path}nothing")[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_they_are_only_to_be_looked_at(link, method):
    endpoint, path = link
    line = f"{method} {path}jobs/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    with connect(endpoint) as sock:
        sock.sendall(line.encode())
        status, headers, _ = read_response(sock, head_only=method == "HEAD")
        assert (status, headers["allow"]) == (405, "GET")
    assert Behind.asked == []


@pytest.mark.parametrize(
    "written",
    ["yarn-cancel", "%79arn-cancel", "%2579arn-cancel", "%252579arn-cancel", "YARN-cancel"],
)
def test_what_changes_something_by_a_mere_look_is_not_asked_for(link, written):
    endpoint, path = link
    assert get(endpoint, f"{path}jobs/1/{written}")[0] == 403
    assert Behind.asked == []


@pytest.mark.parametrize("wrong", ["/flink/", "/flink", "/flink/jobs/overview", "/flink/AAAA/jobs"])
def test_who_has_not_sees_nothing(link, wrong):
    endpoint, path = link
    assert get(endpoint, wrong)[0] == 404
    token = path.split("/")[2]
    other = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert get(endpoint, path.replace(token, other))[0] == 404
    assert Behind.asked == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n", 200),  # the link is followed
        ("Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\n", 200),
        ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n", 403),  # an image
        ("Origin: http://evil.example\r\nSec-Fetch-Mode: navigate\r\n", 403),
        ("Origin: null\r\n", 403),
    ],
)
def test_a_page_of_another_site_reaches_nothing_even_with_the_link(link, headers, status):
    endpoint, path = link
    assert get(endpoint, path, headers)[0] == status
    line = f"GET {path} HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    assert ask(endpoint, line.encode())[0] == 403


def test_a_server_that_does_not_answer(link, behind):
    endpoint, path = link
    behind.server_close()
    status, _, body = get(endpoint, path)
    assert status == 502
    assert b"it does not answer" in body
