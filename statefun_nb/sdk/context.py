"""The context that a function is given: it reads storage, and appends effects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Protocol, overload

from ..address import SdkAddress
from ..protocol.effects import TypedValue
from .live import Live
from .messages import MISSING, EgressMessage, Message
from .types import Type
from .value_spec import ValueSpec

__all__ = ["Context", "Routes"]


class Context(Live, ABC):
    """What a function sees of the message it serves, and how it acts.

    ``ctx.address`` and ``ctx.caller`` (None when the message came from an ingress) are
    ``SdkAddress``; ``ctx.storage`` has an attribute for each declared state value.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def address(self) -> SdkAddress:
        """The address that is being invoked."""

    @property
    @abstractmethod
    def storage(self) -> Any:
        """The state values of this address: an attribute for each that was declared.

        The attributes are made when the function is declared, so that a type checker takes each
        for ``Any``; it knows those of a class whose state is declared with ``State``.
        """

    @property
    @abstractmethod
    def caller(self) -> SdkAddress | None:
        """Who sent the message; None when it came from an ingress."""

    @overload
    def send(self, message: Message) -> None: ...
    @overload
    def send(
        self, message: str, id: str, value: Any, *, type: Type[Any] | type[Any] | None = None
    ) -> None: ...
    def send(
        self,
        message: Message | str,
        id: str = MISSING,
        value: Any = MISSING,
        *,
        type: Any = None,
    ) -> None:
        """Send a message: ``send(message)``, or ``send(typename, id, value)``.

        Parameters
        ----------
        message : Message or str
            A ``Message`` alone, or a typename that ``id`` and ``value`` follow.
        type : Type or type, optional
            The value's type; inferred from the Python value when left out.

        Raises
        ------
        ConversionError
            When something is missing, the value does not fit its type, or the id is empty.
        DeclarationError
            When the typename is not ``namespace/name``, the id is no text, or ``type`` is none.
        EngineError
            On a real cluster, when no endpoint serves that function type.
        ContextEndedError
            When the invocation is over.

        Examples
        --------
        ``ctx.send("shop/stock", "hat", 3)``
        """

    @overload
    def send_after(
        self,
        duration: timedelta,
        message: Message,
        cancellation_token: str = "",
        *,
        token: str = "",
    ) -> None: ...
    @overload
    def send_after(
        self,
        duration: timedelta,
        typename: str,
        id: str,
        /,
        value: Any,
        *,
        token: str = "",
        type: Type[Any] | type[Any] | None = None,
    ) -> None: ...
    def send_after(
        self,
        duration: timedelta,
        message: Message | str,
        cancellation_token: str = "",
        value: Any = MISSING,
        *,
        token: str = "",
        type: Any = None,
    ) -> None:
        """Send a message later.

        ``send_after(duration, message, cancellation_token)`` is the official form, and
        ``send_after(duration, typename, id, value, token=...)`` the short one.

        Parameters
        ----------
        duration : timedelta
            How much later; not negative, and cut to whole milliseconds.
        message, value, type
            As in ``send``.
        token, cancellation_token : str, optional
            By which this address can cancel it; none may be pending under the same one.

        Raises
        ------
        ConversionError
            As ``send`` does; when ``duration`` is no timedelta, negative, or longer than there are
            dates; and when the token is no text.
        DeclarationError, ContextEndedError
            As ``send`` does.
        EngineError
            As ``send`` does; and when a message of this address is pending under that token.

        Examples
        --------
        ``ctx.send_after(timedelta(hours=1), "shop/cart", "ann", "remind", token="reminder")``
        """

    def cancel_delayed_message(self, cancellation_token: str) -> None:
        """Drop the delayed message that *this address* set under that token.

        A message that was delivered already, or a token never used, is no error.

        Raises
        ------
        ConversionError
            When the token is empty, or no text.
        EngineError
            When the request is one of StateFun 2.x, which cannot cancel.
        ContextEndedError
            When the invocation is over.
        """

    def send_egress(self, message: EgressMessage) -> None:
        """Emit a record to an egress.

        Parameters
        ----------
        message : EgressMessage
            What ``kafka_egress_message`` or another egress builder has made.

        Raises
        ------
        ConversionError
            When it is something else.
        EngineError
            When a cluster would fail for it: the egress is one of another kind, Kafka has no topics
            of that name, or the record is too large.
        ContextEndedError
            When the invocation is over.
        """


class Routes(Protocol):
    """What an engine says to a function's effects: asked for each of them, at the user's line."""

    @property
    def check_target(self) -> Callable[[str], None] | None:
        """Raises when no function of that type can be reached; None where any can be."""

    def check_token(self, owner: SdkAddress, token: str) -> None:
        """Raise when a delayed message of ``owner`` is pending under this token."""

    def check_state(self, typename: str, specs: Mapping[str, ValueSpec]) -> None:
        """Take in how a function declares its state; raise when that cannot be.

        A name that has values keeps its type and its expiration.
        """

    def egress(self, typename: str, value: TypedValue, topic: str | None) -> tuple[str, TypedValue]:
        """The egress that takes a record for ``typename``, and the record as that one takes it.

        Raises for one that it would refuse. ``topic`` is that of a Kafka record where it is known.
        """
