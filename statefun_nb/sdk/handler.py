"""``RequestReplyHandler``: the bytes of a ToFunction in, those of a FromFunction out."""

from __future__ import annotations

import asyncio

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

    def __init__(self, functions: StatefulFunctions) -> None:
        if functions is None:
            raise DeclarationError("functions must be provided.")
        self.functions = functions

    def handle_sync(self, request_bytes: bytes | bytearray) -> bytes:
        """``handle_async`` for callers without an event loop."""
        return asyncio.run(self.handle_async(request_bytes))

    async def handle_async(self, request_bytes: bytes | bytearray) -> bytes:
        """Serve one request.

        Raises
        ------
        ProtocolError
            When the bytes are no request; UnknownFunctionError when nobody declared the target.
        Exception
            Whatever the user's function raises.
        """
        request = decode_request(bytes(request_bytes))
        spec = self.functions.for_typename(request.target.typename)
        outcome = dispatch(spec, request)
        if not isinstance(outcome, Outcome):
            outcome = await outcome
        if outcome.failure is not None:
            raise outcome.failure.error
        return outcome.reply
