"""What the tests of a real cluster share: one that is left as it was, and another process."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import statefun_nb as sf
from statefun_nb.sessions.options import Options, StatefunVersion
from tests.requirements import need_flink

__all__ = ["leave_clean", "left_as_it_was", "served", "shared_cluster"]

_SERVED = """
import statefun_nb as sf

@sf.function("served/count", state={"n": int})
def count(ctx, message):
    ctx.storage.n = (ctx.storage.n or 0) + message.value
    if message.value == 7:
        ctx.send("their/greeter", ctx.address.id, "seven")
"""


@contextmanager
def shared_cluster(
    namespace: str,
    statefun: StatefunVersion = Options.statefun,
    declare: Callable[[sf.StatefulFunctions], object] = lambda _: None,
) -> Iterator[tuple[sf.Session, sf.StatefulFunctions]]:
    """A session on the real StateFun, and its functions; they know this namespace at once.

    ``declare`` declares what has to be there before the job starts: StateFun 2.2.2 would start
    again for it.
    """
    need_flink()
    functions = sf.StatefulFunctions()
    sf.function(f"{namespace}/nothing", functions=functions)(lambda ctx, message: None)
    declare(functions)
    session = sf.Session(Options(engine="flink", statefun=statefun, port=0, functions=functions))
    try:
        session.engine.prepare()
        yield session, functions
    finally:
        session.stop(30)


def leave_clean(session: sf.Session) -> None:
    """Nothing is held or waits: a test that fails must not take those after it along."""
    session.resume()
    while session.wait_idle(180).parked:
        for each in session.parked:
            session.discard(each.address.typename, each.address.id)


@contextmanager
def left_as_it_was(session: sf.Session, seconds: float) -> Iterator[None]:
    """The job must not have failed meanwhile, nor anything be left parked after so many seconds."""
    cluster: Any = session.engine.cluster
    before = cluster.restored()
    yield
    parked = session.wait_idle(seconds).parked
    leave_clean(session)
    assert parked == 0
    assert session.status().state == "running"
    assert cluster.restored() == before


@contextmanager
def served(folder: Path, port: int) -> Iterator[str]:
    """``statefun-nb serve`` in a process of its own, with ``served/count``; its URL."""
    (folder / "served.py").write_text(_SERVED)
    command = [sys.executable, "-m", "statefun_nb", "serve", "served", "--port", str(port)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            text = ""
            while not (found := re.search(r"http://\S+/statefun/[\w-]+", text)):
                text = running.stdout.readline()
                assert text
            yield found[0]
        finally:
            running.kill()
