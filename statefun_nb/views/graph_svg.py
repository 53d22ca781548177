"""The flow graph as a static SVG: ingress, function types and egresses in columns.

The live view lays its graph out in the browser, by a library; this one must be there without.
"""

from __future__ import annotations

from html import escape
from typing import NamedTuple

from ..trace.flows import Flows

__all__ = ["graph_svg"]

_WIDTH, _HEIGHT = 170, 34  # of a node, pixels
_GAP_X, _GAP_Y = 70, 18
_THICK = ' stroke-width="2"'
_LABEL = 24  # characters that fit a node

_ARROW = (
    '<defs><marker id="statefun-nb-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
    'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="currentColor" stroke="none"/>'
    "</marker></defs>"
)


class _Node(NamedTuple):
    kind: str  # "ingress", "function", "egress"
    name: str


_INGRESS = _Node("ingress", "ingress")


def graph_svg(flows: Flows) -> str:
    """An ``<svg>`` element; "" when nothing has flowed.

    Examples
    --------
    >>> flows = Flows()
    >>> flows.messages[("", "example/person")] = 3
    >>> "example/person" in graph_svg(flows)
    True
    """
    edges = _edges(flows)
    if not edges:
        return ""
    places = _places(_columns(edges))
    width = max(x for x, _ in places.values()) + _WIDTH + 10
    height = max(y for _, y in places.values()) + _HEIGHT + 24
    parts = [_edge(places[a], places[b], count) for (a, b), count in edges.items()]
    parts += [_box(node, *place, flows) for node, place in places.items()]
    return (
        f'<svg role="img" aria-label="message flow" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" style="max-width:100%;height:auto" '
        f'font-family="sans-serif" font-size="11" fill="none" stroke="currentColor">'
        f"{_ARROW}{''.join(parts)}</svg>"
    )


def _edges(flows: Flows) -> dict[tuple[_Node, _Node], int]:
    edges = {
        (_Node("function", a) if a else _INGRESS, _Node("function", b)): count
        for (a, b), count in flows.messages.items()
    }
    for (a, b), count in flows.records.items():
        edges[(_Node("function", a), _Node("egress", b))] = count
    return edges


def _columns(edges: dict[tuple[_Node, _Node], int]) -> list[list[_Node]]:
    """Nodes by their distance from the ingress; egresses last."""
    distance = {_INGRESS: 0}
    front = [_INGRESS]
    while front:
        reached = [b for a, b in edges if a in front and b not in distance and b.kind != "egress"]
        front = list(dict.fromkeys(reached))
        for node in front:
            distance[node] = 1 + min(distance[a] for a, b in edges if b == node and a in distance)
    nodes = dict.fromkeys(node for edge in edges for node in edge)
    last = max(distance.values()) + 1
    columns: list[list[_Node]] = [[] for _ in range(last + 1)]
    for node in nodes:
        # What no ingress reaches stands beside what the ingress reaches first.
        columns[last if node.kind == "egress" else distance.get(node, 1)].append(node)
    return [column for column in columns if column]


def _places(columns: list[list[_Node]]) -> dict[_Node, tuple[int, int]]:
    tallest = max(map(len, columns))
    places = {}
    for index, column in enumerate(columns):
        offset = (tallest - len(column)) * (_HEIGHT + _GAP_Y) // 2
        for row, node in enumerate(column):
            x = 10 + index * (_WIDTH + _GAP_X)
            places[node] = (x, 20 + offset + row * (_HEIGHT + _GAP_Y))
    return places


def _edge(begin: tuple[int, int], end: tuple[int, int], count: int) -> str:
    x1, y1 = begin[0] + _WIDTH, begin[1] + _HEIGHT // 2
    x2, y2 = end[0], end[1] + _HEIGHT // 2
    if begin == end:  # to itself: a loop above the node
        x1, y1 = begin[0] + _WIDTH // 2 - 20, begin[1]
        path = f"M{x1} {y1} c0 -18 40 -18 40 0"
        middle = (x1 + 20, y1 - 16)
    elif x2 > x1:
        half = (x1 + x2) // 2
        path = f"M{x1} {y1} C{half} {y1} {half} {y2} {x2} {y2}"
        middle = (half, (y1 + y2) // 2 - 3)
    else:  # backwards: below the nodes
        below = max(y1, y2) + _HEIGHT
        path = f"M{x1} {y1} C{x1 + 40} {below} {x2 - 40} {below} {x2} {y2}"
        middle = ((x1 + x2) // 2, below - 8)
    return (
        f'<path d="{path}" opacity="0.6" marker-end="url(#statefun-nb-arrow)"/>'
        f'<text x="{middle[0]}" y="{middle[1]}" text-anchor="middle" stroke="none" '
        f'fill="currentColor">{count:,}</text>'
    )


def _box(node: _Node, x: int, y: int, flows: Flows) -> str:
    radius = {"ingress": 17, "function": 4, "egress": 17}[node.kind]
    label = node.name if len(node.name) <= _LABEL else node.name[: _LABEL - 1] + "…"
    errors = flows.errors.get(node.name, 0) if node.kind == "function" else 0
    lines = f'<tspan x="{x + _WIDTH // 2}" dy="0">{escape(label)}</tspan>'
    if errors:
        text = f"⚠ {errors:,} {'error' if errors == 1 else 'errors'}"
        lines += f'<tspan x="{x + _WIDTH // 2}" dy="13">{text}</tspan>'
    return (
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="{radius}"'
        f"{_THICK if errors else ''}/>"
        f'<text x="{x + _WIDTH // 2}" y="{y + (15 if errors else 21)}" text-anchor="middle" '
        f'stroke="none" fill="currentColor">{lines}</text>'
    )
