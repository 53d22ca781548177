"""Notebooks that tests write."""

from __future__ import annotations

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")

__all__ = ["write_notebook"]


def write_notebook(path: Path, *cells: str, ids: str = "cell-{}") -> Path:
    """A notebook of code cells, which are called cell-0, cell-1 and so on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = [nbformat.v4.new_code_cell(source, id=ids.format(n)) for n, source in enumerate(cells)]
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)
    return path
