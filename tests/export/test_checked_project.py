"""A written project is tried in a process of its own; what fails is said, and the files stay."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import statefun_nb as sf
from statefun_nb.export import export as exporting
from statefun_nb.export.cases import Chosen, LeftOut
from statefun_nb.export.export import Exported, check_free
from statefun_nb.export.modules import imports_of
from statefun_nb.export.program import Wanted
from statefun_nb.export.project import Parts, project_files
from statefun_nb.export.tried import Tried, try_project
from statefun_nb.export.wheel import wheel_name, write_wheel
from statefun_nb.testing import write_recorded
from statefun_nb.trace.replay import cases_of

CODE = """import statefun_nb as sf

@sf.function("x/f", state={"n": int})
def f(ctx, message):
    print("noise")
    ctx.storage.n = message.value * FACTOR
"""


@pytest.fixture
def cases(functions):
    sf.function("x/f", state={"n": int}, functions=functions)(
        lambda ctx, message: setattr(ctx.storage, "n", message.value * 2)
    )
    with sf.start(port=0, functions=functions) as session:
        session.send_many([("x/f", "a", n) for n in range(4)])
        session.wait_idle()
        return cases_of(session.recorder)


@pytest.fixture
def project(tmp_path, cases):
    """What writes a project of one module with four tests, and tries it."""

    def written(code, wanted=("x/f",), registry=None, **options):
        (tmp_path / "tests").mkdir(exist_ok=True)
        (tmp_path / "functions.py").write_text(code)
        count = write_recorded(tmp_path / "tests" / "recorded.jsonl", cases)
        found = try_project(tmp_path, registry, wanted, count, **options)
        assert not list(tmp_path.rglob("__pycache__"))
        return found

    return written


def test_one_that_does_what_it_did(project):
    assert project(CODE + "FACTOR = 2\n") == Tried(4)
    own = CODE.replace("@", "mine = sf.StatefulFunctions()\n\n@").replace(
        "})", "}, functions=mine)"
    )
    assert project(own + "FACTOR = 2\n", registry="mine") == Tried(4)


def test_one_that_does_otherwise(project):
    tried = project(CODE + "FACTOR = 3\n")
    assert tried.tests == 4
    assert tried.failed == tuple(
        f"x/f 'a' {n}: state n: {3 * n} (was {2 * n})" for n in range(1, 4)
    )


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import statefun_nb\nimport nowhere", "functions.py, line 2: ModuleNotFoundError: No mod"),
        ("x = input()", "cannot be imported: functions.py, line 1: EOFError"),
        ("raise SystemExit('no')", "cannot be imported: functions.py, line 1: SystemExit: no"),
        ("def f(:", "cannot be imported: SyntaxError"),
        ("", "functions.py does not declare x/f"),
        ("import os\nos._exit(3)", "its tests ended before they were done: without a word"),
    ],
)
def test_one_that_cannot_be_imported_says_where(project, code, message):
    (broken,) = project(code).broken
    assert message in broken


def test_one_that_does_not_end_is_ended(project):
    code = CODE + "FACTOR = 2\nimport threading\n"
    forever = "threading.Thread(target=threading.Event().wait).start()\n"
    assert project(code + forever) == Tried(4)
    (broken,) = project(code + "threading.Event().wait()\n", seconds=2.0).broken
    assert "took longer than 2 s and were ended: File" in broken


def shown(tried, left_out=(), others=0):
    return Exported(Path("here"), {"a.py": 3, "w.whl": 0}, Chosen([], [*left_out], others), tried)


def test_the_result_says_what_fails_and_what_is_no_test():
    good = shown(Tried(14))
    assert good.problem == ""
    assert repr(good).startswith("exported to here; 14 tests pass\n")
    assert repr(shown(Tried(0))).startswith("exported to here; no tests\n")
    bad = shown(Tried(14, ("x", "y", "z", "<u>")), [LeftOut("x/f", 1, "reads", "'a' 1")], 7)
    assert bad.problem == "4 of 14 tests fail: x; y; z; and 1 more"
    for text in (repr(bad), bad._repr_html_()):
        assert "BROKEN: 4 of 14 tests fail: x; y; z; and 1 more" in text
        assert "7 more invocations add nothing to these" in text
    assert "left out: 1 invocation of x/f: reads; it is 'a' 1" in repr(bad)
    assert shown(Tried(1, ("no",), ("broken",))).problem == "broken; 1 of 1 test fails: no"


def test_modules_beside_the_notebook_go_along(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "beside.py").write_text("import yaml\nfrom deeper.part import x\nimport os")
    (tmp_path / "deeper" / "__pycache__").mkdir(parents=True)
    (tmp_path / "deeper" / "__pycache__" / "part.pyc").write_text("")
    (tmp_path / "deeper" / "__init__.py").write_text("from . import part")
    (tmp_path / "deeper" / "part.py").write_text("x = 1")
    (tmp_path / "deeper" / "prices.csv").write_text("1")
    code = "import statefun_nb as sf, beside as b, json\ntry:\n    import nowhere\nexcept E:\n    1"
    found = imports_of(code)
    assert sorted(found.copied) == [
        "beside.py", "deeper/__init__.py", "deeper/part.py", "deeper/prices.csv",
    ]  # fmt: skip
    assert found.requirements == (f"PyYAML=={metadata.version('pyyaml')}",)
    assert found.notes == ()


@pytest.mark.parametrize("name", ["functions", "conftest"])
def test_a_module_that_the_project_has_itself_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / f"{name}.py").write_text("")
    for module in [each for each in sys.modules if each.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    with pytest.raises(sf.DeclarationError, match=f"a '{name}' of its own: rename the module"):
        imports_of(f"import {name}")


def test_a_module_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("statefun_nb.export.modules._MOST_BYTES", 3)
    (tmp_path / "large").mkdir()
    (tmp_path / "large" / "__init__.py").write_text("1234")
    with pytest.raises(sf.DeclarationError, match=r"large is imported from .*: at 4 bytes it is"):
        imports_of("import large")


@pytest.mark.parametrize(
    ("direct", "line", "notes"),
    [
        ({}, "demo==1.0", 0),
        ({"url": "https://x/y.whl", "archive_info": {}}, "demo @ https://x/y.whl", 0),
        (
            {"url": "https://x/y", "vcs_info": {"vcs": "git", "commit_id": "ab"}},
            "demo @ git+https://x/y@ab",
            0,
        ),
        ({"url": "file:///home/me/y", "dir_info": {}}, "demo==1.0", 1),
    ],
)
def test_a_requirement_says_where_pip_finds_it(direct, line, notes, tmp_path, monkeypatch):
    place = tmp_path / "site-packages"
    about = place / "demo-1.0.dist-info"
    about.mkdir(parents=True)
    (place / "demo.py").write_text("")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: demo\nVersion: 1.0+cpu\n")
    (about / "RECORD").write_text("demo.py,,\n")
    if direct:
        (about / "direct_url.json").write_text(json.dumps(direct))
    monkeypatch.syspath_prepend(place)
    found = imports_of("import demo")
    assert found.requirements == (line,)
    assert found.copied == {}
    assert len(found.notes) == notes


def test_a_folder_with_a_project_is_refused_before_the_notebook_is_run(tmp_path):
    notebook = tmp_path / "n.ipynb"  # it is not even read
    (tmp_path / "project").mkdir()
    check_free(tmp_path / "project", overwrite=False)
    (tmp_path / "project" / "module.yaml").write_text("mine")
    command = [sys.executable, "-m", "statefun_nb", "export", str(notebook), "project"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("statefun-nb: project has module.yaml already: take another")
    with pytest.raises(sf.SessionError, match="is a file: take another folder"):
        check_free(tmp_path / "project" / "module.yaml", overwrite=True)


CELLS = [
    "import statefun_nb as sf, sqlite3, os\nfrom beside import shout\ns = sf.start(port=0)",
    "NAME = str(os.getpid())",
    (
        '@sf.function("x/f")\n'
        "def f(ctx, message):\n"
        "    if message.value == 'bad':\n        raise ValueError(shout('bad'))\n"
        "    ctx.send_egress(sf.kafka_egress_message('x/out', 't', shout(message.value)))"
    ),
    (
        '@sf.function("x/name")\n'
        "def name(ctx, message):\n"
        "    ctx.send_egress(sf.kafka_egress_message('x/out', 't', NAME))"
    ),
    's.send_many([("x/f", "a", "hi"), ("x/f", "b", "bad"), ("x/name", "a", 1)])\ns.wait_idle()',
]


def command(notebook_cells, folder):
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    cells = [nbformat.v4.new_code_cell(cell) for cell in notebook_cells]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "n.ipynb")
    (folder / "beside.py").write_text("def shout(text):\n    return text.upper()")
    return subprocess.run(
        [sys.executable, "-m", "statefun_nb", "export", "n.ipynb", "project"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_a_notebook_whose_project_is_broken_ends_in_an_error_and_the_files_stay(tmp_path):
    """NAME is another one wherever the module is imported."""
    done = command(CELLS, tmp_path)
    assert done.returncode == 1
    assert "statefun-nb: 1 of 3 tests fails: x/name 'a' 1: emitted" in done.stderr
    assert "BROKEN: 1 of 3 tests fails" in done.stdout
    project = tmp_path / "project"
    assert (project / "beside.py").exists()
    assert '"error": "ValueError: BAD"' in (project / "tests" / "recorded.jsonl").read_text()


def test_a_notebook_with_a_live_object_is_refused_before_anything_is_written(tmp_path):
    cells = [*CELLS[:1], "NAME = sqlite3.connect(':memory:')", *CELLS[2:4]]
    done = command(cells, tmp_path)
    assert done.returncode == 1
    assert "'NAME' is a connection to a database (sqlite3.Connection): name uses NAME" in (
        done.stderr
    )
    assert not (tmp_path / "project").exists()


def test_the_wheel_is_what_is_imported_here(tmp_path):
    assert wheel_name() == f"statefun_nb-{metadata.version('statefun_nb')}-py3-none-any.whl"
    path, again = tmp_path / wheel_name(), tmp_path / "again"
    write_wheel(path)
    write_wheel(again)
    assert path.read_bytes() == again.read_bytes()
    with zipfile.ZipFile(path) as packed:
        names = packed.namelist()
        about = f"statefun_nb-{metadata.version('statefun_nb')}.dist-info"
        record = packed.read(f"{about}/RECORD").decode()
    assert [line.partition(",")[0] for line in record.splitlines()] == names
    assert {"statefun_nb/__init__.py", "statefun_nb/protocol/_generated/statefun.binpb",
            "statefun_nb_pytest.py",
            f"{about}/METADATA", f"{about}/entry_points.txt"} < {*names}  # fmt: skip
    assert not [name for name in names if "__pycache__" in name]


class Greeter(sf.StatefulFunction):
    def __init__(self, text):
        self.text = text

    def invoke(self, ctx, message):
        pass


class Called:
    def __call__(self, ctx, message):
        pass


def test_what_was_declared_is_looked_for_by_its_name(functions):
    def handle(ctx, message, factor=1):
        pass

    nameless = lambda ctx, message: None  # noqa: E731
    for function, name in (
        (Greeter("hi"), "Greeter"),
        (Called(), "Called"),
        (functools.partial(functools.partial(handle, factor=1)), handle.__qualname__),
        (nameless, nameless.__qualname__),
    ):  # fmt: skip
        sf.function("x/f", functions=functions)(function)
        assert exporting._wanted(functions, "x/f") == Wanted("x/f", name)


def test_without_a_wheel_it_says_what_to_do(monkeypatch):
    def lacking(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", lacking)
    assert exporting._package() == ("statefun_nb", None)
    parts = Parts("", None, "", imports_of(""), "statefun_nb", None, 0, [])
    files = project_files(parts)
    assert files["requirements.txt"] == "statefun_nb\n"
    assert "put a wheel of it into vendor/ (pip wheel --no-deps -w vendor" in files["README.md"]


def test_its_requirements_install_where_nothing_of_this_is(tmp_path, cases):
    """A new environment has the project's folder and an index, and runs its tests."""
    parts = Parts(
        CODE + "FACTOR = 2\n", None, "", imports_of(""),
        f"statefun_nb=={metadata.version('statefun_nb')}", wheel_name(), 4, [],
    )  # fmt: skip
    project = tmp_path / "project"
    for name, text in project_files(parts).items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    (project / "vendor").mkdir()
    write_recorded(project / "tests" / "recorded.jsonl", cases)
    write_wheel(project / "vendor" / wheel_name())
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / ("Scripts" if sys.platform == "win32" else "bin") / "python"

    def run(*arguments):
        return subprocess.run(
            [python, "-I", "-m", *arguments],
            cwd=project, capture_output=True, text=True, check=False,
        )  # fmt: skip

    done = run("pip", "install", "-q", "--no-input", "-r", "requirements.txt", "pytest")
    if done.returncode and "statefun_nb" not in done.stderr.partition("No matching")[2]:
        pytest.skip(f"no index is reached: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    done = run("pytest", "-q", "-p", "no:cacheprovider")
    assert "4 passed" in done.stdout, done.stdout + done.stderr
