"""Addresses: who a message is for, and the rule for names of the form ``namespace/name``."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any, NamedTuple

from .errors import DeclarationError, DeclarationTypeError
from .tables import shown, with_article

__all__ = [
    "GATEWAY",
    "SdkAddress",
    "address_of",
    "check_function_typename",
    "in_order",
    "invisible",
    "parse_typename",
    "plain_text",
]

# The function that brings messages from outside into a real cluster. To the functions it hands
# them to they have no caller, as if an ingress had brought them.
GATEWAY = "statefun_nb/gateway"


class SdkAddress(NamedTuple):
    """The address of one stateful function instance.

    A named tuple and not a frozen dataclass: it is the key of every mailbox, and a tuple of
    strings is hashed by C code (0.06 us instead of 0.4 us for a dataclass).

    Parameters
    ----------
    namespace, name : str
        The two parts of the function type.
    id : str
        The instance, any text.
    typename : str
        ``namespace/name``.

    Examples
    --------
    >>> address_of("example/person", "bob").name
    'person'
    """

    namespace: str
    name: str
    id: str
    typename: str

    def __str__(self) -> str:
        return f"{self.typename} {self.id!r}"


def parse_typename(typename: str) -> tuple[str, str]:
    """Split ``namespace/name``.

    Exactly one slash, as the runtime's ``TypeName`` asks; the official Python SDK would take
    ``a/b/c`` and fail later, on the cluster.

    Raises
    ------
    DeclarationError
        When a part is missing, there is more than one slash, or a character that no name has.

    Examples
    --------
    >>> parse_typename("example/person")
    ('example', 'person')
    """
    if not isinstance(typename, str):  # before the cache, which asks a list for its hash
        raise DeclarationTypeError(
            f"a typename is a string 'namespace/name', not {shown(typename)}"
        )
    return _parsed(typename)


@lru_cache(maxsize=4096)
def _parsed(typename: str) -> tuple[str, str]:
    namespace, slash, name = typename.partition("/")
    if not slash or not namespace or not name or "/" in name:
        raise DeclarationError(
            f"{typename!r} is not a typename: write 'namespace/name', both parts non-empty and "
            "exactly one slash"
        )
    if not typename.isprintable() or " " in typename:  # a line end, a blank, half a surrogate
        raise DeclarationError(
            f"{typename!r} is not a typename: it has {invisible(typename)} in it"
        )
    return plain_text(namespace), plain_text(name)


def plain_text(text: str) -> str:
    """Text as nothing but text; of a member of an Enum of texts, its value.

    Examples
    --------
    >>> from enum import Enum
    >>> plain_text(Enum("Town", {"HERE": "here"}, type=str).HERE)
    'here'
    """
    return str.__str__(text)


def invisible(text: str) -> str:
    r"""What a text has that nobody sees, in words; "" when it has nothing such.

    Examples
    --------
    >>> invisible("bob\u200b"), invisible("bob")
    ('a zero width space U+200B', '')
    """
    for each in text:
        if each == " ":
            return "a blank"
        if not each.isprintable():
            name = _NAMES.get(each) or unicodedata.name(each, "").lower()
            return f"{with_article(name or 'control character')} U+{ord(each):04X}"
    return ""


_NAMES = {"\n": "line end", "\r": "line end", "\t": "tab"}


def check_function_typename(typename: str) -> None:
    """Raise when no function can be declared under this name.

    Raises
    ------
    DeclarationError
        When it is not ``namespace/name``, or has a ``*``, which in module.yaml stands for any name.
    """
    parse_typename(typename)
    if "*" in typename:
        raise DeclarationError(
            f"{typename!r} is not the typename of a function: 'namespace/*' is for module.yaml"
        )


def address_of(typename: str, id: str) -> SdkAddress:
    """The address of instance ``id`` of function type ``typename``."""
    try:
        namespace, name = parse_typename(typename)
    except DeclarationError as error:
        raise in_order(error, typename, id) from None
    if type(id) is not str:
        id = _text_of(typename, id)  # noqa: A001 - its parameter's name
    if type(typename) is not str:
        typename = plain_text(typename)
    return tuple.__new__(SdkAddress, (namespace, name, id, typename))  # in half the time


def in_order(error: DeclarationError, typename: object, id: object) -> DeclarationError:
    """The error of a typename that is none; with a word more where the id is one."""
    if isinstance(typename, str) and isinstance(id, str) and "/" in id and "/" not in typename:
        return type(error)(f"{error}; the typename comes first, then the id")
    return error


def _text_of(typename: str, id: Any) -> str:
    if not isinstance(id, str):
        as_text = f": write str({id})" if type(id) is int and abs(id) < 10**18 else ""
        raise DeclarationTypeError(
            f"the id of {typename} must be a string, not {shown(id)}{as_text}"
        )
    return plain_text(id)
