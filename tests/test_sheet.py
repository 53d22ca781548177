"""The cheat sheet has the whole API runs without an error, and fits on one page."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import statefun_nb as sf
from tests.requirements import need_browser

DOCS = Path(__file__).parent.parent / "docs"
SHEET = (DOCS / "cheatsheet.md").read_text(encoding="utf-8")
CLASSES = (sf.Session, sf.Context, sf.State, sf.Check, sf.Invocation)
# The same in other words, one of which is there; and what is seen by looking at the value.
SAID = {"spec", "of", "raw_value", "target", "batch", "cause", "changed", "repaired", "rolled_back",
        "function_version", "seq", "time"}  # fmt: skip


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_the_sheet_has_every_name_of(cls):
    names = {name for name in dir(cls) if not name.startswith("_")} - SAID
    assert len(names) >= 4
    assert not {name for name in names if not re.search(rf"\b{name}\b", SHEET)}


def test_the_sheet_has_every_function_and_type_of_the_package():
    names = [name for name in sf.__all__ if name.islower() or name.endswith("Type")]
    lacking = {name for name in names if not re.search(rf"\b{name}\b", SHEET)}
    assert lacking == set()


# After each cell: what parks, and what an invocation raises, the cells themselves do not show.
NO_ERROR = """
s.wait_idle(timers=False)
assert [*s.parked] == []
assert [(each.address, each.error) for each in s.invocations.filter(
    lambda each: each.error and each.address.typename != "shop/tax")] == []
"""


def test_the_cells_of_the_sheet_run_and_no_function_fails(tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    blocks = re.findall(r"^```python\n(.*?)^```", SHEET, re.DOTALL | re.MULTILINE)
    ends = next(at for at, block in enumerate(blocks) if block.endswith("\nsf.stop()\n"))
    cells = [block + NO_ERROR for block in blocks[:ends]]
    cells.append(blocks[ends].replace("\nsf.stop()\n", f"{NO_ERROR}sf.stop()\n"))
    cells += blocks[ends + 1 :]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=60, resources=resources).execute()


def test_the_sheet_is_one_page(tmp_path):
    need_browser()
    pytest.importorskip("markdown_it")
    command = [sys.executable, str(DOCS / "sheet.py"), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    assert len(re.findall(rb"/Type */Page\b", (tmp_path / "cheatsheet.pdf").read_bytes())) == 1
