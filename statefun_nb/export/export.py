"""Export: a session's functions, module.yaml and recorded invocations, written and tried."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from ..cells.history import executed_cells, name_of, named
from ..errors import SessionError
from ..protocol.module_yaml import Document, with_endpoints, write_module
from ..sdk.functions import default_functions
from ..sdk.registry import StatefulFunctions
from ..tables import counted, html_list, html_table, text_table
from ..testing import write_recorded
from ..trace.invocations import Invocations
from ..trace.recorder import Recorder
from ..trace.replay import cases_of
from .cases import Chosen, choose
from .live import A_SESSION, refusal
from .modules import imports_of
from .outside import data_files, unsettled
from .program import Refusal, Wanted, program
from .project import FILES, NO_WHEEL, VENDOR, Parts, kafka_documents, project_files
from .tried import Tried, try_project
from .wheel import wheel_name, write_wheel

__all__ = ["Exported", "check_free", "export"]

_URL = "http://127.0.0.1:8000/statefun"
_RECORDED = "tests/recorded.jsonl"
# Failures that are shown.
_SHOWN = 3


class Exported(NamedTuple):
    """What was written, and what its own tests said of it.

    Attributes
    ----------
    folder : Path
    files : dict
        By their path in ``folder``: how many lines each has, 0 for the wheel.
    chosen : Chosen
        The recorded invocations that are its tests, and which are not.
    tried : Tried
        What came of importing it and running its tests.
    notes : tuple of str
        What it lacks on another machine.
    """

    folder: Path
    files: dict[str, int]
    chosen: Chosen
    tried: Tried
    notes: tuple[str, ...] = ()

    @property
    def problem(self) -> str:
        """What is wrong with it, in words; "" when it does what it should."""
        tests, failed, broken = self.tried
        found = list(broken)
        if failed:
            verb = "fails" if len(failed) == 1 else "fail"
            more = f"; and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
            found.append(
                f"{len(failed)} of {counted(tests, 'test')} {verb}: "
                f"{'; '.join(failed[:_SHOWN])}{more}"
            )
        return "; ".join(found)

    def _lines(self) -> list[str]:
        lines = [f"BROKEN: {self.problem}"] if self.problem else []
        lines += [f"left out: {each}" for each in self.chosen.left_out]
        if self.chosen.others:
            adds = "adds" if self.chosen.others == 1 else "add"
            lines.append(
                f"{counted(self.chosen.others, 'more invocation')} {adds} nothing to these"
            )
        return [*lines, *self.notes]

    def _table(self) -> tuple[str, list[str], list[list[object]]]:
        rows: list[list[object]] = [[name, lines or ""] for name, lines in self.files.items()]
        passed = counted(self.tried.tests, "test")
        verb = "passes" if self.tried.tests == 1 else "pass"
        told = "" if self.problem else f"; {passed} {verb}" if self.tried.tests else "; no tests"
        return f"exported to {self.folder}{told}", ["file", "lines"], rows

    def __repr__(self) -> str:
        return "\n".join([text_table(*self._table()), *self._lines()])

    def _repr_html_(self) -> str:
        lines = self._lines()
        return html_table(*self._table()) + (html_list("", lines) if lines else "")


def export(
    folder: Path,
    functions: StatefulFunctions,
    documents: Sequence[Document],
    recorder: Recorder,
    *,
    sessions: type,
    overwrite: bool,
) -> Exported:
    """Write a project, and try it; ``sessions`` is the class of what a program has none of.

    Raises
    ------
    SessionError
        When this is not a notebook, nothing is declared, or a file is there already.
    DeclarationError
        When a name that a function needs is in no cell, or a program cannot have it.
    """
    cells = executed_cells()
    if cells is None:
        raise SessionError("export reads the cells of a notebook, and this is not one")
    check_free(folder, overwrite=overwrite)
    wanted = [_wanted(functions, typename) for typename in functions]
    if not wanted:
        raise SessionError("there is nothing to export: no function is declared")
    registry = None if functions is default_functions else name_of(functions)

    def refused(value: object) -> Refusal | None:
        return A_SESSION if isinstance(value, sessions) else refusal(value)

    code = program(cells, wanted, named(refused))
    imports = imports_of(code)
    data = data_files(code, Path.cwd(), FILES)
    copied = imports.copied | data
    check_free(folder, copied, overwrite=overwrite)
    kafka = kafka_documents(documents, Invocations.of(recorder))
    module = write_module(with_endpoints([*documents, *kafka], functions, _URL))
    chosen = choose(cases_of(recorder), functions, unsettled(code, wanted))
    package, wheel = _package()
    parts = Parts(
        code, registry, module, imports, package, wheel,
        len(chosen.cases), [str(each) for each in chosen.left_out],
    )  # fmt: skip
    files = project_files(parts)
    _write(folder, files, copied, wheel)
    count = write_recorded(folder / _RECORDED, chosen.cases)
    lines = {name: len(text.splitlines()) for name, text in files.items()} | {_RECORDED: count}
    lines |= {name: _lines_of(path) for name, path in copied.items()}
    notes = list(imports.notes)
    notes += [f"{name} is copied: the program reads it from its working folder" for name in data]
    if wheel:
        lines[f"{VENDOR}/{wheel}"] = 0
    else:
        notes.append(f"statefun_nb is on no index, and was not installed here: {NO_WHEEL}")
    tried = try_project(folder, registry, list(functions), count)
    return Exported(folder, lines, chosen, tried, tuple(notes))


def _wanted(functions: StatefulFunctions, typename: str) -> Wanted:
    declared = functions.for_typename(typename).fun
    owner = getattr(declared, "__self__", None)  # a class's: its bound invoke
    while hasattr(declared, "func"):  # a partial's
        declared = declared.func
    named_ = declared if owner is None else type(owner)
    return Wanted(typename, getattr(named_, "__qualname__", type(named_).__qualname__))


def check_free(folder: Path, more: Iterable[str] = (), *, overwrite: bool) -> None:
    """Is there room for a project? ``more`` are files beside those that each project has.

    Raises
    ------
    SessionError
        When a file would be lost, or the folder is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise SessionError(f"{folder} is a file: take another folder")
    there = [name for name in [*FILES, _RECORDED, *more] if (folder / name).exists()]
    if there and not overwrite:
        raise SessionError(
            f"{folder} has {', '.join(there)} already: take another folder, or overwrite it "
            "(overwrite=True, --overwrite)"
        )


def _package() -> tuple[str, str | None]:
    """The requirement of this package, and the name of its wheel where one can be made."""
    try:
        return f"statefun_nb=={metadata.version('statefun_nb')}", wheel_name()
    except metadata.PackageNotFoundError:  # imported from a folder, and never installed
        return "statefun_nb", None


def _write(folder: Path, files: dict[str, str], copied: dict[str, Path], wheel: str | None) -> None:
    try:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        for name, source in copied.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists() or not path.samefile(source):
                shutil.copyfile(source, path)
        if wheel:
            (folder / VENDOR).mkdir(exist_ok=True)
            write_wheel(folder / VENDOR / wheel)
    except OSError as error:
        raise SessionError(f"cannot write {error.filename}: {error.strerror}") from None


def _lines_of(path: Path) -> int:
    return len(path.read_bytes().splitlines())
