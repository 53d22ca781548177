"""What a session shows of itself: its status, and tables of state."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..engine.base import Engine
from ..sdk.registry import StatefulFunctions, decode_state
from ..tables import counted, html_table, text_table
from ..trace.running import Blocked, Running
from .listings import ends

__all__ = ["StateTable", "Status"]

# So many of the functions that run, or have blocked the others, are named.
_NAMED = 5


class Status(NamedTuple):
    """What a session is doing; it shows as a table.

    ``state`` is "stopped" after ``stop``, "ended" when its thread has ended without it,
    "broken" when it can keep nothing any more and serves nothing: ``sf.start()`` makes a new one.
    ``processed`` counts messages, ``traced`` recorded invocations; ``web_url`` is Flink's web
    interface and ``durable`` the file that keeps everything, where there is one; ``running``
    requests are being served just now, and ``blocked`` are the last sync functions that held up
    everything else. ``health`` says what is wrong with the engine itself, and ``restarts`` which
    processes of a real cluster died, and were started again.
    """

    engine: str
    state: Literal["running", "paused", "stopped", "ended", "broken"]
    url: str
    functions: tuple[str, ...]
    processed: int
    in_flight: int
    queued: int
    parked: int
    delayed: int
    errors: int
    traced: int
    trace_bytes: int
    web_url: str | None
    durable: str | None
    running: tuple[Running, ...]
    blocked: tuple[Blocked, ...]
    health: str
    restarts: tuple[str, ...]

    @property
    def over(self) -> bool:
        """Will nothing be served any more?"""
        return self.state in ("stopped", "ended")

    def _table(self) -> tuple[str, list[str], list[list[object]]]:
        title = f"StateFun session: {self.engine} engine, {self.state}, {self.url}"
        rows: list[list[object]] = [["⚠", self.health]] if self.health else []
        rows += [["web interface", self.web_url]] if self.web_url else []
        rows += [["kept in", _short(self.durable)]] if self.durable else []
        rows += [
            ["functions", ", ".join(self.functions) or "none declared"],
            ["messages", f"{self.processed} processed, {self.queued} queued"],
            ["parked", counted(self.parked, "address", "addresses")],
            ["delayed", self.delayed],
            ["errors", self.errors],
        ]
        rows += [
            ["running", f"{r.address} for {r.seconds:.1f} s{r.where}"]
            for r in self.running[:_NAMED]
        ]
        rows += [["blocked", f"{b.address} for {b.seconds:.1f} s"] for b in self.blocked[-_NAMED:]]
        rows += [["started again", each] for each in self.restarts[-_NAMED:]]
        return title, ["", ""], rows

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002
        printer.text(text_table(*self._table()))

    def _repr_html_(self) -> str:
        return html_table(*self._table())


def _short(path: str) -> str:
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


class StateTable(dict[str, dict[str, Any]]):
    """The state of all addresses of one function type, by id; a dict that shows as a table.

    ``observed`` is True when it is what the endpoint saw last, and not what the engine holds: a
    real cluster keeps its state to itself, and does not tell of values that expired since.
    """

    def __init__(
        self, typename: str, values: dict[str, dict[str, Any]], *, observed: bool = False
    ) -> None:
        super().__init__(values)
        self.typename = typename
        self.observed = observed

    @classmethod
    def of(cls, engine: Engine, functions: StatefulFunctions, typename: str) -> StateTable:
        """What an engine keeps of a function type just now."""
        spec = functions.find(typename)
        found = sorted(engine.states(typename).items())
        decoded = ((id_, decode_state(spec, values)) for id_, values in found)
        present = {id_: values for id_, values in decoded if values}
        return cls(typename, present, observed=engine.cluster is not None)

    def _table(self) -> tuple[str, list[str], list[Sequence[object]]]:
        names = list(dict.fromkeys(name for values in self.values() for name in values))
        rows = ends(
            list(self.items()), lambda item: [item[0], *(item[1].get(name, "") for name in names)]
        )
        title = f"state of {self.typename}"
        if len(rows) < len(self):
            title += f": {counted(len(self), 'address', 'addresses')}"
        return title, ["id", *names], rows

    def __repr__(self) -> str:
        title, columns, rows = self._table()
        # As the dict that it is, unless that fills screens.
        return super().__repr__() if len(rows) == len(self) else text_table(title, columns, rows)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002
        printer.text(text_table(*self._table()))

    def _repr_html_(self) -> str:
        return html_table(*self._table())
