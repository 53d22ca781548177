"""Notebooks that use the kit pass pytest's plugins for notebooks as they are, wherever they run."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys

import pytest

import statefun_nb as sf
import statefun_nb_pytest as plugin
from statefun_nb.trace.running import Running
from tests.requirements import need_notebook_tools

# What a user's notebook does: sends, timers, state, dashboards, errors, replay; no tag, no comment.
CELLS = """
%load_ext statefun_nb
from datetime import timedelta
import statefun_nb as sf
s = sf.start(port=0, clock="virtual")
---
s
---
@sf.function("shop/cart", state={"items": dict, "opened": str})
def cart(ctx, message):
    items = ctx.storage.items or {}
    for item, count in message.value.items():
        items[item] = items.get(item, 0) + count
        ctx.send("shop/stock", item, -count)
    ctx.storage.items = items
    ctx.send_after(timedelta(hours=1), "shop/clerk", ctx.address.id, "still there?", token="ask")
---
@sf.function("shop/stock", state={"free": int})
def stock(ctx, message):
    ctx.storage.free = (ctx.storage.free or 0) + message.value
    print("free:", ctx.storage.free)
---
%%statefun_function shop/clerk --state asked:int
ctx.storage.asked = (ctx.storage.asked or 0) + 1
ctx.send_egress(sf.kafka_egress_message("shop/out", "mails", ctx.address.id))
---
s.send_many([("shop/stock", item, 10) for item in ("hat", "scarf")])
s.send("shop/cart", "ann", {"hat": 2})
s.wait_idle(timers=False)
---
s.dashboard()
---
s.invocations
---
print(repr(s.invocations[-1]))
s.invocations[-1]
---
s.advance(timedelta(hours=1))
s.egress("shop/out")
---
s.state("shop/cart")
---
s.send("shop/cart", "bob", ["hat"])
s.wait_idle()
---
print(s.parked[0].line, s.parked[0].reason)
print(s.invocations.filter(status="error")[-1].error.traceback)
s.parked
---
%%statefun_function shop/cart --state items:dict
ctx.storage.items = {item: 1 for item in message.value}
---
s.wait_idle()
s.watch("shop/cart", "bob")
---
s.replay()
---
import tempfile
s.export(tempfile.mkdtemp() + "/project").files["functions.py"]
---
s.invocations.to_dataframe()
---
import warnings
print(object(), s.url)
warnings.warn("of a cell")
%time sum(range(100_000))
---
s.status()
---
s.check("shop/cart", "bob").state(items={"hat": 1}).invoked(1)
""".strip().split("\n---\n")

MACHINES = [
    {"TZ": zone, "LC_ALL": locale, "LANG": locale, "COLUMNS": columns}
    for zone, locale, columns in [
        ("UTC", "C.UTF-8", "80"),
        ("XXX-13", "C", "40"),
        ("YYY+9:30", "de_DE.UTF-8", "200"),
    ]
]
BUSY = "while True: pass"


def store(path, cells):
    """Write a notebook as its user has run and saved it."""
    need_notebook_tools()
    import nbclient
    import nbformat

    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbclient.NotebookClient(made, timeout=120).execute()
    nbformat.write(made, path)
    return path


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return store(tmp_path_factory.mktemp("stored") / "user.ipynb", CELLS)


@pytest.fixture
def notebook(stored, tmp_path):
    return shutil.copy(stored, tmp_path / stored.name)


def run(*command, cwd, **environment):
    return subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=cwd, capture_output=True, text=True, check=False, env={**os.environ, **environment},
    )  # fmt: skip


def passed(done, count):
    """Has a run of pytest ended well, with so many tests?"""
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
    assert f"{count} passed" in done.stdout
    return True


def validate(path, *options, **environment):
    command = ("pytest", *options, "-p", "no:cacheprovider", "-W", "error", path.name)
    return run(*command, cwd=path.parent, **environment)


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@contextlib.contextmanager
def busy_cores():
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(2)]
    try:
        yield
    finally:
        for each in others:
            each.kill()
            each.wait()


def test_a_notebook_validates_ten_times_on_machines_that_differ(notebook):
    for turn in range(10):
        with busy_cores() if turn % 4 == 1 else contextlib.nullcontext():
            done = validate(notebook, "--nbval", **MACHINES[turn % len(MACHINES)])
        assert passed(done, len(CELLS))


def test_a_notebook_validates_laxly(notebook):
    assert passed(validate(notebook, "--nbval-lax"), len(CELLS))


def test_what_is_different_is_still_found(notebook):
    change(notebook, "invocations run again", "of them run again")
    change(notebook, "<statefun_nb watch>", "<statefun_nb graph>")
    change(notebook, "StateFun, embedded engine", "StateFun, flink engine")
    failed = re.findall(
        r"^FAILED .*::Cell (\d+)", validate(notebook, "--nbval").stdout, re.MULTILINE
    )
    live = [
        n for n, cell in enumerate(CELLS) if re.match(r"s$|s\.dash|.*s\.watch", cell, re.DOTALL)
    ]
    assert [int(each) for each in failed] == [*live, CELLS.index("s.replay()")]


def test_what_a_bar_has_left_in_a_stored_notebook_is_nothing(notebook):
    import nbformat

    stored = nbformat.read(notebook, 4)
    for text in ("\r75000 messages [00:01]", "\r99000 messages [00:02]", "\r" + " " * 30, "\r"):
        bar = nbformat.v4.new_output("stream", name="stderr", text=text)
        stored.cells[CELLS.index('s.wait_idle()\ns.watch("shop/cart", "bob")')].outputs.append(bar)
    nbformat.write(stored, notebook)
    assert passed(validate(notebook, "--nbval"), len(CELLS))


@pytest.mark.parametrize(("first", "outcome"), [("import statefun_nb", 0), ("import json", 1)])
def test_a_notebook_without_the_kit_is_validated_as_ever(tmp_path, first, outcome):
    path = store(tmp_path / "small.ipynb", [first, "print(object())"])
    assert validate(path, "--nbval").returncode == outcome


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"cells": [1]}',
        '{"cells": [{"cell_type": "markdown", "source": "import statefun_nb"}]}',
    ],
)
def test_what_is_no_notebook_with_the_kit_is_left_alone(tmp_path, text):
    (tmp_path / "x.ipynb").write_text(text)
    assert not plugin.uses_the_kit(tmp_path / "x.ipynb")


def test_a_start_of_pytest_does_not_import_the_package():
    need_notebook_tools()
    (entry,) = importlib.metadata.entry_points(group="pytest11", name="statefun_nb")
    assert entry.value == plugin.__name__
    code = "import sys, pytest; pytest.main(['--version']); sys.exit('statefun_nb' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_it_runs_under_nbmake(notebook):
    assert passed(validate(notebook, "--nbmake", "-W", "default"), 1)


@pytest.mark.parametrize(
    "command",
    [("papermill", "user.ipynb", "user.ipynb"), ("jupyter", "execute", "--inplace", "user.ipynb")],
)
def test_what_other_tools_store_validates(notebook, command):
    done = run(*command, cwd=notebook.parent)
    assert done.returncode == 0, done.stderr
    assert passed(validate(notebook, "--nbval"), len(CELLS))


FRAME_CODE = """%load_ext statefun_nb
import tempfile
import statefun_nb as sf
s = sf.start(port=0, clock="virtual")
---
@sf.function("a/f", state={"n": int})
def f(ctx, message):
    ctx.storage.n = message.value
s.send_many([("a/f", "x", n) for n in range(3)])
s.wait_idle()
df = s.invocations.to_dataframe()
---
print("answer:", 42)
print(df[["id", "message", "duration_ms"]])
print("after:", 43)
---
print(df[["id", "duration_ms"]].to_string(line_width=14)); print("after:", 44)
---
print(df["duration_ms"]); print("after:", 45)
---
print("before:", 46); print(df.iloc[0]); df
---
print(tempfile.mkdtemp(), tempfile.mkdtemp() + "/kept", 47)
""".strip().split("\n---\n")


def test_of_a_frame_with_durations_the_frame_alone_is_not_compared(tmp_path):
    path = store(tmp_path / "frames.ipynb", FRAME_CODE)
    for environment in MACHINES:
        assert passed(validate(path, "--nbval", **environment), len(FRAME_CODE))
    stored = path.read_text(encoding="utf-8")
    for said in ("answer: 42", "after: 43", "after: 44", "after: 45", "before: 46", "kept 47"):
        path.write_text(stored.replace(f"{said}\\n", f"{said[:-2]}99\\n"), encoding="utf-8")
        assert path.read_text(encoding="utf-8") != stored
        done = validate(path, "--nbval")
        assert f"1 failed, {len(FRAME_CODE) - 1} passed" in done.stdout, said


def test_what_runs_is_shown_without_the_clock_of_this_process():
    address = sf.SdkAddress("a", "f", "x", "a/f")
    assert repr(Running(address, 1.5, True)) == repr(Running(address, 2.5, True))
