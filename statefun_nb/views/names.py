"""Types and addresses by the names that a person writes: ``int``, ``dict``, ``Cart``."""

from __future__ import annotations

from ..address import SdkAddress
from ..sdk.inference import JSON
from ..sdk.types import (
    BoolType,
    DoubleType,
    FloatType,
    IntType,
    LongType,
    StringType,
    Type,
)

__all__ = ["MESSAGE_TYPES", "means", "name_of_type", "name_of_typename"]

# What the form for messages offers beside a guess, by the names that Python has for them.
MESSAGE_TYPES: dict[str, Type] = {
    "str": StringType,
    "int": LongType,
    "float": DoubleType,
    "bool": BoolType,
    "JSON": JSON,
    "sf.IntType": IntType,
    "sf.FloatType": FloatType,
}
_NAMES = {each.typename: name for name, each in MESSAGE_TYPES.items()}


def name_of_typename(typename: str) -> str:
    """The name of a type of which only the typename is known.

    Examples
    --------
    >>> name_of_typename("io.statefun.types/long"), name_of_typename("shop/Cart")
    ('int', 'shop/Cart')
    """
    return _NAMES.get(typename, typename.removeprefix("type.googleapis.com/"))


def name_of_type(known: Type) -> str:
    """The name of a type as its user wrote it; of a class the name of the class."""
    written = getattr(known.serializer(), "name", None)
    return written if isinstance(written, str) else name_of_typename(known.typename)


def means(typename: str, id: str, address: SdkAddress) -> bool:
    """Is it an address that a filter's ``type:`` and ``id:`` mean? "" stands for any.

    A type may be written without its namespace, as ``isNamed`` of filter.ts takes it.

    Examples
    --------
    >>> bob = SdkAddress("shop", "cart", "bob", "shop/cart")
    >>> means("shop/cart", "", bob), means("cart", "bob", bob), means("cart", "bo", bob)
    (True, True, False)
    """
    name = address.typename.partition("/")[2]
    return typename in ("", address.typename, name) and id in ("", address.id)
