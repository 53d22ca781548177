"""In which order records come back from Kafka; without one."""

from __future__ import annotations

from statefun_nb.cluster.egress_reader import EgressReader
from statefun_nb.cluster.kafka import Record
from statefun_nb.cluster.observed import Observed
from statefun_nb.protocol.records import decode_kafka_record
from statefun_nb.protocol.v3 import decode_typed_value


class Clients:
    """What Kafka would have: of each topic the partition, time and value of its records."""

    def __init__(self, **topics):
        self._topics = topics

    def read(self, topic, start):
        if start:
            return []
        offsets = dict.fromkeys(range(9), 0)
        found = []
        for partition, time_ms, value in self._topics[topic]:
            found.append(Record(topic, partition, offsets[partition], None, value, time_ms))
            offsets[partition] += 1
        return found


def read(clients, emitted, egress):
    observed = Observed(lambda typename: True)
    observed.emitted.update(emitted)
    values = [
        decode_typed_value(each.argument).value or b""
        for each in EgressReader(clients, observed).records(egress)
    ]
    return [decode_kafka_record(value).value for value in values]


def test_records_of_several_topics_come_in_the_order_in_which_they_were_written():
    clients = Clients(t1=[(0, 10, b"1"), (0, 30, b"3")], t2=[(0, 20, b"2"), (0, 30, b"4")])
    assert read(clients, {"n/out": {"t1": 2, "t2": 2}}, "n/out") == [b"1", b"2", b"3", b"4"]
    egresses = {"n/a": {"t2": 2}, "n/b": {"t1": 2}}
    assert read(clients, egresses, None) == [b"1", b"2", b"4", b"3"]


def test_each_partition_keeps_its_order_whatever_its_times_say():
    clients = Clients(t=[(1, 15, b"c"), (0, 20, b"a"), (0, 10, b"b"), (1, 30, b"d")])
    assert read(clients, {"n/out": {"t": 4}}, "n/out") == [b"c", b"a", b"b", b"d"]
