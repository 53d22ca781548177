"""What a view may ask for."""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from typing import get_type_hints

import pytest

import statefun_nb as sf
from statefun_nb.engine import facts
from statefun_nb.protocol.v3 import decode_typed_value
from statefun_nb.views import waiting
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
    assert [row["id"] for row in page["rows"]] == ["id2", "id29", "id28", "id27", "id26"]
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
        ("n", "many", "'many' is not a value of int"),
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


def test_history_has_an_edit_where_it_happened_though_the_clock_stands_still(session, ask):
    send(session)
    session.set_state("a/person", "bob", n=7)
    send(session, text="again")
    history = ask("history", typename="a/person", id="bob")["result"]
    assert len({entry["row"].time for entry in history}) == 1
    assert [entry["by"] or entry["row"].message for entry in history] == [
        "again",
        "s.set_state",
        "hi",
    ]


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
        ("7", "str", "io.statefun.types/string", "7"),
        ("7", "int", "io.statefun.types/long", 7),
        ("7", "sf.IntType", "io.statefun.types/int", 7),
        ("7", "float", "io.statefun.types/double", 7.0),
        ("true", "bool", "io.statefun.types/bool", True),
        ('{"qty": 2}', "shop/order", "shop/order", b'{"qty": 2}'),
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


def lines(ask, **arguments):
    return [json.loads(line) for line in ask("download", **arguments)["result"].splitlines()]


def test_a_download_is_what_is_shown_and_no_more(session, ask):
    send(session, text="<b>")
    send(session, "ann", text="=1+1")
    (record,) = lines(ask, what="sent", seqs=[1], kind="egress", where="a/out", topic="t")
    assert (record["seq"], record["from"], record["key"]) == (1, "a/person/bob", "k")
    assert (record["topic"], record["value"]) == ("t", "<b>")
    assert lines(ask, what="sent", seqs=[1], kind="egress", where="a/out", topic="other") == []
    (delayed,) = lines(ask, what="sent", seqs=[2], kind="delayed", where="a/late", topic="")
    assert (delayed["id"], delayed["in"], delayed["value"]) == ("x", "0:05:00", "now")
    (invocation,) = lines(ask, what="invocations", seqs=[2])
    assert (invocation["id"], invocation["message"]) == ("ann", "=1+1")
    assert invocation["state_after"] == {"n": 1, "seen": {"text": "=1+1"}}
    states = lines(ask, what="state", typename="a/person", search="")
    assert [(each["id"], each["n"]) for each in states] == [("ann", 1), ("bob", 1)]  # newest first
    assert len(lines(ask, what="state", typename="a/person", search="bo")) == 1


def test_a_spreadsheet_runs_nothing_of_what_is_downloaded(session, ask):
    send(session, text="=1+1")
    text = ask("download", what="invocations", seqs=[1], form="csv")["result"]
    (row,) = csv.DictReader(text.splitlines())
    assert row["message"] == "'=1+1"
    assert json.loads(row["state_after"])["n"] == 1


def failing(session):
    @session.functions.bind("a/fails", [sf.ValueSpec("n", sf.LongType)])
    def fails(ctx, message):
        if message.as_long() < 0:
            raise ValueError("negative")
        ctx.storage.n = (ctx.storage.n or 0) + message.as_long()

    session.send_many([("a/fails", "x", -1), ("a/fails", "x", 10)])
    session.wait_idle(timers=False)


def test_what_waits_says_why_where_since_when_and_what_comes_next(session, ask):
    failing(session)
    page = ask("waiting")["result"]
    (row,) = page["rows"]
    assert page["total"] == 1
    assert (row["why"], row["reason"], row["waiting"]) == ("parked", "ValueError: negative", 2)
    assert row["line"].startswith("test_calls.py, line ")
    assert row["attempts"] >= 2  # in a batch, and by itself
    failed = session.invocations[row["seq"] - 1]
    (parked,) = session.parked
    assert failed.time <= parked.since
    assert row["since"] == parked.since.timestamp() * 1000
    session.retry()
    session.wait_idle(timers=False)
    assert ask("waiting")["result"]["rows"][0]["since"] == row["since"]  # in vain: as before
    assert [(m["type"], m["text"], m["edit"]) for m in row["messages"]] == [
        ("int", "-1", "-1"),
        ("int", "10", "10"),
    ]
    for typename, id_, total in (
        *(("a/person", "", 0), ("a/fails", "", 1), ("fails", "", 1), ("fail", "", 0)),
        *(("fails", "x", 1), ("", "x", 1), ("", "y", 0)),
    ):
        assert ask("waiting", typename=typename, id=id_)["result"]["total"] == total


def test_of_what_waits_the_messages_that_are_shown_are_decoded(session, ask, monkeypatch):
    decoded = []

    def decode(argument):
        decoded.append(argument)
        return decode_typed_value(argument)

    session.pause()
    session.send_many([("a/person", str(number), "hi") for number in range(30)])
    session.wait_idle(0)
    monkeypatch.setattr(facts, "decode_typed_value", decode)
    page = ask("waiting", limit=3)["result"]
    assert page["total"] == 30
    assert [row["messages"][0]["text"] for row in page["rows"]] == ["hi"] * 3
    assert len(decoded) == 3


@pytest.mark.parametrize(
    ("typename", "id_", "total"),
    [("late", "", 2), ("a/late", "x", 2), ("", "x", 2), ("lat", "", 0), ("late", "y", 0)],
)
def test_timers_are_those_of_the_type_and_the_id_that_a_filter_means(
    session, ask, typename, id_, total
):
    send(session)
    send(session, "ann")
    assert ask("timers", typename=typename, id=id_)["result"]["total"] == total


@pytest.fixture
def many(session):
    """Of ids 000 to 399 each has its number, a text, or nothing in n."""
    kept = [sf.ValueSpec("n", sf.make_json_type("a/any"))]

    @session.functions.bind("a/many", kept)
    def many(ctx, message):
        number = int(ctx.address.id)
        ctx.storage.n = None if number % 100 == 7 else f"t{number}" if number > 390 else number

    session.send_many([("a/many", f"{number:03}", 1) for number in range(400)])
    session.wait_idle(timers=False)


@pytest.mark.parametrize(
    ("sort", "descending", "first", "last"),
    [
        ("", False, ["399", "398"], "000"),
        ("id", False, ["000", "001"], "399"),
        ("id", True, ["399", "398"], "000"),
        ("state.n", False, ["000", "001"], "007"),
        ("state.n", True, ["399", "398"], "007"),
        ("state.other", False, ["399", "398"], "000"),
    ],
)
@pytest.mark.usefixtures("many")
def test_state_is_sorted_before_it_is_cut(ask, sort, descending, first, last):
    asked = {"typename": "a/many", "sort": sort, "descending": descending}
    page = ask("state", **asked, limit=2)["result"]
    assert [row["id"] for row in page["rows"]] == first
    assert (page["total"], page["ordered"]) == (400, 400)
    everything = ask("state", **asked, limit=1_000)["result"]["rows"]
    assert (len(everything), everything[-1]["id"]) == (400, last)
    file = lines(ask, what="state", search="", **asked)
    assert [each["id"] for each in file] == [row["id"] for row in everything]


@pytest.mark.usefixtures("many")
def test_who_is_asked_for_by_his_whole_id_is_there_however_old(session, ask):
    session.send("a/many", "3", 1)
    session.send_many([("a/many", f"3{number}", 1) for number in range(300)])
    session.wait_idle(timers=False)
    rows = ask("state", typename="a/many", search="3", limit=200)["result"]["rows"]
    assert (rows[0]["id"], len(rows)) == ("3", 200)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a/many", "a/many"),
        ("many", "a/many"),
        ("", "a/many"),  # the first: it keeps something
        ("idle", "b/idle"),
        ("man", "man"),
    ],
)
@pytest.mark.usefixtures("many")
def test_the_type_that_is_meant_is_answered(session, ask, written, meant):
    session.functions.bind("b/idle")(lambda ctx, message: None)
    page = ask("state", typename=written)["result"]
    assert page["typename"] == meant
    assert page["total"] == (400 if meant == "a/many" else 0)
    assert set(page["types"]) >= {"a/many", "b/idle"}


@pytest.mark.parametrize("seconds", ["1e300", "nan", "soon", None, 1e15])
def test_a_time_that_is_none_is_refused_in_plain_words(session, ask, seconds):
    session.send("a/person", "bob", "x")
    session.wait_idle(timers=False)
    delayed = session.status().delayed
    asked = {"typename": "a/person", "id": "bob", "text": "y"}
    answers = [ask("advance", seconds=seconds)]
    if seconds is not None:  # no delay
        answers.append(ask("send", **asked, delay=seconds))
        answers.append(ask("resend", seq=1, delay=seconds))
    for answer in answers:
        assert "is no number of seconds, or longer than any date is away" in answer["error"]
    assert session.status().delayed == delayed


def test_edit_and_retry_puts_the_message_right_in_its_place(session, ask):
    failing(session)
    assert "not a value of int" in ask("amend", typename="a/fails", id="x", text="y")["error"]
    ask("amend", typename="a/fails", id="x", text="5")
    session.wait_idle(timers=False)
    served = session.invocations.filter(type="a/fails", status="ok")
    assert [each.message.value for each in served] == [5, 10]
    assert ask("waiting")["result"]["rows"] == []
    (failed,) = session.invocations.filter(type="a/fails", status="error")
    assert failed.error.repaired


def test_an_edited_message_that_fails_once_more_is_one_error(session, ask):
    failing(session)
    for text in ("-2", "-3", "5"):
        ask("amend", typename="a/fails", id="x", text=text)
        session.wait_idle(timers=False)
        assert session.status().errors == 1
    (failed,) = session.invocations.filter(type="a/fails", status="error")
    assert failed.error.repaired
    assert failed.error.retries >= 2


def test_retry_and_discard_one_or_all(session, ask):
    failing(session)
    session.send("a/fails", "y", -3)
    session.wait_idle(timers=False)
    assert ask("retry_all")["result"] == 2
    session.wait_idle(timers=False)
    assert ask("retry", typename="a/fails", id="y")["result"] == 1
    session.wait_idle(timers=False)
    ask("discard", typename="a/fails", id="x")
    assert ask("discard_all")["result"] == 1
    session.wait_idle(timers=False)
    assert session.parked == []
    assert session.state("a/fails") == {"x": {"n": 10}}


@pytest.fixture(params=["park", "retry"])
def two_types(functions, request):
    """Both fail: two addresses of shop/cart, one of bank/account with two messages."""
    with sf.start(port=0, functions=functions, on_error=request.param, clock="virtual") as found:
        for typename in ("shop/cart", "bank/account"):
            functions.bind(typename)(_refuses)
        sent = [("shop/cart", "x", 1), ("shop/cart", "y", 2), ("bank/account", "x", 3)]
        found.send_many([*sent, ("bank/account", "x", 4)])
        found.wait_idle(timers=False)
        # A message that waits and has not failed: it is of no button, and its type is shown.
        found.pause()
        found.send("shop/cart", "z", 5)
        found.wait_idle(0)
        yield found


def _refuses(ctx, message):
    raise ValueError(f"{ctx.address.id} is refused")


def answer_of(session, name, typename="", id_=""):
    asked = {"typename": typename, "id": id_}
    reply = Calls(session).answer({"id": "1", "name": name, "arguments": asked})
    assert "error" not in reply
    return reply["result"]


def waiting_rows(session, *asked):
    rows = answer_of(session, "waiting", *asked)["rows"]
    return {f"{row['typename']} {row['id']}": row for row in rows}


_FAILED = [
    ("shop/cart", "", {"shop/cart x", "shop/cart y"}),
    ("cart", "", {"shop/cart x", "shop/cart y"}),
    ("", "x", {"bank/account x", "shop/cart x"}),
    ("shop/cart", "z", set()),
    ("", "", {"bank/account x", "shop/cart x", "shop/cart y"}),
]


@pytest.mark.parametrize(("typename", "id_", "failed"), _FAILED)
def test_all_that_is_discarded_is_what_the_pane_shows(two_types, typename, id_, failed):
    def messages():
        rows = waiting_rows(two_types)
        return {name: [each["text"] for each in row["messages"]] for name, row in rows.items()}

    before = messages()
    carts = {"shop/cart x": ["1"], "shop/cart y": ["2"], "shop/cart z": ["5"]}
    assert before == {**carts, "bank/account x": ["3", "4"]}
    page = answer_of(two_types, "waiting", typename, id_)
    assert (page["typename"], page["id"]) == (typename, id_)
    shown = waiting_rows(two_types, typename, id_)
    assert {name for name, row in shown.items() if row["discardable"]} == failed
    assert answer_of(two_types, "discard_all", typename, id_) == len(failed)
    left = {name: texts[1:] if name in failed else texts for name, texts in before.items()}
    assert messages() == {name: texts for name, texts in left.items() if texts}


@pytest.mark.parametrize(("typename", "id_", "failed"), _FAILED)
def test_all_that_is_retried_is_what_the_pane_shows(two_types, typename, id_, failed):
    before, shown = waiting_rows(two_types), waiting_rows(two_types, typename, id_)
    assert {name for name, row in shown.items() if row["retriable"]} == failed
    assert answer_of(two_types, "retry_all", typename, id_) == len(failed)
    after = waiting_rows(two_types)
    assert failed == {
        name
        for name, row in before.items()
        if (row["why"], row["next"]) != (after[name]["why"], after[name]["next"])
    }


def test_all_is_no_more_than_one_page(session, ask, monkeypatch):
    failing(session)
    session.send_many([("a/fails", str(number), -1) for number in range(5)])
    session.wait_idle(timers=False)
    session.pause()
    monkeypatch.setattr(waiting, "_MOST", 4)
    page = ask("waiting")["result"]
    assert (page["total"], len(page["rows"])) == (6, 4)
    assert ask("retry_all")["result"] == 4
    assert ask("discard_all")["result"] == 2
    assert session.parked == []


def test_what_has_gone_on_meanwhile_is_left_and_the_others_are_discarded(session, ask, monkeypatch):
    failing(session)
    session.send("a/fails", "y", -3)
    session.wait_idle(timers=False)
    listed = waiting._waiting(session)
    monkeypatch.setattr(waiting, "_waiting", lambda source: listed)
    session.discard("a/fails", "x")
    session.wait_idle(timers=False)
    assert ask("discard_all")["result"] == 1
    assert "'y' is not parked" in ask("discard_all")["error"]


def test_a_message_is_sent_again_as_it_was_edited_or_later(session, ask):
    send(session, text="once")
    ask("resend", seq=1)
    ask("resend", seq=1, text="twice")
    ask("resend", seq=1, delay=60)
    session.wait_idle(timers=False)
    messages = [each.message.value for each in session.invocations.filter(type="a/person")]
    assert messages == ["once", "once", "twice"]
    assert ask("timers", typename="a/person")["result"]["total"] == 1
    assert "not kept any more" in ask("resend", seq=99)["error"]


def test_what_was_set_by_hand_stands_in_the_history_with_who_did_it(session, ask):
    send(session)
    ask("edit", typename="a/person", id="bob", name="n", text="41")
    ask("undo")
    ask("clear", typename="a/person", id="bob", name="n")
    session.set_state("a/person", "bob", n=7)
    entries = ask("history", typename="a/person", id="bob")["result"]
    assert [(each["by"], each["row"].change) for each in entries] == [
        ("s.set_state", "n: 7"),
        ("dashboard: clear", "n cleared"),
        ("dashboard: undo", "n: 41 → 1"),
        ("dashboard: edit", "n: 1 → 41"),
        ("", entries[-1]["row"].change),
    ]
    (row,) = ask("state", typename="a/person")["result"]["rows"]
    assert (row["seq"], row["by"]) == (0, "s.set_state")
    send(session)
    (row,) = ask("state", typename="a/person")["result"]["rows"]
    assert (row["seq"], row["by"]) == (2, "")


def test_the_catalogue_says_what_is_declared_and_how_it_went(session, ask):
    send(session)
    failing(session)
    rows = {row["typename"]: row for row in ask("functions")["result"]["rows"]}
    assert list(rows) == ["a/person", "a/late", "a/fails"]
    person = rows["a/person"]
    assert person["declared"]
    assert person["place"].startswith("test_calls.py, line ")
    assert "def person(ctx, message):" in person["source"]
    assert person["state"] == [
        {"name": "n", "type": "int", "expires": ""},
        {"name": "seen", "type": "a/seen", "expires": "1:00:00 after write"},
    ]
    assert (person["takes"], person["addresses"]) == (["str"], 1)
    assert sum(person["durations"]) == 1
    assert 0 < person["p50"] <= person["p99"]
    assert (rows["a/fails"]["waiting"], rows["a/fails"]["parked"]) == (2, 1)
    assert rows["a/late"]["durations"] == []


@pytest.mark.parametrize(
    ("of", "path", "compare", "value", "found"),
    [
        ("message", "qty", ">", "2", [2]),
        ("message", "qty", "<=", "2", [1]),
        ("message", "items[0].name", "=", "hat", [1]),
        ("message", "items[0].name", ":", "A", [1, 2]),
        ("message", "missing", ":", "", []),
        ("message", "gift", "=", "true", [2]),
        ("state", "total", ">", "4", [2]),
        ("state", "total", "=", "2", [1]),
        ("state", "total", ">", "many", []),
    ],
)
def test_invocations_are_found_by_what_is_in_a_value(session, ask, of, path, compare, value, found):
    @session.functions.bind("a/cart", [sf.ValueSpec("total", sf.LongType)])
    def cart(ctx, message):
        qty = message.as_type(sf.make_json_type("statefun_nb/json"))["qty"]
        ctx.storage.total = (ctx.storage.total or 0) + qty

    session.send("a/cart", "x", {"qty": 2, "items": [{"name": "hat"}]})
    session.send("a/cart", "x", {"qty": 3, "items": [{"name": "cap"}], "gift": True})
    session.wait_idle(timers=False)
    wanted = {"of": of, "path": path, "compare": compare, "value": value}
    assert ask("matching", **wanted)["result"] == {"seqs": found, "upto": 2}
    later = ask("matching", **wanted, after=1)["result"]["seqs"]
    assert later == [seq for seq in found if seq > 1]


def test_while_paused_the_next_address_is_chosen(session, ask):
    ask("pause")
    session.send_many([("a/person", name, "hi") for name in "abc"])
    assert ask("step", typename="a/person", id="c")["result"] == 1
    assert session.invocations[0].address.id == "c"


def test_the_frames_of_an_error_have_their_lines(session, ask):
    failing(session)
    (failed,) = session.invocations.filter(status="error")
    frames = ask("detail", seq=failed.seq)["result"]["error"]["frames"]
    own = [frame for frame in frames if frame["own"]]
    assert (own[-1]["place"], own[-1]["function"]) == ("test_calls.py", "fails")
    lines = dict(own[-1]["code"])
    assert lines[own[-1]["line"]].strip() == 'raise ValueError("negative")'
    assert len(lines) == 5


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
