"""The rules of docs/architecture.md that a program can check."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

grimp = pytest.importorskip("grimp")

PACKAGE = Path(__file__).parent.parent / "statefun_nb"

# Top down; a module imports only from rows below its own, or from its own folder.
LAYERS = [
    {"cli", "magics"},
    {"run_notebook"},
    {"default_session"},
    {"session"},
    {"export"},
    {"views"},
    {"demos", "engines", "doctor", "serving"},
    {"checks", "testing"},
    {"options", "incoming", "status"},
    {"cluster"},
    {"endpoint", "engine"},
    {"trace"},
    {"module_yaml"},
    {"handler"},
    {"dispatch", "functions"},
    {"registry", "context", "egress"},
    {"state", "messages"},
    {"storage"},
    {"inference", "value_spec"},
    {"types"},
    {"protocol"},
    {"effects", "loop_thread"},
    {"cells"},
    {"address"},
    {"errors", "tables", "_current"},
]

# Libraries that may be imported only in these places.
ROOMS = {
    "google": {"protocol", "inference", "views"},
    "tornado": {"endpoint"},
    "httptools": {"endpoint"},
    "aiohttp": {"engine"},
    "IPython": {"magics", "views"},
    "anywidget": {"views"},
    "traitlets": {"views"},
    "ipywidgets": set(),
    "pandas": {"trace", "demos"},
    "yaml": {"module_yaml"},
    "confluent_kafka": {"cluster"},
    "jupyterlab": {"cli"},
    "jgo": {"cluster"},
    "subprocess": {"cluster"},
    "sqlite3": {"engine"},
    "threading": {"loop_thread", "trace", "_current", "cluster"},
}

# Longer than 400 lines, or with a function longer than 60: each with its reason.
LONG_FUNCTIONS: set[str] = set()


def room(module):
    return module.split(".")[1] if "." in module else "__init__"


def row_of(name):
    return next(i for i, row in enumerate(LAYERS) if name in row)


def sources():
    return [path for path in PACKAGE.rglob("*.py") if "_generated" not in path.parts]


def test_imports_go_downward_only():
    graph = grimp.build_graph("statefun_nb", cache_dir=None)
    wrong = []
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            here, there = room(module), room(imported)
            if "__init__" in (here, there) or here == there:
                continue
            if row_of(there) <= row_of(here):
                wrong.append(f"{module} imports {imported}")
    assert not wrong


def test_every_module_has_a_row():
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in sources()}
    assert rooms - {"__init__"} == set().union(*LAYERS)


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
                length = node.end_lineno - node.lineno + 1
                length -= len(docstring.splitlines()) if docstring else 0
                if length > 60 and node.name not in LONG_FUNCTIONS:
                    wrong.append(f"{path.name}: {node.name} has {length} lines")
    assert not wrong


def test_nothing_is_evaluated_or_unpickled():
    wrong = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            function = getattr(node, "func", None)
            # The one exec compiles the user's own cell.
            if getattr(function, "id", "") in ("eval", "exec") and path.name != "body.py":
                wrong.append(f"{path.name}:{node.lineno}")
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = {alias.name for alias in node.names} | {getattr(node, "module", "")}
                if names & {"pickle", "marshal", "shelve"}:
                    wrong.append(f"{path.name}:{node.lineno}")
    assert not wrong
