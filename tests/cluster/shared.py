"""One cluster for the tests of a module that leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import statefun_nb as sf
from statefun_nb.sessions.options import Options
from tests.requirements import need_flink

__all__ = ["left_as_it_was", "shared_cluster"]


@contextmanager
def shared_cluster(namespace: str) -> Iterator[tuple[sf.Session, sf.StatefulFunctions]]:
    """A session on the real StateFun, and its functions; they know this namespace at once."""
    need_flink()
    functions = sf.StatefulFunctions()
    sf.function(f"{namespace}/nothing", functions=functions)(lambda ctx, message: None)
    session = sf.Session(Options(engine="flink", port=0, functions=functions))
    yield session, functions
    session.stop(30)


@contextmanager
def left_as_it_was(session: sf.Session, seconds: float) -> Iterator[None]:
    """The job must not have failed meanwhile, nor anything be left parked after so many seconds."""
    cluster: Any = session.engine.cluster
    before = cluster.restored()
    yield
    assert session.wait_idle(seconds).parked == 0
    assert session.status().state == "running"
    assert cluster.restored() == before
