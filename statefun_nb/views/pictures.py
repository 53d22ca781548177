"""The static pictures beside live views: what a saved or exported notebook has to show."""

from __future__ import annotations

import time
from collections import deque

from IPython import get_ipython
from IPython.display import DisplayHandle, display

from .snapshot import snapshot_fragment, summary
from .source import Source

__all__ = ["Pictures"]

# So many of a session are kept up to date: a cell that is run again shows a new one each time.
_KEPT = 4
# A picture follows when nothing has come for so long.
_QUIET_SECONDS = 1.0


class _Picture:
    def __init__(self, source: Source, kind: str, name: str) -> None:
        self._source = source
        self._kind = kind
        self._name = name
        self._drawn: tuple[int, str] | None = None
        handle = display(self._draw(), raw=True, display_id=True)  # type: ignore[no-untyped-call]
        self._handle: DisplayHandle | None = handle

    def _now(self) -> tuple[int, str]:
        return self._source.recorder.count, self._source.status().state

    @property
    def outdated(self) -> bool:
        return self._handle is not None and self._now() != self._drawn

    def _draw(self) -> dict[str, str]:
        self._drawn = self._now()
        html = snapshot_fragment(self._source, self._kind, self._name)
        return {"text/html": html, "text/plain": summary(self._source)}

    def refresh(self) -> None:
        if self.outdated and self._handle is not None:
            self._handle.update(self._draw(), raw=True)  # type: ignore[no-untyped-call]


class Pictures:
    """The pictures of one session, redrawn at the end of each cell and when it is quiet.

    Parameters
    ----------
    source : Source
        The session.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._kept: deque[_Picture] = deque(maxlen=_KEPT)
        self._count = -1
        self._changed_at = 0.0
        self._shell = get_ipython()
        if self._shell is not None:
            self._shell.events.register("post_run_cell", self._cell_has_run)

    def show(self, kind: str, name: str) -> None:
        """Display a picture below what was displayed last; ``name`` is the view that hides it."""
        self._kept.append(_Picture(self._source, kind, name))

    def _cell_has_run(self, _: object) -> None:
        """Whoever saves the notebook now has what the cell did in it, without any page open."""
        self.refresh()

    def refresh(self) -> None:
        """Redraw what is outdated."""
        for picture in tuple(self._kept):
            picture.refresh()

    @property
    def outdated(self) -> bool:
        """Is anything to be redrawn?"""
        return any(picture.outdated for picture in tuple(self._kept))

    def refresh_when_quiet(self) -> None:
        """Redraw what is outdated, unless it will be so again at once."""
        count, now = self._source.recorder.count, time.monotonic()
        if count != self._count:
            self._count, self._changed_at = count, now
        elif now - self._changed_at > _QUIET_SECONDS:
            self.refresh()

    def close(self) -> None:
        """The session has ended: draw it a last time."""
        self.refresh()
        if self._shell is not None:
            self._shell.events.unregister("post_run_cell", self._cell_has_run)
        self._kept.clear()
