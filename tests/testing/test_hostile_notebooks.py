"""What a notebook does to whoever grades it ends with that notebook."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

import statefun_nb as sf
from statefun_nb.testing.exercises import Event, events, write_event
from statefun_nb.testing.grading import Limits, find_notebooks, grade
from statefun_nb.testing.reports import as_json, as_junit, as_table, feedback_pages, names_of
from tests.waiting import eventually

from .notebooks import write_notebook

psutil = pytest.importorskip("psutil")
pytest.importorskip("nbclient")

START = "%load_ext statefun_nb\nimport statefun_nb as sf\ns = sf.start(port=0)"
COUNT = """@sf.function("g/count", state={"n": int})
def count(ctx, message):
    while message.value == "endless": pass
    ctx.storage.n = 1

s.send("g/count", "x", "hello")"""
CHECK = 's.check("g/count", "x", exercise="1").state(n=1)'
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has it")


def sleeps(marker):
    """What keeps a process that nobody waits for, and that is known by what it is called."""
    return (
        "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time;"
        f" time.sleep(300)', {str(marker)!r}], start_new_session=True)"
    )


def running(marker):
    found = psutil.process_iter(["cmdline"])
    return [each for each in found if (each.info["cmdline"] or [""])[-1] == str(marker)]


def temporary_folders(place):
    return [path.name for path in place.iterdir() if path.name.startswith("statefun_nb_grade_")]


def test_what_breaks_one_notebook_stops_no_other_and_no_report(tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    half = write_notebook(tmp_path / "all" / "half" / "a.ipynb", START, COUNT, CHECK, "'HALF'")
    half.write_text(half.read_text().replace("HALF", r"\ud83d"))
    said = write_notebook(
        tmp_path / "all" / "said" / "a.ipynb",
        'raise ValueError("\\ud83d" + "x" * 5_000_000)',
        's.check("g/f", "x", exercise="\\ud83d")',
    )
    right = write_notebook(tmp_path / "all" / "right" / "a.ipynb", START, COUNT, CHECK)
    graded = grade([half, said, right])
    assert graded[0].problem.startswith("it could not be graded: UnicodeEncodeError")
    assert len(graded[1].errors[0].text) < 1_100
    assert graded[2].points == 1
    names = names_of(graded, tmp_path / "all")
    for report in (as_table, as_json, as_junit):
        assert len(report(graded, names).encode()) < 20_000
    pages = feedback_pages(graded, names, tmp_path / "pages")
    assert len(pages[tmp_path / "pages" / "said.html"].encode()) < 10_000
    assert temporary_folders(tmp_path / "tmp") == []


@LINUX
def test_a_name_that_is_not_utf_8_is_escaped_in_every_report(tmp_path):
    odd = tmp_path / "all" / os.fsdecode(b"\xc3\xa9\xff.ipynb")
    odd.parent.mkdir()
    try:
        odd.write_text("no notebook")
    except OSError:
        pytest.skip("this file system has no such names")
    write_notebook(tmp_path / "all" / "right.ipynb", "1")
    graded = grade(find_notebooks(tmp_path / "all"))
    names = names_of(graded, tmp_path / "all")
    assert names == ["right", r"é\udcff"]
    pages = feedback_pages(graded, names, tmp_path / "pages")
    assert [path.name for path in pages] == ["right.html", r"é\udcff.html"]
    for text in (as_table(graded, names), as_junit(graded, names), *list(pages.values())[1:]):
        assert r"é\udcff" in text.encode().decode()
    assert json.loads(as_json(graded, names))[1]["notebook"].endswith(r"é\udcff.ipynb")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_a_pipe_in_the_place_of_a_file_holds_nobody_up(tmp_path):
    os.mkfifo(tmp_path / "told")
    write_event(tmp_path / "told", Event(1, "begun", "1", ""))
    assert list(events(tmp_path / "told")) == []
    pipes = """import os
os.mkfifo(os.environ["TMPDIR"] + "/result.json")
os.unlink(os.environ["STATEFUN_NB_CHECKS"])
os.mkfifo(os.environ["STATEFUN_NB_CHECKS"])"""
    path = write_notebook(tmp_path / "a.ipynb", START, COUNT, pipes, CHECK)
    (graded,) = grade([path])
    assert (graded.points, graded.errors) == (0, [])
    assert graded.problem.startswith("what its checks told is not all there")
    assert graded.exercises[0].words == graded.problem


# Lines as those for a cell that begins, with what is no index of one.
NUMBERS = "".join(json.dumps([0, "cell", "", text]) + "\n" for text in ("x", "9" * 9_999))


@pytest.mark.parametrize(
    ("written", "points"),
    [
        ("os.unlink(told)", 1),
        ("open(told, 'w').close()", 1),
        (f"open(told, 'a').write({json.dumps(NUMBERS)})", 2),
    ],
    ids=["removed", "emptied", "no numbers"],
)
def test_what_is_done_to_the_file_of_the_checks_is_told(tmp_path, written, points):
    cells = (START, COUNT, CHECK, f"import os\ntold = os.environ['STATEFUN_NB_CHECKS']\n{written}")
    again = CHECK.replace('"1"', '"2"')
    (graded,) = grade([write_notebook(tmp_path / "a.ipynb", *cells, again)])
    assert (graded.points, graded.of) == (points, 2)
    assert bool(graded.problem) == (points < 2)


@LINUX
def test_no_process_outlives_its_notebook_and_none_writes_on(tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    marker = tmp_path / "marker"
    writes = (
        "import subprocess\nsubprocess.Popen(['sh', '-c', 'n=0; while :; do : > f$n; n=$((n+1));"
        " done'], start_new_session=True)"
    )
    path = write_notebook(tmp_path / "a.ipynb", START, COUNT, writes, sleeps(marker), CHECK)
    (graded,) = grade([path])
    assert (graded.points, graded.problem, graded.errors) == (1, "", [])
    assert running(marker) == []
    assert temporary_folders(tmp_path / "tmp") == []


@LINUX
def test_who_ends_the_process_that_runs_it_leaves_none_behind_either(tmp_path):
    marker = tmp_path / "marker"
    kills = sleeps(marker) + "\nimport os, time\nos.kill(os.getppid(), 9)\ntime.sleep(300)"
    path = write_notebook(tmp_path / "a.ipynb", START, COUNT, CHECK, kills)
    (graded,) = grade([path])
    assert graded.points == 1  # what was told is known
    assert graded.problem.startswith("cell 4 (import subprocess, sys): the process that ran it")
    eventually(lambda: running(marker) == [])


def test_a_function_without_end_is_told_by_the_first_cell_that_waited_for_it(tmp_path):
    waits = 's.send("g/count", "y", "endless"); s.wait_idle()'
    path = write_notebook(
        tmp_path / "a.ipynb", START, COUNT, CHECK, "1 / 0", waits, *["s.wait_idle()"] * 20
    )
    (graded,) = grade([path], limits=Limits(seconds=14, cell_seconds=4))
    assert (
        graded.problem == f"cell 5 ({waits}) was interrupted first: in all it took more than 14 s"
    )
    assert [each.cell for each in graded.errors][:2] == [4, 5]
    assert graded.points == 1
    assert graded.seconds < 30
    usual = write_notebook(tmp_path / "b.ipynb", "1")
    assert graded.without_network == grade([usual])[0].without_network


def test_a_kernel_that_ends_says_why_and_where(tmp_path):
    ends = {
        "exit()": "exit()",
        "import os; os._exit(3)": "status 3, as of os._exit(3)",
        "import os; os.kill(os.getpid(), 9)": "it was killed: out of memory, perhaps",
        "import os; os.abort()": "SIGABRT came",
    }
    paths = [
        write_notebook(tmp_path / f"{n}.ipynb", START, COUNT, each, CHECK)
        for n, each in enumerate(ends)
    ]
    problems = [each.problem for each in grade(paths)]
    assert problems == [f"cell 3 ({code}) ended the kernel: {why}" for code, why in ends.items()]


def test_a_reference_among_the_notebooks_is_no_participants(tmp_path):
    reference = write_notebook(tmp_path / "exam.ipynb", START, COUNT, CHECK)
    ann = write_notebook(tmp_path / "ann" / "exam.ipynb", START, COUNT, CHECK)
    same = tmp_path / "ann" / ".." / "exam.ipynb"
    assert find_notebooks(tmp_path, same) == [ann]
    ann.unlink()
    with pytest.raises(sf.StatefunError, match="nothing to grade"):
        find_notebooks(tmp_path, Path(reference))
