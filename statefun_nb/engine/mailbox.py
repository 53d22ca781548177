"""A mailbox: what the engine knows of one address."""

from __future__ import annotations

from collections import deque
from itertools import zip_longest
from typing import NamedTuple

from ..address import SdkAddress
from ..effects import ExpireMode, StateSpec, TypedValue
from ..errors import EngineError, type_is_kept

__all__ = ["FunctionType", "Mailbox", "Parked"]

_new = tuple.__new__  # half the time of calling a NamedTuple's class

# A message that waits: who sent it, and the encoded TypedValue, carried unopened.
Envelope = tuple[SdkAddress | None, bytes]


class Parked(NamedTuple):
    """Why an address does not go on. ``undeclared``: nobody serves its function type yet."""

    reason: str
    undeclared: bool


class FunctionType:
    """The state names of one function type, as its functions asked for them.

    The runtime learns them from the functions (source: ``PersistedRemoteFunctionValues``), keeps
    each for good, and applies neither a new expiration nor a new type to a name it knows.
    """

    __slots__ = (
        "batch_limit",
        "expires",
        "mailboxes",
        "name",
        "names",
        "namespace",
        "specs",
        "typename",
    )

    def __init__(self, address: SdkAddress, batch_limit: int) -> None:
        self.batch_limit = batch_limit  # messages in one request; 0: any number
        self.namespace, self.name, _, self.typename = address
        self.specs: list[StateSpec] = []
        self.names: dict[str, int] = {}
        self.expires = False
        self.mailboxes: dict[str, Mailbox] = {}  # by id; only ever added to

    def register(self, spec: StateSpec) -> bool:
        """Remember a name; False when it was known already.

        Raises
        ------
        EngineError
            When the name is known with another typename.
        """
        index = self.names.get(spec.name)
        if index is not None:
            self.check_type(index, spec.typename)
            return False
        self.names[spec.name] = len(self.specs)
        self.specs.append(spec)
        self.expires = self.expires or spec.mode is not ExpireMode.NONE
        return True

    def check_type(self, index: int, typename: str) -> None:
        """Raise when a value of this typename cannot be stored under the name at ``index``."""
        known = self.specs[index]
        if known.typename != typename:
            raise EngineError(type_is_kept(self.typename, known.name, known.typename, typename))


class Mailbox:
    """One address: its waiting messages, its request in flight, its state.

    ``values`` (bytes; their typenames are those of the specs) and ``deadlines`` (milliseconds; 0
    is never) follow ``FunctionType.specs``; both may be shorter: what is not there is absent.
    Slotted and with no container that is not needed: a million idle addresses must fit.
    """

    __slots__ = (
        "attempts",
        "deadlines",
        "id",
        "in_flight",
        "isolate",
        "kind",
        "parked",
        "queued",
        "values",
        "waiting",
    )

    def __init__(self, kind: FunctionType, id: str) -> None:
        self.kind = kind
        # And not its address, one more object for the garbage collector to visit again and again.
        self.id = id
        # A list while all of it goes out at once, which is nearly always: a deque takes 600 bytes.
        self.waiting: list[Envelope] | deque[Envelope] | None = None
        self.in_flight: list[Envelope] | None = None
        self.queued = False
        self.parked: Parked | None = None
        self.isolate = 0  # so many messages go out one by one, to find the one that fails
        self.attempts = 0  # failures of the message at the head, for the back-off
        # A tuple: the garbage collector leaves one of bytes alone.
        self.values: tuple[bytes | None, ...] = ()
        self.deadlines: list[int] | None = None

    @property
    def address(self) -> SdkAddress:
        """Whose mailbox it is."""
        kind = self.kind
        return _new(SdkAddress, (kind.namespace, kind.name, self.id, kind.typename))

    def put(self, envelope: Envelope) -> None:
        """Add a message at the end."""
        if self.waiting is None:
            self.waiting = [envelope]
        else:
            self.waiting.append(envelope)

    def take(self, limit: int) -> list[Envelope]:
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
        """The batch in flight did not go through: to the head again, in order."""
        batch, self.in_flight = self.in_flight, None
        if batch:
            waiting = self.waiting = deque(self.waiting or ())
            waiting.extendleft(reversed(batch))

    def drop_head(self) -> None:
        """The message at the head is given up."""
        waiting = self.waiting = deque(self.waiting or ())
        waiting.popleft()
        if not waiting:
            self.waiting = None

    def read(self, now_ms: int, *, touch: bool) -> dict[str, TypedValue | None]:
        """The state by name, None where absent; ``touch`` restarts AFTER_INVOKE clocks.

        Source: ``ExpirationUtil``: processing time, expired values are never returned.
        """
        values = self.values
        if not values:
            return dict.fromkeys(self.kind.names)
        if self.deadlines is not None:
            self._expire(now_ms, touch=touch)
            values = self.values
        return {
            spec.name: None if data is None else _new(TypedValue, (spec.typename, data))
            for spec, data in zip_longest(self.kind.specs, values)
        }

    def _expire(self, now_ms: int, *, touch: bool) -> None:
        assert self.deadlines is not None
        for index, deadline in enumerate(self.deadlines):
            if not deadline:
                continue
            if deadline <= now_ms:
                self._set(index, None)
                self.deadlines[index] = 0
            elif touch and self.kind.specs[index].mode is ExpireMode.AFTER_INVOKE:
                self.deadlines[index] = now_ms + self.kind.specs[index].expire_after_ms

    def _set(self, index: int, data: bytes | None) -> None:
        values = self.values
        if len(values) <= index:
            values += (None,) * (index + 1 - len(values))
        self.values = (*values[:index], data, *values[index + 1 :])

    def write(self, index: int, value: TypedValue | None, now_ms: int) -> None:
        """Store or delete the value of the name at ``index``."""
        spec = self.kind.specs[index]
        has_clock = value is not None and spec.mode is not ExpireMode.NONE
        deadline_ms = now_ms + spec.expire_after_ms if has_clock else 0
        self.put_value(index, None if value is None else value.value, deadline_ms)

    def put_value(self, index: int, data: bytes | None, deadline_ms: int) -> None:
        """Store or delete the value of the name at ``index``, with the time when it expires."""
        self._set(index, data)
        if not self.kind.expires:
            return
        if self.deadlines is None:
            self.deadlines = []
        if index >= len(self.deadlines):
            self.deadlines.extend([0] * (index + 1 - len(self.deadlines)))
        self.deadlines[index] = deadline_ms
