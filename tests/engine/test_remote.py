"""Functions of other processes and languages: the official Python SDK's, and the Go SDK's."""

from __future__ import annotations

import contextlib
import http.server
import json
import shutil
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import deque
from pathlib import Path
from typing import Any

import pytest

import statefun_nb as sf
from statefun_nb.cluster.processes import free_ports
from statefun_nb.protocol.durations import seconds
from statefun_nb.protocol.effects import TypedValue
from statefun_nb.protocol.module_reader import read_module
from statefun_nb.protocol.v3 import delayed_chunk, encode_result, mutation_chunk
from tests.waiting import eventually

pytest.importorskip("aiohttp")

# A function of the official SDK, in a process of its own.
OFFICIAL = """
import sys
from aiohttp import web
import statefun as official

functions = official.StatefulFunctions()

@functions.bind("their/greeter", [official.ValueSpec("seen", official.IntType)])
async def greeter(context, message):
    if message.as_string() == "fail":
        raise ValueError("as asked")
    seen = (context.storage.seen or 0) + 1
    context.storage.seen = seen
    if message.as_string() == "forget":
        del context.storage.seen
    context.send(official.message_builder(
        "our/answer", context.address.id, str_value=f"{message.as_string()} {seen}"))
    context.send_egress(official.kafka_egress_message("their/out", "seen", str(seen)))

handler = official.RequestReplyHandler(functions)

async def handle(request):
    body = await handler.handle_async(await request.read())
    return web.Response(body=body, content_type="application/octet-stream")

app = web.Application()
app.add_routes([web.post("/f/greeter", handle)])
ready = lambda *_: print("ready", flush=True)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=ready)
"""


@pytest.fixture
def port():
    return free_ports(1)[0]


@contextlib.contextmanager
def process(*command):
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == b"ready\n"
            yield running
        finally:
            running.kill()


def official(port):
    pytest.importorskip("statefun")
    return process(sys.executable, "-c", OFFICIAL, str(port))


def endpoint(port, functions="their/*", path="f/{function.name}"):
    return (
        "kind: io.statefun.endpoints.v2/http\n"
        f"spec: {{functions: {functions}, urlPathTemplate: 'http://127.0.0.1:{port}/{path}'}}\n"
    )


def declare_ours(functions):
    """Functions here, which ask those of OFFICIAL and are answered."""

    @sf.function("our/answer", state={"got": list}, functions=functions)
    def answer(ctx, message):
        ctx.storage.got = [*(ctx.storage.got or []), message.value]

    @sf.function("our/asks", functions=functions)
    def asks(ctx, message):
        ctx.send("their/greeter", ctx.address.id, message.value)


@pytest.fixture(params=["direct", "http", "durable"])
def session(request, functions, tmp_path):
    declare_ours(functions)
    options: dict[str, Any] = {"transport": "http"} if request.param == "http" else {}
    if request.param == "durable":
        options = {"durable": tmp_path / "kept.db"}
    with sf.start(port=0, functions=functions, **options) as found:
        yield found


def test_messages_state_and_trace_of_another_process(session, port):
    with official(port):
        session.load_module(endpoint(port))
        session.send_many([("our/asks", "bob", "hi"), ("their/greeter", "bob", "you")])
        session.send("their/greeter", "ann", "hi")
        session.wait_idle()
        assert sorted(session.state("our/answer", "bob")["got"]) in (
            ["hi 1", "you 2"],
            ["hi 2", "you 1"],
        )
        assert session.state("their/greeter") == {"ann": {"seen": 1}, "bob": {"seen": 2}}
        assert [r.value for r in session.egress("their/out")].count("1") == 2
        theirs = session.invocations.filter(type="their/greeter")
        assert [each.error for each in theirs] == [None] * 3
        (first,) = theirs.filter(id="ann")
        assert (first.caller, first.message.value) == (None, "hi")
        assert (first.state_before, first.state_after) == ({}, {"seen": 1})
        assert [(s.target.typename, s.message.value) for s in first.sent] == [
            ("our/answer", "hi 1")
        ]
        assert [(e.topic, e.value) for e in first.egress] == [("seen", "1")]
        (answered,) = session.invocations.filter(type="our/answer", id="ann")
        assert answered.cause == first.seq
        assert {each.caller.typename for each in theirs if each.caller} == {"our/asks"}
        session.send("their/greeter", "ann", "forget")
        session.check("their/greeter", "ann").state(seen=None).sent(2, to="our/answer")
        # What is not of this process cannot be run again here.
        assert {each.typename for each in session.replay()} == {"our/answer", "our/asks"}


def test_what_fails_there_is_one_error_and_is_asked_again(session, port):
    with official(port):
        session.load_module(endpoint(port))
        session.send("their/greeter", "bob", "fail")
        session.send("their/greeter", "bob", "after")
        session.send("their/greeter", "ann", "other")
        eventually(lambda: any(e.error and e.error.retries > 3 for e in session.invocations))
        (failed,) = session.invocations.filter(status="error")
        assert (failed.error.type, failed.address.id) == ("HTTP 500", "bob")
        assert f"http://127.0.0.1:{port}/f/greeter" in failed.error.message
        eventually(lambda: session.state("their/greeter"))
        with pytest.raises(sf.IdleTimeout, match="1 request is in flight"):
            session.wait_idle(timeout=0.3)
        assert session.state("their/greeter") == {"ann": {"seen": 1}}


def test_a_process_that_is_gone_is_waited_for_and_nothing_is_lost(session, port):
    with official(port):
        session.load_module(endpoint(port))
        session.send_many([("their/greeter", "bob", str(n)) for n in range(600)])
        eventually(lambda: session.state("their/greeter", "bob").get("seen", 0) > 3)
    eventually(lambda: session.invocations.filter(status="error"))
    with official(port):
        session.wait_idle(timeout=60)
        assert session.state("their/greeter", "bob") == {"seen": 600}
        assert session.state("our/answer", "bob")["got"] == [f"{n} {n + 1}" for n in range(600)]


def test_what_waited_for_an_endpoint_goes_on_when_it_is_named(session, port):
    with pytest.warns(UserWarning, match="no function 'their/greeter' is declared"):
        session.send("their/greeter", "bob", "hi")
    assert session.wait_idle().parked == 1
    with official(port):
        session.load_module(endpoint(port))
        session.wait_idle()
        assert session.state("our/answer", "bob") == {"got": ["hi 1"]}


def test_what_is_declared_here_is_served_here(session, functions, port):
    session.load_module(endpoint(port) + "---\n" + endpoint(port, "our/answer"))
    session.send("our/answer", "bob", "here")
    session.check("our/answer", "bob").state(got=["here"])

    @sf.function("their/mine", functions=functions)
    def mine(ctx, message):
        pass

    session.send("their/mine", "x", 1)
    session.check("their/mine", "x").invoked(1)
    patterns = {
        d.spec["functions"]: d.spec["urlPathTemplate"]
        for d in read_module(session.module_yaml())
        if d.is_endpoint
    }
    assert patterns["their/mine"] == patterns["our/*"] == session.url
    assert patterns["their/*"] != session.url


def test_a_function_written_in_go(session, port, tmp_path):
    if shutil.which("go") is None:
        pytest.skip("a function in Go needs go")
    source = tmp_path / "go"
    shutil.copytree(Path(__file__).parent / "go", source)
    built = subprocess.run(
        ["go", "build", "-o", "greeter", "."],
        cwd=source, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    if "dial tcp" in built.stderr or "no such host" in built.stderr:
        pytest.skip("the modules of the Go SDK cannot be fetched")
    assert built.returncode == 0, built.stderr
    functions = session.options.functions

    @sf.function("py/answer", state={"got": str}, functions=functions)
    def answer(ctx, message):
        ctx.storage.got = message.value

    with process(str(source / "greeter"), str(port)):
        session.load_module(endpoint(port, "go/greeter", "statefun"))
        session.send_many([("go/greeter", "bob", "you"), ("go/greeter", "bob", "me")])
        session.wait_idle()
        assert session.state("py/answer", "bob") == {"got": "go says hello to me, 2"}
        assert session.state("go/greeter", "bob") == {"seenCount": 2}
        session.send("go/greeter", "bob", 5)  # no string: the Go function returns an error
        # Before the program listens, a first try may have failed to connect.
        eventually(lambda: any(e.error and e.error.type == "HTTP 500" for e in session.invocations))


# The ports of the playground.


def fetch(port, path, data=None, method=None, **headers):
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/{path}", data, headers, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.fixture
def ports():
    return free_ports(2)


def playground(ports):
    return (
        f"kind: io.statefun.playground.v1/ingress\nspec: {{port: {ports[0]}}}\n---\n"
        "kind: io.statefun.playground.v1/egress\n"
        f"spec: {{port: {ports[1]}, topics: [greet, b/c]}}\n"
    )


LOGIN = sf.make_json_type("my/Login")
RECORD = sf.make_json_type("io.statefun.playground/EgressRecord")


def emits(functions):
    @sf.function("p/login", state={"n": int}, functions=functions)
    def login(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1
        name = message.as_type(LOGIN)["name"] if message.is_type(LOGIN) else message.as_string()
        record = {"topic": "elsewhere" if name == "lost" else "greet", "payload": f"hello {name}"}
        ctx.send_egress(sf.egress_message_builder("p/egress", record, RECORD))


@pytest.mark.parametrize("durable", [None, "kept.db"])
def test_the_ports_of_the_playground(functions, ports, durable, tmp_path):
    emits(functions)
    path = tmp_path / durable if durable else None
    with sf.start(port=0, functions=functions, durable=path) as session:
        session.load_module(playground(ports))
        into, out = ports
        login = {"Content-Type": "application/vnd.my/Login"}
        assert fetch(into, "p/login/bob", b'{"name": "bob"}', **login) == (200, "")
        text = sf.StringType.serializer().serialize("ann")
        assert fetch(into, "p/login/an%20id%2Fx", text, method="PUT") == (200, "")
        session.wait_idle()
        assert session.state("p/login") == {"bob": {"n": 1}, "an id/x": {"n": 1}}
        assert session.invocations[0].caller is None
        got = {fetch(out, "greet") for _ in range(2)}
        assert got == {(200, "hello bob"), (200, "hello ann")}
        assert fetch(out, "greet") == (404, "no record in 'greet'\n")
        assert fetch(out, "b/c")[0] == 404
        assert fetch(out, "nothing") == (405, "no topic 'nothing'; topics are greet, b/c\n")
        for path, why in (
            ("p/login", "/namespace/type/id"),
            ("p//x", "/namespace"),
            ("a/%ff/b", ""),
        ):
            status, reason = fetch(into, path, b"x")
            assert status == 500
            assert why in reason
        assert fetch(into, "p/login/x", b"x", Origin="http://elsewhere.example")[0] == 403
        assert fetch(out, "greet", Origin="http://elsewhere.example")[0] == 403
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Host": "elsewhere.example"}):
            assert fetch(into, "p/login/x", b"x", **headers)[0] == 403
            assert fetch(out, "greet", **headers)[0] == 403  # the record is still there
        with socket.create_connection(("127.0.0.1", into), timeout=30) as too_large:
            too_large.sendall(
                b"POST /p/login/x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"
            )
            assert too_large.recv(100).startswith(b"HTTP/1.1 413 ")
        # A topic that nobody offers fails at the line that names it, and parks the address.
        fetch(into, "p/login/lost", sf.StringType.serializer().serialize("lost"))
        assert session.wait_idle().parked == 1
        assert "no egress has the topic 'elsewhere'" in session.parked[0].reason
    with pytest.raises(urllib.error.URLError):
        fetch(into, "p/login/bob", b"x")


def raw(port, data):
    """Status and body of the answer to these bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        sock.sendall(data)
        head, _, body = sock.makefile("rb").read().partition(b"\r\n\r\n")
        if b" 405 " in head.splitlines()[0]:
            assert b"\r\nAllow: " in head
        return int(head.split()[1]), body.decode()


@pytest.mark.parametrize("form", ["/", "http://127.0.0.1:{port}/", "HTTP://localhost:{port}/"])
def test_the_ports_of_the_playground_take_each_form_of_a_target(functions, ports, form):
    emits(functions)

    def ask(line, body="", host="x"):
        port = ports[line.startswith("GET")]
        method, path = line.split(" /", 1)
        target = form.format(port=port) + path
        return raw(
            port,
            f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
            f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode(),
        )

    with sf.start(port=0, functions=functions) as session:
        session.load_module(playground(ports))
        assert ask("POST /p/login/bob", "bob") == (200, "")
        assert ask("PUT /p/login/ann?a=b", "ann") == (200, "")
        session.wait_idle()
        assert ask("GET /greet") == (200, "hello bob")
        assert ask("GET /greet?x") == (200, "hello ann")
        assert ask("GET /nothing")[0] == 405
        assert ask("POST /p/login", "x")[0] == 500
        assert ask("DELETE /p/login/bob")[0] == 405
        if form == "/":  # else the target's own host counts, which is ours
            assert ask("POST /p/login/bob", "bob", host="elsewhere.example")[0] == 403
        elsewhere = b"POST http://elsewhere.example/p/login/bob HTTP/1.1\r\nHost: x\r\n"
        assert raw(ports[0], elsewhere + b"Connection: close\r\n\r\n")[0] == 403


def test_the_ports_of_the_playground_hold_what_the_endpoint_does(functions, ports):
    with sf.start(port=0, functions=functions) as session:
        session.load_module(playground(ports))
        for port in ports:
            assert raw(port, b"POST /a/b/c HTTP/2.0\r\nHost: x\r\n\r\n")[0] == 505
            assert raw(port, b"POST /a/b/c HTTP/1.1\r\n\r\n")[0] == 400
            huge = b"POST /a/b/c HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 70_000
            assert raw(port, huge)[0] == 431


def test_records_from_before_the_port_was_opened_are_offered(functions, ports):
    emits(functions)
    with sf.start(port=0, functions=functions) as session:
        session.send("p/login", "early", "early")
        session.wait_idle()
        session.load_module(playground(ports))
        assert fetch(ports[1], "greet") == (200, "hello early")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: io.statefun.playground.v1/ingress\nspec: {port: x}\n", "line 1: 'x' is not a port"),
        (
            "kind: io.statefun.playground.v1/egress\nspec: {port: 1, topics: t}\n",
            "topics is a list",
        ),
        (
            endpoint(1).replace("http://", "http+unix://"),
            "line 2: urlPathTemplate: .* calls http, https, and",
        ),
        (
            (
                "kind: io.statefun.endpoints.v1/http\n"
                "spec: {functions: a/b, urlPathTemplate: 'http://x',"
                " timeouts: {call: soon}}\n"
            ),
            "line 2: call: 'soon' is not a duration",
        ),
        (
            (
                "kind: io.statefun.endpoints.v2/http\n"
                "spec: {functions: a/b, urlPathTemplate: 'http://x',"
                " maxNumBatchRequests: many}\n"
            ),
            "line 2: maxNumBatchRequests: 'many' is not a number",
        ),
    ],
)
def test_documents_that_this_engine_cannot_serve(functions, text, message):
    with (
        sf.start(port=0, functions=functions) as session,
        pytest.raises(sf.EngineError, match=message),
    ):
        session.load_module(text)


NETTY = """\
kind: io.statefun.endpoints.v2/http
spec:
  functions: a/b
  urlPathTemplate: http://x/
  maxNumBatchRequests: 10
  transport:
    timeouts:
      call: 1min
"""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("1min", "PT1M"), "line 8: call: 'PT1M' is not a duration"),
        (("call: 1min", "connect: PT1M"), "line 8: connect: 'PT1M' is not a duration"),
        (("timeouts:\n      call: 1min", "call: PT1M"), "line 7: call: 'PT1M' is not a duration"),
        (("http://x/", "localhost:80"), "line 4: urlPathTemplate: .*, not 'localhost:80'"),
        (("http://x/", "ftp://x/"), "line 4: urlPathTemplate: .*, not 'ftp://x/'"),
        (("http://x/", "http://[::1"), r"line 4: urlPathTemplate: 'http://\[::1' can never"),
        (("http://x/", "'http://'"), "line 4: .* it names no host"),
        (("http://x/", "http://:80/"), "line 4: .* it names no host"),
        (("http://x/", "http:/x"), "line 4: .* it names no host"),
        (("http://x/", "http://x:99999/"), "line 4: .* its port is no number from 1 to 65535"),
        (("http://x/", "http://x:0/"), "line 4: .* its port is no number from 1 to 65535"),
        (("http://x/", "http://127.0.0.1:80x/"), "line 4: .* its port is no number"),
        (("http://x/", "http://[1]/"), "line 4: .* its host is no address"),
        (("http://x/", "http://[::x]/"), "line 4: .* its host is no address"),
        (("http://x/", "http://a..b/"), "line 4: .* a part that is empty, or longer than 63"),
        (("http://x/", f"http://a.{'b' * 64}/"), "line 4: .* a part that is empty, or longer"),
        (("10\n", "many\n"), "line 5: maxNumBatchRequests: 'many'"),
    ],
)
def test_a_wrong_setting_of_an_endpoint_is_named_with_its_line_and_its_value(
    functions, change, says
):
    text = NETTY.replace(*change)
    assert text != NETTY
    with (
        sf.start(port=0, functions=functions) as session,
        pytest.raises(sf.EngineError, match=says),
    ):
        session.load_module(text)


@pytest.mark.parametrize(
    "url",
    [
        "HTTP://X",
        "https://u:p@x.:443/a?b=c#d",
        "http://[::1]:80/",
        "http://é.example/é",
        f"http://{'a' * 63}/",
        "http://{function.name}.shop.svc:80/",
        "http://my_host:/{function.name}",
        "http+unix:///run/a..b.sock/x",
    ],
)
def test_a_url_that_can_be_called_is_taken(functions, url):
    with sf.start(port=0, functions=functions) as session:
        session.load_module(NETTY.replace("http://x/", f"'{url}'"))
        assert session.module_yaml()


def test_a_taken_port_opens_none_of_the_others(functions, ports):
    with sf.start(port=0, functions=functions) as session:
        text = playground([ports[0], session.endpoint.port])
        with pytest.raises(
            sf.EngineError, match=f"line 4: port {session.endpoint.port} of 127.0.0.1 is taken"
        ):
            session.load_module(text)
        with pytest.raises(urllib.error.URLError):
            fetch(ports[0], "a/b/c", b"x")
        assert "playground" not in session.module_yaml()


def test_durations_are_read_as_flink_reads_them():
    assert [seconds(text) for text in ("1min", "30 s", "500", "2 h", 15, "1ns")] == [
        60.0, 30.0, 0.5, 7200.0, 0.015, 1e-9,
    ]  # fmt: skip
    for wrong in ("soon", "1.5s", "-1s", "3 parsecs", None, f"{'9' * 400}s"):
        with pytest.raises(ValueError, match="is not a duration"):
            seconds(wrong)


def test_the_payload_of_a_record_of_another_process_is_never_trusted():
    from statefun_nb.endpoint.playground import PlaygroundServers
    from statefun_nb.protocol.records import PLAYGROUND_RECORD

    servers = PlaygroundServers(lambda *_: None)
    servers._topics["t"] = deque()
    for payload in (b"", b"[]", b"{", json.dumps({"topic": "t"}).encode(), b"\xff"):
        servers.offer(TypedValue(PLAYGROUND_RECORD, payload))
        with pytest.raises(sf.EngineError, match="is JSON with topic and payload"):
            servers.check(TypedValue(PLAYGROUND_RECORD, payload))
    assert not servers._topics["t"]


def test_the_command_line_runs_a_module_without_java_or_docker(ports, port, tmp_path):
    """The playground's own way: a message in by HTTP, a record out, a function elsewhere."""
    (tmp_path / "mine.py").write_text(
        """
import statefun_nb as sf
RECORD = sf.make_json_type("io.statefun.playground/EgressRecord")

@sf.function("our/answer")
def answer(ctx, message):
    record = {"topic": "greet", "payload": f"{ctx.address.id}: {message.value}"}
    ctx.send_egress(sf.egress_message_builder("p/egress", record, RECORD))
"""
    )
    (tmp_path / "module.yaml").write_text(playground(ports) + "---\n" + endpoint(port))
    arguments = ["run", "module.yaml", "--functions", "mine", "--port", "0", "--durable", "kept.db"]
    text = sf.StringType.serializer().serialize
    with official(port):
        for turn in (1, 2):
            with subprocess.Popen(
                [sys.executable, "-m", "statefun_nb", *arguments],
                cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            ) as running:  # fmt: skip
                assert running.stdout is not None
                assert running.stderr is not None
                try:
                    while "Ctrl-C" not in running.stdout.readline():
                        assert running.poll() is None, running.stderr.read()
                    fetch(ports[0], "their/greeter/bob", text("hi"))
                    eventually(lambda: fetch(ports[1], "greet") == (200, f"bob: hi {turn}"))  # noqa: B023
                    fetch(ports[0], "their/greeter/bad", text("fail"))
                    assert "their/greeter 'bad': HTTP 500: http://" in running.stderr.readline()
                    running.terminate()
                    assert running.wait(timeout=60) == 0
                finally:
                    running.kill()


def test_a_module_that_cannot_be_run_says_why(tmp_path):
    for name, text, message in (
        ("absent.yaml", None, "cannot read absent.yaml"),
        ("wrong.yaml", "kind: nothing\nspec: {}\n", "line 1: unknown kind 'nothing'"),
    ):
        if text is not None:
            (tmp_path / name).write_text(text)
        done = subprocess.run(
            [sys.executable, "-m", "statefun_nb", "run", name, "--port", "0"],
            cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 1
        assert message in done.stderr


@contextlib.contextmanager
def answering(answers):
    """A server that gives these answers, the last for ever.

    Each is a (content type or None, body), of a redirect with its status and where it leads to.
    """
    left = deque(answers)

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            content_type, body, *redirect = left.popleft() if len(left) > 1 else left[0]
            status, location = redirect or (200, None)
            self.send_response(status)
            if location is not None:
                self.send_header("Location", location)
            if content_type is not None:
                self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def later(milliseconds, token=""):
    return delayed_chunk(milliseconds, "a/b", "x", TypedValue("a/b", b""), token, b"")


OCTETS = "application/octet-stream"
DONE = encode_result([])
BAD = {
    "no content type": ((None, DONE), "HTTP 200", "the content type is missing"),
    "another content type": (("text/html", DONE), "HTTP 200", "the content type is 'text/html'"),
    "no reply": ((OCTETS, b"\xff\xff\xff"), "ProtocolError", "not a FromFunction"),
    "an undeclared state": (
        (OCTETS, encode_result([mutation_chunk("n", TypedValue("a/b", b""))])),
        "EngineError",
        "which it never declared",
    ),
    "a token twice": (
        (OCTETS, encode_result([later(1, "t"), later(1, "t")])),
        "EngineError",
        "under which one is pending already",
    ),
    "a delay without a date": (
        (OCTETS, encode_result([later((1 << 63) - 1)])),
        "EngineError",
        "with the delay 9223372036854775807 ms",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_reply_is_an_error_with_its_address_and_is_asked_for_again(session, case):
    answer, kind, says = BAD[case]
    with answering([answer, answer, (OCTETS, DONE)]) as port:
        session.load_module(endpoint(port))
        session.send("their/any", "a", 1)
        assert session.wait_idle().processed == 1
    failed, served = session.invocations
    assert failed.error is not None
    assert failed.error.type == kind
    assert f"http://127.0.0.1:{port}/f/any" in failed.error.message
    assert says in failed.error.message
    assert (failed.error.retries, served.status) == (1, "ok")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(session, status):
    """No other host gets the request: what it was answered there would be this error's end."""
    with answering([(OCTETS, DONE)]) as other:
        location = f"http://localhost:{other}/f/any"
        redirect = ("text/html", b"<html>moved</html>", status, location)
        with answering([redirect, redirect, (OCTETS, DONE)]) as port:
            session.load_module(endpoint(port))
            session.send("their/any", "a", 1)
            assert session.wait_idle().processed == 1
    failed, served = session.invocations
    assert failed.error is not None
    assert failed.error.type == f"HTTP {status}"
    assert failed.error.message == (
        f"http://127.0.0.1:{port}/f/any: a redirect to {location!r}, which is not followed"
    )
    assert (failed.error.retries, served.status) == (1, "ok")


def test_what_is_asked_again_follows_a_corrected_module(session, port):
    session.load_module(endpoint(port))  # nobody listens there
    session.send("their/any", "a", 1)
    eventually(lambda: len(session.invocations))
    with answering([("Application/Octet-Stream; charset=x", DONE)]) as right:
        session.load_module(endpoint(right))
        assert session.wait_idle().processed == 1


def test_what_is_asked_again_follows_a_cell(session, functions, port):
    session.load_module(endpoint(port))
    session.send("their/any", "a", 1)
    eventually(lambda: len(session.invocations))

    @sf.function("their/any", state={"n": int}, functions=functions)
    def any_(ctx, message):
        ctx.storage.n = message.value

    assert session.wait_idle().processed == 1
    assert session.state("their/any", "a") == {"n": 1}


def test_what_a_cell_takes_back_is_traced_message_by_message_elsewhere(session):
    """A request of several messages has one reply, and a row is for one message."""
    with answering([(OCTETS, DONE)]) as port:
        session.load_module(
            "kind: io.statefun.endpoints.v2/http\n"
            f"spec: {{functions: their/*, urlPathTemplate: http://127.0.0.1:{port}/f}}\n"
        )
        session.functions.bind("their/f")(lambda ctx, message: None)
        session.send("their/f", "x", 0)
        session.wait_idle()
        session.functions.undeclare("their/f")
        session.send_many([("their/f", "x", n) for n in (1, 2, 3)], progress=False)
        assert session.wait_idle().processed == 3
        assert [each.message.value for each in session.invocations] == [0, 1, 2, 3]
        session.functions.bind("their/f")(lambda ctx, message: None)
        session.pause()
        session.send_many([("their/f", "x", n) for n in (4, 5)], progress=False)
        session.resume()
        session.wait_idle()
        assert len({each.batch for each in session.invocations[-2:]}) == 1  # here, as before


def test_a_request_elsewhere_that_fails_again_is_one_error_though_its_record_is_gone(functions):
    sf.function("our/ok", functions=functions)(lambda ctx, message: None)
    with (
        answering([("text/html", DONE)]) as port,
        sf.start(port=0, functions=functions, trace_limit=2) as session,
    ):
        session.load_module(
            "kind: io.statefun.endpoints.v2/http\n"
            f"spec: {{functions: their/f, urlPathTemplate: http://127.0.0.1:{port}/f}}\n"
        )
        session.send("their/f", "x", 1)
        (first,) = eventually(lambda: session.invocations.filter(type="their/f"))
        session.send_many([("our/ok", str(n), n) for n in range(200)], progress=False)
        later = lambda each: each.seq > first.seq  # noqa: E731 - a record of its own, by now
        (again,) = eventually(lambda: session.invocations.filter(later, type="their/f"))
        assert again.error.retries > 0
        assert session.status().errors == 1
