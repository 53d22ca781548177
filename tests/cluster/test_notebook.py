"""Notebooks with another engine: the same outputs on the real cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.requirements import KAFKA_IMAGE, need_docker, need_flink

ROOT = Path(__file__).parents[2]


ENGINES = {
    "flink": (need_flink, 'engine=\\"flink\\"'),
    "flink 2.2.2": (need_flink, 'engine=\\"flink\\", statefun=\\"2.2.2\\"'),
    "docker": (need_docker, f'engine=\\"docker\\", kafka_image=\\"{KAFKA_IMAGE}\\"'),
}
# The time of a real cluster cannot be moved: what takes a day in the tour takes seconds there.
CLOCK = [
    (', clock=\\"virtual\\")', ")"),
    ("timedelta(days=1)", "timedelta(seconds=5)"),
    ("s.advance(DAY)", "s.wait_idle()"),
]
NOTEBOOKS = [
    ("01_quickstart.ipynb", "flink"),
    ("01_quickstart.ipynb", "docker"),
    ("00_tour.ipynb", "flink"),
    ("15_the_real_cluster.ipynb", "flink"),
    ("20_shopping_cart.ipynb", "flink"),
    ("22_ride_sharing.ipynb", "flink"),
    ("22_ride_sharing.ipynb", "flink 2.2.2"),
]


def without_module_yaml(notebook):
    """A notebook without the output of ``%statefun module``: a cluster's has options for it."""
    content = json.loads(notebook)
    for cell in content["cells"]:
        if cell["source"] == ["%statefun module"]:
            cell["metadata"]["tags"] = ["nbval-ignore-output"]
    return json.dumps(content)


@pytest.mark.parametrize(("name", "engine"), NOTEBOOKS)
def test_a_notebook_gives_the_same_outputs(tmp_path, name, engine):
    need, options = ENGINES[engine]
    need()
    pytest.importorskip("nbval")
    changed = (ROOT / "notebooks" / name).read_text()
    for embedded, real in (*CLOCK, ("sf.start(port=0)", f"sf.start(port=0, {options})")):
        changed = changed.replace(embedded, real, 1)
    assert "engine=" in changed
    changed = changed.replace("StateFun, embedded engine", f"StateFun, {engine.split()[0]} engine")
    changed = without_module_yaml(changed)
    (tmp_path / name).write_text(changed)
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-cell-timeout=90",
               "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "-c", os.devnull,
               "-W", "default", str(tmp_path)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    cells = sum(cell["cell_type"] == "code" for cell in json.loads(changed)["cells"])
    assert f"{cells} passed" in done.stdout
