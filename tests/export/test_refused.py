"""What a module cannot have is refused by its name, and by who uses it; the rest is carried."""

from __future__ import annotations

import functools
import io
import queue
import socket
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

import statefun_nb as sf
from statefun_nb.cells.body import function_text
from statefun_nb.export.live import A_SESSION, live, refusal
from statefun_nb.export.program import Refusal, Wanted, program
from tests.export.test_program import declared

IMPORT = "import statefun_nb as sf"
USER = '@sf.function("a/b")\ndef f(ctx, message):\n    return {}'
F = [Wanted("a/b", "f")]


@pytest.mark.parametrize(
    ("cell", "used", "message"),
    [
        ("RATES = await fetch()", "RATES['EUR']", "'RATES' is bound by a top-level await"),
        ("async with opened() as RATES:\n    pass", "RATES", "'RATES' is bound by a top-level"),
        ("N = [x async for x in stream()]", "N", "'N' is bound by a top-level await.*f uses N"),
        ("", "display(message.value)", "'display' is IPython's.*import it: from IPython"),
        ("files = get_ipython().getoutput('ls')", "files", "'get_ipython' is IPython's.*f uses fi"),
        ("N = sf.session().status().processed", "N", "'sf.session' is of a session.*N uses sf.ses"),
        ("from statefun_nb import session as now\nN = now()", "N", "'now' is of a session"),
        ("from statefun_nb import *\nN = session()", "N", "'session' is of a session.*N uses"),
        ("", "_", "'_' is used by what is exported, and no cell binds it.*f uses _"),
    ],
)
def test_it_is_named_before_anything_is_written(cell, used, message):
    with pytest.raises(sf.DeclarationError, match=message):
        program([IMPORT, cell, USER.format(used)], F)


def test_an_await_in_a_function_is_no_awaiting_cell():
    helper = "async def fetch():\n    async with a() as b:\n        await b\n    return [1]"
    code = program([IMPORT, "from a import a", helper, USER.format("fetch, lambda: 1")], F)
    assert "await b" in code


def test_what_awaits_and_nobody_uses_is_left_out():
    code = program([IMPORT, "await s.idle()\nN = 1", USER.format("N")], F)
    assert "idle" not in code


def test_a_refused_name_says_why_and_what_to_do():
    refused = {"db": Refusal("an open file (x)", "open it in f"), "s": A_SESSION}
    cells = [IMPORT, "db = open('x')", "def ask():\n    return db", USER.format("ask()")]
    message = r"'db' is an open file \(x\): ask uses db, f uses ask; open it in f"
    with pytest.raises(sf.DeclarationError, match=message):
        program(cells, F, refused)
    assert "ask" not in program([IMPORT, "db = 1", USER.format("1")], F, refused)


def test_what_an_import_binds_its_module_makes():
    cells = [IMPORT, "from beside import client", USER.format("client")]
    refused = {"client": Refusal("a live object", "")}
    assert "from beside import client" in program(cells, F, refused)


def test_partials_lambdas_and_objects_are_declared_by_the_text_of_their_cells():
    cells = [
        "import statefun_nb as sf, functools\nfunctions = sf.StatefulFunctions()",
        "def scaled(ctx, message, factor):\n    return factor",
        'twice = sf.function("a/twice")(functools.partial(scaled, factor=2))',
        'functions.register("a/thrice", functools.partial(scaled, factor=3))',
        'THE_NAME = "a/named"\nsf.function(THE_NAME)(lambda ctx, message: 4)',
        'for name in ("x", "y"):\n    sf.function(f"a/{name}")(lambda ctx, message: 5)',
        "five = lambda: 5\nhandle = lambda ctx, message: five()",
        'functions.register("a/five", handle)',
    ]
    names = ["twice", "thrice", "named", "x", "y", "five"]
    code = program(cells, [Wanted(f"a/{name}", "<lambda>") for name in names])
    functions, scope = declared(code)
    assert sorted(functions) == ["a/named", "a/twice", "a/x", "a/y"]
    assert sorted(scope["functions"]) == ["a/five", "a/thrice"]
    assert functions["a/twice"].fun(None, None) == 2
    assert scope["functions"].for_typename("a/five").fun(None, None) == 5


def test_two_functions_of_one_name_under_typenames_that_have_names():
    cells = [
        IMPORT,
        'ONE = "a/one"\nTWO = "a/two"',
        "@sf.function(ONE)\ndef f(ctx, message):\n    return 1",
        "@sf.function(TWO)\ndef f(ctx, message):\n    return 2",
    ]
    functions, _ = declared(program(cells, [Wanted("a/one", "f"), Wanted("a/two", "f")]))
    assert [each.fun(None, None) for each in functions.values()] == [1, 2]


class Client:
    """As a library's is."""

    def close(self):
        pass


@dataclass
class Gateway:
    """As one of a cell, when its module is made __main__."""

    client: object

    def close(self):
        pass


Gateway.__module__ = "__main__"


@pytest.fixture
def opened(tmp_path):
    with (
        (tmp_path / "x").open("w") as file,
        socket.socket() as listening,
        ThreadPoolExecutor(1) as pool,
    ):
        database = sqlite3.connect(":memory:")
        yield {
            "file": file, "socket": listening, "pool": pool, "database": database,
            "thread": threading.Thread(), "client": Client(), "task": pool.submit(int),
        }  # fmt: skip
        database.close()


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("file", "an open file (_io.TextIOWrapper)"),
        ("socket", "a socket (socket.socket)"),
        ("database", "a connection to a database (sqlite3.Connection)"),
        ("thread", "a thread (threading.Thread)"),
        ("client", "a live object (tests.export.test_refused.Client)"),
        ("task", "a task (concurrent.futures._base.Future)"),
    ],
)
def test_live_objects_are_found_wherever_they_are(opened, name, what):
    value = opened[name]
    assert live(value) == what
    assert live({"a": [(1, value)]}) == what
    assert live(functools.partial(print, value)) == what
    assert live(Gateway(value)) == what
    assert live(Gateway(value).close) == what
    found = refusal(value)
    assert found is not None
    assert found.what == what
    assert "functools.cache" in found.cure


def test_what_a_statement_makes_anew_is_carried(opened, tmp_path):
    closed = (tmp_path / "y").open("w")
    closed.close()
    values: list[object] = [
        threading.Lock(), threading.RLock(), threading.Event(), queue.Queue(), opened["pool"],
        io.StringIO(), closed, map(str, ()), Gateway(None), Client, sf, sf.StatefulFunctions(),
        [1, "a", None], 3.5, print,
    ]  # fmt: skip
    for value in values:
        assert refusal(value) is None, value


def test_a_module_that_asks_is_not_asked():
    class Proxy:
        def __getattr__(self, name):
            raise AssertionError(name)

    assert live(Proxy()) is None


def test_a_cell_that_is_a_body_is_named_by_its_typename():
    text = function_text("shop/aw", [], "return foo")
    with pytest.raises(sf.DeclarationError, match=r"'foo' is .*the function shop/aw uses foo"):
        program([IMPORT, text], [Wanted("shop/aw", "serve_aw")])
