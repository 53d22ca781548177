"""Participants get the lessons without solutions and outputs, teachers as they are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import docs.lesson_drawings
import statefun_nb as sf
from statefun_nb.testing import lessons
from statefun_nb.testing.exercise_cells import OPEN
from statefun_nb.testing.lessons import (
    find_lesson,
    lesson_names,
    participants_lesson,
    write_lesson,
    write_lessons,
)

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def cells(text):
    return json.loads(text)["cells"]


def source(cell):
    return "".join(cell["source"])


@pytest.mark.parametrize("name", lesson_names())
def test_a_participant_gets_the_exercises_open_and_nothing_that_gives_them_away(name):
    given = cells((NOTEBOOKS / name).read_text(encoding="utf-8"))
    got = cells(participants_lesson(name))
    assert [each["id"] for each in got] == [each["id"] for each in given]
    for before, after in zip(given, got, strict=True):
        assert "A solution" not in source(after)
        assert after["metadata"] == before["metadata"]
        if after["cell_type"] == "code":
            assert source(after) == source(before)
            assert (after["outputs"], after["execution_count"]) == ([], None)
        else:
            assert source(after) in source(before) or "A solution" in source(before)
    exercises = [each for each in got if each["cell_type"] == "code" and OPEN in source(each)]
    assert len(exercises) >= 1 or name[:2] in ("01", "02")


def test_a_teacher_gets_the_lessons_as_they_are_and_the_notes(tmp_path):
    written = write_lessons(tmp_path / "new", teacher=True)
    pages = [name for name in written if not name.startswith("images/")]
    assert pages == [*lesson_names(), "cheatsheet.md", "workshop.md"]
    for name in lesson_names():
        assert (tmp_path / "new" / name).read_bytes() == (NOTEBOOKS / name).read_bytes()


@pytest.mark.parametrize("teacher", [False, True])
def test_every_link_of_a_page_leads_to_what_was_written(tmp_path, teacher):
    for name in write_lessons(tmp_path, teacher=teacher):
        if name.endswith(".md"):
            page = (tmp_path / name).read_text(encoding="utf-8")
            links = re.findall(r"\]\(([^)#]+)", page)
            assert [link for link in links if not (tmp_path / link).is_file()] == []
            assert "make docs" not in page
            assert teacher is False or name != "workshop.md" or "cheatsheet.md" in links


def test_nothing_that_is_there_is_overwritten(tmp_path):
    (tmp_path / "13_timers.ipynb").write_text("my work")
    with pytest.raises(sf.StatefunError, match=r"13_timers\.ipynb is there already"):
        write_lessons(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["13_timers.ipynb"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(sf.StatefunError, match="cannot write"):
        write_lessons(tmp_path / "file" / "below")


def test_each_picture_of_a_lesson_comes_with_it_and_shows_what_is_in_it():
    pictures = docs.lesson_drawings.PICTURES
    assert [f"{name}.ipynb" for name in sorted(pictures)] == lesson_names()
    for name, drawn in pictures.items():
        lesson = "".join(map(source, cells(participants_lesson(f"{name}.ipynb"))))
        kept = (NOTEBOOKS / "images" / f"{name}.svg").read_text(encoding="utf-8")
        assert kept == docs.lesson_drawings.picture(drawn), "python -m docs.lesson_drawings"
        assert f"](images/{name}.svg)" in lesson
        assert lesson.count("<details>") == (0 if name == "90_exam" else 3)
        for box in drawn.boxes:
            assert "/" not in box or box in lesson


def test_a_lesson_is_written_with_its_picture(tmp_path):
    write_lesson(tmp_path, "13_timers.ipynb")
    assert (tmp_path / "images" / "13_timers.svg").is_file()


@pytest.mark.parametrize(("number", "name"), [("12", "12_m"), ("0", "00_t"), ("00", "00_t")])
def test_a_lesson_is_found_by_its_number(number, name):
    assert find_lesson(number).startswith(name)


def test_a_number_that_no_lesson_has_is_told_with_those_there_are():
    with pytest.raises(sf.StatefunError, match=r"no lesson 99: there are 00, 01, 02, 10"):
        find_lesson("99")


def test_the_lessons_of_a_wheel_are_in_the_package(monkeypatch, tmp_path):
    packed = tmp_path / "lessons"
    packed.mkdir()
    (packed / "00_tour.ipynb").write_bytes((NOTEBOOKS / "00_tour.ipynb").read_bytes())
    (packed / "cheatsheet.md").write_text("the sheet")
    monkeypatch.setattr(lessons, "_PACKAGE", tmp_path)
    assert write_lessons(tmp_path / "new") == ["00_tour.ipynb", "cheatsheet.md"]


def test_an_installation_without_lessons_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(lessons, "_PACKAGE", tmp_path / "package")
    monkeypatch.setattr(lessons, "_CHECKOUT", tmp_path)
    with pytest.raises(sf.StatefunError, match="the lessons are not there"):
        lesson_names()
