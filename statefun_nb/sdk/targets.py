"""Addresses that a message can go to."""

from __future__ import annotations

from ..address import SdkAddress, address_of
from ..errors import ConversionError

__all__ = ["check_utf8", "not_utf8", "target_of"]


def target_of(typename: str, id: str) -> SdkAddress:
    """The address of an instance that a message can go to.

    Raises
    ------
    ConversionError
        When the id is empty, or no UTF-8 can carry it.
    DeclarationError
        When the typename is not ``namespace/name``, or the id is no text.
    """
    address = address_of(typename, id)
    if not id:
        raise ConversionError(f"the id of a message to {typename} can not be empty")
    check_utf8(address)
    return address


def check_utf8(address: SdkAddress) -> None:
    """Raise for an id with half surrogates."""
    if not address.id.isascii():
        try:
            address.id.encode()
        except UnicodeEncodeError as error:
            raise not_utf8(address.typename, address.id) from error


def not_utf8(typename: str, id: str) -> ConversionError:
    """What to say of an id with half surrogates."""
    return ConversionError(f"the id {id!r} (message to {typename}) cannot be written as UTF-8")
