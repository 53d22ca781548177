"""The rules of docs/architecture.md that a program can check; the rows are read from that page."""

from __future__ import annotations

import ast
import graphlib
import re
from pathlib import Path

import pytest

from docs.drawings import drawings, rooms

grimp = pytest.importorskip("grimp")

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "statefun_nb"

# Libraries that may be imported only in these rooms.
ROOMS = {
    "google": {"protocol", "sdk", "views"},
    "tornado": {"endpoint"},
    "httptools": {"endpoint"},
    "aiohttp": {"engine"},
    "IPython": {"magics", "views"},
    "anywidget": {"views"},
    "traitlets": {"views"},
    "ipywidgets": set(),
    "pandas": {"trace", "demos"},
    "yaml": {"protocol"},
    "confluent_kafka": {"cluster"},
    "jupyterlab": {"cli"},
    "jgo": {"cluster"},
    "cryptography": {"cluster"},
    # A project is tried, and a notebook is graded, in a process of its own.
    "subprocess": {"cluster", "export", "testing"},
    "sqlite3": {"engine"},
    "threading": {"loop_thread", "trace", "sessions", "cluster"},
}

# How one enters: `import statefun_nb`, `python -m statefun_nb`.
DOORS = {"__init__", "__main__"}

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROW_OF = {
    name.removesuffix("/").removesuffix(".py"): number
    for number, row in enumerate(rooms(PAGE))
    for name in row
}


def room(module):
    return module.split(".")[1] if "." in module else "__init__"


def sources():
    return [path for path in PACKAGE.rglob("*.py") if "_generated" not in path.parts]


def is_loose(name):
    return (PACKAGE / f"{name}.py").exists()


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("statefun_nb", cache_dir=None)


def test_every_room_has_its_place():
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in sources()}
    assert rooms - DOORS == ROW_OF.keys()
    assert len([each for each in PACKAGE.iterdir() if each.name != "__pycache__"]) <= 22


def test_imports_go_downward_only(graph):
    """To rows below; in a row only from one loose module to another."""
    wrong = []
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            here, there = room(module), room(imported)
            if DOORS & {here, there} or here == there:
                continue
            beside = ROW_OF[here] == ROW_OF[there] and is_loose(here) and is_loose(there)
            if not beside and ROW_OF[there] <= ROW_OF[here]:
                wrong.append(f"{module} imports {imported}")
    assert not wrong


def test_no_circle_of_imports(graph):
    """Not inside a folder either, where no row orders the modules."""
    imports = {
        module: graph.find_modules_directly_imported_by(module)
        for module in graph.modules
        if module != "statefun_nb"
    }
    graphlib.TopologicalSorter(imports).prepare()  # raises CycleError, with the circle


def test_no_module_imports_the_package_itself():
    """But for its version: the package imports everything, so that would be a circle."""
    wrong = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level and not node.module:
                names = {alias.name for alias in node.names}
                package = path.parents[node.level - 1]
                modules = {p.stem for p in package.iterdir()}
                if not names <= modules | {"__version__"}:
                    wrong.append(f"{path.name}: {names - modules}")
    assert not wrong


def test_libraries_stay_in_their_rooms():
    wrong = []
    for path in sources():
        here = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for name in names:
                library = name.split(".")[0]
                if library in ROOMS and here not in ROOMS[library]:
                    wrong.append(f"{path.relative_to(PACKAGE)} imports {name}")
    assert not wrong


def late_imports():
    """Own modules that are imported inside a function: where, and the line."""
    for path in sources():
        text = path.read_text()
        for function in ast.walk(ast.parse(text)):
            if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.ImportFrom) and node.level:
                    yield path.relative_to(PACKAGE), text.splitlines()[node.lineno - 1]


def test_a_late_import_says_what_it_saves():
    wrong = [
        f"{path}: {line.strip()}"
        for path, line in late_imports()
        if not re.search(r"# .*\d+ ms", line)
    ]
    assert not wrong


def test_modules_and_functions_stay_small():
    wrong = []
    for path in sources():
        text = path.read_text()
        lines = len(text.splitlines())
        if lines > 400:
            wrong.append(f"{path.name}: {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                docstring = ast.get_docstring(node, clean=False)
                assert node.end_lineno is not None
                length = node.end_lineno - node.lineno + 1
                length -= len(docstring.splitlines()) if docstring else 0
                if length > 60:
                    wrong.append(f"{path.name}: {node.name} has {length} lines")
    assert not wrong


@pytest.mark.parametrize("page", ["architecture", "contributing"])
def test_files_that_a_page_names_are_there(page):
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w/]+\.py)", text))
    folders = [PACKAGE, *(ROOT / each for each in ("tests", "docs", "proto"))]
    files = [*ROOT.glob("*.py"), *(path for each in folders for path in each.rglob("*.py"))]
    there = [f"/{path.relative_to(ROOT).as_posix()}" for path in files]
    assert len(named) > 10
    assert [name for name in named if not any(path.endswith(f"/{name}") for path in there)] == []


def test_tests_stand_where_what_they_test_stands():
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    elsewhere = {"browser", "parity"}  # of the whole, not of a room
    mirrored = {path.name for path in (ROOT / "tests").iterdir() if (path / "__init__.py").exists()}
    assert mirrored - elsewhere <= folders


def test_nothing_is_evaluated_or_unpickled():
    wrong = []
    for path in sources():
        # The one exec compiles the user's own cell.
        refused = () if path.name == "body.py" else ("eval", "exec")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in refused:
                wrong.append(f"{path.name}:{node.lineno}")
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = {alias.name for alias in node.names} | {getattr(node, "module", "")}
                if names == {"marshal", "dumps"}:  # which only writes
                    continue
                if names & {"pickle", "marshal", "shelve"}:
                    wrong.append(f"{path.name}:{node.lineno}")
    assert not wrong


@pytest.mark.parametrize("name", drawings())
def test_the_drawings_show_what_the_tables_say(name):
    kept = (ROOT / "docs" / "images" / name).read_text(encoding="utf-8")
    assert kept == drawings()[name], "python docs/drawings.py"
