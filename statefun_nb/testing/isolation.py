"""What a process that runs strangers' code keeps from itself, where the platform lets it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

__all__ = ["adopt_orphans", "close_to_others", "end_descendants", "leave_network", "limit_memory"]

# Of <linux/sched.h>, <linux/sockios.h> and <linux/if.h>.
_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
_SET_FLAGS, _UP = 0x8914, 0x1
# Of <linux/prctl.h>.
_SET_DUMPABLE, _SET_CHILD_SUBREAPER = 4, 36
# More than enough to end processes, unless they are made faster than they can be ended.
_ENDING_SECONDS = 5.0


def limit_memory(limit: int) -> bool:
    """Let this process and its children have ``limit`` bytes of addresses each; False if it cannot.

    An allocation above fails with a MemoryError, and leaves the machine alone.
    """
    try:
        import resource  # not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except (ImportError, OSError, ValueError):
        return False
    return True


def leave_network() -> bool:
    """Leave this process and its children nothing but a loopback of their own; False if it cannot.

    Linux alone has that; a container may forbid it.
    """
    try:
        unshare = ctypes.CDLL(None, use_errno=True).unshare
    except (AttributeError, OSError, TypeError):
        return False
    user, group = os.getuid(), os.getgid()
    if unshare(_NEW_USER | _NEW_NET) == 0:
        # The same user as before, inside as well.
        with contextlib.suppress(OSError):
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    elif unshare(_NEW_NET) != 0:  # which root may do where user namespaces are forbidden
        return False
    return _start_loopback()


def adopt_orphans() -> bool:
    """Stay an ancestor of all that is started from here, whatever ends between; False if it cannot.

    Linux alone has that.
    """
    return _prctl(_SET_CHILD_SUBREAPER, 1)


def close_to_others() -> bool:
    """Keep memory and open files from other processes of the same user, but for root's."""
    return _prctl(_SET_DUMPABLE, 0)


def _prctl(option: int, value: int) -> bool:
    try:
        return int(ctypes.CDLL(None).prctl(option, value, 0, 0, 0)) == 0
    except (AttributeError, OSError, TypeError):
        return False


def end_descendants(process: psutil.Process) -> None:
    """Kill all that a process has started, and what that starts meanwhile."""
    import psutil  # of the extra "lab", like all that runs a notebook

    until = time.monotonic() + _ENDING_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(psutil.NoSuchProcess):
            found = [each for each in process.children(recursive=True) if _runs(each)]
            if found:
                for each in found:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        each.kill()
                psutil.wait_procs(found, timeout=0.1)
                continue
        return


def _runs(process: psutil.Process) -> bool:
    import psutil

    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _start_loopback() -> bool:
    import fcntl  # not on Windows, which has come to nothing before this

    request = struct.pack("16sh22x", b"lo", _UP)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            fcntl.ioctl(any_socket, _SET_FLAGS, request)
        except OSError:
            return False
    return True
