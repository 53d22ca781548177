"""The code of the documentation does what the pages say; run as it stands, page by page."""

from __future__ import annotations

import re
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
        capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
