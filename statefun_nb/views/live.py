"""The live views of one session, and the thread that keeps them up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..address import address_of
from .filters import check_filter
from .publisher import Publisher
from .report import report_page
from .snapshot import snapshot_page
from .source import Source
from .tab import Page, Tab
from .widgets import beside, has_libraries, has_widgets, open_view

__all__ = ["LiveViews"]


class LiveViews:
    """Opens views of a session; its methods are those of ``Session``, which documents them.

    Parameters
    ----------
    source : Source
        The session.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._publisher: Publisher | None = None  # from the first view on
        self._tab: Tab | None = None  # from the first page of its own on

    def dashboard(self, where: str) -> Any:
        if where == "browser":
            if self._tab is None:
                self._tab = Tab(self._source)
            return Page(self._tab.url)
        view = self._open("dashboard")
        return beside(view) if where == "right" else view

    def watch(self, typename: str, id: str) -> Any:
        address_of(typename, id)
        return self._open("watch", typename=typename, id=id)

    def graph(self) -> Any:
        return self._open("graph")

    def table(self, filter: str) -> Any:
        check_filter(filter)
        return self._open("table", filter=filter)

    def snapshot_html(self, path: str | Path) -> Path:
        target = Path(path)
        target.write_text(snapshot_page(self._source), encoding="utf-8")
        return target

    def report(self, path: str | Path) -> Path:
        target = Path(path)
        target.write_text(report_page(self._source), encoding="utf-8")
        return target

    def display(self) -> None:
        """Show the dashboard as a cell's value.

        Raises
        ------
        NotImplementedError
            Where there are no widgets: IPython shows the session's table instead.
        """
        if not has_widgets():
            raise NotImplementedError
        self.dashboard("cell")._ipython_display_()

    def shown(self) -> Any:
        """The dashboard, where no kernel of Jupyter shows it; None without the libraries."""
        return self.dashboard("cell") if has_libraries() else None

    def _open(self, kind: str, **traits: Any) -> Any:
        if self._publisher is None:
            self._publisher = Publisher()
        return open_view(self._source, self._publisher, kind, **traits)

    def stop(self) -> None:
        """The session has ended: the views show that, and are published no more."""
        if self._publisher is not None:
            self._publisher.stop()
        tab, self._tab = self._tab, None
        if tab is not None:
            tab.close()
