"""The drawings of docs/architecture.md: made of the code's own tables, written to docs/images.

python docs/drawings.py
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from statefun_nb.engine.mailbox_state import TRANSITIONS, MailboxState

HERE = Path(__file__).parent
INK, PAPER, LINE = "#1f2933", "#ffffff", "#7b8794"
_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
    'height="{height}" font-family="system-ui, sans-serif" font-size="13" role="img" '
    'aria-label="{label}"><rect width="100%" height="100%" rx="8" fill="{paper}"/>'
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
    'orient="auto"><path d="M0 0L8 4L0 8z" fill="{line}"/></marker></defs>'
)


def svg(width: int, height: int, label: str, parts: list[str]) -> str:
    """A drawing of these parts."""
    head = _HEAD.format(width=width, height=height, label=label, paper=PAPER, line=LINE)
    return head + "\n".join(["", *parts, "</svg>", ""])


def text(x: float, y: float, words: str, *, weight: int = 400, anchor: str = "middle") -> str:
    """Words at a place."""
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="{INK}">{escape(words)}</text>'
    )


# The rooms.

_ROW, _GAP, _BOX, _LEFT = 58, 12, 140, 28
_COLOURS = ("#e3f2fd", "#e8f5e9", "#fff8e1", "#fce4ec", "#ede7f6")


def rooms(page: str) -> list[list[str]]:
    """The rooms of each row of the page's table, top down: "sdk/", "errors.py"."""
    table = page.partition("## Rooms")[2].partition("\n## ")[0]
    found = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return [re.findall(r"`(\w+(?:/|\.py))`", cell) for cell in found]


def house(rows: list[list[str]]) -> str:
    """The rows of rooms, each on top of what it imports from."""
    width = 2 * _LEFT + max(map(len, rows)) * (_BOX + _GAP) + 30
    height = len(rows) * _ROW + 2 * _GAP
    parts = [
        _line(f"M{width - 22} {_GAP + 14}V{height - _GAP - 14}"),
        text(width - 22, _GAP + 6, "imports"),
    ]
    for number, row in enumerate(rows):
        y = _GAP + number * _ROW
        span = len(row) * (_BOX + _GAP) - _GAP
        begin = (width - 30 - span) / 2
        colour = _COLOURS[number * len(_COLOURS) // len(rows)]
        for place, room in enumerate(row):
            x = begin + place * (_BOX + _GAP)
            corner = 6 if room.endswith("/") else 18  # a folder, or a module by itself
            parts.append(
                f'<rect x="{x:g}" y="{y}" width="{_BOX}" height="{_ROW - 18}" rx="{corner}" '
                f'fill="{colour}" stroke="{LINE}"/>'
            )
            parts.append(text(x + _BOX / 2, y + (_ROW - 18) / 2 + 5, room, weight=600))
    return svg(width, height, "the rooms of the package and what they import", parts)


# The states of a mailbox: what goes out on the right comes back on the left.

_W, _H = 128, 40
_PLACES = {
    MailboxState.IDLE: (450, 50),
    MailboxState.READY: (110, 190),
    MailboxState.IN_FLIGHT: (790, 190),
    MailboxState.BACKING_OFF: (450, 300),
    MailboxState.PARKED: (450, 390),
}


# The ways to IDLE of a message that is given up have curves of their own, and where their text is.
_GIVEN_UP = {
    MailboxState.READY: ("M150 170Q160 66 386 60", 296, 108),
    MailboxState.BACKING_OFF: ("M450 280V70", 350, 256),
    MailboxState.PARKED: ("M514 380C690 350 640 100 500 66", 706, 150),
}


def mailbox() -> str:
    """The states of a mailbox and what leads from one to another."""
    parts = []
    for before, steps in TRANSITIONS.items():
        for after, why in steps.items():
            parts += _step(before, after, why)
    for state, (x, y) in _PLACES.items():
        parts.append(
            f'<rect x="{x - _W / 2:g}" y="{y - _H / 2:g}" width="{_W}" height="{_H}" rx="20" '
            f'fill="{_COLOURS[0]}" stroke="{INK}"/>'
        )
        parts.append(text(x, y + 5, state.value, weight=600))
    return svg(900, 430, "the states of a mailbox", parts)


def _step(before: MailboxState, after: MailboxState, why: str) -> list[str]:
    if after is MailboxState.IDLE and before in _GIVEN_UP:
        path, x, y = _GIVEN_UP[before]
        return [_line(path), text(x, y, why)]
    (x1, y1), (x2, y2) = _PLACES[before], _PLACES[after]
    if y1 == y2:  # between the two in the middle: one line there, one back
        there = x1 < x2
        y = y1 - 10 if there else y1 + 10
        side = _W / 2 if there else -_W / 2
        path = f"M{x1 + side:g} {y}H{x2 - side:g}"
        return [_line(path), text((x1 + x2) / 2, y - 8 if there else y + 20, why)]
    # From or to the end of a lane: a quarter of a turn, level where it meets the lane.
    (end_x, end_y), (lane_x, lane_y) = ((x1, y1), (x2, y2)) if y1 == 190 else ((x2, y2), (x1, y1))
    lane_side = lane_x + (_W / 2 if end_x > lane_x else -_W / 2)
    end_side = end_y + (-_H / 2 if lane_y < end_y else _H / 2)
    points = [(end_x, end_side), (end_x, lane_y), (lane_side, lane_y)]
    if (x1, y1) != (end_x, end_y):
        points.reverse()
    (ax, ay), (bx, by), (cx, cy) = points
    path = f"M{ax:g} {ay:g}Q{bx:g} {by:g} {cx:g} {cy:g}"
    middle = (lane_side + end_x) / 2
    return [_line(path), text(middle, lane_y - 8 if lane_y < end_y else lane_y + 18, why)]


def _line(path: str) -> str:
    return (
        f'<path d="{path}" fill="none" stroke="{LINE}" stroke-width="1.5" marker-end="url(#tip)"/>'
    )


def drawings() -> dict[str, str]:
    """Every drawing, by the name of its file."""
    page = (HERE / "architecture.md").read_text(encoding="utf-8")
    return {"house.svg": house(rooms(page)), "mailbox.svg": mailbox()}


if __name__ == "__main__":
    for drawing, drawn in drawings().items():
        (HERE / "images" / drawing).write_text(drawn, encoding="utf-8")
