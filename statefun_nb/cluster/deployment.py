"""The job on a cluster, and the module.yaml that it runs with: started, and started again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ..cells.places import warn
from ..endpoint.parking import Parking
from ..errors import EngineError
from ..loop_thread import LoopThread
from ..protocol.module_yaml import Document
from ..protocol.records import EGRESS_TOPIC
from ..sdk.registry import StatefulFunctions
from .cluster import Cluster
from .external import ExternalCluster
from .gateway import MESSAGES_TOPIC
from .kafka import Clients
from .keeper import Keeper
from .module import SessionModule
from .remote import RemoteFunctions
from .routes import ClusterRoutes

__all__ = ["Deployment"]


class Deployment:
    """Has the job run with what is declared and loaded; its methods are called from any thread.

    StateFun reads module.yaml once. What needs another one, has the job start again from a
    savepoint, so that all state lives on; and when it does not start, it runs again as before.

    Parameters
    ----------
    keeper : Keeper
        Does it, on its thread.
    routes : ClusterRoutes
        Told what is deployed.
    remote : RemoteFunctions
        Told of the user's endpoints: it calls those that the cluster does not.
    parking, thread : Parking, LoopThread
        Holds requests back while the job starts again, on the loop of the thread.
    started : callable
        Called when the job runs, by the keeper.
    report : callable
        Told what is being waited for.
    """

    def __init__(
        self,
        cluster: Cluster | ExternalCluster,
        clients: Clients,
        keeper: Keeper,
        module: SessionModule,
        functions: StatefulFunctions,
        routes: ClusterRoutes,
        remote: RemoteFunctions,
        parking: Parking,
        thread: LoopThread,
        *,
        started: Callable[[], None],
        report: Callable[[str], object],
    ) -> None:
        self._cluster = cluster
        self._clients = clients
        self._keeper = keeper
        self._module = module
        self._functions = functions
        self._routes = routes
        self._remote = remote
        self._parking = parking
        self._thread = thread
        self._started = started
        self._report = report
        self.runs = False

    @property
    def documents(self) -> list[Document]:
        """The module.yaml that the session needs by now; see ``SessionModule.documents``."""
        return self._module.documents(self._functions.state_specs())

    @property
    def _deployed(self) -> list[Document]:
        return self._module.deployed(self._functions.state_specs())

    @property
    def is_wanted(self) -> bool:
        """Does the job run, or may messages come to it that were not sent from here?"""
        has_state = self._cluster.newest_checkpoint() is not None
        return self.runs or has_state or bool(self._module.users) or not self._cluster.deploys

    def prepare(self, timeout: float | None = None) -> bool:
        """Start the job, or start it anew when a function was declared that it does not know.

        In StateFun 3.x the endpoint of ``namespace/*`` covers every function that a later cell
        declares in a known namespace. After ``timeout`` seconds it goes on without anybody who
        waits: False.
        """
        lacks = self._lacks()
        if self.runs and not lacks:
            return True
        if self.runs:
            self._warn(f"to know {', '.join(lacks)}")
        return self._keeper.run(self._prepare, self._report, timeout)

    def load(self, documents: Sequence[Document]) -> None:
        """Run with documents of the user's, too.

        Raises
        ------
        EngineError
            When one is not for this engine: nothing is stopped then; or when the job does not
            start with them: then it runs as before.
        """
        users = self._module.with_loaded(documents)
        if users == self._module.users:
            return
        before = self._module.users
        self._use(users)
        # What is called through the endpoint can move without the job.
        if not self.runs or self._deployed == list(self._routes.documents):
            return
        self._use(before)
        self._warn("with the loaded module.yaml")
        self._keeper.run(lambda: self._reload(users), self._report)

    def _use(self, users: list[Document]) -> None:
        self._module.users = users
        self._remote.use(users)

    def _lacks(self) -> list[str]:
        return self._module.lacks(self._routes.documents, self._functions.state_specs())

    def _warn(self, why: str) -> None:
        warn(f"StateFun starts again, from a savepoint, {why}")

    # What follows is done by the keeper, on its thread.

    def _prepare(self) -> None:
        if not self.runs:
            self._start(self._deployed)
        elif self._lacks():  # nobody else has asked for it just before
            self._restart(self._deployed)

    def _reload(self, users: list[Document]) -> None:
        before = self._module.users
        self._use(users)
        try:
            self._restart(self._deployed)
        except BaseException:
            self._use(before)
            raise

    def _start(self, documents: list[Document]) -> None:
        self._keeper.tell("StateFun is starting")
        with _explained():
            # Kafka is up, and the topics are there, before the job comes to ask for them.
            self._cluster.wait_for_kafka(self._clients)
            self._clients.create_topics([MESSAGES_TOPIC], self._cluster.parallelism)
            self._clients.create_topics([EGRESS_TOPIC], 1)
            self._deploy(documents, self._cluster.newest_checkpoint())

    def _restart(self, documents: list[Document]) -> None:
        """Start the job again with other documents; when that fails, as it was before."""
        self._keeper.tell("StateFun starts again")
        before, paused = list(self._routes.documents), self._parking.closed
        self._thread.call(self._parking.close)  # nothing may happen after the savepoint
        try:
            with _explained():
                savepoint = self._cluster.savepoint()
                self._end_job()
                try:
                    self._deploy(documents, savepoint)
                except EngineError as error:
                    self._keeper.tell("StateFun starts again, as it was before")
                    self._deploy(before, savepoint)
                    raise EngineError(f"{error}; the job runs again as before") from error
        finally:
            if not paused:
                self._thread.post(self._parking.open)

    def _end_job(self) -> None:
        self.runs = False
        self._keeper.job_ends()
        self._cluster.kill_job()
        self._thread.call(self._parking.forget)

    def _deploy(self, documents: list[Document], savepoint: str | None) -> None:
        self._routes.documents = documents
        try:
            self._cluster.start_job(self._cluster.release.form.write(documents), savepoint)
            self._cluster.wait_for_job(self._keeper.tell)
        except BaseException:
            self._cluster.kill_job()
            raise
        self._keeper.job_runs()
        self._started()


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except EngineError as error:
        raise EngineError(f"{error} (all that was written: %statefun logs)") from error
