"""The facts that travel between codec, functions and engine: a batch in, its effects out.

Named tuples: immutable, and built in a third of the time of a frozen dataclass. Some are made
for every message.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import IntEnum
from typing import NamedTuple, Protocol

from ..address import SdkAddress

__all__ = [
    "LONGEST_DELAY_MS",
    "CancelDelayed",
    "Cause",
    "DelayedSend",
    "Emit",
    "ExpireMode",
    "Mutation",
    "Received",
    "Reply",
    "Request",
    "Send",
    "StateSpec",
    "TypedValue",
    "TypedValueLike",
    "new_tuple",
]

# 7,922 years: what is due later than that has no date.
LONGEST_DELAY_MS = 250_000_000_000_000

# Makes a named tuple of a class and a tuple of its fields, in half the time of calling the class:
# for what is made for each message.
new_tuple = tuple.__new__


class Cause(NamedTuple):
    """Which traced invocation sent a value: the recorder's random id and its sequence number."""

    recorder: int
    seq: int


class TypedValue(NamedTuple):
    """Bytes and the typename that says how to read them; ``value`` is None when absent."""

    typename: str
    value: bytes | None

    @property
    def has_value(self) -> bool:
        """False for an absent value (proto: ``TypedValue.has_value``)."""
        return self.value is not None


class ExpireMode(IntEnum):
    """When a state value expires (proto: ``ExpirationSpec.ExpireMode``, same numbers)."""

    NONE = 0
    AFTER_WRITE = 1
    AFTER_INVOKE = 2


class StateSpec(NamedTuple):
    """A state name as the runtime knows it. ``expire_after_ms`` is in milliseconds."""

    name: str
    typename: str
    mode: ExpireMode
    expire_after_ms: int

    @property
    def expiration(self) -> str:
        """When values are forgotten, in words.

        Examples
        --------
        >>> StateSpec("n", "x/int", ExpireMode.AFTER_WRITE, 90_000).expiration
        'expires 0:01:30 after a write'
        """
        if self.mode is ExpireMode.NONE:
            return "never expires"
        after = "write" if self.mode is ExpireMode.AFTER_WRITE else "call"
        return f"expires {timedelta(milliseconds=self.expire_after_ms)} after a {after}"


class TypedValueLike(Protocol):
    """A TypedValue, ours or the protobuf message of some SDK."""

    @property
    def typename(self) -> str: ...
    @property
    def has_value(self) -> bool: ...
    @property
    def value(self) -> bytes | None: ...


class Received(Protocol):
    """One message of a batch, as it was parsed: a ToFunction.Invocation.

    The protobuf message itself and not a record of ours: most functions look at one field of it,
    and copying all of them took 0.5 us of the 3 us that a message costs.
    """

    @property
    def argument(self) -> TypedValueLike: ...

    def SerializeToString(self) -> bytes:  # noqa: N802 - protobuf's own name
        """The message as it stands on the wire, its sender included."""


class Request(NamedTuple):
    """A decoded ToFunction: one batch for one address, by a version of the protocol."""

    target: SdkAddress
    state: dict[str, TypedValue]
    invocations: Sequence[Received]
    protocol: int = 3


class Send(NamedTuple):
    """A message to a function; ``argument`` is an encoded TypedValue, carried unopened."""

    target: SdkAddress
    argument: bytes


class DelayedSend(NamedTuple):
    """A message due in ``delay_ms`` milliseconds; ``token`` is "" when it cannot be cancelled."""

    delay_ms: int
    target: SdkAddress
    argument: bytes
    token: str


class CancelDelayed(NamedTuple):
    """A request to drop the delayed message that this address set under ``token``."""

    token: str


class Emit(NamedTuple):
    """An egress record: the egress' typename and an encoded TypedValue."""

    egress: str
    argument: bytes


class Mutation(NamedTuple):
    """The new value of a state name; ``value`` is None when the value is deleted."""

    name: str
    value: TypedValue | None


class Reply(NamedTuple):
    """A decoded FromFunction, as the engine's side reads it.

    ``missing`` is None for a result, and the specs to register for an incomplete context.
    """

    sends: Sequence[Send]
    delayed: Sequence[DelayedSend | CancelDelayed]
    egress: Sequence[Emit]
    mutations: Sequence[Mutation]
    missing: list[StateSpec] | None

    @property
    def messages(self) -> list[Send | DelayedSend]:
        """What goes to functions, at once or later."""
        return [*self.sends, *(d for d in self.delayed if not isinstance(d, CancelDelayed))]
