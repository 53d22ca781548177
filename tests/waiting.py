"""Waiting for what comes by itself: no test knows how long a loaded machine takes for it."""

from __future__ import annotations

import time

__all__ = ["eventually"]


def eventually(predicate, seconds=30, tell=lambda: ""):
    """Wait until ``predicate()`` is true, and return it; after ``seconds`` the test fails.

    ``tell`` gives words for the failure: how far it came.
    """
    deadline = time.monotonic() + seconds
    while not (found := predicate()):
        assert time.monotonic() < deadline, f"it did not come to that in {seconds} s {tell()}"
        time.sleep(0.01)
    return found
