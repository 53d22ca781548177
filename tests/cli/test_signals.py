"""A command that is told to end leaves nothing behind, and no traceback."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys

import pytest

from statefun_nb.cli.main import main
from statefun_nb.cli.signals import sigterm_as_ctrl_c
from tests.testing.notebooks import write_notebook
from tests.waiting import eventually

psutil = pytest.importorskip("psutil")
pytest.importorskip("nbclient")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("when", ["the kernel starts", "a cell runs"])
def test_an_export_that_is_ended_ends_its_kernel(tmp_path, number, when):
    begun = tmp_path / "begun"
    cell = f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\ntime.sleep(600)"
    notebook = write_notebook(tmp_path / "a.ipynb", cell)
    command = [sys.executable, "-m", "statefun_nb", "export", str(notebook), str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as exporting:
        me = psutil.Process(exporting.pid)
        eventually(begun.exists if when == "a cell runs" else me.children, 60)
        family = me.children(recursive=True)
        exporting.send_signal(number)
        _, err = exporting.communicate(timeout=60)
    assert exporting.returncode == 128 + number
    assert b"Traceback" not in err
    assert family
    eventually(lambda: not any(each.is_running() for each in family))


def test_a_command_without_processes_of_its_own_is_told_by_sigterm_as_by_ctrl_c(monkeypatch):
    def examined():
        signal.raise_signal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("statefun_nb.cli.main.examine", examined)
    assert main(["doctor"]) == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


def test_where_ctrl_c_is_ignored_sigterm_is_not():
    """As in a script, of what it starts with `&`."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with sigterm_as_ctrl_c() as came:
            with contextlib.suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
                pytest.fail("it went on")
            assert came == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGINT, before)
