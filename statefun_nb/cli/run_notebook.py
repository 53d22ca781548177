"""A notebook that is run from its first to its last cell, and exported."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import StatefunError
from ..export.export import Exported, check_free
from ..sessions import default as default_session
from ..sessions.session import Session

__all__ = ["NotebookExport", "export_here", "export_notebook"]

# What the last expression gives, if anything, is what is wrong with it.
_EXPORT = """
from statefun_nb.cli.run_notebook import export_here as _export_here
_exported = _export_here(globals(), {folder!r}, overwrite={overwrite})
print(_exported)
_exported.problem or None
"""


class NotebookExport(NamedTuple):
    """What was written, as text, and what is wrong with it; "" when nothing is."""

    text: str
    problem: str


def export_notebook(notebook: Path, folder: Path, *, overwrite: bool = False) -> NotebookExport:
    """Run a notebook in a kernel of its own, and export its session.

    Raises
    ------
    StatefunError
        When there is a project in the folder already, the notebook cannot be read, a cell of it
        fails, or the export does.
    """
    check_free(folder, overwrite=overwrite)
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError
        from tqdm import tqdm
    except ImportError as error:
        raise StatefunError('running a notebook needs: pip install "statefun_nb[lab]"') from error
    try:
        content: Any = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    except OSError as error:
        raise StatefunError(f"cannot read {notebook}: {error.strerror}") from error
    except Exception as error:  # nbformat has several for what is no notebook
        raise StatefunError(f"{notebook} is no notebook: {error}") from error
    export = _EXPORT.format(folder=str(folder.absolute()), overwrite=overwrite)
    content.cells.append(nbformat.v4.new_code_cell(export))  # type: ignore[no-untyped-call]
    resources = {"metadata": {"path": str(notebook.absolute().parent)}}
    client = NotebookClient(
        content,
        timeout=None,
        resources=resources,
        extra_arguments=["--log-level=ERROR"],  # ipykernel 7 warns of every kernel on TCP
    )
    try:
        with tqdm(
            total=len(content.cells), unit=" cells", delay=1, leave=False, disable=None
        ) as bar:
            client.on_cell_complete = lambda cell, cell_index: bar.update()  # noqa: ARG005
            client.execute()
    except CellExecutionError as error:
        failed = next(n for n, cell in enumerate(content.cells, 1) if _has_failed(cell))
        where = f"{notebook}, cell {failed}: " if failed < len(content.cells) else ""
        raise StatefunError(f"{where}{error.ename}: {error.evalue}") from error
    outputs = content.cells[-1].outputs
    text = "".join(each.text for each in outputs if each.get("name") == "stdout")
    problems = [each for each in outputs if each.output_type == "execute_result"]
    return NotebookExport(
        text.strip(), ast.literal_eval(problems[0].data["text/plain"]) if problems else ""
    )


def _has_failed(cell: Any) -> bool:
    return any(output.output_type == "error" for output in cell.get("outputs", ()))


def export_here(names: Mapping[str, Any], folder: str, *, overwrite: bool) -> Exported:
    """Export the running session, or the last that has a name: most notebooks stop theirs.

    Raises
    ------
    SessionError
        When there is none.
    """
    sessions = [each for each in names.values() if isinstance(each, Session)]
    running = [each for each in sessions if each.status().state != "stopped"]
    if not sessions:
        sessions = [default_session.session()]
    return (running or sessions)[-1].export(folder, overwrite=overwrite)
