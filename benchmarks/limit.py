"""What the greeter's bytes cost alone, with protobuf's own messages.

Each message on the way is serialised from Python values once and parsed to Python values once,
as any engine and SDK have to: the request by the engine and by the function's side, the reply the
other way round. Payloads (a state value, a string, a Kafka record) are opened on the function's
side only. No engine, no function, no trace.
"""

from __future__ import annotations

from typing import Any

from statefun_nb.protocol._pool import (
    FromFunction,
    KafkaProducerRecord,
    ToFunction,
    message_class,
)

__all__ = ["prepare", "round_trip"]

_WRAPPERS = {
    "io.statefun.types/long": message_class("statefun_nb.types.LongWrapper"),
    "io.statefun.types/string": message_class("statefun_nb.types.StringWrapper"),
}


def prepare(request: bytes, reply: bytes) -> tuple[Any, ...]:
    """The values that the loop starts from: what the engine holds, and what a function made."""
    return request, _read_request(request, _closed), reply, _read_reply(reply, _opened)


def round_trip(request: bytes, asked: Any, reply: bytes, answered: Any) -> None:
    """Both sides' work on one request and its reply."""
    _write_request(*asked)
    _read_request(request, _opened)
    _write_reply(*answered)
    _read_reply(reply, _closed)


def _address(message: Any) -> tuple[str, str, str]:
    return message.namespace, message.type, message.id


def _closed(message: Any) -> tuple[str, bool, bytes]:
    return message.typename, message.has_value, message.value


def _opened(message: Any) -> tuple[str, bool, Any]:
    typename, data = message.typename, message.value
    wrapper = _WRAPPERS.get(typename)
    if wrapper is not None:
        return typename, message.has_value, wrapper.FromString(data).value
    record = KafkaProducerRecord.FromString(data)
    return typename, message.has_value, (record.topic, record.key, record.value_bytes)


def _put_address(message: Any, address: tuple[str, str, str]) -> None:
    message.namespace, message.type, message.id = address


def _put_closed(message: Any, value: tuple[str, bool, bytes]) -> None:
    message.typename, message.has_value, message.value = value


def _put_opened(message: Any, value: tuple[str, bool, Any]) -> None:
    message.typename, message.has_value, payload = value
    wrapper = _WRAPPERS.get(message.typename)
    if wrapper is not None:
        message.value = wrapper(value=payload).SerializeToString()
    else:
        topic, key, data = payload
        record = KafkaProducerRecord(topic=topic, key=key, value_bytes=data)
        message.value = record.SerializeToString()


def _read_request(data: bytes, typed: Any) -> tuple[Any, Any, Any]:
    batch = ToFunction.FromString(data).invocation
    state = [
        (entry.state_name, typed(entry.state_value) if entry.HasField("state_value") else None)
        for entry in batch.state
    ]
    invocations = [
        (_address(each.caller) if each.HasField("caller") else None, typed(each.argument))
        for each in batch.invocations
    ]
    return _address(batch.target), state, invocations


def _write_request(target: Any, state: Any, invocations: Any) -> bytes:
    message = ToFunction()
    batch = message.invocation
    _put_address(batch.target, target)
    for name, value in state:
        entry = batch.state.add()
        entry.state_name = name
        if value is not None:
            _put_closed(entry.state_value, value)
    for caller, argument in invocations:
        invocation = batch.invocations.add()
        if caller is not None:
            _put_address(invocation.caller, caller)
        _put_closed(invocation.argument, argument)
    data: bytes = message.SerializeToString()
    return data


def _read_reply(data: bytes, typed: Any) -> tuple[Any, Any, Any]:
    result = FromFunction.FromString(data).invocation_result
    mutations = [
        (m.mutation_type, m.state_name, typed(m.state_value)) for m in result.state_mutations
    ]
    sends = [(_address(m.target), typed(m.argument)) for m in result.outgoing_messages]
    egress = [
        (m.egress_namespace, m.egress_type, typed(m.argument)) for m in result.outgoing_egresses
    ]
    return mutations, sends, egress


def _write_reply(mutations: Any, sends: Any, egress: Any) -> bytes:
    message = FromFunction()
    result = message.invocation_result
    for kind, name, value in mutations:
        mutation = result.state_mutations.add()
        mutation.mutation_type, mutation.state_name = kind, name
        _put_opened(mutation.state_value, value)
    for target, value in sends:
        send = result.outgoing_messages.add()
        _put_address(send.target, target)
        _put_opened(send.argument, value)
    for namespace, name, value in egress:
        record = result.outgoing_egresses.add()
        record.egress_namespace, record.egress_type = namespace, name
        _put_opened(record.argument, value)
    data: bytes = message.SerializeToString()
    return data
