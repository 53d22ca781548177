"""``python -m statefun_nb.testing.worker ORDER``: runs one notebook that is graded, and ends."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

from .exercises import CHECKS_FILE, Event, write_event
from .isolation import leave_network, limit_memory

__all__ = ["main"]

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def main(order: dict[str, Any]) -> None:
    """Run ``order["notebook"]``, and write what is to be said of it to ``order["result"]``."""
    without_network = not order["network"] and leave_network()
    limit_memory(order["memory"])
    os.environ[CHECKS_FILE] = order["told"]
    problem, errors = _execute(Path(order["notebook"]), order)
    result = {"problem": problem, "errors": errors, "without_network": without_network}
    Path(order["result"]).write_text(json.dumps(result), encoding="utf-8")


def _execute(path: Path, order: dict[str, Any]) -> tuple[str, list[tuple[int, str]]]:
    """Run the cells one after the other, whatever they raise."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    notebook: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    notebook.metadata.pop("kernelspec", None)  # a participant's may have another name here
    until = time.monotonic() + order["seconds"]

    def begins(cell: Any, cell_index: int) -> None:
        left = until - time.monotonic()
        if left <= 0:
            raise _TimeIsUpError(f"it took more than {order['seconds']:g} s")
        if cell.cell_type == "code":
            client.timeout = max(1, int(min(order["cell_seconds"], left)))
            write_event(Path(order["told"]), Event(0, "cell", "", str(cell_index)))

    client = NotebookClient(
        notebook,
        allow_errors=True,
        interrupt_on_timeout=True,
        iopub_timeout=60,
        resources={"metadata": {"path": str(path.parent)}},
        extra_arguments=["--log-level=ERROR"],
        on_cell_start=begins,
    )
    problem = ""
    try:
        client.execute()
    except _TimeIsUpError as error:
        problem = str(error)
    except CellExecutionError as error:
        problem = f"{error.ename}: {error.evalue}"
    except RuntimeError as error:  # nbclient's for a kernel that died
        problem = f"{error}: out of memory, perhaps"
    errors = [
        (number, _COLOURS.sub("", f"{output.ename}: {output.evalue}"))
        for number, cell in enumerate(notebook.cells, 1)
        for output in cell.get("outputs", ())
        if output.output_type == "error"
    ]
    return problem, errors


class _TimeIsUpError(Exception):
    """The notebook has had its time."""


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
