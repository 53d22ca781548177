"""What a view needs of a session."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol

from ..engine.base import Engine
from ..sdk.registry import StatefulFunctions
from ..sdk.types import Type
from ..trace.events import Payload
from ..trace.invocations import Invocations
from ..trace.recorder import Recorder
from ..trace.running import Running
from .listings import ParkedAddresses
from .status import Status

__all__ = ["Source"]


class Source(Protocol):
    """A session, as far as views know it."""

    recorder: Recorder
    engine: Engine

    @property
    def functions(self) -> StatefulFunctions:
        """The functions that are served, by typename."""

    @property
    def invocations(self) -> Invocations:
        """The kept invocations."""

    @property
    def running(self) -> Sequence[Running]:
        """What is being served just now."""

    def status(self) -> Status:
        """What the session is doing; also after it was stopped."""

    def send(
        self,
        typename: str,
        id: str,
        value: Any,
        *,
        delay: timedelta | None = None,
        type: Type[Any] | type[Any] | None = None,
    ) -> None:
        """Send a message from outside."""

    @property
    def parked(self) -> ParkedAddresses:
        """The addresses that do not go on, with line and attempts."""

    def retry(self, typename: str | None = None, id: str | None = None) -> int:
        """Try parked messages again; how many addresses go on?"""

    def discard(self, typename: str, id: str) -> Payload:
        """Drop the message at the head of a parked address."""

    def resend(self, seq: int, *, delay: timedelta | None = None) -> None:
        """Send the message of an invocation once more."""

    def pause(self) -> None:
        """Send no further request."""

    def resume(self) -> None:
        """Send requests again."""

    def step(self, timeout: float = 30.0) -> Any:
        """Pause, and serve one message."""

    def advance(self, duration: timedelta, timeout: float = 30.0) -> Any:
        """Move the engine's clock forward."""
