"""The magics in a real IPython shell: what they do, what they print, what they complete."""

from __future__ import annotations

import math
import warnings
from datetime import timedelta

import pytest

import statefun_nb as sf
from statefun_nb.cells.arguments import parse
from statefun_nb.magics.complete import call_suggestions, suggestions
from statefun_nb.magics.parser import line_parser
from statefun_nb.sdk.functions import default_functions
from tests.protocol.test_module_older import OF_1, OF_2

InteractiveShell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell
completer = pytest.importorskip("IPython.core.completer")


@pytest.fixture
def shell(monkeypatch):
    """A shell with the extension, and functions of its own."""
    monkeypatch.setattr("statefun_nb.sdk.functions.default_functions._functions", {})
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "statefun_nb")
    yield shell
    sf.stop()
    shell.run_line_magic("unload_ext", "statefun_nb")
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()


def statefun(shell, line):
    return shell.run_line_magic("statefun", line)


def test_a_session_by_magics_alone(shell, capsys):
    assert isinstance(statefun(shell, "start --port 0"), sf.Session)
    shell.run_cell_magic(
        "statefun_function",
        "m/count --state total:int",
        "total = (ctx.storage.total or 0) + message.value\nctx.storage.total = total\n"
        "ctx.send_egress(sf.kafka_egress_message('m/out', 't', str(total)))",
    )
    shell.user_ns["sf"] = sf
    statefun(shell, "send m/count a 7")
    statefun(shell, "send m/count a 5 --delay 1h")
    assert sf.session().wait_idle() == (1, 0, 0, 1)
    assert statefun(shell, "state m/count a") == {"total": 7}
    assert statefun(shell, "advance 1h").processed == 1
    assert statefun(shell, "state m/count") == {"a": {"total": 12}}
    assert [record.value for record in statefun(shell, "egress m/out")] == ["7", "12"]
    assert "1 egress record of m/out" in repr(statefun(shell, "egress m/out -n 1"))
    assert "there are some of m/out" in repr(statefun(shell, "egress m/other"))
    assert [each.seq for each in statefun(shell, "trace --type m/count -n 1")] == [2]
    assert statefun(shell, "status") == sf.session().status()
    statefun(shell, "pause")
    statefun(shell, "send m/count b 1")
    assert statefun(shell, "step").address.id == "b"
    statefun(shell, "resume")
    statefun(shell, "stop")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "required: command"),
        ("begin", "invalid choice: 'begin'"),
        ("send m/f", "required: id, value"),
        ("send nonsense a 1", "'nonsense' is not a typename"),
        ("send m/f a 1 --delay soon", "'soon' is not a duration"),
        ("advance -10s", "'-10s' is not a duration"),
        ("send m/f a {k + 1}", "{k + 1} is no list or dict"),  # names alone, and no evaluation
        ('send m/f a {"k": 1', "is no list or dict"),
        ("trace -n 0", "'0' is not a whole number, 1 or more"),
        ("egress -n -3", "-n"),
        ("start --port x", "invalid int value: 'x'"),
        ("start --port 70000", "port=70000"),
        ("state 'm/f", "No closing quotation"),
    ],
)
def test_a_slip_is_answered_in_one_line(shell, capsys, line, says):
    if not line.startswith("start"):
        statefun(shell, "start --port 0")
    capsys.readouterr()
    assert statefun(shell, line) is None
    out = capsys.readouterr().out
    assert says in out
    assert out.count("\n") == 1


def test_a_call_is_no_text(shell, capsys):
    statefun(shell, "start --port 0")
    sf.function("m/f")(lambda ctx, message: None)
    shell.user_ns |= {"Loan": dict, "shop": math}
    for wrong, what in [
        ("Loan('emma')", "Loan(...) is a call"),
        ("Loan('ann lee', 5).x", "Loan(...) is a call"),
        ("not Loan()", "Loan(...) is a call"),
        ("shop.sqrt(4)", "shop.sqrt(...) is a call"),
    ]:
        assert statefun(shell, f"send m/f a {wrong}") is None
        assert what in capsys.readouterr().out
    for text in ["item(s)", "smile(no) please (now)", '"Loan(1)"', "'Loan(1)' '(now)'"]:
        statefun(shell, f"send m/f a {text}")
    assert capsys.readouterr().out == ""
    sf.session().wait_idle()
    found = [each.message.value for each in sf.session().invocations]
    assert found == ["item(s)", "smile(no) please (now)", "Loan(1)", "Loan(1) (now)"]


DECLARED = """
import statefun_nb as sf
@sf.function("m/cart")
def {name}(ctx, message): ...
"""


LOGGED = """
def logged(fun):
    def wrapper(ctx, message): ...
    return wrapper
@sf.function("m/cart")
@logged
def {name}(ctx, message): ...
"""


def test_a_copied_cell_that_keeps_its_typename_is_told(shell):
    statefun(shell, "start --port 0")

    def told(code):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            assert shell.run_cell(code, store_history=True).success
        return "".join(str(each.message) for each in found)

    assert told(DECLARED.format(name="cart")) == ""
    assert told(DECLARED.format(name="cart")) == ""  # run again
    assert told(DECLARED.format(name="cart_with_remove")) == ""  # its next version
    assert told("sf.function('m/cart')(lambda ctx, message: None)") == ""
    assert told(DECLARED.format(name="cart")) == ""
    said = told(DECLARED.format(name="stock"))
    assert "m/cart is served by stock (Cell In[6], line 2) from now on, and no more by cart" in said
    assert "another typename if both are meant" in said
    assert "by reorder" in told(DECLARED.format(name="reorder"))
    assert told(LOGGED.format(name="orders")) == ""  # by a decorator that says not of whom
    assert told(DECLARED.format(name="carts")) == ""
    said = told(
        "@sf.function('m/cart')\nclass Till(sf.StatefulFunction):\n"
        "    def invoke(self, ctx, message): ..."
    )
    assert "m/cart is served by Till" in said
    statefun(shell, "stop")
    assert told(DECLARED.format(name="cart")) == ""  # no session's messages go elsewhere


BELOW = """
import statefun_nb as sf
@sf.function("m/f", state={{"n": int}})
def f(ctx, message):
    ctx.storage.n = helper(message.value)
{between}
def helper(value):
    {body}
"""
WRONG, RIGHT = "raise ValueError(value)", "return value"


def test_a_message_that_comes_back_while_its_cell_still_runs_has_all_of_the_cell(shell):
    statefun(shell, "start --port 0")
    session = sf.session()
    # What is below the function is run when its message has come back, and failed again.
    wait = "sf.session().wait_idle()"
    for number in range(5):
        assert shell.run_cell(BELOW.format(between="", body=WRONG)).success
        session.send("m/f", f"{number}", number)
        assert session.wait_idle().parked == 1
        assert shell.run_cell(BELOW.format(between=wait, body=RIGHT)).success
        assert session.wait_idle().parked == 0
    assert session.state("m/f", "3") == {"n": 3}
    (failed, *_) = session.invocations.filter(status="repaired")
    assert failed.error is not None
    assert failed.error.retries == 1


def test_show_opens_live_views(shell, capsys):
    pytest.importorskip("anywidget")
    statefun(shell, "start --port 0")
    assert (statefun(shell, "show").kind, statefun(shell, "show graph").kind) == (
        "dashboard",
        "graph",
    )
    sf.function("m/f")(lambda ctx, message: None)
    assert statefun(shell, "show m/ff bob") is None
    assert "did you mean 'm/f'?" in capsys.readouterr().out
    watch = statefun(shell, "show m/f bob")
    assert (watch.kind, watch.typename, watch.id) == ("watch", "m/f", "bob")
    assert statefun(shell, "show m/f") is None
    assert "which id? Or show one of dashboard, graph, table" in capsys.readouterr().out


def test_without_a_session_the_magics_say_how_to_start_one(shell, capsys):
    statefun(shell, "state m/f")
    assert "no session is running: %statefun start starts one" in capsys.readouterr().out
    shell.run_cell_magic("statefun_module", "", "kind: x")
    assert "no session is running: %statefun start starts one" in capsys.readouterr().out


def test_names_in_braces_are_what_the_notebook_has_under_them(shell, capsys):
    sf.function("m/f")(lambda ctx, message: print(message.value))
    statefun(shell, "start --port 0")
    shell.user_ns.update(who="bob b", what={"n": [1, "it's"]}, n=2)
    for line in ("m/f {who} {what}", "m/f a-{n} {n}", 'm/f a {"n": 1}'):
        statefun(shell, f"send {line}")
    assert capsys.readouterr().out == ""
    statefun(shell, "send m/f a {unknown}")
    assert "{unknown} is no list or dict" in capsys.readouterr().out
    sf.session().wait_idle()
    served = [(each.address.id, each.message.value) for each in sf.session().invocations]
    assert sorted(served, key=repr) == [
        ("a", {"n": 1}),
        ("a-2", 2),
        ("bob b", {"n": [1, "it's"]}),
    ]
    statefun(shell, "send m/f x it's")
    assert "No closing quotation" in (said := capsys.readouterr().out)
    assert "between marks of the other kind" in said


def test_a_state_of_a_cell_is_of_any_type_that_a_function_takes(shell, capsys):
    statefun(shell, "start --port 0")
    for line in ("m/f --state seen:list[int]", 'm/f --state "seen:dict[str, list[int]]"'):
        shell.run_cell_magic("statefun_function", line, "ctx.storage.seen = message.value")
        assert capsys.readouterr().out == ""
    statefun(shell, "send m/f a {'k': [1, 2]}")
    statefun(shell, "send m/f b {'k': ['no']}")
    sf.session().wait_idle()
    assert sf.session().state("m/f") == {"a": {"seen": {"k": [1, 2]}}}
    assert [each.address.id for each in sf.session().parked] == ["b"]
    shell.run_cell_magic("statefun_function", "m/f --state seen:list[Cart]", "pass")
    assert "'list[Cart]' is neither int" in capsys.readouterr().out.replace("bool, ", "")


def test_bytes_are_no_text(shell, capsys):
    sf.function("m/f")(lambda ctx, message: None)
    statefun(shell, "start --port 0")
    statefun(shell, "send m/f a b'x'")
    assert "cannot tell which StateFun type b'x' (bytes) has" in capsys.readouterr().out
    assert sf.session().wait_idle().processed == 0


def test_a_step_with_nothing_to_serve_says_that_it_has_paused(shell, capsys):
    statefun(shell, "start --port 0 --clock virtual")
    assert sf.session().options.clock == "virtual"
    assert statefun(shell, "step") is None
    assert "the session is paused now: %statefun resume" in capsys.readouterr().out


def test_a_cell_without_a_name_says_what_shows_how(shell, capsys):
    shell.run_cell_magic("statefun_function", "", "pass")
    assert "(%statefun_function --help shows how)" in capsys.readouterr().out


def test_a_misspelt_type_is_said_where_nothing_is_found(shell, capsys):
    sf.function("m/till")(lambda ctx, message: None)
    statefun(shell, "start --port 0")
    statefun(shell, "send m/till a 1")
    sf.session().wait_idle()
    for command in ("replay", "trace"):
        shown = repr(statefun(shell, f"{command} --type m/tll"))
        assert shown.startswith("0 invocations; did you mean 'm/till'?")
    assert repr(sf.session().invocations.filter(type="x/other")).startswith("0 invocations\n")


@pytest.mark.parametrize(
    "line", ["--help", "start --help", "send --help", "trace --help", "advance --help"]
)
def test_help_is_shown_and_nothing_else_happens(shell, capsys, line):
    assert statefun(shell, line) is None
    assert "usage: %statefun" in capsys.readouterr().out
    shell.run_line_magic("statefun_function", "--help")
    assert "NAME:TYPE" in capsys.readouterr().out
    shell.run_line_magic("statefun_function", "m/f")
    assert "%%statefun_function" in capsys.readouterr().out  # two signs, and a body


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"k": 1}', {"k": 1}),
        ("{'k': 'two words', \"l\": ['--delay']}", {"k": "two words", "l": ["--delay"]}),
        ('[1, "two words"]', [1, "two words"]),
        ('{"k": [1, 2]} --delay 1s', {"k": [1, 2]}),
        ("{k}", 5),  # a name of the notebook, as in other line magics
        ('{"open": true, "none": null}', {"open": True, "none": None}),
        ('"a [bracket] in quotes"', "a [bracket] in quotes"),
        ("two words", "two words"),
        ("two\\ words", "two words"),
        (r"c:\new", r"c:\new"),
        (r'"c:\new" 5', r"c:\new 5"),
        ("r'a b'", "a b"),
        ("'--delay' 0", "--delay 0"),
        ("1.5", 1.5),
        ("-inf", -math.inf),
        ("{endless}", {"k": [math.inf, -math.inf]}),
        ('"inf"', "inf"),
        ("info", "info"),
    ],
)
def test_what_is_sent_is_the_literal_that_was_written(shell, text, value):
    sf.function("m/f")(lambda ctx, message: None)
    shell.run_cell("k = 5; endless = {'k': [float('inf'), -float('inf')]}")
    session = sf.start(port=0, clock="virtual")
    shell.run_line_magic("statefun", f"send m/f a {text}")
    session.advance(timedelta(seconds=1))
    assert session.invocations[-1].message.value == value


def test_a_number_that_is_none_arrives_as_one(shell):
    sf.function("m/f")(lambda ctx, message: None)
    shell.run_cell("x = float('nan'); held = {'x': x}")
    session = sf.start(port=0)
    for text in ("{x}", "{held}"):
        shell.run_line_magic("statefun", f"send m/f a {text}")
    session.wait_idle()
    bare, held = (each.message.value for each in session.invocations)
    assert math.isnan(bare)
    assert math.isnan(held["x"])


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("%statefun sta", ["start", "state", "status"]),
        ("%statefun nothing x", []),
        ("%statefun start --o", ["--on-error"]),
        ("%statefun start --on-error ", ["park", "retry", "skip"]),
        ("%statefun send m/", ["m/one", "m/two"]),
        ("%statefun show m/", ["m/one", "m/two"]),
        ("%statefun", []),
        ("%statefun show g", ["graph"]),
        ("%statefun retry ", ["m/one", "m/two"]),
        ("%statefun discard m/o", ["m/one"]),
        ("%statefun trace --type ", ["m/one", "m/two"]),
        ("%statefun trace --status ", ["ok", "error", "rolled back", "repaired"]),
        ("%statefun trace --type m/one --id a", ["al", "ann"]),
        ("%statefun send m/one a", ["al", "ann"]),
        ("%statefun send --delay 5s m/one an", ["ann"]),
        ("%statefun send m/two ", []),
        ("%statefun state m/one b", ["bob"]),
        ("%statefun show m/one ann", ["ann"]),
        ("%statefun egress ", ["m/out"]),
        ("%statefun advance ", []),
        ('s.send("m/', ["m/one", "m/two"]),
        ("    ctx.send('m/t", ["m/two"]),
        ('x = s.state("m/one", "a', ["a b", "al", "ann"]),
        ('s.check("m/one", "', ["a b", "al", "ann", "bob"]),
        ('s.egress("', ["m/out"]),
        ('sf.undeclare("m/o', ["m/one"]),
        ('s.watch("m/', ["m/one", "m/two"]),
        ('s.watch("m/one", "b', ["bob"]),
        ('other.send("m/', []),
        ('s.send("m/one", "ann", "', []),
    ],
)
def test_completion(shell, line, found):
    def tells(ctx, message):
        ctx.send_egress(sf.kafka_egress_message("m/out", "t", "v"))

    for name in ("m/one", "m/two"):
        sf.function(name)(tells)
    session = sf.start(port=0)
    for id_ in ("ann", "al", "bob", "a b"):
        session.send("m/one", id_, 1)
    session.wait_idle()
    shell.user_ns |= {"s": session, "sf": sf, "other": [1]}
    if line.startswith("%"):
        assert suggestions(line) == found
    else:
        assert call_suggestions(line, shell.user_ns) == found
    # The same through the shell's own completer.
    with completer.provisionalcompleter():
        offered = [each.text for each in shell.Completer.completions(line, len(line))]
    if found:  # and none of Python's own names
        assert sorted(offered) == sorted(found)


def test_running_a_cell_again_mends_what_was_parked(shell):
    session = statefun(shell, "start --port 0")
    shell.run_cell_magic("statefun_function", "m/f --state n:int", "ctx.storage.n += 1")
    statefun(shell, "send m/f a 1")
    assert session.wait_idle() == (0, 1, 0, 0)
    failed = session.invocations[-1]
    assert failed.error.type == "TypeError"
    assert "ctx.storage.n += 1" in failed.error.traceback  # the cell's own line
    shell.run_cell_magic(
        "statefun_function", "m/f --state n:int", "ctx.storage.n = (ctx.storage.n or 0) + 1"
    )
    assert session.wait_idle() == (1, 0, 0, 0)
    assert session.state("m/f", "a") == {"n": 1}
    assert session.invocations[-1].function_version == 2


def test_a_body_that_awaits_is_async(shell):
    session = statefun(shell, "start --port 0")
    shell.run_cell("import asyncio")
    shell.run_cell_magic(
        "statefun_function", "m/f --state n:int", "await asyncio.sleep(0)\nctx.storage.n = 1"
    )
    statefun(shell, "send m/f a 1")
    session.wait_idle()
    assert session.state("m/f", "a") == {"n": 1}


@pytest.mark.parametrize(
    ("line", "cell", "says"),
    [
        ("m/f --state n", "pass", "write NAME:TYPE"),
        ("m/f --state n:complex", "pass", "complex has no StateFun type"),
        ("m/f --state n:nothing", "pass", "'nothing' is neither"),
        ("m/f --state N:int", "pass", "only lower case"),
        ("nonsense", "pass", "not a typename"),
        ("m/f", "if", "invalid syntax"),
    ],
)
def test_a_wrong_cell_declares_nothing(shell, capsys, line, cell, says):
    shell.run_cell_magic("statefun_function", line, cell)
    out = capsys.readouterr().out
    assert says in out
    assert out.count("\n") == 1
    assert "m/f" not in default_functions


def test_parsing_is_pure():
    arguments = parse(line_parser(), "send a/b id 'two words'")
    assert (arguments.typename, arguments.id, arguments.value) == ("a/b", "id", ["two words"])


@pytest.mark.parametrize("line", ["advance 9999999999d", "send a/b i 1 --delay 99999999999999d"])
def test_a_time_longer_than_any_is_told_in_a_line(shell, capsys, line):
    statefun(shell, "start --port 0")
    capsys.readouterr()
    assert statefun(shell, line) is None
    assert "is longer than any time span" in "".join(capsys.readouterr())


def test_the_clock_cannot_pass_the_year_9999(shell, capsys):
    statefun(shell, "start --port 0")
    capsys.readouterr()
    assert statefun(shell, "advance 99999999d") is None
    assert "no time after the year 9999" in capsys.readouterr().out
    assert sf.session().status().state == "running"


def test_a_module_of_2_0_is_read_in_a_cell_and_written_by_a_line(shell, capsys):
    statefun(shell, "start --port 0")
    shell.run_cell_magic("statefun_module", "", OF_1.replace("shop/cart", "far/cart"))
    capsys.readouterr()
    statefun(shell, "module --version 2.0")
    text = capsys.readouterr().out
    assert text.startswith("version: '2.0'")
    assert "type: far/cart" in text
    shell.run_cell_magic("statefun_module", "", OF_2)
    assert "DeclarationError" not in (said := capsys.readouterr().out)
    assert 'it needs engine="flink"' in said  # a Kafka ingress, as elsewhere


def test_tab_after_the_magic_of_a_cell_offers_what_is_declared(shell):
    sf.function("m/till")(lambda ctx, message: None)
    line = "%%statefun_function m/"
    with completer.provisionalcompleter():
        offered = [each.text for each in shell.Completer.completions(line, len(line))]
    assert "m/till" in offered


def test_what_is_between_quotation_marks_is_text(shell):
    values = []
    sf.function("m/f")(lambda ctx, message: values.append((ctx.address.id, message.value)))
    statefun(shell, "start --port 0")
    shell.user_ns |= {"n": 5, "text": "5", "listed": [1, "a b"], "who": "al b"}
    for line in (
        "a 5", 'a "5"', "a '5'", 'a "[1, 2]"', "a [1, 2]", 'a "two words"', 'a two "words"',
        'a {"n": "5"}', "a {n}", "a {text}", "a {listed}", "{who} {who}", '"5" "5" --delay 0ms',
        'a ""', r'a "a \"b\""',
    ):  # fmt: skip
        statefun(shell, f"send m/f {line}")
        sf.session().wait_idle()
    assert [value for _, value in values] == [
        5, "5", "5", "[1, 2]", [1, 2], "two words", "two words",
        {"n": "5"}, 5, "5", [1, "a b"], "al b", "5", "", 'a "b"',
    ]  # fmt: skip
    assert {id_ for id_, _ in values} == {"a", "al b", "5"}
    first = sf.session().invocations[0].seq
    statefun(shell, f'resend {first + 1} "7"')
    sf.session().wait_idle()
    assert values[-1] == ("a", "7")


@pytest.mark.parametrize(
    "line", ["send m/f {nope} 1", "send m/{nope} a 1", "send m/f a-{nope} 1", "state m/f {nope}"]
)
def test_a_name_in_braces_that_the_notebook_does_not_have_is_no_id(shell, capsys, line):
    statefun(shell, "start --port 0")
    sf.function("m/f")(lambda ctx, message: None)
    capsys.readouterr()
    statefun(shell, line)
    assert "UsageError: %statefun: the notebook has no variable 'nope'" in capsys.readouterr().out
    assert len(sf.session().invocations) == 0
    statefun(shell, 'send m/f "{nope}" 1')  # meant so
    sf.session().wait_idle()
    assert sf.session().invocations[0].address.id == "{nope}"
