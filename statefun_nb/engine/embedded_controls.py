"""What can be done to the embedded engine by hand; see ``Controls``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from ..address import SdkAddress
from ..errors import EngineError
from ..loop_thread import LoopThread
from ..protocol.effects import StateSpec, TypedValue
from .base import Idle
from .driver import Driver

__all__ = ["EmbeddedControls"]


class EmbeddedControls:
    """The controls of one driver, callable as ``Controls`` says.

    Parameters
    ----------
    thread : LoopThread
        The driver's.
    driver : Driver
    backup : callable, optional
        Copies what is kept to a file, on the loop.
    """

    def __init__(
        self, thread: LoopThread, driver: Driver, backup: Callable[[str], None] | None
    ) -> None:
        self._thread = thread
        self._driver = driver
        self._backup = backup

    async def step(self) -> bool:
        return await self._driver.step()

    async def advance(self, duration: timedelta) -> Idle:
        await self._driver.advance(duration)
        return self._driver.report()

    def write(
        self,
        address: SdkAddress,
        values: Mapping[str, TypedValue | None],
        specs: Sequence[StateSpec] = (),
    ) -> None:
        self._thread.call(self._driver.write, address, values, specs)

    def cancel(self, number: int) -> bool:
        return self._thread.call(self._driver.cancel, number)

    def backup(self, path: str) -> None:
        if self._backup is None:
            raise EngineError("this session keeps nothing: sf.start(durable=...) does")
        self._thread.call(self._backup, path, timeout=None)
