"""The code of the documentation does what the pages say; run as it stands, page by page."""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from docs.error_texts import rows, texts
from statefun_nb.cli.main import _parser
from statefun_nb.cluster.processes import free_ports
from statefun_nb.magics.parser import line_parser

pytest.importorskip("anywidget")

DOCS = Path(__file__).parent.parent / "docs"
# What only a real cluster can run is written as a {code-block}: tests/cluster runs it.
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
BLOCKS = {
    str(path.relative_to(DOCS)): BLOCK.findall(path.read_text())
    for path in sorted(DOCS.rglob("*.md"))
}
# What only a notebook can run: each block is a cell there.
CELLS = re.compile(r"^%|s\.export\(", re.MULTILINE)
PAGES = {page: "\n".join(blocks) for page, blocks in BLOCKS.items() if blocks}
NOTEBOOKS = [page for page, code in PAGES.items() if CELLS.search(code)]


def need_what_is_imported(code):
    for name in re.findall(r"^import (aiohttp|duckdb)", code, re.MULTILINE):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"the page needs {name}")


def test_there_are_pages_with_code():
    assert len(PAGES) >= 14
    assert len(NOTEBOOKS) == 3


@pytest.mark.parametrize("page", [page for page in PAGES if page not in NOTEBOOKS])
def test_the_code_of_a_page_runs(page, tmp_path):
    need_what_is_imported(PAGES[page])
    path = tmp_path / "test_page.py"
    path.write_text(PAGES[page])
    is_test = "def test_" in PAGES[page]
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider"] if is_test else ["-W", "error"]
    done = subprocess.run(
        [sys.executable, *command, str(path)],
        capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", [page for page in NOTEBOOKS if page != "cheatsheet.md"])
def test_the_cells_of_a_page_run(page, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    cells = [nbformat.v4.new_code_cell(block) for block in BLOCKS[page]]
    notebook = nbformat.v4.new_notebook(cells=cells)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=60, resources=resources).execute()


def commands(parser, *words):
    """The commands that a parser knows, each as its words."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                yield from list(commands(child, *words, name)) or [(*words, name)]


def test_the_page_of_errors_has_each_text_of_the_code_with_cause_and_cure():
    known = dict(rows())
    assert texts().keys() == known.keys(), "python docs/error_texts.py prints the rows that lack"
    assert all(len(cells) == 2 and cells[0] for cells in known.values())
    assert not [text for text, times in Counter(text for text, _ in rows()).items() if times > 1]


@pytest.mark.parametrize(
    ("program", "parser"), [("%statefun", line_parser), ("statefun-nb", _parser)]
)
def test_the_page_on_commands_has_a_line_for_each(program, parser):
    page = (DOCS / "howto" / "commands.md").read_text()
    known = {" ".join(words) for words in commands(parser())}
    shown = set(re.findall(rf"^\| `{program} ([a-z]+(?: [a-z]+(?![.a-z]))?)", page, re.MULTILINE))
    assert shown == known


def test_the_module_and_the_commands_of_the_page_on_other_languages(tmp_path):
    page = (DOCS / "howto" / "remote.md").read_text()
    module = "---\n".join(re.findall(r"^```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE))
    for port, free in zip(("8090", "8091"), free_ports(2), strict=True):
        module = module.replace(port, str(free))
    (tmp_path / "module.yaml").write_text(module)
    (tmp_path / "functions.py").write_text(
        "import statefun_nb as sf\n@sf.function('a/b')\ndef f(ctx, message):\n    pass\n"
    )
    commands = re.findall(r"^    statefun-nb (run .*)$", page, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        with subprocess.Popen(
            [sys.executable, "-m", "statefun_nb", *command.split(), "--port", "0"],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as running:  # fmt: skip
            try:
                assert running.stdout is not None
                assert running.stderr is not None
                while "Ctrl-C" not in running.stdout.readline():
                    assert running.poll() is None, running.stderr.read()
                running.terminate()
                assert running.wait(timeout=120) == 0
            finally:
                running.kill()
    assert (tmp_path / "kept.db").exists()


YAML = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)


def manifests():
    """The Kubernetes documents of the page on ASGI; of a KNative Service its Pod."""
    import yaml

    for block in YAML.findall((DOCS / "howto" / "asgi.md").read_text()):
        for document in yaml.safe_load_all(block):
            if str(document.get("apiVersion")).startswith("serving.knative.dev"):
                assert document["spec"].keys() == {"template"}
                spec = {**document["spec"]["template"]["spec"]}
                assert isinstance(spec.pop("containerConcurrency"), int)
                spec["containers"] = [{"name": "user", **each} for each in spec["containers"]]
                yield {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec}
            elif "apiVersion" in document:
                yield document


def test_the_manifests_of_the_page_on_kubernetes_are_as_its_schemas_say():
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    found = list(manifests())
    assert [each["kind"] for each in found] == ["Pod", "Deployment", "Service"]
    for each in found:
        kubernetes_validate.validate(each, "1.31", strict=True)
    broken = {**found[0], "spec": {"container": []}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.31", strict=True)


@pytest.mark.parametrize("page", ["lambda.md", "asgi.md", "from-go.md"])
def test_each_module_yaml_of_these_pages_is_read(page):
    from statefun_nb.protocol.module_reader import read_module

    read = [
        read_module(block)
        for block in YAML.findall((DOCS / "howto" / page).read_text())
        if "apiVersion" not in block
    ]
    assert read
    assert all(documents[0].is_endpoint for documents in read)
