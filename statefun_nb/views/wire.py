"""What goes between kernel and browser; ``js/src/wire.ts`` says the same in TypeScript.

The browser sends ``hello`` (a page has opened the view), ``visible``, ``ack`` and ``call``; the
kernel sends ``update``, ``reply`` and ``problem``.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias, TypedDict

__all__ = ["CallReply", "Detail", "Edge", "Header", "Out", "Problem", "Row", "Update"]

# A value as ``tree`` has cut it; the head of ``tree.py`` lists what it may be.
Node: TypeAlias = Any


class Out(NamedTuple):
    """One thing that an invocation sent: "message", "delayed", "egress" or "cancel".

    ``where`` is a typename, ``id`` that of the target, ``topic`` and ``key`` those of a record.
    """

    kind: str
    where: str
    id: str
    topic: str
    key: str
    text: str


class Row(NamedTuple):
    """One invocation, at a glance. ``time`` in milliseconds since the epoch, ``cause`` 0: none.

    ``repaired`` says of an error that its message has gone through since.
    """

    seq: int
    time: float
    typename: str
    id: str
    caller: str
    message: str
    change: str
    out: list[Out]
    outs: int
    ms: float
    status: Literal["ok", "error", "rolled back"]
    error: str
    repaired: bool
    cause: int


class Header(TypedDict):
    """The session in numbers; times in milliseconds, ``rate`` in invocations per second.

    ``now`` is the engine's clock, which may be ahead of everybody else's; it stands still between
    two updates where it does not tick.
    """

    engine: str
    state: Literal["running", "paused", "stopped", "ended"]
    health: str
    url: str
    web_url: str
    now: float
    ticks: bool
    processed: int
    in_flight: int
    queued: int
    parked: int
    delayed: int
    errors: int
    traced: int
    rate: float
    p50: float
    p99: float
    running: list[str]
    functions: list[str]
    editable: bool


class Edge(NamedTuple):
    """Messages from one node to another; ``kind`` is "message" or "egress"."""

    kind: str
    source: str
    target: str
    messages: int


class Update(TypedDict):
    """What has changed since the last one.

    ``rows`` are new, or have changed since they were sent: an error was tried again, or repaired.
    ``first`` is the oldest invocation that is still kept; ``waiting`` rows will follow; ``missed``
    invocations were dropped before the view saw them: they are in no count but ``header``'s.
    ``types`` holds the counts of invocations and of errors by typename.
    """

    kind: str
    number: int
    first: int
    header: Header
    rows: list[Row]
    waiting: int
    missed: int
    edges: list[Edge]
    types: dict[str, list[int]]


class CallReply(TypedDict, total=False):
    """The answer to a call: a result, or an error in words."""

    kind: str
    id: str
    result: Any
    error: str


class Problem(TypedDict):
    """Why no update could be made."""

    kind: str
    text: str


class Detail(TypedDict):
    """One invocation, opened. What it printed is cut like any other text."""

    seq: int
    message_type: str
    message: Node
    before: Node
    after: Node
    out: list[dict[str, Any]]
    stdout: Node
    error: dict[str, Any] | None
    function_version: int
    batch: int
