"""What a session shows of itself: its status, and tables of state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..effects import TypedValue
from ..engine.base import Progress
from ..sdk.inference import decode_value
from ..sdk.registry import FunctionSpec
from ..tables import html_table, text_table
from ..trace.traced import Blocked, Running

__all__ = ["StateTable", "Status", "decode_state", "not_idle"]

# So many of the functions that run, or have blocked the others, are named.
_NAMED = 5


class Status(NamedTuple):
    """What a session is doing; it shows as a table.

    ``processed`` counts messages, ``traced`` recorded invocations; ``web_url`` is the engine's own
    web interface; ``durable`` the file that keeps everything; ``running`` requests are being served just now, and ``blocked`` are the last sync
    functions that held up everything else.
    """

    engine: str
    state: str
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

    def _table(self) -> tuple[str, list[str], list[list[object]]]:
        title = f"StateFun session: {self.engine} engine, {self.state}, {self.url}"
        rows: list[list[object]] = [["web interface", self.web_url]] if self.web_url else []
        rows += [["kept in", _short(self.durable)]] if self.durable else []
        rows += [
            ["functions", ", ".join(self.functions) or "none declared"],
            ["messages", f"{self.processed} processed, {self.queued} queued"],
            ["parked", self.parked],
            ["delayed", self.delayed],
            ["errors", self.errors],
        ]
        rows += [["running", f"{r.address} for {r.seconds:.1f} s"] for r in self.running[:_NAMED]]
        rows += [["blocked", f"{b.address} for {b.seconds:.1f} s"] for b in self.blocked[-_NAMED:]]
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

    def _table(self) -> tuple[str, list[str], list[list[object]]]:
        names = list(dict.fromkeys(name for values in self.values() for name in values))
        rows: list[list[object]] = [
            [id_, *(values.get(name, "") for name in names)] for id_, values in self.items()
        ]
        return f"state of {self.typename}", ["id", *names], rows

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002
        printer.text(text_table(*self._table()))

    def _repr_html_(self) -> str:
        return html_table(*self._table())


def decode_state(
    spec: FunctionSpec | None, values: Mapping[str, TypedValue | None]
) -> dict[str, Any]:
    """Values by name, by their declared types where these are the stored ones.

    In the order of their declaration: a cluster hands them over in another one each time.
    """
    declared = {} if spec is None else spec.layout.specs
    decoded = {}
    for name in dict.fromkeys([*declared, *values]):
        value = values.get(name)
        if value is None or value.value is None:
            continue
        known = declared.get(name)
        if known is not None and known.type.typename == value.typename:
            decoded[name] = known.type.serializer().deserialize(value.value)
        else:
            decoded[name] = decode_value(value)
    return decoded


def not_idle(timeout: float, progress: Progress, running: Sequence[Running]) -> str:
    """What still moved after ``timeout`` seconds."""
    text = f"not idle after {timeout:g} s: {progress.queued} messages wait, "
    text += f"{progress.in_flight} requests are in flight"
    for each in running[:3]:
        text += f"; {each.address} has been running for {each.seconds:.1f} s"
        if not each.is_async:
            text += " (a sync function: nothing else runs meanwhile; make it async, or faster)"
    return text
