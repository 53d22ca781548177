"""The file of ``durable=`` as a file: whose it is, is all of it there, and does it stay so.

The main file says in its header whether it is whole: while a session has it open it is not, as what
was written last is in SQLite's write-ahead log beside it. Such a file without its log would open as
what it was at some time before, and a log would be taken in by whatever file it is found beside.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

from ..errors import EngineError
from .beside_file import BESIDE, is_of_one_page, is_of_other_time, size

try:
    import fcntl
except ImportError:  # not a system of POSIX
    fcntl = None  # type: ignore[assignment]

__all__ = ["WHOLE", "OwnFile", "lost_log", "new_mark", "not_opened", "real_path", "used_here"]

# SQLite's header, and in it user_version, which is the format and the mark.
_HEADER, _USER_VERSION = 100, slice(60, 64)
# Where SQLite locks a file: a process that has it open has a lock there.
_LOCKS = (0x40000000, 512)
# The format of a file that has all that was written; one that is open has other bits, too.
WHOLE = 3


class OwnFile:
    """The main file, looked at past SQLite: is it still the one that was opened, and whole?

    It stays open as long as SQLite has it: to close it would end SQLite's locks, which belong to
    the process.

    Parameters
    ----------
    path : str
        A real one, no link.
    begin : callable
        Makes a file at the path where there is none.

    Raises
    ------
    EngineError
        When it cannot be opened, is in use by another process, is no file, is empty, others may
        write it (they could change what is kept), or what is beside it is of another file.
    """

    def __init__(self, path: str, begin: Callable[[str], None]) -> None:
        self.path = path
        self.log = path + BESIDE[0]
        self._file = _opened(path, begin)
        try:
            self._look()
        except BaseException:
            self.close()
            raise
        self._seen: tuple[int, int, int] = (0, 0, 0)
        self._mark = 0
        self._log_inode = 0
        self._head_page = (0, 0)
        self._content = b""
        self._overwritten = False

    def _look(self) -> None:
        found = os.fstat(self._file)
        if not stat.S_ISREG(found.st_mode):
            raise EngineError(f"durable={self.path!r} cannot be opened: it is no file")
        if fcntl is not None:
            try:  # till SQLite takes it over; what another process has open is not looked at
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCKS[1], _LOCKS[0])
            except OSError as error:
                if error.errno in (errno.EACCES, errno.EAGAIN):
                    raise EngineError(not_opened(self.path, "locked")) from None
        if not found.st_size:  # SQLite would begin anew, whatever was in it
            raise EngineError(
                f"durable={self.path!r} is empty: if it was cut off, put a backup in its place; "
                "else delete it"
            )
        if os.name == "posix":
            for each in ("", *BESIDE):
                _check_mode(self.path + each)
        self._inode = found.st_ino
        self._look_beside()

    def _look_beside(self) -> None:
        """Before SQLite, which takes any log in, also where the file is only opened and closed."""
        version = self._version()
        only_opened = is_of_one_page(self.log)
        # Without its log it may be what it was before; a session that ends well takes that in.
        self.lacks_log = version > WHOLE and size(self.log) <= 0
        if version == WHOLE and not only_opened:
            raise EngineError(
                f"durable={self.path!r} is whole, and {self.log} beside it is of another file: if "
                f"you have put this one there, delete {self.log}; else put the file back that was "
                "there"
            )
        if version <= WHOLE or self.lacks_log:
            return
        last = self.path + BESIDE[-1]
        if not only_opened and is_of_other_time(self.log, version):
            raise EngineError(
                f"durable={self.path!r} and {self.log} are not of the same session: put "
                f"{_together(self.path)} there as they were together; or put a backup in the place "
                f"of the first, and delete {self.log} and {last}"
            )
        if size(last) < 0:
            raise EngineError(
                f"durable={self.path!r} was open when it was copied, moved or left, and {last} is "
                f"not beside it, which tells whether all is there: put {_together(self.path)} "
                "there as they were together, or put a backup in its place and delete "
                f"{self.log}; to take what there is, make an empty file {last}"
            )

    def _version(self) -> int:
        return int.from_bytes(os.pread(self._file, _HEADER, 0)[_USER_VERSION], "big")

    def opened(self, mark: int, head_page: tuple[int, int]) -> None:
        """From now on it has this mark, and changes only when SQLite takes its log in.

        ``head_page`` is the size and the offset of the page that each transaction writes.

        Raises
        ------
        EngineError
            When it does not have the mark.
        """
        self._mark = mark
        if self._version() != mark:
            raise EngineError(f"durable={self.path!r} cannot be marked as open")
        self._log_inode = _inode(self.log)
        self._head_page = head_page
        self._see(_stamp(os.fstat(self._file)))

    def _see(self, stamp: tuple[int, int, int]) -> None:
        self._seen = stamp
        self._content = self._read()

    def _read(self) -> bytes:
        """What is another whenever SQLite has taken something of its log in."""
        return os.pread(self._file, _HEADER, 0) + os.pread(self._file, *self._head_page)

    def unchanged(self) -> bool:
        """Is it there, as SQLite has left it, and its log? To be asked before a commit."""
        try:
            stamp = _stamp(os.stat(self.path))  # noqa: PTH116 - 2 us at each commit
        except OSError:
            return False
        if _inode(self.log) != self._log_inode:
            return False
        if stamp == self._seen:
            return not self._overwritten
        same = stamp[1:] == self._seen[1:] and self._read() == self._content
        if same:  # only its time is another
            self._seen = stamp
        self._overwritten |= not same
        return not self._overwritten

    def taken_in(self) -> bool:
        """After a commit, which may have taken the log in: is it still the file?"""
        stamp = _stamp(os.fstat(self._file))
        if stamp != self._seen:
            self._overwritten |= self._version() != self._mark
            self._see(stamp)
        return not self._overwritten

    @property
    def is_there(self) -> bool:
        """Is what SQLite has open what is at the path?"""
        return _inode(self.path) == self._inode

    @property
    def overwritten(self) -> bool:
        """Has anything but SQLite written to it?"""
        self._overwritten |= bool(self._mark) and self._version() != self._mark
        return self._overwritten

    @property
    def gone(self) -> str:
        """What to say when another file is there, or none, or it was overwritten; else ""."""
        if not self.is_there:
            return (
                f"{self.path} was deleted, moved or replaced while it was open: what was done "
                "since then cannot be kept. No message is served or taken any more: call "
                f"sf.stop(); then move it back, or delete {self.log} and put a backup in its "
                "place, or take another file; and start again"
            )
        if self.overwritten:
            return (
                f"{self.path} was overwritten while it was open: what is in it cannot be relied "
                f"on. No message is served or taken any more: call sf.stop(), delete {self.log}, "
                "put a backup in its place (once more, if that was one), and start again"
            )
        if self._log_inode and _inode(self.log) != self._log_inode:
            return (
                f"{self.log} was deleted, moved or replaced while it was in use: a kill would now "
                "lose what is in it. No message is served or taken any more: call sf.stop(), which "
                f"writes that into {self.path}, and start again"
            )
        return ""

    @property
    def ended(self) -> bool:
        """Does it have all that was written, as SQLite has closed it?"""
        return self._version() == WHOLE and size(self.log) < 0

    def close(self) -> None:
        """Let it go; after SQLite has."""
        os.close(self._file)


def _stamp(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_mtime_ns, found.st_size, found.st_ino


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino  # noqa: PTH116 - as all of this module
    except OSError:
        return 0


def _opened(path: str, begin: Callable[[str], None]) -> int:
    if os.path.basename(path) == ":memory:":  # noqa: PTH119 - a name of SQLite's, no path
        raise EngineError(f"durable={path!r} names no file, and would keep nothing")
    flags = os.O_RDWR | getattr(os, "O_NONBLOCK", 0)
    try:
        try:
            return os.open(path, flags)
        except FileNotFoundError:
            left = [path + each for each in ("-wal", "-last") if size(path + each) > 0]
            if left:
                raise EngineError(_left_over(path, left)) from None
            begin(path)
            return os.open(path, flags)
    except OSError as error:
        raise EngineError(f"durable={path!r} cannot be opened: {error.strerror}") from None


def _left_over(path: str, left: list[str]) -> str:
    are, them = ("are", "them") if len(left) > 1 else ("is", "it")
    return (
        f"durable={path!r} is not there, but {' and '.join(left)} {are}, of a file that was moved "
        f"or deleted while it was open: put that file back beside {them}, or delete {them} to "
        "begin anew"
    )


def real_path(path: str) -> str:
    """Where a link leads to; what is beside a file is beside the file itself.

    Raises
    ------
    EngineError
        When that is not there.
    """
    real = os.path.realpath(path)
    if os.path.islink(path) and not os.path.lexists(real):  # noqa: PTH114 - as all of this module
        raise EngineError(f"durable={path!r} is a link to {real}, which is not there")
    return real


def new_mark() -> int:
    """A user_version for one session's time: the format, and bits that no other time has."""
    return WHOLE | (1 + int.from_bytes(os.urandom(4), "big") % (2**23 - 1)) << 8


def _together(path: str) -> str:
    return f"{path}, {path}{BESIDE[0]} and {path}{BESIDE[-1]}"


def lost_log(path: str) -> str:
    """What to say of a file that was open when it was copied, moved or left, without its log."""
    return (
        f"durable={path!r} lacks what was written last: that is in the file {path}{BESIDE[0]}, "
        f"which is not beside it. Put {_together(path)} there as they were together (a copy of a "
        "running session's file is made by s.backup(path)), or put a backup in its place"
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


def not_opened(path: str, error: object) -> str:
    """What to say of what SQLite, the system, or a check has raised."""
    why = str(error)
    if "locked" in why:
        return (
            f"durable={path!r} is in use by another session: call sf.stop() there, or end that "
            "kernel or program"
        )
    if isinstance(error, OSError) or "disk I/O error" in why or "is full" in why:  # SQLite's words
        why = (error.strerror or why) if isinstance(error, OSError) else why
        return (
            f"durable={path!r} cannot be read or written: {why}. Is the disk full? Mend that, and "
            "start again: it goes on from what was last written"
        )
    return (
        f"durable={path!r} cannot be used: {why}. If it was damaged, put a backup (of s.backup) "
        "in its place, or delete it and begin anew; if it is something else, take another file"
    )
