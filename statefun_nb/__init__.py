"""Stateful functions in a notebook: write them in cells, see every invocation, run them anywhere.

    import statefun_nb as sf

The names of the official StateFun Python SDK, and on top of them ``sf.function``, ``sf.State``
and the session (``sf.start``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .address import SdkAddress
from .errors import (
    BusyError,
    CheckFailed,
    ContextEndedError,
    ConversionError,
    ConversionTypeError,
    CopyError,
    DeclarationError,
    DeclarationTypeError,
    EngineError,
    IdleTimeout,
    ItemError,
    ItemTypeError,
    ProtocolError,
    SessionError,
    StatefunError,
    StateNameError,
    UnknownFunctionError,
)
from .sdk.builders import egress_message_builder, message_builder
from .sdk.context import Context
from .sdk.egress import kafka_egress_message, kinesis_egress_message
from .sdk.functions import StatefulFunction, function, undeclare
from .sdk.handler import RequestReplyHandler
from .sdk.made_types import make_json_type, make_protobuf_type
from .sdk.messages import EgressMessage, Message
from .sdk.registry import StatefulFunctions
from .sdk.state import State
from .sdk.types import (
    BoolType,
    DoubleType,
    FloatType,
    IntType,
    LongType,
    StringType,
    Type,
    TypeSerializer,
    simple_type,
)
from .sdk.value_spec import ValueSpec

if TYPE_CHECKING:
    from .sessions.checks import Check
    from .sessions.default import session, start, stop
    from .sessions.session import Session
    from .trace.events import EgressRecord, Invocation, InvocationError
    from .trace.invocations import Invocations
    from .trace.replay import Replay

__version__ = "0.1.0"

__all__ = [
    "BoolType",
    "BusyError",
    "Check",
    "CheckFailed",
    "Context",
    "ContextEndedError",
    "ConversionError",
    "ConversionTypeError",
    "CopyError",
    "DeclarationError",
    "DeclarationTypeError",
    "DoubleType",
    "EgressMessage",
    "EgressRecord",
    "EngineError",
    "FloatType",
    "IdleTimeout",
    "IntType",
    "Invocation",
    "InvocationError",
    "Invocations",
    "ItemError",
    "ItemTypeError",
    "LongType",
    "Message",
    "ProtocolError",
    "Replay",
    "RequestReplyHandler",
    "SdkAddress",
    "Session",
    "SessionError",
    "State",
    "StateNameError",
    "StatefulFunction",
    "StatefulFunctions",
    "StatefunError",
    "StringType",
    "Type",
    "TypeSerializer",
    "UnknownFunctionError",
    "ValueSpec",
    "egress_message_builder",
    "function",
    "kafka_egress_message",
    "kinesis_egress_message",
    "make_json_type",
    "make_protobuf_type",
    "message_builder",
    "session",
    "simple_type",
    "start",
    "stop",
    "undeclare",
]


# Names of what drives functions, and where they are: imported when they are first asked for, so
# that a program that only declares and serves functions needs protobuf alone.
_LATER = {
    "Check": ".sessions.checks",
    "EgressRecord": ".trace.events",
    "Invocation": ".trace.events",
    "InvocationError": ".trace.events",
    "Invocations": ".trace.invocations",
    "Replay": ".trace.replay",
    "Session": ".sessions.session",
    "session": ".sessions.default",
    "start": ".sessions.default",
    "stop": ".sessions.default",
}


def __getattr__(name: str) -> Any:
    place = _LATER.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(place, __name__), name)
    return found


def __dir__() -> list[str]:
    """What ``sf.<Tab>`` offers: the public names, and none of the package's own modules."""
    return __all__


def load_ipython_extension(ipython: Any) -> None:
    """``%load_ext statefun_nb``: adds the magics."""
    from .magics import register  # with the session and the engine, 160 ms

    register(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """``%unload_ext statefun_nb``: removes the magics; a running session goes on."""
    from .magics import unregister  # there already: 0 ms

    unregister(ipython)
