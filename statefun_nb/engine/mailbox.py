"""A mailbox: what the engine knows of one address."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

from ..address import SdkAddress
from ..errors import EngineError, expiration_is_kept, type_is_kept
from ..protocol.effects import ExpireMode, StateSpec, TypedValue, new_tuple
from .mailbox_state import MailboxState

__all__ = ["FunctionType", "KeptStates", "Mailbox", "QueuedMessage", "check_target"]

_LAST_MS = (1 << 63) - 1  # of 64 bits, as the runtime's times

# A message that waits: who sent it, the encoded TypedValue, carried unopened, and when it came, in
# milliseconds; 0 where that is not known.
QueuedMessage = tuple[SdkAddress | None, bytes, int]


class _Held(NamedTuple):
    """Who has a value of a state name, and how many had when it was looked for."""

    place: int
    mailbox: Mailbox
    holders: int


class FunctionType:
    """The state names of one function type, as its functions asked for them.

    The runtime learns them from the functions (source: ``PersistedRemoteFunctionValues``), keeps
    each for good, and applies neither a new expiration nor a new type to a name it knows. Here
    both are corrected by a cell that is run again, as long as no value is there.
    """

    __slots__ = (
        "expires",
        "held",
        "mailboxes",
        "name",
        "names",
        "namespace",
        "specs",
        "typename",
    )

    def __init__(self, address: SdkAddress) -> None:
        self.namespace, self.name, _, self.typename = address
        self.specs: list[StateSpec] = []
        self.names: dict[str, int] = {}
        self.expires = False
        self.held: _Held | None = None  # looked at first when a value of its name is sought
        self.mailboxes: dict[str, Mailbox] = {}  # by id; only ever added to

    def register(self, spec: StateSpec, now_ms: int = 0) -> bool:
        """Remember a name, or its new type and expiration; False when all was known already.

        Raises
        ------
        EngineError
            When the name is known with another type or expiration, and a value of it is there.
        """
        index = self.names.get(spec.name)
        if index is None:
            self.specs.append(spec)
            # The last: ``knows_otherwise`` may be asked meanwhile.
            self.names[spec.name] = len(self.specs) - 1
            self.expires = self.expires or spec.mode is not ExpireMode.NONE
            return True
        if self.specs[index] == spec:
            return False
        if problem := self._why_kept(index, spec, now_ms):
            raise EngineError(problem)
        for mailbox in self.mailboxes.values():
            mailbox.forget(index)  # what has expired, and was of the former type
        self.specs[index] = spec
        self.expires = any(each.mode is not ExpireMode.NONE for each in self.specs)
        return True

    def knows_otherwise(self, specs: Iterable[StateSpec]) -> bool:
        """Is one of these names known, and not as here? Can be asked from any thread."""
        return any(True for _ in self._otherwise(specs))

    def kept_otherwise(self, specs: Iterable[StateSpec], now_ms: int) -> str:
        """What ``register`` would say against these; "" when it would take them."""
        self.held = None  # counted anew: functions may have cleared some
        problems = (self._why_kept(at, spec, now_ms) for at, spec in self._otherwise(specs))
        return next(filter(None, problems), "")

    def _otherwise(self, specs: Iterable[StateSpec]) -> Iterator[tuple[int, StateSpec]]:
        """Those whose name is known, and not as here; and where."""
        for spec in specs:
            index = self.names.get(spec.name)
            if index is not None and self.specs[index] != spec:
                yield index, spec

    def _why_kept(self, index: int, wanted: StateSpec, now_ms: int) -> str:
        """Why a name does not become what is wanted: who has a value; "" when nobody has."""
        held = self.held
        if held is None or held.place != index or not held.mailbox.holds(index, now_ms):
            found = [m for m in self.mailboxes.values() if m.holds(index, now_ms)]
            self.held = held = _Held(index, found[0], len(found)) if found else None
        if held is None:
            return ""
        known = self.specs[index]
        where, others = f"{self.typename!r}, {held.mailbox.id!r}", held.holders - 1
        if known.typename != wanted.typename:
            return type_is_kept(
                self.typename, known.name, known.typename, wanted.typename, where, others
            )
        return expiration_is_kept(
            self.typename, known.name, known.expiration, wanted.expiration, where, others
        )

    def placed(
        self, values: Mapping[str, TypedValue | None], specs: Iterable[StateSpec], now_ms: int
    ) -> dict[int, TypedValue | None]:
        """Values by their place, after ``specs`` have been registered.

        Raises
        ------
        EngineError
            When a name or a type is not as it is kept.
        """
        for spec in specs:
            self.register(spec, now_ms)
        placed = {}
        for name, value in values.items():
            index = self.names.get(name)
            if index is None:
                raise EngineError(
                    f"{self.typename} has no state {name!r} yet: send it a message first"
                )
            if value is not None:
                self.check_type(index, value.typename)
            placed[index] = value
        return placed

    def check_type(self, index: int, typename: str) -> None:
        """Raise when a value of this typename cannot be stored under the name at ``index``."""
        known = self.specs[index]
        if known.typename != typename:
            raise EngineError(type_is_kept(self.typename, known.name, known.typename, typename))


def check_target(sender: str, target: SdkAddress) -> None:
    """Raise when a message of a function goes to what is no address."""
    if not target.namespace or not target.name or target.typename.count("/") != 1:
        raise EngineError(f"{sender} sent a message to {target.typename!r}: no such typename")


class Mailbox:
    """One address: its waiting messages, its request in flight, its state.

    ``values`` (bytes; their typenames are those of the specs) and ``deadlines`` (milliseconds; 0
    is never) follow ``FunctionType.specs``; both may be shorter: what is not there is absent.
    Slotted and with no container that is not needed: a million idle addresses must fit.
    """

    __slots__ = (
        "attempts",
        "deadlines",
        "function_type",
        "id",
        "in_flight",
        "isolate",
        "state",
        "values",
        "waiting",
    )

    def __init__(self, function_type: FunctionType, id: str) -> None:
        self.function_type = function_type
        # And not its address, one more object for the garbage collector to visit again and again.
        self.id = id
        # A list while all of it goes out at once, which is nearly always: a deque takes 600 bytes.
        self.waiting: list[QueuedMessage] | deque[QueuedMessage] | None = None
        self.in_flight: list[QueuedMessage] | None = None
        self.state = MailboxState.IDLE  # changed by Core._move alone
        self.isolate = 0  # so many messages go out one by one, to find the one that fails
        self.attempts = 0  # failures of the message at the head, for the back-off
        # A tuple: the garbage collector leaves one of bytes alone.
        self.values: tuple[bytes | None, ...] = ()
        self.deadlines: list[int] | None = None

    @property
    def address(self) -> SdkAddress:
        """The address that this is the mailbox of."""
        of = self.function_type
        return new_tuple(SdkAddress, (of.namespace, of.name, self.id, of.typename))

    def put(self, message: QueuedMessage) -> None:
        """Add a message at the end."""
        if self.waiting is None:
            self.waiting = [message]
        else:
            self.waiting.append(message)

    def take(self, limit: int) -> list[QueuedMessage]:
        """Take up to ``limit`` messages from the head (0: all), as the batch in flight."""
        waiting = self.waiting
        assert waiting  # only mailboxes with mail are served
        if self.isolate:
            limit = 1
        if limit <= 0 or len(waiting) <= limit:
            batch = waiting if isinstance(waiting, list) else list(waiting)
            self.waiting = None
        else:
            if isinstance(waiting, list):  # from here on something is left: be quick at the head
                waiting = self.waiting = deque(waiting)
            batch = [waiting.popleft() for _ in range(limit)]
        self.in_flight = batch
        return batch

    def put_back(self) -> None:
        """Return the batch in flight, which did not go through, to the head, in order."""
        batch, self.in_flight = self.in_flight, None
        if batch:
            waiting = self.waiting = deque(self.waiting or ())
            waiting.extendleft(reversed(batch))

    def drop_head(self) -> QueuedMessage:
        """Give up the message at the head."""
        waiting = self.waiting = deque(self.waiting or ())
        message = waiting.popleft()
        if not waiting:
            self.waiting = None
        return message

    def read(self, now_ms: int, *, touch: bool) -> dict[str, TypedValue | None]:
        """The state by name, None where absent; ``touch`` restarts AFTER_INVOKE clocks.

        Source: ``ExpirationUtil``: processing time, expired values are never returned.
        """
        values = self.values
        if not values:
            return dict.fromkeys(self.function_type.names)
        if self.deadlines is not None:
            self._expire(now_ms, touch=touch)
            values = self.values
        return _by_name(self.function_type.specs, values)

    def _expire(self, now_ms: int, *, touch: bool) -> None:
        assert self.deadlines is not None
        for index, deadline in enumerate(self.deadlines):
            if not deadline:
                continue
            if deadline <= now_ms:
                self._set(index, None)
                self.deadlines[index] = 0
            elif touch and self.function_type.specs[index].mode is ExpireMode.AFTER_INVOKE:
                self.deadlines[index] = _deadline(self.function_type.specs[index], now_ms)

    def _set(self, index: int, data: bytes | None) -> None:
        values = self.values
        if len(values) <= index:
            values += (None,) * (index + 1 - len(values))
        self.values = (*values[:index], data, *values[index + 1 :])

    def holds(self, index: int, now_ms: int) -> bool:
        """Is there a value of the name at ``index``, which has not expired?"""
        if len(self.values) <= index or self.values[index] is None:
            return False
        deadlines = self.deadlines or ()
        return len(deadlines) <= index or not 0 < deadlines[index] <= now_ms

    def forget(self, index: int) -> None:
        """Drop the value of the name at ``index``, and when it expires."""
        if len(self.values) > index:
            self._set(index, None)
        if self.deadlines is not None and len(self.deadlines) > index:
            self.deadlines[index] = 0

    def write(self, index: int, value: TypedValue | None, now_ms: int) -> None:
        """Store or delete the value of the name at ``index``."""
        spec = self.function_type.specs[index]
        has_clock = value is not None and spec.mode is not ExpireMode.NONE
        deadline_ms = _deadline(spec, now_ms) if has_clock else 0
        self.put_value(index, None if value is None else value.value, deadline_ms)

    def put_value(self, index: int, data: bytes | None, deadline_ms: int) -> None:
        """Store or delete the value of the name at ``index``, with the time when it expires."""
        self._set(index, data)
        if not self.function_type.expires:
            return
        if self.deadlines is None:
            self.deadlines = []
        if index >= len(self.deadlines):
            self.deadlines.extend([0] * (index + 1 - len(self.deadlines)))
        self.deadlines[index] = deadline_ms


class KeptStates(Mapping[str, dict[str, TypedValue | None]]):
    """What the addresses of a type keep at one moment, by id; made of the bytes when looked at."""

    def __init__(self, function_type: FunctionType, now_ms: int) -> None:
        mailboxes = function_type.mailboxes
        if function_type.expires:
            for mailbox in mailboxes.values():
                if mailbox.deadlines is not None:
                    mailbox._expire(now_ms, touch=False)
        self._specs = tuple(function_type.specs)
        self._values = {
            id_: mailbox.values
            for id_, mailbox in mailboxes.items()
            if mailbox.values.count(None) < len(mailbox.values)
        }

    def __getitem__(self, id: str) -> dict[str, TypedValue | None]:
        return _by_name(self._specs, self._values[id])

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _by_name(
    specs: Sequence[StateSpec], values: Sequence[bytes | None]
) -> dict[str, TypedValue | None]:
    return {
        spec.name: None if data is None else new_tuple(TypedValue, (spec.typename, data))
        for spec, data in zip_longest(specs, values)
    }


def _deadline(spec: StateSpec, now_ms: int) -> int:
    """When a value that is written or read now expires, as a number that a file has room for."""
    return min(now_ms + spec.expire_after_ms, _LAST_MS)
