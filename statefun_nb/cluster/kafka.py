"""Kafka: one node as a local process, and the clients that talk to it."""

from __future__ import annotations

import secrets
import shlex
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import EngineError, install_command
from ..protocol.egresses import LARGEST_RECORD
from ..tables import counted
from .runtime import Runtime

__all__ = [
    "BROKER_BYTES",
    "Clients",
    "Record",
    "broker_command",
    "kafka_library",
    "write_broker_config",
]

# Where nothing more is there, the broker says so after so long; and consume() collects so long
# before it gives what it has.
_END_MS = 10
_READ_SECONDS = 0.02
_DATA = "kafka-data"
# In one record, and the framing of its batch.
BROKER_BYTES = LARGEST_RECORD + 1024 * 1024


def write_broker_config(folder: Path, port: int, controller_port: int) -> None:
    """KRaft, one node, loopback only; topics are made when they are first written to."""
    (folder / "kafka.properties").write_text(
        "process.roles=broker,controller\nnode.id=1\n"
        f"controller.quorum.voters=1@127.0.0.1:{controller_port}\n"
        f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}\n"
        f"advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n"
        "controller.listener.names=CONTROLLER\n"
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
        f"log.dirs={folder / _DATA}\n"
        "offsets.topic.replication.factor=1\noffsets.topic.num.partitions=1\n"
        "transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n"
        "transaction.state.log.num.partitions=4\n"
        "group.initial.rebalance.delay.ms=0\nlog.flush.interval.messages=9223372036854775807\n"
        f"message.max.bytes={BROKER_BYTES}\nreplica.fetch.max.bytes={BROKER_BYTES}\n"
    )
    (folder / "kafka-log4j.properties").write_text(
        "log4j.rootLogger=WARN, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\n"
        "log4j.appender.out.layout=org.apache.log4j.PatternLayout\n"
        "log4j.appender.out.layout.ConversionPattern=%d %p %m (%c)%n\n"
    )


def broker_command(runtime: Runtime, folder: Path) -> list[str]:
    """The command that formats the data folder, unless it is, and then is the broker."""
    java = [
        runtime.java,
        "-Xmx512m",  # a record of 64 MiB is there more than once
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        f"-Dlog4j.configuration=file:{folder / 'kafka-log4j.properties'}",
        "-cp",
        runtime.class_path,
    ]
    properties = str(folder / "kafka.properties")
    # 22 characters of base64, of which hex digits are some; one that begins with "-" is refused.
    identity = secrets.token_hex(11)
    storage = [*java, "kafka.tools.StorageTool", "format", "-t", identity, "-c", properties]
    broker = [*java, "kafka.Kafka", properties]
    formatted = f"test -e {shlex.quote(str(folder / _DATA / 'meta.properties'))}"
    start = f"{{ {formatted} || {shlex.join(storage)}; }} && exec {shlex.join(broker)}"
    return ["/bin/sh", "-c", start]


class Record(NamedTuple):
    """A record as a consumer sees it; ``time_ms`` is when it was written, in Kafka's books."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    time_ms: int


def kafka_library() -> Any:
    """The module ``confluent_kafka``.

    Raises
    ------
    EngineError
        When it is not installed.
    """
    try:
        import confluent_kafka  # of the extra [flink]
    except ImportError as error:
        raise EngineError(
            f"the real StateFun needs confluent-kafka: {install_command('flink')}"
        ) from error
    return confluent_kafka


class Clients:
    """Producer, consumer and admin of one broker; from any thread, one call at a time."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._kafka: Any = kafka_library()
        from confluent_kafka.admin import AdminClient
        from confluent_kafka.cimpl import NewTopic

        self._new_topic: Any = NewTopic
        common: dict[str, Any] = {"bootstrap.servers": bootstrap_servers, "log_level": 2}
        self._common = common
        self._admin: Any = AdminClient(common)
        self._producer: Any = None
        self.refused: list[str] = []  # what Kafka has not taken, after it was handed in
        self._told = 0
        self._watcher: Any = None

    def wait(self, timeout: float) -> bool:
        """Does the broker answer within so many seconds?"""
        try:
            self._admin.list_topics(timeout=timeout)
        except self._kafka.KafkaException:
            return False
        return True

    def create_topics(self, names: Iterable[str], partitions: int) -> None:
        """Make topics; one that is there stays as it is."""
        topics = [self._new_topic(name, partitions, 1) for name in names]
        for future in self._admin.create_topics(topics).values():
            try:
                future.result(30)
            except self._kafka.KafkaException as error:
                if error.args[0].code() != self._kafka.KafkaError.TOPIC_ALREADY_EXISTS:
                    raise EngineError(f"Kafka could not create the topic: {error}") from error

    def produce(self, topic: str, key: bytes, value: bytes) -> None:
        """Hand in a record; waits while too many have not been sent.

        Raises
        ------
        EngineError
            When Kafka will not take it, as far as that is known at once; see ``flush``.
        """
        if self._producer is None:
            self._producer = self._kafka.Producer(
                {**self._common, "linger.ms": 2, "enable.idempotence": True,
                 "message.max.bytes": BROKER_BYTES, "queue.buffering.max.messages": 200_000,
                 "delivery.report.only.error": True, "on_delivery": self._refused_by_kafka}
            )  # fmt: skip
        while True:
            try:
                self._producer.produce(topic, value, key)
            except BufferError:
                self._producer.poll(0.05)
            except self._kafka.KafkaException as error:
                raise EngineError(
                    f"Kafka takes no message of {len(value):,} bytes: {error.args[0].str()}"
                ) from error
            else:
                return

    def _refused_by_kafka(self, error: Any, message: Any) -> None:
        key = (message.key() or b"").decode(errors="replace")
        self.refused.append(f"the message to {key}: {error.str()}")

    def flush(self, timeout: float = 30.0) -> None:
        """Wait until all that was handed in is in Kafka.

        Raises
        ------
        EngineError
            When it is not after so many seconds, or Kafka has refused some of it since the last
            time.
        """
        if self._producer is not None and (left := self._producer.flush(timeout)):
            raise EngineError(f"Kafka did not take {left} messages within {timeout:g} s")
        if new := self.refused[self._told :]:
            self._told += len(new)
            raise EngineError(f"Kafka refused {counted(len(new), 'message')}; {new[0]}")

    def read(self, topic: str, start: dict[int, int]) -> list[Record]:
        """All records of a topic from the offsets ``start`` (by partition) to its present end.

        Only what was committed: records of open or aborted transactions are left out.
        """
        found = self._admin.list_topics(topic, timeout=10).topics[topic]
        if found.error is not None:
            return []
        consumer = self._kafka.Consumer(
            {**self._common, "group.id": "statefun_nb_reader", "enable.auto.commit": False,
             "isolation.level": "read_committed", "auto.offset.reset": "earliest",
             "enable.partition.eof": True, "fetch.wait.max.ms": _END_MS}
        )  # fmt: skip
        try:
            consumer.assign(
                [self._kafka.TopicPartition(topic, p, start.get(p, 0)) for p in found.partitions]
            )
            return self._read_to_the_end(consumer, set(found.partitions))
        finally:
            consumer.close()

    def _read_to_the_end(self, consumer: Any, open_partitions: set[int]) -> list[Record]:
        records: list[Record] = []
        deadline = time.monotonic() + 30
        while open_partitions and time.monotonic() < deadline:
            for message in consumer.consume(10_000, _READ_SECONDS):
                error = message.error()
                if error is None:
                    place = (message.topic(), message.partition(), message.offset())
                    _, time_ms = message.timestamp()
                    records.append(Record(*place, message.key(), message.value() or b"", time_ms))
                elif error.code() == self._kafka.KafkaError._PARTITION_EOF:
                    open_partitions.discard(message.partition())
        return records

    def end(self, topic: str, partition: int = 0) -> int:
        """The offset after the last record of a partition."""
        if self._watcher is None:
            self._watcher = self._kafka.Consumer(
                {**self._common, "group.id": "statefun_nb_watcher"}
            )
        place = self._kafka.TopicPartition(topic, partition)
        end: int = self._watcher.get_watermark_offsets(place, timeout=10)[1]
        return end

    def unread(self, topic: str, group: str) -> int:
        """How many records of a topic a group has not read yet, as far as it has committed.

        A job commits what it has read with each checkpoint.

        Raises
        ------
        EngineError
            When the broker does not answer.
        """
        consumer = self._kafka.Consumer({**self._common, "group.id": group})
        try:
            partitions = self._admin.list_topics(topic, timeout=10).topics[topic].partitions
            places = [self._kafka.TopicPartition(topic, p) for p in partitions]
            unread = 0
            for place in consumer.committed(places, timeout=10):
                first, end = consumer.get_watermark_offsets(place, timeout=10)
                unread += end - (place.offset if place.offset >= 0 else first)
        except self._kafka.KafkaException as error:
            raise EngineError(f"Kafka does not answer: {error}") from error
        finally:
            consumer.close()
        return unread

    def close(self) -> None:
        """Release the clients."""
        self._producer = None
        self._admin = None
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None
