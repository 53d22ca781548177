"""The live views of a session, as methods of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from ..address import address_of
from .publisher import Publisher
from .source import Source
from .widgets import has_widgets, open_view

__all__ = ["LiveViews"]


class LiveViews:
    """What a session shows of itself while it runs; a base of ``Session``, which is a ``Source``."""

    _publisher: Publisher | None = None  # of live views, from the first on

    def dashboard(self) -> Any:
        """The live view of everything: invocations, state, what was sent, flows, timers.

        It goes on while a cell runs; a saved notebook keeps a static picture of it.

        Raises
        ------
        SessionError
            When the widget libraries are not installed.
        """
        return self._view("dashboard")

    def watch(self, typename: str, id: str) -> Any:  # noqa: A002
        """A live view of one address: its state, and its last invocations."""
        address_of(typename, id)
        return self._view("watch", typename=typename, id=id)

    def graph(self) -> Any:
        """A live view of who sends to whom."""
        return self._view("graph")

    def table(self, filter: str = "") -> Any:  # noqa: A002
        """A live table of invocations, such as those of ``"type:example/person status:error"``."""
        return self._view("table", filter=filter)

    def snapshot_html(self, path: str | Path) -> Path:
        """Write what the session has done to one self-contained HTML page; returns its path."""
        from .snapshot import snapshot_page

        target = Path(path)
        target.write_text(snapshot_page(cast(Source, self)), encoding="utf-8")
        return target

    def _view(self, kind: str, **traits: Any) -> Any:
        if self._publisher is None:
            self._publisher = Publisher()
        return open_view(cast(Source, self), self._publisher, kind, **traits)

    def _ipython_display_(self) -> None:
        """In a notebook a session displays as its dashboard, elsewhere as a table."""
        if not has_widgets():
            raise NotImplementedError
        self.dashboard()._ipython_display_()

    def _stop_publishing(self) -> None:
        if self._publisher is not None:
            self._publisher.stop()
