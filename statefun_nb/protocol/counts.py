"""Counting who sends to whom, from recorded bytes: no payload is looked at.

A live view counts every message while it is looked at: at 100,000 messages a second each tenth of
a microsecond is one percent of the engine's time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..address import GATEWAY
from ._pool import EgressMessage, InvocationMessage, UnreadReply, UnreadRequest
from .wire import chunk

__all__ = ["count_callers", "count_egresses"]

# The tag of Invocation.argument, its second field; where its first, the caller's address, begins.
_ARGUMENT = 0x12
_ADDRESS = 2
# EgressMessage.statefun_nb_egress, its last field.
_INSTEAD = b"\xb2\xc8\x03"

# Reads one part of a batch: its typename, and how others of that type usually begin; b"" where
# nothing can be said of that.
_Read = Callable[[bytes], tuple[str, bytes]]


def count_callers(request: bytes) -> dict[str, int]:
    """How many messages of a ToFunction each function type sent; "" stands for ingresses.

    Raises
    ------
    google.protobuf.message.DecodeError
        When the bytes are no ToFunction; what was served was one.
    """
    invocations = UnreadRequest.FromString(request).invocation.invocations
    try:
        # A message from outside is an argument alone; of nearly all the next byte is its length.
        # (Not ``startswith``: it takes twice the time.)
        sent = [each for each in invocations if each[0] != _ARGUMENT or each[1] + 2 != len(each)]
    except IndexError:  # one without anything
        sent = invocations
    outside = len(invocations) - len(sent)
    counts = _count(sent, _caller, _ADDRESS)
    if outside:
        counts[""] = counts.get("", 0) + outside
    return counts


def count_egresses(reply: bytes) -> dict[str, int]:
    """How many records of a FromFunction went to each egress."""
    records = UnreadReply.FromString(reply).invocation_result.outgoing_egresses
    return _count(records, _egress_instead if _INSTEAD in reply else _egress, 0)


def _count(parts: Sequence[bytes], read: _Read, start: int) -> dict[str, int]:
    """How many of these have each typename.

    Nearly always all of a batch have one or two, and begin with the same bytes, from ``start`` on:
    so few of them are read.
    """
    counts: dict[str, int] = {}
    while parts:
        typename, head = read(parts[0])
        others: Sequence[bytes] = parts
        if head:
            stop = start + len(head)
            others = [each for each in parts if each[start:stop] != head]
        if len(others) == len(parts):  # no names at all, or fields in another order
            others = [each for each in parts if read(each)[0] != typename]
        counts[typename] = counts.get(typename, 0) + len(parts) - len(others)
        parts = others
    return counts


def _caller(invocation: bytes) -> tuple[str, bytes]:
    address = InvocationMessage.FromString(invocation).caller
    namespace, name = address.namespace, address.type
    typename = f"{namespace}/{name}"
    return "" if typename in (GATEWAY, "/") else typename, _head(namespace, name)


def _egress(record: bytes) -> tuple[str, bytes]:
    read = EgressMessage.FromString(record)
    namespace, name = read.egress_namespace, read.egress_type
    return f"{namespace}/{name}", _head(namespace, name)


def _egress_instead(record: bytes) -> tuple[str, bytes]:
    """Of records that may name another egress at their end."""
    read: Any = EgressMessage.FromString(record)
    return read.statefun_nb_egress or _egress(record)[0], b""


def _head(namespace: str, name: str) -> bytes:
    """The first two fields of an address and of a record, where both have a text."""
    if not namespace or not name:
        return b""  # a field that is empty is not there
    return chunk(b"\x0a", namespace.encode()) + chunk(b"\x12", name.encode())
