"""Notebooks that tests write."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

__all__ = ["write_notebook"]


def write_notebook(path: Path, *cells: str, ids: str = "cell-{}") -> Path:
    """A notebook of code cells, which are called cell-0, cell-1 and so on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = [new_code_cell(source, id=ids.format(n)) for n, source in enumerate(cells)]
    nbformat.write(new_notebook(cells=made), path)
    return path
