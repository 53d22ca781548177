"""What some tests need beside Python: skipped with the reason, or failed where it must be there."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

import statefun_nb as sf
from benchmarks.peers import STATEFUN_2, peer_python
from statefun_nb.cluster.artifacts import KAFKA_VERSION, find_java
from statefun_nb.cluster.docker import check_docker, has_image
from statefun_nb.cluster.release import OF_3

__all__ = [
    "CHROMIUM",
    "KAFKA_IMAGE",
    "find_chromium",
    "need_browser",
    "need_docker",
    "need_flink",
    "need_lambda",
    "need_notebook_tools",
    "need_statefun_2",
]

# What docker/base_images.py builds where no image registry can be reached.
KAFKA_IMAGE = f"statefun-nb/kafka:{KAFKA_VERSION}"

# Programs that tests have built.
_BIN = Path(__file__).parent.parent / ".venv-peers" / "bin"

CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
]


def find_chromium():
    """The machine's Chromium or Chrome; None when it has none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for path in map(shutil.which, names) if path), None)


def _missing(names):
    """The modules that are not installed."""
    return [name for name in names if importlib.util.find_spec(name) is None]


def _is_required(what):
    return what in os.environ.get("STATEFUN_NB_REQUIRE", "")


def _lack(what, reason) -> NoReturn:
    """Skip the test that needs what is not here, or fail it where that has to be here."""
    if _is_required(what):
        pytest.fail(reason)
    pytest.skip(reason)


def need_browser():
    """Chromium and JupyterLab; ``STATEFUN_NB_REQUIRE=browser`` makes their lack a failure."""
    names = ("playwright", "jupyterlab", "anywidget")
    lacking = _missing(names)
    if find_chromium() is None:
        lacking.append("Chromium or Chrome")
    if not lacking:
        return
    reason = f"the browser tests need {', '.join(lacking)}"
    _lack("browser", reason)


def need_flink():
    """Java, and the packages of the extra [flink].

    ``STATEFUN_NB_REQUIRE=flink`` makes their lack a failure: ``make test-all`` and CI set it.
    """
    names = ("jgo", "confluent_kafka")
    lacking = _missing(names)
    # It would be fetched; not by a mere `make test`.
    if find_java() is None and not _is_required("flink"):
        lacking.append("Java 11 or 17")
    if not lacking:
        return
    reason = f"the real StateFun needs {', '.join(lacking)}"
    _lack("flink", reason)


def need_docker(release=OF_3):
    """A running Docker, and the images of docker/base_images.py."""
    need_flink()
    try:
        check_docker()
        lacking = [name for name in (release.image, KAFKA_IMAGE) if not has_image(name)]
        reason = f"Docker lacks {', '.join(lacking)}: run python docker/base_images.py"
    except sf.EngineError as error:
        lacking, reason = ["docker"], str(error)
    if not lacking:
        return
    _lack("docker", reason)


def need_statefun_2():
    """The interpreter of an environment with StateFun's own SDK of 2.x; it is made once."""
    try:
        return peer_python(STATEFUN_2)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = f"{STATEFUN_2[0]} cannot be installed: {error}"
    _lack("statefun2", reason)


def need_lambda():
    """Lambda's emulator, which Go builds once, and its runtime for Python.

    ``STATEFUN_NB_REQUIRE=lambda`` makes their lack a failure.
    """
    found = _BIN / "aws-lambda-rie"
    reason = ""
    if importlib.util.find_spec("awslambdaric") is None:
        reason = "Lambda's runtime needs awslambdaric"
    elif not found.exists() and shutil.which("go") is None:
        reason = "Lambda's emulator needs Go, which builds it"
    elif not found.exists():
        name = "github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie@latest"
        environment = {**os.environ, "GOBIN": str(_BIN)}
        done = subprocess.run(
            ["go", "install", name], env=environment, capture_output=True, text=True, check=False
        )
        reason = f"Lambda's emulator cannot be built: {done.stderr}" if done.returncode else ""
    if not reason:
        return str(found)
    _lack("lambda", reason)


def need_notebook_tools():
    """What runs notebooks in tests: nbval, nbmake, papermill.

    ``STATEFUN_NB_REQUIRE=notebooks`` makes their lack a failure.
    """
    names = ("nbval", "nbmake", "papermill", "ipywidgets", "pandas")
    lacking = _missing(names)
    if not lacking:
        return
    reason = f"testing notebooks needs {', '.join(lacking)}"
    _lack("notebooks", reason)
