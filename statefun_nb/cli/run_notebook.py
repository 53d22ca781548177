"""A notebook that is run from its first to its last cell, and exported."""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from ..cells.notebook import read_notebook
from ..cells.progress import progress_bar
from ..errors import StatefunError
from ..export.export import Exported, check_free
from ..sessions import default as default_session
from ..sessions.session import Session
from .signals import execute

if TYPE_CHECKING:
    from nbclient import NotebookClient

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
        fails, its kernel dies, or the export fails.
    """
    check_free(folder, overwrite=overwrite)
    content = read_notebook(notebook)
    import nbformat
    from nbclient import NotebookClient

    export = _EXPORT.format(folder=str(folder.absolute()), overwrite=overwrite)
    content.cells.append(nbformat.v4.new_code_cell(export))  # type: ignore[no-untyped-call]
    client = NotebookClient(
        content,
        timeout=None,
        iopub_timeout=600,  # of what a cell printed: after 4 s nbclient would go on without it
        resources={"metadata": {"path": str(notebook.absolute().parent)}},
        extra_arguments=["--log-level=ERROR"],  # ipykernel 7 warns of every kernel on TCP
    )
    _run(client, notebook)
    outputs = content.cells[-1].outputs
    text = "".join(each.text for each in outputs if each.get("name") == "stdout")
    problems = [each for each in outputs if each.output_type == "execute_result"]
    return NotebookExport(
        text.strip(), ast.literal_eval(problems[0].data["text/plain"]) if problems else ""
    )


def _run(client: NotebookClient, notebook: Path) -> None:
    """Run the cells, the last of which is ours.

    What cells print is in their output. What the kernel's process writes beside that (a library's
    warnings, libzmq's last words at its end) is kept from the terminal, unless the kernel dies.
    """
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import CellExecutionError

    cells = client.nb.cells
    with tempfile.TemporaryFile() as words:
        bar = progress_bar(total=len(cells), unit=" cells", mininterval=0)
        begun = 0

        def begins(cell: Any, cell_index: int) -> None:  # noqa: ARG001 - nbclient's names
            nonlocal begun
            begun = cell_index + 1
            bar.update(cell_index - bar.n)

        client.on_cell_start = begins
        try:
            with bar:
                execute(client, words)
        except CellExecutionError as error:
            failed = next(n for n, cell in enumerate(cells, 1) if _has_failed(cell))
            where = f"{notebook}, cell {failed}: " if failed < len(cells) else ""
            raise StatefunError(f"{where}{error.ename}: {error.evalue}") from error
        except NoSuchKernel as error:
            raise StatefunError(f"{notebook}: {error}") from error
        except RuntimeError as error:  # nbclient's DeadKernelError, and one without a name
            where = f"{notebook}, cell {begun}" if 0 < begun < len(cells) else str(notebook)
            raise StatefunError(f"{where}: {error}\n{_last_lines(words)}".rstrip()) from error


def _last_lines(words: IO[bytes], limit: int = 20) -> str:
    words.seek(0)
    lines = words.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-limit:])


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
