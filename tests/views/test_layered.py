"""Edges go around boxes, and labels stand beside one another."""

from __future__ import annotations

import re
from itertools import combinations, pairwise

import pytest

from statefun_nb.views.layered import HEIGHT, WIDTH, lay_out

GRAPHS = {
    "a chain": ["ab", "bc", "cd"],
    "edges that pass columns": ["ab", "bc", "cd", "ac", "ad", "bd"],
    "back and forth": ["ab", "ba", "bc", "cb", "ca"],
    "to itself": ["ab", "bb", "aa"],
    "all with all": [a + b for a in "abcdef" for b in "abcdef"],
    "apart": ["ab", "cd", "dc"],
    "one": ["aa"],
    "nothing": [],
}


def points(path):
    """Points along a path of M, C, Q, H and V, dense enough to see what it crosses."""
    found = []
    for letter, rest in re.findall(r"([MCQHV])([^MCQHV]*)", path):
        numbers = [float(each) for each in rest.split()]
        if letter == "M":
            found.append((numbers[0], numbers[1]))
            continue
        x, y = found[-1]
        if letter == "H":
            control = [(x, y), (numbers[0], y)]
        elif letter == "V":
            control = [(x, y), (x, numbers[0])]
        else:
            control = [(x, y), *zip(numbers[::2], numbers[1::2], strict=True)]
        found += [bezier(control, step / 40) for step in range(1, 41)]
    return found


def bezier(control, t):
    while len(control) > 1:
        pairs = pairwise(control)
        control = [tuple(p + (q - p) * t for p, q in zip(a, b, strict=True)) for a, b in pairs]
    return control[0]


@pytest.fixture(params=GRAPHS.values(), ids=list(GRAPHS))
def layout(request):
    edges = {(a, b): f"{index * 137:,}" for index, (a, b) in enumerate(request.param)}
    names = sorted({name for edge in edges for name in edge})
    return lay_out(names, edges, last=frozenset(names[-1:] if len(names) > 2 else ()))


def test_no_edge_crosses_a_box(layout):
    for edge, drawn in layout.edges.items():
        for name, (left, top) in layout.boxes.items():
            inside = [
                (x, y)
                for x, y in points(drawn.path)
                if left + 1 < x < left + WIDTH - 1 and top + 1 < y < top + HEIGHT - 1
            ]
            assert not inside, f"{edge} crosses {name}"


def test_no_label_covers_another(layout):
    for one, other in combinations(layout.edges.values(), 2):
        assert not one.label.overlaps(other.label)


def test_all_of_it_is_in_sight_and_no_box_covers_another(layout):
    for left, top in layout.boxes.values():
        assert 0 <= left <= layout.width - WIDTH
        assert 0 <= top <= layout.height - HEIGHT
    for drawn in layout.edges.values():
        for x, y in points(drawn.path):
            assert 0 <= x <= layout.width
            assert 0 <= y <= layout.height
    for (x1, y1), (x2, y2) in combinations(layout.boxes.values(), 2):
        assert abs(x1 - x2) >= WIDTH or abs(y1 - y2) >= HEIGHT


def test_what_sends_stands_before_what_receives():
    layout = lay_out("cba", {("a", "b"): "1", ("b", "c"): "1"})
    x = {name: place[0] for name, place in layout.boxes.items()}
    assert x["a"] < x["b"] < x["c"]


def test_what_nothing_leads_to_stands_in_rows():
    boxes = lay_out("sabcde", {("a", "b"): "1", ("c", "c"): "2"}, frozenset("b")).boxes
    # The loop of c counts as an edge: s, d and e are alone.
    assert boxes["s"][0] < boxes["d"][0] < boxes["e"][0] < boxes["b"][0]
    assert boxes["a"][0] == boxes["c"][0] == boxes["s"][0]


def test_it_goes_on_for_a_graph_of_pages():
    names = [f"f{index}" for index in range(80)]
    edges = {(a, names[(index * 7) % 80]): "1" for index, a in enumerate(names)}
    assert len(lay_out(names, edges).boxes) == 80
