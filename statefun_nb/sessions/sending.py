"""From what ``send`` takes to what an engine delivers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from datetime import timedelta
from typing import Any

from ..address import SdkAddress, address_of
from ..effects import TypedValue
from ..engine.base import IngressMessage
from ..errors import ConversionError, ConversionTypeError
from ..protocol.wire import typed_value_bytes
from ..sdk.messages import Message, inferred_value, own_typed_value

__all__ = ["chunks", "incoming"]

# Handed in at once: with fewer there are fewer for each address, and smaller batches.
_CHUNK = 10_000


def incoming(message: Any, tpe: Any = None, delay: timedelta | None = None) -> IngressMessage:
    """Encode a ``Message`` or a tuple ``(typename, id, value)``.

    Raises
    ------
    ConversionError
        When the value or the address cannot be sent.
    """
    if isinstance(message, Message):
        address = address_of(message.target_typename, message.target_id)
        value = own_typed_value(message.typed_value)
    else:
        address, value = _encode(message, tpe)
    try:
        address.id.encode()
    except UnicodeEncodeError as error:
        raise ConversionError(
            f"the id {address.id!r} (message to {address.typename}) cannot be written as UTF-8"
        ) from error
    return IngressMessage(address, typed_value_bytes(value), _milliseconds(delay))


def _milliseconds(delay: Any) -> int:
    if delay is None:
        return 0
    if not isinstance(delay, timedelta) or delay < timedelta(0):
        raise ConversionError(f"a delay is a timedelta, not negative: {delay!r}")
    return delay // timedelta(milliseconds=1)


def _encode(message: Any, tpe: Any) -> tuple[SdkAddress, TypedValue]:
    try:
        typename, id_, value = message
    except (TypeError, ValueError) as error:
        raise ConversionTypeError(
            f"a message is a Message or a tuple (typename, id, value), not {message!r}"
        ) from error
    address = address_of(typename, id_)
    if not id_:
        raise ConversionError(f"the id of a message to {typename} can not be empty")
    if value is None:
        raise ConversionError(f"value can not be missing (message to {address})")
    try:
        return address, inferred_value(value, tpe)
    except ConversionError as error:
        raise type(error)(f"message to {address}: {error}") from error


def chunks(messages: Iterable[Any], *, progress: bool) -> Iterator[list[IngressMessage]]:
    """Many messages, encoded, some at a time; a progress bar appears after a second."""
    from tqdm import tqdm  # 30 ms that a first cell need not wait for

    total = len(messages) if isinstance(messages, Sized) else None
    chunk: list[IngressMessage] = []
    with tqdm(
        total=total, unit=" messages", delay=1, mininterval=0.5, leave=False, disable=not progress
    ) as bar:
        for message in messages:
            chunk.append(incoming(message))
            if len(chunk) == _CHUNK:
                yield chunk
                bar.update(len(chunk))
                chunk = []
        if chunk:
            yield chunk
            bar.update(len(chunk))
