"""What a user sees of the package: its names, their documentation, its errors."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import statefun_nb as sf
from statefun_nb import errors


def test_the_list_of_names_is_sorted_and_true():
    assert sf.__all__ == sorted(sf.__all__)
    assert all(hasattr(sf, name) for name in sf.__all__)


@pytest.mark.parametrize("name", sf.__all__)
def test_every_name_is_documented(name):
    found = getattr(sf, name)
    if inspect.isclass(found) or inspect.isfunction(found):
        assert inspect.getdoc(found)
    if inspect.isclass(found):
        for attribute, value in vars(found).items():
            if not attribute.startswith("_") and inspect.isfunction(value):
                inherited = any(hasattr(base, attribute) for base in found.__mro__[1:])
                assert inspect.getdoc(value) or inherited, f"{name}.{attribute}"


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_has_one_root(name):
    assert issubclass(getattr(errors, name), sf.StatefunError)


def test_importing_starts_nothing():
    code = (
        "import threading, sys\n"
        "import statefun_nb\n"
        "assert threading.active_count() == 1\n"
        "assert sys.stdout is sys.__stdout__\n"
        "assert not {'IPython', 'pandas', 'aiohttp', 'tqdm', 'cattrs'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
