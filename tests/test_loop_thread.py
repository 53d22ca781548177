"""The loop's thread: start, call, stop, and what it refuses."""

from __future__ import annotations

import asyncio
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
    with LoopThread("statefun_nb") as loop, pytest.raises(sf.SessionError, match="from inside it"):
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
