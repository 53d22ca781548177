"""What is shown of a stored value that its declared type cannot read (any more)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import ConversionError, StateNameError, described
from ..protocol.effects import TypedValue
from ..tables import repr_of, shorten
from .inference import decode_value
from .types import Type

__all__ = ["StateValues", "Unreadable", "plain_value", "read_or_raw", "why_unreadable"]


@dataclass(frozen=True, slots=True, repr=False)
class Unreadable:
    """A stored value that cannot be read: why, and what is there.

    ``value`` is the plain JSON value where the type is JSON, else the bytes.

    Examples
    --------
    >>> Unreadable("cannot be read as Cart: owner is missing", {"items": [1]})
    <cannot be read as Cart: owner is missing; stored: {'items': [1]}>
    """

    reason: str
    value: Any

    def __repr__(self) -> str:
        return f"<{self.reason}; stored: {self.value!r}>"


class StateValues(dict[str, Any]):
    """Values by name, which shows the others where one of a user's class cannot be shown."""

    def __getattr__(self, name: str) -> Any:
        if name in self:
            raise StateNameError(f"state values are items here: write [{name!r}], not .{name}")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        return repr_of(dict(self))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002
        plain = dict(self)
        try:
            repr(plain)
        except Exception:  # a repr of the user's may raise anything
            printer.text(repr_of(plain))
        else:
            printer.pretty(plain)


def read_or_raw(tpe: Type[Any], data: bytes) -> Any:
    """The value that a type reads from its bytes; where it cannot, an ``Unreadable``."""
    try:
        return tpe.serializer().deserialize(data)
    except KeyboardInterrupt:  # of whoever looks at it
        raise
    except BaseException as error:  # a type of the user's may raise anything, SystemExit too
        return Unreadable(why_unreadable(tpe.typename, error), plain_value(tpe.typename, data))


def why_unreadable(typename: str, error: BaseException) -> str:
    """Why a value cannot be read, in words that follow "state 'cart' of shop/cart"."""
    if isinstance(error, ConversionError):  # it begins with "cannot be read as"
        return str(error)
    return f"cannot be read as {typename}: {shorten(described(error), 200)}"


def plain_value(typename: str, data: bytes) -> Any:
    """The plain JSON value that bytes hold, as far as the typename tells; else the bytes."""
    try:
        return decode_value(TypedValue(typename, data))
    except Exception:  # whatever parsers raise about bytes that are none of theirs
        return data
