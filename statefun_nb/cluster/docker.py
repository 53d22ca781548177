"""``engine="docker"``: StateFun, Flink and Kafka as containers of a compose project.

With host networking all traffic stays on loopback, and the endpoint need not listen anywhere else.
Docker on Linux has it; Docker Desktop (4.34 and newer) where it is switched on in its settings.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import EngineError
from .artifacts import KAFKA_VERSION, statefun_jars
from .cluster import Cluster
from .processes import Processes
from .release import Release
from .runtime import Runtime

__all__ = [
    "CONTAINER_FLINK",
    "CONTAINER_KAFKA",
    "KAFKA_IMAGE",
    "Compose",
    "build_image",
    "check_docker",
    "docker_cluster",
    "get_images",
    "has_image",
]

KAFKA_IMAGE = f"apache/kafka:{KAFKA_VERSION}"

CONTAINER_FLINK = Runtime("java", "/opt/flink/lib/*")
CONTAINER_KAFKA = Runtime("java", "/opt/kafka/libs/*")
_OUT_OF_MEMORY = 137
# The user's own, so that what the containers write can be removed.
_USER = f"{os.getuid()}:{os.getgid()}" if os.name == "posix" else "0:0"


class Compose:
    """A compose project as a ``Runner``.

    Parameters
    ----------
    folder : Path
        Holds its file, and is seen by the containers at the same place.
    project : str
        Its name, and the beginning of the containers' names.
    image, kafka_image : str
        What the services are made of.
    """

    def __init__(self, folder: Path, project: str, image: str, kafka_image: str) -> None:
        self._command = _compose_command()
        self.folder = folder
        self.project = project
        self._images = {"kafka": kafka_image}
        self._image = image
        self._file = self.folder / "docker-compose.json"
        self._services: dict[str, dict[str, Any]] = {}
        if self._file.exists():  # another process has made the project
            self._services = json.loads(self._file.read_text())["services"]
        self._write()

    @property
    def down(self) -> list[str]:
        """The command that takes the project down."""
        return [*self._compose("down"), "--timeout", "1", "--volumes"]

    def _compose(self, *words: str) -> list[str]:
        return [*self._command, "-p", self.project, "-f", str(self._file), *words]

    def _write(self) -> None:
        # JSON is YAML, and compose reads it.
        self._file.write_text(json.dumps({"services": self._services}, indent=1))

    def start(self, name: str, command: list[str]) -> int:
        """Add a service of that name to the project, and start it; 0: it has no process id here."""
        service = _service_name(name)
        self._services[service] = {
            "image": self._images.get(name, self._image),
            "container_name": f"{self.project}-{service}",
            "entrypoint": command[0],
            "command": [word.replace("$", "$$") for word in command[1:]],
            "network_mode": "host",
            "user": _USER,
            "working_dir": str(self.folder),
            "volumes": [f"{self.folder}:{self.folder}"],
            "stop_grace_period": "3s",
        }
        self._write()
        _run(self._compose("up", "-d", "--no-deps", service), f"cannot start {name}")
        return 0

    def stop(self, name: str, *, gently: bool = True) -> None:
        """End a service's container."""
        service = _service_name(name)
        if not gently:
            _run(self._compose("kill", service), f"cannot stop {name}")
        _run(self._compose("rm", "--stop", "--force", service), f"cannot stop {name}")
        del self._services[service]
        self._write()

    def ended(self) -> dict[str, int]:
        """The containers that have ended by themselves, with their exit status."""
        listed = _run(
            ["docker", "ps", "--all",
             "--filter", f"label=com.docker.compose.project={self.project}",
             "--format", "{{.Names}}\t{{.Status}}"],
            "cannot list the containers",
        )  # fmt: skip
        ended = {}
        for line in listed.splitlines():
            container, _, status = line.partition("\t")
            if match := re.match(r"Exited \((\d+)\)", status):
                ended[container.removeprefix(f"{self.project}-")] = int(match[1])
        return ended

    def log(self, name: str) -> str:
        """What a container has written; the reason first, when it ran out of memory."""
        container = f"{self.project}-{_service_name(name)}"
        done = subprocess.run(
            ["docker", "logs", container], capture_output=True, text=True, check=False
        )
        text = done.stdout + done.stderr
        if self.ended().get(_service_name(name)) == _OUT_OF_MEMORY:
            text += "\nCaused by: the container was killed: give Docker more memory (4 GB will do)"
        return text

    def logs(self) -> dict[str, str]:
        """What all containers have written, by service."""
        return {service: self.log(service) for service in self._services}

    def close(self) -> None:
        """Take the project down and remove the folder."""
        if self._services:  # an empty project is an error to compose
            _run(self.down, "cannot take the containers down")
        shutil.rmtree(self.folder, ignore_errors=True)


class SupervisedCompose(Compose):
    """A project that is taken down also when this process is killed."""

    def __init__(self, image: str, kafka_image: str) -> None:
        self._processes = Processes()
        folder = self._processes.folder
        super().__init__(folder, folder.name.replace("_", "-").lower(), image, kafka_image)
        self._processes.at_end(self.down)

    def close(self) -> None:
        self._processes.close(60)


def _service_name(name: str) -> str:
    return name.replace(".", "-")


def docker_cluster(
    release: Release,
    parallelism: int,
    report: Callable[[str], object],
    *,
    image: str | None = None,
    kafka_image: str | None = None,
) -> Cluster:
    """Build the image when it is not there; nothing is started yet.

    Raises
    ------
    EngineError
        When Docker is not installed, does not run, or has no such image and cannot get it.
    """
    compose = SupervisedCompose(*get_images(release, report, image, kafka_image))
    try:
        return Cluster("docker", release, compose, CONTAINER_FLINK, CONTAINER_KAFKA, parallelism)
    except BaseException:
        compose.close()
        raise


def get_images(
    release: Release,
    report: Callable[[str], object],
    image: str | None,
    kafka_image: str | None,
) -> tuple[str, str]:
    """The names of both images, which are here afterwards.

    Raises
    ------
    EngineError
        See ``docker_cluster``.
    """
    check_docker()
    if image is None:
        image = release.image
        if not has_image(image):
            build_image(release, report)
    kafka_image = kafka_image or KAFKA_IMAGE
    for needed in (image, kafka_image):
        if not has_image(needed):
            report(f"fetching the image {needed}")
            _run(["docker", "pull", needed], f"Docker cannot fetch the image {needed}")
    return image, kafka_image


def check_docker() -> None:
    """Raise, with what to do, when Docker cannot be used."""
    if shutil.which("docker") is None:
        raise EngineError(
            "Docker is not installed: install Docker Engine or Docker Desktop, or use "
            'engine="flink", which needs no Docker'
        )
    done = subprocess.run(
        ["docker", "info", "--format", "{{.ServerVersion}}"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    if done.returncode != 0 or not done.stdout.strip():
        reason = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise EngineError(
            "Docker is installed, but does not run: start Docker Desktop, or dockerd "
            f"({' '.join(reason)})"
        )
    _compose_command()


def _compose_command() -> list[str]:
    """The compose plugin, or the older program of its own."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            ["docker", "compose", "version"], capture_output=True, check=False, timeout=30
        )
        if done.returncode == 0:
            return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    raise EngineError("Docker has no compose: install its plugin (docker-compose-plugin)")


def has_image(name: str) -> bool:
    """Is this image here?"""
    done = subprocess.run(
        ["docker", "image", "inspect", name], capture_output=True, check=False, timeout=60
    )
    return done.returncode == 0


def build_image(release: Release, report: Callable[[str], object], base: str | None = None) -> str:
    """Build StateFun's image, whose name is returned: its Flink's, and the distribution jar.

    StateFun's own images end at 3.2.0.

    Parameters
    ----------
    base : str, optional
        The image of its Flink; the official one when left out.
    """
    (jar,) = statefun_jars(release, report)
    image, base = release.image, base or release.base_image
    report(f"building the image {image}")
    with tempfile.TemporaryDirectory() as context:
        shutil.copy(jar, Path(context) / "statefun-flink-distribution.jar")
        shutil.copy(Path(__file__).with_name("Dockerfile"), context)
        _run(
            ["docker", "build", "--tag", image, "--build-arg", f"BASE={base}", context],
            f"cannot build {image} from {base}",
        )
    return image


def _run(command: list[str], problem: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineError(f"{problem}: {error}") from error
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise EngineError(f"{problem}: {lines[-1]}")
    return done.stdout
