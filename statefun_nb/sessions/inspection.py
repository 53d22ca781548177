"""What a session shows and answers; nothing here changes what it does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal, cast, overload

from ..address import SdkAddress, address_of, invisible, parse_typename
from ..cells.places import warn
from ..endpoint.server import Endpoint
from ..engine.base import Engine
from ..errors import BusyError, SessionError, UnknownFunctionError, did_you_mean
from ..loop_thread import LoopThread
from ..protocol.module_older_writer import with_older_endpoints, write_older
from ..protocol.module_yaml import Document, covers, with_endpoints, write_module
from ..sdk.registry import StatefulFunctions, decode_state
from ..tables import text_table
from ..trace.invocations import Invocations
from ..trace.output import inside_function
from ..trace.recorder import Recorder
from ..trace.running import Blocked, Running
from ..trace.traced import TracedHandler
from ..views.listings import EgressRecords, ParkedAddresses
from ..views.status import StateTable, Status
from . import _current
from .arguments import a_path, not_opened, short_repr
from .interrupts import interrupts_later
from .options import Options
from .parked import as_it_is_now

if TYPE_CHECKING:
    from ..views.live import LiveViews
    from ..views.source import Source

__all__ = ["Inspection"]

_PLACES = ("cell", "right", "browser")
# Ids that are looked at for one that was meant.
_KNOWN_IDS = 1_000
# One thread at a time makes what a session has one of.
_opening = RLock()


class Inspection:
    """The part of ``Session`` that answers and shows: a base class, to keep the files small."""

    options: Options
    recorder: Recorder
    endpoint: Endpoint
    engine: Engine
    _handler: TracedHandler
    _live: LiveViews | None  # from the first view on
    _thread: LoopThread
    _stopped: bool
    _stopping: bool
    _documents: list[Document]  # of the user's module.yaml
    _told: set[str]  # undeclared functions that a message was sent to

    def _check_running(self) -> None:
        if self._stopped or self._stopping:
            another = _current.session
            if another is not None and not another._stopped:
                raise SessionError(
                    "this session has been stopped, and another one is running: s = sf.session()"
                )
            raise SessionError("this session has been stopped: s = sf.start(...) makes a new one")
        if self._thread.forked:
            self._thread.check_caller()
        elif not self._thread.alive:
            raise SessionError("this session's thread has ended: s = sf.start(...) makes a new one")

    def _check_outside(self, call: str, instead: str) -> None:
        """Raise inside a function: it would wait for itself, or act past its own transaction.

        And wherever else the loop could not go on: in what a function has left on it, and in a
        thread that one waits for.
        """
        self._check_no_function(call, instead)
        self._thread.check_caller()

    def _check_no_function(self, call: str, instead: str) -> None:
        self._check_running()
        if inside_function():
            raise SessionError(f"{call} is not for the inside of a function: {instead}")

    def _check_known(self, typename: str) -> None:
        """Raise for a function that there has never been: it would look like one without state."""
        parse_typename(typename)  # which says what is wrong with a name that is none
        if self.functions.find(typename) is not None or typename in self.engine.types():
            return
        if typename in self._told:  # its message may be on its way
            return
        documents = self.engine.documents()  # a real cluster's name our endpoint for all of ours
        if not covers(
            [d for d in documents if d.spec.get("urlPathTemplate") != self.url], typename
        ):
            known = {*self.functions, *self.engine.types()}
            raise UnknownFunctionError(
                f"no function {typename!r} is declared, and no message has gone to it"
                f"{did_you_mean(typename, known)}"
            )

    def _check_had_message(self, address: SdkAddress) -> None:
        """Warn of an address that no message has gone to."""
        count, like = self.engine.page(address.typename, address.id, _KNOWN_IDS)
        if count > len(like) or any(each.id == address.id for each in like):
            return
        _, known = self.engine.page(address.typename, "", _KNOWN_IDS)
        meant = did_you_mean(address.id, [each.id for each in known])
        unseen = invisible(address.id)
        unseen = f" (its id has {unseen} in it)" if unseen else ""
        warn(f"{address} has had no message: nothing waits there{unseen}{meant}")

    def _what_runs(self) -> str:
        """The functions that keep the loop from answering, in words."""
        return "; ".join(each.text for each in self.running if each.line or not each.is_async)

    # Asking.

    @overload
    def state(self, typename: str, id: None = None) -> StateTable: ...
    @overload
    def state(self, typename: str, id: str) -> dict[str, Any]: ...
    def state(self, typename: str, id: str | None = None) -> StateTable | dict[str, Any]:
        """The state of one address, by name; without ``id``, of all of its type, in order of ids.

        Empty when there is none. Of a real cluster it is what the endpoint saw last, which the
        table's ``observed`` says.

        Raises
        ------
        UnknownFunctionError
            When nobody has declared the function, and no message has gone to it.
        """
        self._check_running()
        self._check_known(typename)
        if id is None:
            return StateTable.of(self.engine, self.functions, typename)
        values = self.engine.state(address_of(typename, id))
        return decode_state(self.functions.find(typename), values)

    def egress(self, typename: str | None = None) -> EgressRecords:
        """The records that went to an egress, or to all of them, in order.

        On a real cluster Kafka has them: those of different topics or partitions are in the order
        of the milliseconds in which they were written.

        Raises
        ------
        DeclarationError
            When the egress' name is no ``namespace/name``.
        """
        self._check_running()
        if typename is not None:
            parse_typename(typename)
        records = self.engine.egress(typename)
        if records or typename is None:
            return EgressRecords(records, typename)
        return EgressRecords(records, typename, sorted(self.engine.egresses()))

    @property
    def functions(self) -> StatefulFunctions:
        """What is served: ``start(functions=...)``, or what ``sf.function`` has declared."""
        return self.options.functions

    @property
    def invocations(self) -> Invocations:
        """The kept invocations as they are now, in the order they started."""
        return Invocations.of(self.recorder)

    @property
    def parked(self) -> ParkedAddresses:
        """The addresses that wait for a corrected or missing function, and why.

        ``retry`` lets them go on, ``discard`` gives up the message at the head of one.
        """
        self._check_running()
        found = as_it_is_now(
            self.engine.parked(),
            self.functions,
            self._handler.failures,
            self.recorder.origin,
            self._reached,
        )
        return ParkedAddresses(found)

    def _reached(self, typename: str) -> bool:
        """Does the user's module.yaml name an endpoint for that function type?"""
        return covers(self._documents, typename)

    @property
    def running(self) -> list[Running]:
        """The requests that are being served just now."""
        return self._handler.running

    @property
    def blocked(self) -> list[Blocked]:
        """The last sync functions that held up everything else for more than 0.1 s."""
        return list(self._handler.blocked)

    @property
    def url(self) -> str:
        """The endpoint, as module.yaml names it."""
        return self.endpoint.url

    @property
    def url_v2(self) -> str:
        """The endpoint for StateFun 2.x, as a module.yaml of that time names it."""
        return self.endpoint.url_v2

    def module_yaml(self, *, version: Literal["2.0"] | None = None) -> str:
        """The module.yaml that serves the declared functions from this endpoint.

        One endpoint for each namespace, the documents that ``load_module`` has read, and for a
        real cluster what ``send`` and ``egress`` need. With ``version="2.0"``, and on a cluster of
        2.x, one of StateFun 2.x, in which each function is named with its state. What the version
        has no place for, such as an endpoint of the other one, is left out with a comment.

        Raises
        ------
        SessionError
            When there is no such version.
        """
        documents, cluster = self.engine.documents(), self.engine.cluster
        wanted = cluster.module_version if version is None and cluster is not None else version
        if wanted is None:
            return write_module(with_endpoints(documents, self.functions, self.url))
        if not isinstance(wanted, str) or wanted != "2.0":
            raise SessionError(f'version= is "2.0", or left out for StateFun 3.x, not {version!r}')
        states = self.functions.state_specs()
        return write_older(with_older_endpoints(documents, states, self.url_v2))

    def logs(self) -> dict[str, str]:
        """What the processes of a real cluster have written, by process."""
        self._check_running()
        return {} if self.engine.cluster is None else self.engine.cluster.logs()

    def _state(self) -> Literal["running", "paused", "stopped", "ended", "broken"]:
        if self._stopped or self._stopping:
            return "stopped"
        if not self._thread.alive:
            return "ended"
        if self.engine.broken:
            return "broken"
        return "paused" if self.engine.paused else "running"

    def status(self) -> Status:
        """What the session is doing; answers also while a function blocks the engine."""
        progress, cluster = self.engine.progress, self.engine.cluster
        return Status(
            engine=self.engine.name,
            state=self._state(),
            url=self.url,
            functions=tuple(self.functions),
            **progress._asdict(),
            errors=self.recorder.failures if self.options.trace else self._handler.failures.count,
            traced=self.recorder.count,
            trace_bytes=self.recorder.bytes,
            web_url=None if cluster is None else cluster.web_url,
            durable=self.options.durable,
            running=tuple(self.running),
            blocked=tuple(self.blocked),
            health="" if self._stopped or self._stopping else self.engine.health(),
            restarts=() if cluster is None else tuple(cluster.restarts),
        )

    def _what_holds(self, address: SdkAddress) -> str:
        """Why the messages of an address wait; "" when they do not."""
        typename = address.typename
        if self.functions.find(typename) is None and not self._reached(typename):
            return f"no function {typename!r} is declared{self.functions.meant_by(typename)}"
        for parked in self.parked:
            if parked.address == address:
                place = f", at {parked.line}" if parked.line else ""
                return f"it is parked: {parked.reason}{place}"
        return ""

    # Showing.

    def dashboard(self, where: Literal["cell", "right", "browser"] = "cell") -> Any:
        """The live view of everything: invocations, what waits, state, flows, time.

        It goes on while a cell runs; a saved notebook keeps a static picture of it.

        Parameters
        ----------
        where : "cell", "right" or "browser"
            In the cell; beside the notebook, where jupyterlab-sidecar is installed; or as a page
            of its own, which needs no Jupyter: what is returned has its ``url``. That page is on
            loopback, and its address has a token.

        Raises
        ------
        SessionError
            When ``where`` is none of these, or the widget libraries are not installed.
        """
        if not isinstance(where, str) or where not in _PLACES:
            raise SessionError(f"where={short_repr(where)}: one of {', '.join(map(repr, _PLACES))}")
        if where != "browser":
            return self._views.dashboard(where)
        with _opening, interrupts_later():  # or a port would be open that ``stop`` knows not
            return self._views.dashboard(where)

    def report(self, path: str | Path) -> Path:
        """Write the run to one self-contained HTML page with the dashboard in it; returns its path.

        What the trace keeps can be walked, filtered and looked at there, by anybody, without
        Python: invocations, timeline, graph, state.

        Raises
        ------
        SessionError
            When no file can be written there.
        """
        return _written(path, self._views.report)

    def watch(self, typename: str, id: str) -> Any:
        """A live view of one address: its state, and its last invocations.

        Raises
        ------
        UnknownFunctionError
            When nobody has declared the function, and no message has gone to it.
        """
        self._check_running()
        self._check_known(typename)
        return self._views.watch(typename, id)

    def graph(self) -> Any:
        """A live view of who sends to whom."""
        return self._views.graph()

    def table(self, filter: str = "") -> Any:
        """A live table of invocations, such as those of ``"type:example/person status:error"``."""
        return self._views.table(filter)

    def snapshot_html(self, path: str | Path) -> Path:
        """Write what the session has done to one self-contained HTML page; returns its path.

        Raises
        ------
        SessionError
            When no file can be written there.
        """
        return _written(path, self._views.snapshot_html)

    @property
    def _views(self) -> LiveViews:
        with _opening:
            if self._live is None:
                from ..views.live import LiveViews  # 15 ms: many sessions show none

                self._live = LiveViews(cast("Source", self))  # this is the half of one
            return self._live

    def _ipython_display_(self) -> None:
        """In a notebook a session displays as its dashboard, elsewhere as a table."""
        self._views.display()

    def _display_(self) -> Any:
        """The same in marimo, which asks for what to show."""
        return self._views.shown() or self.status()

    def __repr__(self) -> str:
        return text_table(*self.status()._table())

    def _repr_html_(self) -> str:
        return self.status()._repr_html_()


def _written(path: str | Path, write: Callable[[Path], Path]) -> Path:
    """Write a page to a path that a user gave."""
    target = a_path("path", path)
    try:
        return write(target)
    except BusyError:  # an OSError, too: it is no fault of the path's
        raise
    except OSError as error:
        raise not_opened("path", target, error) from None  # which repeats the path
