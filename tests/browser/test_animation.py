"""The animation at the head of README: a run with an error, and its repair."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("PIL")
pytest.importorskip("playwright")

from PIL import Image, ImageSequence
from playwright.sync_api import expect

from .conftest import IMAGES
from .film import Film
from .lab import Notebook

# In CSS pixels, about as wide as README is shown; and pixels of the picture for each.
WIDTH, HEIGHT, SCALE = 900, 770, 2
# What JupyterLab has at the sides, above and below.
SIDES, ENDS = 66, 79

START = "import time\nimport statefun_nb as sf\n\ns = sf.start(port=0)"
PRICES = 'prices = {"tea": 3, "cake": 4}'
MENDED = ', "coffee": 5'
FUNCTIONS = """\
@sf.function("shop/cart", state={"total": int})
def cart(ctx, order):
    ctx.storage.total = (ctx.storage.total or 0) + prices[order.value]
    ctx.send("shop/bar", order.value, ctx.address.id)

@sf.function("shop/bar", state={"made": int})
def bar(ctx, customer):
    ctx.storage.made = (ctx.storage.made or 0) + 1
    ctx.send_egress(sf.egress_message_builder("shop/ready", customer.value, sf.StringType))"""
SEND = """\
for order in ["tea", "cake", "tea", "cake", "coffee"]:
    s.send("shop/cart", "ann", order)
    s.send("shop/cart", "bob", "tea")
    time.sleep(0.5)"""
DASHBOARD = "s.dashboard()"

# As its corner can be dragged.
FILL = """
(view) => {
    const page = document.querySelector(".jp-NotebookPanel").getBoundingClientRect();
    view.style.height = `${page.bottom - view.getBoundingClientRect().top - 8}px`;
}
"""


@pytest.fixture
def wide(browser, server):
    context = browser.new_context(
        viewport={"width": WIDTH + SIDES, "height": HEIGHT + ENDS}, device_scale_factor=SCALE
    )
    page = context.new_page()
    notebook = Notebook(page, *server)
    yield notebook
    notebook.shut_down()
    context.close()
    assert notebook.errors == []


@pytest.mark.parametrize("theme", ["Dark", "Light"])
def test_a_run_with_an_error_and_its_repair_is_filmed(wide, theme):
    page = wide.page
    wide.open(START, PRICES, FUNCTIONS, SEND, DASHBOARD)
    wide.command("apputils:change-theme", theme=f"JupyterLab {theme}")
    wide.command_done()
    cells = page.locator(".jp-CodeCell")
    for number in (0, 1, 2, 4):
        run_cell(wide, number)
    view = page.locator(".sf-root")
    view.get_by_role("tab", name="Graph", exact=True).click()
    cells.nth(1).evaluate("cell => cell.scrollIntoView({ block: 'start' })")
    view.evaluate(FILL)
    expect(view.locator(".sf-node")).to_have_count(2)
    film = Film(page, page.locator(".jp-NotebookPanel"))
    film.shoot(0.6)

    # Messages flow until one fails.
    film.click(cells.nth(3).locator(".cm-line").first)
    page.keyboard.press("Control+Enter")
    film.roll(2.7)
    expect(cells.nth(3).locator(".jp-InputPrompt")).to_have_text("[5]:")
    film.shoot(0.5)
    film.click(view.locator(".sf-badge", has_text="1 parked"))  # and not its node in the graph
    waiting = view.get_by_role("listitem", name="cart/ann")
    expect(waiting).to_contain_text("KeyError: 'coffee' at Cell In[3], line 3")
    film.shoot(1.4)

    # What it lacked is added, the cell is run, the message tried again.
    film.click(cells.nth(1).locator(".cm-line"), 0.98)
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    film.type(MENDED)
    film.shoot(0.4)
    page.keyboard.press("Control+Enter")
    expect(cells.nth(1).locator(".jp-InputPrompt")).to_have_text("[6]:")
    film.shoot(0.5)
    film.click(waiting.get_by_role("button", name="Retry cart/ann", exact=True))
    film.roll(0.4)
    expect(view).to_contain_text("Nothing waits.")
    film.shoot(0.4)
    film.click(view.get_by_role("tab", name="Invocations"))
    expect(view.locator(".sf-line", has_text="✓ repaired (KeyError")).to_be_visible()
    assert view.locator(".sf-failed").count() == 0
    film.shoot(2.4)

    path = IMAGES / f"repair-{theme.lower()}.gif"
    film.write(path)
    check(path)


def run_cell(notebook, number):
    notebook.page.evaluate(
        "at => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = at; }", number
    )
    notebook.command("notebook:run-cell")
    prompt = notebook.page.locator(".jp-CodeCell").nth(number).locator(".jp-InputPrompt")
    expect(prompt).to_have_text(re.compile(r"\d"))


def check(path):
    """It is short, steady and light enough for the head of a page."""
    assert path.stat().st_size < 3_000_000
    with Image.open(path) as picture:
        assert picture.width == pytest.approx(WIDTH * SCALE, abs=20)
        times = [frame.info["duration"] / 1000 for frame in ImageSequence.Iterator(picture)]
    print(f"{path.name}: {len(times)} frames, {sum(times):.1f} s, {path.stat().st_size:,} bytes")
    assert len(times) > 40
    assert 8 <= sum(times) <= 16  # 13 s; a machine that is shared takes longer
