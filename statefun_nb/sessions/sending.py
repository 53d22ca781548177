"""From what ``send`` takes to what an engine delivers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from datetime import timedelta
from typing import Any

from ..address import SdkAddress
from ..cells.progress import progress_bar
from ..engine.facts import IngressMessage
from ..errors import ConversionTypeError, SessionError, StatefunError
from ..protocol.effects import TypedValue, new_tuple
from ..protocol.wire import typed_value_bytes
from ..sdk.delays import delay_ms
from ..sdk.messages import MISSING, Message, addressed
from ..sdk.types import BUILT_IN_TYPES
from ..trace.events import Invocation
from .arguments import short_repr, truth

__all__ = ["chunks", "ingress_message", "message_again", "seqs_of"]

# Handed in at once: with fewer there are fewer for each address, and smaller batches.
_CHUNK = 10_000


def ingress_message(
    message: Any, id: Any, value: Any, type: Any, delay: timedelta | None
) -> IngressMessage:
    """Encode what ``Session.send`` was given; see ``addressed``."""
    target, typed = addressed(message, id, value, type)
    milliseconds = 0 if delay is None else delay_ms(delay, target.typename)
    return IngressMessage(target, typed_value_bytes(typed), milliseconds)


def message_again(found: Invocation, value: Any, delay: timedelta | None) -> IngressMessage:
    """The message of an invocation, or with another ``value`` one like it."""
    address, payload = found.address, found.message
    if value is MISSING:
        typed = TypedValue(payload.typename, payload.data)
    else:
        # As the type it had where that is one of StateFun's own; else as the value says.
        known = BUILT_IN_TYPES.get(payload.typename)
        _, typed = addressed(address.typename, address.id, value, known)
    milliseconds = 0 if delay is None else delay_ms(delay, address.typename)
    return IngressMessage(address, typed_value_bytes(typed), milliseconds)


def chunks(messages: Iterable[Any], *, progress: bool) -> Iterator[list[IngressMessage]]:
    """Encode many messages, some at a time; a progress bar appears after a second.

    Parameters
    ----------
    messages : iterable of Message or (typename, id, value)

    Raises
    ------
    ConversionError, DeclarationError
        Which message it is that cannot be sent; those of its own chunk are not sent, either.
    """
    if not isinstance(messages, Iterable) or isinstance(messages, (str, bytes, Mapping, Message)):
        raise ConversionTypeError(
            "send_many takes an iterable of Messages or (typename, id, value) tuples, such as a "
            f"list, not {short_repr(messages)}"
        )
    truth("progress", progress)
    total = len(messages) if isinstance(messages, Sized) else None
    chunk: list[IngressMessage] = []
    hidden = {} if progress else {"disable": True}
    with progress_bar(total=total, unit=" messages", **hidden) as bar:
        for number, message in enumerate(messages, 1):
            try:
                target, typed = _addressed(message)
            except StatefunError as error:
                sent = number - 1 - len(chunk)
                before = f"the first {sent:,} were sent" if sent else "none was sent"
                raise type(error)(f"item {number:,}: {error}; {before}") from error
            chunk.append(new_tuple(IngressMessage, (target, typed_value_bytes(typed), 0)))
            if len(chunk) == _CHUNK:
                yield chunk
                bar.update(len(chunk))
                chunk = []
        if chunk:
            yield chunk
            bar.update(len(chunk))


def _addressed(message: Any) -> tuple[SdkAddress, TypedValue]:
    if isinstance(message, Message):
        return addressed(message)
    try:
        typename, id_, value = message
    except (TypeError, ValueError) as error:
        raise ConversionTypeError(
            f"a message is a Message or a tuple (typename, id, value), not {short_repr(message)}"
        ) from error
    return addressed(typename, id_, value)


def seqs_of(invocations: Any) -> list[int]:
    """The numbers of what ``Session.replay`` was given.

    Raises
    ------
    SessionError
        When it is something else than invocations.
    """
    each: Any = invocations
    if isinstance(invocations, Iterable) and not isinstance(invocations, (str, bytes, Invocation)):
        found = []
        for each in invocations:
            if not isinstance(each, Invocation):
                break
            found.append(each.seq)
        else:
            return found
    raise SessionError(
        "replay takes invocations, such as s.invocations.filter(type=...) or "
        f"s.invocations[-3:], not {short_repr(each)}"
    )
