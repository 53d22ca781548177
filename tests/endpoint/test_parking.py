"""Failed requests of a real cluster are held open, as bytes over real sockets."""

from __future__ import annotations

import pytest

import statefun_nb as sf
from statefun_nb.address import address_of
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


def test_what_is_given_up_is_left_out_of_its_batch_and_the_rest_served(parked, functions):
    endpoint, parking, thread = parked

    @sf.function("p/f", functions=functions)
    def picky(ctx, message):
        if message.as_string().startswith("bad"):
            raise ValueError(message.as_string())
        ctx.send("p/g", "y", message.value)

    texts = [peer.text(each) for each in ("a", "bad 1", "b", "bad 2")]
    caller = ("statefun_nb/gateway", "")
    batch = post(peer.request(("p/f", "x"), texts, caller=caller))
    with pytest.raises(sf.EngineError, match="p/f 'x' is not parked"):
        thread.call(parking.discard, address_of("p/f", "x"))
    assert ask(endpoint, batch)[::2] == (200, AGAIN)
    with connect(endpoint) as held:
        held.sendall(batch)
        for reason in ("bad 1", "bad 2"):
            eventually(lambda: parking.held)
            (what,) = parking.held.values()
            assert what.why.reason == f"ValueError: {reason}"
            given_up = thread.call(parking.discard, address_of("p/f", "x"))
            assert given_up == peer.text(reason)
            status, _, body = read_response(held)
            assert status == 200
            if reason == "bad 1":  # the rest failed, too: it is sent back, and comes again
                assert body == AGAIN
                assert parking.given_up == 0
                held.sendall(batch)
    sent = peer.reply(body).invocation_result.outgoing_messages
    assert [each.argument.value for each in sent] == [texts[0][1], texts[2][1]]
    assert (parking.held, parking.given_up) == ({}, 2)
    again = post(peer.request(("p/f", "x"), [peer.text("bad 1")]))  # another message like it
    assert ask(endpoint, again)[::2] == (200, AGAIN)


def test_a_batch_of_which_all_is_given_up_has_no_effect(parked):
    endpoint, parking, thread = parked
    single = post(peer.request(("p/f", "x"), [peer.text("m")]))  # of an ingress of the user's
    ask(endpoint, single)
    with connect(endpoint) as held:
        held.sendall(single)
        eventually(lambda: parking.held)
        thread.call(parking.discard, address_of("p/f", "x"))
        assert read_response(held)[::2] == (200, b"")
    assert parking.given_up == 0  # nobody has counted it when it came


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


def test_what_a_cluster_gives_up_while_closed_is_not_served_later(parked, functions):
    endpoint, parking, thread = parked
    ran = []
    sf.function("p/f", functions=functions)(lambda ctx, message: ran.append(message.as_string()))
    single = post(peer.request(("p/f", "x"), [peer.text("m")]))
    thread.call(parking.close)
    for _ in range(2):
        with connect(endpoint) as waiting:
            waiting.sendall(single)
            eventually(lambda: parking._waiting)
        eventually(lambda: not parking._waiting)
    with connect(endpoint) as waiting:  # it asks again
        waiting.sendall(single)
        eventually(lambda: parking._waiting)
        thread.call(parking.open)
        assert read_response(waiting)[0] == 200
    assert ran == ["m"]


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
