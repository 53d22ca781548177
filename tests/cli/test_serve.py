"""``statefun-nb serve``, by what its process writes."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

import statefun_nb as sf
from tests import peer
from tests.waiting import eventually

FUNCTIONS = """
import asyncio
import logging
import sys

import statefun_nb as sf


@sf.function("t/talks")
def talks(ctx, message):
    print("printed", message.value)
    print("on stderr", file=sys.stderr)
    logging.getLogger("mine").warning("logged")


@sf.function("t/talks_later")
async def talks_later(ctx, message):
    await asyncio.sleep(0)
    print("printed later")


@sf.function("t/fails")
def fails(ctx, message):
    print("before it fails")
    raise ValueError("on purpose")
"""


def post(url, typename, *values):
    body = peer.request((typename, "x"), [peer.text(each) for each in values])
    headers = {"Content-Type": "application/octet-stream"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:
        return answer.read()


def test_what_functions_print_and_raise_is_written(tmp_path):
    (tmp_path / "talking.py").write_text(FUNCTIONS)
    command = [sys.executable, "-m", "statefun_nb", "serve", "talking", "--port", "0", "--json"]
    out, err = tmp_path / "out", tmp_path / "err"
    with (
        out.open("w") as out_file,
        err.open("w") as err_file,
        subprocess.Popen(command, cwd=tmp_path, stdout=out_file, stderr=err_file) as serve,
    ):
        try:
            eventually(lambda: "\n" in out.read_text(), tell=err.read_text)
            url = json.loads(out.read_text())["url"]
            post(url, "t/talks", "one")
            eventually(lambda: out.read_text().endswith("printed one\n"))  # while it serves
            post(url, "t/talks_later", "m")
            for _ in range(2):  # as StateFun asks again
                with pytest.raises(urllib.error.HTTPError, match="500"):
                    post(url, "t/fails", "m")
            with pytest.raises(urllib.error.HTTPError, match="500"):
                post(url, "t/fails", "another")
        finally:
            serve.terminate()
    _, _, printed = out.read_text().partition("printed one\n")
    assert printed == "printed later\n" + "before it fails\n" * 3
    said = err.read_text()
    assert said.startswith(
        "on stderr\nlogged\nt/fails 'x' failed\nTraceback (most recent call last)"
    )
    assert 'talking.py", line ' in said
    assert said.count("Traceback") == said.count("ValueError: on purpose\n") == 2


def test_without_a_trace_what_functions_print_is_printed(functions, capfd):
    @sf.function("t/f", functions=functions)
    def f(ctx, message):
        print("printed", message.value, flush=True)
        raise ValueError("on purpose")

    with sf.start(port=0, functions=functions) as traced:
        traced.send("t/f", "a", "kept")
        traced.wait_idle()
        assert traced.invocations[0].stdout == "printed kept\n"
    with sf.start(port=0, functions=functions, trace=False) as session:
        session.send("t/f", "a", "once")
        session.wait_idle()
        assert "on purpose" in session.parked[0].reason
    out, err = capfd.readouterr()
    assert out == "printed once\n"
    assert "on purpose" not in err
