"""The wheel of this package, packed from where it is imported from.

No build, and no network: the package is files of Python and a bundle beside them, whether it came
from a wheel or is a checkout. What else a wheel has, its metadata, was written when it was
installed.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

__all__ = ["wheel_name", "write_wheel"]

_NAME = "statefun_nb"
_PACKAGE = Path(__file__).parents[1]
# pytest's plugin stands beside the package; the lessons are of no use to a project.
_PLUGIN = _PACKAGE.parent / "statefun_nb_pytest.py"
_LESSONS = _PACKAGE / "lessons"
_WHEEL = "Wheel-Version: 1.0\nGenerator: statefun_nb\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
# The first date that a zip file can have: the same files make the same wheel.
_DATE = (1980, 1, 1, 0, 0, 0)


def wheel_name() -> str:
    """The name of the wheel's file.

    Raises
    ------
    PackageNotFoundError
        When the package was not installed: it is imported from a folder on ``sys.path``.
    """
    return f"{_NAME}-{metadata.version(_NAME)}-py3-none-any.whl"


def write_wheel(path: Path) -> None:
    """Pack the package into a wheel that pip installs, with what it needs from an index.

    Raises
    ------
    PackageNotFoundError
        When the package was not installed.
    OSError
        When the file cannot be written.
    """
    about = f"{_NAME}-{metadata.version(_NAME)}.dist-info"
    record = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in (*_code(), *_metadata(about)):
            packed.writestr(_entry(name), data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
            record.append(f"{name},sha256={digest.decode()},{len(data)}\n")
        record.append(f"{about}/RECORD,,\n")
        packed.writestr(_entry(f"{about}/RECORD"), "".join(record))


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _code() -> Iterator[tuple[str, bytes]]:
    for path in sorted(_PACKAGE.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and _LESSONS not in path.parents:
            yield f"{_NAME}/{path.relative_to(_PACKAGE).as_posix()}", path.read_bytes()
    yield _PLUGIN.name, _PLUGIN.read_bytes()


def _metadata(about: str) -> Iterator[tuple[str, bytes]]:
    installed = metadata.distribution(_NAME)
    for name in ("METADATA", "entry_points.txt"):
        yield f"{about}/{name}", (installed.read_text(name) or "").encode()
    yield f"{about}/WHEEL", _WHEEL.encode()
    for file in installed.files or ():
        if file.parent.name == "licenses":
            yield f"{about}/licenses/{file.name}", Path(str(file.locate())).read_bytes()
