"""Ctrl-C that waits: what is made is lost when it comes between the making and its owner."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["interrupts_later"]


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Have an interrupt of the main thread wait until the block is left.

    In other threads none is raised, and nothing is done.

    Examples
    --------
    >>> with interrupts_later():
    ...     opened = "and kept"
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        # None: it was set by a program in C, and cannot be put back.
        signal.signal(signal.SIGINT, signal.default_int_handler if before is None else before)
        if came and callable(before):
            before(*came[0])
