"""Keeps a cluster running: what is done to its processes is done here, one thing at a time.

On a thread of its own, so that Ctrl-C in a cell that waits stops nothing half-way: what was begun
goes on, and whoever asks next waits for it.

    an operation (start, start again) ──┐
                                        ├──> one thread ──> Cluster
    a look, twice a second ─────────────┘        a process has died: it is started again
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout

from ..errors import BusyError, EngineError
from ..loop_thread import LoopThread
from .cluster import Cluster
from .external import ExternalCluster
from .kafka import Clients

__all__ = ["Keeper"]

# Seconds between two looks; containers are listed by a program that takes a while.
_LOOK_SECONDS = {"flink": 0.5, "docker": 3.0}
# A process that does not stay is started again so often.
_AGAIN_SECONDS = 10.0
# So long after a process has died, a job that runs is taken for one that has not missed it.
_MISSED_SECONDS = 60.0
# A death is noticed at most so much later; Flink waits for a second before the job runs again.
_NOTICED_SECONDS = 1.0
_SHOW_SECONDS = 0.1
_ANSWER_SECONDS = 2.0


class Keeper:
    """Runs operations on a cluster, and in between looks after it.

    ``doing`` is the operation that runs, and ``trouble`` what is wrong just now; both are texts,
    "" for nothing; ``gone`` what has ended for good, and with it the cluster. All are read from any
    thread.
    """

    def __init__(self, cluster: Cluster | ExternalCluster, clients: Clients) -> None:
        self._cluster = cluster
        self._clients = clients
        self.doing = ""
        self.trouble = ""
        self.gone = ""
        self._looks_after_job = False
        self._missed: float | None = None  # since when the job may be without a TaskManager
        self._not_before: dict[str, float] = {}
        self._closed = False
        self._thread = LoopThread("statefun_nb_cluster")
        self._thread.start()
        self._thread.post(self._begin)

    def _begin(self) -> None:
        self._watching = self._thread.loop.create_task(self._watch())

    async def _watch(self) -> None:
        while not self._closed:
            await asyncio.sleep(_LOOK_SECONDS[self._cluster.name])
            self._look()

    # Operations.

    def run(
        self,
        operation: Callable[[], None],
        report: Callable[[str], object],
        timeout: float | None = None,
    ) -> bool:
        """Run an operation and wait for it; it goes on when the wait is interrupted.

        Parameters
        ----------
        report : callable
            Told what is being done, and in the end "".
        timeout : float, optional
            Seconds after which nobody waits any more.

        Returns
        -------
        bool
            Is it done?

        Raises
        ------
        EngineError
            As the operation does.
        """
        done: Future[None] = Future()
        self._thread.post(self._run, operation, done)
        until = math.inf if timeout is None else time.monotonic() + timeout
        try:
            while True:
                report(self.doing)
                try:
                    done.result(max(0.0, min(_SHOW_SECONDS, until - time.monotonic())))
                except FutureTimeout:
                    if done.done():
                        raise
                    if time.monotonic() >= until:
                        return False
                else:
                    return True
        finally:
            report("")

    def _run(self, operation: Callable[[], None], done: Future[None]) -> None:
        try:
            operation()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(None)
        finally:
            self.doing = ""

    def tell(self, doing: str) -> None:
        """Say what is being done; for operations."""
        self.doing = doing

    def job_runs(self) -> None:
        """Look after the job, too, from now on; for operations."""
        self._looks_after_job = True
        self._missed = None
        self.trouble = ""

    def job_ends(self) -> None:
        """Leave the job alone from now on; for operations."""
        self._looks_after_job = False

    # Looking.

    def is_well(self) -> bool:
        """Does all of it run just now? From any thread but the keeper's; looks, and may wait."""
        if self.doing:
            return False
        try:
            return self._thread.call(self._look, timeout=_ANSWER_SECONDS)
        except BusyError:  # it is starting something again
            return False

    def _look(self) -> bool:
        if self._closed or self.gone:
            return False
        try:
            died = self._cluster.died()
        except EngineError as error:
            self.trouble = self.gone = "" if self._closed else str(error)
            return False
        for name in sorted(died, key=_rank):
            self._revive(name, died[name])
            if _rank(name) == _rank("jobmanager"):
                break  # its TaskManagers were started with it
        return not died and self._job_is_well()

    def _revive(self, name: str, cause: str) -> None:
        now = time.monotonic()
        kept = "jobmanager" if name.startswith("jobmanager") else name  # a new name each time
        if now < self._not_before.get(kept, 0.0):
            return
        self._not_before[kept] = now + _AGAIN_SECONDS
        self._cluster.restarts.append(f"{time.strftime('%H:%M:%S')} {name} {cause}")
        self.trouble = f"{name} {cause}: it is started again"
        try:
            self._cluster.revive(name)
            if name == "kafka":
                self._cluster.wait_for_kafka(self._clients)
            elif _rank(name) == _rank("jobmanager"):
                self._cluster.wait_for_job()
                self._missed = None
            else:
                self._missed = time.time()
                self.trouble += ", and the job goes back to its last checkpoint"
        except EngineError as error:
            self.trouble = f"{name} {cause}, and could not be started again: {error}"

    def _job_is_well(self) -> bool:
        if not self._looks_after_job:
            self.trouble = ""
            return True
        since_ms = 0
        if self._missed is not None and time.time() - self._missed < _MISSED_SECONDS:
            since_ms = int((self._missed - _NOTICED_SECONDS) * 1000)
        rest = self._cluster.rest
        if rest.running(since_ms):
            self._missed, self.trouble = None, ""
            return True
        if self._missed is None:
            why = rest.why_not() or "its JobManager does not answer"
            self.trouble = f"the job does not run just now ({why})"
        return False

    def close(self, timeout: float = 5.0) -> None:
        """End the cluster, and with it what is waiting for it."""
        self._closed = True
        try:
            self._cluster.close()
        finally:
            self._thread.stop(timeout)
            self._cluster.rest.close()  # which a last look may have opened again


# In this order: the job needs Kafka, and a JobManager takes the TaskManagers with it.
_ROLES = ("kafka", "jobmanager", "taskmanager")


def _rank(name: str) -> int:
    return next(i for i, role in enumerate(_ROLES) if name.startswith(role))
