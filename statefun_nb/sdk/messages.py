"""Messages to functions and to egresses: what they carry, and who they are for."""

from __future__ import annotations

import warnings
from typing import Any

from ..address import SdkAddress, address_of, parse_typename, plain_text
from ..errors import ConversionError, ConversionTypeError, DeclarationError, missing
from ..protocol.any_values import local_name, type_url
from ..protocol.effects import TypedValue, TypedValueLike, new_tuple
from ..tables import shown
from .generic_types import GenericSerializer
from .inference import CLASS_TYPES, decode_value, named_member, type_of_class, type_of_value
from .targets import check_utf8, target_of
from .types import (
    BUILT_IN_TYPES,
    BoolType,
    DoubleType,
    FloatType,
    IntType,
    LongType,
    StringType,
    Type,
    V,
    serialized,
)

__all__ = [
    "MISSING",
    "SCALARS",
    "EgressMessage",
    "Message",
    "about",
    "addressed",
    "inferred_value",
    "own_typed_value",
    "received_message",
    "typed_value",
]


_new_object = object.__new__


def own_typed_value(value: TypedValueLike) -> TypedValue:
    """Our record of a typed value, also when it is the protobuf message of some SDK.

    Raises
    ------
    ConversionTypeError
        When it is none.
    """
    if type(value) is TypedValue:
        return value
    try:
        typename, has_value, data = value.typename, value.has_value, value.value
    except AttributeError:
        typename, has_value, data = None, False, None
    if not isinstance(typename, str) or not isinstance(data, (bytes, bytearray, type(None))):
        raise ConversionTypeError(
            f"{shown(value)} is not a TypedValue: use sf.message_builder or an egress builder, or "
            "ctx.send(typename, id, value), which make one of a value"
        )
    return TypedValue(typename, bytes(data or b"") if has_value else None)


_GETTERS = {name: f"as_{name.rpartition('/')[2]}()" for name in BUILT_IN_TYPES}
_DESERIALIZERS = {name: tpe.serializer().deserialize for name, tpe in BUILT_IN_TYPES.items()}


# What a message, or a state, is compared with where its value was meant.
VALUES = frozenset({bool, int, float, str, bytes, dict, list, tuple, set})


class _Typed:
    """What messages and egress messages share: a typed value that can be looked into."""

    __slots__ = ("typed_value",)
    typed_value: TypedValueLike

    def __eq__(self, other: object) -> bool:
        if type(other) in VALUES:  # no error: a list may hold both, and ask which is which
            warnings.warn(
                f"a message is not its value: compare message.value with {shown(other)}",
                stacklevel=2,
            )
        return True if self is other else NotImplemented

    __hash__ = object.__hash__

    def value_typename(self) -> str:
        """The typename of the value."""
        return self.typed_value.typename

    def raw_value(self) -> bytes | None:
        """The value's bytes, None when it is absent."""
        value = self.typed_value
        return value.value if value.has_value else None

    @property
    def value(self) -> Any:
        """The value as Python sees it: decoded when its type is known, else its bytes."""
        value = self.typed_value
        deserialize = _DESERIALIZERS.get(value.typename)
        if deserialize is not None and (data := value.value):  # nearly always
            return deserialize(data)
        return decode_value(own_typed_value(value))


class Message(_Typed):
    """A message to a stateful function.

    Parameters
    ----------
    target_typename, target_id : str
        The function type ``namespace/name`` and the instance it is for.
    typed_value : TypedValue
        What it carries; anything with ``typename``, ``has_value`` and ``value`` will do.

    Examples
    --------
    >>> from statefun_nb import message_builder
    >>> message = message_builder("example/person", "bob", int_value=3)
    >>> message.is_int(), message.as_int(), message.value
    (True, 3, 3)
    """

    __slots__ = ("target_id", "target_typename")
    target_typename: str
    target_id: str

    def __init__(self, target_typename: str, target_id: str, typed_value: TypedValueLike) -> None:
        plain = type(target_typename) is type(target_id) is str and target_typename and target_id
        if not plain or type(typed_value) is not TypedValue:  # nearly never
            _check_parts(target_typename, target_id, typed_value)
        self.target_typename = target_typename
        self.target_id = target_id
        self.typed_value = typed_value

    def is_int(self) -> bool:
        """Is the value an ``io.statefun.types/int``?"""
        return self.is_type(IntType)

    def as_int(self) -> int | None:
        """The value read as an ``io.statefun.types/int``; see ``as_type``."""
        return self.as_type(IntType)

    def is_bool(self) -> bool:
        """Is the value an ``io.statefun.types/bool``?"""
        return self.is_type(BoolType)

    def as_bool(self) -> bool | None:
        """The value read as an ``io.statefun.types/bool``; see ``as_type``."""
        return self.as_type(BoolType)

    def is_long(self) -> bool:
        """Is the value an ``io.statefun.types/long``?"""
        return self.is_type(LongType)

    def as_long(self) -> int | None:
        """The value read as an ``io.statefun.types/long``; see ``as_type``."""
        return self.as_type(LongType)

    def is_string(self) -> bool:
        """Is the value an ``io.statefun.types/string``?"""
        return self.is_type(StringType)

    def as_string(self) -> str | None:
        """The value read as an ``io.statefun.types/string``; see ``as_type``."""
        return self.as_type(StringType)

    def is_float(self) -> bool:
        """Is the value an ``io.statefun.types/float``?"""
        return self.is_type(FloatType)

    def as_float(self) -> float | None:
        """The value read as an ``io.statefun.types/float``; see ``as_type``."""
        return self.as_type(FloatType)

    def is_double(self) -> bool:
        """Is the value an ``io.statefun.types/double``?"""
        return self.is_type(DoubleType)

    def as_double(self) -> float | None:
        """The value read as an ``io.statefun.types/double``; see ``as_type``."""
        return self.as_type(DoubleType)

    def is_type(self, tpe: Type[Any] | type[Any]) -> bool:
        """Is the value of this type (a Type, or a class that stands for one)?

        Containers and unions have the typename of plain JSON: of them, can it be read as one?
        """
        value, wanted = self.typed_value, type_of_class(tpe)
        serializer, typename = wanted.serializer(), wanted.typename
        if isinstance(serializer, GenericSerializer):
            if value.typename != typename and named_member(wanted, self.is_type):
                return True
            return value.has_value and serializer.reads(value.value or b"")
        return value.typename == typename or _is_any_of(value, typename)

    def as_type(self, tpe: Type[V] | type[V]) -> V | None:
        """The value read as this type; None when it is absent.

        A type of one's own reads what came under another name too, where its bytes are the same.

        Raises
        ------
        ConversionError
            When it came as another type, and cannot be read as this one.
        """
        value = self.typed_value
        data = value.value
        if not data and not value.has_value:
            return None
        if not isinstance(tpe, Type):
            tpe = type_of_class(tpe)
        tpe = tpe if value.typename == tpe.typename else named_member(tpe, self.is_type) or tpe
        if value.typename != tpe.typename and {value.typename, tpe.typename} <= _GETTERS.keys():
            raise self._is_other(tpe)  # protobuf would take it for 0, or for an empty text
        try:
            return tpe.serializer().deserialize(data or b"")
        except ConversionError as error:
            told = error
            if not self.is_type(tpe):
                typename = self.value_typename()
                text = f"{error}; it is of the type {typename}: ask message.is_type(...) first"
                told = error.__class__(text)
            raise about(told, self.target_typename, self.target_id) from error.__cause__
        except Exception as error:
            if self.is_type(tpe):
                raise
            raise self._is_other(tpe) from error

    def _is_other(self, wanted: Type[Any]) -> ConversionTypeError:
        typename = self.value_typename()
        getter = _GETTERS.get(typename, "value")
        return ConversionTypeError(
            f"the message to {self.target_typename} {self.target_id!r} is of the type {typename} "
            f"and cannot be read as {wanted.typename}: message.{getter} reads it"
        )

    def __repr__(self) -> str:
        return f"<Message to {self.target_typename} {self.target_id!r}: {self.value_typename()}>"


def _is_any_of(value: TypedValueLike, typename: str) -> bool:
    """Did it come as an Any (protocol v2), where a type is named behind the last slash only?"""
    if not getattr(value, "statefun_nb_any", False):
        return False
    return local_name(type_url(value.typename)) == local_name(typename)


def received_message(typename: str, id: str, value: TypedValueLike) -> Message:
    """A message that arrived: unchecked, for on the wire even an empty id is legal."""
    message: Message = _new_object(Message)
    message.target_typename = typename
    message.target_id = id
    message.typed_value = value
    return message


def _check_parts(target_typename: Any, target_id: Any, typed_value: Any) -> None:
    if missing(target_typename):
        raise DeclarationError("target_typename can not be missing")
    if missing(target_id):
        raise DeclarationError(f"target_id can not be missing (message to {target_typename})")
    if missing(typed_value):
        raise DeclarationError(
            f"typed_value can not be missing (message to {target_typename} {target_id!r})"
        )
    try:
        own_typed_value(typed_value)
    except ConversionError as error:
        raise about(error, target_typename, target_id) from None


class EgressMessage(_Typed):
    """A record for an egress, made by one of the egress builders.

    Parameters
    ----------
    typename : str
        The egress, ``namespace/name``, as module.yaml declares it.
    typed_value : TypedValue
        What it carries.
    """

    __slots__ = ("topic", "typename")
    typename: str
    topic: str | None  # of a Kafka record, from who has made it; None: it is in what it carries

    def __init__(self, typename: str, typed_value: TypedValueLike) -> None:
        parse_typename(typename)
        if type(typed_value) is not TypedValue:
            if missing(typed_value):
                raise DeclarationError(f"value is missing (egress {typename})")
            try:
                own_typed_value(typed_value)
            except ConversionError as error:
                raise type(error)(f"egress {typename}: {error}") from None
        self.typename = typename if type(typename) is str else plain_text(typename)
        self.typed_value = typed_value
        self.topic = None

    def __repr__(self) -> str:
        return f"<EgressMessage to {self.typename}: {self.value_typename()}>"


def typed_value(tpe: Type, value: Any) -> TypedValue:
    """``value`` encoded as ``tpe``.

    Raises
    ------
    ConversionError
        When the value does not fit the type, or the serializer raised, or returned something else
        than bytes.
    """
    data = serialized(tpe.serializer().serialize, tpe.typename, value)
    return new_tuple(TypedValue, (tpe.typename, data))


# What most values are: their typenames and serializers, looked up once.
SCALARS = {
    cls: (tpe.typename, tpe.serializer().serialize)
    for cls, tpe in CLASS_TYPES.items()
    if tpe.typename in BUILT_IN_TYPES
}


def inferred_value(value: Any, explicit: Any = None) -> TypedValue:
    """``value`` encoded as the ``explicit`` type, or as the one inferred; or ConversionError."""
    if explicit is None:
        scalar = SCALARS.get(type(value))
        if scalar is not None:
            return new_tuple(TypedValue, (scalar[0], scalar[1](value)))
    return typed_value(type_of_value(value, explicit), value)


# Stands where an argument was left out: None is a value that somebody may have passed.
MISSING: Any = object()


def addressed(
    message: Any, id: Any = MISSING, value: Any = MISSING, type: Any = None
) -> tuple[SdkAddress, TypedValue]:
    """Who a message is for, and what it carries: the one rule for every way of sending one.

    Parameters
    ----------
    message : Message or str
        A ``Message`` alone, or a typename that ``id`` and ``value`` follow.
    type : Type or type, optional
        The value's type; inferred from the Python value when left out.

    Raises
    ------
    ConversionError
        When something is missing, or the value does not fit its type.
    DeclarationError
        When the typename is not ``namespace/name``, or the id is no text.
    """
    if isinstance(message, Message):
        address = address_of(message.target_typename, message.target_id)
        check_utf8(address)  # a message that has arrived may have an empty id
        try:
            typed = own_typed_value(message.typed_value)
        except ConversionError as error:
            raise about(error, address.typename, address.id) from error.__cause__
    else:
        if id is MISSING or value is MISSING:
            given = ", ".join(shown(each) for each in (message, id, value) if each is not MISSING)
            wanted = "what is sent is a Message, or a typename, an id and a value"
            raise ConversionTypeError(f"{wanted}; given only {given}{_meant(message)}")
        address = target_of(message, id)
        if value is None:
            raise ConversionError(
                f"None is no value that a message can have (message to {address}): send another, "
                'such as {} or ""'
            )
        try:
            typed = inferred_value(value, type)
        except ConversionError as error:
            raise about(error, message, id) from error.__cause__
    return address, typed


def about(error: ConversionError, typename: str, id: str) -> ConversionError:
    """The same error, with the message it is about in front."""
    return error.__class__(f"message to {typename} {id!r}: {error}")


def _meant(given: object) -> str:
    """What to write for what stands alone where a message was expected."""
    if isinstance(given, EgressMessage):
        return ": ctx.send_egress takes what is for an egress"
    if isinstance(given, SdkAddress):
        return ": write address.typename, address.id and the value"
    return ""
