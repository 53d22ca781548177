"""The dashboard in a real JupyterLab, as a person uses it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("playwright")

from playwright.sync_api import expect

from tests.waiting import eventually

from .conftest import ROOT

AXE = ROOT / "js" / "node_modules" / "axe-core" / "axe.min.js"

FUNCTIONS = """\
import statefun_nb as sf
from datetime import timedelta

@sf.function("example/person", state={"visits": int})
def person(ctx, message):
    print("hello", ctx.address.id)
    if message.value == "boom":
        raise ValueError("no such greeting")
    ctx.storage.visits = (ctx.storage.visits or 0) + 1
    ctx.send("example/greeter", ctx.address.id, f"{message.value} x{ctx.storage.visits}")

@sf.function("example/greeter", state={"seen": dict})
def greeter(ctx, message):
    seen = ctx.storage.seen or {"count": 0}
    ctx.storage.seen = {"count": seen["count"] + 1, "last": message.value}
    ctx.send_egress(sf.kafka_egress_message(
        typename="example/out", topic="greetings", key=ctx.address.id, value=message.value))

@sf.function("example/reminder")
def reminder(ctx, message):
    ctx.send_after(timedelta(minutes=5), "example/person", ctx.address.id, "wake up", token="t1")

s = sf.start(port=0)"""
SHOW = "dashboard = s.dashboard()\ndashboard"
SEND = """\
for greeting in ("hi", "hello", "good evening"):
    for name in ("bob", "alice", "carol"):
        s.send("example/person", name, greeting)
s.wait_idle()"""


def rows(view):
    return view.locator(".sf-line")


def row(view, function=None, id_=None, message=None):
    """Rows of a function, an id and a message, each as it is written in its cell."""
    found = rows(view)
    for column, text in (("function", function), ("id", id_), ("message", message)):
        if text is not None:
            cell = view.page.locator(f".sf-c-{column}", has_text=re.compile(f"^{re.escape(text)}$"))
            found = found.filter(has=cell)
    return found


def failed_row(view, text):
    return rows(view).filter(has_text=f"✗ {text}")


def repaired_row(view, text):
    return rows(view).filter(has_text=f"✓ repaired ({text}")


def detail_of(view):
    return view.get_by_role("region", name=re.compile("Invocation"))


@pytest.fixture
def dashboard(notebook):
    notebook.open(FUNCTIONS, SHOW, SEND).run_all()
    view = notebook.view()
    expect(rows(view).first).to_be_visible()
    return view


def check_accessible(page):
    """axe-core finds no serious violation in the live views."""
    page.evaluate(AXE.read_text())
    result = page.evaluate("axe.run('.sf-root', { resultTypes: ['violations'] })")
    serious = [
        (each["id"], [node["html"][:300] for node in each["nodes"][:3]])
        for each in result["violations"]
        if each["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_the_quickstart_is_seen_as_it_runs(notebook, picture):
    quickstart = nbformat.read(ROOT / "notebooks" / "01_quickstart.ipynb", 4)
    cells = [cell.source for cell in quickstart.cells if cell.cell_type == "code"]
    notebook.open(cells[0], SHOW, *cells[1:-1]).run_all()
    view = notebook.view()
    expect(row(view, "example/reminder").first).to_be_visible()
    expect(repaired_row(view, "TypeError").first).to_be_visible()
    count = int(notebook.result("s.status().traced"))
    expect(view.locator(".sf-metric", has_text="invocations").last).to_contain_text(str(count))
    notebook.page.locator(".jp-Cell").nth(1).scroll_into_view_if_needed()
    notebook.view()
    picture(notebook.page, "quickstart")


def test_a_row_opens_to_message_diff_effects_and_output(dashboard, notebook, picture):
    expect(rows(dashboard)).to_have_count(18)
    row(dashboard, "example/person", "alice", "hello").click()
    detail = detail_of(dashboard)
    expect(detail).to_contain_text("io.statefun.types/string")
    expect(detail.locator(".sf-change")).to_have_text("~visits: 1 → 2")
    expect(detail).to_contain_text("to example/greeter alice")
    expect(detail.locator(".sf-pre")).to_have_text("hello alice")
    picture(dashboard, "dashboard-light")
    # The causal chain, both ways.
    detail.get_by_role("button", name="example/greeter/alice #").click()
    expect(detail.locator(".sf-change")).to_have_count(2)
    expect(detail).to_contain_text("egress example/out greetings alice")
    detail.get_by_role("button", name="Chain").click()
    chain = detail.locator(".sf-chain")
    expect(chain).to_have_count(2)
    chain.first.click()
    expect(detail).to_contain_text("an ingress")
    notebook.page.keyboard.press("Escape")


def test_an_error_opens_to_its_traceback_and_the_line_in_the_cell(dashboard, notebook):
    notebook.run('s.send("example/person", "bob", "boom")')
    failed = failed_row(dashboard, "ValueError: no such greeting").first
    failed.click()
    detail = detail_of(dashboard)
    expect(detail.locator("mark").last).to_contain_text('raise ValueError("no such greeting")')
    expect(dashboard.get_by_role("status").first).to_contain_text("1 parked")
    expect(dashboard.locator(".sf-metric", has_text="errors")).to_contain_text("⚠")


def test_an_error_whose_message_has_gone_through_is_shown_as_repaired(dashboard, notebook):
    notebook.run('s.send("example/person", "bob", "boom")')
    failed_row(dashboard, "ValueError: no such greeting").first.click()
    detail = detail_of(dashboard)
    expect(detail).to_contain_text("⚠ ValueError")
    mended = FUNCTIONS.partition('@sf.function("example/greeter')[0].replace('"boom"', "None")
    notebook.run(mended + "\ns.retry()\ns.wait_idle()")
    expect(repaired_row(dashboard, "ValueError: no such greeting)")).to_have_count(1)
    expect(failed_row(dashboard, "ValueError")).to_have_count(0)
    expect(detail).to_contain_text("its message has gone through since")
    expect(detail.locator("mark").last).to_contain_text('raise ValueError("no such greeting")')
    expect(dashboard.locator(".sf-metric", has_text="errors")).to_contain_text("1")
    dashboard.get_by_label("Filter invocations").fill("status:repaired")
    expect(rows(dashboard)).to_have_count(1)


def test_the_filter_narrows_and_the_notebook_shares_it(dashboard, notebook):
    box = dashboard.get_by_role("searchbox")
    box.fill("type:person id:bob")
    expect(rows(dashboard)).to_have_count(3)
    assert notebook.result("dashboard.filter") == "'type:person id:bob'"
    notebook.run('dashboard.filter = "sent:greetings message:hello"')
    expect(box).to_have_value("sent:greetings message:hello")
    expect(rows(dashboard)).to_have_count(3)
    box.fill("typ:x")
    expect(dashboard.get_by_role("alert")).to_contain_text('"typ:" is not known')


def test_columns_sort(dashboard):
    dashboard.get_by_role("button", name="function").click()
    expect(rows(dashboard).first).to_contain_text("example/person")
    dashboard.get_by_role("button", name="function").click()
    expect(rows(dashboard).first).to_contain_text("example/greeter")
    header = dashboard.get_by_role("columnheader", name="function")
    expect(header).to_have_attribute("aria-sort", "ascending")


def test_pause_step_resume(dashboard, notebook):
    dashboard.get_by_role("button", name="Pause").click()
    expect(dashboard.get_by_role("status").first).to_contain_text("paused")
    assert notebook.result("dashboard.paused") == "True"
    notebook.run('s.send("example/person", "dora", "one by one")')
    expect(dashboard.locator(".sf-metric", has_text="queued")).to_contain_text("1")
    expect(row(dashboard, id_="dora")).to_have_count(0)
    dashboard.get_by_role("button", name="Step").click()
    expect(row(dashboard, "example/person", "dora")).to_have_count(1)
    detail = detail_of(dashboard)
    expect(detail).to_contain_text("one by one")
    expect(row(dashboard, "example/greeter", "dora")).to_have_count(0)
    dashboard.get_by_role("button", name="Resume").click()
    expect(row(dashboard, "example/greeter", "dora")).to_have_count(1)


def test_while_a_cell_runs_the_view_goes_on_and_pause_acts(dashboard, notebook):
    notebook.run(
        "import time\nbegin = time.monotonic()\n"
        "while not s.engine.paused and time.monotonic() - begin < 30:\n"
        '    s.send("example/person", "busy", "tick")\n    time.sleep(0.05)\n'
        "took = time.monotonic() - begin"
    )
    expect(row(dashboard, id_="busy").nth(5)).to_be_visible()
    dashboard.get_by_role("button", name="Pause").click()
    expect(dashboard.get_by_role("status").first).to_contain_text("paused")
    assert float(notebook.result("took")) < 15
    dashboard.get_by_role("button", name="Resume").click()


def test_the_form_sends_a_message(dashboard, notebook):
    form = notebook.pane("Send")
    form.get_by_label("Function").fill("example/person")
    form.get_by_label("Id").fill("erin")
    form.get_by_label("Value").fill("from the form")
    form.get_by_role("button", name="Send").click()
    expect(form.get_by_role("status")).to_have_text("sent to example/person/erin")
    form.get_by_label("Type").select_option("int")
    form.get_by_role("button", name="Send").click()
    expect(form.get_by_role("status")).to_contain_text("is not a value of io.statefun.types/int")
    notebook.pane("Invocations")
    expect(row(dashboard, "example/person", "erin", "from the form")).to_have_count(1)


def test_a_state_value_is_edited_used_cleared_and_restored(dashboard, notebook, picture):
    pane = notebook.pane("State")
    pane.get_by_label("Function").select_option("example/person")
    bob = pane.get_by_role("region", name="State of bob")
    expect(bob.locator(".sf-value")).to_contain_text("3")
    bob.get_by_role("button", name="Edit visits").click()
    bob.get_by_label("New value of visits").fill("many")
    bob.get_by_role("button", name="Save").click()
    expect(pane.get_by_role("alert")).to_contain_text(
        "'many' is not a value of io.statefun.types/long"
    )
    bob.get_by_label("New value of visits").fill("41")
    bob.get_by_role("button", name="Save").click()
    expect(bob.locator(".sf-value")).to_contain_text("41")
    notebook.run('s.send("example/person", "bob", "after the edit")')
    expect(bob.locator(".sf-value")).to_contain_text("42")
    bob.get_by_role("button", name="History").click()
    history = bob.get_by_role("list")
    expect(history.locator(".sf-change").first).to_have_text("~visits: 41 → 42")
    picture(dashboard, "state-light")
    bob.get_by_role("button", name="Clear visits").click()
    expect(bob.locator(".sf-value")).to_contain_text("none")
    pane.get_by_role("button", name="Undo").click()
    expect(bob.locator(".sf-value")).to_contain_text("42")
    assert notebook.result('s.state("example/person", "bob")') == "{'visits': 42}"


def test_ids_are_searched(dashboard, notebook):
    pane = notebook.pane("State")
    pane.get_by_role("searchbox").fill("aro")
    expect(pane.locator(".sf-address")).to_have_count(1)
    expect(pane.locator(".sf-address")).to_contain_text("carol")


def test_what_was_sent_is_grouped_copied_and_downloaded(dashboard, notebook):
    pane = notebook.pane("Outgoing")
    pane.get_by_label("Show").select_option("egress example/out · greetings")
    expect(pane.get_by_role("row")).to_have_count(9)
    expect(pane.get_by_role("row").first).to_contain_text("good evening")
    with notebook.page.expect_download() as download:
        pane.get_by_role("button", name="Download JSON lines").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert len(lines) == 9
    assert json.loads(lines[0])["value"] == "hi x1"


def test_the_graph_shows_flows_and_filters(dashboard, notebook, picture):
    pane = notebook.pane("Graph")
    node = pane.get_by_role("button", name="function example/greeter")
    expect(node).to_contain_text("9")
    expect(pane.locator(".sf-edge")).to_have_count(3)
    notebook.page.wait_for_timeout(3_000)  # until nothing flows any more
    picture(dashboard, "graph-light")
    pane.get_by_label("Single addresses").check()
    expect(pane.locator(".sf-node")).to_have_count(8)
    pane.get_by_label("Single addresses").uncheck()
    pane.get_by_role("button", name="Zoom in").click()
    pane.get_by_role("button", name="Fit").click()
    node.focus()
    notebook.page.keyboard.press("Enter")
    expect(dashboard.get_by_role("searchbox")).to_have_value("type:example/greeter")
    expect(rows(dashboard)).to_have_count(9)
    # The other panes follow.
    chosen = notebook.pane("State").get_by_label("Function")
    expect(chosen).to_have_value("example/greeter")
    outgoing = notebook.pane("Outgoing")
    expect(outgoing.get_by_role("option")).to_have_count(1)
    outgoing.get_by_role("button", name="by type:example/greeter").click()
    expect(outgoing.get_by_role("option")).to_have_count(2)


def test_timers_count_down_are_cancelled_and_brought_near(dashboard, notebook):
    notebook.run('for n in "xy":\n    s.send("example/reminder", n, 1)')
    pane = notebook.pane("Timers")
    expect(pane.locator(".sf-value")).to_have_count(2)
    expect(pane.locator(".sf-value").first).to_contain_text(re.compile(r"4:\d\d left"))
    expect(pane.locator(".sf-value").first).to_contain_text("token t1")
    pane.get_by_role("button", name="Cancel the message to example/person/x").click()
    expect(pane.locator(".sf-value")).to_have_count(1)
    pane.get_by_label("Advance the clock by").fill("6")
    pane.get_by_role("button", name="Advance").click()
    expect(pane.locator(".sf-value")).to_have_count(0)
    notebook.pane("Invocations")
    expect(row(dashboard, "example/person", "y", "wake up")).to_have_count(1)


def test_the_keyboard_is_enough(dashboard, notebook):
    page = notebook.page
    dashboard.get_by_role("tab", name="Invocations").focus()
    page.keyboard.press("ArrowRight")
    expect(dashboard.get_by_role("tab", name="State")).to_be_focused()
    expect(dashboard.get_by_role("tab", name="State")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowLeft")
    grid = dashboard.get_by_role("grid")
    grid.focus()
    for key in ("Home", "ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    third = rows(dashboard).nth(2)
    expect(third).to_have_attribute("aria-selected", "true")
    assert grid.get_attribute("aria-activedescendant") == third.get_attribute("id")
    page.keyboard.press("Escape")
    expect(third).to_have_attribute("aria-selected", "false")
    # JupyterLab's own single-letter shortcuts stay away from what is typed.
    cells = page.locator(".jp-Cell").count()
    page.keyboard.press("b")
    dashboard.get_by_role("searchbox").press_sequentially("bob dd")
    assert page.locator(".jp-Cell").count() == cells


def test_light_and_dark_both_are_readable(dashboard, notebook, picture):
    page = notebook.page
    notebook.run('s.send("example/person", "bob", "boom")')
    failed_row(dashboard, "ValueError").first.click()
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        notebook.command("apputils:change-theme", theme=theme)
        light = str(theme.endswith("Light")).lower()
        page.wait_for_selector(f"body[data-jp-theme-light={light}]", state="attached")
        page.wait_for_timeout(500)
        for pane in ("Invocations", "State", "Outgoing", "Graph", "Timers", "Send"):
            notebook.pane(pane)
            page.wait_for_timeout(300)
            check_accessible(page)
    notebook.pane("Invocations")
    row(dashboard, "example/person", "alice", "hello").click()
    expect(dashboard.locator(".sf-change")).to_have_count(1)
    picture(dashboard, "dashboard-dark")
    notebook.pane("Graph")
    page.wait_for_timeout(500)
    picture(dashboard, "graph-dark")
    notebook.command("apputils:change-theme", theme="JupyterLab Light")


def test_it_can_be_read_at_400_pixels(dashboard, notebook, picture):
    dashboard.evaluate("element => { element.parentElement.style.width = '400px' }")
    row(dashboard, "example/person", "alice", "hello").click()
    expect(dashboard.locator(".sf-change")).to_be_visible()

    def fits():  # a table is laid out once the page has measured it
        return dashboard.evaluate("element => element.scrollWidth <= element.clientWidth")

    eventually(fits)
    for pane in ("State", "Outgoing", "Graph", "Timers", "Send", "Invocations"):
        notebook.pane(pane)
        eventually(fits)
    picture(dashboard, "dashboard-narrow")


def test_a_page_that_is_loaded_again_shows_everything_again(notebook):
    notebook.open(FUNCTIONS, SHOW, SEND).run_all()
    expect(rows(notebook.view())).to_have_count(18)
    notebook.command("docmanager:save")
    notebook.command_done()
    notebook.page.reload()
    notebook.wait_ready()
    view = notebook.view()
    expect(rows(view)).to_have_count(18)
    view.get_by_role("button", name="Pause").click()
    expect(view.get_by_role("status").first).to_contain_text("paused")


def test_a_kernel_that_is_restarted_starts_anew(dashboard, notebook):
    page = notebook.page
    notebook.command("notebook:restart-kernel")
    page.locator(".jp-Dialog button.jp-mod-accept").click()
    notebook.command_done()
    notebook.wait_ready()
    notebook.run_all()
    view = notebook.view()
    expect(rows(view)).to_have_count(18)
    row(view, "example/person", "alice", "hello").click()
    expect(detail_of(view)).to_contain_text("hello")


def test_two_dashboards_and_small_views_show_one_session(dashboard, notebook, picture):
    notebook.run("s.table('type:greeter')")
    table = notebook.view(1)
    expect(rows(table)).to_have_count(9)
    notebook.run("s.watch('example/person', 'bob')")
    watch = notebook.view(2)
    expect(watch.locator(".sf-value")).to_contain_text("3")
    expect(watch.get_by_role("listitem")).to_have_count(3)
    notebook.run("s.graph()")
    graph = notebook.view(3)
    expect(graph.locator(".sf-node")).to_have_count(4)
    notebook.run("s")
    again = notebook.view(4)
    expect(rows(again)).to_have_count(18)
    notebook.run('s.send("example/person", "bob", "to all")')
    for number, view in ((1, table), (4, again)):
        notebook.view(number)
        expect(row(view, message="to all x4")).to_be_visible()
    notebook.view(2)
    expect(watch.locator(".sf-value")).to_contain_text("4")
    picture(watch, "watch-light")


def test_traits_are_linked_like_those_of_any_widget(dashboard, notebook):
    notebook.run(
        "import ipywidgets\nbox = ipywidgets.Text()\n"
        "ipywidgets.jslink((box, 'value'), (dashboard, 'filter'))\nbox"
    )
    notebook.page.locator(".widget-text input").fill("id:carol")
    notebook.view()
    expect(rows(dashboard)).to_have_count(6)
    rows(dashboard).first.click()
    selected = int(notebook.result("dashboard.selected"))
    assert notebook.result(f"s.invocations[{selected} - 1].address.id") == "'carol'"


def test_the_end_of_the_session_is_told(dashboard, notebook):
    notebook.run("s.stop()")
    notebook.view()
    expect(dashboard.get_by_role("status").first).to_contain_text("stopped")
    expect(rows(dashboard)).to_have_count(18)
    row(dashboard, "example/person", "alice", "hello").click()
    expect(dashboard.locator(".sf-detail")).to_contain_text("hello")
