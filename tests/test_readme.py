"""The code blocks of the README do what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_the_first_cell_prints_what_the_readme_shows():
    cell = re.search(r"```python\n(.*?)```\n\n((?:    [^\n]*\n)+)", README, re.DOTALL)
    assert cell is not None
    code, shown = cell.groups()
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == shown.strip()


def test_what_the_readme_links_to_is_there():
    root = Path(__file__).parent.parent
    links = re.findall(r"\]\((?!http)([^)]+)\)", README)
    assert links
    assert all((root / link).exists() for link in links)


def test_the_pictures_of_the_readme_are_there_and_the_first_moves_unless_that_is_unwanted():
    root = Path(__file__).parent.parent
    sources = re.findall(r'<source media="([^"]*)" srcset="([^"]*)">', README)
    (shown,) = re.findall(r'<img alt="[^"]+" src="([^"]*)">', README)
    assert all((root / path).exists() for path in [shown, *(path for _, path in sources)])
    moving = [path for media, path in [*sources, ("", shown)] if "reduce" not in media]
    assert len(moving) == 2
    for path in moving:
        data = (root / path).read_bytes()
        assert data.startswith(b"GIF89a")
        assert data.count(b"\x21\xf9\x04") > 40  # as many frames
        assert len(data) < 3_000_000
    still = [
        path for media, path in sources if media.startswith("(prefers-reduced-motion: reduce)")
    ]
    assert len(still) == 2
    assert all(path.endswith(".png") for path in still)
