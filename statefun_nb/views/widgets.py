"""Widgets where there are any: serving, tests and the command line need no Jupyter."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from ..errors import SessionError, install_command
from .publisher import Publisher
from .source import Source

__all__ = ["has_widgets", "open_view"]


def has_widgets() -> bool:
    """Does a kernel with a front-end run this, and are the widget libraries installed?

    Looked up, not imported: a program that only serves functions needs none of them.
    """
    ipykernel = sys.modules.get("ipykernel.kernelapp")
    if ipykernel is None or not ipykernel.IPKernelApp.initialized():
        return False
    return importlib.util.find_spec("anywidget") is not None


def open_view(source: Source, publisher: Publisher, kind: str, **traits: Any) -> Any:
    """A live view of a session: a widget.

    Raises
    ------
    SessionError
        When the widget libraries are not installed.
    """
    try:
        from .dashboard import Dashboard  # anywidget, traitlets and IPython: 120 ms
    except ImportError as error:
        raise SessionError(
            f"live views need Jupyter's widgets ({error}): {install_command('lab')}"
        ) from error
    return Dashboard(source, publisher, kind=kind, **traits)
