"""Tables for cells: rows to text, and to HTML in which every value is text."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, TypeVar

from .errors import ItemError, ItemTypeError, class_of

__all__ = [
    "HTML_CELL",
    "TEXT_CELL",
    "at",
    "class_name",
    "counted",
    "html_list",
    "html_table",
    "repr_of",
    "shorten",
    "shown",
    "text_table",
    "with_article",
]

# Characters of a cell of a table, as text and as HTML.
TEXT_CELL, HTML_CELL = 60, 120
T = TypeVar("T")


def repr_of(value: object) -> str:
    """The repr of a value; where it raises, as a user's may, that it does.

    Examples
    --------
    >>> class Cart:
    ...     def __repr__(self):
    ...         return self.owner
    >>> repr_of({"n": 1, "cart": Cart()})
    "{'n': 1, 'cart': <Cart that cannot be shown: AttributeError>}"
    """
    try:
        return repr(value)
    except KeyboardInterrupt:  # of whoever looks at it, too
        raise
    except BaseException as error:
        if issubclass(type(value), dict):
            items: dict[object, object] = value  # type: ignore[assignment]
            pairs = dict.items(items)
            return "{" + ", ".join(f"{repr_of(k)}: {repr_of(each)}" for k, each in pairs) + "}"
        return f"<{class_of(value)} that cannot be shown: {class_of(error)}>"


def shorten(value: object, longest: int = HTML_CELL) -> str:
    """The repr of a value, text as it is, cut to ``longest`` characters."""
    text = value if isinstance(value, str) else repr_of(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def shown(value: object) -> str:
    """A value and its class, cut to 200 characters; of one that cannot be shown the class alone."""
    try:
        text = shorten(" ".join(repr(value).split("\n")).strip(), 200)
    except Exception:  # a repr of the user's may raise anything
        return f"a {class_name(type(value))}"
    return f"{text} ({class_name(type(value))})"


def class_name(cls: Any) -> str:
    """A class as its user wrote it: ``Order.Item``."""
    name = getattr(cls, "__qualname__", None)
    if name is None or hasattr(cls, "__args__"):
        return repr(cls)
    return str(name).rpartition("<locals>.")[2]


def with_article(name: str) -> str:
    """The name of a class as English has it in a sentence.

    Examples
    --------
    >>> with_article("int"), with_article("Cart"), with_article("UUID")
    ('an int', 'a Cart', 'a UUID')
    """
    return f"{'an' if name[:1] in 'aeioAEIO' else 'a'} {name}"


def counted(number: int, one: str, many: str = "") -> str:
    """A number and its noun.

    Examples
    --------
    >>> counted(1, "error"), counted(20_000, "error"), counted(0, "address", "addresses")
    ('1 error', '20,000 errors', '0 addresses')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def at(items: Sequence[T], index: Any, one: str, many: str = "", hint: str = "") -> T:
    """The item of that number.

    Parameters
    ----------
    one, many : str
        What an item is called, and more of them.
    hint : str
        What to do instead of asking by something that is no number.

    Raises
    ------
    ItemError
        When there is none; ItemTypeError when it is no number.
    """
    many = many or f"{one}s"
    try:
        number = operator.index(index)
    except TypeError:
        raise ItemTypeError(
            f"[{shown(index)}]: {many} are numbered from 0, and [0:10] are several{hint}"
        ) from None
    count = len(items)
    if -count <= number < count:
        return items[number]
    some = (
        f": there {'is' if count == 1 else 'are'} {counted(count, one, many)}, [0] to [{count - 1}]"
    )
    raise ItemError(f"no {one} [{number}]{some if count else f': there are no {many} yet'}")


def html_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], longest: int = HTML_CELL
) -> str:
    """A table as HTML; every cell is escaped, so that no payload becomes markup.

    A cell is cut to ``longest`` characters.

    Examples
    --------
    >>> "<td>&lt;b&gt;</td>" in html_table("t", ["x"], [["<b>"]])
    True
    """
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(shorten(cell, longest))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return (
        f'<table class="statefun-nb"><caption style="caption-side:top;text-align:left">'
        f"{escape(title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def html_list(title: str, lines: Iterable[str]) -> str:
    """A title and lines of text below it, as HTML."""
    items = "".join(f"<div>{escape(line)}</div>" for line in lines)
    return f'<div class="statefun-nb"><div>{escape(title)}</div>{items}</div>'


def _plain(text: str) -> str:
    """Without what would move a terminal's cursor, or break the line."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]


def text_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], longest: int = TEXT_CELL
) -> str:
    """A table as text in columns, for a terminal; a cell is cut to ``longest`` characters.

    Examples
    --------
    >>> print(text_table("two rows", ["id", "n"], [["bob", 1], ["al", 20]]))
    two rows
    id   n
    bob  1
    al   20
    """
    lines = [list(columns), *([_plain(shorten(cell, longest)) for cell in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([title, *text])
