"""Self-checks: what is right passes, and what is not is said in words."""

from __future__ import annotations

from datetime import timedelta

import pytest

import statefun_nb as sf


@pytest.fixture
def session(functions):
    @sf.function("k/person", state={"visits": int, "name": str}, functions=functions)
    def person(ctx, message):
        if message.value == "boom":
            raise ValueError("no such greeting")
        ctx.storage.visits = (ctx.storage.visits or 0) + 1
        ctx.send("k/greeter", ctx.address.id, f"hello {ctx.storage.visits}")
        ctx.send_after(timedelta(hours=1), "k/greeter", "later", 1)
        ctx.send_egress(sf.kafka_egress_message("k/out", "greetings", message.value))

    @sf.function("k/greeter", state={"visits": int}, functions=functions)
    def greeter(ctx, message):
        pass

    with sf.start(port=0, functions=functions) as found:
        found.send("k/person", "bob", "hi")
        found.send("k/person", "bob", "again")
        yield found


def test_what_is_right_passes_and_says_what_it_was(session):
    check = (
        session.check("k/person", "bob")
        .state(visits=2, name=None)
        .invoked(2)
        .sent(2, to="k/greeter")
        .sent(1, to="k/greeter", id="bob", value="hello 2")
        .delayed(2, to="k/greeter", id="later", value=1)
        .emitted(1, to="k/out", topic="greetings", value="hi")
        .emitted(0, to="k/elsewhere")
        .failed(0)
    )
    assert repr(check).splitlines()[:3] == [
        "k/person 'bob'",
        "✓ state visits=2, name=None",
        "✓ invoked 2 times",
    ]
    assert "✓ sent 1 to k/greeter &#x27;bob&#x27;" in check._repr_html_()


def test_what_is_not_there_gets_no_tick(session):
    check = session.check("k/person", "bob")
    with pytest.raises(
        sf.CheckFailed, match=r"no state 'visit' \(declared: visits, name\); did you"
    ):
        check.state(visit=None)
    for ask in (check.sent, check.delayed):
        with pytest.raises(
            sf.UnknownFunctionError, match=r"no function 'k/greter' .* did you mean"
        ):
            ask(0, to="k/greter")
    assert repr(check).count("✓") == 0
    check.sent(0, to="k/person").emitted(0, to="k/typo")
    assert "✓ emitted 0 to k/typo (nothing has gone to it; there are records of 'k/out')" in repr(
        check
    )


WRONG = {
    "a value": (
        lambda check: check.state(visits=3),
        (
            "k/person 'bob': state 'visits' is 2, not 3; invocation \\d+ set it last, "
            "for the message 'again'"
        ),
    ),
    "a type": (lambda check: check.state(visits=2.0), r"is 2, not 2.0 \(int, float\)"),
    "a name": (
        lambda check: check.state(visit=2),
        r"it declares no state 'visit' \(declared: visits, name\); did you mean 'visits'\?",
    ),
    "a name for nothing": (
        lambda check: check.state(vissits=None),
        r"it declares no state 'vissits' \(declared: visits, name\); did you mean 'visits'\?",
    ),
    "what is not there": (
        lambda check: check.state(name="bob"),
        r"state 'name' is not there; it keeps {'visits': 2}$",
    ),
    "how often": (lambda check: check.invoked(1), r"it was invoked 2 times \(expected: once\)"),
    "not at all": (lambda check: check.failed(2), r"it never failed \(expected: 2 times\)"),
    "so often": (lambda check: check.invoked(0), r"it was invoked 2 times \(expected: never\)"),
    "a target": (
        lambda check: check.sent(1, to="k/greeter", id="al"),
        "it sent 0 to k/greeter 'al', not 1; it sent 'hello 1' to k/greeter 'bob', 'hello 2'",
    ),
    "a record": (
        lambda check: check.emitted(1, to="k/out", value="HI"),
        "it emitted 0 to k/out with the value 'HI', not 1; it emitted 'hi' to k/out 'greetings'",
    ),
    "a delay": (
        lambda check: check.delayed(1, to="k/person"),
        "it sent 0 with a delay to k/person, not 1; it sent with a delay: 1 to k/greeter 'later'",
    ),
    "an error": (
        lambda check: check.failed(error="KeyError"),
        r"it never raised KeyError \(expected: once\)",
    ),
}


@pytest.mark.parametrize(("ask", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_in_words(session, ask, words):
    with pytest.raises(sf.CheckFailed, match=words):
        ask(session.check("k/person", "bob"))


@pytest.mark.parametrize(
    ("typename", "id_", "words"),
    [
        ("k/person", "bobb", r"no message has come to this id; did you mean 'bob'\?"),
        ("k/person", "zoe", "no message has come to this id; known ids: 'bob'"),
        ("k/greeter", "bob", "though it was invoked 2 times: does it write its state"),
    ],
)
def test_an_address_that_keeps_nothing_says_why(session, typename, id_, words):
    with pytest.raises(sf.CheckFailed, match=words):
        session.check(typename, id_).state(visits=1)


def test_a_check_of_no_value_asks_nothing_and_does_not_pass(session):
    with pytest.raises(sf.SessionError, match=r"asks for {'n': 1}, without a name: write"):
        session.check("k/person", "bob").state({"n": 1})
    with pytest.raises(sf.SessionError, match=r"state\(\) asks nothing: write a value"):
        session.check("k/person", "bob").state()


def test_a_function_that_there_has_never_been_is_not_checked(session):
    with pytest.raises(sf.UnknownFunctionError, match="no function 'k/persn' is declared"):
        session.check("k/persn", "bob")
    with pytest.raises(sf.UnknownFunctionError, match=r"did you mean 'k/person'\?"):
        session.state("k/persn")
    with pytest.raises(sf.UnknownFunctionError, match="no message has gone to it"):
        session.state("k/persn", "bob")
    with pytest.raises(sf.DeclarationError, match="is not a typename"):
        session.state("person")


def test_a_function_that_waits_for_its_cell_has_no_state_yet(session):
    with pytest.warns(UserWarning, match="no function 'k/later' is declared"):
        session.send("k/later", "bob", 1)
    assert session.state("k/later") == {}
    assert session.state("k/later", "bob") == {}


def test_an_egress_without_records_says_which_have_some(session):
    session.wait_idle()
    records = session.egress("k/outt")
    assert records == []
    assert repr(records) == "0 egress records of k/outt; there are some of k/out"
    assert repr(session.egress("k/out")).startswith("2 egress records of k/out\n")


def test_an_address_that_only_failed_says_with_what(session):
    session.send("k/person", "al", "boom")
    check = session.check("k/person", "al")
    with pytest.raises(
        sf.CheckFailed, match=r"parked: ValueError: no such greeting, at test_checks\.py"
    ):
        check.state(visits=1)
    assert check.failed(1, error="ValueError") is check


def test_it_waits_until_nothing_moves(session):
    session.send_many((("k/person", "bob", "hi") for _ in range(2_000)), progress=False)
    session.check("k/person", "bob").state(visits=2_002)


def test_a_count_is_not_told_from_a_part_of_what_there_was(functions):
    @sf.function("k/a", state={"n": int}, functions=functions)
    def count(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1

    @sf.function("k/b", functions=functions)
    def forward(ctx, message):
        ctx.send("k/a", "x", message.value)

    with sf.start(port=0, functions=functions, trace_limit=50, batch_limit=1) as session:
        session.send("k/b", "first", 1)
        session.send_many([("k/a", "x", 1)] * 100, progress=False)
        check = session.check("k/b", "first")
        for ask in (
            lambda: check.sent(0, to="k/a"),
            lambda: check.invoked(0),
            lambda: check.failed(0),
            lambda: check.emitted(0, to="k/out"),
            lambda: check.delayed(0, to="k/a"),
        ):
            with pytest.raises(sf.CheckFailed, match="52 older invocations of this session are no"):
                ask()
        session.check("k/a", "x").state(n=101)
        session.recorder.clear()
        session.send("k/b", "first", 1)
        session.check("k/b", "first").invoked(1).sent(1, to="k/a")


def test_without_a_trace_nothing_is_counted_as_right(functions):
    @sf.function("k/bad", functions=functions)
    def bad(ctx, message):
        raise ValueError("on purpose")

    with sf.start(port=0, functions=functions, trace=False) as session:
        session.send_many([("k/bad", id_, 1) for id_ in "ab"], progress=False)
        session.wait_idle()
        for times in (0, 1):
            with pytest.raises(sf.CheckFailed, match=r"keeps no trace \(trace=False\)"):
                session.check("k/bad", "a").failed(times)
        assert session.status().errors == 2


def test_what_was_deleted_is_told_by_whom(functions):
    @sf.function("c/loan", state={"due": int}, functions=functions)
    def loan(ctx, message):
        if message.value == "back":
            del ctx.storage.due
        elif message.value == "late":
            raise ValueError("too late")
        else:
            ctx.storage.due = 1

    with sf.start(port=0, functions=functions) as session:
        for value in ("lend", "back"):
            session.send("c/loan", "x", value)
            session.wait_idle()
        with pytest.raises(sf.CheckFailed, match="nothing; invocation 2 deleted it, for the mess"):
            session.check("c/loan", "x").state(due=1)
        session.send("c/loan", "y", "back")
        session.wait_idle()
        with pytest.raises(sf.CheckFailed, match="invoked once: does it write its state"):
            session.check("c/loan", "y").state(due=1)
        session.send("c/loan", "y", "late")
        session.wait_idle()
        with pytest.raises(sf.CheckFailed, match=r"nothing; .*too late"):
            session.check("c/loan", "y").state(due=1)
