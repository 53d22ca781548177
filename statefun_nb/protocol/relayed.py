"""What is changed in a reply of another process' function before it is handed on, in its bytes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from ._pool import FromFunction, parse
from .effects import TypedValue

__all__ = ["rerouted", "with_cause"]


def with_cause(reply: bytes, cause: bytes) -> bytes:
    """A FromFunction whose messages say which traced invocation sent them.

    Parameters
    ----------
    reply : bytes
        Encoded, as it came.
    cause : bytes
        The value of TypedValue.statefun_nb_cause; see ``wire.cause_bytes``.

    Raises
    ------
    ProtocolError
        When the bytes are no FromFunction.
    """
    message = parse(FromFunction, reply, "FromFunction")
    result = message.invocation_result
    for each in chain(result.outgoing_messages, result.delayed_invocations):
        if each.HasField("argument"):  # a cancellation has none
            each.argument.statefun_nb_cause = cause
    changed: bytes = message.SerializeToString()
    return changed


def rerouted(
    reply: bytes,
    egress: Callable[[str, TypedValue, str | None], tuple[str, TypedValue]],
) -> bytes:
    """A FromFunction whose records go out by what ``egress`` says; see ``Routes.egress``.

    Raises
    ------
    ProtocolError
        When the bytes are no FromFunction.
    """
    message = parse(FromFunction, reply, "FromFunction")
    for each in message.invocation_result.outgoing_egresses:
        named = f"{each.egress_namespace}/{each.egress_type}"
        argument = each.argument
        given = TypedValue(argument.typename, argument.value if argument.has_value else None)
        typename, value = egress(named, given, None)
        if typename != named:
            each.egress_namespace, _, each.egress_type = typename.partition("/")
            each.statefun_nb_egress = named
            argument.typename, argument.has_value = value.typename, True
            argument.value = value.value or b""
    changed: bytes = message.SerializeToString()
    return changed
