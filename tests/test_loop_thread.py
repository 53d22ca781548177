"""The loop's thread: start, call, stop, and what it refuses."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

import statefun_nb as sf
from statefun_nb.loop_thread import LoopThread


def test_results_and_errors_come_back_to_the_caller():
    with LoopThread("statefun_nb") as loop:
        assert loop.call(sum, [1, 2]) == 3
        assert loop.run(asyncio.sleep(0, "x")) == "x"
        with pytest.raises(ZeroDivisionError):
            loop.call(lambda: 1 / 0)


def test_a_blocked_loop_is_a_timeout_for_the_caller():
    release = threading.Event()
    with LoopThread("statefun_nb") as loop:
        loop.post(release.wait, 60)
        with pytest.raises(TimeoutError, match=r"0.05 s"):
            loop.call(sum, [1], timeout=0.05)
        release.set()


def test_a_timeout_of_the_work_itself_is_told_apart():
    async def work():
        raise TimeoutError("mine")

    with LoopThread("statefun_nb") as loop, pytest.raises(TimeoutError, match="mine"):
        loop.run(work())


def test_calls_from_its_own_thread_are_refused():
    with LoopThread("statefun_nb") as loop, pytest.raises(sf.SessionError, match="was made on it"):
        loop.call(lambda: loop.call(sum, [1]))


def test_after_stop_nothing_is_taken_and_tasks_are_cancelled():
    loop = LoopThread("statefun_nb")
    loop.start()
    cancelled = []

    async def forever():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    loop.call(lambda: asyncio.ensure_future(forever()))
    loop.call(lambda: None)
    assert loop.stop()
    assert cancelled == [True]
    assert not loop.alive
    assert loop.stop()
    with pytest.raises(sf.SessionError, match="stopped"):
        loop.call(sum, [1])
    with pytest.raises(sf.SessionError, match="stopped"):
        loop.run(asyncio.sleep(0))


def test_a_blocking_function_does_not_make_stop_wait_for_ever():
    loop = LoopThread("statefun_nb")
    loop.start()
    release = threading.Event()
    loop.post(release.wait, 60)
    assert not loop.stop(timeout=0.05)
    release.set()
    assert loop.stop(timeout=30)


WAITS = """
import sys, threading, time
from statefun_nb.loop_thread import LoopThread

loop, started, release = LoopThread("waits"), threading.Event(), threading.Lock()
release.acquire()

def waits_in_c():
    started.set()
    release.acquire(timeout=60)

loop.start()
loop.post(waits_in_c)
started.wait()
sys.settrace(lambda *args: None)
begin = time.monotonic()
ended = loop.stop(timeout=0.1) or loop.interrupt(1, lambda: True)
print(ended, (lambda: time.monotonic() - begin < 30)())
"""


def test_breaking_off_beside_a_debugger_holds_up_no_other_thread():
    """Python 3.11 with a tracer: an exception that waits for a thread in C stops all the others."""
    run = [sys.executable, "-c", WAITS]
    found = subprocess.run(run, capture_output=True, text=True, timeout=120, check=True)
    assert found.stdout == "False True\n"


def test_ctrl_c_while_a_coroutine_is_handed_over_cancels_what_has_begun():
    began, ended = threading.Event(), threading.Event()

    class Interrupted(LoopThread):
        def launch(self, coroutine):
            super().launch(coroutine)
            began.wait(30)
            raise KeyboardInterrupt

    async def waits():
        began.set()
        try:
            await asyncio.sleep(600)
        finally:
            ended.set()

    with Interrupted("statefun_nb") as loop:
        with pytest.raises(KeyboardInterrupt):
            loop.run(waits())
        assert ended.wait(30)
