"""What every engine is to a session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from ..address import SdkAddress
from ..errors import EngineError
from ..protocol.effects import Emit, StateSpec, TypedValue
from ..protocol.module_yaml import Document
from .facts import (
    ClockMove,
    Idle,
    IngressMessage,
    ParkedAddress,
    Progress,
    States,
    StoredState,
    Timer,
    WaitingAddress,
    Written,
)

__all__ = ["Controls", "Engine", "RunningCluster", "controls_of"]


class RunningCluster(Protocol):
    """What can be seen of the cluster that plays the engine's part."""

    @property
    def module_version(self) -> str | None:
        """Of the module.yaml that it reads; None for today's."""

    @property
    def web_url(self) -> str:
        """Flink's web interface."""

    @property
    def bootstrap_servers(self) -> str:
        """The address of its Kafka."""

    @property
    def restarts(self) -> Sequence[str]:
        """Its processes that died and were started again: when, which, and why it died."""

    def logs(self) -> dict[str, str]:
        """What its processes have written, by process."""


class Controls(Protocol):
    """What can be done by hand to an engine that runs in this process.

    ``step`` and ``advance`` run on the loop, the others are called from any other thread.
    """

    async def step(self) -> SdkAddress | None:
        """While paused: serve one message; whose? None when none is ready."""

    async def advance(self, duration: timedelta) -> Idle:
        """Move the clock; what falls due on the way happens in order."""

    @property
    def moves(self) -> Sequence[ClockMove]:
        """When the clock was moved, as far as it is remembered; oldest first."""

    def write(
        self,
        address: SdkAddress,
        values: Mapping[str, TypedValue | None],
        specs: Sequence[StateSpec] = (),
        by: str = "s.set_state",
    ) -> None:
        """Set state values, all or none, as if the function had; None clears.

        With ``specs`` that declare them the address need not have had a message. ``by`` says who
        did it, for ``written``.

        Raises
        ------
        EngineError
            When the address is being served, or a name or a type is not as it is kept.
        """

    def written(self, typename: str) -> list[Written]:
        """What was set by hand of a function type, as far as it is remembered; oldest first."""

    def cancel(self, number: int) -> bool:
        """Drop a pending delayed message; False when it is not pending any more."""

    def waiting(self, limit: int) -> tuple[int, list[WaitingAddress]]:
        """How many addresses have messages that wait, and the first of them.

        Those that are parked come first, then those that back off, those that wait behind their own
        request, and those whose turn comes.
        """

    def bring_forward(self, address: SdkAddress) -> None:
        """Let an address be the next whose turn it is.

        Raises
        ------
        EngineError
            When none of its messages is ready.
        """

    def amend(self, address: SdkAddress, value: TypedValue) -> None:
        """Put another value into the message at the head of a parked address, and try again.

        Raises
        ------
        EngineError
            When the address is not parked.
        """

    def backup(self, path: str) -> None:
        """Copy the file in which all is kept.

        Raises
        ------
        EngineError
            When nothing is kept, or the copy cannot be written.
        """


class Engine(Protocol):
    """Delivers messages to functions and keeps their state.

    Its methods may be called from any thread but the loop's; the ``async`` ones run on the loop.
    """

    @property
    def name(self) -> str:
        """As in ``sf.start(engine=...)``."""

    @property
    def controls(self) -> Controls | None:
        """What can be done to it by hand; None for a real cluster: see ``controls_of``."""

    @property
    def cluster(self) -> RunningCluster | None:
        """The real cluster; what is told of its state is what the endpoint saw last."""

    @property
    def paused(self) -> bool:
        """Is no further request sent just now?"""

    @property
    def progress(self) -> Progress:
        """What has been done and what is left; answers also while a function blocks the loop."""

    def now(self) -> float:
        """The engine's time in seconds since the epoch."""

    @property
    def ticks(self) -> bool:
        """Does its time pass by itself? A virtual clock moves by ``advance`` alone."""

    def prepare(self, timeout: float | None = None) -> bool:
        """Be ready for what waits, with all that is declared by now; is it, after ``timeout`` s?"""

    def post(self, messages: Iterable[IngressMessage]) -> None:
        """Hand in messages from outside; with ``durable=`` they are in the file on return."""

    def release(self, typename: str) -> None:
        """Let what was parked for a function go on, soon: it was declared."""

    def kept_otherwise(self, typename: str, specs: Sequence[StateSpec]) -> str:
        """Why state that is declared so cannot be served, as its names are kept otherwise.

        "" where it can, and where that is not known at once: its next message will tell.
        """

    def retry(self, typename: str | None, id: str | None) -> int:
        """Let parked addresses go on: all, those of a type, or one; how many do?"""

    def discard(self, address: SdkAddress) -> TypedValue:
        """Give up the message at the head of a parked address, and return what it carried.

        Raises
        ------
        EngineError
            When the address is not parked.
        """

    def state(self, address: SdkAddress) -> dict[str, TypedValue | None]:
        """The state of one address, by name; None or no entry where there is none."""

    def states(self, typename: str) -> States:
        """The state of all addresses of a function type that have some."""

    def types(self) -> dict[str, int]:
        """The function types that have had a message, and of each how many addresses."""

    def page(self, typename: str, search: str, limit: int) -> tuple[int, list[StoredState]]:
        """The newest ``limit`` addresses whose id contains ``search``, and how many there are.

        One whose id is ``search`` comes first, however old it is.
        """

    def timers(self) -> list[Timer]:
        """The pending delayed messages, soonest first."""

    def unanswered(self) -> dict[SdkAddress, str]:
        """The addresses whose endpoint gives no good answer, or none, and what becomes of them."""

    def unseen(self) -> dict[str, str]:
        """The rules of module.yaml whose functions are called past the session, and why."""

    @property
    def broken(self) -> bool:
        """Can it keep nothing any more, and so serve nothing? Only a new session goes on."""

    def health(self) -> str:
        """What is wrong with the engine itself, or what it waits for; "" when nothing is."""

    def egress(self, typename: str | None) -> Sequence[Emit]:
        """The records of one egress, or of all, in order.

        Of a real cluster: in the order of each partition of Kafka, and of different ones by the
        millisecond in which they were written.
        """

    def egresses(self) -> set[str]:
        """The names of the egresses that records went to; reads none of them."""

    def parked(self) -> list[ParkedAddress]:
        """The addresses that wait for a corrected or missing function.

        Without ``line`` and ``attempts``, which are "" and 0: an engine does not know them.
        """

    def documents(self) -> list[Document]:
        """The module.yaml that serves what is declared by now."""

    def load(self, documents: list[Document]) -> None:
        """Do what documents of the user's module.yaml say, from now on.

        Raises
        ------
        EngineError
            When this engine cannot do what one of them asks for.
        """

    def pause(self) -> None:
        """Send no further request; those in flight end."""

    def resume(self) -> None:
        """Send requests again."""

    def halt(self) -> None:
        """Send no further request, at once and from any thread, also while a function blocks."""

    async def idle(self, timeout: float) -> Idle:
        """Return when nothing moves any more and nothing falls due within ``timeout`` seconds."""

    async def close(self) -> None:
        """Stop; nothing of the engine is left running."""

    def abandon(self) -> None:
        """Give back files and processes, when the loop's thread has ended without ``close``."""


def controls_of(engine: Engine, wanted: str) -> Controls:
    """What does something to an engine by hand.

    Parameters
    ----------
    wanted : str
        What is to be done, as in "step".

    Raises
    ------
    EngineError
        When it cannot be done to this engine, a real cluster.
    """
    if engine.controls is None:
        raise EngineError(
            f"{wanted} needs engine='embedded': a real cluster keeps its messages, its state and "
            "its time to itself"
        )
    return engine.controls
