"""A small layered layout: boxes in columns, edges that go around them, labels beside one another.

The live view lays its graph out in the browser, by a library; the static pictures must be there
without. Forward edges run in the gaps between columns, and pass a column in a row of their own;
those that go back run below all boxes, each in a lane of its own. So no edge crosses a box.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

__all__ = ["Drawn", "Label", "Layout", "lay_out"]

N = TypeVar("N", bound=Hashable)

WIDTH, HEIGHT = 178, 40  # of a box, pixels
_GAP_X, _GAP_Y = 96, 30
_PASSING = 18  # the row of an edge that passes a column
_LANE = 22
_MARGIN = 14
_PORTS = 24  # the part of a box's side over which its edges are spread
_SWEEPS = 6
_ALONE = 3  # so many nodes that nothing leads to or from stand beside one another
_CHARACTER, _LINE = 7, 14  # the size of a label's letters, from above


class Label(NamedTuple):
    """Where the middle of a label is, and how wide it may be."""

    x: float
    y: float
    width: float

    def overlaps(self, other: Label) -> bool:
        """Do two labels touch?"""
        near = abs(self.x - other.x) * 2 < self.width + other.width
        return near and abs(self.y - other.y) < _LINE


class Drawn(NamedTuple):
    """An edge as an SVG path, and its label."""

    path: str
    label: Label


@dataclass(frozen=True)  # a NamedTuple is generic from Python 3.11 on
class Layout(Generic[N]):
    """The upper left corner of each box, the edges, and the size of it all."""

    boxes: dict[N, tuple[float, float]]
    edges: dict[tuple[N, N], Drawn]
    width: float
    height: float


class _Bend(NamedTuple):
    """The row that an edge takes through a column which it passes."""

    edge: tuple[Hashable, Hashable]
    column: int


def lay_out(
    nodes: Iterable[N], edges: Mapping[tuple[N, N], str], last: frozenset[N] = frozenset()
) -> Layout[N]:
    """Place boxes, and edges with the texts of their labels.

    Parameters
    ----------
    nodes : iterable
        In the order in which they are told apart where nothing else decides.
    edges : mapping
        Labels by source and target; both are nodes. A node may have an edge to itself.
    last : frozenset
        Nodes that stand in the last column.

    Examples
    --------
    >>> layout = lay_out("ab", {("a", "b"): "3"})
    >>> layout.boxes["a"][0] < layout.boxes["b"][0]
    True
    """
    names = list(dict.fromkeys(nodes))
    column = _columns(names, edges, last)
    return _Placing(names, edges, column).layout()


def _columns(names: list[N], edges: Iterable[tuple[N, N]], last: frozenset[N]) -> dict[N, int]:
    """The longest way to each node, on edges that do not close a circle."""
    after: dict[N, list[N]] = {name: [] for name in names}
    for a, b in edges:
        if a != b:
            after[a].append(b)
    order = _topological(names, after)
    place = {name: index for index, name in enumerate(order)}
    column = dict.fromkeys(names, 0)
    for a in order:
        for b in after[a]:
            if place[b] > place[a]:
                column[b] = max(column[b], column[a] + 1)
    joined = {name for edge in edges for name in edge}
    alone = [name for name in names if name not in joined]
    column.update({name: index % _ALONE for index, name in enumerate(alone)})
    end = max((column[name] for name in names if name not in last), default=-1) + 1
    return {name: end if name in last else column[name] for name in names}


def _topological(names: list[N], after: Mapping[N, list[N]]) -> list[N]:
    """Sources before targets, by depth first; edges that close a circle are what is left over."""
    done: list[N] = []
    seen: set[N] = set()
    for name in names:
        stack: list[tuple[N, int]] = [(name, 0)]
        if name in seen:
            continue
        seen.add(name)
        while stack:
            at, index = stack.pop()
            if index < len(after[at]):
                stack.append((at, index + 1))
                following = after[at][index]
                if following not in seen:
                    seen.add(following)
                    stack.append((following, 0))
            else:
                done.append(at)
    return done[::-1]


class _Placing(Generic[N]):
    def __init__(
        self, names: list[N], edges: Mapping[tuple[N, N], str], column: dict[N, int]
    ) -> None:
        self._edges = edges
        self._column = column
        self._ways: dict[tuple[N, N], list[N | _Bend]] = {}  # of the edges that go forward
        self._rows: list[list[N | _Bend]] = [
            [] for _ in range(max(column.values(), default=-1) + 1)
        ]
        for name in names:
            self._rows[column[name]].append(name)
        for a, b in edges:
            if column[a] < column[b]:
                bends = [_Bend((a, b), number) for number in range(column[a] + 1, column[b])]
                for bend in bends:
                    self._rows[bend.column].append(bend)
                self._ways[a, b] = [a, *bends, b]
        self._labels: list[Label] = []

    def layout(self) -> Layout[N]:
        self._untangle()
        self._y = self._rows_placed()
        bottom = max(
            (y + (_PASSING if isinstance(node, _Bend) else HEIGHT) for node, y in self._y.items()),
            default=0.0,
        )
        drawn: dict[tuple[N, N], Drawn] = {}
        for edge in self._ways:
            drawn[edge] = self._forward(edge)
        lane = bottom
        for edge in self._edges:
            if edge in drawn:
                continue
            if edge[0] == edge[1]:
                drawn[edge] = self._loop(edge)
            else:
                lane += _LANE
                drawn[edge] = self._back(edge, lane)
        boxes = {name: (self._x(at), self._y[name]) for name, at in self._column.items()}
        width = self._x(len(self._rows) - 1) + WIDTH + _MARGIN + self._beside()
        return Layout(boxes, drawn, width, max(bottom, lane) + _MARGIN)

    def _beside(self) -> float:
        """Room on the right for edges that leave the last column to go back."""
        end = len(self._rows) - 1
        leaving = [a for a, b in self._edges if (a, b) not in self._ways and self._column[a] == end]
        return 30.0 if leaving else 0.0

    def _untangle(self) -> None:
        """Order each column by where its neighbours are, there and back."""
        before: dict[N | _Bend, list[N | _Bend]] = {}
        after: dict[N | _Bend, list[N | _Bend]] = {}
        for way in self._ways.values():
            for a, b in itertools.pairwise(way):
                after.setdefault(a, []).append(b)
                before.setdefault(b, []).append(a)
        for sweep in range(_SWEEPS):
            there = sweep % 2 == 0
            beside = before if there else after
            for row in self._rows if there else self._rows[::-1]:
                place = self._places()
                row.sort(key=lambda node: self._middle(node, beside, place))

    def _places(self) -> dict[N | _Bend, float]:
        """How far down each node is in its column, from 0 to 1."""
        return {
            node: (index + 0.5) / len(row) for row in self._rows for index, node in enumerate(row)
        }

    def _middle(
        self,
        node: N | _Bend,
        beside: Mapping[N | _Bend, list[N | _Bend]],
        place: Mapping[N | _Bend, float],
    ) -> float:
        found = [place[each] for each in beside.get(node, ())]
        return sum(found) / len(found) if found else place[node]

    def _rows_placed(self) -> dict[N | _Bend, float]:
        def height(node: N | _Bend) -> float:
            return _PASSING if isinstance(node, _Bend) else HEIGHT

        heights = [sum(map(height, row)) + _GAP_Y * (len(row) - 1) for row in self._rows]
        top = _MARGIN + (26 if any(a == b for a, b in self._edges) else 0)
        placed = {}
        for row, total in zip(self._rows, heights, strict=True):
            y = top + (max(heights) - total) / 2
            for node in row:
                placed[node] = y
                y += height(node) + _GAP_Y
        return placed

    def _x(self, column: int) -> float:
        return _MARGIN + self._left() + column * (WIDTH + _GAP_X)

    def _left(self) -> float:
        """Room on the left for edges that go back to the first column."""
        back = [b for a, b in self._edges if (a, b) not in self._ways and a != b]
        return 30.0 if any(self._column[b] == 0 for b in back) else 0.0

    def _port(self, node: N | _Bend, edge: tuple[N, N], *, leaving: bool) -> float:
        """Where on a box's side an edge begins or ends: edges are spread over it."""
        if isinstance(node, _Bend):
            return self._y[node] + _PASSING / 2
        way = 1 if leaving else -2
        mine = [each for each in self._ways if each[0 if leaving else 1] == node]
        mine.sort(key=lambda each: self._y[self._ways[each][way]])
        index = mine.index(edge)
        return self._y[node] + HEIGHT / 2 + _PORTS * ((index + 0.5) / len(mine) - 0.5)

    def _forward(self, edge: tuple[N, N]) -> Drawn:
        way = self._ways[edge]
        x, y = self._x(self._column[edge[0]]) + WIDTH, self._port(way[0], edge, leaving=True)
        path = f"M{x:g} {y:g}"
        candidates: list[tuple[float, float]] = []
        for step, node in enumerate(way[1:], 1):
            right = self._x(self._column[edge[0]] + step)
            to = self._port(node, edge, leaving=False)
            half = (x + right) / 2
            path += f"C{half:g} {y:g} {half:g} {to:g} {right:g} {to:g}"
            candidates += [_on_curve(x, y, right, to, t) for t in (0.5, 0.3, 0.7, 0.15, 0.85)]
            x, y = right, to
            if isinstance(node, _Bend):
                x += WIDTH
                path += f"H{x:g}"
                candidates.append((x - WIDTH / 2, to))
        return Drawn(path, self._label(edge, candidates))

    def _loop(self, edge: tuple[N, N]) -> Drawn:
        x, y = self._x(self._column[edge[0]]) + WIDTH / 2, self._y[edge[0]]
        path = f"M{x - 22:g} {y:g}C{x - 22:g} {y - 26:g} {x + 22:g} {y - 26:g} {x + 22:g} {y:g}"
        beside = x + 26 + self._wide(edge) / 2  # the row above may be near
        return Drawn(path, self._label(edge, [(beside, y - 6), (beside + 20, y - 6)]))

    def _back(self, edge: tuple[N, N], lane: float) -> Drawn:
        a, b = edge
        # Beside the column, within the gap; each lane has its own line down and up.
        aside = 10 + 5 * (round(lane / _LANE) % 4)
        down = self._x(self._column[a]) + WIDTH + aside
        up = self._x(self._column[b]) - aside
        y1, y2 = self._y[a] + HEIGHT - 7, self._y[b] + HEIGHT - 7
        path = (
            f"M{down - aside:g} {y1:g}Q{down:g} {y1:g} {down:g} {y1 + 8:g}V{lane - 8:g}"
            f"Q{down:g} {lane:g} {down - 8:g} {lane:g}H{up + 8:g}Q{up:g} {lane:g} {up:g} "
            f"{lane - 8:g}V{y2 + 8:g}Q{up:g} {y2:g} {up + aside:g} {y2:g}"
        )
        return Drawn(path, self._label(edge, [((down + up) / 2, lane)]))

    def _wide(self, edge: tuple[N, N]) -> float:
        return len(self._edges[edge]) * _CHARACTER + 6

    def _label(self, edge: tuple[N, N], candidates: list[tuple[float, float]]) -> Label:
        """The first place where no other label is; below all of them if there is none."""
        width = self._wide(edge)
        tried = [Label(x, y, width) for x, y in candidates]
        for shift in range(1, 20):
            tried.append(tried[0]._replace(y=tried[0].y + shift * _LINE))
        free = (each for each in tried if not any(map(each.overlaps, self._labels)))
        found = next(free, tried[-1])
        self._labels.append(found)
        return found


def _on_curve(x1: float, y1: float, x2: float, y2: float, t: float) -> tuple[float, float]:
    """A point of the curve that ``_forward`` draws."""
    half = (x1 + x2) / 2
    u = 1 - t
    a, b, c, d = u**3, 3 * u * u * t, 3 * u * t * t, t**3
    return a * x1 + b * half + c * half + d * x2, a * y1 + b * y1 + c * y2 + d * y2
