"""What a program has from outside: files, and what time or chance gave when it was imported."""

from __future__ import annotations

import pytest

import statefun_nb as sf
from statefun_nb.export.cases import choose
from statefun_nb.export.outside import data_files, unsettled
from statefun_nb.export.program import Wanted
from statefun_nb.trace.replay import cases_of

USER = """
import statefun_nb as sf
@sf.function("a/b")
def f(ctx, message):
    return RATE

@sf.function("a/other")
def g(ctx, message):
    return 1
"""
F = [Wanted("a/b", "f"), Wanted("a/other", "g")]


@pytest.mark.parametrize(
    ("made", "asked"),
    [
        ("import random\nRATE = random.random()", "made by chance (random.random)"),
        ("from random import random as r\nRATE = [r()]", "made by chance (random.random)"),
        ("import numpy as np\nRATE = np.random.rand(3)", "made by chance (numpy.random.rand)"),
        ("from numpy.random import default_rng\nRATE = default_rng()", "made by chance"),
        ("import uuid\nRATE = str(uuid.uuid4())", "made by chance (uuid.uuid4)"),
        ("import time\nRATE = time.time()", "reads the clock (time.time)"),
        ("from datetime import datetime\nRATE = datetime.now()", "(datetime.datetime.now)"),
        ("import random\ndef made():\n    return random.random()\nRATE = made()", "made by chance"),
        ("import random\nSEED = random.random()\nRATE = 2 * SEED", "uses SEED, which is made by"),
    ],
)
def test_what_chance_or_the_clock_gave_is_found(made, asked):
    found = unsettled(made + USER, F)
    assert asked in found.pop("a/b")
    assert not found


@pytest.mark.parametrize(
    "made",
    [
        "RATE = 5",
        "import random\nRATE = random.Random(7)",
        "import random\ndef RATE():\n    return random.random()",  # what a call asks is watched
        "import random\nUNUSED = random.random()\nRATE = 1",
        "class random:\n    random = int\nRATE = random.random()",
    ],
)
def test_what_is_the_same_each_time_is_not(made):
    assert unsettled(made + USER, F) == {}


def test_nothing_recorded_of_an_unsettled_function_becomes_a_test(functions):
    for typename in ("a/b", "a/other"):
        functions.register(typename, lambda ctx, message: None)
    with sf.start(port=0, functions=functions) as session:
        session.send_many([("a/b", "x", 1), ("a/b", "x", 2), ("a/other", "x", 1)])
        session.wait_idle()
        chosen = choose(cases_of(session.recorder), functions, {"a/b": "uses RATE, by chance"})
    assert [case.address.typename for case in chosen.cases] == ["a/other"]
    (left_out,) = chosen.left_out
    assert (left_out.function, left_out.number) == ("a/b", 2)
    assert "uses RATE, by chance" in str(left_out)
    assert chosen.others == 0


def test_files_beside_the_notebook_go_along(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rates.csv").write_text("1")
    (tmp_path / "data.txt").write_text("1")
    code = """
DATA = open('data.txt').read()
RATES = pd.read_csv(filepath_or_buffer="data/rates.csv")
print("nothing.txt", "data.txt is read", "", "/etc/hostname")
"""
    assert data_files(code, tmp_path) == {
        "data.txt": tmp_path / "data.txt",
        "data/rates.csv": tmp_path / "data" / "rates.csv",
    }


def test_a_file_that_cannot_go_along_is_named(tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    (tmp_path / "above.txt").write_text("1")
    (here / "module.yaml").write_text("1")
    (here / "large.txt").write_text("12345")
    with pytest.raises(
        sf.DeclarationError, match=r"open\(.*above.txt'\) reads .* not below the no"
    ):
        data_files("open('../above.txt')", here)
    with pytest.raises(sf.DeclarationError, match="has a file of that name: rename it"):
        data_files("open('module.yaml')", here, ["module.yaml"])
    monkeypatch.setattr("statefun_nb.export.outside._MOST_BYTES", 4)
    with pytest.raises(sf.DeclarationError, match="is too large to be copied"):
        data_files("open('large.txt')", here)
