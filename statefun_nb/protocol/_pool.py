"""The message classes of proto/, built in a descriptor pool of their own.

protobuf refuses the same file or message name twice in one pool; in a pool of our own neither the
official SDK nor a user's generated module can clash with ours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

__all__ = [
    "AddressMessage",
    "Callers",
    "Envelope",
    "FromFunction",
    "KafkaProducerRecord",
    "KinesisEgressRecord",
    "ToFunction",
    "TypedValueMessage",
    "message_class",
]

_DESCRIPTORS = Path(__file__).parent / "_generated" / "statefun.binpb"


def _load() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    files = descriptor_pb2.FileDescriptorSet.FromString(_DESCRIPTORS.read_bytes())
    for file in files.file:
        pool.Add(file)
    return pool


_POOL = _load()


def message_class(full_name: str) -> Any:
    """The class of one message of proto/, for example ``statefun_nb.types.IntWrapper``."""
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(full_name))


ToFunction = message_class("statefun_nb.reqreply.ToFunction")
FromFunction = message_class("statefun_nb.reqreply.FromFunction")
AddressMessage = message_class("statefun_nb.reqreply.Address")
Callers = message_class("statefun_nb.reqreply.Callers")
Envelope = message_class("statefun_nb.reqreply.Envelope")
TypedValueMessage = message_class("statefun_nb.reqreply.TypedValue")
KafkaProducerRecord = message_class("statefun_nb.egress.KafkaProducerRecord")
KinesisEgressRecord = message_class("statefun_nb.egress.KinesisEgressRecord")
