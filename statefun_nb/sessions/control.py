"""What can be done to a session by hand: stop and go, the clock, messages that wait, and state."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from typing import Any

from ..address import address_of
from ..engine.base import controls_of
from ..engine.facts import Idle
from ..errors import BusyError, EngineError, SessionError, is_kept
from ..sdk.messages import MISSING
from ..tables import counted
from ..trace.events import Invocation, Payload
from ..trace.history import find_invocation
from .arguments import a_duration, a_path, seconds, whole
from .inspection import Inspection
from .sending import message_again
from .state_writing import write_state
from .waiting import without_answer

__all__ = ["LATER", "USE_CONTEXT", "Control"]

# Said of calls that are not for the inside of a function.
USE_CONTEXT = (
    "use ctx.send(typename, id, value), which goes out with the function's other effects, once"
)
LATER = "it would wait for this very function; return, and call it in a cell"

# ``set_state`` waits so long for what it lets go to ask once more.
_SETTLE_SECONDS = 1.0


class Control(Inspection):
    """The part of ``Session`` that says how to go on: a base class, to keep the files small."""

    # What waits, and what to do about it.

    def retry(self, typename: str | None = None, id: str | None = None) -> int:
        """Try parked messages again, as after a cell was fixed; how many addresses go on.

        Parameters
        ----------
        typename, id : str, optional
            Only those of a function type, or of one address; all when left out.

        Raises
        ------
        UnknownFunctionError
            When nobody has declared the function, and no message has gone to it.

        Examples
        --------
        ``s.retry()`` once the service that a function calls is there again.
        """
        self._check_outside("retry", LATER)
        _check_meant(typename, id)
        if typename is not None:
            self._check_known(typename)
        released = self.engine.retry(typename, id)
        if not released and typename is not None and id is not None:
            self._check_had_message(address_of(typename, id))
        return released

    def discard(self, typename: str, id: str) -> Payload:
        """Give up the message at the head of a parked address, and return it; the rest goes on.

        While the session is paused, also of one whose messages are queued.
        On a real cluster the request that is held is answered without that message.

        Raises
        ------
        EngineError
            When the address is not parked, and nothing is queued for it while paused: what is in
            flight, or delayed, is said.
        UnknownFunctionError
            When nobody has declared the function, and no message has gone to it.
        """
        self._check_outside("discard", LATER)
        address = address_of(typename, id)
        self._check_known(typename)
        given_up = Payload(*self.engine.discard(address))
        self._thread.post(self._handler.failures.forget, address)
        return given_up

    def resend(self, seq: int, value: Any = MISSING, *, delay: timedelta | None = None) -> None:
        """Send the message of an invocation once more, as it was, or with another value.

        Parameters
        ----------
        seq : int
            Of the invocation, as ``s.invocations`` shows it.
        value : optional
            What it carries instead: of the same type, where that can be told.
        delay : timedelta, optional
            Deliver it so much later.

        Raises
        ------
        EngineError
            When the trace does not keep that invocation.
        """
        self._check_outside("resend", USE_CONTEXT)
        whole("seq", seq, 0)
        found = find_invocation(self.recorder, seq)
        if found is None:
            raise EngineError(
                f"invocation {seq!r} is not kept: s.invocations shows those that are; a larger "
                "trace_limit keeps more"
            )
        self.engine.post([message_again(found, value, delay)])

    def set_state(self, typename: str, id: str, /, **values: Any) -> None:
        """Set state values of one address by hand, all or none; ``None`` clears one.

        Embedded engine only. They are checked against what the function declares. An address that
        is parked tries its message again, as by ``retry``; so do those that wait for its values to
        be cleared, because the state is declared with another type.

        Raises
        ------
        ConversionError
            When a value is none of the declared class or type.
        StateNameError
            When the function declares no state of that name.
        EngineError
            When the address is being served just now, or the engine is a real cluster.

        Examples
        --------
        ``s.set_state("shop/cart", "ann", cart=Cart(["hat"]), visits=None)``
        """
        self._check_outside("set_state", LATER)
        write_state(self.engine, self.functions, typename, id, values)
        self.engine.retry(typename, id)
        asking = [
            each.address.id
            for each in self.engine.parked()  # each waits for the last value to be gone
            if each.address.typename == typename
            and any(is_kept(each.reason, typename, name) for name in values)
        ]
        for each in asking:
            self.engine.retry(typename, each)
        until = time.monotonic() + _SETTLE_SECONDS if asking and not self.engine.paused else 0.0
        # Till they have asked again: the next call may be for one of them.
        while time.monotonic() < until:
            now = self.engine.progress
            if not now.in_flight and not now.queued:
                break
            time.sleep(0.005)

    def backup(self, path: str | os.PathLike[str]) -> None:
        """Copy the file of ``durable=`` to a new one, while the session goes on.

        What ``send`` has taken and functions have done till then is in it, as after a stop. Copying
        the file by hand would miss what SQLite keeps beside it.

        Raises
        ------
        EngineError
            When the session keeps nothing, or there is something at ``path`` already.
        """
        self._check_outside("backup", LATER)
        controls_of(self.engine, "backup").backup(str(a_path("path", path).absolute()))

    # Controlling.

    def pause(self) -> None:
        """Serve no further message until ``step`` or ``resume``.

        Raises
        ------
        EngineError
            When nothing is served any more, because the file of ``durable=`` cannot be written.
        """
        self._check_running()
        self.engine.pause()

    def resume(self) -> None:
        """Serve messages again.

        Raises
        ------
        EngineError
            As ``pause`` does.
        """
        self._check_running()
        self.engine.resume()

    def step(self, timeout: float = 30.0) -> Invocation | None:
        """Pause, serve one message, and return its invocation; None when none is ready.

        Parameters
        ----------
        timeout : float
            Seconds to wait for it.

        Raises
        ------
        BusyError
            When it is not served in that time. A function that has begun goes on.
        EngineError
            When the engine is a real cluster; and as ``pause`` does.
        """
        self._check_outside("step", LATER)
        timeout = seconds(timeout)
        controls = controls_of(self.engine, "step")
        self.pause()
        try:
            served = self._thread.run(controls.step(), timeout)
        except BusyError as error:
            raise BusyError("; ".join([str(error), *without_answer(self.engine)])) from None
        if served is None or not self.options.trace:
            return None
        found = self.invocations.filter(type=served.typename, id=served.id)
        return found[-1] if found else None  # a retry is one more attempt of a record that is older

    def advance(self, duration: timedelta, timeout: float = 30.0) -> Idle:
        """Move the session's clock; delayed messages and expirations on the way happen in order.

        Parameters
        ----------
        duration : timedelta
            Not negative.
        timeout : float
            Seconds to wait for what falls due.

        Raises
        ------
        ConversionError
            When it is no timedelta, is negative, or would end after the year 9999.
        BusyError
            When more falls due than can be served in that time; with how far the clock has come.
        """
        self._check_outside("advance", LATER)
        duration, timeout = a_duration(duration, "advance"), seconds(timeout)
        controls = controls_of(self.engine, f"advance by {duration}")
        begun, before = self.engine.now(), self.engine.progress.processed
        try:
            return self._thread.run(controls.advance(duration), timeout)
        except BusyError:
            long = [each.text for each in self.running if each.seconds > timeout / 2]
            moved = timedelta(seconds=self.engine.now() - begun)
            served = self.engine.progress.processed - before
            if long and not served:
                raise  # a function keeps everything else from going on
            why = "".join(f"; {each}" for each in [*long, *without_answer(self.engine)])
            raise BusyError(
                f"after {timeout:g} s the clock has moved by {moved} of {duration}, and "
                f"{counted(served, 'message')} that fell due were served: call advance again for "
                f"the rest, or give it a longer timeout={why}"
            ) from None


def _check_meant(typename: str | None, id: str | None) -> None:
    """Raise when a typename and an id mean no address, and no type."""
    if typename is None and id is not None:
        raise SessionError(f"id={id!r} of which function? retry(typename, id)")
    if typename is not None:
        address_of(typename, "" if id is None else id)
