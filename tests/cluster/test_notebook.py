"""The quickstart with one line changed: the same outputs on the real cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.requirements import KAFKA_IMAGE, need_docker, need_flink

ROOT = Path(__file__).parents[2]


ENGINES = {
    "flink": (need_flink, 'engine=\\"flink\\"'),
    "docker": (need_docker, f'engine=\\"docker\\", kafka_image=\\"{KAFKA_IMAGE}\\"'),
}


@pytest.mark.parametrize("engine", ENGINES)
def test_the_quickstart_gives_the_same_outputs(tmp_path, engine):
    need, options = ENGINES[engine]
    need()
    pytest.importorskip("nbval")
    text = (ROOT / "notebooks" / "01_quickstart.ipynb").read_text()
    changed = text.replace("sf.start(port=0)", f"sf.start(port=0, {options})")
    assert changed != text
    (tmp_path / "quickstart.ipynb").write_text(changed)
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-cell-timeout=90",
               "--nbval-sanitize-with", str(ROOT / "tests" / "nbval.cfg"), "-p", "no:cacheprovider",
               "--rootdir", str(tmp_path), "-c", os.devnull, "-W", "default", str(tmp_path)]  # fmt: skip
    # A progress bar is no output of the notebook's.
    environment = {**os.environ, "TQDM_DISABLE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "23 passed" in done.stdout
