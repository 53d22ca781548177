"""A new file of ``durable=``: there as a whole, or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import tempfile

from .checked_rows import SCHEMA, TABLES, Head
from .own_file import WHOLE

__all__ = [
    "APPLICATION",
    "STATEMENTS",
    "begin",
    "create",
    "head_page",
    "new_id",
    "put_head",
    "tables",
]

APPLICATION = 0x53466E62  # "SFnb": what `file` and the store know such a file by
STATEMENTS = [statement.strip() for statement in SCHEMA.split(";") if statement.strip()]


def new_id() -> str:
    """What no other file has in its head: 16 bytes in hexadecimal."""
    return os.urandom(16).hex()


def create(db: sqlite3.Connection) -> None:
    """Make the tables, and say in the header whose they are."""
    for statement in STATEMENTS:
        db.execute(statement)
    db.execute(f"PRAGMA application_id = {APPLICATION}")
    db.execute(f"PRAGMA user_version = {WHOLE}")


def put_head(db: sqlite3.Connection, head: Head) -> None:
    """Write a head in the place of the one before."""
    db.execute("DELETE FROM head")
    db.execute("INSERT INTO head VALUES (?, ?, ?, ?, ?, ?)", (*head, head.crc()))


def tables(db: sqlite3.Connection) -> list[str]:
    """The statements by which the tables were made."""
    query = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    return [sql for (sql,) in db.execute(query)]


def head_page(db: sqlite3.Connection) -> tuple[int, int]:
    """The size and the offset of the page that the head is on: each transaction writes it."""
    (size,) = db.execute("PRAGMA page_size").fetchone()
    (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'head'").fetchone()
    return size, (root - 1) * size


def begin(path: str, clock: str) -> None:
    """Make a file with nothing in it, for the user alone; none when another process just did.

    Under a name of its own first: a kill on the way leaves nothing at the path that would have to
    be told from a file that was cut off.

    Raises
    ------
    OSError, sqlite3.Error
        When it cannot be written.
    """
    handle, made = tempfile.mkstemp(prefix=".durable-", dir=os.path.dirname(path) or ".")  # noqa: PTH120
    os.close(handle)
    try:
        with contextlib.closing(sqlite3.connect(made, isolation_level=None)) as db:
            db.execute("BEGIN")
            create(db)
            totals = json.dumps({table: [0, 0] for table in TABLES})
            put_head(db, Head(new_id(), clock, 0, 0, totals))
            db.execute("COMMIT")
            db.execute("PRAGMA journal_mode = WAL")
        _put(made, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(made)  # noqa: PTH108 - as the rest


def _put(made: str, path: str) -> None:
    try:
        os.link(made, path)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        if not os.path.lexists(path):
            os.rename(made, path)  # noqa: PTH104 - as the rest
