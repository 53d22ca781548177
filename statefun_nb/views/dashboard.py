"""The widgets: traits that a notebook can link, and the messages between kernel and browser.

Messages carry one buffer of JSON each. Updates wait for the browser: when ten are
unacknowledged, one in two seconds goes out, so that neither a slow page nor one that was closed
without a word has more and more queued up for it.
"""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

import anywidget
import traitlets
from IPython.display import display

from ..errors import StatefunError
from .bundle import bundled
from .calls import Calls
from .feed import Feed
from .pictures import Pictures
from .publisher import Publisher
from .source import Source
from .wire import Problem

__all__ = ["Dashboard"]

_WINDOW = 10
_KNOCK_SECONDS = 2.0
# Rows that rush by cannot be read: drawing them ten times a second would take the time of the
# functions that make them.
_BURST_SECONDS = 0.5


class Dashboard(anywidget.AnyWidget):
    """A live view of a session: all of it, or one part.

    Made by ``s.dashboard()``, ``s.watch(...)``, ``s.graph()`` and ``s.table()``.

    Attributes
    ----------
    filter : str
        What the invocations table shows, such as ``"type:example/person id:bob status:error"``.
    paused : bool
        Is the engine paused; setting it pauses or resumes.
    selected : int
        The ``seq`` of the open invocation; 0: none.
    pane : str
        Which pane is shown: "invocations", "waiting", "state", "outgoing", "timeline", "graph",
        "functions", "timers" or "send".

    Examples
    --------
    ``ipywidgets.jslink((text_box, "value"), (dashboard, "filter"))``
    """

    # Text and not paths: of a path anywidget keeps every widget that was ever made alive.
    _esm = bundled("dashboard.js")
    _css = bundled("dashboard.css")

    kind = traitlets.Unicode("dashboard").tag(sync=True)
    typename = traitlets.Unicode("").tag(sync=True)
    id = traitlets.Unicode("").tag(sync=True)
    filter = traitlets.Unicode("").tag(sync=True)
    paused = traitlets.Bool(default_value=False).tag(sync=True)
    selected = traitlets.Int(0).tag(sync=True)
    pane = traitlets.Unicode("invocations").tag(sync=True)
    picture = traitlets.Unicode("").tag(sync=True)  # names the static picture that this replaces

    def __init__(self, source: Source, publisher: Publisher, **traits: Any) -> None:
        self._source = source
        self._publisher = publisher
        self._calls = Calls(source)
        # What follows belongs to the publisher's thread.
        self._feed = Feed(source, rows=traits.get("kind", "dashboard") != "watch")
        self._looking: set[str] = set()  # the pages that do
        self._sent = self._acknowledged = 0
        self._sent_at = 0.0
        super().__init__(paused=source.engine.paused, picture=secrets.token_hex(8), **traits)
        self.on_msg(self._received)
        publisher.add(self)

    # From the browser, on the kernel's main thread or a subshell's.

    def _received(self, _: object, content: dict[str, Any], __: object) -> None:
        kind, page = content.get("kind"), str(content.get("page", ""))
        if kind == "call":
            self._send_json(self._calls.answer(content))
        elif kind == "ack":
            self._publisher.run(self._acknowledge, int(content["number"]))
        elif kind == "hello":
            self._publisher.run(self._hello, page)
        elif kind == "visible":
            self._publisher.run(self._look, page, bool(content["visible"]))

    @traitlets.observe("paused")
    def _pause_or_resume(self, change: dict[str, Any]) -> None:
        if change["new"] == self._source.engine.paused:
            return
        try:
            if change["new"]:
                self._source.pause()
            else:
                self._source.resume()
        except StatefunError:  # it was stopped
            self.paused = change["old"]

    # On the publisher's thread.

    def _acknowledge(self, number: int) -> None:
        self._acknowledged = max(self._acknowledged, number)

    def _hello(self, page: str) -> None:
        self._feed.restart()
        self._acknowledged = self._sent
        self._look(page, visible=True)

    def _look(self, page: str, visible: bool) -> None:
        if visible:
            self._looking.add(page)
        else:
            self._looking.discard(page)
        self._publisher.wake()

    def publish(self) -> bool:
        """Send what is new; False when nobody looks just now."""
        paused = self._source.engine.paused
        if paused != self.paused:
            self.paused = paused
        if not self._looking:
            return False
        now = time.monotonic()
        late = self._sent - self._acknowledged >= _WINDOW
        pause = _KNOCK_SECONDS if late else _BURST_SECONDS if self._feed.behind else 0.0
        if now - self._sent_at < pause:
            return True
        try:
            update = self._feed.update()
        except Exception as error:  # of a user's type: without it the view would stand still
            self._sent_at = now
            self._send_json(Problem(kind="problem", text=f"{type(error).__name__}: {error}"))
            return True
        if update is not None:
            self._sent, self._sent_at = update["number"], now
            self._send_json(update)
        return True

    def _send_json(self, message: Any) -> None:
        data = json.dumps(message, separators=(",", ":"), allow_nan=False).encode()
        self.send({"kind": message["kind"]}, buffers=[data])

    def open(self) -> None:
        super().open()
        self._answer_where_the_page_asks()

    def _send(self, msg: Any, buffers: Any = None) -> None:
        super()._send(msg, buffers=buffers)
        self._answer_where_the_page_asks()

    def _answer_where_the_page_asks(self) -> None:
        """Let pause and step through while a cell runs.

        JupyterLab sends what a page says to a subshell of the kernel; ipykernel 7.4 brings it to
        the shell that was the last to speak on this comm instead, which a long cell blocks. It does
        not where it has no note of that.
        """
        getattr(self.comm, "__dict__", {}).pop("_reply_subshell_id", None)

    def _ipython_display_(self) -> None:
        """The live view, and a picture of it for where there is no kernel."""
        bundle = self._repr_mimebundle_()
        data: Any
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        # What a page shows that may run no widget, as of a notebook from elsewhere: the picture
        # that follows says it all.
        data["text/html"] = '<div class="statefun-nb-live"></div>'
        display(data, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]  # IPython
        if self._publisher.pictures is None:
            self._publisher.pictures = Pictures(self._source)
        self._publisher.pictures.show(self.kind, self.picture)
        self._publisher.wake()

    def close(self) -> None:
        """Close the view; it costs nothing any more."""
        self._publisher.remove(self)
        super().close()

    def __repr__(self) -> str:
        return f"<statefun_nb {self.kind}>"
