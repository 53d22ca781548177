"""The cheat sheet has the whole API (tests/test_docs.py runs it), and fits on one page."""

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


def test_the_sheet_is_one_page(tmp_path):
    need_browser()
    pytest.importorskip("markdown_it")
    command = [sys.executable, str(DOCS / "sheet.py"), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    assert len(re.findall(rb"/Type */Page\b", (tmp_path / "cheatsheet.pdf").read_bytes())) == 1
