"""Widgets where there are any: serving, tests and the command line need no Jupyter."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

from ..cells.places import warn
from ..errors import SessionError, install_command
from .publisher import Publisher
from .source import Source

__all__ = ["beside", "has_widgets", "open_view"]


def has_widgets() -> bool:
    """Does a kernel with a front-end run this, and are the widget libraries installed?

    Looked up, not imported: a program that only serves functions needs none of them.
    """
    ipykernel = sys.modules.get("ipykernel.kernelapp")
    if ipykernel is None or not ipykernel.IPKernelApp.initialized():
        return False
    return has_libraries()


def has_libraries() -> bool:
    """Are the widget libraries installed?"""
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


def beside(view: Any) -> Any:
    """Show a view beside the notebook, by jupyterlab-sidecar where it is installed.

    Elsewhere the view itself is returned, which the cell shows: JupyterLab's "Create New View for
    Cell Output" brings it to the side by hand.
    """
    try:
        sidecar = importlib.import_module("sidecar")
    except ImportError:
        warn(
            "where='right' needs jupyterlab-sidecar (pip install sidecar, and reload the page): "
            "the dashboard is shown in the cell; right-click on it, Create New View for Cell "
            "Output, brings it to the side"
        )
        return view
    place = sidecar.Sidecar(title="StateFun", anchor="split-right")
    with place:
        view._ipython_display_()
    return Beside(view, place)


class Beside:
    """A view that is shown beside the notebook, and so not once more in the cell.

    ``view`` is the widget, whose traits can be linked.
    """

    def __init__(self, view: Any, place: Any) -> None:
        self.view = view
        self._place = place

    def close(self) -> None:
        """Close the view, and its place."""
        self.view.close()
        self._place.close()

    def __repr__(self) -> str:
        return f"{self.view!r} beside the notebook"
