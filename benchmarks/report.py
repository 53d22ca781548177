"""Rows of results: printed as one table, written as JSON."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TypedDict

from statefun_nb.tables import text_table

__all__ = ["Row", "at_least", "at_most", "print_rows", "up_to", "write_rows"]


@dataclass(frozen=True)
class Row:
    """One measurement: what, how much, beside what, and what was hoped for.

    ``ratio`` is ``value`` by ``beside``; ``goal`` is a text such as "at least 2", ``met`` is None
    where nothing was hoped for.
    """

    what: str
    value: float
    unit: str
    beside: float | None = None
    beside_what: str = ""
    ratio: float | None = None
    goal: str = ""
    met: bool | None = None


class Hoped(TypedDict, total=False):
    """The columns of a row that say what was hoped for."""

    ratio: float
    goal: str
    met: bool


def at_least(goal: float, ratio: float) -> Hoped:
    """The columns of a ratio that should be large."""
    return {"ratio": ratio, "goal": f"at least {goal:g}", "met": ratio >= goal}


def at_most(goal: float, ratio: float) -> Hoped:
    """The columns of a ratio that should be small."""
    return {"ratio": ratio, "goal": f"at most {goal:g}", "met": ratio <= goal}


def up_to(goal: float, value: float) -> Hoped:
    """The columns of a value with a goal of its own, and nothing beside it."""
    return {"goal": f"at most {goal:.4g}", "met": value <= goal}


def print_rows(rows: list[Row]) -> None:
    """The table of all measurements."""
    columns = ["measured", "value", "", "beside", "", "ratio", "goal", ""]
    print(text_table("", columns, [_cells(row) for row in rows]).lstrip("\n"))


def _cells(row: Row) -> list[object]:
    return [
        row.what,
        _number(row.value),
        row.unit,
        "" if row.beside is None else _number(row.beside),
        row.beside_what,
        "" if row.ratio is None else f"{row.ratio:.2f}",
        row.goal,
        "" if row.met is None else "met" if row.met else "MISSED",
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def write_rows(rows: list[Row], path: Path) -> None:
    """The same as JSON, with what it was measured on."""
    machine = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "protobuf": version("protobuf"),
    }
    document = {"machine": machine, "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(document, indent=1) + "\n")
