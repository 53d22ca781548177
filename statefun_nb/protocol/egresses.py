"""What an egress takes: the one place where both engines look before a record goes out.

A cluster finds out too late: a record that its Kafka refuses fails the whole job, and fails it
again after each restart (source: ``GenericKafkaEgressSerializer``, ``FlinkKafkaProducer``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ..errors import EngineError
from .effects import TypedValue
from .module_yaml import KAFKA_EGRESS, KINESIS_EGRESS, Document
from .records import KAFKA_RECORD, KINESIS_RECORD, decode_kafka_record

__all__ = ["LARGEST_EXCHANGE", "LARGEST_RECORD", "Egresses", "check_topic"]

# What the endpoint accepts, and with it the broker and the producers that are ours.
LARGEST_RECORD = 64 * 1024 * 1024
# What a cluster and the endpoint hand each other at once: a batch with its state, or its reply.
LARGEST_EXCHANGE = 4 * LARGEST_RECORD
# Of a producer that is told nothing else.
_KAFKA_DEFAULT = 1024 * 1024
_MAX_REQUEST = "max.request.size"
# A batch of one record has a header, and the record some lengths, beside key and value.
_FRAMING = 128
_TOPICS_KNOWN = 10_000

_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_OF_KAFKA = ("__consumer_offsets", "__transaction_state", "__cluster_metadata")

# What each kind takes, and who makes it.
_TAKES = {
    KAFKA_EGRESS: (KAFKA_RECORD, "Kafka", "sf.kafka_egress_message"),
    KINESIS_EGRESS: (KINESIS_RECORD, "Kinesis", "sf.kinesis_egress_message"),
}


def check_topic(topic: str) -> None:
    """Raise EngineError for a name that no topic of Kafka can have.

    Examples
    --------
    >>> check_topic("greetings")
    """
    if topic in (".", "..") or not _TOPIC.fullmatch(topic):
        raise EngineError(
            f"{topic!r} is not the name of a topic: Kafka takes 1 to 249 letters, digits, '.', '_' "
            "and '-', and a cluster would fail here"
        )
    if topic in _OF_KAFKA:
        raise EngineError(f"the topic {topic} is Kafka's own: a cluster would fail here")


class Egresses:
    """The egresses that module.yaml declares; a record for any other goes out by one of ours."""

    def __init__(self, documents: Iterable[Document] = ()) -> None:
        self._declared = {
            str(document.spec["id"]): (document.kind, _largest(document))
            for document in documents
            if document.is_egress and "id" in document.spec
        }
        self._topics: set[str] = set()  # those that were found to be right

    def __contains__(self, typename: str) -> bool:
        return typename in self._declared

    def check(self, typename: str, value: TypedValue, topic: str | None = None) -> None:
        """Raise for a record that this egress, or Kafka behind it, would refuse.

        Parameters
        ----------
        topic : str, optional
            Of a Kafka record, where it is known without decoding it.

        Raises
        ------
        EngineError
            When it is of another kind, for no topic that can be, or too large.
        ProtocolError
            When the bytes are no such record.
        """
        data = value.value or b""
        if topic in self._topics and typename not in self._declared and len(data) < _SURELY_FITS:
            return  # as nearly all are: it is asked for each record
        kind, largest = self._declared.get(typename, _OURS)
        wanted = _TAKES.get(kind)
        if wanted is not None and value.typename != wanted[0]:
            _, name, builder = wanted
            raise EngineError(
                f"the egress {typename} is one of {name}: it takes what {builder} makes, and no "
                f"{value.typename}; a cluster would fail here"
            )
        if value.typename == KAFKA_RECORD:
            if topic is None:
                topic = decode_kafka_record(data).topic
            if topic not in self._topics:
                check_topic(topic)
                if len(self._topics) < _TOPICS_KNOWN:
                    self._topics.add(topic)
        if len(data) + _FRAMING > largest:
            raise EngineError(_too_large(typename, len(data), largest, declared=kind != ""))


_OURS = ("", LARGEST_RECORD)
_SURELY_FITS = LARGEST_RECORD - _FRAMING


def _largest(document: Document) -> int:
    if document.kind != KAFKA_EGRESS:
        return LARGEST_RECORD
    properties: Any = document.spec.get("properties") or ()
    for each in properties if isinstance(properties, list) else ():
        size = each.get(_MAX_REQUEST) if isinstance(each, dict) else None
        if size is not None and str(size).isdecimal():
            return int(size)
    return _KAFKA_DEFAULT


def _too_large(typename: str, size: int, largest: int, *, declared: bool) -> str:
    more = (
        f"; its module.yaml can raise that (properties: [{_MAX_REQUEST}: ...])" if declared else ""
    )
    return (
        f"a record of {size:,} bytes is too large for the egress {typename}, whose producer takes "
        f"{largest:,}: a cluster would fail here{more}"
    )
