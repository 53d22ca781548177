"""The other end of the wire of StateFun 2.x, written with protobuf's own messages.

Its messages are those that the SDK of that time ships, by their fields; the values are Anys of
``google.protobuf``.
"""

from __future__ import annotations

import typing

from google.protobuf.any_pb2 import Any
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_KINDS = {
    "string": FieldDescriptorProto.TYPE_STRING,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
    "int64": FieldDescriptorProto.TYPE_INT64,
}
# As apache-flink-statefun 2.2.2 has them (org.apache.flink.statefun.flink.core.polyglot).
_MESSAGES = {
    "Address": "namespace:string=1 type:string=2 id:string=3",
    "PersistedValue": "state_name:string=1 state_value:bytes=2",
    "Invocation": "caller:Address=1 argument:Any=2",
    "InvocationBatchRequest": "target:Address=1 state:*PersistedValue=2 invocations:*Invocation=3",
    "ToFunction": "invocation:InvocationBatchRequest=100",
    "PersistedValueMutation": "mutation_type:int64=1 state_name:string=2 state_value:bytes=3",
    "Outgoing": "target:Address=1 argument:Any=2",
    "DelayedInvocation": "delay_in_ms:int64=1 target:Address=2 argument:Any=3",
    "EgressMessage": "egress_namespace:string=1 egress_type:string=2 argument:Any=3",
    "InvocationResponse": (
        "state_mutations:*PersistedValueMutation=1 outgoing_messages:*Outgoing=2 "
        "delayed_invocations:*DelayedInvocation=3 outgoing_egresses:*EgressMessage=4"
    ),
    "FromFunction": "invocation_result:InvocationResponse=100",
}


def _file():
    file = FileDescriptorProto(name="peer2.proto", package="peer2", syntax="proto3")
    file.dependency.append("google/protobuf/any.proto")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field in fields.split():
            field_name, _, rest = field.partition(":")
            kind, _, number = rest.partition("=")
            added = message.field.add(name=field_name, number=int(number))
            repeated = kind.startswith("*")
            added.label = added.LABEL_REPEATED if repeated else added.LABEL_OPTIONAL
            kind = kind.lstrip("*")
            if kind in _KINDS:
                added.type = _KINDS[kind]
            else:
                added.type = added.TYPE_MESSAGE
                added.type_name = ".google.protobuf.Any" if kind == "Any" else f".peer2.{kind}"
    return file


_pool = DescriptorPool()
_any = FileDescriptorProto()
Any.DESCRIPTOR.file.CopyToProto(_any)
_pool.Add(_any)
_pool.Add(_file())
ToFunction: typing.Any = GetMessageClass(_pool.FindMessageTypeByName("peer2.ToFunction"))
FromFunction: typing.Any = GetMessageClass(_pool.FindMessageTypeByName("peer2.FromFunction"))


def packed(message, prefix="type.googleapis.com/"):
    """An Any: type_url and value."""
    return f"{prefix}{message.DESCRIPTOR.full_name}", message.SerializeToString()


def stored(value):
    """A state value: an Any, serialised."""
    type_url, data = value
    return Any(type_url=type_url, value=data).SerializeToString()


def request(target, messages, state=None, caller=None):
    """The bytes of a ToFunction; ``messages`` are (type_url, bytes), ``state`` bytes by name."""
    message = ToFunction()
    batch = message.invocation
    _address(batch.target, target)
    for name, value in (state or {}).items():
        batch.state.add(state_name=name, state_value=value)
    for type_url, data in messages:
        invocation = batch.invocations.add()
        invocation.argument.type_url, invocation.argument.value = type_url, data
        if caller is not None:
            _address(invocation.caller, caller)
    return message.SerializeToString()


def reply(data):
    """The result in a FromFunction, parsed."""
    return FromFunction.FromString(data).invocation_result


def _address(message, address):
    typename, message.id = address
    message.namespace, message.type = typename.split("/")


def function(typename, url, states=(), more=""):
    """An entry of ``module``."""
    lines = [
        "- function:",
        "    meta:",
        "      kind: http",
        f"      type: {typename}",
        "    spec:",
        f"      endpoint: {url}",
        *(["      states:"] if states else []),
        *(f"        - {each}" for each in states),
        *([f"      {more}"] if more else []),
    ]
    return "\n".join(f"      {line}" for line in lines) + "\n"


def module(*functions):
    """The text of a module.yaml of version 2.0."""
    return 'version: "2.0"\nmodule:\n  meta: {type: remote}\n  spec:\n    functions:\n' + "".join(
        functions
    )
