"""What can be done to the embedded engine by hand; see ``Controls``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from ..address import SdkAddress
from ..effects import StateSpec, TypedValue
from ..loop_thread import LoopThread
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
    """

    def __init__(self, thread: LoopThread, driver: Driver) -> None:
        self._thread = thread
        self._driver = driver

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
