"""The code of the pages that needs the real StateFun, run as it stands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import statefun_nb as sf
from tests.requirements import KAFKA_IMAGE, need_docker, need_flink

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(?:\{code-block\} )?python\n(.*?)^```", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"^    (statefun-nb cluster [^#\n]*)", re.MULTILINE)
# No image registry is needed for the tests: the equal image of docker/base_images.py.
DOCKER = f'engine="docker", kafka_image="{KAFKA_IMAGE}"'


def code(page: str) -> str:
    return "\n".join(BLOCK.findall((DOCS / page).read_text()))


PROGRAMS = [
    (need_flink, "real-cluster.md", 'engine="flink"', 'engine="flink"'),
    (need_docker, "real-cluster.md", 'engine="flink"', DOCKER),
    (need_flink, "quickstart.md", "sf.start(port=0)", 'sf.start(port=0, engine="flink")'),
]


@pytest.mark.parametrize(("need", "page", "written", "run"), PROGRAMS)
def test_a_page_runs_on_the_real_cluster(need, page, written, run):
    need()
    program = code(page)
    assert program.count(written) == 1
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program.replace(written, run)],
        capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_commands_of_a_cluster_that_stays(tmp_path):
    need_docker()
    functions = sf.StatefulFunctions()
    sf.function("d/f", functions=functions)(lambda ctx, message: None)
    with sf.start(port=0, functions=functions) as session:
        (tmp_path / "module.yaml").write_text(session.module_yaml())
    commands = COMMAND.findall((DOCS / "real-cluster.md").read_text())
    assert [command.split()[2] for command in commands] == ["up", "status", "logs", "down"]
    environment = {**os.environ, "STATEFUN_NB_CACHE": str(tmp_path / "cache")}
    for command in commands:
        _, *words = shlex.split(command)
        if words[1] == "up":
            words += ["--kafka-image", KAFKA_IMAGE]
        done = subprocess.run(
            [sys.executable, "-m", "statefun_nb", *words],
            capture_output=True, text=True, check=False, cwd=tmp_path, env=environment, timeout=180,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
