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

PANES = (
    *("Invocations", "Waiting", "State", "Outgoing", "Timeline"),
    *("Graph", "Functions", "Timers", "Send"),
)
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


def row(view, function="", id_="", message=None):
    """Rows of a function (its name), of an id, and of a message, as they are in the cells."""
    address = view.page.locator(
        ".sf-c-address",
        has_text=re.compile(f"^{re.escape(function) or '[^/]+'}/{re.escape(id_) or '.*'}$"),
    )
    found = rows(view).filter(has=address)
    if message is not None:
        words = re.compile(f"^{re.escape(message)}$")
        found = found.filter(has=view.page.locator(".sf-c-message", has_text=words))
    return found


def filter_box(view):
    return view.get_by_label("Filter invocations")


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
    expect(row(view, "reminder").first).to_be_visible()
    expect(repaired_row(view, "TypeError").first).to_be_visible()
    count = int(notebook.result("s.status().traced"))
    expect(view.locator(".sf-metric", has_text="invocations").first).to_contain_text(f"{count:,}")
    notebook.page.locator(".jp-Cell").nth(1).scroll_into_view_if_needed()
    notebook.view()
    picture(notebook.page, "quickstart")


def test_a_row_opens_to_message_diff_effects_and_output(dashboard, notebook, picture):
    expect(rows(dashboard)).to_have_count(18)
    row(dashboard, "person", "alice", "hello").click()
    detail = detail_of(dashboard)
    expect(detail.get_by_role("heading", name="Message")).to_contain_text("str")
    expect(detail.locator(".sf-change")).to_have_text("~visits: 1 → 2")
    expect(detail).to_contain_text("to greeter/alice")
    expect(detail.locator(".sf-printed")).to_have_text("hello alice")
    picture(dashboard, "dashboard-light")
    # The causal chain, both ways.
    detail.get_by_role("button", name="greeter/alice #").click()
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
    expect(dashboard.get_by_role("button", name="1 parked")).to_be_visible()
    expect(dashboard.locator(".sf-metric", has_text="errors")).to_contain_text("✗ 1")
    # The frame is named as IPython does, with the lines around, and leads to its cell.
    expect(detail.locator(".sf-frame")).to_contain_text("Cell In[1], line 8")
    expect(detail.locator(".sf-frame")).to_contain_text('if message.value == "boom":')
    # Its lines stay lines, whatever JupyterLab has for a pre.
    code = detail.locator(".sf-code")
    expect(code).to_have_css("white-space", "pre")
    expect(code).to_have_css("word-break", "normal")
    detail.get_by_role("button", name="Whole traceback").click()
    expect(detail.locator(".sf-pre").last).to_have_css("word-break", "normal")
    detail.get_by_role("button", name="Cell In[1], line 8").click()
    expect(notebook.page.locator(".jp-Cell").first).to_be_in_viewport()


def test_an_error_whose_message_has_gone_through_is_shown_as_repaired(dashboard, notebook):
    notebook.run('s.send("example/person", "bob", "boom")')
    failed_row(dashboard, "ValueError: no such greeting").first.click()
    detail = detail_of(dashboard)
    expect(detail).to_contain_text("✗ ValueError")
    mended = FUNCTIONS.partition('@sf.function("example/greeter')[0].replace('"boom"', "None")
    notebook.run(mended + "\ns.retry()\ns.wait_idle()")
    expect(repaired_row(dashboard, "ValueError: no such greeting)")).to_have_count(1)
    expect(failed_row(dashboard, "ValueError")).to_have_count(0)
    expect(detail).to_contain_text("its message has gone through since")
    expect(detail.locator("mark").last).to_contain_text('raise ValueError("no such greeting")')
    expect(dashboard.locator(".sf-metric", has_text="errors")).to_contain_text("1✓ repaired")
    dashboard.get_by_label("Filter invocations").fill("status:repaired")
    expect(rows(dashboard)).to_have_count(1)


def test_the_filter_narrows_and_the_notebook_shares_it(dashboard, notebook):
    box = filter_box(dashboard)
    box.fill("type:person id:bob")
    expect(rows(dashboard)).to_have_count(3)
    eventually(lambda: notebook.result("dashboard.filter") == "'type:person id:bob'")
    notebook.run('dashboard.filter = "sent:greetings message:hello"')
    expect(box).to_have_value("sent:greetings message:hello")
    expect(rows(dashboard)).to_have_count(3)
    box.fill("typ:x")
    expect(dashboard.get_by_role("alert")).to_contain_text('"typ:" is not known')


def test_columns_sort(dashboard):
    head = dashboard.get_by_role("button", name="address")
    head.click()
    expect(rows(dashboard).first).to_contain_text("person/carol")
    head.focus()
    dashboard.page.keyboard.press("Enter")
    expect(rows(dashboard).first).to_contain_text("greeter/alice")
    header = dashboard.get_by_role("columnheader", name="address")
    expect(header).to_have_attribute("aria-sort", "ascending")


def test_pause_step_resume(dashboard, notebook):
    dashboard.get_by_role("button", name="Pause").click()
    expect(dashboard.get_by_role("status").first).to_contain_text("paused")
    assert notebook.result("dashboard.paused") == "True"
    notebook.run('s.send("example/person", "dora", "one by one")')
    expect(dashboard.locator(".sf-metric", has_text="queued")).to_contain_text("1")
    expect(row(dashboard, id_="dora")).to_have_count(0)
    dashboard.get_by_role("button", name="Step").click()
    expect(row(dashboard, "person", "dora")).to_have_count(1)
    detail = detail_of(dashboard)
    expect(detail).to_contain_text("one by one")
    expect(row(dashboard, "greeter", "dora")).to_have_count(0)
    dashboard.get_by_role("button", name="Resume").click()
    expect(row(dashboard, "greeter", "dora")).to_have_count(1)


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


def test_the_form_sends_keeps_what_was_typed_and_says_what_came_of_it(dashboard, notebook):
    form = notebook.pane("Send")
    form.get_by_label("Function").fill("example/person")
    form.get_by_label("Id").fill("erin")
    form.get_by_label("Value").fill("from the form")
    notebook.page.keyboard.press("Control+Enter")
    sent = form.get_by_role("list", name="Sent before, newest first").get_by_role("listitem")
    expect(sent).to_have_count(1)
    expect(sent.first).to_contain_text("sent to person/erin")
    notebook.pane("Invocations")
    expect(row(dashboard, "person", "erin", "from the form")).to_have_count(1)
    notebook.pane("Send")
    expect(form.get_by_label("Value")).to_have_value("from the form")
    sent.first.get_by_role("button", name=re.compile("#.* ✓")).click()
    expect(detail_of(dashboard)).to_contain_text("from the form")
    # Types by the names that people write; JSON is held to be JSON while it is typed.
    form.get_by_label("Type").select_option("int")
    form.get_by_role("button", name="Send", exact=True).click()
    expect(form.get_by_role("alert")).to_contain_text("'from the form' is not a value of int")
    form.get_by_label("Type").select_option("JSON")
    expect(form.get_by_role("alert")).to_contain_text("This is no JSON")
    expect(form.get_by_label("Type").get_by_role("option", name="str (as before)")).to_have_count(1)
    form.get_by_label("Type").select_option("str")
    form.get_by_label("Delay").fill("600")
    form.get_by_role("button", name="Send", exact=True).click()
    expect(sent).to_have_count(2)
    expect(notebook.pane("Timers").locator(".sf-value")).to_contain_text("person/erin")


def state_of(pane, id_):
    return pane.get_by_role("row", name=f"State of {id_}")


def test_a_state_value_is_edited_used_cleared_and_restored(dashboard, notebook, picture):
    pane = notebook.pane("State")
    pane.get_by_label("Function").select_option("example/person")
    bob = state_of(pane, "bob")
    expect(bob.locator(".sf-value")).to_contain_text("3")
    bob.hover()
    bob.get_by_role("button", name="Edit visits").click()
    bob.get_by_label("New value of visits").fill("many")
    bob.get_by_role("button", name="Save").click()
    expect(pane.get_by_role("alert")).to_contain_text("'many' is not a value of int")
    bob.get_by_label("New value of visits").fill("41")
    notebook.page.keyboard.press("Control+Enter")
    expect(bob.locator(".sf-value")).to_contain_text("41")
    expect(bob.locator(".sf-changed")).to_contain_text("by hand (dashboard: edit)")
    notebook.run('s.send("example/person", "bob", "after the edit")')
    expect(bob.locator(".sf-value")).to_contain_text("42")
    bob.get_by_role("button", name="History").click()
    history = pane.get_by_role("list", name="History, newest first")
    expect(history.locator(".sf-change").first).to_have_text("~visits: 41 → 42")
    expect(history.get_by_role("listitem").nth(1)).to_contain_text("by hand (dashboard: edit)")
    picture(dashboard, "state-light")
    bob.get_by_role("button", name="Clear visits").click()
    expect(bob.locator(".sf-value")).to_contain_text("none")
    pane.get_by_role("button", name="Undo").click()
    expect(bob.locator(".sf-value")).to_contain_text("42")
    assert notebook.result('s.state("example/person", "bob")') == "{'visits': 42}"
    for words in ("dashboard: undo", "dashboard: clear"):
        expect(history).to_contain_text(words)


def test_ids_are_searched_and_everything_about_one_is_shown(dashboard, notebook):
    pane = notebook.pane("State")
    pane.get_by_label("Search ids").fill("aro")
    expect(pane.locator("tbody tr")).to_have_count(1)
    carol = state_of(pane, "carol")
    carol.get_by_role("button", name="Everything").focus()
    notebook.page.keyboard.press("Enter")
    for name, text in (("person", "visits"), ("greeter", "seen")):
        expect(pane.get_by_role("table", name=f"State of example/{name}")).to_contain_text(text)
    pane.get_by_role("button", name="Back to the table").click()
    pane.get_by_label("Search ids").fill("nobody")
    expect(pane).to_contain_text('No id of greeter has "nobody" in it.')


def test_a_table_of_state_is_sorted_by_its_values(dashboard, notebook):
    notebook.run('s.send("example/person", "alice", "once more")')
    pane = notebook.pane("State")
    pane.get_by_label("Function").select_option("example/person")
    head = pane.get_by_role("button", name="visits", exact=True)
    for order, first in (("ascending", "3"), ("descending", "4")):
        head.click()
        expect(pane.get_by_role("columnheader", name="visits")).to_have_attribute(
            "aria-sort", order
        )
        expect(pane.locator("tbody tr").first).to_contain_text(first)


def test_what_was_sent_is_grouped_copied_and_downloaded(dashboard, notebook):
    pane = notebook.pane("Outgoing")
    pane.get_by_label("Show").select_option("egress example/out · greetings")
    expect(pane.get_by_role("row")).to_have_count(9)
    expect(pane.get_by_role("row").first).to_contain_text("good evening")
    with notebook.page.expect_download() as download:
        pane.get_by_role("button", name="JSON lines").click()
    assert download.value.suggested_filename == "greetings.jsonl"
    lines = Path(download.value.path()).read_text().splitlines()
    assert len(lines) == 9
    assert json.loads(lines[0])["value"] == "hi x1"


def test_a_download_is_what_is_shown(dashboard, notebook):
    filter_box(dashboard).fill("id:bob type:person")
    expect(rows(dashboard)).to_have_count(3)

    def downloaded(pane, form):
        with notebook.page.expect_download() as download:
            pane.get_by_role("button", name=form).click()
        return download.value.suggested_filename, Path(download.value.path()).read_text()

    name, text = downloaded(notebook.pane("Invocations"), "JSON lines")
    assert name == "invocations.jsonl"
    assert [json.loads(line)["message"] for line in text.splitlines()] == [
        *("hi", "hello", "good evening")
    ]
    name, text = downloaded(notebook.pane("Outgoing"), "CSV")
    assert name == "example_greeter.csv"
    assert len(text.splitlines()) == 4
    name, text = downloaded(notebook.pane("State"), "JSON lines")
    assert name == "state-example_person.jsonl"
    assert json.loads(text) == {"function": "example/person", "id": "bob", "visits": 3}


def test_the_graph_shows_flows_and_filters(dashboard, notebook, picture):
    notebook.run(
        '@sf.function("example/loop")\ndef loop(ctx, message):\n'
        "    if message.value:\n"
        '        ctx.send("example/loop", "x", message.value - 1)\n'
        's.send("example/loop", "x", 3)\ns.send("example/reminder", "x", 1)'
    )
    pane = notebook.pane("Graph")
    node = pane.get_by_role("button", name="function example/greeter")
    expect(node).to_contain_text("9")
    # What was declared and what only waits for its time is there; topics are nodes.
    for name in ("function example/reminder", "topic greetings", "egress example/out"):
        expect(pane.get_by_role("button", name=name)).to_be_visible()
    expect(pane.locator(".sf-edge-timer")).to_have_count(1)
    loop = pane.get_by_role("button", name="filter by type:example/loop caller:example/loop")
    expect(loop).to_contain_text("3")
    notebook.page.wait_for_timeout(3_000)  # until nothing flows any more
    dashboard.evaluate("each => { each.style.height = '860px' }")  # as its corner drags it
    picture(dashboard, "graph-light")
    sizes = pane.locator("svg text").evaluate_all(
        "texts => texts.map(each => each.getBBox().height"
        " * each.ownerSVGElement.width.baseVal.value / each.ownerSVGElement.viewBox.baseVal.width)"
    )
    assert min(sizes) >= 11
    pane.get_by_label("Single addresses").check()
    expect(pane.get_by_role("button", name="function example/person/bob")).to_be_visible()
    pane.get_by_label("Single addresses").uncheck()
    pane.get_by_role("button", name="Zoom in").click()
    pane.get_by_role("button", name="Fit").click()
    # Edges lead somewhere, too.
    pane.get_by_role("button", name="filter by type:example/person caller:ingress").focus()
    notebook.page.keyboard.press("Enter")
    expect(filter_box(dashboard)).to_have_value("type:example/person caller:ingress")
    expect(rows(dashboard)).to_have_count(9)
    filter_box(dashboard).fill("")
    pane = notebook.pane("Graph")
    node.focus()
    notebook.page.keyboard.press("Enter")
    expect(filter_box(dashboard)).to_have_value("type:example/greeter")
    expect(rows(dashboard)).to_have_count(9)
    # The other panes follow.
    chosen = notebook.pane("State").get_by_label("Function")
    expect(chosen).to_have_value("example/greeter")
    outgoing = notebook.pane("Outgoing")
    expect(outgoing.get_by_role("option")).to_have_count(1)
    expect(notebook.pane("Timers").locator(".sf-value")).to_have_count(0)
    expect(notebook.pane("Graph").locator(".sf-node-function")).to_have_count(2)
    dashboard.get_by_role("button", name="Without type:example/greeter").click()
    notebook.pane("Outgoing")
    expect(outgoing.get_by_role("option")).to_have_count(4)


def test_timers_count_down_are_cancelled_and_brought_near(dashboard, notebook):
    notebook.run('for n in "xy":\n    s.send("example/reminder", n, 1)')
    pane = notebook.pane("Timers")
    expect(pane.locator(".sf-value")).to_have_count(2)
    expect(pane.locator(".sf-value").first).to_contain_text(re.compile(r"4:\d\d left"))
    expect(pane.locator(".sf-value").first).to_contain_text("token t1")
    pane.get_by_role("button", name="Cancel the message to person/x").click()
    expect(pane.locator(".sf-value")).to_have_count(1)
    pane.get_by_label("Advance the clock by").fill("6")
    pane.get_by_role("button", name="Advance").click()
    expect(pane.locator(".sf-value")).to_have_count(0)
    notebook.pane("Invocations")
    expect(row(dashboard, "person", "y", "wake up")).to_have_count(1)


def active_in_sight(grid):
    """The active row, unless some of it is hidden."""
    active = grid.locator(".sf-active").bounding_box()
    head = grid.get_by_role("columnheader").first.bounding_box()
    area = grid.bounding_box()
    below = active["y"] >= head["y"] + head["height"] - 1
    above = active["y"] + active["height"] <= area["y"] + area["height"] + 1
    return grid.get_attribute("aria-activedescendant") if below and above else ""


def test_the_keyboard_is_enough(dashboard, notebook):
    page = notebook.page
    dashboard.get_by_role("tab", name="Invocations").focus()
    page.keyboard.press("ArrowRight")
    expect(dashboard.get_by_role("tab", name="Waiting")).to_be_focused()
    expect(dashboard.get_by_role("tab", name="Waiting")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowLeft")
    grid = dashboard.get_by_role("grid")
    grid.focus()
    for key in ("Home", "ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    third = rows(dashboard).nth(2)
    expect(third).to_have_attribute("aria-selected", "true")
    assert grid.get_attribute("aria-activedescendant") == third.get_attribute("id")
    # The active row is never below the head that stays, nor past the end.
    for key in ("PageDown", "PageUp", "End", "ArrowUp", "ArrowUp", "Home", "ArrowDown"):
        before = active_in_sight(grid)
        page.keyboard.press(key)
        eventually(
            lambda before=before: active_in_sight(grid) not in ("", before),
            tell=lambda key=key: key,
        )
    page.keyboard.press("f")  # filter by what is active
    expect(filter_box(dashboard)).to_have_value(re.compile("^type:example/.* id:"))
    filter_box(dashboard).fill("")
    grid.focus()
    page.keyboard.press("Escape")
    expect(detail_of(dashboard)).to_have_count(0)
    # JupyterLab's own single-letter shortcuts stay away from what is typed.
    cells = page.locator(".jp-Cell").count()
    page.keyboard.press("b")
    filter_box(dashboard).press_sequentially("bob dd")
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
        for pane in PANES:
            notebook.pane(pane)
            page.wait_for_timeout(300)
            check_accessible(page)
    notebook.pane("Invocations")
    row(dashboard, "person", "alice", "hello").click()
    expect(dashboard.locator(".sf-change")).to_have_count(1)
    picture(dashboard, "dashboard-dark")
    notebook.pane("Graph")
    page.wait_for_timeout(500)
    picture(dashboard, "graph-dark")
    notebook.command("apputils:change-theme", theme="JupyterLab Light")


def test_it_can_be_read_at_400_pixels(dashboard, notebook, picture):
    dashboard.evaluate("element => { element.parentElement.style.width = '400px' }")
    row(dashboard, "person", "alice", "hello").click()
    expect(dashboard.locator(".sf-change")).to_be_visible()

    def fits():  # a table is laid out once the page has measured it
        return dashboard.evaluate("element => element.scrollWidth <= element.clientWidth")

    eventually(fits)
    for pane in reversed(PANES):
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


def test_a_kernel_that_is_restarted_is_told_by_every_view_and_starts_anew(dashboard, notebook):
    page = notebook.page
    notebook.run("s.table()")
    notebook.view(1)
    notebook.run("s.watch('example/person', 'bob')")
    notebook.view(2)
    notebook.run("s.graph()")
    expect(notebook.view(3).locator(".sf-node")).to_have_count(6)
    notebook.command("notebook:restart-kernel")
    page.locator(".jp-Dialog button.jp-mod-accept").click()
    notebook.command_done()
    for number in range(4):
        words = page.locator(".sf-root").nth(number).locator(".sf-gone")
        expect(words).to_contain_text("The kernel of this view has ended", timeout=2_000)
    expect(dashboard.get_by_role("button", name="Pause")).to_be_disabled()
    # A pane that had not been looked at says nothing that is not so, and nothing is asked.
    for name in ("Waiting", "State", "Functions", "Timers"):
        dashboard.get_by_role("tab", name=name, exact=True).click()
        shown = dashboard.get_by_role("tabpanel")
        expect(shown).to_contain_text("the kernel has ended: this is not known any more")
        for words in ("0 pending", "0 of 0", "Asking", "No function is declared"):
            expect(shown).not_to_contain_text(words)
    expect(dashboard.get_by_role("button", name="Advance")).to_be_disabled()
    dashboard.get_by_role("tab", name="Send", exact=True).click()
    expect(dashboard.get_by_role("button", name="Send", exact=True)).to_be_disabled()
    expect(dashboard).not_to_contain_text("has not answered yet")
    dashboard.get_by_role("tab", name="Invocations", exact=True).click()
    for _ in range(3):
        page.evaluate(
            """() => {
                const { content } = window.jupyterapp.shell.currentWidget;
                content.model.sharedModel.deleteCell(3);
            }"""
        )
    notebook.wait_ready()
    notebook.run_all()
    view = notebook.view()
    expect(rows(view)).to_have_count(18)
    row(view, "person", "alice", "hello").click()
    expect(detail_of(view)).to_contain_text("hello")


def test_two_dashboards_and_small_views_show_one_session(dashboard, notebook, picture):
    notebook.run("s.table('type:greeter')")
    table = notebook.view(1)
    expect(rows(table)).to_have_count(9)
    notebook.run("s.watch('example/person', 'bob')")
    watch = notebook.view(2)
    expect(watch.get_by_role("heading")).to_have_text("person/bob")
    expect(watch.locator(".sf-value")).to_contain_text("3")
    expect(watch.get_by_role("listitem")).to_have_count(3)
    notebook.run("s.graph()")
    graph = notebook.view(3)
    expect(graph.locator(".sf-node")).to_have_count(6)
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
    selected = eventually(lambda: int(notebook.result("dashboard.selected")))
    assert notebook.result(f"s.invocations[{selected} - 1].address.id") == "'carol'"


def test_the_end_of_the_session_is_told(dashboard, notebook):
    notebook.run("s.stop()")
    notebook.view()
    expect(dashboard.get_by_role("status").first).to_contain_text("stopped")
    expect(rows(dashboard)).to_have_count(18)
    row(dashboard, "person", "alice", "hello").click()
    expect(dashboard.locator(".sf-detail")).to_contain_text("hello")


def test_what_waits_is_shown_with_what_to_do_about_it(dashboard, notebook, picture):
    notebook.run(
        'for text in ("boom", "after"):\n    s.send("example/person", "bob", text)\n'
        's.send("example/person", "alice", "boom")\ns.wait_idle()'
    )
    dashboard.get_by_role("button", name="2 parked").click()
    pane = dashboard.get_by_role("tabpanel")
    bob = pane.get_by_role("listitem", name="person/bob")
    expect(bob).to_contain_text("parked")
    expect(bob).to_contain_text("ValueError: no such greeting at Cell In[1], line 8")
    expect(bob).to_contain_text("2 waiting")
    expect(bob).to_contain_text(re.compile(r"· for \d+\.\d s"))
    messages = bob.get_by_role("list", name="The next messages").get_by_role("listitem")
    ago = r" · \d+\.\d s ago$"
    expect(messages).to_have_text([re.compile(f"^boom str{ago}"), re.compile(f"^after str{ago}")])
    picture(dashboard, "waiting-light")
    bob.get_by_role("button", name="Retry person/bob", exact=True).click()
    expect(bob).to_contain_text(re.compile(r"[3-9] tries"))
    bob.get_by_role("button", name="Edit and retry person/bob").click()
    bob.get_by_label("New message for person/bob (str)").fill("mended")
    notebook.page.keyboard.press("Control+Enter")
    expect(bob).to_have_count(0)
    pane.get_by_role("button", name="Discard all …").click()
    pane.get_by_role("button", name="Discard all", exact=True).click()
    expect(pane).to_contain_text("Nothing waits.")
    notebook.pane("Invocations")
    for message in ("mended", "after"):
        expect(row(dashboard, "person", "bob", message)).to_have_count(1)


def test_while_paused_one_chooses_which_address_steps_next(dashboard, notebook):
    dashboard.get_by_role("button", name="Pause").click()
    expect(dashboard.get_by_role("status").first).to_contain_text("paused")
    notebook.run('for name in "xyz":\n    s.send("example/person", name, "hi")')
    pane = notebook.pane("Waiting")
    expect(pane.get_by_role("listitem", name=re.compile("person."))).to_have_count(3)
    pane.get_by_role("button", name="Step person/z").click()
    expect(detail_of(dashboard)).to_contain_text("person/z")
    expect(pane.get_by_role("listitem", name="person/z")).to_have_count(0)
    # Step opens what it served, whatever pane is shown.
    dashboard.get_by_role("button", name="Step", exact=True).click()
    expect(detail_of(dashboard)).to_contain_text("person/x")
    dashboard.get_by_role("button", name="Resume").click()


def test_a_message_is_sent_again_and_edited(dashboard, notebook):
    row(dashboard, "person", "alice", "hello").click()
    detail = detail_of(dashboard)
    detail.get_by_role("button", name="Send again").click()
    expect(row(dashboard, "person", "alice", "hello")).to_have_count(2)
    detail.get_by_role("button", name="Edit and send").click()
    box = detail.get_by_label("New message (str)")
    expect(box).to_have_value("hello")
    box.fill("hello again")
    detail.get_by_role("button", name="Send", exact=True).click()
    expect(row(dashboard, "person", "alice", "hello again")).to_have_count(1)


def test_a_filter_that_finds_nothing_says_why(dashboard, notebook):
    filter_box(dashboard).fill("id: bob AND status=error")
    expect(rows(dashboard)).to_have_count(0)
    expect(dashboard.get_by_role("button", name="Without status=error")).to_contain_text(
        "6 without"
    )
    dashboard.get_by_role("button", name="Without status=error").click()
    expect(rows(dashboard)).to_have_count(6)
    expect(filter_box(dashboard)).to_have_value("id:bob")
    filter_box(dashboard).fill("state.visits>2 OR state.seen.count>2")
    expect(rows(dashboard)).to_have_count(6)  # the kernel has looked into the values
    dashboard.get_by_role("button", name="Help for the filter").click()
    dashboard.get_by_role("button", name="since:10m").click()
    expect(dashboard.locator(".sf-filtering").get_by_role("status")).to_have_text("18 of 18")
    dashboard.get_by_role("button", name="Help for the filter").click()
    # By what is under the pointer.
    filter_box(dashboard).fill("")
    row(dashboard, "person", "carol", "hello").locator(".sf-c-address").hover()
    dashboard.get_by_role("button", name="Filter by type:example/person id:carol").click()
    expect(rows(dashboard)).to_have_count(3)


def test_a_view_that_was_cleared_comes_back(dashboard):
    dashboard.get_by_role("button", name="Clear view").click()
    expect(rows(dashboard)).to_have_count(0)
    dashboard.get_by_role("button", name="Undo clear").click()
    expect(rows(dashboard)).to_have_count(18)


def test_the_sessions_clock_is_shown_when_it_was_moved(dashboard, notebook):
    notebook.run("s.advance(timedelta(hours=2))")
    clock = dashboard.locator(".sf-header", has_text="session clock")
    expect(clock).to_contain_text("(+2:00:0")


def test_the_timeline_is_walked_brushed_and_lit(dashboard, notebook, picture):
    pane = notebook.pane("Timeline")
    chart = pane.get_by_role("group", name="Timeline of 18 invocations")
    chart.focus()
    notebook.page.keyboard.press("ArrowRight")
    expect(detail_of(dashboard)).to_contain_text("Invocation 1")
    notebook.page.keyboard.press("ArrowRight")
    expect(detail_of(dashboard)).to_contain_text("Invocation 2")
    picture(dashboard, "timeline-light")
    notebook.page.keyboard.press("Escape")
    expect(detail_of(dashboard)).to_have_count(0)
    box = chart.bounding_box()
    middle = box["y"] + box["height"] / 2
    notebook.page.mouse.move(box["x"] + 195, middle)
    notebook.page.mouse.down()
    notebook.page.mouse.move(box["x"] + box["width"] / 2, middle, steps=5)
    notebook.page.mouse.up()
    expect(filter_box(dashboard)).to_have_value(re.compile(r"^seq>=1 seq<=\d+$"))


def test_the_catalogue_says_what_is_declared_and_how_it_went(dashboard, notebook, picture):
    notebook.run('s.send("example/person", "bob", "boom")\ns.wait_idle()')
    pane = notebook.pane("Functions")
    person = pane.get_by_role("region", name="example/person")
    for words in ("Cell In[1], line 4", "visits: int", "str", "errors✗ 1", "1 parked"):
        expect(person).to_contain_text(words)
    expect(person.get_by_role("img", name=re.compile("^Durations: "))).to_be_visible()
    picture(dashboard, "functions-light")
    person.get_by_role("button", name="Source").click()
    expect(person).to_contain_text("def person(ctx, message):")
    person.get_by_role("button", name="1 parked").click()
    panel = dashboard.get_by_role("tabpanel")
    expect(panel.get_by_role("listitem", name="person/bob")).to_be_visible()


def test_columns_and_the_divider_are_moved_and_remembered(dashboard, notebook):
    row(dashboard, "person", "alice", "hello").click()
    divider = dashboard.get_by_role("separator")
    divider.focus()
    before = detail_of(dashboard).bounding_box()["width"]
    for _ in range(2):
        notebook.page.keyboard.press("ArrowLeft")
    expect(divider).to_have_attribute("aria-valuenow", "50")
    assert detail_of(dashboard).bounding_box()["width"] > before + 50
    notebook.page.keyboard.press("Escape")
    detail_of(dashboard).get_by_role("button", name="Close").click()
    head = dashboard.get_by_role("columnheader", name="message")
    wide = head.bounding_box()
    edge = head.locator(".sf-handle").bounding_box()
    notebook.page.mouse.move(edge["x"] + 3, edge["y"] + 5)
    notebook.page.mouse.down()
    notebook.page.mouse.move(edge["x"] + 83, edge["y"] + 5, steps=4)
    notebook.page.mouse.up()
    eventually(lambda: head.bounding_box()["width"] > wide["width"] + 60)
    notebook.run("s")
    again = notebook.view(1)
    expect(again.get_by_role("columnheader", name="message")).to_be_visible()
    width = again.get_by_role("columnheader", name="message").bounding_box()["width"]
    assert width > wide["width"] + 60
