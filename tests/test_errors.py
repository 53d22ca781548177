"""What an error says of how to install what is missing."""

from __future__ import annotations

import json
from importlib import metadata

import pytest

from statefun_nb.errors import install_command

NEEDS = ["cattrs>=23.2", "aiohttp>=3.9; extra == 'http'", 'pandas>=2.0; extra == "lab"']


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (None, 'pip install "statefun_nb[http]"'),
        ({"url": "file://{here}", "dir_info": {"editable": True}}, 'pip install -e "{here}[http]"'),
        ({"url": "file://{here}", "dir_info": {}}, 'pip install "{here}[http]"'),
        ({"url": "file://{here}/a.whl", "archive_info": {}}, 'pip install "{here}/a.whl[http]"'),
        ({"url": "file://{here}/gone.whl", "archive_info": {}}, 'pip install "aiohttp>=3.9"'),
        (
            {"url": "https://x/n.git", "vcs_info": {"vcs": "git", "commit_id": "12ab"}},
            'pip install "statefun_nb[http] @ git+https://x/n.git@12ab"',
        ),
        (
            {"url": "https://x/n.whl", "archive_info": {}},
            'pip install "statefun_nb[http] @ https://x/n.whl"',
        ),
    ],
)
def test_a_command_that_fits_where_the_package_came_from(origin, command, monkeypatch, tmp_path):
    class Installed:
        def read_text(self, name):
            assert name == "direct_url.json"
            return None if origin is None else json.dumps(origin).replace("{here}", str(tmp_path))

    (tmp_path / "a.whl").touch()
    monkeypatch.setattr(metadata, "distribution", lambda name: Installed())
    monkeypatch.setattr(metadata, "requires", lambda name: NEEDS)
    assert install_command("http") == command.replace("{here}", str(tmp_path))


def test_a_package_that_was_not_installed(monkeypatch):
    def lacks(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", lacks)
    assert install_command() == 'pip install "statefun_nb"'
