"""Fixtures and what every test must leave behind: nothing."""

from __future__ import annotations

import gc
import signal
import threading

import pytest

import statefun_nb as sf
from statefun_nb.engine.embedded import EmbeddedEngine

from .engine.invariants import check_core

collect_ignore = ["typing/user_errors.py"]  # read by checkers, never run

# A shell's job in the background ignores Ctrl-C, and so would every process that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# In this order, after all others: what takes long tells last.
SLOW = ("tests/parity/", "tests/cluster/", "tests/browser/")


def pytest_collection_modifyitems(items):
    def place(item):
        return next((i for i, room in enumerate(SLOW, 1) if item.nodeid.startswith(room)), 0)

    items.sort(key=place)


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    sf.stop()
    gc.collect(1)  # what the test has made; all of the heap would take 0.2 s a test
    left = [
        t for t in threading.enumerate() if t not in before and t.name.startswith("statefun_nb")
    ]
    assert not left, f"threads left running: {left}"


@pytest.fixture
def functions():
    return sf.StatefulFunctions()


@pytest.fixture(params=["direct", "http", "durable"])
def engine(request, functions, tmp_path):
    """A session on a virtual clock: by each transport, and one that keeps everything in a file."""
    if request.param == "http":
        pytest.importorskip("aiohttp")
    durable = request.param == "durable"
    with sf.start(
        port=0,
        functions=functions,
        transport="direct" if durable else request.param,
        durable=tmp_path / "engine.db" if durable else None,
        clock="virtual",
    ) as session:
        yield session
        assert isinstance(session.engine, EmbeddedEngine)
        core = session.engine._core
        check_core(core)
        assert core.in_flight == 0
