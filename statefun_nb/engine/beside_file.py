"""What is beside a file of ``durable=`` while it is open, and after a kill: is it of this file?

SQLite takes in whatever log it finds beside a file, and takes one that is damaged or cut short for
one that ends there.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import struct
import zlib

__all__ = ["BESIDE", "LastCommit", "is_of_one_page", "is_of_other_time", "marked_id", "size"]

# Two of SQLite's, and LastCommit's.
BESIDE = ("-wal", "-shm", "-last")
_LAST = struct.Struct("<16sQ")
# Of a log: its header, that of a page in it, and where that has the page's number.
_LOG_HEADER, _FRAME_HEADER, _PAGE_NUMBER = 32, 24, slice(32, 36)
# In a head: a kind of clock comes after the id and, since there is one, the mark.
_CLOCK = re.compile(rb"system|virtual")
_MARKED_ID = re.compile(rb"[0-9a-f]{40}")


def size(path: str) -> int:
    """The size of a file in bytes; -1 when there is none."""
    try:
        return os.stat(path).st_size  # noqa: PTH116 - 2 us at each commit, as all of this module
    except OSError:
        return -1


def is_of_one_page(log: str) -> bool:
    """Is there nothing in a log but the first page? So it is where a file is opened or closed."""
    try:
        with open(log, "rb") as file:  # noqa: PTH123 - as all of this module
            head = file.read(_LOG_HEADER + _FRAME_HEADER)
            length = os.fstat(file.fileno()).st_size
    except OSError:
        return True  # there is none
    page = int.from_bytes(head[8:12], "big")
    return length <= _LOG_HEADER + _FRAME_HEADER + page and head[_PAGE_NUMBER] in (
        b"",
        b"\0\0\0\1",
    )


def marked_id(file_id: str, mark: int) -> str:
    """What a head says while its file has a mark, so that the log says it, too."""
    return f"{file_id}{mark:08x}"


def is_of_other_time(log: str, mark: int) -> bool:
    """Was a log written under other marks, and so by another file, or by this one at another time?

    Each transaction writes the head. One of an earlier version has no mark.
    """
    own, others = b"%08x" % mark, False
    with (
        open(log, "rb") as file,  # noqa: PTH123 - as all of this module
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        for found in _CLOCK.finditer(data):
            before = data[max(0, found.start() - 40) : found.start()]
            if _MARKED_ID.fullmatch(before):
                if before.endswith(own):
                    return False
                others = True
    return others


class LastCommit:
    """Which commit was confirmed last, in a file of its own beside SQLite's write-ahead log.

    What was confirmed and is missing would else be missed by nobody. It is there before the file is
    marked as open, and written after each commit, without waiting for the disk: it never says more
    than is there, and after a kill just what is. A clean end removes it.

    Parameters
    ----------
    path : str
        Of the file that it is beside.
    """

    def __init__(self, path: str) -> None:
        self.path = path + BESIDE[-1]
        # 16 bytes that another file does not have: a backup in its place is not behind.
        self.file_id = b""
        self._file: int | None = None

    def read(self) -> int:
        """The number of the last commit; -1 when nothing is known."""
        try:
            with open(self.path, "rb") as file:  # noqa: PTH123 - as all of this module
                data = file.read(_LAST.size + 4)
        except OSError:
            return -1
        body, check = data[: _LAST.size], data[_LAST.size :]
        if len(body) < _LAST.size or zlib.crc32(body).to_bytes(4, "little") != check:
            return -1
        found, commit = _LAST.unpack(body)
        return int(commit) if found == self.file_id else -1

    def begin(self, commit: int) -> None:
        """Note a commit, and have the disk take the file itself: a power cut may not take it away.

        Raises
        ------
        OSError
            When it cannot be written.
        """
        self.write(commit)
        assert self._file is not None
        os.fsync(self._file)
        with contextlib.suppress(OSError):  # not every system opens a folder
            folder = os.open(os.path.dirname(self.path) or ".", os.O_RDONLY)  # noqa: PTH120
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def write(self, commit: int) -> None:
        """Note a commit.

        Raises
        ------
        OSError
            When it cannot be written.
        """
        if self._file is None:
            flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            self._file = os.open(self.path, flags, 0o600)
        body = _LAST.pack(self.file_id, commit)
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, body + zlib.crc32(body).to_bytes(4, "little"))

    def close(self, *, remove: bool) -> None:
        """Close it; ``remove`` when the main file itself says that it is whole."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if remove:
            with contextlib.suppress(OSError):
                os.unlink(self.path)  # noqa: PTH108 - as all of this module
