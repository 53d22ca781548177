"""Reads back what functions have emitted: from the topics of Kafka that it went to."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Iterator
from operator import itemgetter

from ..protocol.effects import Emit, TypedValue
from ..protocol.records import EGRESS_TOPIC, KAFKA_RECORD, KafkaRecord, encode_kafka_record
from ..protocol.wire import typed_value_bytes
from .kafka import Clients, Record
from .observed import Observed

__all__ = ["EgressReader"]

_POLL_SECONDS = 0.03
_EGRESS_SECONDS = 5.0


class EgressReader:
    """The records of a session's egresses; callable from any thread.

    Parameters
    ----------
    clients : Clients
    observed : Observed
        Knows which topics records went to, and how many.
    """

    def __init__(self, clients: Clients, observed: Observed) -> None:
        self._clients = clients
        self._observed = observed
        self._lock = threading.Lock()
        self._read: dict[str, list[Record]] = {}  # by topic, and where to read on, by partition
        self._read_to: dict[str, dict[int, int]] = {}

    def records(self, typename: str | None) -> list[Emit]:
        """The records of one egress, or of all: see ``Engine.egress`` for their order."""
        egresses = [typename] if typename is not None else sorted(self._observed.emitted)
        partitions = [each for egress in egresses for each in self._partitions(egress)]
        # Not sorted: the times in a partition may go back, where two processes write to it.
        return [emit for _, emit in heapq.merge(*partitions, key=itemgetter(0))]

    def _partitions(self, typename: str) -> Iterator[list[tuple[int, Emit]]]:
        """The records of an egress and their times, by the partition of Kafka that has them."""
        for topic, count in tuple(self._observed.emitted.get(typename, {}).items()):
            found: dict[int, list[tuple[int, Emit]]] = {}
            for record in self._topic(topic, typename if topic == EGRESS_TOPIC else None, count):
                of_it = found.setdefault(record.partition, [])
                of_it.append((record.time_ms, _emit(typename, record)))
            yield from found.values()

    def _topic(self, topic: str, key: str | None, count: int) -> list[Record]:
        """The records of a topic; waits a little for what was emitted and is not there yet."""
        deadline = time.monotonic() + _EGRESS_SECONDS
        while True:
            with self._lock:
                records = self._read.setdefault(topic, [])
                read_to = self._read_to.setdefault(topic, {})
                new = self._clients.read(topic, read_to)
                read_to.update((record.partition, record.offset + 1) for record in new)
                records += new
                found = [r for r in records if key is None or (r.key or b"").decode() == key]
            if len(found) >= count or time.monotonic() > deadline:
                return found
            time.sleep(_POLL_SECONDS)


def _emit(typename: str, record: Record) -> Emit:
    if record.topic == EGRESS_TOPIC:
        return Emit(typename, record.value)
    key = (record.key or b"").decode(errors="replace")
    kafka = encode_kafka_record(KafkaRecord(record.topic, key, record.value))
    return Emit(typename, typed_value_bytes(TypedValue(KAFKA_RECORD, kafka)))
