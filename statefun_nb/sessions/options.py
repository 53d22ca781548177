"""What a session is started with, checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from ..errors import SessionError
from ..sdk.registry import StatefulFunctions

__all__ = [
    "ClockName",
    "DeliveryName",
    "EngineName",
    "OnErrorName",
    "Options",
    "TransportName",
    "full_path",
]

# What an option may be: checked here, and offered by the magics and the command line.
EngineName = Literal["embedded", "flink", "docker"]
OnErrorName = Literal["park", "retry", "skip"]
TransportName = Literal["direct", "http"]
ClockName = Literal["system", "virtual"]
DeliveryName = Literal["at-least-once", "exactly-once"]


# The options that not every engine has: elsewhere they would be ignored without a word.
_ENGINES_WITH: dict[str, tuple[EngineName, ...]] = {
    "durable": ("embedded",),
    "paused": ("embedded",),
    "transport": ("embedded",),
    "clock": ("embedded",),
    "parallelism": ("flink", "docker"),
    "delivery": ("flink", "docker"),
    "bootstrap_servers": ("flink", "docker"),
    "rest_url": ("flink", "docker"),
    "image": ("docker",),
    "kafka_image": ("docker",),
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """The arguments of ``sf.start``, and their defaults; equal options mean the same session.

    Raises
    ------
    SessionError
        When an option has no such value, or the engine has no such option.
    """

    functions: StatefulFunctions
    engine: EngineName = "embedded"
    durable: str | None = None
    paused: bool = False
    on_error: OnErrorName = "park"
    port: int = 8000
    transport: TransportName = "direct"
    batch_limit: int = 1000
    clock: ClockName = "system"
    trace: bool = True
    trace_limit: int = 10_000
    trace_bytes: int = 64 * 1024 * 1024
    parallelism: int = 1
    delivery: DeliveryName = "at-least-once"
    image: str | None = None
    kafka_image: str | None = None
    bootstrap_servers: str | None = None
    rest_url: str | None = None

    def __post_init__(self) -> None:
        _one_of("engine", self.engine, EngineName)
        _one_of("on_error", self.on_error, OnErrorName)
        _one_of("transport", self.transport, TransportName)
        _one_of("clock", self.clock, ClockName)
        _one_of("delivery", self.delivery, DeliveryName)
        for name, engines in _ENGINES_WITH.items():
            if self.engine not in engines and getattr(self, name) != getattr(Options, name):
                have = " or ".join(map(repr, engines))
                raise SessionError(f"engine={self.engine!r} has no {name}=: it is for {have}")
        if (self.bootstrap_servers is None) != (self.rest_url is None):
            raise SessionError("an existing cluster is given by bootstrap_servers= and rest_url=")
        _whole("parallelism", self.parallelism, 1, 64)
        _whole("port", self.port, 0, 65535)
        _whole("batch_limit", self.batch_limit, 0)
        _whole("trace_limit", self.trace_limit, 1)
        _whole("trace_bytes", self.trace_bytes, 1)


def full_path(durable: Any) -> str:
    """Of the file for ``durable=``; a change of the working folder does not change it.

    Raises
    ------
    SessionError
        When it is no path.
    """
    try:
        return str(Path(durable).expanduser().absolute())
    except TypeError as error:
        raise SessionError(f"durable={durable!r} is not the path of a file") from error


def _one_of(name: str, value: Any, names: Any) -> None:
    allowed = get_args(names)
    if value not in allowed:
        raise SessionError(f"{name}={value!r} is not known: use {', '.join(map(repr, allowed))}")


def _whole(name: str, value: Any, low: int, high: int | None = None) -> None:
    fits = isinstance(value, int) and not isinstance(value, bool)
    if not fits or value < low or (high is not None and value > high):
        span = f"{low} or more" if high is None else f"{low} to {high}"
        raise SessionError(f"{name}={value!r} is not a whole number: it takes {span}")
