"""Dispatch with what a real cluster needs: messages left out, routes asked."""

from __future__ import annotations

from datetime import timedelta

import pytest

import statefun_nb as sf
from statefun_nb.address import address_of
from statefun_nb.protocol.effects import TypedValue
from statefun_nb.protocol.envelope import decode_envelope, encode_envelope
from statefun_nb.protocol.wire import typed_value_bytes
from statefun_nb.trace.recorder import Recorder
from statefun_nb.trace.traced import Serving, TracedHandler
from tests import peer


def batch(values):
    data = [(peer.LONG, bytes([9, v, *bytes(7)]) if v else b"") for v in values]
    return peer.request(("d/f", "x"), data, {"n": None})


def test_skip_takes_back_all_that_the_message_did(functions):
    @sf.function("d/f", state={"n": int}, functions=functions)
    def f(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + message.value
        ctx.send("d/g", "y", message.value)
        ctx.send_after(timedelta(seconds=1), "d/g", "y", message.value, token=f"t{message.value}")
        ctx.send_egress(sf.kafka_egress_message("d/out", "topic", message.value))
        if message.value == 2:
            del ctx.storage.n
            raise ValueError("two")

    recorder = Recorder()
    handler = TracedHandler(functions, recorder)
    handler.attach(Serving(skip=True))
    outcome = peer.outcome(handler, batch([1, 2, 4]))
    assert outcome.failure is None
    result = peer.reply(outcome.reply).invocation_result
    (mutation,) = result.state_mutations
    assert mutation.state_value.value == bytes([9, 5, *bytes(7)])
    assert len(result.outgoing_messages) == 2
    assert [d.cancellation_token for d in result.delayed_invocations] == ["t1", "t4"]
    assert len(result.outgoing_egresses) == 2
    one, two, three = sf.Invocations.of(recorder)
    assert [each.status for each in (one, two, three)] == ["ok", "error", "ok"]
    assert two.error is not None
    assert (two.error.type, two.state_after, two.sent) == ("ValueError", {"n": 1}, ())
    assert three.state_after == {"n": 5}
    assert recorder.failures == 1


class Routes:
    """Knows d/g alone, and renames every egress."""

    def check_target(self, typename):
        if typename != "d/g":
            raise sf.EngineError(f"nobody serves {typename}")

    def check_token(self, owner, token):
        if token == "pending":
            raise sf.EngineError("pending")

    def check_state(self, typename, specs):
        pass

    def egress(self, typename, value, topic):
        return "other/egress", value


@pytest.mark.parametrize(
    "act",
    [
        lambda ctx: ctx.send("d/nobody", "x", 1),
        lambda ctx: ctx.send_after(timedelta(0), "d/nobody", "x", 1),
        lambda ctx: ctx.send_after(timedelta(0), "d/g", "x", 1, token="pending"),
        lambda ctx: [ctx.send_after(timedelta(1), "d/g", "x", 1, token="t") for _ in range(2)],
    ],
)
def test_what_the_routes_refuse_is_an_error_at_the_users_line(functions, act):
    @sf.function("d/f", state={"n": int}, functions=functions)
    def f(ctx, message):
        act(ctx)

    handler = TracedHandler(functions, None)
    handler.attach(Serving(routes=Routes()))
    failure = peer.outcome(handler, batch([1])).failure
    assert failure is not None
    assert isinstance(failure.error, sf.EngineError)


def test_a_cancelled_token_may_be_used_again_in_the_same_batch(functions):
    @sf.function("d/f", state={"n": int}, functions=functions)
    def f(ctx, message):
        for _ in range(2):
            ctx.cancel_delayed_message("t")
            ctx.send_after(timedelta(1), "d/g", "x", 1, token="t")

    handler = TracedHandler(functions, None)
    handler.attach(Serving(routes=Routes()))
    assert peer.outcome(handler, batch([1, 2])).failure is None


def test_a_record_that_goes_by_another_egress_is_traced_as_the_user_named_it(functions):
    @sf.function("d/f", state={"n": int}, functions=functions)
    def f(ctx, message):
        ctx.send_egress(sf.kafka_egress_message("d/mine", "topic", "v"))

    recorder = Recorder()
    handler = TracedHandler(functions, recorder)
    handler.attach(Serving(routes=Routes()))
    reply = peer.reply(peer.outcome(handler, batch([1])).reply)
    (record,) = reply.invocation_result.outgoing_egresses
    assert (record.egress_namespace, record.egress_type) == ("other", "egress")
    (traced,) = sf.Invocations.of(recorder)[0].egress
    assert (traced.egress, traced.topic, traced.value) == ("d/mine", "topic", "v")


@pytest.mark.parametrize("value", [b"", b"bytes", None])
def test_an_envelope_reads_back_as_it_was_written(value):
    target, typed = address_of("a/b", "ключ"), TypedValue("t/x", value)
    data = encode_envelope(target, typed_value_bytes(typed), 1_500, 2**63)
    assert decode_envelope(data) == (target, typed, 1_500, 2**63)


def test_what_is_no_envelope_is_refused():
    with pytest.raises(sf.ProtocolError, match="not a message for the gateway"):
        decode_envelope(b"\xff\xff")
