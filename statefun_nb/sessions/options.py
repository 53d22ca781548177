"""What a session is started with, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from ..endpoint.admission import is_token
from ..errors import SessionError
from ..sdk.registry import StatefulFunctions
from .arguments import a_path, one_of, short_repr, truth, whole

__all__ = [
    "ClockName",
    "DeliveryName",
    "EngineName",
    "OnErrorName",
    "Options",
    "StatefunVersion",
    "TransportName",
    "full_path",
]

# What an option may be: checked here, and offered by the magics and the command line.
EngineName = Literal["embedded", "flink", "docker"]
OnErrorName = Literal["park", "retry", "skip"]
TransportName = Literal["direct", "http"]
ClockName = Literal["system", "virtual"]
DeliveryName = Literal["at-least-once", "exactly-once"]
StatefunVersion = Literal["3.3.0", "2.2.2"]  # cluster/release.py has their records
_CHOICES = {
    "engine": get_args(EngineName),
    "on_error": get_args(OnErrorName),
    "transport": get_args(TransportName),
    "clock": get_args(ClockName),
    "delivery": get_args(DeliveryName),
    "statefun": get_args(StatefunVersion),
}

# The options that not every engine has: elsewhere they would be ignored without a word.
_ENGINES_WITH: dict[str, tuple[EngineName, ...]] = {
    "durable": ("embedded",),
    "paused": ("embedded",),
    "transport": ("embedded",),
    "clock": ("embedded",),
    "statefun": ("flink", "docker"),
    "parallelism": ("flink", "docker"),
    "delivery": ("flink", "docker"),
    "bootstrap_servers": ("flink", "docker"),
    "rest_url": ("flink", "docker"),
    "image": ("docker",),
    "kafka_image": ("docker",),
}
_LACKED_BY = {
    engine: [name for name, engines in _ENGINES_WITH.items() if engine not in engines]
    for engine in get_args(EngineName)
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
    token: bool | str = False
    transport: TransportName = "direct"
    batch_limit: int = 1000
    clock: ClockName = "system"
    trace: bool = True
    trace_limit: int = 10_000
    trace_bytes: int = 64 * 1024 * 1024
    statefun: StatefunVersion = "3.3.0"
    parallelism: int = 1
    delivery: DeliveryName = "at-least-once"
    image: str | None = None
    kafka_image: str | None = None
    bootstrap_servers: str | None = None
    rest_url: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.functions, StatefulFunctions):
            raise SessionError(
                f"functions={short_repr(self.functions)}: it takes sf.StatefulFunctions()"
            )
        for name, choices in _CHOICES.items():
            one_of(name, getattr(self, name), choices)
        truth("paused", self.paused)
        truth("trace", self.trace)
        for name in ("image", "kafka_image", "bootstrap_servers", "rest_url"):
            given = getattr(self, name)
            if given is not None and not (isinstance(given, str) and given):
                raise SessionError(f"{name}={short_repr(given)}: it takes text, or None")
        for name in _LACKED_BY[self.engine]:
            if getattr(self, name) != getattr(Options, name):
                have = " or ".join(map(repr, _ENGINES_WITH[name]))
                raise SessionError(f"engine={self.engine!r} has no {name}=: it is for {have}")
        if (self.bootstrap_servers is None) != (self.rest_url is None):
            raise SessionError("an existing cluster is given by bootstrap_servers= and rest_url=")
        whole("parallelism", self.parallelism, 1, 64)
        if not isinstance(self.token, bool) and not (
            isinstance(self.token, str) and is_token(self.token)
        ):
            raise SessionError(
                f"token={short_repr(self.token)}: it takes True (a random one), False, or a text "
                "of letters, digits and - . _ ~"
            )
        whole("port", self.port, 0, 65535)
        whole("batch_limit", self.batch_limit, 0)
        whole("trace_limit", self.trace_limit, 1)
        whole("trace_bytes", self.trace_bytes, 1)


def full_path(durable: Any) -> str:
    """Of the file for ``durable=``; a change of the working folder does not change it.

    Raises
    ------
    SessionError
        When it is no path.
    """
    return str(a_path("durable", durable).absolute())
