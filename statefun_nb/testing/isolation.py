"""What a process that runs strangers' code keeps from itself, where the platform lets it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
from pathlib import Path

__all__ = ["leave_network", "limit_memory"]

# Of <linux/sched.h>, <linux/sockios.h> and <linux/if.h>.
_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
_SET_FLAGS, _UP = 0x8914, 0x1


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


def _start_loopback() -> bool:
    import fcntl  # not on Windows, which has come to nothing before this

    request = struct.pack("16sh22x", b"lo", _UP)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            fcntl.ioctl(any_socket, _SET_FLAGS, request)
        except OSError:
            return False
    return True
