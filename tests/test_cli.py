"""``statefun-nb`` as it is typed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from statefun_nb import __version__
from statefun_nb.cli import main


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "statefun_nb.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_demo_runs_the_greeter_and_some_flights():
    pytest.importorskip("pandas")
    done = run("demo", "--flights", "2000")
    assert done.returncode == 0, done.stderr
    assert "20,000 messages to 100 persons" in done.stdout
    assert "2,000 records" in done.stdout
    assert "alerts of late arrivals" in done.stdout


def test_help_and_version():
    assert "demo" in run("--help").stdout
    assert run("--version").stdout.strip() == __version__


def test_an_unknown_command_is_a_usage_error():
    done = run("nonsense")
    assert done.returncode == 2
    assert "invalid choice: 'nonsense'" in done.stderr


def test_without_pandas_the_demo_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert main(["demo"]) == 1
    assert 'pip install "statefun_nb[lab]"' in capsys.readouterr().err
