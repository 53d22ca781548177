"""What a view may ask for."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import get_type_hints

import pytest

import statefun_nb as sf
from statefun_nb.views.calls import Calls
from statefun_nb.views.wire import Detail, Node


@pytest.fixture
def session(functions):
    @functions.bind(
        "a/person",
        [
            sf.ValueSpec("n", sf.LongType),
            sf.ValueSpec(
                "seen", sf.make_json_type("a/seen"), expire_after_write=timedelta(hours=1)
            ),
        ],
    )
    def person(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1
        ctx.storage.seen = {"text": message.as_string()}
        ctx.send_after(timedelta(minutes=5), sf.message_builder("a/late", "x", str_value="now"))
        ctx.send_egress(sf.kafka_egress_message("a/out", "t", message.as_string(), key="k"))

    @functions.bind("a/late")
    def late(ctx, message):
        pass

    with sf.start(port=0, functions=functions, clock="virtual") as found:
        yield found


@pytest.fixture
def ask(session):
    calls = Calls(session)

    def answer(name, /, **arguments):
        reply = calls.answer({"id": "1", "name": name, "arguments": arguments})
        json.dumps(reply, allow_nan=False)
        return reply

    return answer


def send(session, id_="bob", text="hi"):
    session.send("a/person", id_, text)
    session.wait_idle(timers=False)


def values(ask, id_="bob"):
    (row,) = [r for r in ask("state", typename="a/person")["result"]["rows"] if r["id"] == id_]
    return {value["name"]: value for value in row["values"]}


def test_an_invocation_opens(session, ask):
    send(session)
    detail = ask("detail", seq=1)["result"]
    assert detail["message"] == "hi"
    assert detail["before"] == ["map", [], 0]
    assert detail["after"][1][0] == ["n", 1]
    assert [out["kind"] for out in detail["out"]] == ["egress", "delayed"]


def test_what_was_printed_is_cut_like_any_text(functions):
    @functions.bind("a/f")
    def f(ctx, message):
        print("x" * 5_000)

    with sf.start(port=0, functions=functions) as session:
        session.send("a/f", "1", "hi")
        session.wait_idle()
        message = {"id": "", "name": "detail", "arguments": {"seq": 1}}
        detail = Calls(session).answer(message)["result"]
        assert detail["stdout"] == ["text", "x" * 2_000, 5_001]
        assert get_type_hints(Detail)["stdout"] == Node


def test_an_invocation_that_is_gone_says_so(ask):
    assert "not kept any more" in ask("detail", seq=99)["error"]


def test_state_is_paged_and_searched(session, ask):
    for n in range(30):
        send(session, f"id{n}")
    page = ask("state", typename="a/person", search="id2", limit=5)["result"]
    assert page["total"] == 11
    assert [row["id"] for row in page["rows"]] == ["id29", "id28", "id27", "id26", "id25"]
    assert page["types"] == {"a/person": 30, "a/late": 0}


def test_state_says_what_changed_it_and_when_it_expires(session, ask):
    send(session)
    (row,) = ask("state", typename="a/person")["result"]["rows"]
    assert (row["seq"], row["by"]) == (1, "")
    seen = values(ask)["seen"]
    assert seen["type"] == "a/seen"
    assert seen["expires"] == pytest.approx(session.engine.now() * 1000 + 3_600_000)


def test_an_edited_value_is_what_the_function_sees(session, ask):
    send(session)
    assert "error" not in ask("edit", typename="a/person", id="bob", name="n", text="41")
    assert session.state("a/person", "bob")["n"] == 41
    send(session)
    assert session.state("a/person", "bob")["n"] == 42


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("n", "many", "'many' is not a value of io.statefun.types/long"),
        ("n", str(2**63), "does not fit io.statefun.types/long"),
        ("seen", "{", "is not a value of a/seen"),
        ("nothing", "1", "the type of state 'nothing' of a/person is not known"),
    ],
)
def test_a_value_that_does_not_fit_changes_nothing(session, ask, name, text, problem):
    send(session)
    before = session.state("a/person", "bob")
    assert problem in ask("edit", typename="a/person", id="bob", name=name, text=text)["error"]
    assert session.state("a/person", "bob") == before


def test_an_edit_of_an_address_without_a_message_is_refused(ask):
    assert (
        "send it a message first"
        in ask("edit", typename="a/person", id="new", name="n", text="1")["error"]
    )


def test_what_the_editor_shows_is_what_it_takes(session, ask):
    send(session, text='with "quotes" and ünïcode')
    before = session.state("a/person", "bob")
    for name, value in values(ask).items():
        reply = ask("edit", typename="a/person", id="bob", name=name, text=value["text"])
        assert "error" not in reply
    assert session.state("a/person", "bob") == before


def test_bytes_that_are_no_text_are_not_offered_for_editing(functions):
    raw = sf.simple_type("my/raw", bytes, bytes)

    @functions.bind("a/f", [sf.ValueSpec("x", raw)])
    def f(ctx, message):
        ctx.storage.x = message.as_type(raw)

    with sf.start(port=0, functions=functions) as session:
        session.send("a/f", "text", "ünïcode".encode(), type=raw)
        session.send("a/f", "bytes", b"\xff\xfe\x01ok", type=raw)
        session.wait_idle()
        message = {"id": "", "name": "state", "arguments": {"typename": "a/f"}}
        rows = Calls(session).answer(message)["result"]["rows"]
        texts = {row["id"]: row["values"][0]["text"] for row in rows}
        assert texts == {"text": "ünïcode", "bytes": None}


def test_clear_and_undo(session, ask):
    send(session)
    ask("clear", typename="a/person", id="bob", name="n")
    assert "n" not in session.state("a/person", "bob")
    assert not values(ask)["n"]["present"]
    assert ask("undo")["result"] == "n of a/person 'bob'"
    assert session.state("a/person", "bob")["n"] == 1
    assert "no edit" in ask("undo")["error"]


def test_an_edit_that_a_function_has_overwritten_is_not_undone(session, ask):
    send(session)
    ask("edit", typename="a/person", id="bob", name="n", text="10")
    send(session)
    assert "changed since" in ask("undo")["error"]
    assert session.state("a/person", "bob")["n"] == 11


def test_history_is_newest_first(session, ask):
    send(session)
    send(session, text="again")
    send(session, "al")
    history = ask("history", typename="a/person", id="bob")["result"]
    assert [entry["row"].message for entry in history] == ["again", "hi"]
    assert history[0]["before"][1][0] == ["n", 1]


def test_timers_are_listed_cancelled_and_brought_near(session, ask):
    send(session)
    send(session, "al")
    page = ask("timers")["result"]
    assert (page["total"], page["rows"][0]["typename"], page["rows"][0]["text"]) == (
        2,
        "a/late",
        "now",
    )
    assert page["rows"][0]["due"] == page["now"] + 300_000
    number = page["rows"][0]["number"]
    assert ask("cancel", number=number)["result"] is True
    assert ask("cancel", number=number)["result"] is False
    ask("advance", seconds=299)
    assert ask("timers")["result"]["total"] == 1
    ask("advance", seconds=1)
    assert ask("timers")["result"]["total"] == 0
    assert len(session.invocations.filter(type="a/late")) == 1


@pytest.mark.parametrize(
    ("text", "kind", "typename", "value"),
    [
        ("7", "", "io.statefun.types/long", 7),
        ("seven", "", "io.statefun.types/string", "seven"),
        ("7", "string", "io.statefun.types/string", "7"),
        ("7", "int", "io.statefun.types/int", 7),
        ("7", "double", "io.statefun.types/double", 7.0),
        ("true", "boolean", "io.statefun.types/bool", True),
        ('{"a": [1]}', "JSON", "statefun_nb/json", {"a": [1]}),
    ],
)
def test_the_form_sends_what_is_typed(session, ask, text, kind, typename, value):
    assert "error" not in ask("send", typename="a/late", id="x", text=text, type=kind)
    session.wait_idle(timers=False)
    message = session.invocations[-1].message
    assert (message.typename, message.value) == (typename, value)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"typename": "late", "id": "x", "text": "1"}, "late"),
        ({"typename": "a/late", "id": "", "text": "1"}, "can not be empty"),
        ({"typename": "a/late", "id": "x", "text": "x", "type": "int"}, "'x' is no"),
    ],
)
def test_the_form_says_what_is_wrong(ask, arguments, problem):
    assert problem in ask("send", **arguments)["error"]


def test_records_are_json_lines(session, ask):
    send(session, text="<b>")
    (line,) = ask("records", egress="a/out")["result"].splitlines()
    assert json.loads(line) == {
        "egress": "a/out",
        "topic": "t",
        "key": "k",
        "value": "<b>",
        "type": "type.googleapis.com/io.statefun.sdk.egress.KafkaProducerRecord",
    }


def test_pause_step_resume(session, ask):
    ask("pause")
    session.send("a/person", "bob", "hi")
    assert session.engine.paused
    assert ask("step")["result"] == 1
    assert ask("step")["result"] == 0
    ask("resume")
    assert not session.engine.paused


@pytest.mark.parametrize(
    "message",
    [{}, {"name": "stop"}, {"name": "__init__"}, {"name": "detail", "arguments": {"x": 1}}],
)
def test_nonsense_is_answered_with_an_error(session, message):
    assert Calls(session).answer(message)["error"]


def test_after_the_end_calls_are_answered_in_words(session, ask):
    send(session)
    session.stop()
    assert ask("detail", seq=1)["result"]["message"] == "hi"
    assert "stopped" in ask("send", typename="a/late", id="x", text="1")["error"]
    assert "stopped" in ask("state", typename="a/person")["error"]


HOSTILE = {
    "markup": "<img src=x onerror=alert(1)>",
    "long": "x" * 5_000_000,
    "right to left": "\u202eabc \u05d0",
    "control": "\x00\x1b[31m",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_text_and_cut(session, ask, text):
    send(session, text=text)
    detail = ask("detail", seq=1)["result"]
    assert len(json.dumps(detail)) < 30_000
    full = ask("detail", seq=1, full=True)["result"]
    assert full["message"] == text
    assert len(json.dumps(ask("state", typename="a/person")["result"])) < 30_000


def test_a_long_id_is_cut_in_tables_and_whole_where_it_is_needed(session, ask):
    long = "i" * 10_000
    send(session, long)
    assert values(ask, long)["n"]["value"] == 1
    history = ask("history", typename="a/person", id=long)["result"]
    assert len(history[0]["row"].id) == 200


def test_bytes_that_are_not_what_their_type_says_are_shown_as_they_are(functions):
    broken = sf.simple_type("a/broken", bytes, lambda data: 1 / 0)
    text = sf.simple_type("io.statefun.types/string", bytes, bytes)

    @functions.bind("a/f", [sf.ValueSpec("x", broken)])
    def f(ctx, message):
        ctx.storage.x = b"\xff\xfe"

    with sf.start(port=0, functions=functions) as session:
        session.send("a/f", "1", b"\x0a\x02\xff\xfe", type=text)
        deep = "[" * 100_000 + "]" * 100_000
        session.send(
            "a/f", "2", deep.encode(), type=sf.simple_type("statefun_nb/json", bytes, bytes)
        )
        session.wait_idle()
        calls = Calls(session)
        reason = "cannot be read as a/broken: ZeroDivisionError: division by zero"
        shown = ["map", [["reason", reason], ["value", ["bytes", "fffe", 2]]], 2]
        for seq in (1, 2):
            detail = calls.answer({"id": "", "name": "detail", "arguments": {"seq": seq}})["result"]
            assert detail["message"][0] == "bytes"
            assert detail["after"] == ["map", [["x", shown]], 1]
        page = calls.answer({"id": "", "name": "state", "arguments": {"typename": "a/f"}})
        assert page["result"]["rows"][0]["values"][0]["value"] == shown
