"""Wrong arguments of a session's calls: what each says, and that nothing has changed after it."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import socket
import sqlite3
import sys
import warnings
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy  # noqa: ICN001
import pytest

import statefun_nb as sf
from statefun_nb.endpoint import server

WRONG_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"durable": "/tmp/nodir-of-nobody/x.db"}, "cannot be opened"),
    ({"durable": "a\0"}, "is not the path of a file"),
    ({"durable": "\ud800"}, "is not the path of a file"),
    ({"durable": ""}, "is not the path of a file"),
    ({"durable": "~nouser-of-that-name/x"}, "is not the path of a file"),
    ({"durable": 5}, "durable=5 is not the path of a file"),
    ({"functions": ["f"]}, r"functions=\['f'\]: it takes sf.StatefulFunctions"),
    ({"paused": "no"}, "paused='no': it takes True or False"),
    ({"trace": "off"}, "trace='off': it takes True or False"),
    ({"engine": "docker", "image": 5}, "image=5: it takes text, or None"),
    ({"port": 70_000}, "port=70000: it takes 0 to 65535"),
    ({"port": "80"}, "port='80' is not a whole number: it takes 0 to 65535"),
    ({"trace_limit": 0}, "trace_limit=0: it takes 1 or more"),
    ({"batch_limit": True}, "batch_limit=True is not a whole number"),
    ({"engine": []}, r"engine=\[\] is not known"),
]


@pytest.mark.parametrize(("given", "said"), WRONG_OPTIONS)
def test_a_start_that_fails_leaves_the_running_session(functions, given, said):
    running = sf.start(port=0, functions=functions)
    with pytest.raises((sf.SessionError, sf.EngineError), match=said):
        sf.start(**{"port": 0, "functions": functions} | given)
    assert sf.session() is running
    assert running.status().state == "running"


def test_a_port_that_is_taken_leaves_the_running_session(functions, monkeypatch):
    running = sf.start(port=0, functions=functions)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr("statefun_nb.sessions.preflight.PORTS_TRIED", 0)
        monkeypatch.setattr(server, "PORTS_TRIED", 0)
        with pytest.raises(sf.EngineError, match="is taken"):
            sf.start(port=taken.getsockname()[1], functions=functions)
    assert sf.session() is running


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"engine": "flink"}, "offline nothing is fetched"),
        ({"engine": "docker"}, "Docker is not installed"),
        (
            {
                "engine": "flink",
                "bootstrap_servers": "127.0.0.1:9",
                "rest_url": "http://127.0.0.1:9",
            },
            "no Kafka answers at 127.0.0.1:9",
        ),
    ],
)
def test_a_cluster_that_cannot_be_had_leaves_the_running_session(
    functions, given, said, monkeypatch, tmp_path
):
    pytest.importorskip("confluent_kafka")
    pytest.importorskip("jgo")
    running = sf.start(port=0, functions=functions)
    monkeypatch.setattr("statefun_nb.cluster.external._SECONDS", 0.5)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("STATEFUN_NB_OFFLINE", "1")
    monkeypatch.setenv("STATEFUN_NB_CACHE", str(tmp_path))
    monkeypatch.setenv("M2_REPO", str(tmp_path))
    with pytest.raises(sf.EngineError, match=said):
        sf.start(port=0, functions=functions, **given)
    assert sf.session() is running


def test_without_the_kafka_client_the_running_session_goes_on(functions, monkeypatch):
    running = sf.start(port=0, functions=functions)
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(sf.EngineError, match="needs confluent-kafka: pip install"):
        sf.start(port=0, functions=functions, engine="flink")
    assert sf.session() is running


def test_the_file_of_the_running_session_can_be_opened_by_the_next(functions, tmp_path):
    file = tmp_path / "kept.db"
    running = sf.start(port=0, functions=functions, durable=file)
    with pytest.raises(sf.EngineError, match="are those of clock='system'"):
        sf.start(port=0, functions=functions, durable=file, clock="virtual")
    assert sf.session() is running
    with pytest.warns(UserWarning, match="its state is kept in"):
        following = sf.start(port=0, functions=functions, durable=file, paused=True)
    assert following.status().state == "paused"


def test_a_file_that_cannot_be_read_leaves_the_running_session(functions, tmp_path):
    file = tmp_path / "damaged.db"
    sf.start(port=0, functions=functions, durable=file).stop()
    with contextlib.closing(sqlite3.connect(file)) as db, db:
        db.execute("INSERT INTO mail VALUES (1, 'no typename', 'x', NULL, NULL, x'', 0)")
    running = sf.start(port=0, functions=functions)
    with pytest.raises(sf.EngineError, match="is not as it was written"):
        sf.start(port=0, functions=functions, durable=file)
    assert sf.session() is running


@pytest.fixture
def session(functions, tmp_path):
    @functions.bind("a/counter", [sf.ValueSpec("n", sf.LongType)])
    def counter(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1

    durable = tmp_path / "arguments.db"
    with sf.start(port=0, functions=functions, clock="virtual", durable=durable) as running:
        running.send("a/counter", "x", 1)
        running.wait_idle()
        yield running


def _looks(session):
    status = session.status()
    return (status.state, status.traced, status.queued, status.delayed, session.state("a/counter"))


HUGE = 10**5000
NO_SECONDS: list[Any] = [
    float("inf"), 10**10, None, timedelta(seconds=1), "5", float("nan"), -1, Decimal("NaN"), HUGE,
]  # fmt: skip


@pytest.mark.parametrize("wrong", NO_SECONDS, ids=lambda each: f"{type(each).__name__}")
def test_a_time_to_wait_is_a_number_of_seconds(session, wrong):
    before = _looks(session)
    for call in (
        session.wait_idle,
        session.step,
        session.stop,
        lambda timeout: session.advance(timedelta(1), timeout),
    ):
        with pytest.raises(sf.SessionError, match=r"timeout=.*: it takes seconds, 0 or more"):
            call(wrong)
    assert repr(_looks(session)) == repr(before)


async def _idle(session, wrong):
    await session.idle(wrong)


def test_a_time_to_wait_is_checked_in_an_event_loop_too(session):
    import asyncio

    with pytest.raises(sf.SessionError, match="timeout='5': it takes seconds"):
        asyncio.run(_idle(session, "5"))


WRONG_CALLS: list[tuple[str, tuple[Any, ...], type[sf.StatefunError], str]] = [
    ("advance", ("x",), sf.ConversionTypeError, r"a timedelta, such as timedelta\(minutes=5\)"),
    ("advance", (5,), sf.ConversionTypeError, r"a timedelta, such as timedelta\(minutes=5\)"),
    ("advance", (None,), sf.ConversionTypeError, r"a timedelta, such as timedelta\(minutes=5\)"),
    ("advance", (timedelta(-1),), sf.ConversionError, "cannot go back"),
    ("advance", (timedelta.max,), sf.ConversionError, "after the year 9999"),
    ("send", ([], "i", 1), sf.DeclarationTypeError, r"a typename is a string .* not \[\]"),
    ("send", ({}, "i", 1), sf.DeclarationTypeError, "a typename is a string"),
    ("send", (HUGE, "i", 1), sf.DeclarationTypeError, "not a int"),
    ("send", ("a/counter", HUGE, 1), sf.DeclarationTypeError, "must be a string, not a int"),
    ("state", ([],), sf.DeclarationTypeError, "a typename is a string"),
    ("check", ([], "i"), sf.DeclarationTypeError, "a typename is a string"),
    ("discard", ("a/conter", "x"), sf.UnknownFunctionError, "did you mean 'a/counter'"),
    ("table", (None,), sf.SessionError, "filter=None .*: it takes text"),
    ("table", (5,), sf.SessionError, "filter=5 .*: it takes text"),
    ("table", ("-status:eror",), sf.SessionError, "'eror' .*no status: use .*mean 'error'"),
    ("table", ("typ:zz",), sf.SessionError, "'typ' is not known: use type.*did you mean 'type'"),
    ("table", ("-seq:x",), sf.SessionError, "seq:x needs a number"),
    ("retry", ("a/conter",), sf.UnknownFunctionError, "did you mean 'a/counter'"),
    ("egress", (5,), sf.DeclarationTypeError, "a typename is a string"),
    ("egress", ("typo",), sf.DeclarationError, "is not a typename"),
    ("send_many", (None,), sf.ConversionTypeError, "send_many takes an iterable"),
    ("send_many", ("text",), sf.ConversionTypeError, "send_many takes an iterable"),
    ("send_many", ([5],), sf.ConversionTypeError, "item 1: a message is .*; none was sent"),
    ("send_many", ([("a/counter", "", 1)],), sf.ConversionError, "item 1: the id of"),
    ("replay", (5,), sf.SessionError, "replay takes invocations, .*, not 5"),
    ("replay", ([5],), sf.SessionError, "replay takes invocations, .*, not 5"),
    ("replay", ("x",), sf.SessionError, "replay takes invocations, .*, not 'x'"),
    ("resend", ("1",), sf.SessionError, "seq='1' is not a whole number"),
    ("resend", (None,), sf.SessionError, "seq=None is not a whole number"),
    ("load_module", ("nofile.yaml",), sf.SessionError, "'nofile.yaml' cannot be opened: No such"),
    ("load_module", ("",), sf.SessionError, "source='' is not the path"),
    ("load_module", (None,), sf.SessionError, "source=None is not the path"),
    ("snapshot_html", ("no/dir.html",), sf.SessionError, "cannot be opened: No such"),
    ("snapshot_html", (None,), sf.SessionError, "path=None is not the path"),
    ("export", (None,), sf.SessionError, "folder=None is not the path"),
    ("export", ("~nouser-of-that-name/x",), sf.SessionError, "is not the path"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "given", "error", "said"), WRONG_CALLS)
def test_a_wrong_argument_says_what_is_wrong_and_changes_nothing(
    session, call, given, error, said, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    before = repr(_looks(session))
    with pytest.raises(error, match=said):
        getattr(session, call)(*given)
    assert repr(_looks(session)) == before
    session.advance(timedelta(minutes=1))  # the clock is as good as before
    session.send("a/counter", "x", 1)
    session.wait_idle()
    assert session.state("a/counter", "x") == {"n": 2}


@pytest.mark.parametrize("wrong", ["", "\ud800"])
def test_state_is_set_for_ids_that_a_message_can_have(session, wrong):
    with pytest.raises(sf.ConversionError) as sent:
        session.send("a/counter", wrong, 1)
    with pytest.raises(sf.ConversionError) as written:
        session.set_state("a/counter", wrong, n=5)
    assert str(written.value) == str(sent.value)
    assert len(session.state("a/counter")) == 1


def test_send_many_says_which_item_is_wrong_and_how_many_were_sent(session):
    items: list[Any] = [("a/counter", "y", 1)] * 10_000 + [("a/counter", "y", 1), ("a/counter", 5)]
    with pytest.raises(
        sf.ConversionTypeError, match=r"item 10,002: .*; the first 10,000 were sent"
    ):
        session.send_many(items, progress=False)
    session.wait_idle()
    assert session.state("a/counter", "y") == {"n": 10_000}


WRONG_QUESTIONS: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("sent", (0,), {"to": 5}, "to=: a typename is a string"),
    ("sent", (0,), {"to": None}, "to=: a typename is a string"),
    ("sent", (0,), {"to": "typo"}, "to=: 'typo' is not a typename"),
    ("sent", (0,), {"to": "a/counter", "id": 5}, "id=5: it takes text"),
    ("delayed", (0,), {"to": "a/counter", "id": 5}, "id=5: it takes text"),
    ("emitted", (0,), {"to": "a/counter", "topic": 5}, "topic=5: it takes text"),
    ("emitted", (-1,), {"to": "a/counter"}, "times=-1: it takes 0 or more"),
    ("invoked", ("0",), {}, "times='0' is not a whole number"),
    ("failed", ("0",), {}, "times='0' is not a whole number"),
    ("failed", (0, ValueError()), {}, "error=ValueError.*: it takes the name of a class"),
    ("failed", (0, int), {}, "error=<class 'int'>: it takes the name of a class"),
]


@pytest.mark.parametrize(("question", "given", "named", "said"), WRONG_QUESTIONS)
def test_a_question_that_can_only_be_answered_no_is_refused(session, question, given, named, said):
    check = session.check("a/counter", "x")
    with pytest.raises((sf.SessionError, sf.DeclarationError), match=said):
        getattr(check, question)(*given, **named)


@pytest.mark.filterwarnings("ignore")
def test_failures_are_asked_for_by_class_or_by_its_name(functions):
    @functions.bind("a/failing")
    def failing(ctx, message):
        raise ValueError("no")

    with sf.start(port=0, functions=functions) as running:
        running.send("a/failing", "x", 1)
        running.wait_idle()
        check = running.check("a/failing", "x")
        check.failed(1, ValueError).failed(1, "ValueError").failed(0, KeyError)
        with pytest.raises(sf.CheckFailed):
            check.failed(0, ValueError)


def test_a_retry_of_an_address_without_a_message_says_so(session, recwarn):
    assert session.retry("a/counter", "x") == 0  # it has had one, and is not parked
    assert not recwarn.list
    with pytest.warns(UserWarning, match=r"a/counter 'xx' has had no message: .*mean 'x'\?"):
        assert session.retry("a/counter", "xx") == 0


def _texts_of(error: BaseException | None) -> list[str]:
    """Of an error, and of those that its traceback shows before it."""
    found = []
    while error is not None:
        found.append(str(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found


# What a name can be, what none can be, and what has blanks in it.
HUGE_TEXTS = {
    "name": "a/" + "x" * 10**6,
    "no name": "x" * 10**6,
    "words": "x y " * 10**5,
}
_ENDS_IT = {"stop", "dashboard", "graph", "table", "watch", "idle"}


@pytest.mark.parametrize("text", HUGE_TEXTS.values(), ids=HUGE_TEXTS)
def test_no_error_repeats_a_huge_text(session, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check = session.check("a/counter", "x")
    calls: dict[str, Any] = {
        name: getattr(session, name)
        for name in dir(session)
        if name[0] != "_" and name not in _ENDS_IT and callable(getattr(session, name))
    }
    more = dict.fromkeys(calls, (1, 2, 3))
    for name in ("sent", "delayed", "emitted"):
        ask = getattr(check, name)
        calls[f"check.{name}"] = lambda to, ask=ask: ask(1, to=to)
        calls[f"check.{name} value"] = lambda value, ask=ask: ask(1, to="a/counter", value=value)
    calls["check.state"] = lambda value: check.state(n=value)
    calls["check.state name"] = lambda name: check.state(**{name: 1})
    calls["set_state name"] = lambda name: session.set_state("a/counter", "x", **{name: 1})
    calls["set_state id"] = lambda key: session.set_state("a/counter", key, n="text")
    calls["check id"] = lambda key: session.check("a/counter", key).state(n=7)
    calls["discard id"] = lambda key: session.discard("a/counter", key)
    calls["filter"] = lambda status: session.invocations.filter(status=status)
    for option in ("engine", "on_error", "image", "port", "durable", "clock"):
        calls[f"start {option}="] = lambda value, name=option: sf.start(**{"port": 0, name: value})
    for name in sf.__all__:
        if inspect.isroutine(getattr(sf, name)) and name not in ("start", "stop", "session"):
            calls[f"sf.{name}"] = getattr(sf, name)
            more[f"sf.{name}"] = (1, 2, 3)
    raised = 0
    for name, call in calls.items():
        for count in more.get(name, (1,)):
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                try:
                    call(*[text] * count)
                except (sf.StatefunError, TypeError) as error:
                    raised += isinstance(error, sf.StatefunError)
                    for each in _texts_of(error):
                        assert len(each) <= 2_100, f"{name}, {count} arguments: {each[:300]}"
            for warning in said:
                assert len(str(warning.message)) <= 2_100, f"{name}: {warning.message!s:.300}"
    assert raised > 40
    assert sf.session() is session


def test_an_item_that_is_not_there_says_what_there_is(functions):
    @functions.bind("a/f")
    def f(ctx, message):
        ctx.send_egress(sf.egress_message_builder("a/e", message.value, int))
        raise ValueError

    with sf.start(port=0, functions=functions, on_error="skip") as session:
        empty: Any = session.invocations
        with pytest.raises(IndexError, match=r"no invocation \[0\]: there are no invocations yet"):
            empty[0]
        with pytest.raises(sf.ItemError, match=r"no egress record \[-1\]: there are no egress rec"):
            session.egress()[-1]
        session.send_many([("a/f", "x", n) for n in range(3)])
        session.wait_idle()
        lists: list[Any] = [session.invocations, session.invocations.filter(type="a/f")]
        for each in lists:
            for wrong in (3, 99, -4):
                with pytest.raises(sf.ItemError, match=r"are 3 invocations, \[0\] to \[2\]"):
                    each[wrong]
            for other in ("x", 1.5, None, numpy.array([1, 2])):
                with pytest.raises(sf.ItemTypeError, match=r"s.invocations.filter\(type="):
                    each[other]
            assert each[numpy.int64(1)].seq == each[1].seq
        with pytest.raises(TypeError, match=r"\['x' \(str\)\]: egress records are numbered from 0"):
            session.egress()["x"]  # type: ignore[call-overload]  # the mistake
        with pytest.raises(sf.ItemError, match=r"no parked address \[9\]: there are no parked add"):
            session.parked[9]


def test_what_wait_idle_gives_is_not_awaited(session):
    async def cell():
        await session.wait_idle()

    with pytest.raises(sf.SessionError, match=r"leave the await out, or write await s.idle\(\)"):
        asyncio.run(cell())


def test_an_array_is_an_argument_like_another(session):
    array: Any = numpy.array([1, 2])
    calls: list[Any] = [
        lambda: session.send(array, "x", 1),
        lambda: session.send("a/counter", array, 1),
        lambda: session.send("a/counter", "x", array),
        lambda: session.send("a/counter", "x", 1, type=array),
        lambda: session.send_many([array]),
        lambda: session.send_many([], progress=array),
        lambda: session.wait_idle(array),
        lambda: session.wait_idle(timers=array),
        lambda: session.state(array),
        lambda: session.state("a/counter", array),
        lambda: session.egress(array),
        lambda: session.check(array, "x"),
        lambda: session.retry(array),
        lambda: session.discard("a/counter", array),
        lambda: session.resend(array),
        lambda: session.set_state("a/counter", "x", n=array),
        lambda: session.advance(array),
        lambda: session.step(array),
        lambda: session.module_yaml(version=array),
        lambda: session.load_module(array),
        lambda: session.backup(array),
        lambda: session.invocations.filter(status=array),
        lambda: session.invocations.filter(type=array),
        lambda: session.invocations.caused_by(array),
        lambda: session.table(array),
        lambda: session.dashboard(where=array),
        lambda: sf.start(engine=array),
        lambda: sf.start(port=array),
        lambda: sf.start(clock=array),
        lambda: sf.start(on_error=array),
        lambda: sf.start(paused=array),
    ]
    for call in calls:
        with pytest.raises(sf.StatefunError):
            call()
    assert sf.session() is session
