"""What is drawn has room: text in its box, digits in their column, larger type for a room."""

from __future__ import annotations

from datetime import timedelta

import pytest

pytest.importorskip("playwright")

from playwright.sync_api import expect

import statefun_nb as sf
from statefun_nb.trace.flows import Flows
from statefun_nb.views.graph_svg import graph_svg

from .test_dashboard import detail_of, failed_row, row, rows

# How far the texts of the boxes are from their edges: left, right, above, below.
_MARGINS = """boxes => boxes.flatMap(box => {
    const rect = box.querySelector("rect").getBoundingClientRect();
    return [...box.querySelectorAll("text")].map(text => {
        const { left, right, top, bottom } = text.getBoundingClientRect();
        const [x, y] = [Math.min(left - rect.left, rect.right - right), top - rect.top];
        return [text.textContent, Math.min(x, y, rect.bottom - bottom)];
    });
})"""
_STATIC_MARGINS = """boxes => boxes.flatMap(box => {
    const rect = box.getBoundingClientRect();
    const found = [];
    let text = box;
    while ((text = text.nextElementSibling)?.matches("text:not(.count)")) {
        const { left, right } = text.getBoundingClientRect();
        found.push([text.textContent, Math.min(left - rect.left, rect.right - right)]);
    }
    return found;
})"""
_NAMES = ["W" * 19, "\u6f22" * 19, "m" * 19, "A_LONG_NAME_IN_CAPITALS", "cart"]


@pytest.fixture
def session(functions):
    @sf.function(
        "shop/order", state={"items": int, "total": float, "open": bool}, functions=functions
    )
    def order(ctx, message):
        quantity = message.value["qty"]
        if quantity < 0:
            raise ValueError("negative")
        ctx.storage.items = (ctx.storage.items or 0) + quantity
        ctx.storage.total = quantity * 1_000_000.0
        ctx.storage.open = True
        ctx.send("shop/mail", ctx.address.id, "hello")

    @sf.function("shop/mail", state={"mails": int}, functions=functions)
    def mail(ctx, message):
        ctx.storage.mails = (ctx.storage.mails or 0) + 1
        if ctx.storage.mails == 1:
            ctx.send_after(timedelta(hours=1), "shop/mail", ctx.address.id, "remind")

    with sf.start(port=0, functions=functions) as found:
        found.send("shop/order", "dora", {"qty": 2})
        found.wait_idle(timers=False)
        yield found


@pytest.fixture
def live(session, page):
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text))
    page.goto(session.dashboard(where="browser").url)
    view = page.locator(".sf-root")
    expect(rows(view)).not_to_have_count(0)
    yield view
    assert said == []


def pane(view, name):
    view.get_by_role("tab", name=name, exact=True).click()
    return view.get_by_role("tabpanel")


def check_boxes(view):
    margins = view.locator(".sf-node").evaluate_all(_MARGINS)
    assert margins
    assert min(margin for _, margin in margins) >= 2, margins


def test_in_the_graph_no_text_runs_out_of_its_box(session, live, page):
    for name in _NAMES[:-1]:
        session.functions.register("shop/" + name, lambda ctx, message: None)
        session.send("shop/" + name, "x", 1)
    session.send_many([("shop/order", f"id {n}", {"qty": 1}) for n in range(1_500)])
    session.send_many([("shop/order", f"bad {n}", {"qty": -1}) for n in range(12)])
    session.wait_idle(timers=False)
    shown = pane(live, "Graph")
    node = shown.locator(".sf-node", has_text="order")
    expect(node).to_contain_text("1,513\u2002✗ 12\u2002❚❚ 12")
    expect(node).to_contain_text(" ms")
    title = node.locator("title")
    for fact in ("1,513 invocations", "12 errors", "12 parked", "12 waiting", "p50 · p99"):
        expect(title).to_contain_text(fact)
    for width in (320, 900, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        check_boxes(live)
    session.pause()
    session.send_many([("shop/mail", f"id {n}", "wait") for n in range(150)])
    expect(shown.locator(".sf-node", has_text="mail")).to_contain_text("150 wait")
    check_boxes(live)


def test_in_the_picture_of_the_graph_no_name_runs_out_of_its_box(page):
    flows = Flows()
    for name in _NAMES:
        flows.messages[("", f"shop/{name}")] = flows.invocations[f"shop/{name}"] = 123_456_789
    page.set_content(graph_svg(flows))
    margins = page.locator("rect.box").evaluate_all(_STATIC_MARGINS)
    assert len(margins) == 2 * len(_NAMES) + 1
    assert min(margin for _, margin in margins) >= 2, margins
    assert "shop/cart" in [text for text, _ in margins]


def test_a_room_sees_a_larger_graph_and_whole_times_and_addresses(live, page):
    page.set_viewport_size({"width": 1440, "height": 900})
    text = live.locator(".sf-node text").first
    pane(live, "Graph")
    small = text.bounding_box()["height"]
    live.get_by_role("button", name="Present").click()
    page.wait_for_function(
        "([text, height]) => text.getBoundingClientRect().height > height",
        arg=[text.element_handle(), small * 1.2],
    )
    check_boxes(live)
    pane(live, "Invocations")
    row(live, "order", "dora").first.click()
    expect(detail_of(live)).to_be_visible()
    for column in ("time", "address"):
        cells = live.locator(f".sf-line .sf-c-{column}")
        assert cells.first.evaluate("cell => parseFloat(getComputedStyle(cell).fontSize)") > 16
        assert cells.evaluate_all("cells => cells.every(c => c.scrollWidth <= c.clientWidth)")


def test_values_and_addresses_have_one_notation(session, live):
    session.send("shop/order", "dora", {"qty": -1})
    failed = failed_row(live, "ValueError: negative").first
    expect(failed.locator(".sf-c-message")).to_have_text('{"qty": -1}')
    failed.click()
    detail = detail_of(live)
    detail.get_by_role("button", name="Edit and send").click()
    expect(detail.get_by_role("textbox")).to_have_value('{"qty": -1}')
    order = row(live, "order", "dora", '{"qty": 2}')
    change = "items: 2, total: 2000000, open: true"
    expect(order.locator(".sf-c-change")).to_have_text(change)
    order.click()
    detail.get_by_role("button", name="Chain").click()
    expect(detail.locator(".sf-chain-name").first).to_have_text("order/dora")
    expect(detail.locator(".sf-change").nth(1)).to_contain_text("2000000")
    state = pane(live, "State")
    state.get_by_label("Function").select_option("shop/mail")
    expect(state.locator(".sf-changed")).to_contain_text("for order/dora")
    expect(pane(live, "Timers").locator(".sf-timer")).to_contain_text("by mail/dora")


def test_numbers_of_a_state_stand_at_the_right_of_their_column(live, page):
    state = pane(live, "State")
    state.get_by_label("Function").select_option("shop/order")
    number = state.locator(".sf-numeric .sf-number")
    expect(number).to_have_count(2)
    for column in (1, 2):
        cell = state.locator("tbody td").nth(column - 1).bounding_box()
        digits = number.nth(column - 1).bounding_box()
        assert cell["x"] + cell["width"] - digits["x"] - digits["width"] < 12
        head = state.locator("thead th").nth(column)
        expect(head).to_have_css("text-align", "right")
    expect(state.locator("thead th").nth(3)).to_have_css("text-align", "left")
    page.set_viewport_size({"width": 320, "height": 900})
    state.get_by_label("Function").select_option("shop/mail")
    expect(state.locator("tbody tr")).to_have_count(1)
    changed = state.locator(".sf-changed").bounding_box()
    assert changed["x"] + changed["width"] <= 320


def test_an_opened_row_keeps_its_buttons_from_its_links(live, page):
    row(live, "order", "dora").first.click()
    for width in (320, 420, 900):
        page.set_viewport_size({"width": width, "height": 900})
        detail = detail_of(live)
        button = detail.get_by_role("button", name="Sequence").bounding_box()
        links = detail.locator(".sf-links").bounding_box()
        assert links["y"] - button["y"] - button["height"] >= 6
