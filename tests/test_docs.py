"""The code of the documentation does what the pages say; run as it stands, page by page."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("anywidget")

DOCS = Path(__file__).parent.parent / "docs"
# What only a real cluster can run is written as a {code-block}: tests/cluster runs it.
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAGES = {
    str(path.relative_to(DOCS)): "\n".join(BLOCK.findall(path.read_text()))
    for path in sorted(DOCS.rglob("*.md"))
    if BLOCK.search(path.read_text())
}


def test_there_are_pages_with_code():
    assert len(PAGES) >= 8


@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_runs(page, tmp_path):
    path = tmp_path / "test_page.py"
    path.write_text(PAGES[page])
    is_test = "def test_" in PAGES[page]
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider"] if is_test else ["-W", "error"]
    done = subprocess.run(
        [sys.executable, *command, str(path)],
        capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_module_and_the_commands_of_the_page_on_other_languages(tmp_path):
    page = (DOCS / "howto" / "remote.md").read_text()
    module = "---\n".join(re.findall(r"^```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE))
    for port in ("8090", "8091"):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            module = module.replace(port, str(free.getsockname()[1]))
    (tmp_path / "module.yaml").write_text(module)
    (tmp_path / "functions.py").write_text(
        "import statefun_nb as sf\n@sf.function('a/b')\ndef f(ctx, message):\n    pass\n"
    )
    commands = re.findall(r"^    statefun-nb (run .*)$", page, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        with subprocess.Popen(
            [sys.executable, "-m", "statefun_nb.cli", *command.split(), "--port", "0"],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as running:  # fmt: skip
            try:
                assert running.stdout is not None
                assert running.stderr is not None
                while "is run" not in running.stdout.readline():
                    assert running.poll() is None, running.stderr.read()
                running.terminate()
                assert running.wait(timeout=120) == 0
            finally:
                running.kill()
    assert (tmp_path / "kept.db").exists()
