"""What the exported code imports: distributions to be installed, modules to be copied."""

from __future__ import annotations

import ast
import importlib.util
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from ..errors import DeclarationError

if sys.version_info >= (3, 11):
    from importlib import metadata
else:  # whose own knows no packages but those with a top_level.txt
    import importlib_metadata as metadata

__all__ = ["Imports", "imports_of"]

_PACKAGE = "statefun_nb"
# Files of the project itself.
_TAKEN = {"functions", "tests", "conftest"}
_LEFT = {"__pycache__", ".ipynb_checkpoints", ".git"}
_MOST_BYTES = 20_000_000


class Imports(NamedTuple):
    """What a project has to have for its imports.

    Attributes
    ----------
    requirements : tuple of str
        The distributions, in the versions that are installed here.
    copied : dict
        The files of modules that no distribution brings, by their path in the project.
    notes : tuple of str
        What pip cannot find by itself on another machine, in words.
    """

    requirements: tuple[str, ...]
    copied: dict[str, Path]
    notes: tuple[str, ...]


def imports_of(code: str) -> Imports:
    """What this module imports, and what the copied modules import.

    Raises
    ------
    DeclarationError
        When a module cannot be copied: because of its name, or its size.
    """
    seen: set[str] = {_PACKAGE}
    installed: set[str] = set()
    copied: dict[str, Path] = {}
    open_ = _imported(code)
    while open_ - seen:
        name = min(open_ - seen)
        seen.add(name)
        files = _files(name)
        if files is None:
            installed.add(name)
            continue
        copied.update(files)
        for path in files.values():
            if path.suffix == ".py":
                open_ |= _imported(path.read_text(encoding="utf-8", errors="replace"))
    known = metadata.packages_distributions()
    names = sorted({each for module in installed for each in known.get(module, ())})
    lines, notes = _requirements(names)
    return Imports(lines, copied, notes)


def _imported(code: str) -> set[str]:
    """The modules that it imports by name, but for those of Python."""
    found: set[str] = set()
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return found
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found - set(sys.stdlib_module_names)


def _files(name: str) -> dict[str, Path] | None:
    """The files of a module that is to be copied; None when it is installed, or not there."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # one that was made by hand has no spec
        return None
    if spec is None:
        return None
    folders = [Path(each) for each in spec.submodule_search_locations or ()]
    origin = Path(spec.origin) if spec.has_location and spec.origin else None
    place = folders[0] if folders else origin
    if place is None or _is_installed(place):
        return None
    if name in _TAKEN:
        raise DeclarationError(
            f"{place} is imported, and the project has a {name!r} of its own: rename the module"
        )
    if not folders:
        return {place.name: place}
    files = {
        f"{name}/{path.relative_to(place).as_posix()}": path
        for path in sorted(place.rglob("*"))
        if path.is_file() and not _LEFT & {*path.relative_to(place).parts}
    }
    size = sum(path.stat().st_size for path in files.values())
    if size > _MOST_BYTES:
        raise DeclarationError(
            f"{name} is imported from {place}, and no distribution brings it: at {size:,} bytes it "
            "is too large to be copied; install it, or import from a module of its own"
        )
    return files


def _is_installed(place: Path) -> bool:
    return bool({"site-packages", "dist-packages"} & {*place.parts})


def _requirements(names: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    lines, notes = [], []
    for name in names:
        # pip knows a build such as 2.1.0+cpu by its plain version, too.
        version = metadata.version(name).partition("+")[0]
        url, pinned = _source(json.loads(_direct_url(name)))
        lines.append(f"{name} @ {pinned}" if pinned else f"{name}=={version}")
        if url and not pinned:
            notes.append(f"{name} {version} was installed from {url}: pip needs it from there")
    return tuple(lines), tuple(notes)


def _direct_url(name: str) -> str:
    return metadata.distribution(name).read_text("direct_url.json") or "{}"


def _source(direct: Mapping[str, object]) -> tuple[str, str]:
    """Where it was installed from, when not from an index (PEP 610); and how pip finds that."""
    match direct:
        case {"url": str(url), "vcs_info": {"vcs": str(vcs), "commit_id": str(commit)}}:
            return url, f"{vcs}+{url}@{commit}"
        case {"url": str(url)}:
            return url, url if url.startswith("https:") else ""
    return "", ""
