"""One SQLite file: mailboxes, state, delayed messages and egress records of an embedded engine."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..address import SdkAddress, address_of
from ..errors import EngineError
from ..protocol.effects import Emit, ExpireMode, StateSpec
from .beside_file import LastCommit, marked_id
from .checked_rows import TABLES, Head, Totals, checked, read, runs, sum_of
from .egress_log import EGRESS_LIMIT
from .facts import Timer
from .journal import Changes, Mail, Spec, Value
from .new_file import APPLICATION, STATEMENTS, begin, create, head_page, new_id, put_head, tables
from .own_file import WHOLE, OwnFile, lost_log, new_mark, not_opened, real_path, used_here

__all__ = ["SqliteStore"]

_WITHOUT_CHECKS, _WITHOUT_MARK = 1, 2  # the formats before, which are brought to this one

# What Python or SQLite make of bytes that are not what was written.
_DAMAGE = (
    sqlite3.Error, ValueError, KeyError, TypeError, AttributeError, MemoryError, OverflowError,
)  # fmt: skip


# By path, those of this process that are open.
_open_here: weakref.WeakValueDictionary[str, SqliteStore] = weakref.WeakValueDictionary()


class SqliteStore:
    """An open file; no other process, and no other store, can open it meanwhile.

    Parameters
    ----------
    path : str
        Made, for the user alone, when it is not there.
    clock : str
        "system" or "virtual": what the times in it are counted by.
    egress_limit : int
        So many egress records are kept, the newest.

    Raises
    ------
    EngineError
        When it cannot be opened, is in use, or is not such a file.
    """

    def __init__(self, path: str, clock: str, egress_limit: int = EGRESS_LIMIT) -> None:
        # A link's log would be beside the link, where the file itself is opened without it.
        self.path = path = real_path(path)
        self._egress_limit = egress_limit
        self.what_runs: Callable[[], str] = str  # of the session whose file it is
        if (holder := _open_here.get(path)) and holder.is_there:
            raise EngineError(used_here(path, holder.what_runs()))
        self._totals: Totals = {table: [0, 0] for table in TABLES}
        self._next_egress = 1
        with self.reading():
            self._file = OwnFile(path, lambda path: begin(path, clock))
        self._last = LastCommit(path)
        # Made in the caller's thread and used in the loop's, never in both at once.
        self._db = sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False)
        try:
            with self.reading():
                self._open(clock)
        except BaseException:
            self._db.close()
            self._last.close(remove=self._file.ended)
            self._file.close()
            raise
        _open_here[path] = self

    def _open(self, clock: str) -> None:
        db = self._db
        (application,) = db.execute("PRAGMA application_id").fetchone()
        if tables(self._db) and application != APPLICATION:
            raise EngineError(f"durable={self.path!r} is a database of something else")
        # The lock is the operating system's: it ends with the process, however that ends.
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        # Written through to the disk at each commit: what was confirmed outlives a power cut too.
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA recursive_triggers = ON")  # for what REPLACE takes away
        if not tables(self._db):  # as formats before left it without its log
            raise EngineError(lost_log(self.path))
        db.execute("PRAGMA journal_mode = WAL")
        self._take_log_in("TRUNCATE")  # what a kill has left has another mark than what comes now
        mark = new_mark()
        with self._transaction():
            self._check_pages()
            if db.execute("PRAGMA user_version").fetchone() == (_WITHOUT_CHECKS,):
                self._add_checks()
            self._head: Head = self._take_head(clock)
            self._last.begin(self._head.commits)
            self._head = self._head._replace(file=marked_id(self._head.file[:32], mark))
            db.execute(f"PRAGMA user_version = {mark}")
        self._take_log_in("PASSIVE")
        self._file.opened(mark, head_page(db))
        totals = self._totals

        def gone(table: str, crc: int) -> None:
            totals[table][0] -= 1
            totals[table][1] -= crc

        db.create_function("gone", 2, gone)
        for table in ("spec", "state"):
            db.execute(
                f"CREATE TEMP TRIGGER {table}_gone AFTER DELETE ON {table} "
                f"BEGIN SELECT gone('{table}', OLD.crc); END"
            )

    def _check_pages(self) -> None:
        (found,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise ValueError(" ".join(found.split()))

    def _add_checks(self) -> None:
        """Bring a file of the format before to this one, as a whole or not at all."""
        execute = self._db.execute
        ((kind, offset_ms),) = execute("SELECT kind, offset_ms FROM clock").fetchall()
        execute("DROP TABLE clock")
        for table in TABLES:
            execute(f"ALTER TABLE {table} RENAME TO {table}_before")
        create(self._db)
        for table in TABLES:
            rows = execute(f"SELECT * FROM {table}_before")  # noqa: S608 - ours
            while some := rows.fetchmany(10_000):
                self._put(table, some)
            execute(f"DROP TABLE {table}_before")
        put_head(self._db, Head(new_id(), kind, offset_ms, 0, json.dumps(self._totals)))

    def _take_head(self, clock: str) -> Head:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version & 0xFF not in (WHOLE, _WITHOUT_MARK):
            raise EngineError(
                f"durable={self.path!r} was written in format {version & 0xFF}, and this "
                f"statefun_nb reads format {WHOLE}: use the one that wrote it, or another file"
            )
        if sorted(tables(self._db)) != sorted(STATEMENTS):
            raise ValueError("its tables are not those that were made")
        ((*fields, crc),) = self._db.execute("SELECT * FROM head").fetchall()
        head = Head._make(fields)
        if head.crc() != crc:
            raise ValueError("its head is not as it was written")
        self._last.file_id = bytes.fromhex(head.file[:32])
        self._check_commits(self._last.read(), head.commits)
        if head.clock != clock:
            raise EngineError(
                f"the times in durable={self.path!r} are those of clock={head.clock!r}: "
                f"start with clock={head.clock!r}"
            )
        self._totals.update(json.loads(head.totals))
        (last,) = self._db.execute("SELECT max(number) FROM egress").fetchone()
        self._next_egress = (last or 0) + 1
        return head

    def _check_commits(self, confirmed: int, found: int) -> None:
        if confirmed > found:
            raise ValueError(
                f"what was written last is missing, {confirmed - found:,} transactions: "
                f"{self._file.log} was damaged or removed"
            )
        if self._file.lacks_log and confirmed != found:  # nothing says that this is the last
            raise EngineError(lost_log(self.path))

    def _take_log_in(self, how: str) -> bool:
        """Have SQLite write its log to the file; was that done?"""
        busy, logged, done = self._db.execute(f"PRAGMA wal_checkpoint({how})").fetchone()
        return not busy and logged == done

    # Reading, once, when a session starts.

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Turns what is wrong with what is read into an error that says which file it is in."""
        try:
            yield
        except EngineError:
            raise
        except (*_DAMAGE, OSError) as error:
            raise EngineError(not_opened(self.path, error)) from error

    def _rows(self, table: str, order: str) -> Iterator[tuple[Any, ...]]:
        query = f"SELECT * FROM {table} ORDER BY {order}"  # noqa: S608 - names of ours
        return read(table, self._db.execute(query), self._totals)

    def clock_offset_ms(self) -> int:
        """The clock's ``offset_ms`` when something was last written."""
        return self._head.offset_ms

    def specs(self) -> Iterator[Spec]:
        """State names, those of each function type in order."""
        for typename, place, name, value_type, mode, expiry in self._rows(
            "spec", "typename, place"
        ):
            yield Spec(typename, place, StateSpec(name, value_type, ExpireMode(mode), expiry))

    def values(self, now_ms: int = 0) -> Iterator[Value]:
        """The state values whose time is not over, in the order of their keys."""
        for row in self._rows("state", "typename, id, name"):
            if not 1 <= row[4] <= now_ms:
                yield Value._make(row)

    def mail(self) -> Iterator[Mail]:
        """Waiting messages in the order they came."""
        for number, typename, id_, *caller, argument in self._rows("mail", "number"):
            yield Mail(number, address_of(typename, id_), _address(*caller), argument)

    def timers(self) -> Iterator[Timer]:
        """The pending delayed messages, in the order of their numbers."""
        for number, due_ms, owner_typename, owner_id, token, *target, argument in self._rows(
            "timer", "number"
        ):
            owner = _address(owner_typename, owner_id)
            yield Timer(due_ms, number, owner, token, address_of(*target), argument)

    def egress(self) -> Iterator[Emit]:
        """The last egress records, in order."""
        for _, *record in self._rows("egress", "number"):
            yield Emit._make(record)

    def count(self) -> int:
        """How many state values, messages, delayed messages and egress records there are."""
        return sum(rows for table, (rows, _) in self._totals.items() if table != "spec")

    @property
    def is_there(self) -> bool:
        """Is the file that is open still what is at its path?"""
        return self._file.is_there

    @property
    def gone(self) -> str:
        """What to say when the file is not there any more; callable from any thread."""
        return self._file.gone

    # Writing.

    def check(self) -> None:
        """Raise EngineError when what is done now could not be kept: the file is not as it was."""
        if not self._file.unchanged():
            raise EngineError(self.gone)

    def save(self, changes: Changes, clock_offset_ms: int) -> None:
        """Write all of it, or nothing.

        Raises
        ------
        EngineError
            When it cannot be written.
        """
        self.check()
        try:
            self._commit(lambda: self._write(changes), clock_offset_ms)
        except sqlite3.Error as error:
            raise EngineError(
                f"{self.path} cannot be written: {error}. No message is served or taken any more. "
                "Mend that (is the disk full?), then call sf.stop() and start again: it goes on "
                "from what was last written"
            ) from error

    def forget_expired(self, now_ms: int) -> None:
        """Drop state values whose time is over: nobody can read them any more."""
        query = "FROM state WHERE deadline_ms BETWEEN 1 AND ?"
        if self._db.execute(f"SELECT 1 {query} LIMIT 1", (now_ms,)).fetchone():
            delete = f"DELETE {query}"
            self._commit(lambda: self._db.execute(delete, (now_ms,)), self._head.offset_ms)

    def _commit(self, write: Callable[[], object], offset_ms: int) -> None:
        head = self._head._replace(offset_ms=offset_ms, commits=self._head.commits + 1)
        totals = {table: list(each) for table, each in self._totals.items()}
        try:
            with self._transaction():
                write()
                put_head(self._db, head._replace(totals=json.dumps(self._totals)))
        except BaseException:
            self._totals.update(totals)
            raise
        if not self._file.taken_in():
            raise EngineError(self.gone)
        self._head = head
        with contextlib.suppress(OSError):  # it is kept; of a loss later, less would be known
            self._last.write(head.commits)

    def _put(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        written = checked(table, rows)
        self._db.executemany(TABLES[table].insert, written)
        self._totals[table][0] += len(written)
        self._totals[table][1] += sum_of(table, written)

    def _take(self, table: str, numbers: list[int]) -> None:
        delete = f"DELETE FROM {table} WHERE number BETWEEN ? AND ?"  # noqa: S608 - one of ours
        self._db.executemany(delete, runs(numbers))
        self._totals[table][0] -= len(numbers)
        self._totals[table][1] -= sum(numbers)

    def _write(self, changes: Changes) -> None:
        self._put("spec", ((typename, place, *spec) for typename, place, spec in changes.specs))
        self._take("mail", changes.served)
        self._put(
            "mail",
            (
                (number, target.typename, target.id, *_parts(caller), argument)
                for number, target, caller, argument in changes.mail
            ),
        )
        self._put("state", (value for value in changes.values if value.value is not None))
        self._db.executemany(
            "DELETE FROM state WHERE typename = ? AND id = ? AND name = ?",
            (value[:3] for value in changes.values if value.value is None),
        )
        self._take("timer", changes.ended)
        self._put(
            "timer",
            (
                (t.number, t.due_ms, *_parts(t.owner), t.token, *_parts(t.target), t.argument)
                for t in changes.timers
            ),
        )
        if changes.egress:
            first = self._next_egress
            records = enumerate(changes.egress, first)
            self._put("egress", ((n, egress, argument) for n, (egress, argument) in records))
            self._next_egress += len(changes.egress)
            self._cut_egress()

    def _cut_egress(self) -> None:
        """Keep only so many as are ever shown: the file need not grow with what was emitted."""
        rows = self._totals["egress"][0]
        if rows > self._egress_limit:
            first, end = self._next_egress - rows, self._next_egress - self._egress_limit
            self._db.execute("DELETE FROM egress WHERE number < ?", (end,))
            self._totals["egress"][0] -= end - first
            self._totals["egress"][1] -= sum(range(first, end))

    def backup(self, path: str) -> None:
        """Copy all that was written so far to a new file, readable for the user alone.

        Raises
        ------
        EngineError
            When there is something at that path already, or it cannot be written.
        """
        made = False
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            made = True
            with contextlib.closing(sqlite3.connect(path)) as copy:
                self._db.backup(copy)
                copy.execute(f"PRAGMA user_version = {WHOLE}")
                with copy:
                    totals = json.dumps(self._totals)
                    put_head(copy, self._head._replace(file=new_id(), totals=totals))
        except (OSError, sqlite3.Error) as error:
            if made:
                with contextlib.suppress(OSError):
                    os.unlink(path)  # noqa: PTH108 - as it was opened
            why = error.strerror if isinstance(error, OSError) else error
            raise EngineError(f"cannot make a backup at {path}: {why}") from None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # an error of the disk has ended it already
                self._db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the file: another session may open it."""
        can_end = self._file.is_there and not self._file.overwritten
        if can_end:
            with contextlib.suppress(sqlite3.Error):  # then it says that there is a log
                if self._take_log_in("TRUNCATE"):
                    self._db.execute(f"PRAGMA user_version = {WHOLE}")
        self._db.close()
        if not (ended := self._file.ended) and can_end:  # the disk is full: it may lack a log
            with contextlib.suppress(OSError):
                self._last.write(self._head.commits)
        self._last.close(remove=ended)
        self._file.close()
        if _open_here.get(self.path) is self:
            del _open_here[self.path]


def _parts(address: SdkAddress | None) -> tuple[str | None, str | None]:
    return (None, None) if address is None else (address.typename, address.id)


def _address(typename: str | None, id_: str | None) -> SdkAddress | None:
    return None if typename is None or id_ is None else address_of(typename, id_)
