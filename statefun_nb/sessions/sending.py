"""From what ``send`` takes to what an engine delivers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from datetime import timedelta
from typing import Any

from ..address import SdkAddress
from ..effects import TypedValue
from ..engine.base import IngressMessage
from ..errors import ConversionTypeError
from ..progress import progress_bar
from ..protocol.wire import typed_value_bytes
from ..sdk.messages import MISSING, Message, addressed, delay_ms
from ..sdk.types import BUILT_IN_TYPES
from ..trace.events import Invocation

__all__ = ["chunks", "ingress_message", "message_again"]

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
    """
    total = len(messages) if isinstance(messages, Sized) else None
    chunk: list[IngressMessage] = []
    hidden = {} if progress else {"disable": True}
    with progress_bar(total=total, unit=" messages", **hidden) as bar:
        for message in messages:
            target, typed = _addressed(message)
            chunk.append(IngressMessage(target, typed_value_bytes(typed)))
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
            f"a message is a Message or a tuple (typename, id, value), not {message!r}"
        ) from error
    return addressed(typename, id_, value)
