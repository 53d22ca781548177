"""What can be done to the embedded engine by hand; see ``Controls``."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from ..address import SdkAddress
from ..errors import EngineError
from ..loop_thread import LoopThread
from ..protocol.effects import StateSpec, TypedValue
from ..protocol.wire import typed_value_bytes
from .clock import Clock
from .driver import Driver
from .facts import ClockMove, Idle, WaitingAddress, Written
from .waiting import waiting_addresses

__all__ = ["EmbeddedControls"]

# So much of what was set by hand is remembered.
_WRITTEN = 1_000
# And so many moves of the clock: more marks would fill a timeline.
_MOVES = 100


class EmbeddedControls:
    """The controls of one driver, callable as ``Controls`` says.

    Parameters
    ----------
    thread : LoopThread
        The driver's.
    driver, clock : Driver, Clock
    backup : callable, optional
        Copies what is kept to a file, on the loop.

    Attributes
    ----------
    on_amend : callable
        Told, on the loop, of each address whose message was given another value.
    """

    def __init__(
        self,
        thread: LoopThread,
        driver: Driver,
        clock: Clock,
        backup: Callable[[str], None] | None,
    ) -> None:
        self._thread = thread
        self._driver = driver
        self._clock = clock
        self._backup = backup
        self.on_amend: Callable[[SdkAddress], None] = lambda _address: None
        self._written: deque[Written] = deque(maxlen=_WRITTEN)
        self._moves: deque[ClockMove] = deque(maxlen=_MOVES)

    async def step(self) -> SdkAddress | None:
        return await self._driver.step()

    async def advance(self, duration: timedelta) -> Idle:
        before = self._clock.now_ms()
        offset = self._clock.offset_ms
        try:
            await self._driver.advance(duration)
        finally:  # it may have come a part of the way
            if self._clock.offset_ms > offset:
                self._moves.append(ClockMove(before, self._clock.now_ms()))
        return self._driver.report()

    @property
    def moves(self) -> Sequence[ClockMove]:
        return tuple(self._moves)

    def write(
        self,
        address: SdkAddress,
        values: Mapping[str, TypedValue | None],
        specs: Sequence[StateSpec] = (),
        by: str = "s.set_state",
    ) -> None:
        self._thread.call(self._write, address, values, specs, by)

    def _write(
        self,
        address: SdkAddress,
        values: Mapping[str, TypedValue | None],
        specs: Sequence[StateSpec],
        by: str,
    ) -> None:
        now_ms = self._clock.now_ms()
        mailbox = self._driver.core.find(address)
        before = {} if mailbox is None else mailbox.read(now_ms, touch=False)
        self._driver.write(address, values, specs)
        changed = {name: (before.get(name), value) for name, value in values.items()}
        self._written.append(Written(address, now_ms / 1000, time.perf_counter(), by, changed))

    def written(self, typename: str) -> list[Written]:
        return [each for each in tuple(self._written) if each.address.typename == typename]

    def cancel(self, number: int) -> bool:
        return self._thread.call(self._driver.cancel, number)

    def waiting(self, limit: int) -> tuple[int, list[WaitingAddress]]:
        return self._thread.call(waiting_addresses, self._driver.core, self._driver.serving, limit)

    def bring_forward(self, address: SdkAddress) -> None:
        self._thread.call(self._driver.bring_forward, address)

    def amend(self, address: SdkAddress, value: TypedValue) -> None:
        self._thread.call(self._amend, address, typed_value_bytes(value))

    def _amend(self, address: SdkAddress, argument: bytes) -> None:
        self._driver.amend(address, argument)
        self.on_amend(address)

    def backup(self, path: str) -> None:
        if self._backup is None:
            raise EngineError("this session keeps nothing: sf.start(durable=...) does")
        self._thread.call(self._backup, path, timeout=None)
