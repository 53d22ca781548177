"""A core that can be written down and goes on where it was, whatever ended the process.

The core itself stays in memory. What each event changes is noted and written in groups, one
transaction for what was done between two looks at the loop: the messages a reply has taken, the
state it changed, and what it sent are in the same one. Nothing is shown or confirmed before that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from ..address import SdkAddress, address_of
from ..cells.progress import progress_bar
from ..errors import EngineError, in_brief
from ..protocol.effects import ExpireMode, Reply, StateSpec, TypedValue
from .answers import Cancelled, Failed, Undeclared
from .clock import Clock
from .core import Core, OnError
from .egress_log import EgressLog
from .facts import Timer
from .journal import Journal, Mail, Spec, Value
from .mailbox import FunctionType, Mailbox
from .sqlite_store import SqliteStore
from .timers import Timers

__all__ = ["DurableCore", "Persistence"]

T = TypeVar("T")


class DurableTimers(Timers):
    """Timers that note what is set and what ends."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def set(self, timer: Timer) -> None:
        super().set(timer)
        self._journal.set_timer(timer)

    def restore(self, timer: Timer) -> None:
        """Set a timer that is in the file already: nothing is to be noted."""
        super().set(timer)

    def pop_due(self, now_ms: int) -> Timer | None:
        timer = super().pop_due(now_ms)
        if timer is not None:
            self._journal.end_timer(timer.number)
        return timer

    def _drop(self, number: int) -> None:
        super()._drop(number)
        self._journal.end_timer(number)


class DurableCore(Core):
    """A core that notes in a journal what each event changes.

    Derived, and not a core that asks at each message whether there is a journal: one that keeps
    nothing pays nothing.
    """

    def __init__(self, batch_limit: int, on_error: OnError) -> None:
        self.journal = Journal()
        super().__init__(batch_limit, on_error, self.journal.emit)
        self.timers: DurableTimers = DurableTimers(self.journal)

    def offer(
        self, target: SdkAddress, caller: SdkAddress | None, argument: bytes, now_ms: int = 0
    ) -> None:
        Core.offer(self, target, caller, argument, now_ms)  # super() is made anew for each message
        self.journal.came(target, caller, argument)

    def replied(self, mailbox: Mailbox, reply: Reply, now_ms: int) -> bool:
        done = super().replied(mailbox, reply, now_ms)
        if not done:
            self.journal.learnt(mailbox.function_type)
        return done

    def write(
        self,
        address: SdkAddress,
        values: Mapping[str, TypedValue | None],
        specs: Sequence[StateSpec],
        now_ms: int,
    ) -> None:
        super().write(address, values, specs, now_ms)
        mailbox = self.types[address.typename].mailboxes[address.id]
        self.journal.learnt(mailbox.function_type)
        for name in values:
            self.journal.wrote(mailbox, mailbox.function_type.names[name])

    def redeclare(self, typename: str, specs: Iterable[StateSpec], now_ms: int) -> None:
        super().redeclare(typename, specs, now_ms)
        if typename in self.types:
            self.journal.learnt(self.types[typename])

    def _apply(self, mailbox: Mailbox, reply: Reply, now_ms: int) -> None:
        super()._apply(mailbox, reply, now_ms)
        self.journal.served(mailbox.address, len(mailbox.in_flight or ()))
        function_type = mailbox.function_type
        for name, _ in reply.mutations:
            self.journal.wrote(mailbox, function_type.names[name])
        self._touched(mailbox)

    def failed(self, mailbox: Mailbox, why: Failed | Undeclared | Cancelled, now_ms: int) -> None:
        super().failed(mailbox, why, now_ms)
        self._touched(mailbox)

    def _touched(self, mailbox: Mailbox) -> None:
        """Note the deadlines that a request has moved, however it ended."""
        for place in range(len(mailbox.deadlines or ())):
            if mailbox.function_type.specs[place].mode is ExpireMode.AFTER_INVOKE:
                self.journal.wrote(mailbox, place)

    def discard(self, address: SdkAddress, *, paused: bool = False) -> bytes:
        argument = super().discard(address, paused=paused)
        self.journal.served(address, 1)
        return argument

    def amend(self, address: SdkAddress, argument: bytes) -> None:
        super().amend(address, argument)
        mailbox = self.types[address.typename].mailboxes[address.id]
        assert mailbox.waiting  # else it was refused
        caller, argument, _ = mailbox.waiting[0]
        self.journal.amended(address, caller, argument)

    def _skip(self, mailbox: Mailbox) -> None:
        super()._skip(mailbox)
        self.journal.served(mailbox.address, 1)

    # What was written down comes back, in this order.

    def restore_specs(self, specs: Iterable[Spec]) -> None:
        """Put back the state names of all function types, each type's in the order of places."""
        for typename, _, spec in specs:
            self._type(typename).register(spec)

    def restore_values(self, values: Iterable[Value]) -> None:
        """Put back state values; the names of their types are known by now."""
        for typename, id_, name, data, deadline_ms in values:
            function_type = self._type(typename)
            mailbox = function_type.mailboxes.get(id_)
            if mailbox is None:
                mailbox = function_type.mailboxes[id_] = Mailbox(function_type, id_)
            mailbox.put_value(function_type.names[name], data, deadline_ms)

    def restore_mail(self, mail: Iterable[Mail]) -> None:
        """Put back the waiting messages, in the order of their numbers."""
        for each in mail:
            super().offer(each.target, each.caller, each.argument)
            self.journal.known(each)

    def restore_timers(self, timers: Iterable[Timer]) -> None:
        """Put back the pending delayed messages."""
        for timer in timers:
            self.timers.restore(timer)

    def _type(self, typename: str) -> FunctionType:
        known = self.types.get(typename)
        return self.add_type(address_of(typename, "")) if known is None else known


class _RestoreBar:
    """A bar over all that is read back; it shows when that takes longer than a second."""

    def __init__(self, total: int) -> None:
        self._bar = progress_bar(total=total, unit=" rows")

    def __call__(self, rows: Iterable[T]) -> Iterator[T]:
        update = self._bar.update
        for index, row in enumerate(rows, 1):
            yield row
            if not index % 1000:
                update(1000)

    def __enter__(self) -> _RestoreBar:
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.close()


class Persistence:
    """Keeps a core, its clock and its egress records in a store.

    Raises
    ------
    EngineError
        When the store cannot be read.
    """

    def __init__(self, core: DurableCore, clock: Clock, log: EgressLog, store: SqliteStore) -> None:
        self._core = core
        self._clock = clock
        self._log = log
        self._store = store
        with store.reading():
            clock.advance(max(0, store.clock_offset_ms() - clock.offset_ms))
            now_ms = clock.now_ms()
        with store.reading(), _RestoreBar(store.count()) as counted:
            core.restore_specs(store.specs())
            core.restore_values(counted(store.values(now_ms)))
            core.restore_mail(counted(store.mail()))
            core.restore_timers(counted(store.timers()))
            for record in counted(store.egress()):
                log.append(record)
            store.forget_expired(now_ms)
        self._offset_ms = clock.offset_ms

    def commit(self) -> None:
        """Write down what has changed, as a whole; only then are egress records to be seen.

        Raises
        ------
        EngineError
            When it cannot be written, or could not be: the file is gone; the store is as before.
        """
        changes = self._core.journal.take()
        offset_ms = self._clock.offset_ms
        if not any(changes) and offset_ms == self._offset_ms:
            self._store.check()
            return
        try:
            self._store.save(changes, offset_ms)
        except EngineError:
            raise
        except Exception as error:
            raise EngineError(
                f"what was done cannot be kept: {in_brief(error)}. No message is served or taken "
                "any more: call sf.stop() and start again, it goes on from what was last written"
            ) from error
        self._offset_ms = offset_ms
        for record in changes.egress:
            self._log.append(record)

    @property
    def gone(self) -> str:
        """What is to be said when the file is not there any more."""
        return self._store.gone

    def close(self) -> None:
        """Close the file: another session may open it."""
        self._store.close()
