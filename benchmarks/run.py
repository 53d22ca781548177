"""``make bench``: measure, print one table, write benchmarks/results.json.

python -m benchmarks.run [endpoint] [handler] [engine] [startup] [memory] [dashboard] [cluster]
                         [participants]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import cluster, dashboard, endpoint, engine, handler, memory, participants, startup
from .report import Row, print_rows, write_rows

_PARTS = {
    "endpoint": endpoint.measure,
    "handler": handler.measure,
    "engine": engine.measure,
    "startup": startup.measure,
    "memory": memory.measure,
    "dashboard": dashboard.measure,
    "cluster": cluster.measure,
    "participants": participants.measure,
}


def main() -> None:
    """Measure the parts that are named, or all."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*_PARTS, []], help="what to measure; all")
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results.json")
    arguments = parser.parse_args()
    rows: list[Row] = []
    for name in arguments.parts or _PARTS:
        for row in _PARTS[name]():
            rows.append(row)
            print(f"measured: {row.what}", file=sys.stderr)
    print_rows(rows)
    write_rows(rows, arguments.json)


if __name__ == "__main__":
    main()
