"""A notebook, read from its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import StatefunError, install_command

__all__ = ["read_notebook"]


def read_notebook(path: Path) -> Any:
    """A notebook of format 4.

    Raises
    ------
    StatefunError
        When it cannot be read, is no notebook, or what runs notebooks is not installed.
    """
    try:
        import nbclient  # noqa: F401 - who reads one is about to run it
        import nbformat
    except ImportError as error:
        raise StatefunError(
            f"running a notebook needs nbclient: {install_command('lab')}"
        ) from error
    _check_cells(path)
    try:
        return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except OSError as error:
        raise StatefunError(f"cannot read {path}: {error.strerror}") from error
    except Exception as error:  # nbformat has several for what is not a notebook
        raise StatefunError(f"{path} is not a notebook: {error}") from error


def _check_cells(path: Path) -> None:
    """Raise for JSON that has no cells: nbformat would take it for one of its first version."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return  # nbformat says it
    if not (isinstance(found, dict) and {"cells", "worksheets"} & found.keys()):
        raise StatefunError(f"{path} is not a notebook: it has no cells")
