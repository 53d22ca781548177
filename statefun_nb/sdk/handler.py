"""``RequestReplyHandler``: the bytes of a ToFunction in, those of a FromFunction out."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from ..errors import DeclarationError
from ..protocol.v3 import decode_request
from .dispatch import Outcome, dispatch
from .registry import StatefulFunctions

__all__ = ["RequestReplyHandler"]


class RequestReplyHandler:
    """Serves requests of StateFun's protocol v3 for a set of functions.

    Raises
    ------
    DeclarationError
        When no functions are given.

    Examples
    --------
    >>> handler = RequestReplyHandler(StatefulFunctions())
    """

    __slots__ = ("functions",)
    functions: StatefulFunctions

    def __init__(self, functions: StatefulFunctions) -> None:
        if functions is None:
            raise DeclarationError("functions must be provided.")
        self.functions = functions

    def handle_sync(self, request_bytes: bytes | bytearray) -> bytes:
        """``handle_async`` for callers without an event loop; an async function gets one."""
        outcome = self._start(request_bytes)
        if not isinstance(outcome, Outcome):
            import asyncio  # 20 ms that a program with sync functions need not wait for

            outcome = asyncio.run(outcome)
        return _reply(outcome)

    async def handle_async(self, request_bytes: bytes | bytearray) -> bytes:
        """Serve one request.

        Raises
        ------
        ProtocolError
            When the bytes are no request; UnknownFunctionError when nobody declared the target.
        Exception
            Whatever the user's function raises.
        """
        outcome = self._start(request_bytes)
        return _reply(outcome if isinstance(outcome, Outcome) else await outcome)

    def _start(self, request_bytes: bytes | bytearray) -> Outcome | Coroutine[Any, Any, Outcome]:
        request = decode_request(bytes(request_bytes))
        return dispatch(self.functions.for_typename(request.target.typename), request)


def _reply(outcome: Outcome) -> bytes:
    if outcome.failure is not None:
        raise outcome.failure.error
    return outcome.reply
