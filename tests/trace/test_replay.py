"""Replay: recorded invocations, run again by the functions as they are now."""

from __future__ import annotations

import asyncio
import json
import math
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import statefun_nb as sf
from statefun_nb.protocol.effects import TypedValue
from statefun_nb.testing import recorded, write_recorded
from statefun_nb.trace.case import readable, typed
from statefun_nb.trace.replay import cases_of, replay
from tests.waiting import eventually


@dataclass
class Order:
    item: str
    count: int


def declare(functions, greeting="hello"):
    """Everything that an invocation can do, in one function."""

    @sf.function("r/all", state={"n": int, "last": Order, "share": float}, functions=functions)
    def everything(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1
        ctx.storage.share = math.nan
        if message.value == "clear":
            del ctx.storage.n
        if message.value == "fail":
            raise ValueError("as asked")
        ctx.storage.last = Order(message.value, 1)
        ctx.send("r/other", "o", f"{greeting} {message.value}")
        ctx.send_after(timedelta(seconds=5), "r/other", "o", b"\xff".decode("latin-1"), token="t")
        ctx.cancel_delayed_message("t")
        ctx.send_egress(sf.kafka_egress_message("r/out", "topic", b"\xff\xfe", key="key"))
        ctx.send_egress(sf.egress_message_builder("r/out", 2.5, sf.DoubleType))

    @sf.function("r/other", functions=functions)
    async def other(ctx, message):
        await asyncio.sleep(0)
        if ctx.caller is not None:
            ctx.send_egress(sf.kafka_egress_message("r/out", "callers", ctx.caller.id))


def run(session):
    """The invocations but those that were undone with their batch."""
    return [each for each in session.invocations if each.status != "rolled back"]


@pytest.fixture
def session(functions):
    declare(functions)
    with sf.start(port=0, functions=functions, on_error="skip", clock="virtual") as found:
        found.send_many([("r/all", "a", text) for text in ("x", "y", "fail", "clear", "z")])
        found.send("r/other", "o", 1)
        found.wait_idle()
        errors = {each.error.message for each in found.invocations if each.error}
        assert errors == {"as asked"}
        assert found.invocations.filter(status="rolled back")
        yield found


def test_the_same_functions_do_the_same(session):
    before = (session.status(), session.state("r/all"), session.egress())
    again = session.replay()
    assert [each.seq for each in again] == [each.seq for each in run(session)]
    assert again.different == []
    assert repr(again) == f"{len(again)} invocations run again: {len(again)} did the same"
    assert "<table" not in again._repr_html_()
    # Nothing of it has gone anywhere.
    assert repr((session.status(), session.state("r/all"), session.egress())) == repr(before)


def test_a_changed_function_shows_what_it_would_have_done(session, functions):
    declare(functions, greeting="welcome")
    different = session.replay(session.invocations.filter(type="r/all")).different
    assert [each.message for each in different] == ["x", "y", "clear", "z"]
    assert different[0].differences == ("sent 'welcome x' (was 'hello x') to r/other 'o'",)

    @sf.function("r/all", state={"n": int, "more": str}, functions=functions)
    def less(ctx, message):
        ctx.storage.n = 7
        ctx.storage.more = "new"

    again = session.replay(session.invocations.filter(type="r/all"))
    first, failed, clear, last = (
        next(each for each in reversed(again) if each.message == text)
        for text in ("x", "fail", "clear", "z")
    )
    assert "state n: 7 (was 1)" in first.differences
    assert "state more: 'new' (was not there)" in first.differences
    assert any(each.startswith("state last: not there (was ") for each in first.differences)
    assert "not cancelled 't'" in first.differences
    assert any("to r/out, topic 'topic', key 'key'" in each for each in first.differences)
    assert "not emitted 2.5 to r/out" in first.differences
    assert "no error (was: ValueError: as asked)" in failed.differences
    assert "state n: 7 (was not there)" in clear.differences
    assert not last.same
    html = session.replay()._repr_html_()
    assert "run again" in html
    assert "&#x27;welcome" not in html


def test_a_function_that_is_gone_or_fails_now(session, functions):
    @sf.function("r/all", functions=functions)
    def broken(ctx, message):
        raise RuntimeError("now")

    del functions._functions["r/other"]
    by_type = {each.typename: each for each in session.replay()}
    assert by_type["r/all"].differences[0] == "RuntimeError: now (was: no error)"
    assert by_type["r/other"].differences[0].startswith("UnknownFunctionError: no function 'r/o")


def test_what_was_undone_with_its_batch_is_not_run_again(functions):
    @sf.function("r/f", functions=functions)
    def fails_at_two(ctx, message):
        if message.value == 2:
            raise ValueError("two")

    with sf.start(port=0, functions=functions) as session:
        session.send_many([("r/f", "a", n) for n in (1, 2, 3)])
        session.wait_idle()
        found = [(each.message.value, each.status) for each in session.invocations]
        assert found == [(1, "rolled back"), (2, "error"), (1, "ok")]
        again = session.replay()
        assert [each.message for each in again] == [2, 1]
        assert again.different == []


def test_a_recorded_file_is_a_test_that_fails_in_words(session, functions, tmp_path):
    path = tmp_path / "recorded.jsonl"
    assert write_recorded(path, cases_of(session.recorder)) == len(run(session))
    cases = recorded(path)
    for case in cases:
        case.check(functions)
    case = next(each for each in cases if str(each) == "r/all 'a' 'x'")
    declare(functions, greeting="welcome")
    with pytest.raises(
        sf.CheckFailed, match=r"r/all 'a' 'x': sent 'welcome x' \(was 'hello x'\) to r/other 'o'"
    ):
        case.check(functions)


LINE: dict[str, Any] = {
    "function": "a/b",
    "id": "i",
    "caller": None,
    "message": {"type": "io.statefun.types/long", "value": 1},
    "state": {},
    "effects": {
        "state": {}, "sent": [], "delayed": [], "cancelled": [], "egress": [], "error": None,
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"function": "nothing"}, "line 2: 'nothing' is not a typename"),
        ({"caller": "a/b"}, r"line 2: caller is null or \[typename, id\]"),
        ({"message": {"type": "t/u", "value": 1}}, "line 2: .* is not a value"),
        ({"message": {"type": "t/u", "base64": "ö"}}, "line 2: "),
        ({"message": {"type": "io.statefun.types/int", "value": 2**40}}, "line 2: "),
        ({"effects": {}}, "line 2: a recorded invocation has function, id"),
    ],
)
def test_a_line_that_is_not_as_it_should_be(change, message, tmp_path):
    path = tmp_path / "recorded.jsonl"
    path.write_text(f"{json.dumps(LINE)}\n{json.dumps(LINE | change)}\n")
    with pytest.raises(sf.DeclarationError, match=message):
        recorded(path)


def test_a_file_that_is_no_json_or_not_there(tmp_path):
    (tmp_path / "a").write_text("{")
    with pytest.raises(sf.DeclarationError, match="line 1: Expecting"):
        recorded(tmp_path / "a")
    with pytest.raises(sf.DeclarationError, match="cannot read"):
        recorded(tmp_path / "b")


BUILT_IN = ["bool", "int", "float", "long", "double", "string"]


@given(
    st.sampled_from([*(f"io.statefun.types/{name}" for name in BUILT_IN), "my/type"]),
    st.none() | st.binary(max_size=12),
)
def test_whatever_the_bytes_are_writing_them_down_loses_nothing(typename, data):
    value = TypedValue(typename, data)
    assert typed(json.loads(json.dumps(readable(value)))) == value


@pytest.mark.parametrize("style", ["sync", "async"])
def test_a_replay_that_does_not_end_is_named_and_ends_with_its_session(functions, style):
    slow: list[bool] = []

    @sf.function("t/f", functions=functions)
    def f(ctx, message):
        while slow:
            pass

    @sf.function("t/g", functions=functions)
    async def g(ctx, message):
        while slow:
            await asyncio.sleep(0.01)

    session = sf.start(port=0, functions=functions)
    for _ in range(50):
        session.send("t/f" if style == "sync" else "t/g", "a", 1)
    session.wait_idle()
    slow.append(True)
    heard: list[BaseException] = []

    def again():
        try:
            session.replay()
        except BaseException as error:
            heard.append(error)

    thread = threading.Thread(target=again)
    thread.start()
    eventually(lambda: session.running)
    (running,) = session.running
    assert running.address.id == "a"
    if style == "sync":
        eventually(lambda: session.running[0].line.startswith("test_replay.py, line "))
    assert session.stop(timeout=0.3)
    thread.join(30)
    assert not thread.is_alive()
    assert session.running == []
    (error,) = heard
    if style == "sync":
        assert isinstance(error, sf.SessionError)
        assert "was run again" in str(error)
    assert len(session.invocations) == 50


@pytest.mark.parametrize("given", ["a/f", b"a/f"])
def test_a_name_is_not_what_is_run_again(functions, given):
    with (
        sf.start(port=0, functions=functions) as session,
        pytest.raises(sf.SessionError, match=f"not {given!r}"),
    ):
        session.replay(given)


def test_a_replay_gives_the_loop_back_and_ends_when_it_is_cancelled(functions):
    ran = []

    @sf.function("r/slow", functions=functions)
    def slow(ctx, message):
        ran.append(message.value)
        time.sleep(0.02)

    with sf.start(port=0, functions=functions) as session:
        session.send_many([("r/slow", "x", n) for n in range(30)], progress=False)
        session.wait_idle()
        cases = cases_of(session.recorder)
        before = len(ran)

        async def cancelled():
            task = asyncio.ensure_future(replay(cases, functions))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return task.cancelled()

        assert session._thread.run(cancelled())
        assert len(ran) - before <= 2
