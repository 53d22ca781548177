"""A bar shows where somebody looks."""

from __future__ import annotations

import sys
import types

import IPython
import pytest

from statefun_nb.cells.progress import ProgressLine, progress_bar


@pytest.mark.parametrize(("terminal", "shown"), [(True, True), (False, False)])
def test_on_a_terminal_only(monkeypatch, terminal, shown):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    assert progress_bar(total=1).disable is not shown


def test_in_a_notebook(monkeypatch):
    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    assert not progress_bar(total=1).disable
    shell.kernel = None  # IPython in a pipe
    assert progress_bar(total=1).disable


def test_a_line_is_gone_with_its_empty_text(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    line = ProgressLine()
    line("StateFun is starting")
    line("its job is starting")
    line("")
    shown = capsys.readouterr().err
    assert "StateFun is starting ... 00:00" in shown
    assert "its job is starting ... 00:00" in shown
    assert shown.rsplit("\r", 2)[1].strip() == ""


def test_a_line_in_a_log_file_says_nothing(capsys):
    line = ProgressLine()
    line("StateFun is starting")
    line("")
    assert capsys.readouterr() == ("", "")
