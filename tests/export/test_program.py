"""From cells to a module: what is taken, what is left, in which order."""

from __future__ import annotations

import pytest

import statefun_nb as sf
from statefun_nb.cells.history import plain_code
from statefun_nb.export.live import A_SESSION
from statefun_nb.export.program import Wanted, program

SESSIONS = {"s": A_SESSION}
START = "import statefun_nb as sf\ns = sf.start(port=0)"


def declared(code):
    """Run a module; the typenames it declares, with what their functions say."""
    before = dict(sf.function.__globals__["default_functions"]._functions)
    functions = sf.function.__globals__["default_functions"]
    functions._functions.clear()
    try:
        names: dict[str, object] = {}
        exec(compile(code, "functions.py", "exec"), names)
        return dict(functions._functions), names
    finally:
        functions._functions.clear()
        functions._functions.update(before)


def test_a_function_its_helpers_and_nothing_else():
    cells = [
        START,
        "import math, json\nfrom datetime import timedelta",
        "# How much more it gets.\nRATE = 3  # a factor\nunused = 5",
        "def scaled(x):\n    return math.floor(x * RATE)",
        '@sf.function("a/b")\ndef first(ctx, message):\n    return scaled(message.value)',
        's.send("a/b", "x", 1)\ns.wait_idle()',
    ]
    code = program(cells, [Wanted("a/b", "first")], SESSIONS)
    assert code == (
        '"""Stateful functions, exported from a notebook."""\n\n'
        "import statefun_nb as sf\n"
        "import math, json\n\n"
        "# How much more it gets.\n"
        "RATE = 3  # a factor\n\n\n"
        "def scaled(x):\n    return math.floor(x * RATE)\n\n\n"
        '@sf.function("a/b")\ndef first(ctx, message):\n    return scaled(message.value)\n'
    )
    assert list(declared(code)[0]) == ["a/b"]


def test_the_last_declaration_and_the_last_binding_count():
    cells = [
        START,
        "GREETING = 'hello'",
        '@sf.function("a/b")\ndef f(ctx, message):\n    return "old"',
        '@sf.function("a/c")\ndef f(ctx, message):\n    return GREETING',
        '@sf.function("a/b")\ndef f(ctx, message):\n    return GREETING + "!"',
        "GREETING = 'welcome'",
        "this is no Python",
    ]
    code = program(cells, [Wanted("a/b", "f"), Wanted("a/c", "f")], SESSIONS)
    functions, names = declared(code)
    assert functions["a/b"].fun(None, None) == "welcome!"
    assert functions["a/c"].fun(None, None) == "welcome"
    assert names["GREETING"] == "welcome"


def test_cells_that_were_run_again_come_in_an_order_that_works():
    cells = [
        "import statefun_nb as sf",
        '@sf.function("a/b", state={"n": KIND})\ndef f(ctx, message):\n    pass',
        "KIND = sf.IntType",
    ]
    functions, _ = declared(program(cells, [Wanted("a/b", "f")]))
    assert functions["a/b"].layout.specs["n"].type is sf.IntType


def test_what_grows_step_by_step_is_taken_whole():
    cells = [
        START,
        "PRICES = {}",
        'PRICES["hat"] = 10',
        "PRICES.update(socks=2)",
        "total = 1",
        "total = total + 1",
        "total += 5",
        "class Tax:\n    rate = 1",
        "Tax.rate = 2",
        '@sf.function("a/b")\ndef f(ctx, message):\n    return PRICES, total, Tax.rate',
        "print(PRICES)",
    ]
    code = program(cells, [Wanted("a/b", "f")], SESSIONS)
    functions, _ = declared(code)
    assert functions["a/b"].fun(None, None) == ({"hat": 10, "socks": 2}, 7, 2)
    assert "print" not in code


def test_classes_sets_of_functions_register_and_factories():
    cells = [
        "import statefun_nb as sf\nfunctions = sf.StatefulFunctions()",
        (
            '@sf.function("a/class", functions=functions)\n'
            "class Kept(sf.StatefulFunction):\n"
            "    n = sf.State(int)\n"
            "    def invoke(self, ctx, message):\n        pass"
        ),
        "def plain(ctx, message):\n    pass",
        'functions.register("a/registered", plain)',
        '@functions.bind(typename="a/bound")\nasync def bound(ctx, message):\n    pass',
        'functions.bind("a/applied")(plain)',
        (
            "def maker(name):\n"
            '    @sf.function(f"a/{name}", functions=functions)\n'
            "    def made(ctx, message):\n        return name"
        ),
        'for each in ("one", "two"):\n    maker(each)',
        'maker("three")',
    ]
    names = ["a/one", "a/two", "a/three"]
    code = program(
        cells,
        [
            Wanted("a/class", "Kept"),
            Wanted("a/registered", "plain"),
            Wanted("a/bound", "bound"),
            Wanted("a/applied", "plain"),
            *(Wanted(name, "maker.<locals>.made") for name in names),
        ],
    )
    _, scope = declared(code)
    assert sorted(scope["functions"]) == sorted(
        ["a/class", "a/registered", "a/bound", "a/applied", *names]
    )


def test_a_cell_that_is_a_body():
    cell = plain_code(
        "get_ipython().run_cell_magic('statefun_function', 'a/sum --state n:int', "
        "'import asyncio\\nctx.storage.n = LIMIT\\nawait asyncio.sleep(0)\\n')"
    )
    functions, _ = declared(program(["LIMIT = 3", cell], [Wanted("a/sum", "sum")]))
    assert functions["a/sum"].is_async
    assert list(functions["a/sum"].layout.specs) == ["n"]


def test_several_statements_on_a_line():
    cells = ["import statefun_nb as sf; A = 1; B = 2", '@sf.function("a/b")\ndef f(c, m):\n    A']
    code = program(cells, [Wanted("a/b", "f")])
    assert "A = 1\n" in code
    assert "B" not in code


def test_names_of_builtins_locals_and_comprehensions_need_no_cell():
    cells = [
        "import statefun_nb as sf",
        (
            '@sf.function("a/b")\n'
            "def f(ctx, message):\n"
            "    local = [x for x in range(3)]\n"
            "    def inner(y):\n        return y + len(local)\n"
            "    return inner(1)"
        ),
    ]
    assert program(cells, [Wanted("a/b", "f")]).count("\n") > 5


def test_a_star_import_may_bind_anything():
    cells = [
        "from statefun_nb import *",
        '@function("a/b")\ndef f(ctx, message):\n    return ceil(1.5)',
        "from math import *",
    ]
    functions, _ = declared(program(cells, [Wanted("a/b", "f")]))
    assert functions["a/b"].fun(None, None) == 2


def test_what_a_notebook_may_have_and_a_module_may_not():
    cells = [
        "import statefun_nb as sf\nawait s.idle()",
        "from __future__ import annotations",
        "LIMIT = 3\nresults = [await each async for each in things()]",
        '@sf.function("a/b")\ndef f(ctx, message):\n    return LIMIT',
    ]
    code = program(cells, [Wanted("a/b", "f")], SESSIONS)
    assert code.index("from __future__") < code.index("import statefun_nb")
    assert "await" not in code
    assert declared(code)[0]["a/b"].fun(None, None) == 3


def test_a_session_is_no_part_of_a_program():
    cells = [
        START,
        "def engine():\n    return s.status().engine",
        "FAST = engine() == 'embedded'",
        '@sf.function("a/b")\ndef f(ctx, message):\n    return FAST',
    ]
    with pytest.raises(
        sf.DeclarationError,
        match=r"'s' is a session, .*: engine uses s, FAST uses engine, f uses FAST; define that",
    ):
        program(cells, [Wanted("a/b", "f")], SESSIONS)


def test_what_no_cell_has():
    cell = '@sf.function("a/b")\ndef f(ctx, message):\n    return elsewhere'
    with pytest.raises(sf.DeclarationError, match=r"'elsewhere' is used by .* no cell binds it"):
        program(["import statefun_nb as sf", cell], [Wanted("a/b", "f")])
    with pytest.raises(sf.DeclarationError, match="no cell declares x/y"):
        program([cell], [Wanted("x/y", "imported")])
