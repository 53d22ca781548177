"""The real StateFun as local JVM processes: one Kafka, one JobManager, n TaskManagers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from ..errors import EngineError
from . import flink, kafka
from .artifacts import Artifacts
from .processes import Processes, free_ports, root_cause

__all__ = ["LocalCluster", "Ready"]

Report = Callable[[str], object]

_KAFKA_SECONDS = 60.0
_JOB_SECONDS = 120.0
_POLL_SECONDS = 0.1


class Ready(NamedTuple):
    """How long each part took to be up, in seconds."""

    kafka: float
    job: float


class LocalCluster:
    """Processes on loopback, gone with the session.

    Parameters
    ----------
    artifacts : Artifacts
        What they are made of.
    parallelism : int
        Of the job; as many TaskManagers of one slot each.
    """

    def __init__(self, artifacts: Artifacts, parallelism: int) -> None:
        self._artifacts = artifacts
        self.parallelism = parallelism
        self._processes = Processes()
        self._generation = 0
        rpc, rest, blob, broker, controller = free_ports(5)
        self._kafka_ports = (broker, controller)
        flink.write_config(self._processes.folder, flink.FlinkPorts(rpc, rest, blob), parallelism)
        self.rest = flink.Rest(rest)
        self.bootstrap_servers = f"127.0.0.1:{broker}"

    @property
    def web_url(self) -> str:
        """Flink's web interface."""
        return self.rest.url

    def start_kafka(self) -> None:
        """Start the broker; does not wait."""
        kafka.start_broker(self._processes, self._artifacts, self._kafka_ports)

    def wait_for_kafka(self, clients: kafka.Clients) -> float:
        """Wait until the broker answers; the seconds it took.

        Raises
        ------
        EngineError
            When it does not; with the line of its log that says why.
        """
        begin = time.monotonic()
        while not clients.wait(1.0):
            self._check("kafka", begin, _KAFKA_SECONDS)
        return time.monotonic() - begin

    def start_job(self, module: str, savepoint: str | None = None) -> None:
        """Start JobManager and TaskManagers with this module.yaml; does not wait."""
        folder = self._processes.folder
        flink.write_module(folder, module)
        self._generation += 1
        self._processes.start(
            self._name("jobmanager"), flink.job_manager(self._artifacts, folder, savepoint)
        )
        for number in range(1, self.parallelism + 1):
            self.start_task_manager(number)

    def start_task_manager(self, number: int) -> int:
        """Start one TaskManager; its process id."""
        command = flink.task_manager(self._artifacts, self._processes.folder)
        return self._processes.start(self._name(f"taskmanager-{number}"), command)

    def _name(self, process: str) -> str:
        return process if self._generation == 1 else f"{process}.{self._generation}"

    def wait_for_job(self, report: Report = lambda _: None) -> float:
        """Wait until all tasks run; the seconds it took.

        Raises
        ------
        EngineError
            When they do not; with the line of the log that says why.
        """
        begin = time.monotonic()
        told = False
        while not self.rest.running():
            self._check(self._name("jobmanager"), begin, _JOB_SECONDS)
            if not told and self.rest.job() is not None:
                report("StateFun's job is starting")
                told = True
            time.sleep(_POLL_SECONDS)
        return time.monotonic() - begin

    def stop_job(self) -> str:
        """Take a savepoint and end the job's processes; the savepoint's path."""
        savepoint = self.rest.savepoint(self._processes.folder / "savepoints")
        for number in range(1, self.parallelism + 1):
            self._processes.stop(self._name(f"taskmanager-{number}"), gently=False)
        self._processes.stop(self._name("jobmanager"), gently=False)
        return savepoint

    def restored(self) -> int:
        """How often the job has gone back to a checkpoint."""
        return self.rest.restored()

    def logs(self) -> dict[str, str]:
        """What each process has written."""
        return self._processes.logs()

    def close(self) -> None:
        """End all processes and remove what they have written."""
        self._processes.close()

    def _check(self, name: str, begin: float, limit: float) -> None:
        ended = self._processes.ended()
        if ended:
            name = next(iter(ended))
        elif time.monotonic() - begin < limit:
            return
        what = "ended" if ended else f"was not ready after {limit:g} s"
        why = root_cause(self._processes.log(name))
        raise EngineError(f"{name} {what}: {why} (all of it: %statefun logs {name})")
