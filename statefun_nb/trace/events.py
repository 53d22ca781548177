"""What the trace tells: frozen records, decoded when they are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from ..address import SdkAddress
from ..errors import ProtocolError
from ..protocol.effects import TypedValue
from ..protocol.records import (
    EGRESS_TOPIC,
    KAFKA_RECORD,
    KINESIS_RECORD,
    PLAYGROUND_RECORD,
    decode_kafka_record,
    decode_kinesis_record,
    decode_playground_record,
)
from ..protocol.v3 import decode_typed_value
from ..sdk.inference import decode_value
from ..tables import html_table, text_table

__all__ = [
    "AskedStatus",
    "Cancellation",
    "Delayed",
    "EgressRecord",
    "Invocation",
    "InvocationError",
    "InvocationStatus",
    "Payload",
    "Sent",
    "differs",
    "egress_record",
]

# What can become of an invocation; the last of a batch that failed takes the others back.
InvocationStatus = Literal["ok", "error", "rolled back"]
# What can be asked for: of the errors also those whose message has gone through since.
AskedStatus = Literal[InvocationStatus, "repaired"]


class Payload(NamedTuple):
    """A typename and bytes; ``value`` decodes them.

    Examples
    --------
    >>> Payload("io.statefun.types/bool", b"").value
    False
    """

    typename: str
    data: bytes | None

    @property
    def value(self) -> Any:
        """The Python value when the type is known and the bytes are sound, else the bytes."""
        try:
            return decode_value(TypedValue(self.typename, self.data))
        except (ProtocolError, ValueError, RecursionError):  # the last: JSON of 1,000 levels
            return self.data

    def __repr__(self) -> str:
        return f"Payload({self.typename!r}, {self.value!r})"


class Sent(NamedTuple):
    """A message that an invocation sent."""

    target: SdkAddress
    message: Payload


class Delayed(NamedTuple):
    """A message that an invocation sent with a delay; ``token`` is "" when it has none."""

    target: SdkAddress
    message: Payload
    delay: timedelta
    token: str


class Cancellation(NamedTuple):
    """A delayed message that an invocation asked to drop; none may have been pending by then."""

    token: str


class EgressRecord(NamedTuple):
    """A record that went to an egress.

    ``topic`` is the Kafka topic or Kinesis stream, ``key`` the Kafka key or Kinesis partition key;
    both are None for other egresses. ``value`` is text where the bytes are UTF-8.
    """

    egress: str
    topic: str | None
    key: str | None
    value: Any
    payload: Payload

    def __repr__(self) -> str:
        """Without the payload: ``value`` shows what a person wants to see of it."""
        where = f"{self.egress!r}, topic={self.topic!r}, key={self.key!r}"
        return f"EgressRecord({where}, value={self.value!r})"


class InvocationError(NamedTuple):
    """What an invocation raised: the exception's class, its text and its traceback.

    ``retries`` counts how often the very same message came again and failed again: all its attempts
    are one error. ``repaired`` says that it has gone through since.
    """

    type: str
    message: str
    traceback: str
    retries: int = 0
    repaired: bool = False

    @property
    def text(self) -> str:
        """Class and message in one line; the class alone where there is no message."""
        return f"{self.type}: {self.message}" if self.message else self.type


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One message served by one function.

    ``seq`` counts invocations in the order they started, ``batch`` the requests they came in.
    ``duration`` is in seconds. ``cause`` is the ``seq`` of the invocation that sent the message,
    None when it came from an ingress or when that is not known. ``rolled_back`` is what ``status``
    tells of.
    """

    seq: int
    time: datetime
    address: SdkAddress
    caller: SdkAddress | None
    message: Payload
    state_before: dict[str, Any]
    state_after: dict[str, Any]
    sent: tuple[Sent, ...] = ()
    egress: tuple[EgressRecord, ...] = ()
    delayed: tuple[Delayed, ...] = ()
    cancelled: tuple[Cancellation, ...] = ()
    duration: float = 0.0
    error: InvocationError | None = None
    stdout: str = ""
    function_version: int = 1
    batch: int = 0
    cause: int | None = None
    rolled_back: bool = False

    @property
    def status(self) -> InvocationStatus:
        """``ok``, ``error``, or ``rolled back``: undone, for another message of its batch failed.

        What was rolled back has no error of its own, and its message comes again.
        """
        if self.error is not None:
            return "error"
        return "rolled back" if self.rolled_back else "ok"

    @property
    def repaired(self) -> bool:
        """Is it an error whose message has gone through since?"""
        return self.error is not None and self.error.repaired

    @property
    def changed(self) -> bool:
        """Has it changed its state?"""
        return differs(self.state_before, self.state_after)

    def _fields(self) -> list[tuple[str, object]]:
        """What a person wants to see of it, empty parts left out."""
        rows: list[tuple[str, object]] = [
            ("address", str(self.address)),
            ("caller", str(self.caller) if self.caller else "ingress"),
            ("message", self.message.value),
            ("state before", self.state_before),
            ("state after", self.state_after),
        ]
        rows += [("sent", f"{sent.target}: {sent.message.value!r}") for sent in self.sent]
        rows += [
            ("delayed", f"{each.target} in {each.delay}: {each.message.value!r}")
            for each in self.delayed
        ]
        rows += [("asks to cancel", each.token) for each in self.cancelled]
        rows += [
            ("egress", f"{each.egress} {each.topic or ''} {each.key or ''}: {each.value!r}")
            for each in self.egress
        ]
        if self.stdout:
            rows.append(("printed", self.stdout.rstrip("\n")))
        if self.error:
            rows.append(("error", self.error.text))
            if self.error.retries:
                rows.append(("attempts", self.error.retries + 1))
            if self.error.repaired:
                rows.append(("repaired", "its message has gone through since"))
        if self.rolled_back:
            rows.append(("rolled back", "another message of its batch failed: it comes again"))
        if self.cause is not None:
            rows.append(("cause", f"invocation {self.cause}"))
        return rows

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002
        printer.text(text_table(f"invocation {self.seq}", ["", self.status], self._fields()))

    def _repr_html_(self) -> str:
        return html_table(f"invocation {self.seq}", ["", self.status], self._fields())


def differs(before: object, after: object) -> bool:
    """Are two state values different? Some of a user's, arrays for one, cannot say so in a word."""
    try:
        return bool(before != after)
    except KeyboardInterrupt:  # of whoever looks at it
        raise
    except BaseException:  # a comparison of the user's may raise anything
        return before is not after


def egress_record(egress: str, argument: TypedValue) -> EgressRecord:
    """The record that an egress message carries, with Kafka and Kinesis records opened."""
    payload = Payload(*argument)
    data = argument.value or b""
    try:
        if argument.typename == KAFKA_RECORD:
            kafka = decode_kafka_record(data)
            if kafka.topic == EGRESS_TOPIC:
                return egress_record(egress, decode_typed_value(kafka.value))
            return EgressRecord(egress, kafka.topic, kafka.key or None, _text(kafka.value), payload)
        if argument.typename == KINESIS_RECORD:
            kinesis = decode_kinesis_record(data)
            value = _text(kinesis.value)
            return EgressRecord(egress, kinesis.stream, kinesis.partition_key, value, payload)
        if argument.typename == PLAYGROUND_RECORD:
            topic, content = decode_playground_record(data)
            return EgressRecord(egress, topic, None, content, payload)
    except ValueError:  # a ProtocolError is one
        pass  # whoever wrote it chose other bytes than its typename says: show them as they are
    return EgressRecord(egress, None, None, payload.value, payload)


def _text(data: bytes) -> Any:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
