"""The front-end, as it was built into the package."""

from __future__ import annotations

from pathlib import Path

__all__ = ["bundled"]

_STATIC = Path(__file__).parent / "static"


def bundled(name: str) -> str:
    """The text of a file that ``hatch_build.py`` has made.

    Raises
    ------
    ImportError
        When the front-end is not built.
    """
    path = _STATIC / name
    if not path.exists():
        raise ImportError(
            f"the front-end is not built ({name}): python hatch_build.py in a checkout"
        )
    return path.read_text(encoding="utf-8")
