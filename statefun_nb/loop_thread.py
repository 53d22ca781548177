"""One event loop in one daemon thread, beside the kernel's own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextvars import Context
from typing import Any, TypeVar

from .errors import CURE, BusyError, SessionError, quiet

__all__ = ["Interrupted", "LoopThread", "Superseded", "call_cancelled"]

_CANCEL_SECONDS = 2.0  # for tasks to end when they are cancelled: one may refuse to
_LOOK_SECONDS = 0.25  # so often a call that waits looks whether it is waited for itself
_FULL_SECONDS = 60.0  # so long no other line is logged about descriptors that have run out
T = TypeVar("T")


def _keep_for_ever(task: asyncio.Task[Any]) -> None:
    """Keep a task till the process is gone: whoever lets go of it waits till its coroutine ends."""
    import ctypes  # 1 ms that only what refuses to end needs

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(task))


def _drop(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Cancel the task of a coroutine, on its loop; close it where it has none."""
    for task in asyncio.all_tasks():
        if task.get_coro() is coroutine:
            task.cancel()
            return
    coroutine.close()


def _traced() -> bool:
    """Would an exception for a thread that waits in C hold up every other thread?

    In Python 3.11, a thread with a tracer (a debugger, coverage, a profiler) enters no function
    while an exception waits for any thread: it starts the first instruction again and again.
    """
    tracers = (sys.gettrace, sys.getprofile, threading.gettrace, threading.getprofile)
    return sys.version_info[:2] == (3, 11) and any(tracer() is not None for tracer in tracers)


def _where(ident: int) -> tuple[int, int, float] | None:
    """Where a thread is, and its milliseconds: one that is found there twice waits in C."""
    frame = sys._current_frames().get(ident)
    if frame is None:
        return None
    used = 0.0
    if sys.platform == "linux":
        used = time.clock_gettime(time.pthread_getcpuclockid(ident))
    return id(frame), frame.f_lasti, round(used, 3)


def call_cancelled() -> SessionError:
    """What to raise in place of CancelledError."""
    return SessionError(
        "what this call waited for was cancelled: the background event loop ended meanwhile, or "
        "code that runs on it cancelled its tasks"
    )


class Interrupted(BaseException):
    """Raised in what keeps the loop from stopping, at whatever line it is."""


class Superseded(Interrupted):
    """Raised in what an older version of a function still does."""

    def __str__(self) -> str:
        return "its cell was run again"


class LoopThread:
    """Runs an asyncio loop until ``stop``.

    ``call`` and ``run`` may be used from any thread but the loop's own, where they would wait
    for themselves: that is refused.

    Examples
    --------
    >>> with LoopThread("example") as loop:
    ...     loop.call(sum, [1, 2])
    3
    """

    def __init__(self, name: str) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.new_event_loop()
        self.loop.set_exception_handler(self._log)
        self._full_until = 0.0
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._ending = False  # written on the loop
        self._stopping = False  # so is this: what runs last has begun
        self.left: list[asyncio.Task[Any]] = []  # those that would not be cancelled
        self._process = os.getpid()
        self.what_runs: Callable[[], str] = str  # said of a loop that does not answer
        # Does what runs in the thread of that number wait for the thread that asks?
        self.is_awaited: Callable[[int], bool] = lambda _: False

    def start(self) -> None:
        """Start the thread; what is posted before its loop runs waits there."""
        self._thread.start()

    def _main(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            while not self._ending:
                self._run()
        finally:
            self._close()

    def _run(self) -> None:
        """Run until something stops the loop: only ``stop`` ends it, everything else goes on.

        What runs on it is users' code, which may call ``loop.stop()``, or leave a task behind that
        raises SystemExit: asyncio lets both end the loop.
        """
        try:
            self.loop.run_forever()
        except BaseException as error:
            message = "a task that nobody waits for has raised"
            self.loop.call_exception_handler({"message": message, "exception": error})

    def _log(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """As asyncio does, but one line a minute where no socket can be accepted any more.

        At the limit of descriptors it would be one for each client and second.
        """
        message = str(context.get("message", ""))
        if "_start_serving" in message:
            return  # its next try, a second later: the listener has been closed meanwhile
        if message.startswith("socket.accept() out of system resource"):
            if time.monotonic() < self._full_until:
                return
            self._full_until = time.monotonic() + _FULL_SECONDS
            context = {**context, "exception": None}  # its traceback says nothing more
        loop.default_exception_handler(context)

    def _end(self) -> None:
        self._ending = True
        self.loop.stop()

    def _close(self) -> None:
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self.loop.run_until_complete(asyncio.wait(tasks, timeout=_CANCEL_SECONDS))
            self.left = list(asyncio.all_tasks(self.loop))
            for task in self.left:
                _keep_for_ever(task)
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    @property
    def alive(self) -> bool:
        """Is the thread running?"""
        return self._thread.is_alive()

    def call(self, function: Callable[..., T], *args: Any, timeout: float | None = 10.0) -> T:
        """Run ``function(*args)`` on the loop and return its result.

        Parameters
        ----------
        timeout : float or None
            Seconds to wait.

        Raises
        ------
        SessionError
            From the loop's own thread, or after ``stop``.
        BusyError
            When the loop did not get to it in time: something blocks it. It will not run later.
        """
        self.check_caller()
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(function(*args))
            except BaseException as error:
                future.set_exception(error)

        self.post(run)
        return self._wait(future, timeout)

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float | None = 10.0) -> T:
        """Run a coroutine on the loop and return its result; see ``call``."""
        future: Future[T] | None = None
        try:
            self.check_caller()
            future = self.launch(coroutine)
            return self._wait(future, timeout)
        except BaseException as error:
            if future is not None:
                future.cancel()
                raise
            if isinstance(error, KeyboardInterrupt):  # the loop may have begun it
                self.post(_drop, coroutine)
                raise quiet(error) from None
            coroutine.close()
            raise

    def launch(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine in a task of its own; SessionError when the loop has been stopped."""
        try:
            return Context().run(asyncio.run_coroutine_threadsafe, coroutine, self.loop)
        except RuntimeError as error:
            coroutine.close()
            raise SessionError("the background event loop has been stopped") from error

    def post(self, function: Callable[..., object], *args: Any) -> None:
        """Have ``function(*args)`` run on the loop soon, without waiting.

        In no caller's context: it may be that of a function's invocation.
        """
        if self.forked:
            self.check_caller()
        try:
            self.loop.call_soon_threadsafe(function, *args, context=Context())
        except RuntimeError as error:
            raise SessionError("the background event loop has been stopped") from error

    def stop(
        self,
        timeout: float = 5.0,
        last: Callable[[], Coroutine[Any, Any, object]] | None = None,
    ) -> bool:
        """Stop the loop, cancel what it still runs, and join the thread.

        Parameters
        ----------
        timeout : float
            Seconds to wait for the thread.
        last : callable, optional
            Makes a coroutine that runs before the loop stops, also when that is only later than
            ``timeout``; what it raises is raised here.

        Returns
        -------
        bool
            False when a function blocks the thread for longer, a daemon that ends with the
            process; and when a task would not be cancelled, which is ``left`` then.
        """
        done: Future[None] = Future()
        if self._thread.is_alive():
            self.check_caller()
            with contextlib.suppress(RuntimeError):  # closed between the two lines
                self.loop.call_soon_threadsafe(self._stop_after, last, done, context=Context())
            self._thread.join(timeout)
        if done.done():
            done.result()
        return self._ended

    @property
    def _ended(self) -> bool:
        return not self._thread.is_alive() and not self.left

    def interrupt(self, timeout: float, blocked: Callable[[], bool]) -> bool:
        """Raise ``Interrupted`` in what blocks the loop till the thread ends; has it, in the end?

        Code that waits in C, as ``time.sleep`` does, sees it when it comes back. In Python 3.11
        beside a tracer (see ``_traced``) nothing is raised in code that stays where it is.

        Parameters
        ----------
        timeout : float
            Seconds to go on trying.
        blocked : callable
            Is it a user's code that runs? What ends the session in good order is left alone.
        """
        self._raise(Interrupted, timeout, blocked, lambda: not self._thread.is_alive())
        return self._ended

    def supersede(self, timeout: float, blocked: Callable[[], bool]) -> bool:
        """Raise ``Superseded`` in what blocks the loop, until it does so no more; does it not?

        As ``interrupt`` does, but the loop goes on.
        """
        self._raise(Superseded, timeout, blocked, lambda: not blocked())
        return not blocked()

    def _raise(
        self,
        error: type[Interrupted],
        timeout: float,
        blocked: Callable[[], bool],
        over: Callable[[], bool],
    ) -> None:
        """Raise an error in the thread where a user's code blocks it, till it is over."""
        import ctypes

        deadline = time.monotonic() + timeout
        ident = self._thread.ident or 0
        while not over() and time.monotonic() < deadline:
            before = _where(ident) if _traced() else None
            self._thread.join(0.1)
            if blocked() and (before is None or before != _where(ident)):
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(ident), ctypes.py_object(error)
                )

    def _stop_after(
        self, last: Callable[[], Coroutine[Any, Any, object]] | None, done: Future[None]
    ) -> None:
        if self._ending or self._stopping:
            return  # it was told to twice, as after a Ctrl-C
        self._stopping = True
        if last is None:
            self._end()
            return

        def finished(task: asyncio.Task[object]) -> None:
            self._end()
            if not task.cancelled() and (error := task.exception()) is not None:
                done.set_exception(error)

        self.loop.create_task(last()).add_done_callback(finished)

    @property
    def forked(self) -> bool:
        """Is this the memory of a forked child, where the thread does not run?"""
        return os.getpid() != self._process

    def check_caller(self) -> None:
        """Raise where waiting for the loop would never end.

        Raises
        ------
        SessionError
            On the loop itself, in a thread that what runs there waits for, in a forked child.
        """
        if self.forked:
            raise SessionError(
                "this session belongs to the process that started it, and this is a fork of it: "
                "call sf.start() here for one of its own"
            )
        if threading.current_thread() is self._thread:
            raise SessionError(
                "this call waits for the background event loop, and was made on it: in a function "
                "use ctx.send and ctx.storage; in a task or a callback that one has left behind, "
                "`await asyncio.to_thread(...)` it"
            )
        self._check_awaited()

    def _check_awaited(self) -> None:
        if self.is_awaited(self._thread.ident or 0):
            raise SessionError(
                "a function waits for this thread, and this call would wait for the function: "
                "return what there is to send or to store, and do it there, by ctx"
            )

    def result(self, future: Future[T], timeout: float | None) -> T:
        """``future.result(timeout)``; SessionError as soon as a function waits for this thread."""
        until = float("inf") if timeout is None else time.monotonic() + timeout
        while not future.done() and until - time.monotonic() > _LOOK_SECONDS:
            with contextlib.suppress(FutureTimeout):
                return future.result(_LOOK_SECONDS)
            self._check_awaited()
        return future.result(max(0.0, min(until - time.monotonic(), _LOOK_SECONDS)))

    def _wait(self, future: Future[T], timeout: float | None) -> T:
        try:
            return self.result(future, timeout)
        except KeyboardInterrupt as interrupt:
            future.cancel()  # or what nobody waits for would go on
            raise quiet(interrupt) from None
        except CancelledError:
            raise call_cancelled() from None
        except FutureTimeout:
            if future.done():
                raise  # the work itself raised a TimeoutError
            future.cancel()
            runs = self.what_runs()
            raise BusyError(
                f"the engine did not answer within {timeout:g} s"
                + (f": {runs}; {CURE}" if runs else "")
            ) from None
        except BaseException:
            # What the work raised, or a function waits for this thread: nobody would hear of it.
            future.cancel()
            raise

    def __enter__(self) -> LoopThread:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
