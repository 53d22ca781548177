"""StateFun on Flink as local JVM processes: their configuration, commands and REST interface."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from ..errors import EngineError
from .identity import Identity
from .processes import root_cause
from .runtime import Runtime

__all__ = [
    "FlinkPorts",
    "Rest",
    "job_manager",
    "newest_checkpoint",
    "put_module",
    "task_manager",
    "write_config",
]

_OPENED = ("lang", "net", "io", "nio", "text", "time", "util", "util.concurrent",
           "util.concurrent.atomic", "util.concurrent.locks", "lang.reflect")  # fmt: skip


# How long an answer may take.
_SECONDS = 5.0
_QUICKLY = getattr(socket, "TCP_QUICKACK", None)


class FlinkPorts(NamedTuple):
    """The JobManager's ports: Akka (``rpc``), REST and the blob server."""

    rpc: int
    rest: int
    blob: int


def write_config(
    folder: Path,
    ports: FlinkPorts,
    parallelism: int,
    identity: Identity,
    more: Mapping[str, str],
) -> None:
    """conf/ for JobManager and TaskManagers, all on loopback; REST is for ``identity`` alone.

    ``more`` are the settings of its release.
    """
    conf = folder / "conf"
    conf.mkdir(exist_ok=True)
    settings = {
        "jobmanager.rpc.address": "127.0.0.1",
        "jobmanager.rpc.port": ports.rpc,
        "jobmanager.bind-host": "127.0.0.1",
        "blob.server.port": ports.blob,
        "taskmanager.host": "127.0.0.1",
        "taskmanager.bind-host": "127.0.0.1",
        "taskmanager.numberOfTaskSlots": 1,
        "rest.address": "127.0.0.1",
        "rest.bind-address": "127.0.0.1",
        "rest.port": ports.rest,
        "rest.bind-port": ports.rest,
        "parallelism.default": parallelism,
        "classloader.parent-first-patterns.additional": (
            "org.apache.flink.statefun;org.apache.kafka;com.google.protobuf"
        ),
        "state.checkpoints.dir": (folder / "checkpoints").as_uri(),
        "state.savepoints.dir": (folder / "savepoints").as_uri(),
        "execution.checkpointing.interval": "1s",
        "restart-strategy": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": 2147483647,
        "restart-strategy.fixed-delay.delay": "1sec",
        "execution.savepoint.ignore-unclaimed-state": "true",
        "web.submit.enable": "false",
        # Takes away a button only: a GET of jobs/ID/yarn-cancel still cancels (1.16).
        "web.cancel.enable": "false",
        "web.access-control-allow-origin": f"https://127.0.0.1:{ports.rest}",  # and not "*"
        **identity.settings(),
        **more,
        # A TaskManager that is up before the JobManager asks again soon, not after 10 s; one that
        # was killed is missed after a few seconds, not 50.
        "cluster.registration.initial-timeout": "100",
        "cluster.registration.max-timeout": "500",
        "cluster.registration.error-delay": "300",
        "cluster.registration.refused-registration-delay": "300",
        "heartbeat.interval": "1000",
        "heartbeat.timeout": "6000",
        "slot.request.timeout": "60000",
        "io.tmp.dirs": str(folder / "tmp"),
        "web.tmpdir": str(folder / "tmp"),  # or a JobManager that is killed leaves it behind
    }
    (folder / "tmp").mkdir(exist_ok=True)
    text = "".join(f"{key}: {value}\n" for key, value in settings.items())
    (conf / "flink-conf.yaml").write_text(text)
    (conf / "log4j.properties").write_text(
        "rootLogger.level=INFO\nrootLogger.appenderRef.out.ref=out\n"
        "appender.out.type=Console\nappender.out.name=out\n"
        "appender.out.layout.type=PatternLayout\n"
        "appender.out.layout.pattern=%d{HH:mm:ss,SSS} %-5p %c{1} - %m%n\n"
    )


def newest_checkpoint(folder: Path) -> str | None:
    """The checkpoint or savepoint that was completed last, None when there is none."""
    # Flink gives a checkpoint its _metadata, by renaming, when all else of it is there.
    found = [
        *folder.glob("checkpoints/*/chk-*/_metadata"),
        *folder.glob("savepoints/*/_metadata"),
    ]
    ages: list[tuple[int, Path]] = []
    for path in found:
        with suppress(OSError):  # Flink has removed it meanwhile: there is a newer one
            ages.append((path.stat().st_mtime_ns, path.parent))
    return max(ages)[1].as_uri() if ages else None


def put_module(folder: Path, text: str) -> None:
    """Put module.yaml where StateFun finds it: on the class path."""
    modules = folder / "modules"
    modules.mkdir(exist_ok=True)
    (modules / "module.yaml").write_text(text)


def _java(runtime: Runtime, folder: Path, heap: str) -> list[str]:
    log = folder / "conf" / "log4j.properties"
    class_path = f"{runtime.class_path}:{folder / 'modules'}"
    return [
        runtime.java,
        f"-Xmx{heap}",
        "-XX:+UseSerialGC",
        # Flink 1.16 was made for Java 11; on 17 it needs what it reaches into to be opened.
        "--add-exports=java.base/sun.net.util=ALL-UNNAMED",
        *(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in _OPENED),
        f"-Dlog4j.configurationFile={log}",
        "-cp",
        class_path,
    ]


def job_manager(runtime: Runtime, folder: Path, savepoint: str | None) -> list[str]:
    """The command of a JobManager that runs the StateFun job."""
    command = [
        *_java(runtime, folder, "600m"),
        # No message passes it; to compile as if one did would only make its start longer.
        "-XX:TieredStopAtLevel=1",
        "org.apache.flink.container.entrypoint.StandaloneApplicationClusterEntryPoint",
        "--configDir",
        str(folder / "conf"),
        "--job-classname",
        "org.apache.flink.statefun.flink.core.StatefulFunctionsJob",
    ]
    return command if savepoint is None else [*command, "--fromSavepoint", savepoint]


def task_manager(runtime: Runtime, folder: Path) -> list[str]:
    """The command of a TaskManager with one slot, of about 700 MB."""
    memory = {
        "task.heap.size": "300m", "task.off-heap.size": "0", "managed.size": "0",
        "network.min": "64m", "network.max": "64m", "framework.heap.size": "128m",
        "framework.off-heap.size": "128m", "jvm-metaspace.size": "160m",
        "jvm-overhead.min": "64m", "jvm-overhead.max": "64m",
    }  # fmt: skip
    return [
        # Messages of 64 MiB need so much heap, and no others: 600m is too little.
        *_java(runtime, folder, "1g"),
        "-XX:MaxDirectMemorySize=1g",  # a batch or a reply of 256 MiB, and its copy as it grows
        "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
        "--configDir",
        str(folder / "conf"),
        "-Dtaskmanager.cpu.cores=1",
        *(f"-Dtaskmanager.memory.{key}={value}" for key, value in memory.items()),
    ]


class Rest:
    """The JobManager's REST interface at ``url``; ``context`` says who asks, where that counts.

    It is asked again and again, over one connection: with TLS, each new one takes a while.
    """

    def __init__(self, url: str, context: ssl.SSLContext | None = None) -> None:
        self.url = url.rstrip("/")
        self.context = context
        self._connection: http.client.HTTPConnection | None = None
        self._lock = threading.Lock()

    def move(self, url: str) -> None:
        """Ask there from now on."""
        with self._lock:
            self._leave()
            self.url = url

    def get(self, path: str) -> Any:
        """The JSON document at a path; None while nobody answers."""
        return self._call("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Send JSON to a path; its JSON answer, None while nobody answers."""
        self.close()  # one that the other side has left would have to be asked a second time
        return self._call("POST", path, json.dumps(body).encode())

    def close(self) -> None:
        """Close the connection, till it is asked again."""
        with self._lock:
            self._leave()

    def _leave(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _call(self, method: str, path: str, body: bytes | None) -> Any:
        with self._lock:
            was_open = self._connection is not None
            answer = self._ask(method, path, body)
            if self._connection is None and was_open:  # the other side had left it
                answer = self._ask(method, path, body)
            return answer

    def _ask(self, method: str, path: str, body: bytes | None) -> Any:
        place = urlsplit(self.url)
        try:
            if self._connection is None:
                self._connection = self._connect(place)
            self._confirm_at_once()
            self._connection.request(
                method, place.path + path, body, {"Content-Type": "application/json"}
            )
            with self._connection.getresponse() as response:
                data = response.read()
            return json.loads(data) if 200 <= response.status < 300 else None
        except (OSError, http.client.HTTPException):
            self._leave()
        except ValueError:
            pass
        return None

    def _confirm_at_once(self) -> None:
        """Flink sends the rest of an answer when its beginning is confirmed: else after 40 ms."""
        sock = None if self._connection is None else self._connection.sock
        if sock is not None and _QUICKLY is not None:
            sock.setsockopt(socket.IPPROTO_TCP, _QUICKLY, 1)

    def _connect(self, place: SplitResult) -> http.client.HTTPConnection:
        host = place.hostname or ""
        if place.scheme != "https":
            return http.client.HTTPConnection(host, place.port, timeout=_SECONDS)
        return http.client.HTTPSConnection(host, place.port, timeout=_SECONDS, context=self.context)

    def job(self) -> str | None:
        """The id of the job; None when there is none yet."""
        jobs = self.get("/jobs/overview")
        return jobs["jobs"][0]["jid"] if jobs and jobs["jobs"] else None

    def running(self, since_ms: int = 0) -> bool:
        """Do all tasks of the job run, and has it begun to run after ``since_ms`` of the epoch?"""
        jobs = self.get("/jobs/overview")
        if not jobs or not jobs["jobs"]:
            return False
        job = jobs["jobs"][0]
        tasks = job["tasks"]
        if job["state"] != "RUNNING" or not 0 < tasks["total"] == tasks["running"]:
            return False
        if not since_ms:
            return True
        details = self.get(f"/jobs/{job['jid']}")
        return bool(details and details.get("timestamps", {}).get("RUNNING", 0) > since_ms)

    def why_not(self) -> str:
        """Why the job does not run just now; "" when that is not known."""
        jobs = self.get("/jobs/overview")
        if not jobs or not jobs["jobs"]:
            return ""
        job = jobs["jobs"][0]
        found = self.get(f"/jobs/{job['jid']}/exceptions?maxExceptions=1") or {}
        trace = found.get("root-exception")
        state = str(job["state"]).lower()
        return f"{state}; {root_cause(trace)}" if trace else state

    def restored(self) -> int:
        """How often the job has gone back to a checkpoint."""
        found = self.get(f"/jobs/{self.job()}/checkpoints")
        return int(found["counts"]["restored"]) if found and "counts" in found else 0

    def checkpoint_begun_after(self, since_ms: float) -> bool:
        """Has a checkpoint been completed that began after that time of the epoch?

        It has then passed through whatever was under way in the job.
        """
        found = self.get(f"/jobs/{self.job()}/checkpoints") or {}
        last = found.get("latest", {}).get("completed") or {}
        return bool(last.get("trigger_timestamp", 0) > since_ms)

    def savepoint(self, folder: Path, timeout: float = 60.0) -> str:
        """Have Flink take a savepoint into ``folder``; returns its path.

        Raises
        ------
        EngineError
            When Flink made none.
        """
        job = self.job()
        asked = {"target-directory": folder.as_uri(), "cancel-job": False}
        answer = self.post(f"/jobs/{job}/savepoints", asked)
        deadline = time.monotonic() + timeout
        while answer and time.monotonic() < deadline:
            done = self.get(f"/jobs/{job}/savepoints/{answer['request-id']}")
            if done and done["status"]["id"] == "COMPLETED":
                operation = done["operation"]
                if "location" in operation:
                    location: str = operation["location"]
                    return location
                raise EngineError(
                    f"Flink could not make a savepoint: {operation.get('failure-cause')}"
                )
            time.sleep(0.1)
        raise EngineError("Flink did not answer to the request for a savepoint")
