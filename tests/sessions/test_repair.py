"""Nothing bad is for ever: what is parked is seen, tried again, given up, sent again."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta

import pytest

import statefun_nb as sf
from tests.waiting import eventually


def fragile(functions, bad=()):
    """A function that fails for some values, until they are taken out of the set."""
    bad = set(bad)

    @sf.function("r/f", state={"seen": list}, functions=functions)
    def f(ctx, message):
        if message.value in bad:
            raise ValueError(f"not {message.value}")
        ctx.storage.seen = [*(ctx.storage.seen or []), message.value]

    return bad


def test_what_is_parked_says_why_where_and_how_often(engine, functions):
    fragile(functions, [2])
    engine.send_many([("r/f", "a", n) for n in (1, 2, 3)])
    assert engine.wait_idle().parked == 2
    (parked,) = engine.parked
    assert str(parked.address) == "r/f 'a'"
    assert (parked.reason, parked.waiting, parked.undeclared) == ("ValueError: not 2", 2, False)
    assert parked.line.startswith("test_repair.py, line ")
    assert "1 parked address\n" in repr(engine.parked)
    assert "not 2" in engine.parked._repr_html_()
    (failed,) = engine.invocations.filter(status="error")
    assert failed.error.retries + 1 == parked.attempts
    assert not failed.repaired
    assert failed.time <= parked.since
    assert engine.status().errors == 1


def test_retry_tries_again_and_marks_the_error_repaired(engine, functions):
    bad = fragile(functions, [1])
    engine.send_many([("r/f", "a", 1), ("r/f", "b", 1), ("r/f", "c", 2)])
    engine.wait_idle()
    assert len(engine.parked) == 2
    assert engine.retry("r/f", "a") == 1  # it fails again: one error still, one more attempt
    engine.wait_idle()
    assert {each.attempts for each in engine.engine.parked()} == {0}  # the session knows them
    assert {each.address.id: each.attempts for each in engine.parked} == {"a": 2, "b": 1}
    assert engine.status().errors == 2
    bad.clear()
    assert engine.retry() == 2
    assert engine.wait_idle().processed == 2
    assert engine.parked == []
    errors = engine.invocations.filter(status="error")
    assert [each.repaired for each in errors] == [True, True]
    assert "repaired (ValueError: not 1)" in repr(engine.invocations)
    engine.send("r/f", "c", 3)
    engine.wait_idle()
    bad.add(3)
    engine.send("r/f", "d", 3)
    engine.wait_idle()
    repaired = engine.invocations.filter(status="repaired")
    assert [each.seq for each in repaired] == [each.seq for each in errors]
    assert repaired.filter(id="a")[0].seq == errors.filter(id="a")[0].seq
    assert len(engine.invocations.filter(status="error")) == 3
    bad.clear()
    assert engine.retry() == 1
    engine.wait_idle()
    assert engine.retry() == 0


def test_among_equal_messages_only_the_one_that_failed_is_repaired(engine, functions):
    most = [2]

    @sf.function("r/full", state={"n": int}, functions=functions)
    def full(ctx, message):
        if (ctx.storage.n or 0) == most[0]:
            raise ValueError("full")
        ctx.storage.n = (ctx.storage.n or 0) + 1

    engine.pause()
    engine.send_many([("r/full", "a", "hello")] * 4)
    engine.resume()
    assert engine.wait_idle().parked == 2
    (failed,) = engine.invocations.filter(status="error")  # the two before it went through
    assert (failed.repaired, engine.status().errors) == (False, 1)
    most[0] = 4
    engine.retry()
    engine.wait_idle()
    assert engine.state("r/full", "a") == {"n": 4}
    (failed,) = engine.invocations.filter(status="error")
    assert (failed.repaired, engine.status().errors) == (True, 1)


def test_only_what_is_meant_is_tried_again(engine, functions):
    fragile(functions, [1])
    engine.send("r/f", "a", 1)
    engine.wait_idle()
    with pytest.warns(UserWarning, match="r/f 'b' has had no message: nothing waits there"):
        assert engine.retry("r/f", "b") == 0
    with pytest.raises(sf.UnknownFunctionError, match="no function 'r/other' is declared"):
        engine.retry("r/other")
    assert engine.retry("r/f") == 1
    with pytest.raises(sf.SessionError, match="of which function"):
        engine.retry(id="a")
    with pytest.raises(sf.DeclarationError, match="is not a typename"):
        engine.retry("nonsense")
    engine.wait_idle()


def test_discard_gives_up_the_message_at_the_head_and_the_rest_goes_on(engine, functions):
    fragile(functions, [2, 4])
    engine.send_many([("r/f", "a", n) for n in (1, 2, 3, 4)])
    engine.wait_idle()
    assert engine.discard("r/f", "a").value == 2
    engine.wait_idle()
    assert engine.state("r/f", "a") == {"seen": [1, 3]}
    assert engine.parked[0].reason == "ValueError: not 4"
    given_up = engine.discard("r/f", "a")
    assert (given_up.typename, given_up.value) == ("io.statefun.types/long", 4)
    assert engine.wait_idle() == (0, 0, 0, 0)
    assert engine.parked == []
    assert not any(each.repaired for each in engine.invocations)
    with pytest.raises(sf.EngineError, match="r/f 'a' is not parked"):
        engine.discard("r/f", "a")
    engine.send("r/f", "a", 5)
    engine.wait_idle()
    assert engine.state("r/f", "a") == {"seen": [1, 3, 5]}


def test_what_waits_for_a_function_is_discarded_one_by_one(engine, functions):
    with pytest.warns(UserWarning, match="is declared"):
        engine.send_many([("r/f", "a", n) for n in (1, 2)])
    engine.wait_idle()
    assert engine.discard("r/f", "a").value == 1
    (parked,) = engine.parked
    assert (parked.waiting, parked.undeclared) == (1, True)
    assert engine.discard("r/f", "a").value == 2
    assert engine.parked == []
    fragile(functions)
    engine.send("r/f", "a", 3)
    engine.wait_idle()
    assert engine.state("r/f", "a") == {"seen": [3]}


def test_an_address_that_backs_off_is_tried_at_once_or_given_up(functions):
    bad = fragile(functions, [1, 2])
    with sf.start(port=0, functions=functions, on_error="retry", clock="virtual") as session:
        session.send("r/f", "a", 1)
        session.send("r/f", "b", 2)
        session.wait_idle()
        assert session.discard("r/f", "b").value == 2
        bad.clear()
        assert session.retry("r/f") == 1
        session.advance(timedelta(0))
        assert session.state("r/f") == {"a": {"seen": [1]}}


def test_what_was_given_up_stays_so_after_a_restart(functions, tmp_path):
    fragile(functions, [2])
    options = {"port": 0, "functions": functions, "durable": tmp_path / "kept.db"}
    with sf.start(**options) as session:
        session.send_many([("r/f", "a", n) for n in (1, 2, 3)])
        session.wait_idle()
        session.discard("r/f", "a")
    with sf.start(**options) as session:
        session.wait_idle()
        assert session.state("r/f", "a") == {"seen": [1, 3]}


def test_a_message_is_sent_again_as_it_was_or_changed(engine, functions):
    fragile(functions, ["bad"])
    engine.send("r/f", "a", "bad")
    engine.send("r/f", "b", "good")
    engine.wait_idle()
    by_id = {each.address.id: each for each in engine.invocations}
    engine.discard("r/f", "a")
    engine.resend(by_id["b"].seq)
    engine.resend(by_id["a"].seq, "mended")
    engine.resend(by_id["b"].seq, "later", delay=timedelta(seconds=5))
    engine.wait_idle()
    assert engine.state("r/f") == {"a": {"seen": ["mended"]}, "b": {"seen": ["good", "good"]}}
    engine.advance(timedelta(seconds=5))
    assert engine.state("r/f", "b") == {"seen": ["good", "good", "later"]}
    assert engine.invocations[-1].caller is None


def test_another_value_has_the_type_that_the_message_had(engine, functions):
    types = []

    @sf.function("r/f", functions=functions)
    def f(ctx, message):
        types.append(message.value_typename())

    engine.send("r/f", "a", 1, type=sf.IntType)
    engine.wait_idle()
    engine.resend(1, 2)
    engine.wait_idle()
    assert types == [sf.IntType.typename] * 2
    with pytest.raises(sf.ConversionError, match=r"io\.statefun\.types/int"):
        engine.resend(1, "two")
    with pytest.raises(sf.EngineError, match="invocation 99 is not kept"):
        engine.resend(99)


def test_what_parked_before_its_function_was_taken_back_says_both(engine, functions):
    fragile(functions, [2])
    engine.send("r/f", "a", 2)
    engine.wait_idle()
    sf.undeclare("r/f", functions=functions)
    assert engine.parked[0].reason == "ValueError: not 2 (its function is declared no more)"


def test_why_a_message_waits_for_its_function_is_told_as_it_is_now(engine, functions):
    with pytest.warns(UserWarning, match="no function 'r/lat' is declared"):
        engine.send("r/lat", "a", 1)
    engine.wait_idle()
    assert "(declared: none)" in engine.parked[0].reason
    sf.function("r/late", functions=functions)(lambda ctx, message: None)
    (parked,) = engine.parked
    assert "(declared: r/late)" in parked.reason
    assert parked.reason.endswith("did you mean 'r/late'?")
    assert parked.reason in repr(engine.parked)  # what to do stands at its end
    assert "did you mean &#x27;r/late&#x27;?" in engine.parked._repr_html_()
    for number in range(40):
        sf.function(f"workshop/function_{number}", functions=functions)(lambda ctx, message: None)
    assert len(engine.parked[0].reason) > 1_000
    assert "did you mean 'r/late'?" in repr(engine.parked)


CELL = """
@sf.function("r/h", functions=functions)
def f(ctx, message):
    global tried
    tried = globals().get("tried", 0) + 1
    sum(price(each) for each in message.value)
"""


@pytest.fixture
def notebook(engine, functions):
    """Names of cells, with a function whose message waits for one of them."""
    names = {"sf": sf, "functions": functions, "prices": {}}
    exec(CELL, names)
    engine.send("r/h", "a", ["hat"])
    engine.wait_idle()
    return names


def test_who_waits_for_a_helper_of_another_cell_is_told_that_it_has_been_set(engine, notebook):
    assert engine.parked[0].reason.startswith("NameError: name 'price' is not defined")
    assert engine.parked[0].reason == engine.engine.parked()[0].reason  # nothing has changed
    exec("def price(item):\n    return prices[item]", notebook)
    assert engine.parked[0].reason.endswith(" (price has been set since: s.retry() tries again)")
    engine.retry()
    engine.wait_idle()
    assert engine.parked[0].reason == "KeyError: 'hat'"
    for _ in range(20):  # a function that is gone leaves its place in memory to another one
        exec("def price(item):\n    return prices[item]", notebook)
        assert "(price has been set since" in engine.parked[0].reason
    notebook["prices"] = {"hat": 7}
    assert "(price, prices have been set since: s.retry() tries again)" in engine.parked[0].reason
    engine.retry()
    assert engine.wait_idle().parked == 0


def test_a_name_that_is_gone_or_that_counts_has_not_been_set(engine, notebook):
    cell = "def price(item):\n    global calls\n    calls += 1\n    raise KeyError(calls)"
    exec(f"calls = 0\n{cell}", notebook)
    engine.retry()
    engine.wait_idle()
    notebook["calls"] += 1
    assert engine.parked[0].reason == "KeyError: 1"
    del notebook["price"]
    assert engine.parked[0].reason == "KeyError: 1"


def test_what_a_helper_has_returned_and_what_led_to_an_error_is_looked_at(engine, notebook):
    exec(
        "def rates(): return RATES\n"
        "def price(item):\n"
        "    try:\n        return rates()[item]\n"
        "    except KeyError as error:\n        raise RuntimeError('no price') from error\n"
        "RATES = {}",
        notebook,
    )
    engine.retry()
    engine.wait_idle()
    notebook["RATES"] = {"hat": 1}
    assert engine.parked[0].reason.startswith("RuntimeError: no price (RATES has been set since")


def test_a_deep_recursion_is_remembered_as_the_function_that_it_is_of(engine, notebook):
    exec("LIMIT = 1\ndef price(item): return price(item) + LIMIT", notebook)
    engine.retry()
    engine.wait_idle()
    last = engine._handler.failures.find(engine.parked[0].address)
    assert [sorted(each.objects) for each in last.names] == [["LIMIT", "globals", "price", "sum"]]


def test_a_declaration_waits_for_nobody_unless_a_type_of_state_has_changed(engine, functions):
    def declared(state):
        sf.function("r/c", state={"k": state}, functions=functions)(lambda ctx, message: None)

    entered, leave = threading.Event(), threading.Event()

    @sf.function("r/slow", functions=functions)
    def slow(ctx, message):
        entered.set()
        leave.wait(10)

    declared(int)
    engine.send("r/c", "a", 1)
    engine.wait_idle()
    engine.send("r/slow", "a", 1)
    assert entered.wait(10)
    try:
        begin = time.monotonic()
        for _ in range(10):
            declared(int)
        assert time.monotonic() - begin < 2.5  # each look at the engine would take 0.5 s
        declared(str)  # which waits, and is not answered
    finally:
        leave.set()
    engine.wait_idle()


def test_a_type_of_state_that_cannot_be_kept_is_told_where_it_is_declared(engine, functions):
    def declared(**state):
        @sf.function("r/c", state=state, functions=functions)
        def c(ctx, message):
            if message.value:
                ctx.storage.k = message.value
            else:
                del ctx.storage.k

    declared(k=int)
    declared(k=str)  # nobody has a value of it
    engine.send("r/c", "a", "text")
    engine.wait_idle()
    with pytest.warns(UserWarning, match=r"s\.set_state\('r/c', 'a', k=None\)"):
        declared(k=int)
    declared(k=str)
    engine.send("r/c", "b", "text")
    engine.wait_idle()
    with pytest.warns(UserWarning, match="1 other address has one"):
        declared(k=int)
    declared(k=str)
    engine.send("r/c", "b", "")  # its function clears it
    engine.wait_idle()
    with pytest.warns(UserWarning, match=r"k=None\)\), or start"):
        declared(k=int)
    declared(k=str)
    engine.send("r/c", "a", "again")
    assert engine.wait_idle().parked == 0
    assert engine.state("r/c", "a") == {"k": "again"}


def test_a_function_that_is_taken_back_leaves_its_messages_waiting(engine, functions):
    fragile(functions)
    engine.send("r/f", "a", 1)
    engine.wait_idle()
    sf.undeclare("r/f", functions=functions)
    with pytest.warns(UserWarning, match="no function 'r/f' is declared"):
        engine.send("r/f", "a", 2)
    assert engine.wait_idle().parked == 1
    fragile(functions)
    engine.wait_idle()
    assert engine.state("r/f", "a") == {"seen": [1, 2]}


def test_clearing_the_last_value_lets_all_go_that_wait_for_it(engine, functions):
    sf.function("r/c", state={"k": int, "other": int}, functions=functions)(
        lambda ctx, message: setattr(ctx.storage, "k", message.value)
    )
    engine.send_many([("r/c", id_, 1) for id_ in "abc"])
    engine.wait_idle()

    with pytest.warns(UserWarning, match="'k' of r/c .* 2 other addresses have one"):

        @sf.function("r/c", state={"k": str, "other": int}, functions=functions)
        def corrected(ctx, message):
            if ctx.address.id == "bad":
                raise ValueError("for another reason")
            ctx.storage.k = f"now {message.value}"

    engine.send_many([("r/c", id_, 2) for id_ in ["a", "b", "c", "new"]])
    assert engine.wait_idle().parked == 4
    assert all("2 other addresses have one" in each.reason for each in engine.parked)
    engine.set_state("r/c", "b", k=None)
    assert engine.wait_idle().parked == 4
    assert all("1 other address has one" in each.reason for each in engine.parked)
    engine.set_state("r/c", "a", k=None)
    engine.set_state("r/c", "c", k=None)
    assert engine.wait_idle() == (4, 0, 0, 0)
    assert engine.state("r/c") == {id_: {"k": "now 2"} for id_ in ["a", "b", "c", "new"]}
    engine.send("r/c", "bad", 3)
    engine.wait_idle()
    engine.set_state("r/c", "a", k=None)
    engine.wait_idle()
    assert engine.parked[0].attempts == 1  # what waits for something else is left alone


def test_what_is_queued_while_paused_can_be_discarded(engine, functions):
    sf.function("r/q", state={"n": int}, functions=functions)(
        lambda ctx, message: setattr(ctx.storage, "n", (ctx.storage.n or 0) + message.value)
    )
    engine.pause()
    engine.send_many([("r/q", "a", n) for n in (1, 2, 4)])
    engine.send("r/q", "b", 8)
    assert engine.discard("r/q", "a").value == 1
    assert engine.discard("r/q", "b").value == 8
    assert engine.status().queued == 2
    with pytest.raises(sf.EngineError, match="r/q 'b' is not parked: there is nothing to discard"):
        engine.discard("r/q", "b")
    engine.resume()
    assert engine.wait_idle().processed == 2
    assert engine.state("r/q") == {"a": {"n": 6}}


def test_what_is_delayed_or_in_flight_is_refused_with_what_to_do(functions):
    go = threading.Event()

    @sf.function("r/q", functions=functions)
    async def q(ctx, message):
        await asyncio.to_thread(go.wait, 60)

    with sf.start(port=0, functions=functions) as session:
        session.send("r/q", "later", 1, delay=timedelta(hours=1))
        session.wait_idle(timers=False)
        with pytest.raises(sf.EngineError, match="1 delayed message for r/q 'later' falls due"):
            session.discard("r/q", "later")
        session.send("r/q", "x", 1)
        eventually(lambda: session.running)
        with pytest.raises(sf.EngineError, match="r/q 'x' is being served, and what is in flight"):
            session.discard("r/q", "x")
        go.set()


def test_a_message_that_fails_again_is_one_error_though_its_record_is_gone(functions):
    fragile(functions, [1])
    sf.function("r/g", functions=functions)(lambda ctx, message: None)
    with sf.start(port=0, functions=functions, trace_limit=2) as session:
        session.send("r/f", "a", 1)
        session.wait_idle()
        session.send_many([("r/g", str(n), n) for n in range(200)], progress=False)
        session.wait_idle()
        assert not session.invocations.filter(status="error")
        session.retry()
        session.wait_idle()
        assert session.parked[0].attempts == 2
        assert session.status().errors == 1
        (failed,) = session.invocations.filter(status="error")
        assert failed.error is not None
        assert failed.error.retries == 1


def test_who_holds_a_value_is_counted_for_the_name_that_is_told(engine, functions):
    sf.function("r/c", state={"k": int, "other": int}, functions=functions)(
        lambda ctx, message: setattr(ctx.storage, message.value, 1)
    )
    engine.send_many([("r/c", "a", "k"), ("r/c", "b", "k"), ("r/c", "a", "other")])
    engine.wait_idle()
    with pytest.warns(UserWarning, match="'k' of r/c .* cannot become"):
        sf.function("r/c", state={"k": str, "other": int}, functions=functions)(
            lambda ctx, message: None
        )
    engine.send("r/c", "a", "k")
    engine.wait_idle()
    assert "1 other address has one" in engine.parked[0].reason
    with pytest.warns(UserWarning, match="'other' of r/c .* cannot become"):
        sf.function("r/c", state={"k": int, "other": str}, functions=functions)(
            lambda ctx, message: None
        )
    engine.wait_idle()
    assert "'other'" in engine.parked[0].reason
    assert "other address" not in engine.parked[0].reason
