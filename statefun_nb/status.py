"""What a session shows of itself: its status, and tables of state."""

from __future__ import annotations

from typing import Any, NamedTuple

from .tables import html_table, text_table

__all__ = ["StateTable", "Status"]


class Status(NamedTuple):
    """What a session is doing. ``processed`` counts messages, ``traced`` recorded invocations."""

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
