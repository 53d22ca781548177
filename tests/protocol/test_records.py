"""Egress records and wrappers, beside the messages of the official package."""

from __future__ import annotations

import pytest

from statefun_nb.errors import ProtocolError
from statefun_nb.protocol import records


@pytest.mark.parametrize("key", ["", "k", "ключ"])
@pytest.mark.parametrize("data", [b"", b"v" * 300])
def test_a_kafka_record_is_what_the_official_package_writes(key, data):
    theirs = pytest.importorskip("statefun.kafka_egress_pb2")
    record = records.KafkaRecord("topic", key, data)
    message = theirs.KafkaProducerRecord(topic="topic", key=key, value_bytes=data)
    assert records.encode_kafka_record(record) == message.SerializeToString(deterministic=True)
    assert records.decode_kafka_record(message.SerializeToString()) == record


def test_a_kinesis_record_reads_back_as_it_was_written():
    record = records.KinesisRecord("stream", "partition", b"v", "hash")
    assert records.decode_kinesis_record(records.encode_kinesis_record(record)) == record


@pytest.mark.parametrize("decode", [records.decode_kafka_record, records.decode_kinesis_record])
def test_broken_records_are_refused(decode):
    with pytest.raises(ProtocolError):
        decode(b"\xff\xff\xff")


def test_broken_wrappers_are_refused_with_the_type():
    with pytest.raises(ProtocolError, match=r"io\.statefun\.types/int"):
        records.read_wrapper("int", b"\xff")


@pytest.mark.parametrize("data", [b"hello", b'{"a": 1}', "für immer".encode()])
def test_a_plain_text_is_recognized(data):
    with pytest.raises(ProtocolError, match=r"it is the plain text .*vnd\.NAMESPACE/TYPE"):
        records.read_wrapper("string", data)


@pytest.mark.parametrize("data", [b"\xff\x01\x02", b"\x0a\xff\xff", b"\x0a\x05hi"])
def test_bytes_are_not_taken_for_text(data):
    with pytest.raises(ProtocolError) as error:
        records.read_wrapper("string", data)
    assert "plain text" not in str(error.value)
