"""Failed requests of a real cluster are held open, as bytes over real sockets."""

from __future__ import annotations

import pytest

import statefun_nb as sf
from statefun_nb.endpoint.parking import AGAIN
from statefun_nb.endpoint.server import Endpoint
from statefun_nb.loop_thread import LoopThread
from statefun_nb.trace.recorder import Recorder
from statefun_nb.trace.traced import TracedHandler
from tests import peer
from tests.endpoint.test_http import ask, connect, post, read_response
from tests.waiting import eventually


@pytest.fixture
def parked(functions):
    """An endpoint that parks, its parking, and the way to a function that fails."""

    @sf.function("p/f", functions=functions)
    def fails(ctx, message):
        raise ValueError("not yet")

    with LoopThread("statefun_nb") as thread:
        endpoint = Endpoint(TracedHandler(functions, Recorder()), thread)
        endpoint.start()
        parking = endpoint.park(retry=False)
        try:
            yield endpoint, parking, thread
        finally:
            endpoint.stop(grace=0)


def request(typename="p/f", id_="x"):
    return post(peer.request((typename, id_), [peer.text("m")] * 3))


def mend(functions):
    @sf.function("p/f", functions=functions)
    def mended(ctx, message):
        ctx.send("p/g", "y", message.value)


def test_the_first_failure_is_sent_back_and_the_next_one_held_until_it_is_mended(parked, functions):
    endpoint, parking, thread = parked
    assert ask(endpoint, request())[::2] == (200, AGAIN)
    with connect(endpoint) as held:
        held.sendall(request())
        eventually(lambda: parking.held)
        ((target, what),) = parking.held.items()
        assert (str(target), len(what.request.invocations), what.why.reason) == (
            "p/f 'x'",
            3,
            "ValueError: not yet",
        )
        assert ask(endpoint, request(id_="other"))[::2] == (200, AGAIN)  # nobody else waits
        mend(functions)
        thread.call(parking.release, "p/f")
        status, _, body = read_response(held)
        assert status == 200
        assert len(peer.reply(body).invocation_result.outgoing_messages) == 3
    assert not parking.held


def test_a_function_that_nobody_declared_is_waited_for(parked, functions):
    endpoint, parking, thread = parked
    assert ask(endpoint, request("p/later"))[::2] == (200, AGAIN)
    with connect(endpoint) as held:
        held.sendall(request("p/later"))
        eventually(lambda: parking.held)
        sf.function("p/later", functions=functions)(lambda ctx, message: None)
        thread.call(parking.release, "p/later")
        assert read_response(held)[0] == 200


def test_a_cluster_that_gives_up_a_request_is_forgotten(parked):
    endpoint, parking, _ = parked
    ask(endpoint, request())
    with connect(endpoint) as held:
        held.sendall(request())
        eventually(lambda: parking.held)
    eventually(lambda: not parking.held)
    assert ask(endpoint, request())[::2] == (200, AGAIN)  # it comes again, from the start


def test_while_closed_all_requests_wait(parked, functions):
    endpoint, parking, thread = parked
    mend(functions)
    thread.call(parking.close)
    with connect(endpoint) as waiting:
        waiting.sendall(request())
        eventually(lambda: parking._waiting)
        assert parking.closed
        thread.call(parking.open)
        assert read_response(waiting)[0] == 200


def test_retry_is_answered_with_the_error(functions):
    @sf.function("p/f", functions=functions)
    def fails(ctx, message):
        raise ValueError("not yet")

    recorder = Recorder()
    with LoopThread("statefun_nb") as thread:
        endpoint = Endpoint(TracedHandler(functions, recorder), thread)
        endpoint.start()
        endpoint.park(retry=True)
        for _ in range(3):
            status, _, body = ask(endpoint, request())
            assert (status, body) == (500, b"ValueError: not yet\n")
        endpoint.stop(grace=0)
    *_, failed = sf.Invocations.of(recorder)
    assert failed.error is not None
    assert failed.error.retries == 2
