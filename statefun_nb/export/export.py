"""Export: a session's functions, module.yaml and recorded invocations, written to a folder."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..cells.history import executed_cells, name_of
from ..errors import SessionError
from ..module_yaml import Document, with_endpoints, write_module
from ..sdk.functions import default_functions
from ..sdk.registry import StatefulFunctions
from ..tables import html_table, text_table
from ..testing import write_recorded
from ..trace.case import Case
from ..trace.invocations import Invocations
from ..trace.recorder import Recorder
from ..trace.replay import cases_of
from .program import Wanted, program
from .project import kafka_documents, project_files

__all__ = ["Exported", "export"]

_URL = "http://127.0.0.1:8000/statefun"
# Of one function, so many invocations at most become tests: the last ones, each message once.
_CASES = 50


class Exported(NamedTuple):
    """What was written: the files, by their path in ``folder``, with how many lines each has."""

    folder: Path
    files: dict[str, int]

    def _table(self) -> tuple[str, list[str], list[list[object]]]:
        rows: list[list[object]] = [[name, lines] for name, lines in self.files.items()]
        return f"exported to {self.folder}", ["file", "lines"], rows

    def __repr__(self) -> str:
        return text_table(*self._table())

    def _repr_html_(self) -> str:
        return html_table(*self._table())


def export(
    folder: Path,
    functions: StatefulFunctions,
    documents: Sequence[Document],
    recorder: Recorder,
    *,
    refused: Collection[str],
    overwrite: bool,
) -> Exported:
    """Write a project; ``refused`` are the names that it cannot have, those of sessions.

    Raises
    ------
    SessionError
        When this is no notebook, nothing is declared, or a file is there already.
    DeclarationError
        When a name that a function needs is in no cell.
    """
    cells = executed_cells()
    if cells is None:
        raise SessionError("export reads the cells of a notebook, and this is none")
    wanted = [_wanted(functions, typename) for typename in functions]
    if not wanted:
        raise SessionError("there is nothing to export: no function is declared")
    registry = None if functions is default_functions else name_of(functions)
    code = program(cells, wanted, refused)
    kafka = kafka_documents(documents, Invocations.of(recorder))
    module = with_endpoints([*documents, *kafka], functions, _URL)
    chosen = _chosen(cases_of(recorder), functions)
    files = project_files(code, registry, write_module(module), len(chosen))
    _write(folder, files, overwrite=overwrite)
    count = write_recorded(folder / "tests" / "recorded.jsonl", chosen)
    lines = {name: len(text.splitlines()) for name, text in files.items()}
    return Exported(folder, lines | {"tests/recorded.jsonl": count})


def _wanted(functions: StatefulFunctions, typename: str) -> Wanted:
    declared = functions.for_typename(typename).fun
    owner = getattr(declared, "__self__", None)  # a class's: its bound invoke
    return Wanted(typename, (declared if owner is None else type(owner)).__qualname__)


def _chosen(cases: Iterable[Case], functions: StatefulFunctions) -> list[Case]:
    """What the functions did well as they are now, each once, and of one function the last few."""
    kept: dict[str, dict[str, Case]] = {}
    for case in cases:
        spec = functions.find(case.address.typename)
        if case.effects["error"] is None and spec is not None and case.version == spec.version:
            of_type = kept.setdefault(case.address.typename, {})
            key = repr(case._replace(seq=0))
            of_type.pop(key, None)
            of_type[key] = case
    chosen = [case for of_type in kept.values() for case in list(of_type.values())[-_CASES:]]
    return sorted(chosen, key=lambda case: case.seq)


def _write(folder: Path, files: dict[str, str], *, overwrite: bool) -> None:
    """All of the files, or none when one of them would be lost."""
    there = [name for name in [*files, "tests/recorded.jsonl"] if (folder / name).exists()]
    if there and not overwrite:
        raise SessionError(
            f"{folder} has {', '.join(there)} already: take another folder, or overwrite it "
            "(overwrite=True, --overwrite)"
        )
    try:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SessionError(f"cannot write {error.filename}: {error.strerror}") from error
