"""The lessons of a workshop: where they are, and what participants and teachers get of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ..errors import StatefunError
from .exercise_cells import without_solutions

__all__ = ["find_lesson", "lesson_names", "participants_lesson", "write_lesson", "write_lessons"]

_PACKAGE = Path(__file__).parents[1]
_CHECKOUT = _PACKAGE.parent
_FIRST = "00_tour.ipynb"
# Beside the notebooks, for everybody; and for whoever teaches.
_SHEET, _NOTES = "cheatsheet.md", "workshop.md"
# In these pages: a link to another one, and what only a checkout can do.
_LINK = re.compile(r"\[([^\]]+)\]\(([\w./-]+\.md)(?:#[\w-]*)?\)")
_OF_A_CHECKOUT = re.compile(r"; `make docs`[^.]*`cheatsheet\.pdf`")


def _folders() -> tuple[Path, ...]:
    """Where the lessons and the pages for teachers are: a wheel has both in one folder."""
    packed = _PACKAGE / "lessons"
    if packed.is_dir():
        return (packed,)
    return _CHECKOUT / "notebooks", _CHECKOUT / "docs"


def _lessons() -> Path:
    folder = _folders()[0]
    if not (folder / _FIRST).is_file():
        raise StatefunError(
            "the lessons are not there: they come with the wheel, and in a checkout"
        )
    return folder


def lesson_names() -> list[str]:
    """The files of the lessons, in order.

    Raises
    ------
    StatefunError
        When this installation has none.

    Examples
    --------
    >>> lesson_names()[0]
    '00_tour.ipynb'
    """
    return sorted(path.name for path in _lessons().glob("[0-9]*.ipynb"))


def find_lesson(number: str) -> str:
    """The file of the lesson with this number, such as ``12``.

    Raises
    ------
    StatefunError
        When there is no such lesson.
    """
    names = lesson_names()
    for name in names:
        if name.partition("_")[0] == number.zfill(2):
            return name
    known = ", ".join(name.partition("_")[0] for name in names)
    raise StatefunError(f"there is no lesson {number}: there are {known}")


def participants_lesson(name: str) -> str:
    """A lesson as participants get it: no outputs, no solutions, and every exercise open."""
    notebook: dict[str, Any] = json.loads((_lessons() / name).read_text(encoding="utf-8"))
    notebook["metadata"].pop("widgets", None)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
        elif cell["cell_type"] == "markdown":
            text = without_solutions("".join(cell["source"]))
            cell["source"] = text.splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def write_lessons(folder: Path, *, teacher: bool = False) -> list[str]:
    """Write the lessons to a folder, and the names of what was written.

    Parameters
    ----------
    folder : Path
        It is made when it is not there.
    teacher : bool
        The lessons as they are, with solutions and outputs, and the notes for teachers.

    Raises
    ------
    StatefunError
        When this installation has none, one of the files is there already, or cannot be written.
    """
    texts: dict[str, str] = {}
    for name in lesson_names():
        whole = (_lessons() / name).read_text(encoding="utf-8")
        texts |= {name: whole if teacher else participants_lesson(name), **_pictures(name)}
    pages = _folders()[-1]
    given = (_SHEET, _NOTES) if teacher else (_SHEET,)
    for name in given:
        texts[name] = _standing_alone((pages / name).read_text(encoding="utf-8"), given)
    there = [name for name in texts if (folder / name).exists()]
    if there:
        raise StatefunError(
            f"{folder / there[0]} is there already: give a folder that has no lessons yet, for "
            "somebody may have worked in this one"
        )
    _write(folder, texts)
    return list(texts)


def _standing_alone(page: str, given: tuple[str, ...]) -> str:
    """A page without the links to those that are not given with it, nor what needs a checkout."""
    page = _LINK.sub(lambda link: link[0] if link[2] in given else link[1], page)
    return _OF_A_CHECKOUT.sub("", page)


def write_lesson(folder: Path, name: str) -> None:
    """Write one lesson to a folder, as participants get it.

    Raises
    ------
    StatefunError
        When it cannot be written.
    """
    _write(folder, {name: participants_lesson(name), **_pictures(name)})


def _pictures(name: str) -> dict[str, str]:
    """The picture of a lesson, where it has one, by its place beside the notebook."""
    place = f"images/{Path(name).stem}.svg"
    drawn = _lessons() / place
    return {place: drawn.read_text(encoding="utf-8")} if drawn.is_file() else {}


def _write(folder: Path, texts: dict[str, str]) -> None:
    try:
        for name, text in texts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise StatefunError(f"cannot write {folder}: {error.strerror}") from error
