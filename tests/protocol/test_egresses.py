"""What an egress takes: by kind, topic and size."""

from __future__ import annotations

import pytest

import statefun_nb as sf
from statefun_nb.protocol.effects import TypedValue
from statefun_nb.protocol.egresses import LARGEST_RECORD, Egresses, check_topic
from statefun_nb.protocol.module_reader import read_module
from statefun_nb.protocol.records import KAFKA_RECORD

MODULE = """
kind: io.statefun.kafka.v1/egress
spec: {id: e/kafka, address: x}
---
kind: io.statefun.kafka.v1/egress
spec: {id: e/large, address: x, properties: [{max.request.size: 3000000}]}
---
kind: io.statefun.kinesis.v1/egress
spec: {id: e/kinesis}
"""
TEXT = sf.egress_message_builder("e/x", "text", sf.StringType).typed_value
KINESIS = sf.kinesis_egress_message("e/x", "stream", "v", "p").typed_value


def kafka(topic="t", size=1):
    return sf.kafka_egress_message("e/x", topic, b"x" * size).typed_value


@pytest.fixture
def egresses():
    return Egresses(read_module(MODULE))


@pytest.mark.parametrize(
    ("egress", "value"),
    [
        ("e/kafka", kafka()),
        ("e/kafka", kafka(size=1_000_000)),
        ("e/large", kafka(size=2_900_000)),
        ("e/kinesis", KINESIS),
        ("e/none", TEXT),
        ("e/none", KINESIS),
        ("e/none", kafka(size=LARGEST_RECORD - 1_000)),
    ],
)
def test_what_an_egress_takes(egresses, egress, value):
    egresses.check(egress, value)


@pytest.mark.parametrize(
    ("egress", "value", "says"),
    [
        (
            "e/kafka",
            TEXT,
            "is one of Kafka: it takes what sf.kafka_egress_message makes, and no",
        ),
        ("e/kafka", KINESIS, "and no type.googleapis.com/io.statefun.sdk.egress.KinesisEgressRec"),
        ("e/kinesis", kafka(), "is one of Kinesis: it takes what sf.kinesis_egress_message makes"),
        ("e/kafka", kafka(size=1_048_576), "too large for the egress e/kafka, .* 1,048,576: a .*;"),
        ("e/large", kafka(size=3_000_000), "too large for the egress e/large, .* 3,000,000: a .*;"),
        ("e/none", kafka(size=LARGEST_RECORD), "takes 67,108,864: a cluster would fail here$"),
        ("e/none", kafka(topic="a b"), "'a b' is not the name of a topic"),
        (
            "e/kafka",
            kafka(topic="__consumer_offsets"),
            "__consumer_offsets is Kafka's own",
        ),
        ("e/none", TypedValue(KAFKA_RECORD, b"\xff"), "not a KafkaProducerRecord"),
    ],
)
def test_what_an_egress_would_fail_for(egresses, egress, value, says):
    for _ in range(2):  # as often as it is asked
        with pytest.raises(sf.StatefunError, match=says):
            egresses.check(egress, value)


@pytest.mark.parametrize("topic", ["", ".", "..", "a/b", "ü", "t" * 250, "a\n"])
def test_topics_have_names_that_kafka_takes(topic):
    with pytest.raises(sf.EngineError, match="is not the name of a topic"):
        check_topic(topic)
    check_topic("A-z_0.9")
