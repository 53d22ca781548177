"""The feed: bounded updates, exact counts, and in the end every row that is kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import statefun_nb as sf
from statefun_nb.views.calls import Calls
from statefun_nb.views.feed import Feed
from statefun_nb.views.snapshot import snapshot_fragment
from statefun_nb.views.wire import Update


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def people(functions):
    @functions.bind("a/person", [sf.ValueSpec("n", sf.IntType)])
    def person(ctx, message):
        if message.is_string() and message.as_string() == "boom":
            raise ValueError("boom")
        ctx.storage.n = (ctx.storage.n or 0) + 1
        ctx.send(sf.message_builder("a/greeter", ctx.address.id, int_value=1))

    @functions.bind("a/greeter")
    def greeter(ctx, message):
        ctx.send_egress(sf.kafka_egress_message("a/out", "t", "v", key=ctx.address.id))

    return functions


@pytest.fixture
def session(people):
    with sf.start(port=0, functions=people, trace_limit=2_000) as found:
        yield found


def drain(feed):
    """All updates until there is nothing new."""
    found: list[Update] = []
    for _ in range(100):
        update = feed.update()
        if update is None:
            return found
        found.append(update)
    raise AssertionError("the feed never comes to rest")


def update_of(feed):
    """What is new, and something is."""
    update = feed.update()
    assert update is not None
    return update


def seqs(updates):
    return [row.seq for update in updates for row in update["rows"]]


def test_an_invocation_becomes_a_row(session):
    session.send("a/person", "bob", "hi")
    session.wait_idle()
    person, greeter = drain(Feed(session, clock=Clock()))[0]["rows"]
    assert person[2:7] == ("a/person", "bob", "", "hi", "n: 1")
    assert person.out == [("message", "a/greeter", "bob", "", "", "1")]
    assert (greeter.caller, greeter.cause) == ("a/person/bob", person.seq)
    assert greeter.out == [("egress", "a/out", "", "t", "bob", "v")]
    assert (person.status, person.error) == ("ok", "")


def test_nothing_new_is_nothing_to_send(session):
    feed = Feed(session, clock=Clock())
    session.send("a/person", "bob", "hi")
    session.wait_idle()
    assert drain(feed)
    assert feed.update() is None


def test_a_burst_brings_few_rows_first_and_all_that_are_kept_in_the_end(session):
    feed = Feed(session, clock=Clock())
    session.send_many((("a/person", str(n % 7), "hi") for n in range(5_000)), progress=False)
    session.wait_idle(60)
    first, *rest = drain(feed)
    assert len(first["rows"]) <= 40
    assert first["rows"][-1].seq == 10_000
    assert max(len(update["rows"]) for update in rest) <= 1_000
    kept = [each.seq for each in session.invocations]
    assert sorted(seqs([first, *rest])) == kept
    assert rest[-1]["waiting"] == 0


def test_counts_are_exact_while_rows_are_left_out(session):
    feed = Feed(session, clock=Clock())
    for part in range(5):
        session.send_many((("a/person", str(n), "hi") for n in range(200)), progress=False)
        session.wait_idle(60)
        update = update_of(feed)
        sent = 200 * (part + 1)
        assert set(update["edges"]) == {
            ("message", "", "a/person", sent),
            ("message", "a/person", "a/greeter", sent),
            ("egress", "a/greeter", "a/out", sent),
        }
    assert update["types"] == {"a/person": [1000, 0, 0], "a/greeter": [1000, 0, 0]}
    assert update["missed"] == 0


def test_what_failed_is_counted_as_an_error_and_no_flow(session):
    session.send("a/person", "bob", "boom")
    session.wait_idle()
    update = drain(Feed(session, clock=Clock()))[-1]
    assert update["types"] == {"a/person": [1, 1, 0], "a/greeter": [0, 0, 0]}
    assert update["edges"] == []
    assert update["header"]["errors"] == update["header"]["parked"] == 1


def test_what_nobody_could_see_is_said(session):
    feed = Feed(session, clock=Clock())
    session.send_many((("a/person", str(n), "hi") for n in range(4_000)), progress=False)
    session.wait_idle(60)
    updates = drain(feed)
    assert updates[-1]["missed"] == 8_000 - len(session.invocations)
    assert updates[-1]["first"] == session.invocations[0].seq


def test_a_view_without_rows_gets_numbers_only(session):
    session.send("a/person", "bob", "hi")
    session.wait_idle()
    (update,) = drain(Feed(session, rows=False, clock=Clock()))
    assert update["rows"] == []
    assert update["header"]["traced"] == 2


def test_the_rate_is_that_of_the_last_seconds(session):
    clock = Clock()
    feed = Feed(session, clock=clock)
    feed.update()
    session.send("a/person", "bob", "hi")
    session.wait_idle()
    clock.now = 1.0
    assert update_of(feed)["header"]["rate"] == 2.0
    clock.now = 9.0
    assert update_of(feed)["header"]["rate"] == 0.0


def test_what_was_traced_before_somebody_looked_is_no_rate(session):
    session.send("a/person", "bob", "hi")
    session.wait_idle()
    clock = Clock()
    feed = Feed(session, clock=clock)
    clock.now = 0.001
    assert update_of(feed)["header"]["rate"] == 0.0


def test_a_stopped_session_still_tells(session):
    session.send("a/person", "bob", "hi")
    session.wait_idle()
    session.stop()
    update = drain(Feed(session, clock=Clock()))[-1]
    assert (update["header"]["state"], update["header"]["traced"]) == ("stopped", 2)


def test_a_row_comes_again_when_its_error_is_repaired(functions):
    bad = {"boom"}

    @functions.bind("a/f")
    def f(ctx, message):
        if message.as_string() in bad:
            raise ValueError("boom")

    with sf.start(port=0, functions=functions) as session:
        feed = Feed(session, clock=Clock())
        session.pause()
        session.send("a/f", "x", "fine")
        session.send("a/f", "x", "boom")
        session.resume()
        session.wait_idle()
        rows = {row.seq: row for update in drain(feed) for row in update["rows"]}
        (failed,) = (row for row in rows.values() if row.status == "error")
        assert (failed.error, failed.repaired) == ("ValueError: boom", False)
        assert rows[failed.seq - 1].status == "rolled back"
        bad.clear()
        session.retry()
        session.wait_idle()
        again = {row.seq: row for update in drain(feed) for row in update["rows"]}
        assert again[failed.seq] == failed._replace(repaired=True)
        assert [row.status for seq, row in again.items() if seq not in rows][-1] == "ok"
        message = {"id": "", "name": "detail", "arguments": {"seq": failed.seq}}
        assert Calls(session).answer(message)["result"]["error"]["repaired"] is True
        assert "repaired (ValueError: boom)" in snapshot_fragment(session)


def test_a_row_that_waits_is_sent_as_it_is_by_then(functions):
    bad = {"boom"}

    @functions.bind("a/f")
    def f(ctx, message):
        if message.as_string() in bad:
            raise ValueError("boom")

    with sf.start(port=0, functions=functions) as session:
        feed = Feed(session, clock=Clock())
        session.send("a/f", "bad", "boom")
        session.send_many((("a/f", str(n), "fine") for n in range(200)), progress=False)
        session.wait_idle()
        update = update_of(feed)
        assert update["waiting"] == 161
        bad.clear()
        session.retry()
        session.wait_idle()
        rows = [row for update in drain(feed) for row in update["rows"]]
        assert {row.repaired for row in rows if row.status == "error"} == {True}


def test_a_session_whose_loop_has_ended_still_tells(session):
    session.send("a/person", "bob", "hi")
    session.wait_idle()
    session._thread.stop()
    header = drain(Feed(session, clock=Clock()))[-1]["header"]
    assert (header["state"], header["traced"], header["editable"]) == ("ended", 2, False)
    assert "2 invocations" in snapshot_fragment(session)


def test_a_session_that_can_keep_nothing_any_more_says_so(functions, tmp_path):
    path = tmp_path / "kept.db"
    with sf.start(port=0, functions=functions, durable=path) as session:
        path.unlink()
        header = drain(Feed(session, clock=Clock()))[-1]["header"]
    assert (header["state"], header["editable"]) == ("broken", False)
    assert "kept.db was deleted, moved or replaced" in header["health"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["one", "many", "update", "restart"]), max_size=12))
def test_whatever_happens_in_between_the_browser_has_what_is_kept(actions):
    functions = sf.StatefulFunctions()

    @functions.bind("a/f")
    def f(ctx, message):
        pass

    with sf.start(port=0, functions=functions, trace_limit=300) as session:
        feed = Feed(session, clock=Clock())
        here: set[int] = set()

        def see(update):
            if update is not None:
                here.update(row.seq for row in update["rows"])
                here.difference_update([seq for seq in here if seq < update["first"]])

        for action in actions:
            if action == "restart":  # the page was loaded again: what it had is gone
                here.clear()
                feed.restart()
            elif action == "update":
                see(feed.update())
            else:
                count = 1 if action == "one" else 170
                session.send_many((("a/f", str(n), n) for n in range(count)), progress=False)
                session.wait_idle(30)
        for update in drain(feed):
            see(update)
        assert sorted(here) == [each.seq for each in session.invocations]


def test_an_update_tells_of_moves_of_the_clock(session):
    feed = Feed(session)
    assert not update_of(feed)["jumps"]
    session.advance(timedelta(hours=1))
    ((before, after),) = update_of(feed)["jumps"]
    assert after - before >= 3_600_000
