"""The driver: performs what the core asks for, on an asyncio loop.

One turn of its work (``_pump``), a slice of at most 5 ms::

    inbox --> core.offer                what other threads have posted since
    clock --> core.tick                 delayed messages that are due, back-offs that are over
    core.next_request --> transport.send --> core.replied | core.failed
    commit                              with durable=: one transaction for the whole turn
    whoever waits for idle is told; the next alarm is set

An answer that takes longer comes back in a turn of its own (``_arrived``).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import Context
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from ..address import SdkAddress
from ..errors import ConversionError, EngineError, in_brief
from ..protocol.effects import Reply, StateSpec, TypedValue
from ..protocol.v3 import encode_request
from .answers import Answer, Cancelled, Failed
from .clock import LAST_MS, Clock
from .core import Core, Pending
from .facts import Idle, IngressMessage
from .mailbox import Mailbox
from .mailbox_state import MailboxState
from .transport import Transport
from .waiting import bring_forward

__all__ = ["Driver"]

# The loop also serves HTTP and timers: work is done in slices of this many seconds.
_SLICE = 0.005
# Requests that wait for an answer, each of which is a task, a connection and bytes in memory; the
# runtime has 32,768 for each of its tasks.
_MOST_IN_FLIGHT = 10_000
# A function that never has enough state names would be asked for ever.
_MAX_HANDSHAKES = 100


class _Waiter(NamedTuple):
    future: asyncio.Future[None]
    until_ms: float  # delayed messages due by then are waited for


class Driver:
    """Runs a core: requests go out by ``transport``, time comes from ``clock``.

    All is the loop's alone but ``post``, ``queued`` and ``paused``, which any thread may set.
    ``commit`` writes down what was done: before it nothing is confirmed, after it failed none done.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        core: Core,
        transport: Transport,
        clock: Clock,
        *,
        paused: bool,
        commit: Callable[[], None] | None = None,
    ) -> None:
        self.core = core
        self._transport = transport
        self._clock = clock
        self._commit = commit
        self.failure = ""  # why nothing is written down, and so nothing served, any more
        self._loop = loop
        self._inbox: deque[IngressMessage] = deque()  # appended to by any thread
        self._awake = False
        self._timer: asyncio.TimerHandle | None = None
        self._waiters: list[_Waiter] = []
        self._requests: dict[asyncio.Future[Answer], Mailbox] = {}
        self._reported = 0
        self._closed = False
        self.paused = paused

    # From any thread.

    def post(self, messages: Iterable[IngressMessage]) -> None:
        """Hand in messages; they are looked at on the loop, soon."""
        self._inbox.extend(messages)
        if not self._awake:
            self._awake = True
            self._loop.call_soon_threadsafe(self._pump, context=Context())

    @property
    def queued(self) -> int:
        """Messages that have arrived and are not being served; an estimate off the loop."""
        return len(self._inbox) + self.core.waiting

    # On the loop.

    @property
    def serving(self) -> Iterable[Mailbox]:
        """The mailboxes whose requests are on their way, the longest first."""
        return self._requests.values()

    def use(self, transport: Transport) -> None:
        """Send requests by another transport from now on; it closes the one before."""
        self._transport = transport

    def wake(self) -> None:
        """Have the loop look for work at its next turn."""
        if not self._awake and not self._closed:
            self._awake = True
            self._loop.call_soon(self._pump)

    def take(self, messages: Iterable[IngressMessage]) -> None:
        """Hand in messages; they are written down when it returns.

        Raises
        ------
        EngineError
            When they cannot be.
        """
        self._check()
        self._inbox.extend(messages)
        self._receive(float("inf"))
        self._confirm()

    def pause(self) -> None:
        """Send no further request; those in flight end."""
        self._check()
        self.paused = True
        self._settle()

    def resume(self) -> None:
        """Send requests again."""
        self._check()
        self.paused = False
        self.wake()

    async def step(self) -> SdkAddress | None:
        """While paused: serve one message; whose? None when none is ready."""
        self._check()
        self._receive(float("inf"))
        self._tick()
        while (pending := self.core.next_request(self._clock.now_ms(), limit=1)) is not None:
            mailbox = pending.mailbox
            self._send(pending)
            while mailbox.state is MailboxState.IN_FLIGHT:
                await asyncio.wait(self._requests, return_when=asyncio.FIRST_COMPLETED)
            self._confirm()
            if not self.core.is_undeclared(mailbox):  # else there was nobody to serve it
                return mailbox.address
        return None

    async def advance(self, duration: timedelta) -> None:
        """Move the clock; what falls due on the way is served in order, each at its own time."""
        remaining = duration // timedelta(milliseconds=1)
        if self._clock.now_ms() + remaining > LAST_MS:
            raise ConversionError(
                f"the clock cannot move by {duration}: no time after the year 9999 can be shown"
            )
        while True:
            await self.idle(0)
            due = self.core.next_due_ms()
            if due is None:
                break
            step = max(0, due - self._clock.now_ms())
            if step > remaining:
                break
            self._clock.advance(step)
            remaining -= step
            self._tick()
            self.wake()
        self._check()
        self._clock.advance(remaining)
        self._confirm()

    async def idle(self, timeout: float) -> None:
        """Return when nothing moves any more, and nothing falls due within ``timeout`` seconds."""
        self._check()
        until = self._clock.now_ms() + timeout * 1000 if self._clock.ticks else 0.0
        waiter = _Waiter(self._loop.create_future(), until)
        self._waiters.append(waiter)
        self._settle()
        try:
            await waiter.future
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def report(self) -> Idle:
        """How many messages were processed since the last report, and what is left."""
        processed = self.core.processed
        done, self._reported = processed - self._reported, processed
        parked = sum(len(mailbox.waiting or ()) for mailbox in self.core.parked())
        return Idle(done, parked, self.queued, len(self.core.timers))

    def release(self, typename: str | None = None, id: str | None = None) -> int:
        """Let parked addresses go on: of a type, or one; how many do?"""
        released = self.core.release(typename, id)
        self.wake()
        return released

    def retry(self, typename: str | None, id: str | None) -> int:
        """As ``release``, by hand."""
        self._check()
        return self.release(typename, id)

    def discard(self, address: SdkAddress) -> bytes:
        """Give up the message at the head of an address; see ``Core.discard``."""
        self._check()
        self._receive(float("inf"))
        argument = self.core.discard(address, paused=self.paused)
        self._confirm()
        return argument

    def amend(self, address: SdkAddress, argument: bytes) -> None:
        """Put another value into the message at the head of a parked address, and try again."""
        self._check()
        self.core.amend(address, argument)
        self.core.release(address.typename, address.id)
        self._confirm()

    def bring_forward(self, address: SdkAddress) -> None:
        """Let an address be the next whose turn it is; see ``Controls``."""
        self._check()
        self._receive(float("inf"))
        self._tick()
        bring_forward(self.core, address)

    def cancel(self, number: int) -> bool:
        """Drop a pending delayed message; False when it is not pending any more."""
        self._check()
        cancelled = self.core.timers.cancel_number(number)
        self._confirm()
        return cancelled

    def write(
        self,
        address: SdkAddress,
        values: Mapping[str, TypedValue | None],
        specs: Sequence[StateSpec],
    ) -> None:
        """Set or clear state values from outside; see ``Core.write``."""
        self._check()
        self.core.write(address, values, specs, self._clock.now_ms())
        self._confirm()

    async def close(self) -> None:
        """Cancel what is in flight; its messages are back at the head of their mailboxes."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        requests = list(self._requests)
        for request in requests:
            request.cancel()
        await asyncio.gather(*requests, return_exceptions=True)
        self._keep()
        for waiter in self._waiters:
            if not waiter.future.done():
                waiter.future.set_exception(EngineError("the session was stopped while waiting"))
        await self._transport.close()

    # The work.

    def _pump(self) -> None:
        self._awake = False
        if self._closed or self.failure:
            return
        end = time.perf_counter() + _SLICE
        self._receive(end)
        self._tick()
        now_ms = self._clock.now_ms()
        requests = self._requests
        while not self.paused and len(requests) < _MOST_IN_FLIGHT:  # else an answer makes room
            pending = self.core.next_request(now_ms)
            if pending is None:
                break
            self._send(pending)
            if time.perf_counter() > end:
                self.wake()
                break
        self._settle()

    def _receive(self, end: float) -> None:
        inbox, offer = self._inbox, self.core.offer
        while inbox:
            now_ms = self._clock.now_ms()
            for _ in range(min(len(inbox), 500)):
                target, argument, delay_ms = inbox.popleft()
                if delay_ms:
                    self.core.timers.add(now_ms + delay_ms, None, "", target, argument)
                else:
                    offer(target, None, argument, now_ms)
            if time.perf_counter() > end:
                self.wake()
                return

    def _tick(self) -> None:
        due = self.core.next_due_ms()
        if due is not None and due <= (now_ms := self._clock.now_ms()):
            self.core.tick(now_ms)

    def _send(self, pending: Pending, handshakes: int = 0) -> None:
        mailbox = pending.mailbox
        target = mailbox.address
        answer: Answer | asyncio.Future[Answer]
        try:
            data = encode_request(target, pending.state, pending.batch)
            answer = self._transport.send(target, pending.state, data)
        except BaseException as error:  # without an answer the address would wait for ever
            answer = Failed(in_brief(error))
        if not isinstance(answer, asyncio.Future):
            self._answered(mailbox, handshakes, answer)
            return
        self._requests[answer] = mailbox
        answer.add_done_callback(partial(self._arrived, mailbox, handshakes))

    def _arrived(self, mailbox: Mailbox, handshakes: int, future: asyncio.Future[Answer]) -> None:
        self._requests.pop(future, None)
        answer: Answer
        if future.cancelled():
            # By the engine's end; by anything else it would be made again and again.
            answer = Cancelled() if self._closed else Failed("its request was cancelled")
        elif (error := future.exception()) is not None:
            answer = Failed(in_brief(error))
        else:
            answer = future.result()
        self._answered(mailbox, handshakes, answer)
        self.wake()

    def _answered(self, mailbox: Mailbox, handshakes: int, answer: Answer) -> None:
        now_ms = self._clock.now_ms()
        if not isinstance(answer, Reply):
            self.core.failed(mailbox, answer, now_ms)
            return
        try:
            done = self.core.replied(mailbox, answer, now_ms)
            if not done and handshakes == _MAX_HANDSHAKES:
                raise EngineError(
                    f"{mailbox.address} asked {handshakes} times for state names it was given"
                )
        except Exception as error:  # what the core refuses, and what it stumbles over
            self.core.failed(mailbox, Failed(in_brief(error)), now_ms)
            return
        if not done:
            self._send(self.core.again(mailbox, now_ms), handshakes + 1)

    def _settle(self) -> None:
        """Nothing to send just now: tell who waits for that, and set the next alarm."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._keep()
        if self.failure:
            return
        has_room = not self.paused and len(self._requests) < _MOST_IN_FLIGHT
        if self._inbox or (self.core.ready and has_room):
            self.wake()
            return
        now_ms = self._clock.now_ms()
        due = self.core.next_due_ms()
        if due is not None and due <= now_ms:
            self.wake()
            return
        if due is not None and self._clock.ticks:
            self._timer = self._loop.call_later((due - now_ms) / 1000, self.wake)
        if self._awake or self.core.in_flight or (self.core.retrying and self._clock.ticks):
            return
        for waiter in tuple(self._waiters):
            if (due is None or due > waiter.until_ms) and not waiter.future.done():
                waiter.future.set_result(None)

    def _keep(self) -> None:
        """Write down what was done; after a failure nothing is served any more."""
        if self._commit is None or self.failure:
            return
        try:
            self._commit()
        except Exception as error:  # whatever it is, it has not been confirmed to anybody
            self.failure = str(error)
            for waiter in self._waiters:
                if not waiter.future.done():
                    waiter.future.set_exception(EngineError(self.failure))

    def _check(self) -> None:
        """Can what is done be kept? To be asked before anything is done by hand."""
        self._keep()
        self._raise_failure()

    def _confirm(self) -> None:
        """Keep what was done by hand, or raise."""
        self._settle()
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self.failure:
            raise EngineError(self.failure)
