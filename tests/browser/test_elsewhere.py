"""Saved notebooks, other pages than JupyterLab's, and payloads that mean harm."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import nbformat
import pytest

pytest.importorskip("playwright")

from playwright.sync_api import expect

from tests.waiting import eventually

from .conftest import ROOT
from .test_dashboard import FUNCTIONS, PANES, SEND, SHOW, detail_of, filter_box, rows

HOSTILE = """\
import statefun_nb as sf
text = sf.simple_type("io.statefun.types/string", bytes, bytes)
deep = sf.simple_type("statefun_nb/json", bytes, bytes)

@sf.function("evil/f", state={"kept": str})
def f(ctx, message):
    if isinstance(message.value, str):
        ctx.storage.kept = message.value
    print("<script>window.stolen = 1</script>")

s = sf.start(port=0)
markup = "<img src=x onerror='window.stolen = 1'><b>bold</b>"
s.send("evil/f", markup, markup)
s.send("evil/f", "long", "x" * 5_000_000)
s.send("evil/f", "deep", b"[" * 100_000 + b"]" * 100_000, type=deep)
s.send("evil/f", "invalid", b"\\x0a\\x02\\xff\\xfe", type=text)
s.send("evil/f", "right to left \\u202e \\u05d0\\u05d1", "\\u202eabc \\u05d0\\u05d1\\u05d2")
s.send("evil/f", "i" * 10_000, "the id is long")
s.wait_idle()"""


def test_payloads_that_mean_harm_are_text_cut_and_break_nothing(notebook):
    notebook.open(HOSTILE, SHOW).run_all()
    view = notebook.view()
    expect(rows(view)).to_have_count(6)
    for number in range(6):
        rows(view).nth(number).click()
        expect(detail_of(view)).to_contain_text("Message")
        expect(detail_of(view)).to_contain_text("version 1 of the function")
        rows(view).nth(number).click()
    for pane in reversed(PANES):
        notebook.pane(pane)
        assert view.evaluate("element => element.scrollWidth - element.clientWidth") <= 0
        assert len(view.inner_text()) < 60_000
    assert notebook.page.evaluate("window.stolen") is None
    assert view.locator("img, script, b").count() == 0
    filter_box(view).fill("id:long")
    rows(view).click()
    detail_of(view).get_by_role("button", name="Show all").click()
    expect(detail_of(view).get_by_role("button", name="Show all")).to_have_count(0)
    length = "element => element.querySelector('.sf-part .sf-string').textContent.length"
    notebook.page.wait_for_function(
        f"() => ({length})(document.querySelector('.sf-detail')) === 5000000"
    )


@pytest.fixture
def saved(notebook):
    """A notebook that was run, saved and left."""
    notebook.open(FUNCTIONS, SHOW, SEND).run_all()
    expect(rows(notebook.view())).to_have_count(18)
    snapshot = notebook.page.locator(".statefun-nb-snapshot")
    expect(snapshot).to_contain_text("18 invocations")
    expect(snapshot).to_be_hidden()  # beside the live view it would say everything twice
    notebook.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    notebook.shut_down()
    return notebook


def test_without_its_kernel_a_saved_notebook_shows_the_static_picture(saved, picture):
    saved.open_file(saved.name)
    snapshot = saved.page.locator(".statefun-nb-snapshot")
    expect(snapshot).to_be_visible()
    for text in ("18 invocations", "State of example/person", "good evening"):
        expect(snapshot).to_contain_text(text)
    check_graph(snapshot)
    expect(saved.page.get_by_text("model not found")).to_be_hidden()
    picture(snapshot, "snapshot-light")


def check_graph(snapshot):
    """The picture of the flow is there, drawn, and says in words what it shows."""
    graph = snapshot.get_by_role("img", name="Message flow")
    expect(graph).to_be_visible()
    expect(graph).to_have_attribute("alt", re.compile("example/greeter to example/out: 9"))
    graph.evaluate("image => image.decode()")
    assert graph.evaluate("image => image.naturalWidth") > 500


def test_a_notebook_of_somebody_else_shows_the_picture_and_no_garbage(saved):
    # Nobody here has signed it: JupyterLab's sanitizer cleans each output.
    path = saved.folder / saved.name
    notebook = nbformat.read(path, 4)
    notebook.cells[0].source += "\n# changed by hand"
    for cell in notebook.cells:
        for output in cell.outputs:
            output["metadata"] = {"by": "somebody else"}
    other = f"other-{saved.name}"
    nbformat.write(notebook, saved.folder / other)
    saved.open_file(other)
    snapshot = saved.page.locator(".statefun-nb-snapshot")
    expect(snapshot).to_be_visible()
    check_graph(snapshot)
    area = saved.page.locator(".jp-Cell").nth(1).locator(".jp-OutputArea")
    expect(area).not_to_contain_text("<statefun_nb")
    expect(area).not_to_contain_text("model not found")
    expect(area).not_to_contain_text("ingress")
    assert (
        saved.page.evaluate("window.jupyterapp.shell.currentWidget.model.cells.get(1).trusted")
        is False
    )


def test_an_exported_notebook_shows_the_static_picture(saved, page):
    path = saved.folder / saved.name
    command = [sys.executable, "-m", "nbconvert", "--to", "html", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    page.goto(path.with_suffix(".html").as_uri())
    snapshot = page.locator(".statefun-nb-snapshot")
    expect(snapshot).to_be_visible()
    expect(snapshot).to_contain_text("18 invocations")
    check_graph(snapshot)


def test_a_snapshot_page_stands_alone(notebook, page):
    notebook.open(FUNCTIONS, SEND).run_all()
    path = notebook.folder / "snapshot.html"
    notebook.result(f"s.snapshot_html({str(path)!r})")
    page.goto(path.as_uri())
    expect(page.get_by_role("heading", name="StateFun session")).to_be_visible()
    expect(page.get_by_role("table")).to_have_count(3)
    check_graph(page.locator("body"))


def test_notebook_7_shows_it_too(notebook, page):
    pytest.importorskip("notebook")
    notebook.open(FUNCTIONS, SHOW, SEND).run_all()
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    page.goto(f"{notebook.address}/notebooks/{notebook.name}")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=30_000)
    notebook.errors.clear()  # Notebook's own, of plugins that only JupyterLab has
    view = notebook.view()
    expect(rows(view)).to_have_count(18)
    view.get_by_role("button", name="Pause").click()
    expect(view.get_by_role("status").first).to_contain_text("paused")


def test_the_tour_runs_as_a_newcomer_runs_it(notebook):
    shutil.copy(ROOT / "notebooks" / "00_tour.ipynb", notebook.folder)
    notebook.open_file("00_tour.ipynb")
    notebook.command("notebook:clear-all-cell-outputs")
    notebook.run_all()
    view = notebook.view()
    expect(rows(view).first).to_be_visible()
    notebook.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    saved = nbformat.read(notebook.folder / "00_tour.ipynb", 4)
    outputs = [output for cell in saved.cells for output in cell.get("outputs", [])]
    errors = [output.ename for output in outputs if output.output_type == "error"]
    assert errors == ["CheckFailed"]  # the exercise that nobody has done yet
    assert len(outputs) > 12


def test_beside_the_notebook_it_fills_a_sidecar(notebook, page):
    pytest.importorskip("sidecar")
    in_the_whole_lab(notebook, FUNCTIONS, 's.dashboard(where="right")', SEND)
    view = page.locator(".jp-LinkedOutputView .sf-root")
    expect(rows(view)).to_have_count(18)
    expect(page.locator(".sf-root")).to_have_count(1)  # and not once more in the cell
    cells = page.locator(".jp-NotebookPanel").bounding_box()
    beside = view.bounding_box()
    assert beside["x"] >= cells["x"] + cells["width"]
    assert beside["height"] > 0.8 * cells["height"]
    view.get_by_role("button", name="Pause").click()
    expect(view.get_by_role("status").first).to_contain_text("paused")
    page.locator(".jp-NotebookPanel .jp-Cell").last.click()
    notebook.run("_2.close()")
    expect(view).to_have_count(0)


def test_without_the_sidecar_it_says_what_to_do_and_the_output_view_fills_its_place(notebook, page):
    show = 'import sys\nsys.modules["sidecar"] = None\ns.dashboard(where="right")'
    in_the_whole_lab(notebook, FUNCTIONS, show, SEND)
    in_cell = page.locator(".jp-Cell").nth(1)
    expect(rows(in_cell)).to_have_count(18)
    expect(in_cell).to_contain_text("where='right' needs jupyterlab-sidecar")
    expect(in_cell).to_contain_text("Create New View for Cell Output")
    page.evaluate("window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1")
    notebook.command("notebook:create-output-view")
    view = page.locator(".jp-LinkedOutputView .sf-root")
    expect(rows(view)).to_have_count(18)
    place = page.locator(".jp-LinkedOutputView").bounding_box()
    eventually(lambda: view.bounding_box()["height"] > 0.8 * place["height"])


def in_the_whole_lab(notebook, *cells):
    """Where documents stand beside one another."""
    notebook.open(*cells)
    alone = notebook.name.partition(".")[0]  # in a workspace of its own, without others' documents
    notebook.page.goto(f"{notebook.address}/lab/workspaces/{alone}/tree/{notebook.name}")
    notebook.wait_ready()
    # While documents are opened none may be current yet, and a command goes nowhere.
    notebook.page.wait_for_function("() => window.jupyterapp.shell.currentWidget?.content?.widgets")
    notebook.run_all()
