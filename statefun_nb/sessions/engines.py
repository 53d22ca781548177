"""The engine that a session's options ask for."""

from __future__ import annotations

from ..endpoint.server import Endpoint
from ..engine.base import Engine
from ..engine.clock import Clock
from ..loop_thread import LoopThread
from ..trace.traced import TracedHandler
from .embedded_engine import embedded_engine
from .options import Options

__all__ = ["make_engine"]


def make_engine(
    options: Options, thread: LoopThread, endpoint: Endpoint, handler: TracedHandler, clock: Clock
) -> Engine:
    """Make the engine, and start what it needs; ``endpoint`` listens already.

    Raises
    ------
    EngineError
        When something that it needs is not to be had.
    """
    match options.engine:
        case "embedded":
            return embedded_engine(options, thread, endpoint, handler, clock)
        case "flink" | "docker":
            from .cluster_engine import cluster_engine  # 12 ms that most need not wait for

            return cluster_engine(options, thread, endpoint, handler)
