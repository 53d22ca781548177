"""A workshop in one command: the lessons in a folder, and a room that is ready or not."""

from __future__ import annotations

import pytest

from statefun_nb.cli import room
from statefun_nb.cli.main import main
from statefun_nb.testing.lessons import participants_lesson

nbclient = pytest.importorskip("nbclient")


def test_the_lessons_are_written_and_named(tmp_path, capsys):
    folder = tmp_path / "workshop"
    assert main(["workshop", "new", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert str(folder / "12_messaging_patterns.ipynb") in printed
    assert printed.endswith(f"to begin: statefun-nb lab {folder}\n")
    assert not (folder / "workshop.md").exists()
    assert main(["workshop", "new", str(folder)]) == 1
    assert "is there already" in capsys.readouterr().err


def test_a_room_is_ready_when_the_tour_runs_in_it(capsys):
    pytest.importorskip("jupyterlab")
    assert main(["workshop", "check"]) == 0
    printed = capsys.readouterr().out
    assert "the tour ran in" in printed
    assert "JupyterLab has them" in printed
    assert "\nready for the lessons" in printed


def test_a_room_without_widgets_in_the_page_is_not_ready(monkeypatch, tmp_path, capsys):
    pytest.importorskip("jupyterlab")
    monkeypatch.setattr("jupyter_core.paths.jupyter_path", lambda *_: [str(tmp_path)])
    assert main(["workshop", "check"]) == 1
    printed = capsys.readouterr().out
    assert "no anywidget, @jupyter-widgets/jupyterlab-manager" in printed
    assert printed.endswith("not ready: widgets in the page\n")


def test_a_kernel_that_fails_is_told_in_a_line(monkeypatch):
    broken = participants_lesson("00_tour.ipynb").replace("sf.start(", "sf.no_such(")
    monkeypatch.setattr(room, "participants_lesson", lambda _: broken)
    (found,) = [each for each in room.examine_room() if each.part == "a kernel"]
    assert not found.ok
    assert "no attribute 'no_such'" in found.found
    assert room.lacking([found]) == ["a kernel"]


@pytest.fixture
def opened(monkeypatch):
    labapp = pytest.importorskip("jupyterlab.labapp")
    heard: list[list[str]] = []
    monkeypatch.setattr(labapp, "main", heard.append)
    return heard


def test_a_lesson_is_copied_and_opened_and_work_on_it_is_kept(opened, tmp_path):
    path = tmp_path / "12_messaging_patterns.ipynb"
    assert main(["lab", "--lesson", "12", str(tmp_path)]) == 0
    assert path.read_text(encoding="utf-8") == participants_lesson(path.name)
    path.write_text("my work")
    assert main(["lab", "--lesson", "12", str(tmp_path)]) == 0
    assert opened == [[str(path)]] * 2
    assert path.read_text() == "my work"


def test_a_lesson_that_there_is_not(opened, capsys):
    assert main(["lab", "--lesson", "77"]) == 1
    assert "there is no lesson 77" in capsys.readouterr().err
    assert opened == []
