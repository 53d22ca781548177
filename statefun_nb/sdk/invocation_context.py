"""The context of one request: it encodes effects, until its invocation is over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from ..address import SdkAddress, in_order
from ..errors import (
    ContextEndedError,
    ConversionError,
    ConversionTypeError,
    DeclarationError,
    EngineError,
    token_is_pending,
)
from ..protocol.effects import Received
from ..protocol.v3 import cancel_chunk, delayed_chunk, egress_chunk, read_caller, send_chunk
from ..protocol.wire import cause_bytes
from ..tables import shown
from .context import Context, Routes
from .delays import delay_ms
from .messages import (
    MISSING,
    SCALARS,
    EgressMessage,
    Message,
    about,
    addressed,
    own_typed_value,
)
from .storage import Cell, end_storage
from .targets import not_utf8

__all__ = ["ContextOfV2", "InvocationContext"]


class InvocationContext(Context):
    """The context of one request: shared by the invocations of its batch, in order.

    Effects are encoded when they are made: a value that does not fit raises at the user's line,
    and an object that is changed after it was sent is sent as it was.
    """

    # Slots where Context has properties: read without a call into Python, and some functions read
    # each of them for every message. The caller is looked up only when it is asked for.
    __slots__ = (
        "_check_target",
        "_received",
        "_tokens",
        "address",
        "delayed",
        "egress",
        "recorder",
        "routes",
        "sent",
        "seq",
        "storage",
    )
    address: SdkAddress
    storage: Any
    routes: Routes | None
    recorder: int
    seq: int

    def __init__(self, address: SdkAddress, storage: Any, routes: Routes | None = None) -> None:
        self.address = address
        self.storage = storage
        self.routes = routes
        self._check_target = None if routes is None else routes.check_target
        self._received: Received | None = None  # the message that is being served
        # What is sent says so: the recorder's id and the invocation's number; 0: it is not traced.
        self.recorder = 0
        self.seq = 0
        self._tokens: dict[str, bool] = {}  # used by this batch: is it pending?
        self.sent: list[bytes] = []
        self.delayed: list[bytes] = []
        self.egress: list[bytes] = []

    @property
    def caller(self) -> SdkAddress | None:
        return None if self._received is None else read_caller(self._received)

    def send(
        self,
        message: Message | str,
        id: str = MISSING,
        value: Any = MISSING,
        *,
        type: Any = None,
    ) -> None:
        data: bytes | None
        scalar = SCALARS.get(value.__class__) if type is None else None
        if scalar and id and id.__class__ is str and message.__class__ is str:
            typename: Any = message
            try:  # what nearly all messages are, without the calls that others need
                value_typename, serialize = scalar
                data = serialize(value)
            except ConversionError as error:
                raise about(error, typename, id) from error.__cause__
        else:
            address, (value_typename, data) = addressed(message, id, value, type)
            typename, id = address.typename, address.id  # noqa: A001 - its parameter's name
        if self._check_target is not None:
            self._check_target(typename)
        cause = cause_bytes(self.recorder, self.seq) if self.seq else b""
        try:
            self.sent.append(send_chunk(typename, id, value_typename, data, cause))
        except UnicodeEncodeError as error:
            raise not_utf8(typename, id) from error
        except DeclarationError as error:
            raise in_order(error, typename, id) from None

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
        if isinstance(message, Message):
            token = token or cancellation_token or ""
            target, typed = addressed(message)
        else:
            target, typed = addressed(message, cancellation_token, value, type)
        delay = delay_ms(duration, target.typename)
        if self._check_target is not None:
            self._check_target(target.typename)
        if not isinstance(token, str):
            raise ConversionTypeError(f"a cancellation token is a string, not {shown(token)}")
        cause = cause_bytes(self.recorder, self.seq) if self.seq else b""
        try:
            chunk = delayed_chunk(delay, target.typename, target.id, typed, token, cause)
        except UnicodeEncodeError as error:
            raise ConversionError(f"the token {token!r} cannot be written as UTF-8") from error
        if token and self.routes is not None:
            self._take_token(self.routes, token)
        self.delayed.append(chunk)

    def _take_token(self, routes: Routes, token: str) -> None:
        pending = self._tokens.get(token)
        if pending is None:
            routes.check_token(self.address, token)
        elif pending:
            raise EngineError(token_is_pending(self.address, token))
        self._tokens[token] = True

    def cancel_delayed_message(self, cancellation_token: str) -> None:
        if not isinstance(cancellation_token, str) or not cancellation_token:
            raise ConversionError(
                "cancel_delayed_message needs the token that the message was sent with, not "
                f"{shown(cancellation_token)}: an empty one fails the job on a cluster"
            )
        try:
            chunk = cancel_chunk(cancellation_token)
        except UnicodeEncodeError as error:
            raise ConversionError(
                f"the token {cancellation_token!r} cannot be written as UTF-8"
            ) from error
        self._tokens[cancellation_token] = False
        self.delayed.append(chunk)

    def send_egress(self, message: EgressMessage) -> None:
        if not isinstance(message, EgressMessage):
            raise ConversionTypeError(
                f"send_egress takes what an egress builder makes, not {shown(message)}: "
                "see sf.kafka_egress_message; what is for a function goes by ctx.send"
            )
        typename = message.typename
        try:
            value = own_typed_value(message.typed_value)
        except ConversionError as error:
            raise error.__class__(f"egress {typename}: {error}") from error.__cause__
        if self.routes is None:
            self.egress.append(egress_chunk(typename, value))
            return
        taker, value = self.routes.egress(typename, value, message.topic)
        instead_of = typename if taker != typename else ""
        self.egress.append(egress_chunk(taker, value, instead_of))

    def renew(self) -> InvocationContext:
        """The context for the next message, when somebody has kept this one, or its storage.

        The old ones refuse everything from now on: what a task or a thread does with them after
        their invocation would otherwise be booked on another.
        """
        storage = self.storage
        fresh = type(self)(self.address, type(storage)(storage._cells), self.routes)
        fresh._received, fresh.recorder, fresh.seq = self._received, self.recorder, self.seq
        fresh._tokens = self._tokens
        fresh.sent, fresh.delayed, fresh.egress = self.sent, self.delayed, self.egress
        self.end()
        return fresh

    def end(self) -> None:
        """Refuse everything from now on: the invocation is over.

        Not by the class alone: a bound method that was kept, ``send = ctx.send``, is still the one
        of the class before. It comes to where the effects were.
        """
        end_storage(self.storage)
        over: Any = _Over(self.address)
        self.sent = self.delayed = self.egress = self._tokens = over
        self._check_target = over.refuse
        self.routes = over
        self.__class__ = _EndedContext

    def mark(self, cells: list[Cell]) -> Callable[[], None]:
        """Remember all effects so far; what is returned takes back those that came after."""
        sent, delayed, egress = len(self.sent), len(self.delayed), len(self.egress)
        before = [(cell, cell.snapshot()) for cell in cells]
        tokens = dict(self._tokens)

        def undo() -> None:
            self._tokens = tokens
            del self.sent[sent:], self.delayed[delayed:], self.egress[egress:]
            for cell, snapshot in before:
                cell.restore(snapshot)

        return undo


class ContextOfV2(InvocationContext):
    """The context of a request of protocol v2, which cannot cancel."""

    __slots__ = ()

    def cancel_delayed_message(self, cancellation_token: str) -> None:
        raise EngineError(
            f"StateFun 2.x cannot cancel a delayed message ({cancellation_token!r}): number "
            "what is sent with a state value, and let its receiver ignore what is out of date"
        )


class _Over:
    """Stands where an ended context had its effects, and what they were asked of."""

    __slots__ = ("_address",)

    def __init__(self, address: SdkAddress) -> None:
        self._address = address

    def refuse(self, *_: object, **__: object) -> Any:
        raise ContextEndedError(
            f"the invocation of {self._address} that this context belongs to is over: what goes on "
            "after it, a task or a thread, cannot send, or use its state; await it in the function"
        )

    append = get = __setitem__ = egress = check_token = refuse


class _EndedContext(InvocationContext):
    """What a context becomes when its invocation is over and somebody still has it."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> Any:
        _Over(self.address).refuse()

    send = send_after = cancel_delayed_message = send_egress = _refuse
