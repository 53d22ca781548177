"""What goes between kernel and browser; ``js/src/wire.ts`` says the same in TypeScript.

The browser sends ``hello`` (a page has opened the view), ``visible``, ``ack`` and ``call``; the
kernel sends ``update``, ``reply`` and ``problem``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, TypedDict

__all__ = [
    "CallReply",
    "Detail",
    "DetailError",
    "DetailOut",
    "Edge",
    "Frame",
    "FunctionPage",
    "FunctionRow",
    "FunctionState",
    "Header",
    "HistoryEntry",
    "Matches",
    "Out",
    "Problem",
    "Row",
    "StatePage",
    "StateRow",
    "StateValue",
    "TimerPage",
    "TimerRow",
    "Update",
    "WaitingMessage",
    "WaitingPage",
    "WaitingRow",
]

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
    state: Literal["running", "paused", "stopped", "ended", "broken"]
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
    repaired: int
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
    ``types`` holds the counts of invocations, of errors and of repaired errors by typename, also
    of functions that have had no message yet. ``jumps`` are the last moves of the engine's clock,
    each with its time before and after, in milliseconds.
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
    jumps: Sequence[tuple[int, int]]


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


class DetailOut(TypedDict, total=False):
    """One thing that an invocation sent, with its whole value; each ``kind`` has its own fields."""

    kind: str
    where: str
    id: str
    topic: str
    key: str
    delay: str
    type: str
    value: Node


class Frame(TypedDict):
    """A frame of a traceback: ``place`` as in "Cell In[3]"; of the user's own code with lines."""

    place: str
    line: int
    function: str
    own: bool
    code: list[tuple[int, str]]


class DetailError(TypedDict):
    """What an invocation raised, how often it was tried again, and whether it has gone through."""

    type: str
    message: Node
    traceback: Node
    frames: list[Frame]
    retries: int
    repaired: bool


class Detail(TypedDict):
    """One invocation, opened. What it printed is cut like any other text.

    ``text`` is what an editor of its message starts with, None where no text can stand for it.
    """

    seq: int
    message_type: str
    message: Node
    text: str | None
    before: Node
    after: Node
    out: list[DetailOut]
    stdout: Node
    error: DetailError | None
    function_version: int
    batch: int


class StateValue(TypedDict):
    """One state value. ``text`` is what an editor starts with, None where no text can stand for it.

    ``expires`` in milliseconds since the epoch, 0: never.
    """

    name: str
    type: str
    present: bool
    value: Node
    text: str | None
    expires: float


class StateRow(TypedDict):
    """What one address keeps, and the last invocation that changed it; ``seq`` 0: none is kept.

    An id that is not ``exact`` was cut, and nothing can be asked about its address.
    """

    id: str
    exact: bool
    values: list[StateValue]
    seq: int
    time: float
    by: str


class StatePage(TypedDict):
    """Some addresses of a function type, of ``total`` that match, and how many each type has.

    At ``most`` so many are shown. ``ordered``: the newest of them, among which an order was made.
    ``observed``: it is what the endpoint saw last. ``undoable`` counts edits.
    """

    types: dict[str, int]
    typename: str
    total: int
    most: int
    ordered: int
    observed: bool
    undoable: int
    rows: list[StateRow]


class HistoryEntry(TypedDict):
    """One invocation of an address, with the state that it found and left.

    What was set ``by`` hand has a row without number and message, and says who did it.
    """

    row: Row
    before: Node
    after: Node
    by: str


class Matches(TypedDict):
    """Invocations up to the number ``upto`` that have a value."""

    seqs: list[int]
    upto: int


class TimerRow(TypedDict):
    """A delayed message that is pending; ``due`` in milliseconds since the epoch."""

    number: int
    due: float
    owner: str
    token: str
    typename: str
    id: str
    text: str


class TimerPage(TypedDict):
    """The first delayed messages of ``total``; ``now`` is the engine's clock, in milliseconds."""

    now: float
    total: int
    rows: list[TimerRow]


class WaitingMessage(TypedDict):
    """A message that waits: who sent it ("" from outside), its type, and its value.

    ``edit`` is what an editor starts with, None where no text can stand for it. ``came`` is when it
    came to its address, in milliseconds since the epoch, 0: not known.
    """

    caller: str
    type: str
    text: str
    edit: str | None
    came: float


class WaitingRow(TypedDict):
    """An address whose messages wait, and why; see ``engine.facts``.

    ``since`` and ``next`` (try) in milliseconds since the epoch, 0: not known, or none. ``seq`` is
    the invocation that failed. ``messages`` are the first of ``waiting``. ``retriable`` and
    ``discardable`` say what "all" does to it.
    """

    typename: str
    id: str
    exact: bool
    why: str
    retriable: bool
    discardable: bool
    reason: str
    line: str
    attempts: int
    waiting: int
    since: float
    next: float
    seq: int
    messages: list[WaitingMessage]


class WaitingPage(TypedDict):
    """The first of ``total`` addresses that wait, of the type and the id that were asked for."""

    typename: str
    id: str
    total: int
    rows: list[WaitingRow]


class FunctionState(TypedDict):
    """A declared state value; ``expires`` in words, "" when it does not."""

    name: str
    type: str
    expires: str


class FunctionRow(TypedDict):
    """A function: what is declared, and how its invocations went.

    ``place`` is where, as in "Cell In[3], line 2"; ``source`` its code. ``takes`` are the types of
    messages that it has had. ``p50``, ``p99`` and ``durations`` are of its last invocations:
    ``durations[i]`` counts those below ``0.01 * 2**i`` ms.
    """

    typename: str
    declared: bool
    version: int
    is_async: bool
    place: str
    source: str
    state: list[FunctionState]
    addresses: int
    waiting: int
    parked: int
    takes: list[str]
    p50: float
    p99: float
    durations: list[int]


class FunctionPage(TypedDict):
    """All functions that are declared, or have had a message."""

    rows: list[FunctionRow]
