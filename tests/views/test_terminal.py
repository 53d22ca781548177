"""A terminal: views show as words, and leaving is quiet."""

from __future__ import annotations

import sys

import pytest

pexpect = pytest.importorskip("pexpect")
pytest.importorskip("anywidget")

CODE = """\
import statefun_nb as sf
@sf.function("t/f")
def f(ctx, message): ctx.send_egress(sf.egress_message_builder("t/out", "x", sf.StringType))

s = sf.start(port=0)
d = s.dashboard()
d
s.send("t/f", "a", 1); s.wait_idle()
s.graph()
"""


def test_ipython_leaves_without_a_traceback(tmp_path):
    options = ["--simple-prompt", "--no-banner", "--colors=NoColor", "--no-confirm-exit"]
    shell = pexpect.spawn(
        sys.executable,
        ["-m", "IPython", *options],
        encoding="utf-8",
        timeout=90,
        cwd=str(tmp_path),
        env={"IPYTHONDIR": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    (tmp_path / "cells.py").write_text(CODE)
    shown = ""
    for line in ("%run -i cells.py", "d", 's.send("t/f", "b", 2); s.wait_idle()', "exit"):
        shell.expect(r"In \[\d+\]: ")
        shown += shell.before
        shell.sendline(line)
    shell.expect(pexpect.EOF)
    shown += shell.before
    shell.close()
    assert "<statefun_nb dashboard>" in shown
    assert "Idle(processed=1" in shown
    assert "Traceback" not in shown
    assert shell.exitstatus == 0
