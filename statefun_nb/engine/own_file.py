"""The files of ``durable=`` as files: whose they are, and which commit was the last."""

from __future__ import annotations

import contextlib
import os
import stat
import struct
import zlib

from ..errors import EngineError

__all__ = ["BESIDE", "LastCommit", "inode_of", "prepare", "why_gone"]

# What is beside the file while it is open, and after a kill: two of SQLite's, and LastCommit's.
BESIDE = ("-wal", "-shm", "-last")
_LAST = struct.Struct("<16sQ")


def prepare(path: str) -> tuple[int, bool]:
    """Make the file where there is none, for the user alone; its inode, and was it made now?

    Not left to SQLite, which would let the group and others read it.

    Raises
    ------
    EngineError
        When it cannot be opened, is none, is empty, or others may write it: they could change what
        is kept.
    """
    if os.path.basename(path) == ":memory:":  # noqa: PTH119 - a name of SQLite's, no path
        raise EngineError(f"durable={path!r} names no file, and would keep nothing")
    flags = os.O_RDWR | getattr(os, "O_NONBLOCK", 0)
    try:
        try:
            opened, is_new = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600), True
        except FileExistsError:
            opened, is_new = os.open(path, flags), False
        try:
            inode = os.fstat(opened)
        finally:
            os.close(opened)
    except OSError as error:
        raise EngineError(f"durable={path!r} cannot be opened: {error.strerror}") from None
    if not stat.S_ISREG(inode.st_mode):
        raise EngineError(f"durable={path!r} cannot be opened: it is no file")
    if not inode.st_size and not is_new:  # SQLite would begin anew, whatever was in it
        raise EngineError(
            f"durable={path!r} is empty: if it was cut off, put a backup in its place; else "
            "delete it"
        )
    if os.name == "posix":
        for each in ("", *BESIDE):
            _check_mode(path + each)
    return inode.st_ino, is_new


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


def inode_of(path: str) -> int:
    """Its number, -1 when there is no such file."""
    try:
        return os.stat(path).st_ino  # noqa: PTH116 - 2 us at each commit
    except OSError:
        return -1


def why_gone(path: str, inode: int) -> str:
    """What to say when another file is there, or none; "" when it is this one."""
    if inode_of(path) == inode:
        return ""
    return (
        f"{path} was deleted or replaced while it was open: what was done since then cannot be "
        "kept. No message is served or taken any more: call sf.stop(), put a backup in its place, "
        "or take another file, and start again"
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
        """The number of the last commit; 0 when nothing is known."""
        try:
            with open(self._path, "rb") as file:  # noqa: PTH123 - as all of this module
                data = file.read(_LAST.size + 4)
        except OSError:
            return 0
        body, check = data[: _LAST.size], data[_LAST.size :]
        if len(body) < _LAST.size or zlib.crc32(body).to_bytes(4, "little") != check:
            return 0
        found, commit = _LAST.unpack(body)
        return int(commit) if found == self._id or not self._id else 0

    def write(self, commit: int) -> None:
        """Note a commit."""
        if self._file is None:
            flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            self._file = os.open(self._path, flags, 0o600)
        body = _LAST.pack(self._id, commit)
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, body + zlib.crc32(body).to_bytes(4, "little"))

    def close(self, *, remove: bool) -> None:
        """Close it; ``remove`` when all that was committed is in the file itself."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if remove:
            with contextlib.suppress(OSError):
                os.unlink(self._path)  # noqa: PTH108 - as all of this module
