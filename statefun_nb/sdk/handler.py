"""``RequestReplyHandler``: the bytes of a ToFunction in, those of a FromFunction out."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Literal

from ..errors import ConversionTypeError, DeclarationError, DeclarationTypeError, EngineError
from ..protocol import v2
from ..protocol.v3 import decode_request
from ..tables import shown
from .dispatch import Outcome, dispatch
from .live import Live
from .registry import StatefulFunctions

__all__ = ["RequestReplyHandler", "run"]


class RequestReplyHandler(Live):
    """Serves requests of StateFun's protocol for a set of functions.

    Parameters
    ----------
    functions : StatefulFunctions
    protocol : int
        Its version: 3, or 2 for StateFun 2.x.

    Raises
    ------
    DeclarationError
        When no functions are given, or there is no such version.

    Examples
    --------
    >>> handler = RequestReplyHandler(StatefulFunctions())
    """

    __slots__ = ("functions", "protocol")
    functions: StatefulFunctions
    protocol: int

    def __init__(self, functions: StatefulFunctions, *, protocol: Literal[2, 3] = 3) -> None:
        if functions is None:
            raise DeclarationError("functions must be provided.")
        if not isinstance(functions, StatefulFunctions):
            raise DeclarationTypeError(
                f"a handler takes the StatefulFunctions that were declared, not {shown(functions)}"
            )
        if protocol not in (2, 3):
            raise DeclarationError(f"protocol= is 3, or 2 for StateFun 2.x, not {shown(protocol)}")
        self.functions = functions
        self.protocol = protocol

    def handle_sync(self, request_bytes: bytes | bytearray) -> bytes:
        """``handle_async`` for callers without an event loop; an async function gets one.

        Raises
        ------
        EngineError
            When an async function is asked for where a loop runs already, as in a notebook's cell.
        """
        outcome = self.start(_bytes(request_bytes))
        if not isinstance(outcome, Outcome):
            outcome = run(outcome)
        return self._reply(outcome)

    async def handle_async(self, request_bytes: bytes | bytearray) -> bytes:
        """Serve one request.

        Raises
        ------
        ProtocolError
            When the bytes are no request; UnknownFunctionError when nobody declared the target.
        Exception
            Whatever the user's function raises.
        """
        outcome = self.start(_bytes(request_bytes))
        return self._reply(outcome if isinstance(outcome, Outcome) else await outcome)

    def start(self, data: bytes) -> Outcome | Coroutine[Any, Any, Outcome]:
        """Serve a request: what came of it, or for an async function what is to be awaited.

        Raises
        ------
        ProtocolError
            When the bytes are no request, or nobody declared its target.
        """
        if self.protocol == 3:
            request = decode_request(data)
            v2.refuse_in_v3(request)
        else:
            request, _ = v2.decode_request(data, self.functions._state_typename)
        return dispatch(self.functions.for_request(request), request)

    def encoded(self, outcome: Outcome) -> bytes:
        """The reply of an outcome without a failure."""
        return outcome.reply if self.protocol == 3 else v2.encode_reply(outcome.reply)

    def _reply(self, outcome: Outcome) -> bytes:
        if outcome.failure is not None:
            raise outcome.failure.error
        return self.encoded(outcome)


def _bytes(request: object) -> bytes:
    if not isinstance(request, (bytes, bytearray, memoryview)):  # bytes(5) would be five zeros
        raise ConversionTypeError(
            f"a handler takes the bytes of a request, not {shown(request)}: the body that StateFun "
            "has sent, as await request.read() gives it"
        )
    return bytes(request)


def run(coroutine: Coroutine[Any, Any, Outcome]) -> Outcome:
    """What comes of it, where no event loop runs.

    Raises
    ------
    EngineError
        When one does, as in a notebook's cell.
    """
    import asyncio  # 20 ms that a program with sync functions need not wait for

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    coroutine.close()
    raise EngineError(
        "handle_sync cannot wait for an async function where an event loop runs already, as in a "
        "notebook: write `await handler.handle_async(data)`"
    )
