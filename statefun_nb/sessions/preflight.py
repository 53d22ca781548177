"""What can be known of a new session before the running one makes way for it."""

from __future__ import annotations

import os
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING

from ..endpoint.http_server import LOOPBACK, bind_port
from ..endpoint.server import PORTS_TRIED
from ..engine.transport import http_library
from ..errors import EngineError
from .options import Options

if TYPE_CHECKING:
    from .session import Session

__all__ = ["check_before", "fetch"]


def check_before(options: Options, running: Session) -> None:
    """Raise when a session with these options could not start: ``running`` then goes on.

    The new one cannot be made first: it may want the port and the file of the running one.

    Raises
    ------
    EngineError
        As the start itself would.
    """
    if options.transport == "http":
        http_library()
    if options.engine != "embedded":
        from .cluster_engine import prepare  # 12 ms that most need not wait for

        prepare(options)
    own = running.endpoint.port
    if options.port and not options.port <= own <= options.port + PORTS_TRIED:
        bind_port(LOOPBACK, options.port, PORTS_TRIED).close()
    if options.durable is not None:
        _check_file(options.durable, options.clock, running.options)


def fetch(options: Options) -> None:
    """Fetch what a session with these options needs and is not here; nothing is started.

    Raises
    ------
    EngineError
        When something is not to be had.
    """
    if options.engine != "embedded":
        from .cluster_engine import fetch_parts  # 12 ms that most need not wait for

        fetch_parts(options)


def _check_file(path: str, clock: str, running: Options) -> None:
    """Last of all, as it makes the file where there is none."""
    from ..engine.sqlite_store import SqliteStore  # SQLite takes 4 ms that few need wait for

    kept = running.durable
    if kept is not None and os.path.realpath(kept) == os.path.realpath(path):
        if running.clock != clock:  # all that can be wrong with a file that is open here
            raise EngineError(
                f"the times in durable={path!r} are those of clock={running.clock!r}: "
                f"start with clock={running.clock!r}"
            )
        return
    store = SqliteStore(path, clock)
    try:
        with store.reading():  # all of it: a damaged row is found nowhere else
            rows = (store.specs(), store.values(), store.mail(), store.timers(), store.egress())
            deque(chain(*rows), maxlen=0)
    finally:
        store.close()
