"""The files of ``durable=`` as files: whose they are, are they all there, and the last commit.

The main file says in its header whether it is whole: while a session has it open it is not, as what
was written last is in SQLite's write-ahead log beside it. Such a file without its log would open as
what it was at some time before, and a log would be taken in by whatever file it is found beside.
"""

from __future__ import annotations

import contextlib
import os
import stat
import struct
import zlib

from ..errors import EngineError

__all__ = [
    "BESIDE",
    "WHOLE",
    "LastCommit",
    "OwnFile",
    "lost_log",
    "new_mark",
    "not_opened",
    "used_here",
]

# What is beside the file while it is open, and after a kill: two of SQLite's, and LastCommit's.
BESIDE = ("-wal", "-shm", "-last")
_LAST = struct.Struct("<16sQ")
# In SQLite's header: user_version, which is the format and the mark.
_USER_VERSION = slice(60, 64)
# Of a log: its header, that of a page in it, and where that has the page's number.
_LOG_HEADER, _FRAME_HEADER, _PAGE_NUMBER = 32, 24, slice(32, 36)
# The format of a file that has all that was written; one that is open has other bits, too.
WHOLE = 3


class OwnFile:
    """The main file, looked at past SQLite: is it still the one that was opened, and whole?

    It stays open as long as SQLite has it: to close it would end SQLite's locks, which belong to
    the process.

    Parameters
    ----------
    path : str
        The file is made where there is none, for the user alone.

    Raises
    ------
    EngineError
        When it cannot be opened, is none, is empty, others may write it (they could change what is
        kept), or what is beside it belongs to another file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.log = path + BESIDE[0]
        self._file, self.is_new = _opened(path)
        try:
            self._look()
        except BaseException:
            self.close()
            raise
        self._seen: tuple[int, int, int] = (0, 0, 0)
        self._mark = 0
        self._overwritten = False

    def _look(self) -> None:
        found = os.fstat(self._file)
        if not stat.S_ISREG(found.st_mode):
            raise EngineError(f"durable={self.path!r} cannot be opened: it is no file")
        if not found.st_size and not self.is_new:  # SQLite would begin anew, whatever was in it
            raise EngineError(
                f"durable={self.path!r} is empty: if it was cut off, put a backup in its place; "
                "else delete it"
            )
        if os.name == "posix":
            for each in ("", *BESIDE):
                _check_mode(self.path + each)
        self._inode = found.st_ino
        version = self._version()
        # Without its log it may be what it was before; a session that ends well takes that in.
        self.lacks_log = version > WHOLE and _size(self.log) < 0
        if version == WHOLE and not _is_of_one_page(self.log):
            raise EngineError(
                f"durable={self.path!r} is whole, and {self.log} beside it is of another file: if "
                f"you have put this one there, delete {self.log}; else put the file back that was "
                "there"
            )

    def _version(self) -> int:
        return int.from_bytes(os.pread(self._file, 100, 0)[_USER_VERSION], "big")

    def opened(self, mark: int) -> None:
        """From now on it has this mark, and changes only when SQLite takes its log in.

        Raises
        ------
        EngineError
            When it does not have the mark.
        """
        self._mark = mark
        if self._version() != mark:
            raise EngineError(f"durable={self.path!r} cannot be marked as open")
        self._seen = _stamp(os.fstat(self._file))

    def unchanged(self) -> bool:
        """Has nobody written to it since ``taken_in``? To be asked before a commit."""
        try:
            stamp = _stamp(os.stat(self.path))  # noqa: PTH116 - 2 us at each commit
        except OSError:
            return False
        if stamp == self._seen:
            return True
        self._overwritten = True
        return False

    def taken_in(self) -> bool:
        """After a commit, which may have taken the log in: is it still the file?"""
        stamp = _stamp(os.fstat(self._file))
        if stamp != self._seen:
            self._overwritten |= self._version() != self._mark
            self._seen = stamp
        return not self._overwritten

    def _is_there(self) -> bool:
        try:
            return os.stat(self.path).st_ino == self._inode  # noqa: PTH116 - as all of this module
        except OSError:
            return False

    @property
    def gone(self) -> str:
        """What to say when another file is there, or none, or it was overwritten; else ""."""
        if not self._is_there():
            return (
                f"{self.path} was deleted, moved or replaced while it was open: what was done "
                "since then cannot be kept. No message is served or taken any more: call "
                f"sf.stop(); then move it back, or delete {self.log} and put a backup in its "
                "place, or take another file; and start again"
            )
        if self._overwritten or (self._mark and self._version() != self._mark):
            self._overwritten = True
            return (
                f"{self.path} was overwritten while it was open: what is in it cannot be relied "
                f"on. No message is served or taken any more: call sf.stop(), delete {self.log}, "
                "put a backup in its place (once more, if that was one), and start again"
            )
        return ""

    @property
    def ended(self) -> bool:
        """Does it have all that was written, as SQLite has closed it?"""
        return self._version() == WHOLE and _size(self.log) < 0

    def close(self) -> None:
        """Let it go; after SQLite has."""
        os.close(self._file)


def _stamp(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_mtime_ns, found.st_size, found.st_ino


def _opened(path: str) -> tuple[int, bool]:
    """The file, made for the user alone where there is none, and was it made now?

    Not left to SQLite, which would let the group and others read it.
    """
    if os.path.basename(path) == ":memory:":  # noqa: PTH119 - a name of SQLite's, no path
        raise EngineError(f"durable={path!r} names no file, and would keep nothing")
    flags = os.O_RDWR | getattr(os, "O_NONBLOCK", 0)
    try:
        try:
            return os.open(path, flags), False
        except FileNotFoundError:
            left = [path + each for each in ("-wal", "-last") if _size(path + each) > 0]
            if left:
                raise EngineError(_left_over(path, left)) from None
            return os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600), True
    except OSError as error:
        raise EngineError(f"durable={path!r} cannot be opened: {error.strerror}") from None


def _left_over(path: str, left: list[str]) -> str:
    are, them = ("are", "them") if len(left) > 1 else ("is", "it")
    return (
        f"durable={path!r} is not there, but {' and '.join(left)} {are}, of a file that was moved "
        f"or deleted while it was open: put that file back beside {them}, or delete {them} to "
        "begin anew"
    )


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - as all of this module
    except OSError:
        return -1


def _is_of_one_page(log: str) -> bool:
    """Is there nothing in a log but the first page? So it is where a file is opened or closed."""
    try:
        with open(log, "rb") as file:  # noqa: PTH123 - as all of this module
            head = file.read(_LOG_HEADER + _FRAME_HEADER)
            size = os.fstat(file.fileno()).st_size
    except OSError:
        return True  # there is none
    page = int.from_bytes(head[8:12], "big")
    return size <= _LOG_HEADER + _FRAME_HEADER + page and head[_PAGE_NUMBER] in (b"", b"\0\0\0\1")


def new_mark() -> int:
    """A user_version for one session's time: the format, and bits that no other time has."""
    return WHOLE | (1 + int.from_bytes(os.urandom(4), "big") % (2**23 - 1)) << 8


def lost_log(path: str) -> str:
    """What to say of a file that was open when it was copied, moved or left, without its log."""
    log = path + BESIDE[0]
    return (
        f"durable={path!r} lacks what was written last: that is in the file {log}, which is not "
        f"beside it. Put both there as they were together (a copy of a running session's file is "
        "made by s.backup(path)), or put a backup in its place"
    )


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


def used_here(path: str, runs: str) -> str:
    """What to say of a file that this process has open; ``runs`` keeps its session from ending."""
    if runs:
        return (
            f"durable={path!r} is in use by a session of this very kernel or program that cannot "
            f"end yet: {runs}; wait till that returns, or restart the kernel"
        )
    return (
        f"durable={path!r} is in use by another session of this very kernel or program: call its "
        "stop()"
    )


def not_opened(path: str, error: BaseException) -> str:
    """What to say of what SQLite, or a check, has raised."""
    if "locked" in str(error):
        return (
            f"durable={path!r} is in use by another session: call sf.stop() there, or end that "
            "kernel or program"
        )
    return (
        f"durable={path!r} cannot be used: {error}. If it was damaged, put a backup (of s.backup) "
        "in its place, or delete it and begin anew; if it is something else, take another file"
    )


class LastCommit:
    """Which commit was confirmed last, in a file of its own beside SQLite's write-ahead log.

    SQLite takes a log that is damaged or gone for one that ends there: what was confirmed would be
    missing, and nobody would know. This is written after each commit, without waiting for the
    disk: it never says more than is there, and after a kill just what is. A clean end removes it.

    Parameters
    ----------
    path : str
        Of the file that it is beside.
    file_id : bytes, optional
        16 bytes that another file does not have: a backup that is put in its place is not behind.
        When left out, what is there of any file is read.
    """

    def __init__(self, path: str, file_id: bytes = b"") -> None:
        self._path = path + BESIDE[-1]
        self._id = file_id
        self._file: int | None = None

    def read(self) -> int:
        """The number of the last commit; -1 when nothing is known."""
        try:
            with open(self._path, "rb") as file:  # noqa: PTH123 - as all of this module
                data = file.read(_LAST.size + 4)
        except OSError:
            return -1
        body, check = data[: _LAST.size], data[_LAST.size :]
        if len(body) < _LAST.size or zlib.crc32(body).to_bytes(4, "little") != check:
            return -1
        found, commit = _LAST.unpack(body)
        return int(commit) if found == self._id or not self._id else -1

    def write(self, commit: int) -> None:
        """Note a commit."""
        if self._file is None:
            flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            self._file = os.open(self._path, flags, 0o600)
        body = _LAST.pack(self._id, commit)
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, body + zlib.crc32(body).to_bytes(4, "little"))

    def close(self, *, remove: bool) -> None:
        """Close it; ``remove`` when the main file itself says that it is whole."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if remove:
            with contextlib.suppress(OSError):
                os.unlink(self._path)  # noqa: PTH108 - as all of this module
