"""The flow graph as a static picture: an SVG that an ``<img>`` can hold, complete in itself."""

from __future__ import annotations

import base64
import unicodedata
from html import escape
from typing import NamedTuple

from ..tables import counted
from ..trace.flows import Flows
from .layered import HEIGHT, WIDTH, lay_out

__all__ = ["graph_image", "graph_svg"]

_ROOM = WIDTH - 16  # of a box, for its label
# What letters of 12 pixels take at most in the fonts of common systems, in pixels.
_LETTER, _CAPITAL, _WIDEST = 7.7, 9.5, 12.5
# More functions than this fill pages: those with the most messages are drawn.
_MOST_EDGES = 60

# Its own colours on its own ground: a picture in a page knows nothing of the page's theme.
_STYLE = """
.card{fill:#fff;stroke:#d7dbe0}
.box{fill:#f4f6f8;stroke:#8a94a0}
.ingress,.egress{fill:#eef4fb;stroke:#5b86b5}
.failed{fill:#fdf0ef;stroke:#a4161a;stroke-width:2}
.edge{fill:none;stroke:#8a94a0;stroke-width:1.4}
text{font:12px system-ui,sans-serif;fill:#1f2328;text-anchor:middle}
.small{font-size:11px;fill:#57606a}
.alarm{font-size:11px;fill:#a4161a;font-weight:600}
.count{font-size:11px;paint-order:stroke;stroke:#fff;stroke-width:4px;stroke-linejoin:round}
"""

_ARROW = (
    '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0 0L8 4L0 8z" fill="#8a94a0"/></marker></defs>'
)


class _Node(NamedTuple):
    kind: str  # "ingress", "function", "egress"
    name: str


_INGRESS = _Node("ingress", "ingress")


def graph_image(flows: Flows) -> str:
    """An ``<img>`` with the graph; "" when nothing has flowed.

    In this form it passes the sanitizers that take an ``<svg>`` apart and leave its words.
    """
    svg = graph_svg(flows)
    if not svg:
        return ""
    data = base64.b64encode(svg.encode()).decode()
    return (
        f'<img alt="{escape(_in_words(flows))}" style="max-width:100%" '
        f'src="data:image/svg+xml;base64,{data}">'
    )


def _in_words(flows: Flows) -> str:
    """What the picture says, for those who do not see it."""
    edges = sorted(_edges(flows).items(), key=lambda item: -item[1])
    parts = [f"{a.name} to {b.name}: {count:,}" for (a, b), count in edges[:8]]
    more = f", and {len(edges) - 8} more" if len(edges) > 8 else ""
    return f"Message flow. {', '.join(parts)}{more}"


def graph_svg(flows: Flows) -> str:
    """An ``<svg>`` document; "" when nothing has flowed.

    Examples
    --------
    >>> flows = Flows()
    >>> flows.messages[("", "example/person")] = 3
    >>> "example/person" in graph_svg(flows)
    True
    """
    edges = _edges(flows)
    if not edges and not flows.invocations:
        return ""
    if len(edges) > _MOST_EDGES:
        largest = sorted(edges, key=lambda edge: -edges[edge])[:_MOST_EDGES]
        edges = {edge: count for edge, count in edges.items() if edge in set(largest)}
    nodes = dict.fromkeys(node for edge in edges for node in edge)
    if len(nodes) < _MOST_EDGES:  # what has only failed has an edge of nothing
        nodes.update(dict.fromkeys(_Node("function", name) for name in flows.invocations))
    ordered = sorted(nodes, key=lambda node: node.kind != "ingress")  # it comes first
    layout = lay_out(
        ordered,
        {edge: f"{count:,}" for edge, count in edges.items()},
        last=frozenset(node for node in nodes if node.kind == "egress"),
    )
    lines = "".join(
        f'<path class="edge" d="{drawn.path}" marker-end="url(#a)"/>'
        for drawn in layout.edges.values()
    )
    labels = "".join(
        f'<text class="count" x="{x:g}" y="{y + 4:g}">{edges[edge]:,}</text>'
        for edge, (_, (x, y, _)) in layout.edges.items()
    )
    boxes = "".join(_box(node, *place, flows) for node, place in layout.boxes.items())
    width, height = round(layout.width), round(layout.height)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}"><style>{_STYLE}</style>{_ARROW}'
        f'<rect class="card" x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="6"/>'
        f"{lines}{boxes}{labels}</svg>"
    )


def _edges(flows: Flows) -> dict[tuple[_Node, _Node], int]:
    edges = {
        (_Node("function", a) if a else _INGRESS, _Node("function", b)): count
        for (a, b), count in flows.messages.items()
    }
    for (a, b), count in flows.records.items():
        edges[(_Node("function", a), _Node("egress", b))] = count
    return edges


def _cut(name: str) -> str:
    """Of a name that has no room the end, which tells it from others."""
    room = _ROOM - sum(map(_width, name))
    if room >= 0:
        return name
    room -= _WIDEST  # for the sign of the cut
    first = 0
    while room < 0:
        room += _width(name[first])
        first += 1
    return "…" + name[first:]


def _width(letter: str) -> float:
    if letter in "MWmw@%" or unicodedata.east_asian_width(letter) in "WF":
        return _WIDEST
    return _CAPITAL if letter.isupper() or not letter.isascii() else _LETTER


def _box(node: _Node, x: float, y: float, flows: Flows) -> str:
    label = _cut(node.name)
    middle = x + WIDTH / 2
    errors = flows.open_errors(node.name) if node.kind == "function" else 0
    name, radius = ("box", 5) if node.kind == "function" else (node.kind, HEIGHT / 2)
    if errors:
        name = "failed"
        note = (
            f'<text class="alarm" x="{middle:g}" y="{y + 32:g}">✗ {counted(errors, "error")}</text>'
        )
    elif node.kind == "function":
        count = counted(flows.invocations.get(node.name, 0), "invocation")
        note = f'<text class="small" x="{middle:g}" y="{y + 32:g}">{count}</text>'
    else:
        note = ""
    return (
        f'<rect class="box {name}" x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" '
        f'rx="{radius:g}"/><text x="{middle:g}" y="{y + (17 if note else 24):g}">{escape(label)}'
        f"</text>{note}"
    )
