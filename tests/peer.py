"""The other end of the wire, written with protobuf's own messages and none of our writers."""

from __future__ import annotations

from statefun_nb.protocol._pool import FromFunction, ToFunction
from statefun_nb.sdk.dispatch import Outcome

STRING = "io.statefun.types/string"
INT = "io.statefun.types/int"
LONG = "io.statefun.types/long"


def request(target, messages, state=None, caller=None):
    """The bytes of a ToFunction.

    ``target`` is (typename, id); ``messages`` are (typename, bytes or None); ``state`` maps names
    to None or (typename, bytes); ``caller`` is None or (typename, id).
    """
    message = ToFunction()
    batch = message.invocation
    _address(batch.target, target)
    for name, value in (state or {}).items():
        entry = batch.state.add(state_name=name)
        if value is not None:
            _value(entry.state_value, value)
    for value in messages:
        invocation = batch.invocations.add()
        if caller is not None:
            _address(invocation.caller, caller)
        _value(invocation.argument, value)
    return message.SerializeToString()


def reply(data):
    """A FromFunction, parsed."""
    return FromFunction.FromString(data)


def outcome(handler, data):
    """What a request to a sync function came to."""
    found = handler.start(data)
    assert isinstance(found, Outcome)
    return found


def text(value):
    """A string as a typed value."""
    data = value.encode()
    assert len(data) < 128
    return STRING, bytes([0x0A, len(data)]) + data if data else b""


def _address(message, address):
    typename, message.id = address
    message.namespace, message.type = typename.split("/")


def _value(message, value):
    message.typename, data = value
    message.has_value = data is not None
    message.value = data or b""
