"""One SQLite file: mailboxes, state, delayed messages and egress records of an embedded engine."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import weakref
from collections.abc import Callable, Iterator

from ..address import SdkAddress, address_of
from ..errors import EngineError
from ..protocol.effects import Emit, ExpireMode, StateSpec
from .base import Timer
from .egress_log import EGRESS_LIMIT
from .journal import Changes, Mail, Spec, Value

__all__ = ["SqliteStore"]

_APPLICATION = 0x53466E62  # "SFnb": what `file` and this module know such a file by
_VERSION = 1

_TABLES = """
CREATE TABLE clock (kind TEXT NOT NULL, offset_ms INTEGER NOT NULL);
CREATE TABLE spec (
  typename TEXT NOT NULL, place INTEGER NOT NULL, name TEXT NOT NULL, value_type TEXT NOT NULL,
  mode INTEGER NOT NULL, expire_after_ms INTEGER NOT NULL, PRIMARY KEY (typename, place)
) WITHOUT ROWID;
CREATE TABLE state (
  typename TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL,
  deadline_ms INTEGER NOT NULL, PRIMARY KEY (typename, id, name)
) WITHOUT ROWID;
CREATE TABLE mail (
  number INTEGER PRIMARY KEY, typename TEXT NOT NULL, id TEXT NOT NULL,
  caller_typename TEXT, caller_id TEXT, argument BLOB NOT NULL
);
CREATE TABLE timer (
  number INTEGER PRIMARY KEY, due_ms INTEGER NOT NULL, owner_typename TEXT, owner_id TEXT,
  token TEXT NOT NULL, typename TEXT NOT NULL, id TEXT NOT NULL, argument BLOB NOT NULL
);
CREATE TABLE egress (number INTEGER PRIMARY KEY, egress TEXT NOT NULL, argument BLOB NOT NULL);
"""


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
        self.path = path
        self._egress_limit = egress_limit
        self._inode = _prepare(path)
        self.what_runs: Callable[[], str] = str  # of the session whose file it is
        # Made in the caller's thread and used in the loop's, never in both at once.
        self._db = sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False)
        try:
            self._open(clock)
        except BaseException as error:
            self._db.close()
            if isinstance(error, sqlite3.Error):
                raise EngineError(self._why_not_opened(error)) from error
            raise
        _open_here[os.path.realpath(path)] = self

    def _open(self, clock: str) -> None:
        db = self._db
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != _APPLICATION:
            raise EngineError(f"durable={self.path!r} is a database of something else")
        # The lock is the operating system's: it ends with the process, however that ends.
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        # Written through to the disk at each commit: what was confirmed outlives a power cut too.
        db.execute("PRAGMA synchronous = FULL")
        with self._transaction():
            if not tables:
                for statement in _TABLES.split(";"):
                    db.execute(statement)
                db.execute("INSERT INTO clock VALUES (?, 0)", (clock,))
                db.execute(f"PRAGMA application_id = {_APPLICATION}")
                db.execute(f"PRAGMA user_version = {_VERSION}")
            self._check(clock)

    def _check(self, clock: str) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version != _VERSION:
            raise EngineError(
                f"durable={self.path!r} was written in format {version}, and this statefun_nb "
                f"reads format {_VERSION}: use the one that wrote it, or another file"
            )
        (kind,) = self._db.execute("SELECT kind FROM clock").fetchone()
        if kind != clock:
            raise EngineError(
                f"the times in durable={self.path!r} are those of clock={kind!r}: start it so"
            )

    def _why_not_opened(self, error: sqlite3.Error) -> str:
        if "locked" in str(error):
            holder = _open_here.get(os.path.realpath(self.path))
            if holder is not None:
                return f"durable={self.path!r} is in use by {holder._as_holder()}"
            return (
                f"durable={self.path!r} is in use by another session: call sf.stop() there, or "
                "end that kernel or program"
            )
        return f"durable={self.path!r} cannot be used: {error}"

    def _as_holder(self) -> str:
        runs = self.what_runs()
        if runs:
            return (
                f"a session of this very kernel or program that cannot end yet: {runs}; wait till "
                "that returns, or restart the kernel"
            )
        return "another session of this very kernel or program: call its stop()"

    # Reading, once, when a session starts.

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Turns what is wrong with what is read into an error that says which file it is in."""
        try:
            yield
        except (sqlite3.Error, ValueError, KeyError) as error:  # a DeclarationError is a ValueError
            raise EngineError(f"durable={self.path!r} cannot be read: {error}") from error

    def forget_expired(self, now_ms: int) -> None:
        """Drop state values whose time is over: nobody can read them any more."""
        self._db.execute("DELETE FROM state WHERE deadline_ms BETWEEN 1 AND ?", (now_ms,))

    def clock_offset_ms(self) -> int:
        """The clock's ``offset_ms`` when something was last written."""
        (offset_ms,) = self._db.execute("SELECT offset_ms FROM clock").fetchone()
        return int(offset_ms)

    def specs(self) -> Iterator[Spec]:
        """State names, those of each function type in order."""
        rows = self._db.execute(
            "SELECT typename, place, name, value_type, mode, expire_after_ms FROM spec "
            "ORDER BY typename, place"
        )
        for typename, place, name, value_type, mode, expire_after_ms in rows:
            yield Spec(
                typename, place, StateSpec(name, value_type, ExpireMode(mode), expire_after_ms)
            )

    def values(self) -> Iterator[Value]:
        """All state values, in no order."""
        query = "SELECT typename, id, name, value, deadline_ms FROM state"
        return map(Value._make, self._db.execute(query))

    def mail(self) -> Iterator[Mail]:
        """Waiting messages in the order they came."""
        rows = self._db.execute(
            "SELECT number, typename, id, caller_typename, caller_id, argument FROM mail "
            "ORDER BY number"
        )
        for number, typename, id_, caller_typename, caller_id, argument in rows:
            caller = _address(caller_typename, caller_id)
            yield Mail(number, address_of(typename, id_), caller, argument)

    def timers(self) -> Iterator[Timer]:
        """The pending delayed messages, in the order of their numbers."""
        rows = self._db.execute(
            "SELECT due_ms, number, owner_typename, owner_id, token, typename, id, argument "
            "FROM timer ORDER BY number"
        )
        for due_ms, number, owner_typename, owner_id, token, typename, id_, argument in rows:
            owner = _address(owner_typename, owner_id)
            yield Timer(due_ms, number, owner, token, address_of(typename, id_), argument)

    def egress(self) -> Iterator[Emit]:
        """The last egress records, in order."""
        query = "SELECT egress, argument FROM egress ORDER BY number"
        return map(Emit._make, self._db.execute(query))

    def count(self) -> int:
        """How many state values, messages, delayed messages and egress records there are."""
        tables = ("state", "mail", "timer", "egress")
        counts = (self._db.execute(f"SELECT count(*) FROM {each}") for each in tables)  # noqa: S608
        return sum(int(row[0]) for (row,) in counts)

    # Writing.

    def save(self, changes: Changes, clock_offset_ms: int) -> None:
        """Write all of it, or nothing.

        Raises
        ------
        EngineError
            When it cannot be written.
        """
        if _inode_of(self.path) != self._inode:
            raise EngineError(
                f"{self.path} was deleted or replaced while it was open: what was done since then "
                "cannot be kept. No message is served or taken any more: call sf.stop(), put a "
                "backup in its place, or take another file, and start again"
            )
        try:
            with self._transaction():
                self._write(changes)
                self._db.execute("UPDATE clock SET offset_ms = ?", (clock_offset_ms,))
        except sqlite3.Error as error:
            raise EngineError(
                f"{self.path} cannot be written: {error}. No message is served or taken any more. "
                "Mend that (is the disk full?), then call sf.stop() and start again: it goes on "
                "from what was last written"
            ) from error

    def _write(self, changes: Changes) -> None:
        many = self._db.executemany
        many(
            "INSERT OR REPLACE INTO spec VALUES (?, ?, ?, ?, ?, ?)",
            ((typename, place, *spec) for typename, place, spec in changes.specs),
        )
        many("DELETE FROM mail WHERE number = ?", ((number,) for number in changes.served))
        many(
            "INSERT INTO mail VALUES (?, ?, ?, ?, ?, ?)",
            (
                (number, target.typename, target.id, *_parts(caller), argument)
                for number, target, caller, argument in changes.mail
            ),
        )
        many(
            "INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?, ?)",
            (value for value in changes.values if value.value is not None),
        )
        many(
            "DELETE FROM state WHERE typename = ? AND id = ? AND name = ?",
            (value[:3] for value in changes.values if value.value is None),
        )
        many("DELETE FROM timer WHERE number = ?", ((number,) for number in changes.ended))
        many(
            "INSERT INTO timer VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (t.number, t.due_ms, *_parts(t.owner), t.token, *_parts(t.target), t.argument)
                for t in changes.timers
            ),
        )
        if changes.egress:
            many("INSERT INTO egress (egress, argument) VALUES (?, ?)", changes.egress)
            # Only so many are ever shown, so the file need not grow with what was emitted.
            self._db.execute(
                "DELETE FROM egress WHERE number <= (SELECT max(number) FROM egress) - ?",
                (self._egress_limit,),
            )

    def backup(self, path: str) -> None:
        """Copy all that was written so far to a new file, readable for the user alone.

        Raises
        ------
        EngineError
            When there is something at that path already, or it cannot be written.
        """
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            with contextlib.closing(sqlite3.connect(path)) as copy:
                self._db.backup(copy)
        except (OSError, sqlite3.Error) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise EngineError(f"cannot make a backup at {path}: {why}") from error

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
        self._db.close()
        path = os.path.realpath(self.path)
        if _open_here.get(path) is self:
            del _open_here[path]


def _prepare(path: str) -> int:
    """Make the file where there is none, for the user alone; its inode.

    Not left to SQLite, which would let the group and others read it.

    Raises
    ------
    EngineError
        When it cannot be opened, is none, or others may write it: they could change what is kept.
    """
    if os.path.basename(path) == ":memory:":  # noqa: PTH119 - a name of SQLite's, no path
        raise EngineError(f"durable={path!r} names no file, and would keep nothing")
    try:
        opened = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0), 0o600)
        try:
            inode = os.fstat(opened)
        finally:
            os.close(opened)
    except OSError as error:
        raise EngineError(f"durable={path!r} cannot be opened: {error.strerror}") from error
    if not stat.S_ISREG(inode.st_mode):
        raise EngineError(f"durable={path!r} cannot be opened: it is no file")
    if os.name == "posix":
        for each in (path, f"{path}-wal", f"{path}-shm"):
            _check_mode(each)
    return inode.st_ino


def _check_mode(path: str) -> None:
    try:
        found = os.stat(path)  # noqa: PTH116 - with the rest of them here
    except OSError:
        return  # it is not there
    if found.st_mode & 0o022 or (found.st_uid not in (os.geteuid(), 0) and os.geteuid() != 0):
        raise EngineError(
            f"durable={path!r} can be written by others, and what is in it is trusted: make it "
            f"yours alone (chmod 600 {path}), or take another file"
        )
    if found.st_mode & 0o044:
        os.chmod(path, 0o600)  # noqa: PTH101 - as above; messages are nobody else's business


def _inode_of(path: str) -> int:
    try:
        return os.stat(path).st_ino  # noqa: PTH116 - 2 us at each commit
    except OSError:
        return -1


def _parts(address: SdkAddress | None) -> tuple[str | None, str | None]:
    return (None, None) if address is None else (address.typename, address.id)


def _address(typename: str | None, id_: str | None) -> SdkAddress | None:
    return None if typename is None or id_ is None else address_of(typename, id_)
