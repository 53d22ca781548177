"""Both sides of the wire have the fields of one file; js/tests/wire.test.ts reads it, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import statefun_nb as sf
from statefun_nb.protocol.effects import LONGEST_DELAY_MS
from statefun_nb.views import wire
from statefun_nb.views.calls import Calls
from statefun_nb.views.feed import Feed
from statefun_nb.views.filters import FIELDS as FILTER_FIELDS
from statefun_nb.views.names import MESSAGE_TYPES
from statefun_nb.views.wire import Header, Row

FIELDS = json.loads((Path(__file__).parent / "wire.json").read_text())


@pytest.mark.parametrize("name", wire.__all__)
def test_declared_fields(name):
    assert list(getattr(wire, name).__annotations__) == FIELDS[name]


def test_nothing_else_is_listed():
    words = {"statuses", "states", "filter", "message_types", "longest_delay"}
    assert set(FIELDS) == {*wire.__all__, *words}


def test_message_types():
    assert list(MESSAGE_TYPES) == FIELDS["message_types"]


def test_the_longest_delay():
    assert FIELDS["longest_delay"] * 1000 == LONGEST_DELAY_MS


def test_declared_words():
    assert list(get_args(get_type_hints(Row)["status"])) == FIELDS["statuses"]
    assert list(get_args(get_type_hints(Header)["state"])) == FIELDS["states"]


def test_filters_are_checked_for_the_same_fields():
    assert list(FILTER_FIELDS) == FIELDS["filter"]


def test_what_is_really_sent_has_these_fields(functions):
    from datetime import timedelta

    @functions.bind("a/f", [sf.ValueSpec("n", sf.IntType)])
    def f(ctx, message):
        ctx.storage.n = 1
        ctx.send(sf.message_builder("a/fails", "x", str_value="hi"))
        ctx.send_after(timedelta(hours=1), sf.message_builder("a/f", "x", int_value=1))

    @functions.bind("a/fails")
    def fails(ctx, message):
        raise ValueError("no")

    with sf.start(port=0, functions=functions) as session:
        session.send("a/f", "x", "hi")
        session.wait_idle(timers=False)
        update = Feed(session).update()
        assert update is not None
        assert list(update) == FIELDS["Update"]
        assert list(update["header"]) == FIELDS["Header"]

        def ask(name, **arguments):
            return Calls(session).answer({"id": "", "name": name, "arguments": arguments})["result"]

        detail = ask("detail", seq=1)
        assert list(detail) == FIELDS["Detail"]
        assert all(set(out) <= set(FIELDS["DetailOut"]) for out in detail["out"])
        assert list(ask("detail", seq=2)["error"]) == FIELDS["DetailError"]
        page = ask("state", typename="a/f")
        assert list(page) == FIELDS["StatePage"]
        assert list(page["rows"][0]) == FIELDS["StateRow"]
        assert list(page["rows"][0]["values"][0]) == FIELDS["StateValue"]
        assert list(ask("history", typename="a/f", id="x")[0]) == FIELDS["HistoryEntry"]
        timers = ask("timers")
        assert list(timers) == FIELDS["TimerPage"]
        assert list(timers["rows"][0]) == FIELDS["TimerRow"]
