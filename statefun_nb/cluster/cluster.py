"""The real StateFun: one Kafka, one JobManager, n TaskManagers, on loopback."""

from __future__ import annotations

import re
import signal
import sys
import time
from collections.abc import Callable

from ..errors import EngineError
from . import flink, kafka
from .identity import make_identity
from .processes import Ports, root_cause
from .release import Release
from .runtime import Runner, Runtime

__all__ = ["Cluster"]

Report = Callable[[str], object]

_KAFKA_SECONDS = 60.0
_JOB_SECONDS = 120.0
_POLL_SECONDS = 0.1
# What a JobManager says that has ended by chance: somebody else has its port, or, on a very busy
# machine, Flink has asked for the address of a server that it had just begun to start.
_BY_CHANCE = re.compile(
    r"BindException|Address already in use|on any port in port range|\"this.rpcServer\" is null"
)
_TRIES = 3


class Cluster:
    """What runs StateFun and Kafka; gone with the session.

    Parameters
    ----------
    name : str
        As in ``sf.start(engine=...)``.
    release : Release
        Which StateFun it runs.
    runner : Runner
        Starts its parts: as processes, or as containers.
    flink_runtime, kafka_runtime : Runtime
        What they are started with.
    parallelism : int
        Of the job; as many TaskManagers of one slot each.
    """

    deploys = True  # its module.yaml is ours

    def __init__(
        self,
        name: str,
        release: Release,
        runner: Runner,
        flink_runtime: Runtime,
        kafka_runtime: Runtime,
        parallelism: int,
    ) -> None:
        self.name = name
        self.release = release
        self.module_version = release.form.version
        # How many requests it has under way at most, those that are held among them; 0: any number.
        self.requests = release.requests * parallelism
        self.parallelism = parallelism
        self.restarts: list[str] = []
        self.runner = runner
        self._flink = flink_runtime
        self._kafka = kafka_runtime
        self.generation = 0  # of the job's processes: how often they have been started
        self._savepoint: str | None = None  # where the job was last started from
        self._ports = Ports()
        try:
            broker, controller = self._ports.take(2)
            kafka.write_broker_config(runner.folder, broker, controller)
            self.bootstrap_servers = f"127.0.0.1:{broker}"
            self._identity = make_identity(runner.folder)
            self.rest = flink.Rest("", self._identity.context())
            self._choose_ports()
        except BaseException:
            self._ports.close()
            raise
        # Flink's web interface: a session has it at an address that a browser can open.
        self.web_url = self.rest.url

    def _choose_ports(self) -> None:
        """Ports for a JobManager, where all read them who look for it."""
        ports = flink.FlinkPorts(*self._ports.take(3))
        flink.write_config(
            self.runner.folder, ports, self.parallelism, self._identity, self.release.settings
        )
        self.rest.move(f"https://127.0.0.1:{ports.rest}")

    def start_kafka(self) -> None:
        """Start the broker; does not wait."""
        self.runner.start("kafka", kafka.broker_command(self._kafka, self.runner.folder))

    def wait_for_kafka(self, clients: kafka.Clients) -> None:
        """Wait until the broker answers.

        Raises
        ------
        EngineError
            When it does not; with the line of its log that says why.
        """
        begin = time.monotonic()
        while not clients.wait(1.0):
            self._check("kafka", begin, _KAFKA_SECONDS)

    def start_job(self, module: str, savepoint: str | None = None) -> None:
        """Start JobManager and TaskManagers with this module.yaml; does not wait."""
        flink.put_module(self.runner.folder, module)
        self._start_processes(savepoint)

    def _start_processes(self, savepoint: str | None) -> None:
        folder = self.runner.folder
        self.generation += 1
        self._savepoint = savepoint
        job_manager = flink.job_manager(self._flink, folder, savepoint)
        self.runner.start(self._name("jobmanager"), job_manager)
        for number in range(1, self.parallelism + 1):
            task_manager = flink.task_manager(self._flink, folder)
            self.runner.start(self._name(f"taskmanager-{number}"), task_manager)

    def _name(self, process: str) -> str:
        return process if self.generation == 1 else f"{process}-{self.generation}"

    def wait_for_job(self, report: Report = lambda _: None) -> None:
        """Wait until all tasks run; of a JobManager that has ended by chance, a new one's tasks.

        Raises
        ------
        EngineError
            When they do not; with the line of the log that says why.
        """
        begin, tries = time.monotonic(), _TRIES
        while not self.rest.running():
            if tries and self._has_ended_by_chance():
                tries -= 1
                self.kill_job()
                self._choose_ports()
                self._start_processes(self._savepoint)
            self._check(self._name("jobmanager"), begin, _JOB_SECONDS)
            report("StateFun is starting" if self.rest.job() is None else "its job is starting")
            time.sleep(_POLL_SECONDS)

    def _has_ended_by_chance(self) -> bool:
        name = self._name("jobmanager")
        return name in self.runner.ended() and _BY_CHANCE.search(self.runner.log(name)) is not None

    def savepoint(self) -> str:
        """Have the job take a savepoint; its path.

        Raises
        ------
        EngineError
            When it took none: it goes on as before.
        """
        return self.rest.savepoint(self.runner.folder / "savepoints")

    def kill_job(self) -> None:
        """End the job's processes; what it has not put into a checkpoint is gone."""
        for number in range(1, self.parallelism + 1):
            self.runner.stop(self._name(f"taskmanager-{number}"), gently=False)
        self.runner.stop(self._name("jobmanager"), gently=False)

    def newest_checkpoint(self) -> str | None:
        """Where a job can go on: the last checkpoint or savepoint; None when there is none."""
        return flink.newest_checkpoint(self.runner.folder)

    def died(self) -> dict[str, str]:
        """Which processes have ended by themselves, and why."""
        return {name: self._why(name, status) for name, status in self.runner.ended().items()}

    def _why(self, name: str, status: int) -> str:
        if status < 0:
            return f"was killed by {signal.Signals(-status).name}"
        return f"ended with status {status}: {root_cause(self.runner.log(name))}"

    def revive(self, name: str) -> None:
        """Start a process that has died once more; does not wait.

        A JobManager takes the job with it, which goes on where it last was sure.
        """
        if name == "kafka":
            self.start_kafka()
        elif name == self._name("jobmanager"):
            self.kill_job()
            self._start_processes(self.newest_checkpoint())
        else:
            self.runner.start(name, flink.task_manager(self._flink, self.runner.folder))

    def restored(self) -> int:
        """How often the job has gone back to a checkpoint."""
        return self.rest.restored()

    def logs(self) -> dict[str, str]:
        """What each process has written."""
        return self.runner.logs()

    def close(self) -> None:
        """End all processes and remove what they have written."""
        try:
            self.runner.close()
        finally:
            self.leave()

    def leave(self) -> None:
        """Let go of the cluster: its processes, and what they have written, stay."""
        self.rest.close()
        self._ports.close()

    def _check(self, name: str, begin: float, limit: float) -> None:
        ended = self.runner.ended()
        if ended:
            name = next(iter(ended))
        elif time.monotonic() - begin < limit:
            return
        what = "ended" if ended else f"was not ready after {limit:g} s"
        why = root_cause(self.runner.log(name))
        if self.name == "docker" and sys.platform != "linux" and not ended:
            why += "; Docker Desktop needs its host networking: Settings, Resources, Network"
        raise EngineError(f"{name} {what}: {why}")
