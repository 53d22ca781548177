"""What a session shows of itself: its status, and tables of state."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Sequence, ValuesView
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..engine.base import Engine
from ..engine.facts import States
from ..sdk.registry import FunctionSpec, StatefulFunctions, decode_state
from ..tables import counted, html_table, text_table
from ..trace.running import Blocked, Running
from .listings import ends, first_and_last

__all__ = ["StateTable", "Status"]

# Stands for what is not decoded yet.
_NOT_YET: dict[str, Any] = {}
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
        rows += [
            ["blocked", f"{each.address} had held up all others for {each.seconds:.1f} s"]
            for each in self.blocked[-_NAMED:]
        ]
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

    What an address keeps is decoded when it is looked at. ``observed`` is True when it is what the
    endpoint saw last, and not what the engine holds: a real cluster keeps its state to itself, and
    does not tell of values that expired since.
    """

    def __init__(
        self, typename: str, states: States, spec: FunctionSpec | None, *, observed: bool = False
    ) -> None:
        super().__init__(dict.fromkeys(sorted(states), _NOT_YET))
        self.typename = typename
        self.observed = observed
        self._states = states
        self._spec = spec

    @classmethod
    def of(cls, engine: Engine, functions: StatefulFunctions, typename: str) -> StateTable:
        """What an engine keeps of a function type just now."""
        states, observed = engine.states(typename), engine.cluster is not None
        return cls(typename, states, functions.find(typename), observed=observed)

    def __getitem__(self, id: str) -> dict[str, Any]:
        values = super().__getitem__(id)
        if values is _NOT_YET:
            values = decode_state(self._spec, self._states[id])
            self[id] = values
        return values

    def get(self, id: str, default: Any = None) -> Any:
        return self[id] if id in self else default  # noqa: SIM401 - which would ask itself

    def __iter__(self) -> Iterator[str]:
        return super().__iter__()  # one of its own: or dict(table) would not ask for the values

    def _decoded(self) -> StateTable:
        """With all that it holds."""
        for id_ in self:
            self[id_]
        return self

    def items(self) -> ItemsView[str, dict[str, Any]]:  # type: ignore[override]
        return dict.items(self._decoded())

    def values(self) -> ValuesView[dict[str, Any]]:  # type: ignore[override]
        return dict.values(self._decoded())

    def copy(self) -> dict[str, dict[str, Any]]:
        return dict(self)

    def pop(self, id: str, *default: Any) -> Any:
        return dict.pop(self._decoded(), id, *default)

    def popitem(self) -> tuple[str, dict[str, Any]]:
        return dict.popitem(self._decoded())

    def setdefault(self, id: str, default: Any = None) -> Any:
        return dict.setdefault(self._decoded(), id, default)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, StateTable):
            other._decoded()
        return dict.__eq__(self._decoded(), other)

    __hash__ = None  # as a dict

    def __or__(self, other: Any) -> Any:
        return dict(self) | other

    def __ror__(self, other: Any) -> Any:
        return other | dict(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)  # a copy is what it shows, without the session

    def _table(self) -> tuple[str, list[str], list[Sequence[object]]]:
        ids = list(self)
        names = list(dict.fromkeys(name for id_ in first_and_last(ids) for name in self[id_]))
        rows = ends(ids, lambda id_: [id_, *(self[id_].get(name, "") for name in names)])
        title = f"state of {self.typename}"
        if len(rows) < len(self):
            title += f": {counted(len(self), 'address', 'addresses')}"
        return title, ["id", *names], rows

    def __repr__(self) -> str:
        title, columns, rows = self._table()
        # As the dict that it is, unless that fills screens.
        return (
            dict.__repr__(self._decoded())
            if len(rows) == len(self)
            else text_table(title, columns, rows)
        )

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002
        printer.text(text_table(*self._table()))

    def _repr_html_(self) -> str:
        return html_table(*self._table())
