"""In a real kernel: cells run again and again, %autoreload, a busy cell."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
from pathlib import Path

import pytest

import statefun_nb

manager = pytest.importorskip("jupyter_client.manager")
pytest.importorskip("ipykernel")


class Kernel:
    """A kernel and its client: ``run`` gives what a cell printed and its value as text."""

    def __init__(self, client):
        self._client = client

    def interrupted(self, code, timeout=60):
        """The traceback of a cell that Ctrl-C ends while it waits."""
        found = []
        code = f"threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()\n{code}"

        def hook(message):
            if message["msg_type"] == "error":
                found.extend(message["content"]["traceback"])

        self._client.execute_interactive(code, timeout=timeout, output_hook=hook)
        return found

    def run(self, code, timeout=60):
        printed, value, error = [], None, None

        def hook(message):
            nonlocal value, error
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                printed.append(content["text"])
            elif kind == "execute_result":
                value = content["data"]["text/plain"]
            elif kind == "error":
                error = content["evalue"]

        self._client.execute_interactive(code, timeout=timeout, output_hook=hook)
        assert error is None, error
        return "".join(printed), value


@pytest.fixture
def package(tmp_path):
    """A copy of the package whose files a test may touch."""
    shutil.copytree(Path(statefun_nb.__file__).parent, tmp_path / "statefun_nb")
    return tmp_path


@pytest.fixture
def kernel(package):
    environment = {**os.environ, "PYTHONPATH": str(package)}
    kernels, client = manager.start_new_kernel(env=environment)
    try:
        yield Kernel(client)
    finally:
        client.stop_channels()
        kernels.shutdown_kernel(now=True)


LOAD = "%load_ext statefun_nb"  # IPython itself says so when that is run again
START = """
import statefun_nb as sf
s = sf.start(port=0)

@sf.function("k/count", state={"n": int})
def count(ctx, message):
    print("in the function")
    ctx.storage.n = (ctx.storage.n or 0) + 1
"""


def test_running_every_cell_again_keeps_session_and_state(kernel):
    kernel.run(LOAD)
    for n in (1, 2, 3):
        assert kernel.run(START) == ("", None)
        assert kernel.run('s.send("k/count", "a", 1); s.wait_idle().parked') == ("", "0")
        assert kernel.run('s.state("k/count", "a")') == ("", repr({"n": n}))
    assert kernel.run("s.invocations[-1].function_version") == ("", "3")


MINE = """
import statefun_nb as sf

@sf.function("k/mine", state={"n": int})
def mine(ctx, message):
    ctx.storage.n = (ctx.storage.n or 0) + STEP
"""


def test_autoreload_swaps_a_function_of_a_module_in_place(kernel, package):
    module = package / "mine.py"
    module.write_text(MINE.replace("STEP", "1"))
    kernel.run("%load_ext autoreload\n%autoreload 2")
    kernel.run("import mine, statefun_nb as sf\ns = sf.start(port=0)")
    kernel.run('s.send("k/mine", "a", 1); s.wait_idle()')
    module.write_text(MINE.replace("STEP", "10"))
    os.utime(module, (module.stat().st_atime, module.stat().st_mtime + 5))  # whole seconds count
    kernel.run("pass")
    kernel.run('s.send("k/mine", "a", 1); s.wait_idle()')
    assert kernel.run('s.state("k/mine", "a")') == ("", "{'n': 11}")


def test_autoreload_of_the_package_keeps_the_running_session(kernel, package):
    kernel.run("%load_ext autoreload\n%autoreload 2")
    kernel.run(START)
    kernel.run('s.send("k/count", "a", 1); s.wait_idle()')
    url = kernel.run("s.url")
    for name in (
        "sessions/default.py",
        "sessions/session.py",
        "views/status.py",
        "sessions/options.py",
    ):
        path = package / "statefun_nb" / name
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime + 5))
    assert kernel.run("sf.session() is s") == ("", "True")
    assert kernel.run("s.url") == url
    kernel.run('s.send("k/count", "a", 1)')
    assert kernel.run("s.wait_idle().processed") == ("", "1")
    assert kernel.run('s.state("k/count", "a")') == ("", "{'n': 2}")
    assert kernel.run(START) == ("", None)
    assert kernel.run("sf.stop()") == ("", None)


@pytest.mark.parametrize("style", ["def", "async def"])
@pytest.mark.parametrize("leave", ["exit()", "quit()"])
def test_exit_in_a_function_fails_it_and_leaves_the_kernel(kernel, style, leave):
    kernel.run(LOAD)
    kernel.run(START)
    kernel.run(f"@sf.function('k/leaves')\n{style} leaves(ctx, message): {leave}")
    kernel.run('s.send("k/leaves", "a", 1)')
    assert kernel.run("s.wait_idle().parked") == ("", "1")
    _, reason = kernel.run("s.parked[0].reason")
    assert reason is not None
    assert "would end the notebook's kernel: write return" in reason
    assert kernel.run("get_ipython().exit_now") == ("", "False")  # nothing asks it to end
    assert kernel.run("s.parked[0].address.id") == ("", "'a'")  # the very session


def test_exit_in_a_cell_still_ends_the_kernel(kernel, package):
    kernel.run(LOAD)
    kernel.run(START)
    kernel.run("from IPython import get_ipython\nip = get_ipython()")
    assert kernel.run("ip.exit_now") == ("", "False")
    asked = "ip.ask_exit(); asked = ip.exit_now; ip.exit_now = False; asked"
    assert kernel.run(asked) == ("", "True")


def test_a_busy_cell_does_not_stop_the_functions(kernel):
    kernel.run(START)
    code = (
        "import time\n"
        's.send("k/count", "a", 1)\n'
        "end = time.monotonic() + 30\n"
        "while not s.status().processed and time.monotonic() < end: pass\n"
        "s.status().processed"
    )
    assert kernel.run(code) == ("", "1")


WAITS = {
    "advance": "%statefun advance 5m",
    "step": "%statefun step",
    "replay": "%statefun replay",
    "s.advance": "s.advance(timedelta(1))",
    "s.wait_idle": "s.wait_idle(60)",
}


def test_an_interrupt_of_a_wait_leaves_no_trace(kernel):
    kernel.run(
        "import asyncio, os, signal, threading, statefun_nb as sf\n"
        "from datetime import timedelta\n"
        "%load_ext statefun_nb\n"
        "slow = False\n"
        "@sf.function('k/slow')\n"
        "async def slowly(ctx, message):\n"
        "    if slow: await asyncio.sleep(60)\n"
        "s = sf.start(port=0, clock='virtual')\n"
        "s.send('k/slow', 'a', 1); s.wait_idle()\n"
        "slow = True\n"
    )
    for name, call in WAITS.items():
        first = "s.pause()" if name == "step" else "s.resume()"  # step serves what waits
        before = f"{first}; s.send('k/slow', '{name}', 1)\n"
        assert kernel.interrupted(before + call) == ["KeyboardInterrupt"], name


def test_a_kernel_that_ends_has_no_word_for_its_pages(package, tmp_path):
    """It takes its sockets apart meanwhile: what is sent then is an error of its, at best."""
    environment = {**os.environ, "PYTHONPATH": str(package)}
    with (tmp_path / "stderr").open("w+") as said:
        kernels, client = manager.start_new_kernel(env=environment, stderr=said)
        try:
            kernel = Kernel(client)
            kernel.run(START)
            _, widget = kernel.run("d = s.dashboard()\nd.model_id")
            look = {"method": "custom", "content": {"kind": "hello", "page": "p"}}
            content = {"comm_id": widget.strip("'"), "data": look}
            client.shell_channel.send(client.session.msg("comm_msg", content))
            updates = [update_of(client)]  # it is looked at
            client.execute('s.send("k/count", "a", 1); s.wait_idle()')
            while not updates[-1]["rows"]:
                updates.append(update_of(client))
            kernels.shutdown_kernel()
            with contextlib.suppress(queue.Empty):
                while True:
                    updates.append(update_of(client, timeout=1))
        finally:
            client.stop_channels()
            if kernels.has_kernel:
                kernels.shutdown_kernel(now=True)
        said.seek(0)
        assert "Traceback" not in said.read()
    assert {each["header"]["state"] for each in updates} == {"running"}


def update_of(client, timeout=60):
    """The next message of the dashboard to its page."""
    while True:
        message = client.get_iopub_msg(timeout=timeout)
        if message["msg_type"] == "comm_msg" and message["buffers"]:
            return json.loads(bytes(message["buffers"][0]))
