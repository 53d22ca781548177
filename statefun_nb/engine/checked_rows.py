"""The tables of ``durable=``, and the checks by which damage to them is found.

Each row has a checksum of its own, and the head of the file says how many rows each table has, and
their sum: of their numbers, or of their checksums where they have none. A row that is another one,
is missing, or is there twice agrees with neither. They come in the order of their keys, or SQLite
would not find them again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import starmap
from operator import itemgetter
from typing import Any, NamedTuple
from zlib import crc32

__all__ = ["SCHEMA", "TABLES", "Head", "Table", "Totals", "checked", "read", "runs", "sum_of"]

SCHEMA = """
CREATE TABLE head (
  file TEXT NOT NULL, clock TEXT NOT NULL, offset_ms INTEGER NOT NULL, commits INTEGER NOT NULL,
  totals TEXT NOT NULL, crc INTEGER NOT NULL
);
CREATE TABLE spec (
  typename TEXT NOT NULL, place INTEGER NOT NULL, name TEXT NOT NULL, value_type TEXT NOT NULL,
  mode INTEGER NOT NULL, expire_after_ms INTEGER NOT NULL, crc INTEGER NOT NULL,
  PRIMARY KEY (typename, place)
) WITHOUT ROWID;
CREATE TABLE state (
  typename TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL,
  deadline_ms INTEGER NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY (typename, id, name)
) WITHOUT ROWID;
CREATE TABLE mail (
  number INTEGER PRIMARY KEY, typename TEXT NOT NULL, id TEXT NOT NULL,
  caller_typename TEXT, caller_id TEXT, argument BLOB NOT NULL, crc INTEGER NOT NULL
);
CREATE TABLE timer (
  number INTEGER PRIMARY KEY, due_ms INTEGER NOT NULL, owner_typename TEXT, owner_id TEXT,
  token TEXT NOT NULL, typename TEXT NOT NULL, id TEXT NOT NULL, argument BLOB NOT NULL,
  crc INTEGER NOT NULL
);
CREATE TABLE egress (
  number INTEGER PRIMARY KEY, egress TEXT NOT NULL, argument BLOB NOT NULL, crc INTEGER NOT NULL
);
"""

_FIRST, _LAST = itemgetter(0), itemgetter(-1)

# By table: how many rows, and their sum.
Totals = dict[str, list[int]]
Row = tuple[Any, ...]


class Head(NamedTuple):
    """The one row that is about the file as a whole.

    ``file`` is an id that no other file has, ``commits`` counts what was written, ``clock`` is the
    kind of clock, ``totals`` are those of the tables as JSON.
    """

    file: str
    clock: str
    offset_ms: int
    commits: int
    totals: str

    def crc(self) -> int:
        """Its checksum."""
        return crc32("\0".join(map(str, self)).encode())


# The rows of each table, made of what they hold; the checksum is at the end.


def _spec(
    typename: str, place: int, name: str, value_type: str, mode: int, expire_after_ms: int
) -> Row:
    # Before Python 3.11, the text of an IntEnum's member is its name: ``mode`` as a number.
    text = f"{typename}\0{place}\0{name}\0{value_type}\0{mode:d}\0{expire_after_ms}"
    return typename, place, name, value_type, mode, expire_after_ms, crc32(text.encode())


def _state(typename: str, id_: str, name: str, value: bytes, deadline_ms: int) -> Row:
    key = f"{typename}\0{id_}\0{name}\0{deadline_ms}".encode()
    return typename, id_, name, value, deadline_ms, crc32(value, crc32(key))


# Of the two that are written most, the number begins the checksum, which takes half the time.


def _mail(
    number: int,
    typename: str,
    id_: str,
    caller_typename: str | None,
    caller_id: str | None,
    argument: bytes,
) -> Row:
    addresses = f"{typename}\0{id_}\0{caller_typename}\0{caller_id}".encode()
    crc = crc32(argument, crc32(addresses, number))
    return number, typename, id_, caller_typename, caller_id, argument, crc


def _timer(*fields: Any) -> Row:
    return *fields, crc32(fields[-1], crc32("\0".join(map(str, fields[:-1])).encode()))


def _egress(number: int, egress: str, argument: bytes) -> Row:
    return number, egress, argument, crc32(argument, crc32(egress.encode(), number))


class Table(NamedTuple):
    """How its rows are made and written, and how many fields in front are its key."""

    row: Callable[..., Row]
    insert: str
    key: int

    @property
    def is_numbered(self) -> bool:
        """Is the key a number?"""
        return self.key == 1


TABLES: dict[str, Table] = {
    "spec": Table(_spec, "INSERT OR REPLACE INTO spec VALUES (?, ?, ?, ?, ?, ?, ?)", 2),
    "state": Table(_state, "INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?, ?, ?)", 3),
    "mail": Table(_mail, "INSERT INTO mail VALUES (?, ?, ?, ?, ?, ?, ?)", 1),
    "timer": Table(_timer, "INSERT INTO timer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", 1),
    "egress": Table(_egress, "INSERT INTO egress VALUES (?, ?, ?, ?)", 1),
}


def checked(table: str, rows: Iterable[Row]) -> list[Row]:
    """Rows with their checksums, to be written."""
    return list(starmap(TABLES[table].row, rows))


def sum_of(table: str, rows: Iterable[Row]) -> int:
    """The sum of rows with their checksums, as the totals have it."""
    return sum(map(_FIRST if TABLES[table].is_numbered else _LAST, rows))


def read(table: str, rows: Iterable[Row], totals: Totals) -> Iterator[Row]:
    """Rows as they were written, without their checksums.

    Raises
    ------
    ValueError
        At the first that is not as it was, or at the end when it was not all of them.
    """
    row_of, _, size = TABLES[table]
    count = total = 0
    last: Row = ()
    for row in rows:
        fields, key = row[:-1], row[:size]
        if row_of(*fields)[-1] != row[-1] or not last < key:
            raise ValueError(f"a row of {table} is not as it was written")
        count += 1
        total += row[0] if size == 1 else row[-1]
        last = key
        yield fields
    if [count, total] != totals[table]:
        raise ValueError(
            f"rows of {table} are missing: {count:,} of {totals[table][0]:,} are there"
        )


def runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """First and last of each run of numbers that follow one another.

    Examples
    --------
    >>> runs([4, 1, 2, 3, 8])
    [(1, 4), (8, 8)]
    """
    found: list[tuple[int, int]] = []
    first = last = None
    for number in sorted(numbers):
        if last is None or number != last + 1:
            if first is not None and last is not None:
                found.append((first, last))
            first = number
        last = number
    return found if first is None or last is None else [*found, (first, last)]
