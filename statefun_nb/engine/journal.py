"""What has changed in a core since it was last written down; no file in here."""

from __future__ import annotations

from typing import NamedTuple

from ..address import SdkAddress
from ..protocol.effects import Emit, StateSpec, new_tuple
from .facts import Timer
from .mailbox import FunctionType, Mailbox

__all__ = ["Changes", "Journal", "Mail", "Spec", "Value"]


class Mail(NamedTuple):
    """A message that waits; ``number`` gives the order in which all of them came."""

    number: int
    target: SdkAddress
    caller: SdkAddress | None
    argument: bytes


class Spec(NamedTuple):
    """A state name of a function type, and its place among the others."""

    typename: str
    place: int
    spec: StateSpec


class Value(NamedTuple):
    """A state value, None when it was deleted; ``deadline_ms`` is 0 when it does not expire."""

    typename: str
    id: str
    name: str
    value: bytes | None
    deadline_ms: int


class Changes(NamedTuple):
    """All that has to be written, at once or not at all. ``served`` and ``ended`` are numbers."""

    specs: list[Spec]
    values: list[Value]
    mail: list[Mail]
    served: list[int]
    timers: list[Timer]
    ended: list[int]
    egress: list[Emit]


class Journal:
    """Notes changes until they are taken; what came and went in between leaves no trace."""

    def __init__(self) -> None:
        self._next_number = 1
        # The numbers of the messages of each address, in their order; those in flight as well.
        self._numbers: dict[SdkAddress, list[int]] = {}
        self._mail: dict[int, Mail] = {}
        self._served: list[int] = []
        self._types: dict[FunctionType, None] = {}
        self._values: dict[tuple[Mailbox, int], None] = {}
        self._timers: dict[int, Timer] = {}
        self._ended: list[int] = []
        self._egress: list[Emit] = []

    def came(self, target: SdkAddress, caller: SdkAddress | None, argument: bytes) -> None:
        """Note a message that was put into the mailbox of ``target``."""
        number = self._next_number
        self._mail[number] = new_tuple(Mail, (number, target, caller, argument))
        self._numbers.setdefault(target, []).append(number)
        self._next_number = number + 1

    def known(self, mail: Mail) -> None:
        """Take in a message that waits and is written down already."""
        self._numbers.setdefault(mail.target, []).append(mail.number)
        self._next_number = mail.number + 1

    def served(self, target: SdkAddress, count: int) -> None:
        """Note that the first ``count`` messages of a mailbox are done with."""
        numbers, mail, served = self._numbers[target], self._mail, self._served
        for number in numbers[:count]:
            if mail.pop(number, None) is None:
                served.append(number)
        if len(numbers) == count:
            del self._numbers[target]
        else:
            del numbers[:count]

    def amended(self, target: SdkAddress, caller: SdkAddress | None, argument: bytes) -> None:
        """Note that the first message of a mailbox is another one now, in the same place."""
        number = self._numbers[target][0]
        if number not in self._mail:
            self._served.append(number)  # as it was it is in the file
        self._mail[number] = Mail(number, target, caller, argument)

    def learnt(self, function_type: FunctionType) -> None:
        """Note that a function type has new state names."""
        self._types[function_type] = None

    def wrote(self, mailbox: Mailbox, place: int) -> None:
        """Note that a state value, or the time when it expires, is another one now."""
        self._values[(mailbox, place)] = None

    def set_timer(self, timer: Timer) -> None:
        """Note a delayed message that was set."""
        self._timers[timer.number] = timer

    def end_timer(self, number: int) -> None:
        """Note that a delayed message fell due or was cancelled."""
        if self._timers.pop(number, None) is None:
            self._ended.append(number)

    def emit(self, record: Emit) -> None:
        """Note an egress record that was emitted."""
        self._egress.append(record)

    def take(self) -> Changes:
        """What has changed since the last time."""
        changes = Changes(
            [
                Spec(function_type.typename, place, spec)
                for function_type in self._types
                for place, spec in enumerate(function_type.specs)
            ],
            [_value(mailbox, place) for mailbox, place in self._values],
            list(self._mail.values()),
            self._served,
            list(self._timers.values()),
            self._ended,
            self._egress,
        )
        self._types.clear()
        self._values.clear()
        self._mail.clear()
        self._timers.clear()
        self._served, self._ended, self._egress = [], [], []
        return changes


def _value(mailbox: Mailbox, place: int) -> Value:
    values, deadlines = mailbox.values, mailbox.deadlines or ()
    return Value(
        mailbox.function_type.typename,
        mailbox.id,
        mailbox.function_type.specs[place].name,
        values[place] if place < len(values) else None,
        deadlines[place] if place < len(deadlines) else 0,
    )
