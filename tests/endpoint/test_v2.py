"""StateFun 2.x at the endpoint: one path further, everything else as everywhere."""

from __future__ import annotations

import asyncio

import pytest
from google.protobuf.wrappers_pb2 import Int64Value, StringValue

import statefun_nb as sf
from statefun_nb.address import address_of
from statefun_nb.endpoint.server import Endpoint
from statefun_nb.loop_thread import LoopThread
from statefun_nb.trace.invocations import Invocations
from statefun_nb.trace.recorder import Recorder
from statefun_nb.trace.traced import Serving, TracedHandler
from tests import peer, peer_2
from tests.endpoint.test_http import ask, connect, post, read_response
from tests.endpoint.test_parking import mend, parked
from tests.waiting import eventually

__all__ = ["parked"]  # a fixture

HELLO = peer_2.packed(StringValue(value="hello"))
BODY = peer_2.request(("a/b", "x"), [HELLO] * 3, {"n": b""})
V2 = "/statefun/v2"


@pytest.fixture
def served(functions):
    """An endpoint with a function that counts, and its recorder."""

    @sf.function("a/b", state={"n": int}, functions=functions)
    def count(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1

    @sf.function("a/slow", functions=functions)
    async def slow(ctx, message):
        await asyncio.sleep(0.01)
        ctx.send("a/b", "x", message.value)

    @sf.function("a/fails", functions=functions)
    def fails(ctx, message):
        raise ValueError("on purpose")

    recorder = Recorder()
    with LoopThread("statefun_nb") as thread:
        endpoint = Endpoint(TracedHandler(functions, recorder), thread)
        endpoint.start()
        try:
            yield endpoint, recorder
        finally:
            endpoint.stop(grace=0)


def test_both_versions_are_served_on_one_connection_and_traced_alike(served):
    endpoint, recorder = served
    assert endpoint.url_v2 == endpoint.url + "/v2"
    with connect(endpoint) as sock:
        for _ in range(2):  # the second time the path is known
            sock.sendall(post(BODY, target=V2))
            status, headers, body = read_response(sock)
            assert (status, headers["content-type"]) == (200, "application/octet-stream")
            (mutation,) = peer_2.reply(body).state_mutations
            assert mutation.state_value == peer_2.stored(peer_2.packed(Int64Value(value=3)))
            sock.sendall(post(peer.request(("a/b", "x"), [peer.text("hello")], {"n": None})))
            assert peer.reply(read_response(sock)[2]).invocation_result.state_mutations
    shown = [(each.message.value, each.state_after) for each in Invocations.of(recorder)]
    assert shown == [("hello", {"n": n}) for n in (1, 2, 3, 1, 1, 2, 3, 1)]


def test_an_async_function_is_waited_for(served):
    endpoint, _ = served
    status, _, body = ask(endpoint, post(peer_2.request(("a/slow", "x"), [HELLO]), target=V2))
    assert status == 200
    assert peer_2.reply(body).outgoing_messages[0].argument.value == HELLO[1]


@pytest.mark.parametrize(
    ("request_", "status", "says"),
    [
        (post(BODY, target=V2, method="PUT"), 405, "StateFun sends POST"),
        (post(BODY, "Content-Type: text/plain\r\n", target=V2), 415, "the content type is"),
        (post(b"", target=V2), 400, "holds no invocation"),
        (post(b"\xff\xff", target=V2), 400, "request-reply protocol v2"),
        (post(peer.request(("a/b", "x"), [peer.text("m")]), target=V2), 400, "of protocol v3"),
        (post(peer_2.request(("a/b", "x"), [HELLO])), 400, "of protocol v2"),
        (post(peer_2.request(("a/no", "x"), [HELLO]), target=V2), 400, "no function 'a/no'"),
        (post(peer_2.request(("a/fails", "x"), [HELLO]), target=V2), 500, "on purpose"),
        (post(peer_2.request(("a/b", "x"), [HELLO]), target=V2), 500, "declares state 'n'"),
        (post(BODY, target="/statefun/v4"), 404, "there is nothing"),
        (post(BODY, "Origin: http://evil.example\r\n", target=V2), 403, "web page"),
    ],
    ids=["put", "text", "empty", "junk", "v3", "v2", "unknown", "fails", "state", "path", "site"],
)
def test_what_is_wrong_gets_its_status(served, request_, status, says):
    endpoint, _ = served
    found, _, body = ask(endpoint, request_)
    assert found == status
    assert says in body.decode()


def test_a_state_name_that_module_yaml_lacks_is_an_error_in_the_trace(served):
    endpoint, recorder = served
    ask(endpoint, post(peer_2.request(("a/b", "x"), [HELLO]), target=V2))
    (error,) = [each.error for each in Invocations.of(recorder)]
    assert "StateFun 2.x takes the names from module.yaml" in str(error)


def request(typename="p/f", count=3):
    return post(peer_2.request((typename, "x"), [HELLO] * count), target=V2)


def test_what_fails_is_held_at_once_until_it_is_mended(parked, functions):
    """The runtime of 2.x would take any answer for a reply."""
    endpoint, parking, thread = parked
    with connect(endpoint) as held:
        held.sendall(request())
        eventually(lambda: parking.held)
        ((target, what),) = parking.held.items()
        assert (str(target), what.why.reason) == ("p/f 'x'", "ValueError: not yet")
        thread.call(parking.release, "p/f")  # nothing was mended: it fails, and is held, again
        assert list(parking.held) == [target]
        mend(functions)
        thread.call(parking.release, "p/f")
        status, _, body = read_response(held)
    assert status == 200
    assert len(peer_2.reply(body).outgoing_messages) == 3
    assert not parking.held


def test_a_function_that_nobody_declared_is_waited_for(parked, functions):
    endpoint, parking, thread = parked
    with connect(endpoint) as held:
        held.sendall(request("p/later"))
        eventually(lambda: parking.held)
        sf.function("p/later", functions=functions)(lambda ctx, message: None)
        thread.call(parking.release, "p/later")
        assert read_response(held)[::2] == (200, b"")


def test_who_gives_up_a_held_request_is_forgotten(parked):
    endpoint, parking, _ = parked
    with connect(endpoint) as held:
        held.sendall(request())
        eventually(lambda: parking.held)
    eventually(lambda: not parking.held)


def test_what_is_given_up_is_left_out_and_the_rest_served(parked, functions):
    endpoint, parking, thread = parked

    @sf.function("p/f", functions=functions)
    def picky(ctx, message):
        if message.is_type(sf.LongType):
            raise ValueError("no numbers")
        ctx.send("p/g", "y", message.value)
        if message.is_type(sf.StringType) and ctx.caller is not None:
            ctx.cancel_delayed_message("t")

    number = peer_2.packed(Int64Value(value=300))
    with connect(endpoint) as held:
        held.sendall(post(peer_2.request(("p/f", "x"), [HELLO, number, HELLO]), target=V2))
        eventually(lambda: parking.held)
        given_up = thread.call(parking.discard, address_of("p/f", "x"))
        assert given_up.typename == sf.LongType.typename
        status, _, body = read_response(held)
        assert status == 200
        assert len(peer_2.reply(body).outgoing_messages) == 2
    of_2 = peer_2.request(("p/f", "x"), [number, HELLO], caller=("a/b", "c"))
    with connect(endpoint) as held:  # what is left of a batch is still of its version
        held.sendall(post(of_2, target=V2))
        eventually(lambda: parking.held)
        thread.call(parking.discard, address_of("p/f", "x"))
        ((_, what),) = parking.held.items()
        assert "StateFun 2.x cannot cancel" in what.why.reason


def test_the_token_of_a_path_guards_v2_as_well(functions):
    sf.function("a/b", functions=functions)(lambda ctx, message: None)
    with LoopThread("statefun_nb") as thread:
        endpoint = Endpoint(TracedHandler(functions, None), thread, token="secret")
        endpoint.start()
        try:
            body = peer_2.request(("a/b", "x"), [HELLO])
            assert ask(endpoint, post(body, target="/statefun/secret/v2"))[0] == 200
            assert ask(endpoint, post(body, target=V2))[0] == 404
        finally:
            endpoint.stop(grace=0)


def test_what_is_skipped_is_left_out_and_the_rest_of_the_batch_answered(functions):
    @sf.function("a/b", state={"n": int}, functions=functions)
    def picky(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1
        ctx.send("a/c", "x", message.value)
        if message.is_type(sf.LongType):
            ctx.cancel_delayed_message("t")

    handler, number = TracedHandler(functions, Recorder()), peer_2.packed(Int64Value(value=7))
    handler.attach(Serving(skip=True))
    with LoopThread("statefun_nb") as thread:
        endpoint = Endpoint(handler, thread)
        endpoint.start()
        try:
            batch = peer_2.request(("a/b", "x"), [HELLO, number, HELLO], {"n": b""})
            status, _, body = ask(endpoint, post(batch, target=V2))
        finally:
            endpoint.stop(grace=0)
    assert status == 200
    assert len(peer_2.reply(body).outgoing_messages) == 2
    (mutation,) = peer_2.reply(body).state_mutations
    assert mutation.state_value == peer_2.stored(peer_2.packed(Int64Value(value=2)))


def test_retry_is_answered_with_the_error(functions):
    """The runtime of 2.x asks again by itself."""
    functions.register("p/f", lambda ctx, message: 1 / 0)
    with LoopThread("statefun_nb") as thread:
        endpoint = Endpoint(TracedHandler(functions, Recorder()), thread)
        endpoint.start()
        parking = endpoint.park(retry=True)
        try:
            status, _, body = ask(endpoint, request())
            assert (status, parking.held) == (500, {})
            assert "ZeroDivisionError" in body.decode()
        finally:
            endpoint.stop(grace=0)
