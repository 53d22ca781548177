"""Ctrl-C at a moment that must not be torn apart."""

from __future__ import annotations

import os
import signal
from threading import Thread

import pytest

import statefun_nb as sf
from statefun_nb.sessions.interrupts import interrupts_later


@pytest.fixture(autouse=True)
def interrupts():
    """As in a terminal: whatever a shell starts in the background ignores them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_comes_when_the_block_is_left():
    done = []

    def block():
        with interrupts_later():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        block()
    assert done == ["all of it"]
    with pytest.raises(KeyboardInterrupt):  # and at once again, afterwards
        os.kill(os.getpid(), signal.SIGINT)


def test_a_block_in_another_thread_is_as_any():
    done = []

    def block():
        with interrupts_later():
            done.append(True)

    thread = Thread(target=block)
    thread.start()
    thread.join()
    assert done


def test_a_stop_that_is_interrupted_goes_on_and_the_next_start_is_a_new_session(
    functions, monkeypatch
):
    session = sf.start(port=0, functions=functions)
    with monkeypatch.context() as patch:
        patch.setattr(session._thread._thread, "join", interrupt)
        with pytest.raises(KeyboardInterrupt):
            sf.stop()
    assert session.status().state == "stopped"
    with pytest.raises(sf.SessionError, match="has been stopped"):
        session.send("a/b", "x", 1)
    again = sf.start(port=0, functions=functions)
    assert again is not session
    assert not session._thread.alive


def interrupt(timeout=None):
    raise KeyboardInterrupt
