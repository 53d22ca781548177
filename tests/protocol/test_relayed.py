"""Replies of other processes as they are handed on: who sent, by which egress, the rest as is."""

from __future__ import annotations

from statefun_nb.protocol.effects import CancelDelayed, Cause, TypedValue
from statefun_nb.protocol.relayed import rerouted, with_cause
from statefun_nb.protocol.v3 import (
    cancel_chunk,
    decode_causes,
    decode_reply,
    delayed_chunk,
    egress_chunk,
    encode_request,
    encode_result,
    mutation_chunk,
    send_chunk,
)
from statefun_nb.protocol.wire import cause_bytes, cause_value

VALUE = TypedValue("a/value", b"data")
REPLY = encode_result(
    [
        mutation_chunk("n", VALUE),
        send_chunk("a/f", "x", "a/value", b"data", b""),
        delayed_chunk(5, "a/g", "y", VALUE, "token", b""),
        cancel_chunk("old"),
        egress_chunk("a/out", VALUE),
        egress_chunk("a/other", VALUE),
    ]
)


def test_messages_say_who_sent_them_and_all_else_is_as_it_was():
    before, after = decode_reply(REPLY), decode_reply(with_cause(REPLY, cause_value(7, 3)))
    assert before._replace(sends=(), delayed=()) == after._replace(sends=(), delayed=())
    (sent,), (delayed, cancelled) = after.sends, after.delayed
    assert cancelled == CancelDelayed("old")
    assert not isinstance(delayed, CancelDelayed)
    assert (delayed.delay_ms, delayed.target.id, delayed.token) == (5, "y", "token")
    batch = encode_request(sent.target, {}, [(None, sent.argument), (None, delayed.argument)])
    assert decode_causes(batch) == [Cause(7, 3)] * 2
    assert sent.argument == before.sends[0].argument + cause_bytes(7, 3)


def test_a_record_goes_by_another_egress_and_keeps_the_name_of_its_own():
    def egress(typename, value, topic):
        return (
            ("own/way", TypedValue("a/wrapped", b"!")) if typename == "a/out" else (typename, value)
        )

    changed = rerouted(REPLY, egress)
    first, second = decode_reply(changed).egress
    assert (first.egress, second) == ("a/out", decode_reply(REPLY).egress[1])
    assert b"a/wrapped" in first.argument
    assert b"\x0a\x03own\x12\x03way" in changed  # where the cluster sends it
    assert decode_reply(changed)._replace(egress=()) == decode_reply(REPLY)._replace(egress=())


def test_replies_one_behind_the_other_are_one_reply():
    both, one = decode_reply(REPLY + REPLY), decode_reply(REPLY)
    assert [*both.sends] == [*one.sends, *one.sends]
    assert [*both.mutations] == [*one.mutations, *one.mutations]
    assert decode_reply(b"" + REPLY + b"") == one  # a reply without effects has no bytes
