"""Functions on AWS Lambda and behind ASGI: by hand, on the real runtimes, and under an engine."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from google.protobuf.wrappers_pb2 import StringValue

import statefun_nb as sf
from statefun_nb.cluster.processes import free_ports
from statefun_nb.serverless import asgi_app, lambda_handler
from tests import peer, peer_2
from tests.requirements import need_lambda
from tests.waiting import eventually

FUNCTIONS = """
import os
import statefun_nb as sf
from statefun_nb.serverless import asgi_app, lambda_handler

functions = sf.StatefulFunctions()


@sf.function("far/count", state={"n": int}, functions=functions)
def count(ctx, message):
    ctx.storage.n = (ctx.storage.n or 0) + message.value
    ctx.send("far/total", "all", message.value)


@sf.function("far/total", state={"n": int}, functions=functions)
async def total(ctx, message):
    ctx.storage.n = (ctx.storage.n or 0) + message.value
    record = sf.kafka_egress_message("far/out", str(os.getpid()), str(ctx.storage.n))
    ctx.send_egress(record)


app = asgi_app(functions)
handler = lambda_handler(functions)
"""


@pytest.fixture
def declared(functions):
    @sf.function("a/b", state={"n": int}, functions=functions)
    def count(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1

    @sf.function("a/slow", functions=functions)
    async def slow(ctx, message):
        await asyncio.sleep(0)
        ctx.send("a/b", "x", message.value)

    @sf.function("a/fails", functions=functions)
    def fails(ctx, message):
        raise ValueError("on purpose ключ")

    return functions


def on_lambda_v1(functions, method, path, content_type, body, encoded=True):
    event = {
        "httpMethod": method,
        "path": path,
        "headers": {} if content_type is None else {"Content-Type": content_type},
        "body": base64.b64encode(body).decode() if encoded else body.decode("latin-1"),
        "isBase64Encoded": encoded,
    }
    return of_lambda(lambda_handler(functions)(event, None))


def on_lambda_v2(functions, method, path, content_type, body, encoded=True):
    event = {
        "version": "2.0",
        "rawPath": path,
        "requestContext": {"http": {"method": method, "path": path}},
        "headers": {} if content_type is None else {"content-type": content_type},
        "body": base64.b64encode(body).decode() if encoded else body.decode("latin-1"),
        "isBase64Encoded": encoded,
    }
    return of_lambda(lambda_handler(functions)(event, None))


def of_lambda(answer):
    json.dumps(answer)  # as Lambda does
    body = answer["body"]
    data = base64.b64decode(body) if answer["isBase64Encoded"] else body.encode()
    assert answer["headers"].get("Allow") == allowed(answer["statusCode"], data)
    return answer["statusCode"], answer["headers"]["Content-Type"], data


def allowed(status, body):
    """What RFC 9110, 15.5.6 wants to be said beside a 405: here only DELETE asks for /health."""
    if status != 405:
        return None
    return "GET, POST" if body.startswith(b"DELETE") else "POST"


def on_asgi(functions, method, path, content_type, body):
    """By hand, in two pieces."""
    half = len(body) // 2
    pieces = [
        {"type": "http.request", "body": body[:half], "more_body": True},
        {"type": "http.request", "body": body[half:]},
    ]
    sent = []

    async def receive():
        if pieces:
            return pieces.pop(0)
        await asyncio.Event().wait()  # the client is there until it is answered
        raise AssertionError

    async def send(message):
        sent.append(message)

    headers = [] if content_type is None else [(b"content-type", content_type.encode())]
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    asyncio.run(asgi_app(functions)(scope, receive, send))
    start, end = sent
    found = dict(start["headers"])
    assert int(found[b"content-length"]) == len(end["body"])
    allow = allowed(start["status"], end["body"])
    assert found.get(b"allow") == (None if allow is None else allow.encode())
    return start["status"], found[b"content-type"].decode(), end["body"]


HOSTS = [on_lambda_v1, on_lambda_v2, on_asgi]
OCTETS = "application/octet-stream"
OF_3 = peer.request(("a/b", "x"), [peer.text("m")], {"n": None})
HELLO = peer_2.packed(StringValue(value="hello"))
OF_2 = peer_2.request(("a/b", "x"), [HELLO], {"n": b""})


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("content_type", [None, "", OCTETS, f"{OCTETS}; charset=binary"])
def test_both_versions_are_answered(declared, host, content_type):
    status, kind, body = host(declared, "POST", "/", content_type, OF_3)
    assert (status, kind) == (200, OCTETS)
    assert body == sf.RequestReplyHandler(declared).handle_sync(OF_3)
    for path in ("/statefun/v2", "/statefun/v2/"):
        status, kind, body = host(declared, "POST", path, content_type, OF_2)
        assert (status, kind) == (200, OCTETS)
    assert body == sf.RequestReplyHandler(declared, protocol=2).handle_sync(OF_2)
    status, _, body = host(
        declared, "POST", "/any/path", OCTETS, peer.request(("a/slow", "x"), [peer.text("m")])
    )
    assert status == 200
    assert peer.reply(body).invocation_result.outgoing_messages


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    ("request_", "status", "says"),
    [
        (("GET", "/statefun", None, b""), 405, "StateFun sends POST"),
        (("POST", "/statefun", "text/plain", OF_3), 415, "the content type is"),
        (("POST", "/statefun", OCTETS, b""), 400, "holds no invocation"),
        (("POST", "/statefun", OCTETS, b"\xff\xff"), 400, "not a ToFunction"),
        (("POST", "/v2", OCTETS, OF_3), 400, "of protocol v3"),
        (("POST", "/", None, peer.request(("a/no", "x"), [])), 404, "no function 'a/no'"),
        (("POST", "/v2/", None, peer_2.request(("a/no", "x"), [HELLO])), 400, "no function 'a/no'"),
        (("POST", "/", None, peer.request(("a/fails", "x"), [peer.text("m")])), 500, "ключ"),
        (("GET", "/health", None, b""), 200, '["a/b", "a/fails", "a/slow"]'),
        (("GET", "/health/", None, b""), 200, '["a/b", "a/fails", "a/slow"]'),
        (("DELETE", "/health", None, b""), 405, "DELETE is not allowed here"),
    ],
    ids=[
        "method",
        "type",
        "empty",
        "garbage",
        "version",
        "function",
        "function of 2.x",
        "fails",
        "health",
        "health with a slash",
        "method at health",
    ],
)
def test_each_status_is_that_of_the_endpoint(declared, host, request_, status, says, caplog):
    found, kind, body = host(declared, *request_)
    assert found == status
    assert says in body.decode()
    assert kind != OCTETS
    logged = [str(each.exc_info[1]) for each in caplog.records if each.exc_info]
    assert logged == (["on purpose ключ"] if status == 500 else [])


@pytest.mark.parametrize("host", [on_lambda_v1, on_lambda_v2])
def test_a_body_that_is_not_base64_is_a_byte_a_character(declared, host):
    plain = peer.request(("a/slow", "x"), [peer.text("m")])
    assert host(declared, "POST", "/", OCTETS, plain, encoded=False)[0] == 200


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ({}, "no event of a function URL"),
        ({"Records": []}, "no event of a function URL"),
        ({"httpMethod": "POST", "path": "/", "headers": [1]}, "no event of a function URL"),
        ({"httpMethod": "POST", "path": "/", "multiValueHeaders": [1]}, "no event of a function"),
        (
            {"httpMethod": "POST", "path": "/", "body": "%%", "isBase64Encoded": True},
            "cannot be read",
        ),
        ({"httpMethod": "POST", "path": "/", "body": "\ufffd\x06"}, "binary media types"),
        ({"httpMethod": "POST", "path": "/", "headers": None, "body": None}, "no invocation"),
        (
            {"httpMethod": "POST", "path": "/", "body": "ключ", "isBase64Encoded": True},
            "cannot be read",
        ),
        ({"httpMethod": "POST", "path": "/", "body": {"a": 1}}, "and no text"),
        ({"httpMethod": "POST", "path": "/", "body": 0}, "and no text"),
        ({"httpMethod": "POST", "path": "/", "body": [], "isBase64Encoded": True}, "and no text"),
        ({"httpMethod": "POST", "path": None}, "no event of a function URL"),
        ({"httpMethod": None, "path": "/"}, "no event of a function URL"),
        (
            {"rawPath": None, "requestContext": {"http": {"method": "POST"}}},
            "no event of a function URL",
        ),
    ],
)
def test_an_event_that_cannot_be_read_is_a_400(declared, event, says):
    status, _, body = of_lambda(lambda_handler(declared)(event, None))
    assert status == 400
    assert says in body.decode()


def test_a_content_type_that_is_no_text_is_none_that_is_taken(declared):
    event = {"httpMethod": "POST", "path": "/", "headers": {"content-type": [OCTETS]}}
    status, _, body = of_lambda(lambda_handler(declared)(event, None))
    assert status == 415
    assert "the content type is" in body.decode()


@pytest.mark.parametrize("without", [{}, {"headers": None}])
@pytest.mark.parametrize(
    ("values", "status"),
    [([OCTETS], 200), (["text/plain"], 415), (["text/plain", OCTETS], 200), ([], 200), (None, 200)],
)
def test_headers_of_several_values_are_headers_too(declared, without, values, status):
    event = {
        "httpMethod": "POST",
        "path": "/",
        "multiValueHeaders": {"Content-Type": values},
        "body": base64.b64encode(OF_3).decode(),
        "isBase64Encoded": True,
        **without,
    }
    assert of_lambda(lambda_handler(declared)(event, None))[0] == status
    both = {**event, "headers": {"content-type": OCTETS}}
    assert of_lambda(lambda_handler(declared)(both, None))[0] == 200


def test_what_asgi_lets_a_server_leave_out_may_be_left_out(declared):
    messages = [
        {"type": "http.request", "body": None, "more_body": True},
        {"type": "http.request", "more_body": True},
        {"type": "http.request", "body": OF_3},
    ]
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/"}
    asyncio.run(asgi_app(declared)(scope, receive, send))
    assert sent[0]["status"] == 200


def test_who_goes_away_is_not_answered_and_its_function_is_stopped(functions):
    ended = []

    @sf.function("a/waits", functions=functions)
    async def waits(ctx, message):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(message.value)

    async def main():
        messages = [
            {"type": "http.request", "body": peer.request(("a/waits", "x"), [peer.text("m")])},
            {"type": "http.disconnect"},
        ]

        async def receive():
            await asyncio.sleep(0)
            return messages.pop(0)

        async def send(message):
            raise AssertionError(message)

        scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
        await asgi_app(functions)(scope, receive, send)
        while not ended:
            await asyncio.sleep(0)

    asyncio.run(main())
    assert ended == ["m"]


def test_another_protocol_is_refused(declared):
    with pytest.raises(sf.StatefunError, match="StateFun speaks HTTP, not websocket"):
        asyncio.run(asgi_app(declared)({"type": "websocket"}, None, None))  # type: ignore[arg-type]


@contextlib.contextmanager
def process(folder, *command, **environment):
    """A program beside us, whose output goes to a file."""
    environment = {"PYTHONPATH": str(Path(sf.__file__).parent.parent), **environment}
    with (
        (folder / "log").open("ab") as log,
        subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment}, stdout=log, stderr=log
        ) as running,
    ):
        try:
            yield running
        finally:
            running.terminate()
            try:
                running.wait(20)
            except subprocess.TimeoutExpired:
                running.kill()


def module(url):
    spec = f"  functions: far/*\n  urlPathTemplate: {url}\n"
    return f"kind: io.statefun.endpoints.v2/http\nspec:\n{spec}"


def count_to(session, messages, addresses, midway=lambda: None):
    """Send messages of 1 to addresses, and see that each was counted once."""
    for index in range(messages):
        session.send("far/count", f"id-{index % addresses}", 1)
        if index == messages // 2:
            midway()
    session.wait_idle(timeout=300)
    assert session.state("far/total", "all") == {"n": messages}
    counted = [session.state("far/count", f"id-{each}")["n"] for each in range(addresses)]
    assert counted == [len(range(each, messages, addresses)) for each in range(addresses)]
    return session.egress("far/out")


@contextlib.contextmanager
def uvicorn(folder, port):
    command = ("-m", "uvicorn", "far:app", "--port", str(port), "--workers", "2")
    with process(folder, sys.executable, *command) as running:

        def answers():
            with contextlib.suppress(OSError):
                return urllib.request.urlopen(f"http://127.0.0.1:{port}/health").status == 200

        eventually(answers, 60)
        yield running


def test_two_workers_of_uvicorn_serve_the_engine_and_a_restart_loses_nothing(functions, tmp_path):
    pytest.importorskip("uvicorn")
    (tmp_path / "far.py").write_text(FUNCTIONS)
    (port,) = free_ports(1)
    with contextlib.ExitStack() as stack:
        session = stack.enter_context(sf.start(port=0, functions=functions))
        session.load_module(module(f"http://127.0.0.1:{port}/statefun"))
        first = stack.enter_context(contextlib.ExitStack())
        first.enter_context(uvicorn(tmp_path, port))

        def restart():
            eventually(lambda: session.engine.progress.processed > 100, 60)
            first.close()
            stack.enter_context(uvicorn(tmp_path, port))

        records = count_to(session, 1000, 50, restart)
        assert len({each.topic for each in records}) >= 2  # process ids


@pytest.fixture
def on_lambda(tmp_path):
    """The emulator with ``far.handler``, and the few lines that make its events of requests."""
    emulator = need_lambda()
    (tmp_path / "far.py").write_text(FUNCTIONS)
    (port,) = free_ports(1)
    invoke = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
    one_at_a_time = threading.Lock()  # as each of Lambda's instances

    class FunctionUrl(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            event = {
                "version": "2.0",
                "rawPath": self.path,
                "requestContext": {"http": {"method": "POST", "path": self.path}},
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": base64.b64encode(body).decode(),
                "isBase64Encoded": True,
            }
            with one_at_a_time, urllib.request.urlopen(invoke, json.dumps(event).encode()) as found:
                answer = json.load(found)
            data = base64.b64decode(answer["body"])
            self.send_response(answer["statusCode"])
            self.send_header("Content-Type", answer["headers"]["Content-Type"])
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    command = [emulator, "--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
    command += ["--runtime-api-address", f"127.0.0.1:{free_ports(1)[0]}"]
    command += [sys.executable, "-m", "awslambdaric", "far.handler"]
    server = ThreadingHTTPServer(("127.0.0.1", 0), FunctionUrl)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        with process(tmp_path, *command):

            def listens():
                with socket.socket() as found:
                    return found.connect_ex(("127.0.0.1", port)) == 0

            eventually(listens, 60)
            yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


def test_lambdas_own_runtime_serves_the_engine(functions, on_lambda, tmp_path):
    with sf.start(port=0, functions=functions) as session:
        session.load_module(module(on_lambda + "/"))
        count_to(session, 1000, 40)
    log = (tmp_path / "log").read_text()
    assert len(re.findall(r"INIT REPORT\(durationMs: [\d.]+", log)) == 1  # one served them all
