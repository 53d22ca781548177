"""Counting who sends to whom, from recorded bytes: no payload is looked at.

A live view counts every message while it is looked at: at 100,000 messages a second each tenth of
a microsecond is one percent of the engine's time.
"""

from __future__ import annotations

from collections import Counter
from operator import attrgetter
from typing import Any

from ..address import GATEWAY
from ._pool import AddressMessage, Callers, FromFunction
from .wire import chunk

__all__ = ["count_callers", "count_egresses"]

_caller = attrgetter("caller")
_egress = attrgetter("egress_namespace", "egress_type", "statefun_nb_egress")


def count_callers(request: bytes) -> dict[str, int]:
    """How many messages of a ToFunction each function type sent; "" stands for ingresses.

    Raises
    ------
    google.protobuf.message.DecodeError
        When the bytes are no ToFunction; what was served was one.
    """
    callers: list[bytes] = list(map(_caller, Callers.FromString(request).invocation.invocations))
    counts: Counter[str] = Counter()
    outside = callers.count(b"")
    if outside:
        counts[""] = outside
        callers = [caller for caller in callers if caller]
    while callers:
        typename, head = _read(callers[0])
        # Nearly always all messages of a batch come from one or two function types, and their
        # addresses begin with the same bytes.
        if typename and callers[0].startswith(head):
            others = [caller for caller in callers if not caller.startswith(head)]
        else:  # the gateway, no names at all, or fields in another order
            others = [caller for caller in callers if _read(caller)[0] != typename]
        counts[typename] += len(callers) - len(others)
        callers = others
    return counts


def _read(caller: bytes) -> tuple[str, bytes]:
    """The typename of an encoded Address, and how addresses of that type usually begin."""
    address: Any = AddressMessage.FromString(caller)
    namespace, name = address.namespace, address.type
    typename = f"{namespace}/{name}"
    if typename in (GATEWAY, "/"):
        return "", b""
    return typename, chunk(b"\x0a", namespace.encode()) + chunk(b"\x12", name.encode())


def count_egresses(reply: bytes) -> dict[str, int]:
    """How many records of a FromFunction went to each egress."""
    records = FromFunction.FromString(reply).invocation_result.outgoing_egresses
    counts: Counter[str] = Counter()
    for (namespace, name, instead_of), count in Counter(map(_egress, records)).items():
        counts[instead_of or f"{namespace}/{name}"] += count
    return counts
