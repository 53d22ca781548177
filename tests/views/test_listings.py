"""Lists in a cell: bounded, and nothing in them breaks the lines."""

from __future__ import annotations

import statefun_nb as sf


def test_a_long_table_shows_both_ends_and_how_many_there_are(functions):
    @sf.function("l/f", state={"n": int}, functions=functions)
    def f(ctx, message):
        ctx.storage.n = message.value
        ctx.send_egress(sf.kafka_egress_message("l/out", "numbers", str(message.value)))

    with sf.start(port=0, functions=functions) as session:
        session.send_many(("l/f", f"{n:04}", n) for n in range(1000))
        session.wait_idle()
        state = session.state("l/f")
        records = session.egress("l/out")
        assert len(state) == len(records) == 1000
        for shown, ends in (
            (state._repr_html_(), ["1,000 addresses", "<td>0000</td>", "<td>0999</td>"]),
            (repr(state), ["state of l/f: 1,000 addresses", "\n0000", "\n0999"]),
            (repr(records), ["1,000 egress records of l/out", "\nl/out   numbers"]),
        ):
            assert all(each in shown for each in ends)
            assert "<td>0500</td>" not in shown
            assert 20 < shown.count("\n") + shown.count("<tr>") < 25


def test_a_payload_cannot_move_the_cursor(functions):
    @sf.function("l/f", state={"text": str}, functions=functions)
    def f(ctx, message):
        ctx.storage.text = message.value
        ctx.send_egress(sf.kafka_egress_message("l/out", "texts", message.value))

    with sf.start(port=0, functions=functions) as session:
        session.send("l/f", "a\x1b[2J", "one\ntwo\x07")
        session.wait_idle()
        shown = repr(session.invocations) + repr(session.egress("l/out"))
        assert r"a\x1b[2J" in shown
        assert r"one\ntwo\x07" in shown
        assert "\x1b" not in shown
        assert "\x07" not in shown
