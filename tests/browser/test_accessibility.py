"""What a screen reader is told: the accessibility tree beside axe's rules."""

from __future__ import annotations

import pytest

pytest.importorskip("playwright")

from playwright.sync_api import expect

import statefun_nb as sf

from .test_dashboard import PANES, check_accessible, row
from .test_page import errors, live, pane, session  # noqa: F401 - the fixtures

# Names and roles, in the order they are read; see Playwright's aria snapshots. What is not named
# here may stand between.
_HEADER = r"""
- region "StateFun dashboard":
  - status: embedded, running
  - button "❚❚ 1 parked"
  - button "❚❚ Pause"
  - button "Step"
  - button "Clear view"
  - button "Present"
  - img /queued messages, highest \d+/
  - img /invocations per second, highest [\d,]+/
  - img /milliseconds, highest [\d.]+/
  - tablist "Panes":
    - tab "Invocations" [selected]
    - tab "Waiting"
    - tab "State"
    - tab "Outgoing"
    - tab "Timeline"
    - tab "Graph"
    - tab "Functions"
    - tab "Timers"
    - tab "Send"
  - combobox "Filter invocations"
  - button "Help for the filter"
  - status: 7 of 7
  - tabpanel "Invocations"
"""
_INVOCATIONS = r"""
- grid "Invocations":
  - row "time address message state change sent ms status":
    - columnheader "time":
      - button "time"
    - columnheader "address":
      - button "address"
    - columnheader "message":
      - button "message"
    - columnheader "state change":
      - button "state change"
    - columnheader "sent":
      - button "sent"
    - columnheader "ms":
      - button "ms"
    - columnheader "status":
      - button "status"
  - rowgroup:
    - row [selected]:
      - gridcell /[\d:.]+/
      - gridcell /cart\/eve/:
        - button "Filter by type:shop/cart id:eve"
      - gridcell /-5/:
        - button "Filter by message:-5"
      - gridcell /✗ ValueError. negative/:
        - button "Filter by error:ValueError"
      - gridcell /[\d.]+/
      - gridcell "error ✗"
    - row:
      - gridcell /[\d:.]+/
      - gridcell "stock/hat"
      - gridcell "2"
      - 'gridcell "left: 96 → 94"'
      - gridcell "⇥ mails +1"
      - gridcell /[\d.]+/
      - gridcell "ok ✓"
- checkbox "Follow" [checked]
- button "JSON lines"
- button "CSV"
- separator "Divider between the list and the open invocation"
"""
_DETAIL = r"""
- region "Invocation 7":
  - button "Chain"
  - button "Sequence"
  - button "Close"
  - button "cart/eve"
  - button "↻ Send again"
  - button "✎ Edit and send"
  - heading "Error" [level=4]
  - mark: /raise ValueError/
  - button "Whole traceback (1 frame)"
  - heading "Message int" [level=4]
  - heading "State" [level=4]
  - heading "Sent (0)" [level=4]
"""
_PANES = {
    "Waiting": r"""
- status: 1 address waits
- button "↻ Retry all"
- button "✕ Discard all …"
- list "Addresses that wait":
  - listitem "cart/eve":
    - strong: cart/eve
    - button "Retry cart/eve"
    - button "Edit and retry cart/eve"
    - button "Discard the message of cart/eve"
    - button "#7"
    - list "The next messages":
      - listitem: /-5 int · [\d.]+ s ago/
""",
    "State": r"""
- combobox "Function":
  - option "cart (4)" [selected]
  - option "stock (1)"
- searchbox "Search ids"
- table "State of shop/cart":
  - rowgroup:
    - row "id total changed":
      - columnheader "id":
        - button "id"
      - columnheader "total":
        - button "total"
      - columnheader "changed"
  - rowgroup:
    - row "State of eve":
      - rowheader /eve/:
        - button "History"
        - button "⊃ Filter"
        - button "Everything"
      - cell "none Edit total":
        - button "Edit total"
    - row
    - row "State of bob":
      - rowheader /bob/
      - cell "2 Edit total Clear total":
        - button "Edit total"
        - button "Clear total"
""",
    "Timeline": r"""
- checkbox "Light the chain of the open one"
- button "Zoom in"
- button "Zoom out"
- button "Earlier"
- button "Later"
- button "Fit"
- 'group "Timeline of 7 invocations: left and right walk, plus and minus zoom"':
  - img "Bars, as the rows of the Invocations pane have them in words"
""",
    "Graph": r"""
- checkbox "Single addresses"
- group "Message flow, to be scrolled":
  - group "Message flow":
    - button "3 messages, filter by type:shop/stock caller:shop/cart"
""",
    "Timers": r"""
- button "Advance"
- status: 3 pending
- list "Delayed messages that are pending":
  - listitem:
    - button "Cancel the message to stock/late"
""",
    "Send": r"""
- combobox "Function"
- combobox "Id"
- textbox "Value"
- combobox "Type"
- spinbutton "Delay seconds"
- button "Send"
""",
}


@pytest.fixture
def failed(session, live):  # noqa: F811 - the fixtures
    session.send("shop/cart", "eve", -5)
    session.wait_idle(timers=False)
    row(live, "cart", "eve").click()
    return live


def test_the_header_the_tabs_and_the_filter_have_names(failed):
    expect(failed).to_match_aria_snapshot(_HEADER)
    for name, words in (("Waiting", "1 parked"), ("Timers", "3 pending")):
        expect(failed.get_by_role("tab", name=name)).to_have_accessible_description(words)


def test_the_table_is_a_grid_of_rows_and_the_open_one_is_selected(failed):
    panel = failed.get_by_role("tabpanel")
    expect(panel).to_match_aria_snapshot(_INVOCATIONS)
    expect(panel).to_match_aria_snapshot(_DETAIL)
    grid = panel.get_by_role("grid")
    # More rows than are in the page, and which of them is the active one.
    expect(grid).to_have_attribute("aria-rowcount", "8")
    grid.focus()
    grid.press("Home")
    active = grid.get_attribute("aria-activedescendant")
    expect(panel.locator(f'[id="{active}"]')).to_have_attribute("aria-rowindex", "2")


@pytest.mark.parametrize("name", _PANES)
def test_what_a_pane_shows_has_roles_and_names(failed, name):
    expect(pane(failed, name)).to_match_aria_snapshot(_PANES[name])


def test_axe_finds_nothing_in_any_pane(failed, page):
    for name in PANES:
        pane(failed, name)
        check_accessible(page)


def test_axe_finds_nothing_where_there_is_nothing_yet(functions, page):
    with sf.start(port=0, functions=functions) as empty:
        page.goto(empty.dashboard(where="browser").url)
        for name in PANES:
            expect(pane(page.locator(".sf-root"), name)).to_be_visible()
            check_accessible(page)
