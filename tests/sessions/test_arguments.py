"""Wrong arguments of a session's calls: what each says, and that nothing has changed after it."""

from __future__ import annotations

import socket
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import statefun_nb as sf
from statefun_nb.endpoint import server

WRONG_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"durable": "/tmp/nodir-of-nobody/x.db"}, "cannot be opened"),
    ({"durable": "a\0"}, "is not the path of a file"),
    ({"durable": "\ud800"}, "is not the path of a file"),
    ({"durable": ""}, "is not the path of a file"),
    ({"durable": "~nouser-of-that-name/x"}, "is not the path of a file"),
    ({"durable": 5}, "durable=5 is not the path of a file"),
    ({"functions": ["f"]}, r"functions=\['f'\]: it takes sf.StatefulFunctions"),
    ({"paused": "no"}, "paused='no': it takes True or False"),
    ({"trace": "off"}, "trace='off': it takes True or False"),
    ({"engine": "docker", "image": 5}, "image=5: it takes text, or None"),
    ({"port": 70_000}, "port=70000: it takes 0 to 65535"),
    ({"port": "80"}, "port='80' is not a whole number: it takes 0 to 65535"),
    ({"trace_limit": 0}, "trace_limit=0: it takes 1 or more"),
    ({"batch_limit": True}, "batch_limit=True is not a whole number"),
    ({"engine": []}, r"engine=\[\] is not known"),
]


@pytest.mark.parametrize(("given", "said"), WRONG_OPTIONS)
def test_a_start_that_fails_leaves_the_running_session(functions, given, said):
    running = sf.start(port=0, functions=functions)
    with pytest.raises((sf.SessionError, sf.EngineError), match=said):
        sf.start(**{"port": 0, "functions": functions} | given)
    assert sf.session() is running
    assert running.status().state == "running"


def test_a_port_that_is_taken_leaves_the_running_session(functions, monkeypatch):
    running = sf.start(port=0, functions=functions)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr("statefun_nb.sessions.preflight.PORTS_TRIED", 0)
        monkeypatch.setattr(server, "PORTS_TRIED", 0)
        with pytest.raises(sf.EngineError, match="is taken"):
            sf.start(port=taken.getsockname()[1], functions=functions)
    assert sf.session() is running


def test_the_file_of_the_running_session_can_be_opened_by_the_next(functions, tmp_path):
    file = tmp_path / "kept.db"
    running = sf.start(port=0, functions=functions, durable=file)
    with pytest.raises(sf.EngineError, match="are those of clock='system'"):
        sf.start(port=0, functions=functions, durable=file, clock="virtual")
    assert sf.session() is running
    with pytest.warns(UserWarning, match="its state is kept in"):
        following = sf.start(port=0, functions=functions, durable=file, paused=True)
    assert following.status().state == "paused"
