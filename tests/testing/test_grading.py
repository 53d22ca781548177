"""Notebooks are graded by what their checks say, whatever else is in them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import statefun_nb as sf
from statefun_nb.cells.notebook import read_notebook
from statefun_nb.cli.main import main
from statefun_nb.testing.exercise_cells import written_checks
from statefun_nb.testing.exercises import CHECKS_FILE, events
from statefun_nb.testing.grading import Limits, find_notebooks, grade
from statefun_nb.testing.reports import as_json, as_junit, feedback_page, names_of
from statefun_nb.testing.runs import Ran
from tests.waiting import eventually

from .notebooks import write_notebook

psutil = pytest.importorskip("psutil")
pytest.importorskip("nbclient")

START = "%load_ext statefun_nb\nimport statefun_nb as sf\ns = sf.start(port=0)"
COUNTS = """@sf.function("g/count", state={"n": int})
def count(ctx, message):
    ctx.storage.n = (ctx.storage.n or 0) + 1
    ctx.send("g/count", "other", 1) if message.value == "again" else None

s.send("g/count", "x", "hello")"""
CHECKS = (
    's.check("g/count", "x", exercise="1", points=2).state(n=1)',
    's.check("g/count", "x", exercise="2").invoked(1)',
)


def sleeping(processes):
    """The return code of a process that sleeps on, unless whoever has ``processes`` ends it."""
    process = subprocess.Popen(["sleep", "20"])
    processes.add(process)
    return process.wait()


def outcomes(graded):
    return {each.name: (each.outcome, each.points, each.of) for each in graded.exercises}


def test_a_check_tells_of_its_exercise(functions, tmp_path, monkeypatch):
    monkeypatch.setenv(CHECKS_FILE, str(tmp_path / "told"))

    @sf.function("g/f", state={"n": int}, functions=functions)
    def f(ctx, message):
        ctx.storage.n = 1

    with sf.start(port=0, functions=functions) as session:
        session.send("g/f", "x", 1)
        session.check("g/f", "x").state(n=1)  # of no exercise: nobody is told
        session.check("g/f", "x", exercise="1").state(n=1).invoked(1)
        with pytest.raises(sf.CheckFailed):
            session.check("g/f", "x", exercise="2", points=0.5).state(n=2)
        with pytest.raises(sf.UnknownFunctionError):
            session.check("g/typo", "x", exercise="3")
    told = [(each.what, each.exercise) for each in events(tmp_path / "told")]
    assert told == [
        ("begun", "1"),
        ("passed", "1"),
        ("passed", "1"),
        ("begun", "2"),
        ("failed", "2"),
        ("begun", "3"),
        ("failed", "3"),
    ]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"exercise": 2}, "exercise=2"),
        ({"exercise": " "}, "has no name"),
        ({"exercise": "1", "points": "2"}, "points='2'"),
        ({"exercise": "1", "points": -1}, "points=-1"),
        ({"exercise": "1", "points": True}, "points=True"),
    ],
)
def test_an_exercise_has_a_name_and_points(functions, wrong, says):
    with (
        sf.start(port=0, functions=functions) as session,
        pytest.raises(sf.SessionError, match=says),
    ):
        session.check("g/f", "x", **wrong)


def test_checks_are_found_as_they_are_written(tmp_path):
    path = write_notebook(
        tmp_path / "a.ipynb",
        "%%bash\necho exercise='0'",
        '%time\ns.check("g/f", "x", exercise="1", points=1.5).state(n=1)\n'
        'for _ in "ab": s.check("g/f", "y", exercise="2").invoked(1)',
        "# exercise='3'",
        "def broken(:",
        's.check("g/f", "x", exercise=name)',
    )
    found = written_checks(read_notebook(path))
    assert found == [(1, "1", 1.5), (1, "2", 1)]


def test_each_notebook_has_what_its_checks_say_and_stops_no_other(tmp_path):
    changed = COUNTS.replace("+ 1", "+ 5", 1)
    write_notebook(tmp_path / "right" / "exam.ipynb", START, COUNTS, *CHECKS)
    write_notebook(tmp_path / "wrong" / "exam.ipynb", START, changed, *CHECKS)
    write_notebook(tmp_path / "raises" / "exam.ipynb", START, COUNTS + "\n1 / 0", *CHECKS)
    write_notebook(tmp_path / "syntax" / "exam.ipynb", START, "def f(:", *CHECKS)
    write_notebook(tmp_path / "undefined" / "exam.ipynb", START, COUNTS, "s.check(name)", *CHECKS)
    write_notebook(
        tmp_path / "dies" / "exam.ipynb",
        START,
        COUNTS,
        CHECKS[0],
        "import os; os._exit(1)",
        CHECKS[1],
    )
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "exam.ipynb").write_text("{")
    model = write_notebook(tmp_path / "model" / "exam.ipynb", START, COUNTS, *CHECKS)
    paths = [path for path in find_notebooks(tmp_path) if path != model]
    graded = {each.notebook.parent.name: each for each in grade(paths)}

    both = {"1": ("passed", 2, 2), "2": ("passed", 1, 1)}
    assert outcomes(graded["right"]) == outcomes(graded["undefined"]) == both
    assert outcomes(graded["raises"]) == both
    assert [(each.cell, each.text) for each in graded["raises"].errors] == [
        (2, "ZeroDivisionError: division by zero")
    ]
    assert outcomes(graded["wrong"]) == {"1": ("failed", 0, 2), "2": ("passed", 1, 1)}
    assert "state 'n' is 5, not 1" in graded["wrong"].exercises[0].words
    assert {each.outcome for each in graded["syntax"].exercises} == {"failed"}
    assert "no function 'g/count' is declared" in graded["syntax"].exercises[0].words
    assert outcomes(graded["dies"]) == {"1": ("passed", 2, 2), "2": ("not reached", 0, 1)}
    assert (
        graded["dies"].problem
        == "cell 4 (import os; os._exit(1)) ended the kernel: status 1, as of os._exit(1)"
    )
    assert "is not a notebook" in graded["broken"].problem
    (suite,) = ET.fromstring(as_junit([graded["broken"]], ["broken"]))
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")
    assert not [each for each in psutil.Process().children(recursive=True) if each.is_running()]


def test_whoever_changes_a_check_is_graded_by_the_reference(tmp_path):
    reference = write_notebook(tmp_path / "exam.ipynb", START, COUNTS, *CHECKS)
    weak = CHECKS[0].replace("n=1", "n=5")
    changed = COUNTS.replace("+ 1", "+ 5", 1)
    write_notebook(tmp_path / "all" / "weak.ipynb", START, changed, weak)
    graded = grade([tmp_path / "all" / "weak.ipynb"], reference=reference)
    assert outcomes(graded[0]) == {"1": ("failed", 0, 2), "2": ("passed", 1, 1)}
    more = 's.check("g/count", "a", exercise="1", points=100).state(n=5)'
    write_notebook(tmp_path / "all" / "more.ipynb", START, changed, *CHECKS, more)
    graded = grade([tmp_path / "all" / "more.ipynb"], reference=reference)
    assert outcomes(graded[0]) == {"1": ("failed", 0, 2), "2": ("passed", 1, 1)}
    nothing = write_notebook(tmp_path / "nothing.ipynb", START)
    with pytest.raises(sf.StatefunError, match="checks no exercise"):
        grade([reference], reference=nothing)


def test_time_and_memory_are_bounded_and_the_next_cells_run(tmp_path):
    cells = {
        "endless": "while True: pass",
        "hungry": "kept = [bytearray(1 << 28) for _ in range(10_000)]",
    }
    for name, cell in cells.items():
        write_notebook(tmp_path / f"{name}.ipynb", START, COUNTS, cell, *CHECKS)
    graded = grade(find_notebooks(tmp_path), limits=Limits(cell_seconds=10))
    late = "KeyboardInterrupt: it took more than 10 s and was interrupted"
    assert [each.errors for each in graded] == [
        [(3, cells["endless"], late)],
        [(3, cells["hungry"], "MemoryError: it asked for more than 2048 MiB")],
    ]
    for each in graded:
        assert outcomes(each) == {"1": ("passed", 2, 2), "2": ("passed", 1, 1)}


def test_what_cannot_be_interrupted_is_killed(tmp_path):
    stubborn = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(600)"
    path = write_notebook(tmp_path / "a.ipynb", START, COUNTS, stubborn, *CHECKS)
    (graded,) = grade([path], limits=Limits(seconds=20, cell_seconds=5))
    assert graded.problem.endswith("it took more than 20 s")
    assert outcomes(graded) == {"1": ("not reached", 0, 2), "2": ("not reached", 0, 1)}
    assert not psutil.Process().children(recursive=True)


@pytest.mark.skipif(sys.platform != "linux", reason="other platforms do not take the network away")
def test_there_is_no_network_but_loopback(tmp_path):
    reach = (
        "import socket\n"
        "names = [name for _, name in socket.if_nameindex()]\n"
        "assert names == ['lo'], names\n"
        "with socket.create_server(('127.0.0.1', 0)) as server:\n"
        "    socket.create_connection(server.getsockname()).close()"
    )
    path = write_notebook(tmp_path / "a.ipynb", START, COUNTS, reach, *CHECKS)
    (graded,) = grade([path])
    if not graded.without_network:
        pytest.skip("this container does not let the network be taken away")
    assert (graded.errors, graded.problem) == ([], "")
    (open_,) = grade([path], limits=Limits(network=True))
    assert not open_.without_network
    assert len(open_.errors) == (len(list(Path("/sys/class/net").iterdir())) > 1)


def test_files_beside_a_notebook_are_there_and_stay_as_they_are(tmp_path):
    (tmp_path / "data.csv").write_text("1")
    cell = "from pathlib import Path\nassert Path('data.csv').read_text() == '1'\n"
    cell += "Path('data.csv').write_text('2')"
    path = write_notebook(tmp_path / "a.ipynb", cell)
    (graded,) = grade([path])
    assert (graded.errors, graded.problem) == ([], "")
    assert (tmp_path / "data.csv").read_text() == "1"
    assert {each.name for each in tmp_path.iterdir()} == {"a.ipynb", "data.csv"}


def test_the_command_writes_every_report(tmp_path, capsys):
    hostile = CHECKS[0].replace("n=1", "n='<script>\\x1b[2J'")
    write_notebook(tmp_path / "all" / "ann" / "exam.ipynb", START, COUNTS, *CHECKS)
    write_notebook(tmp_path / "all" / "bob" / "exam.ipynb", START, COUNTS, hostile, CHECKS[1])
    files = {name: str(tmp_path / name) for name in ("g.json", "g.xml", "pages")}
    arguments = ["--json", files["g.json"], "--junit", files["g.xml"], "--feedback", files["pages"]]
    assert main(["grade", str(tmp_path / "all"), *arguments]) == 0
    out, err = capsys.readouterr()
    lines = [line.split() for line in out.splitlines()]
    assert lines[:4] == [
        ["2", "notebooks"],
        ["notebook", "points", "1", "2", "problem"],
        ["ann", "3", "of", "3", "✓", "✓"],
        ["bob", "1", "of", "3", "✗", "✓"],
    ]
    assert err == ""
    told = json.loads((tmp_path / "g.json").read_text())
    assert [(each["name"], each["points"], each["of"]) for each in told] == [
        ("ann", 3, 3),
        ("bob", 1, 3),
    ]
    suites = ET.parse(tmp_path / "g.xml").getroot()
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in suites] == [
        ("ann", "2", "0"),
        ("bob", "2", "1"),
    ]
    page = (tmp_path / "pages" / "bob.html").read_text()
    assert "1 of 3 points" in page
    assert "0 of 2 points" in page
    assert "1 of 1 point<" in page
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "\x1b" not in page


@pytest.mark.parametrize(
    ("option", "place", "says"),
    [
        ("--json", "none/g.json", "none is not a folder"),
        ("--json", "file/g.json", "file is not a folder"),
        ("--junit", "folder", "it is a folder"),
        ("--feedback", "file", "it is a file"),
        ("--feedback", "file/pages/today", "file is not a folder"),
        ("--json", "closed/g.json", "nothing can be written to {place}"),
        ("--feedback", "closed/pages/today", "nothing can be written to {place}"),
    ],
)
def test_what_cannot_be_written_is_told_before_anything_is_run(
    tmp_path, monkeypatch, capsys, option, place, says
):
    write_notebook(tmp_path / "all" / "a.ipynb", "1")
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "closed").mkdir()
    monkeypatch.setattr("statefun_nb.cli.grade.grade", pytest.fail)
    # Who is root may write everywhere.
    monkeypatch.setattr("os.access", lambda path, _: Path(path).name != "closed")
    path = tmp_path / place
    assert main(["grade", str(tmp_path / "all"), option, str(path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"statefun-nb: cannot write {path}: ")
    assert said.endswith(says.format(place=tmp_path / "closed") + "\n")


def test_a_report_that_cannot_be_written_costs_no_other(tmp_path, capsys):
    notebook = write_notebook(tmp_path / "all" / "a.ipynb", "1")
    pages = tmp_path / "pages"
    (pages / "a.html").mkdir(parents=True)
    write_notebook(notebook.with_name("b.ipynb"), "1")
    files = ["--junit", str(tmp_path / "g.xml"), "--json", "/dev/full"]
    if not Path("/dev/full").exists():
        files = files[:2]
    assert main(["grade", str(tmp_path / "all"), *files, "--feedback", str(pages)]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("2 notebooks")
    assert f"{pages / 'a.html'}: Is a directory" in err
    assert len(files) == 2 or "statefun-nb: cannot write /dev/full: No space left" in err
    assert ET.parse(tmp_path / "g.xml").getroot().tag == "testsuites"
    assert (pages / "b.html").is_file()


def test_names_tell_notebooks_apart(tmp_path):
    nested = [write_notebook(tmp_path / "a" / who / "exam.ipynb", "1") for who in ("ann", "bob")]
    flat = [write_notebook(tmp_path / "b" / f"{who}.ipynb", "1") for who in ("ann", "bob")]
    for folder, paths in (("a", nested), ("b", flat)):
        graded = grade(paths)
        names = names_of(graded, tmp_path / folder)
        assert names == ["ann", "bob"]
        assert json.loads(as_json(graded, names))[0]["exercises"] == []
        assert ET.fromstring(as_junit(graded, names)).tag == "testsuites"
        assert "0 of 0 points" in feedback_page(graded[0], names[0])


@pytest.mark.parametrize("what", ["nothing", "no such folder"])
def test_a_folder_without_notebooks_is_an_error(tmp_path, capsys, what):
    folder = tmp_path if what == "nothing" else tmp_path / "none"
    assert main(["grade", str(folder)]) == 1
    assert "notebook in" in (err := capsys.readouterr().err) or "is not a folder" in err


def test_an_interrupt_ends_also_what_is_only_about_to_be_started(tmp_path, monkeypatch):
    begun, interrupted = threading.Event(), threading.Event()
    ended = []

    def run(path, *others):
        if path.stem == "first":
            assert begun.wait(60)  # what has not begun at the interrupt never does
        else:
            begun.set()
            assert interrupted.wait(60)
            ended.append(sleeping(others[-1]))
        return Ran()

    def interrupt(_):
        interrupted.set()
        raise KeyboardInterrupt

    monkeypatch.setattr("statefun_nb.testing.grading.run", run)
    paths = [write_notebook(tmp_path / f"{name}.ipynb", "1") for name in ("first", "late")]
    with pytest.raises(KeyboardInterrupt):
        grade(paths, report=interrupt)
    assert ended == [-signal.SIGKILL]


def test_an_interrupt_before_all_are_submitted_ends_what_has_begun(tmp_path, monkeypatch):
    begun = threading.Event()
    ended = []

    def run(path, *others):
        begun.set()
        ended.append(sleeping(others[-1]))
        return Ran()

    class Pool(ThreadPoolExecutor):
        def submit(self, fn, /, *arguments, **options):
            if begun.is_set():
                raise KeyboardInterrupt
            submitted = super().submit(fn, *arguments, **options)
            assert begun.wait(60)
            return submitted

    monkeypatch.setattr("statefun_nb.testing.grading.run", run)
    monkeypatch.setattr("statefun_nb.testing.grading.ThreadPoolExecutor", Pool)
    paths = [write_notebook(tmp_path / f"{name}.ipynb", "1") for name in ("first", "late")]
    with pytest.raises(KeyboardInterrupt):
        grade(paths)
    assert ended == [-signal.SIGKILL]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_leave_nothing_behind(tmp_path, number):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    starts = "import subprocess, time\nsubprocess.Popen(['sleep', '600'])\ntime.sleep(600)"
    write_notebook(tmp_path / "all" / "a.ipynb", starts)
    grading = subprocess.Popen(
        [sys.executable, "-m", "statefun_nb", "grade", str(tmp_path / "all")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    me = psutil.Process(grading.pid)
    eventually(lambda: any(each.name() == "sleep" for each in me.children(recursive=True)), 60)
    family = me.children(recursive=True)
    grading.send_signal(number)
    _, err = grading.communicate(timeout=60)
    assert grading.returncode == 128 + number
    assert b"Traceback" not in err
    eventually(lambda: not any(each.is_running() for each in family), 30)
    assert not [*temporary.glob("statefun_nb_grade_*")]
