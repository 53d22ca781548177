"""Functions of StateFun 2.x behind the embedded engine: those of its own SDK, and of Go's shape."""

from __future__ import annotations

import contextlib
import sys
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from google.protobuf.wrappers_pb2 import Int64Value, StringValue

import statefun_nb as sf
from benchmarks.peers import serving
from statefun_nb.protocol.effects import ExpireMode, StateSpec
from statefun_nb.protocol.v3 import encode_missing
from tests import peer_2
from tests.peer_2 import function, module
from tests.requirements import need_statefun_2
from tests.test_serverless import process
from tests.waiting import eventually

pytest.importorskip("aiohttp")


@pytest.fixture(scope="module")
def theirs():
    with serving(need_statefun_2(), "peer_2.py") as port:
        yield f"http://127.0.0.1:{port}/statefun"


def greeter(url):
    return module(
        function("example/person", url, ["name: visits"]), function("example/greeter", url)
    )


@pytest.fixture(params=["direct", "http", "durable"])
def session(request, functions, tmp_path):
    durable = tmp_path / "kept.db" if request.param == "durable" else None
    transport = "http" if request.param == "http" else "direct"
    options = {"durable": durable} if durable else {"transport": transport}
    with sf.start(port=0, functions=functions, **options) as found:
        yield found


def test_messages_state_records_and_trace(session, theirs):
    session.load_module(greeter(theirs))
    session.send("example/person", "bob", "hello")
    session.send("example/person", "bob", "again")
    session.wait_idle()
    assert session.state("example/person", "bob") == {"visits": 2}
    records = session.egress("example/out")
    assert [(each.topic, each.key) for each in records] == [("example.greetings", "bob")] * 2
    text = records[1].value  # bytes that happen to be UTF-8
    assert StringValue.FromString(text.encode()).value == "bob: again x2"
    first, *_, last = session.invocations.filter(type="example/person")
    assert (first.message.value, first.state_before, first.state_after) == (
        "hello",
        {},
        {"visits": 1},
    )
    assert last.sent[0].message.value == "again x2"
    (caused, _) = session.invocations.filter(type="example/greeter")
    assert str(caused.caller) == "example/person 'bob'"


def test_a_thousand_messages_are_counted_in_batches(functions, theirs):
    with sf.start(port=0, functions=functions, trace=False) as session:
        text = greeter(theirs)
        session.load_module(text)
        session.send_many([("example/person", f"id-{i % 50}", "hi") for i in range(1000)])
        session.wait_idle(timeout=120)
        assert session.state("example/person") == {f"id-{i}": {"visits": 20} for i in range(50)}
        assert len(session.egress("example/out")) == 1000


def test_a_name_that_module_yaml_lacks_is_its_error_until_it_is_there(functions, theirs):
    with sf.start(port=0, functions=functions) as session:
        session.load_module(module(function("example/person", theirs)))
        session.load_module(module(function("example/greeter", theirs)))
        session.send("example/person", "bob", "hello")
        (failed,) = eventually(lambda: session.invocations.filter(status="error"))
        assert failed.error.type == "HTTP 500"
        session.load_module(greeter(theirs))
        session.wait_idle()
        assert session.state("example/person", "bob") == {"visits": 1}


@pytest.mark.parametrize(
    ("mode", "kept"), [("after-write", {}), ("after-invoke", {"kept": "str hello"})]
)
def test_values_expire_as_module_yaml_says(functions, theirs, mode, kept):
    states = [f"{{name: kept, expireAfter: 60000millisecond, expireMode: {mode}}}"]
    with sf.start(port=0, functions=functions, clock="virtual") as session:
        session.load_module(module(function("test/every", theirs, states)))
        session.send("test/every", "x", "hello")
        session.wait_idle()
        assert session.state("test/every", "x") == {"kept": "str hello"}
        session.advance(timedelta(seconds=40))
        session.send("test/every", "x", "back")  # which reads nothing and writes nothing
        session.wait_idle()
        session.advance(timedelta(seconds=40))
        assert session.state("test/every", "x") == kept


def test_delays_callers_and_numbers(functions, theirs):
    got = []

    @sf.function("test/other", functions=functions)
    def other(ctx, message):
        got.append((message.value_typename().rpartition("/")[2], message.value))

    @sf.function("test/asks", functions=functions)
    def asks(ctx, message):
        if message.value == "back":
            got.append((str(ctx.caller), message.value))
        else:
            ctx.send("test/every", "x", "back")

    with sf.start(port=0, functions=functions, clock="virtual") as session:
        session.load_module(module(function("test/every", theirs, ["kept"])))
        session.send("test/asks", "me", "go")
        session.wait_idle()
        session.send("test/every", "x", "numbers")
        session.send("test/every", "x", "later")
        session.wait_idle()
        assert got[0] == ("test/every 'x'", "back")
        assert got[1:] == [
            ("bool", True),
            ("long", 7),
            ("long", 0),
            ("long", -7),
            ("long", 2**40),
            ("double", 0.5),
            ("int", -5),
            ("float", 0.25),
        ]
        session.advance(timedelta(seconds=2))
        assert got[-1] == ("string", "it is later")


@contextlib.contextmanager
def of_gos_shape():
    """An endpoint that asks for a state name which its request lacks, as Go's early SDK does."""
    asked = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            batch = peer_2.ToFunction.FromString(body).invocation
            asked.append([each.state_name for each in batch.state])
            if not batch.state:
                spec = StateSpec("seen", "", ExpireMode.AFTER_WRITE, 60_000)
                answer = encode_missing([spec])
            else:
                reply = peer_2.FromFunction()
                stored = batch.state[0].state_value
                count = len(stored) and Int64Value.FromString(stored[-2:]).value
                value = peer_2.packed(Int64Value(value=count + len(batch.invocations)))
                reply.invocation_result.state_mutations.add(
                    mutation_type=1, state_name="seen", state_value=peer_2.stored(value)
                )
                answer = reply.SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/statefun", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_early_handshake_of_go_is_understood(functions):
    with (
        of_gos_shape() as (url, asked),
        sf.start(port=0, functions=functions, clock="virtual") as session,
    ):
        session.load_module(module(function("go/greeter", url)))
        for _ in range(3):
            session.send("go/greeter", "x", "hi")
        session.wait_idle()
        assert session.state("go/greeter", "x") == {"seen": 3}
        assert asked.count([]) == 1
        session.advance(timedelta(minutes=2))
        assert session.state("go/greeter", "x") == {}


def test_a_socket_of_this_machine_is_called_and_v2_served_by_asgi(functions, tmp_path):
    pytest.importorskip("uvicorn")
    (tmp_path / "far.py").write_text(
        "import statefun_nb as sf\nfrom statefun_nb.serverless import asgi_app\n"
        "@sf.function('far/count', state={'n': int})\n"
        "def count(ctx, message):\n    ctx.storage.n = (ctx.storage.n or 0) + 1\n"
        "from statefun_nb.sdk.functions import default_functions\n"
        "app = asgi_app(default_functions)\n"
    )
    sock = tmp_path / "far.sock"
    with (
        process(tmp_path, sys.executable, "-m", "uvicorn", "far:app", "--uds", str(sock)),
        sf.start(port=0, functions=functions) as session,
    ):
        session.load_module(module(function("far/count", f"http+unix://{sock}/v2", ["n"])))
        for _ in range(5):
            session.send("far/count", "x", 1)
        session.wait_idle(timeout=60)
        assert session.state("far/count", "x") == {"n": 5}
