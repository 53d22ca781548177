"""The picture at the head of each lesson: what will be built. ``python -m docs.lesson_drawings``.

A table says where each box stands and who sends what to whom; the drawings are written to
``notebooks/images``. A box of a function is named as the lesson names it.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import NamedTuple

from .drawings import INK, LINE, svg, text

IMAGES = Path(__file__).parent.parent / "notebooks" / "images"
WIDTH, HEIGHT, COLUMN, ROW, EDGE = 148, 44, 250, 96, 24

Arrow = tuple[str, str, str]


class Picture(NamedTuple):
    """Boxes by column and row, and arrows: from, to, what is sent."""

    label: str
    boxes: dict[str, tuple[float, float]]
    arrows: tuple[Arrow, ...]


PICTURES = {
    "00_tour": Picture(
        "You send messages to persons; each tells a greeter, whose greetings leave the system.",
        {
            "you": (0, 0), "example/person": (1, 0), "example/greeter": (2, 0),
            "example/out": (3, 0), "example/reminder": (1, 1),
        },
        (
            ("you", "example/person", "hello"), ("example/person", "example/greeter", "visits"),
            ("example/greeter", "example/out", "Welcome, bob!"),
            ("example/reminder", "example/reminder", "a day later"),
            ("you", "example/reminder", "remind me"),
        ),
    ),
    "01_quickstart": Picture(
        "Messages go to persons, each tells a greeter, and a counter sends its totals out.",
        {
            "you": (0, 0), "example/person": (1, 0), "example/greeter": (2, 0),
            "example/out": (3, 0), "example/reminder": (1, 1), "example/counter": (2, 1),
        },
        (
            ("you", "example/person", "hi"),
            ("example/person", "example/greeter", "hello number 1"),
            ("example/greeter", "example/out", "bob: hello"),
            ("you", "example/reminder", "set, off"),
            ("example/reminder", "example/reminder", "a second later"),
            ("example/counter", "example/out", "a total"),
        ),
    ),
    "02_flights": Picture(
        "Each flight goes to its aircraft, carrier and airport; late aircraft make alerts.",
        {
            "a year of flights": (0, 1), "flights/carrier": (1, 0), "flights/aircraft": (1, 1),
            "flights/airport": (1, 2), "flights/knock_on": (2, 1), "flights/alerts": (3, 1),
        },
        (
            ("a year of flights", "flights/carrier", "each flight"),
            ("a year of flights", "flights/aircraft", "each flight"),
            ("a year of flights", "flights/airport", "each flight"),
            ("flights/aircraft", "flights/knock_on", "late twice"),
            ("flights/knock_on", "flights/alerts", "an alert"),
        ),
    ),
    "10_types_and_messages": Picture(
        "Messages of several types go to functions that read them.",
        {"you": (0, 1), "types/echo": (1, 0), "types/till": (1, 1), "types/reader": (1, 2)},
        (
            ("you", "types/echo", "int, str, list"), ("you", "types/till", "an Order"),
            ("you", "types/reader", "words"),
        ),
    ),
    "11_state_and_expiration": Picture(
        "Accounts, sessions that expire, and a limiter that passes three messages on.",
        {
            "you": (0, 1), "state/account": (1, 0), "state/session": (1, 1),
            "state/limiter": (1, 2), "state/log": (2, 2),
        },
        (
            ("you", "state/account", "amounts"), ("you", "state/session", "clicks"),
            ("you", "state/limiter", "messages"), ("state/limiter", "state/log", "three a minute"),
        ),
    ),
    "12_messaging_patterns": Picture(
        "A text fans out to its lines and comes back as counts; a booking asks flight and hotel.",
        {
            "words/text": (0, 0), "words/line": (1, 0), "trip/booking": (0, 1.5),
            "trip/flight": (1, 1), "trip/hotel": (1, 2), "loop/collatz": (2, 0),
        },
        (
            ("words/text", "words/line", "a line each"), ("trip/booking", "trip/flight", "book"),
            ("trip/booking", "trip/hotel", "book, cancel"),
            ("loop/collatz", "loop/collatz", "the next number"),
        ),
    ),
    "13_timers": Picture(
        "Orders time out, a heart beats, and a search waits until nobody types.",
        {
            "you": (0, 1), "timer/order": (1, 0), "timer/heart": (1, 1), "timer/search": (1, 2),
            "timer/searches": (2, 2),
        },
        (
            ("you", "timer/order", "new, paid"), ("you", "timer/heart", "beat"),
            ("you", "timer/search", "keys"), ("timer/order", "timer/order", "an hour later"),
            ("timer/heart", "timer/heart", "a minute later"),
            ("timer/search", "timer/searches", "what was typed"),
        ),
    ),
    "14_consistency": Picture(
        "A transfer takes from one account and gives to another; something breaks in between.",
        {
            "you": (0, 0), "safe/transfer": (1, 0), "safe/account": (2, 0), "safe/count": (1, 1),
        },
        (
            ("you", "safe/transfer", "from, to, amount"),
            ("safe/transfer", "safe/account", "take, give"), ("you", "safe/count", "and a kill"),
        ),
    ),
    "15_the_real_cluster": Picture(
        "Orders come from the notebook and from Kafka; sales go to a topic.",
        {
            "you": (0, 0), "Kafka: orders": (0, 1), "orders/customer": (1, 0),
            "orders/item": (2, 0), "orders/out": (3, 0),
        },
        (
            ("you", "orders/customer", "hat:30"), ("Kafka: orders", "orders/customer", "sock:5"),
            ("orders/customer", "orders/item", "30"), ("orders/item", "orders/out", "hat number 1"),
        ),
    ),
    "16_async_calls": Picture(
        "Payments ask a bank over HTTP, and try again later.",
        {"you": (0, 0), "call/payment": (1, 0), "a bank": (2, 0.5), "call/patient": (1, 1)},
        (
            ("you", "call/payment", "10"), ("call/payment", "a bank", "HTTP"),
            ("call/patient", "a bank", "HTTP"), ("you", "call/patient", "10"),
            ("call/patient", "call/patient", "2, 4, 8 s later"),
        ),
    ),
    "17_testing": Picture(
        "What an account has done is checked, run again, and exported as tests.",
        {"you": (0, 0), "bank/account": (1, 0), "bank/letters": (2, 0)},
        (("you", "bank/account", "100, -30"), ("bank/account", "bank/letters", "what lacks")),
    ),
    "20_shopping_cart": Picture(
        "Carts reserve pieces of the stock; what is paid for leaves a receipt.",
        {"you": (0, 0), "shop/cart": (1, 0), "shop/stock": (2, 0), "shop/receipts": (1, 1)},
        (
            ("you", "shop/cart", "add, pay"), ("shop/cart", "shop/stock", "reserve"),
            ("shop/cart", "shop/receipts", "sold"),
        ),
    ),
    "21_connected_components": Picture(
        "Each vertex tells its neighbours of the smallest vertex that it has heard of.",
        {"you": (0, 0), "graph/vertex": (1, 0), "graph/merges": (2, 0)},
        (
            ("you", "graph/vertex", "an edge"),
            ("graph/vertex", "graph/vertex", "the smallest I know"),
            ("graph/vertex", "graph/merges", "a merge"),
        ),
    ),
    "22_ride_sharing": Picture(
        "A ride asks cell after cell for a driver, who picks the passenger up.",
        {
            "you": (0, 0), "ride/passenger": (1, 0), "ride/ride": (2, 0), "ride/cell": (3, 0),
            "ride/receipts": (2, 1), "ride/driver": (3, 1),
        },
        (
            ("you", "ride/passenger", "an order"), ("ride/passenger", "ride/ride", "a plan"),
            ("ride/ride", "ride/cell", "who is free?"), ("ride/ride", "ride/driver", "drive"),
            ("ride/ride", "ride/receipts", "a receipt"),
        ),
    ),
    "90_exam": Picture(
        "An order asks the stock, is paid for or expires, and sends a mail.",
        {"you": (0, 0), "exam/order": (1, 0), "exam/stock": (2, 0), "exam/mails": (1, 1)},
        (
            ("you", "exam/order", "an order, paid"), ("exam/order", "exam/stock", "take"),
            ("exam/order", "exam/order", "15 minutes later"),
            ("exam/order", "exam/mails", "its id"),
        ),
    ),
}  # fmt: skip


def _middle(place: tuple[float, float]) -> tuple[float, float]:
    column, row = place
    return EDGE + WIDTH / 2 + column * COLUMN, EDGE + 26 + HEIGHT / 2 + row * ROW


def _box(name: str, place: tuple[float, float]) -> str:
    x, y = _middle(place)
    colour, corner = ("#e8f5e9", 6) if "/" in name else ("#fff8e1", HEIGHT / 2)
    return (
        f'<rect x="{x - WIDTH / 2:g}" y="{y - HEIGHT / 2:g}" width="{WIDTH}" height="{HEIGHT}" '
        f'rx="{corner:g}" fill="{colour}" stroke="{LINE}"/>{text(x, y + 5, name, weight=600)}'
    )


def _arrow(begin: tuple[float, float], end: tuple[float, float], words: str) -> str:
    """An arrow from side to side, from top to bottom, or from a box to itself."""
    (x, y), (to_x, to_y) = _middle(begin), _middle(end)
    if begin == end:
        path = f"M{x - 30:g} {y - HEIGHT / 2:g}c-6 -26 66 -26 60 0"
        return _path(path) + _words(x, y - HEIGHT / 2 - 24, words)
    if x == to_x:
        y, to_y = y + HEIGHT / 2, to_y - HEIGHT / 2
        return _path(f"M{x:g} {y:g}L{to_x:g} {to_y:g}") + _words(x + 30, (y + to_y) / 2 + 4, words)
    x, to_x = x + WIDTH / 2, to_x - WIDTH / 2
    return _path(f"M{x:g} {y:g}L{to_x:g} {to_y:g}") + _words(
        (x + to_x) / 2, (y + to_y) / 2 - 7, words
    )


def _path(path: str) -> str:
    return f'<path d="{path}" fill="none" stroke="{LINE}" marker-end="url(#tip)"/>'


def _words(x: float, y: float, words: str) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="middle" font-size="11.5" fill="{INK}" '
        f'stroke="#fff" stroke-width="3" paint-order="stroke">{escape(words)}</text>'
    )


def picture(drawn: Picture) -> str:
    """One of them, as SVG."""
    columns = max(column for column, _ in drawn.boxes.values())
    rows = max(row for _, row in drawn.boxes.values())
    parts = [_arrow(drawn.boxes[a], drawn.boxes[b], words) for a, b, words in drawn.arrows]
    parts += [_box(name, place) for name, place in drawn.boxes.items()]
    width = 2 * EDGE + WIDTH + columns * COLUMN
    height = 2 * EDGE + 26 + HEIGHT + rows * ROW
    return svg(int(width), int(height), escape(drawn.label), parts)


def main() -> None:
    """Write all of them."""
    IMAGES.mkdir(exist_ok=True)
    for name, drawn in PICTURES.items():
        (IMAGES / f"{name}.svg").write_text(picture(drawn), encoding="utf-8")


if __name__ == "__main__":
    main()
