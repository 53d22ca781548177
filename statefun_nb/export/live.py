"""What a value of the notebook is when no statement can make it again: an open file, a client."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import io
import types
from collections.abc import Iterable
from typing import Any

from .program import Refusal

__all__ = ["A_SESSION", "live", "refusal"]

A_SESSION = Refusal("a session, which a program does not have", "define that without it")
_CURE = "make it where it is used: in the function, or in one with functools.cache that it calls"

# By module and class, and not by the class itself: what is not imported here is not a value here.
_KINDS = {
    ("threading", "Thread"): "a thread",
    ("multiprocessing.process", "BaseProcess"): "a process",
    ("subprocess", "Popen"): "a process",
    ("socket", "socket"): "a socket",
    ("sqlite3", "Connection"): "a connection to a database",
}
# They have a close(), and are made again like any other value.
_IN_MEMORY = (io.StringIO, io.BytesIO, types.GeneratorType)
_ENDINGS = ("close", "aclose", "disconnect")
# How deep in containers, and how many values of each, are looked at.
_DEEP, _MANY = 3, 200


def live(value: object, depth: int = _DEEP) -> str | None:
    """What of it is live: open, connected or running; None when nothing is.

    Locks, queues and executors are not: the statement that made them makes new ones.

    Examples
    --------
    >>> import threading
    >>> live({"worker": threading.Thread()})
    'a thread (threading.Thread)'
    >>> live(threading.Lock())
    """
    if value is None or isinstance(value, (str, bytes, int, float, type, types.ModuleType)):
        return None
    kind = _kind(value)
    if kind is not None:
        return f"{kind} ({type(value).__module__}.{type(value).__qualname__})"
    if depth:
        for part in _parts(value):
            found = live(part, depth - 1)
            if found is not None:
                return found
    return None


def _kind(value: object) -> str | None:
    cls = type(value)
    for base in cls.__mro__:
        if (kind := _KINDS.get((base.__module__, base.__qualname__))) is not None:
            return kind
    if isinstance(value, io.IOBase) and not isinstance(value, _IN_MEMORY):
        return None if _is_closed(value) else "an open file"
    if isinstance(value, (asyncio.Future, concurrent.futures.Future)):
        return "a task"
    if isinstance(value, asyncio.AbstractEventLoop):
        return "an event loop"
    if isinstance(value, _IN_MEMORY) or _is_of_notebook(cls) or _is_own(cls):
        return None
    # The class is asked, and not the object: a proxy may do anything when it is asked.
    if any(callable(getattr(cls, name, None)) for name in _ENDINGS):
        return "a live object"
    return None


def _is_closed(file: io.IOBase) -> bool:
    try:
        return file.closed
    except Exception:  # some are files by name only
        return False


def _is_of_notebook(cls: type) -> bool:
    """Is it a class of a cell? What it holds is looked at instead."""
    return cls.__module__ == "__main__"


def _is_own(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == "statefun_nb"


def _parts(value: Any) -> Iterable[object]:
    if isinstance(value, functools.partial):
        return (value.func, *value.args, *value.keywords.values())
    if isinstance(value, dict):
        return list(value.values())[:_MANY]
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)[:_MANY]
    if isinstance(value, types.MethodType):
        return (value.__self__,)
    if _is_of_notebook(type(value)):
        return list(getattr(value, "__dict__", {}).values())[:_MANY]
    return ()


def refusal(value: object) -> Refusal | None:
    """Why a program cannot have this value; None when it can."""
    found = live(value)
    return None if found is None else Refusal(found, _CURE)
