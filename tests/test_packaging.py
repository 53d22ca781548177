"""What is handed out carries the built front-end, and what it is built from."""

from __future__ import annotations

import email
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("hatchling")

ROOT = Path(__file__).parent.parent
BUNDLE = {"statefun_nb/views/static/dashboard.js", "statefun_nb/views/static/dashboard.css"}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_wheel_holds_the_bundle_and_no_sources_of_it(built):
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert names >= BUNDLE | {"statefun_nb/protocol/_generated/statefun.binpb"}
    assert names >= {"statefun_nb_pytest.py", "statefun_nb/lessons/00_tour.ipynb"}
    assert names >= {f"statefun_nb/lessons/{name}.md" for name in ("workshop", "cheatsheet")}
    assert not [
        name for name in names if name.startswith(("js/", "tests/")) or "node_modules" in name
    ]


def test_the_sdist_holds_the_bundle_its_sources_and_the_tests(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= BUNDLE | {"js/package-lock.json", "js/src/index.tsx", "hatch_build.py"}
    assert "statefun_nb_pytest.py" in names
    tracked = subprocess.run(
        ["git", "ls-files", "tests", "docs", "notebooks"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert names >= {*tracked.stdout.split()} | {"tests/conftest.py", "Makefile"}
    assert not [name for name in names if "node_modules" in name or "_build/" in name]


def test_the_bundle_is_not_committed():
    done = subprocess.run(
        ["git", "ls-files", "statefun_nb/views/static"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip("no checkout")
    assert done.stdout == ""


def test_the_metadata_says_what_it_is_and_links_to_nothing_that_is_not_there(built):
    (wheel,) = built.glob("*.whl")
    packed = zipfile.ZipFile(wheel)
    (name,) = [each for each in packed.namelist() if each.endswith("/METADATA")]
    about = email.message_from_bytes(packed.read(name))
    assert about["License-Expression"] == "Apache-2.0"
    assert about["Author"]
    assert about["Project-URL"]
    assert "Development Status :: 4 - Beta" in about.get_all("Classifier", [])
    readme = str(about.get_payload())
    assert readme.startswith("# statefun_nb")
    assert not re.findall(r"\]\((?!https?:)[^)]*\)|src=|<picture", readme)
