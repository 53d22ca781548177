"""A cluster that somebody else runs: given by its Kafka and its REST address."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import EngineError
from .detached import context_for
from .flink import Rest
from .kafka import Clients
from .release import RELEASES, Release

__all__ = ["ExternalCluster"]

_SECONDS = 30.0


class ExternalCluster:
    """Knows where it is; starts and stops nothing.

    Its module.yaml has to hold what ``Session.module_yaml()`` says: the endpoints of the declared
    namespaces, and the gateway.

    Parameters
    ----------
    name : str
        As in ``sf.start(engine=...)``.
    release : Release
        Which StateFun it runs.
    bootstrap_servers : str
        Of Kafka.
    rest_url : str
        Of Flink's JobManager.
    """

    parallelism = 1
    generation = 0
    deploys = False

    def __init__(self, name: str, release: Release, bootstrap_servers: str, rest_url: str) -> None:
        self.name = name
        self.release = release
        self.module_version = release.form.version
        self.requests = release.requests  # of one TaskManager: how many it has is not known
        self.restarts: list[str] = []
        self.bootstrap_servers = bootstrap_servers
        # One of `statefun-nb cluster up` talks to who shows the key that it was started with.
        self.rest = Rest(rest_url, context_for(rest_url))
        self.web_url = self.rest.url  # a session has another one where a browser cannot open this

    def start_kafka(self) -> None:
        """Do nothing: it runs already."""

    def wait_for_kafka(self, clients: Clients) -> None:
        """Raise when the broker does not answer."""
        if not clients.wait(_SECONDS):
            raise EngineError(f"no Kafka answers at {self.bootstrap_servers}")

    def start_job(self, module: str, savepoint: str | None = None) -> None:
        """Do nothing: its job runs already, with a module.yaml of its own."""

    def wait_for_job(
        self,
        report: Callable[[str], object] = lambda _: None,  # noqa: ARG002 - there is nothing to wait for
    ) -> None:
        """Raise when no job runs there, or one of another StateFun than was asked for."""
        if not self.rest.running():
            raise EngineError(
                f"no StateFun job runs at {self.rest.url}: deploy one with the module.yaml that "
                "s.module_yaml() gives"
            )
        flink = (self.rest.get("/config") or {}).get("flink-version", "")
        for other in RELEASES.values():
            if other is not self.release and other.runs_on(flink):
                raise EngineError(
                    f"Flink {flink} at {self.rest.url} is that of StateFun {other.statefun}: "
                    f'sf.start(statefun="{other.statefun}", ...), as its requests are not those '
                    f"of {self.release.statefun}"
                )

    def savepoint(self) -> str:
        """Raise: whoever runs it decides when its job stops."""
        raise EngineError(
            "the job of an existing cluster is not ours to start again: deploy the module.yaml "
            "that s.module_yaml() gives"
        )

    def kill_job(self) -> None:
        """Do nothing: its job runs on."""

    def newest_checkpoint(self) -> str | None:
        """None: it starts no job from one."""
        return None

    def died(self) -> dict[str, str]:
        """None that are known: its processes are watched by whoever runs them."""
        return {}

    def revive(self, name: str) -> None:
        """Never asked for: see ``died``."""

    def restored(self) -> int:
        """How often the job has gone back to a checkpoint."""
        return self.rest.restored()

    def logs(self) -> dict[str, str]:
        """Nothing: what it writes stays where it runs."""
        return {}

    def close(self) -> None:
        """Close the connection to it: it goes on without this session."""
        self.rest.close()
