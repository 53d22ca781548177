"""The message classes of proto/, built in a descriptor pool of their own.

protobuf refuses the same file or message name twice in one pool; in a pool of our own neither the
official SDK nor a user's generated module can clash with ours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from ..errors import ProtocolError

__all__ = [
    "AddressMessage",
    "AnyMessage",
    "EgressMessage",
    "Envelope",
    "FromFunction",
    "FromFunction2",
    "InvocationMessage",
    "KafkaProducerRecord",
    "KinesisEgressRecord",
    "ResultOf3",
    "ToFunction",
    "ToFunction2",
    "TypedValueMessage",
    "UnreadReply",
    "UnreadRequest",
    "message_class",
    "parse",
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


def parse(cls: Any, data: bytes, what: str, version: int = 3) -> Any:
    """Read a message of the request-reply protocol.

    Raises
    ------
    ProtocolError
        When the bytes are none.
    """
    try:
        return cls.FromString(data)
    except (DecodeError, TypeError) as error:
        # TypeError: protobuf's answer to something that is not bytes at all.
        raise ProtocolError(
            f"these {len(data) if isinstance(data, (bytes, bytearray)) else '?'} bytes are not "
            f"a {what} message of StateFun's request-reply protocol v{version}: {error}"
        ) from error


ToFunction = message_class("statefun_nb.reqreply.ToFunction")
FromFunction = message_class("statefun_nb.reqreply.FromFunction")
ToFunction2 = message_class("statefun_nb.reqreply2.ToFunction")
FromFunction2 = message_class("statefun_nb.reqreply2.FromFunction")
ResultOf3 = message_class("statefun_nb.reqreply2.ResultOfVersion3")
AnyMessage = message_class("statefun_nb.reqreply2.Any")
AddressMessage = message_class("statefun_nb.reqreply.Address")
InvocationMessage = message_class("statefun_nb.reqreply.ToFunction.Invocation")
EgressMessage = message_class("statefun_nb.reqreply.FromFunction.EgressMessage")
UnreadRequest = message_class("statefun_nb.reqreply.UnreadRequest")
UnreadReply = message_class("statefun_nb.reqreply.UnreadReply")
Envelope = message_class("statefun_nb.reqreply.Envelope")
TypedValueMessage = message_class("statefun_nb.reqreply.TypedValue")
KafkaProducerRecord = message_class("statefun_nb.egress.KafkaProducerRecord")
KinesisEgressRecord = message_class("statefun_nb.egress.KinesisEgressRecord")
