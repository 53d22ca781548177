"""What the words of a command line may be."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from urllib.parse import urlsplit

from ..endpoint.admission import is_token, new_token
from ..errors import StatefunError
from ..protocol.module_reader import LONGEST

__all__ = ["a_path", "a_url", "add_token", "check_writable", "readable"]


def add_token(parser: argparse.ArgumentParser) -> None:
    """Add ``--token`` and ``--no-token``; ``token`` is then a text, or False."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--token",
        type=_token,
        default=os.environ.get("STATEFUN_NB_TOKEN", ""),
        help="part of the endpoint's path, without which nobody is served ($STATEFUN_NB_TOKEN, or "
        "a random one)",
    )
    group.add_argument(
        "--no-token",
        dest="token",
        action="store_false",
        help="whoever uses this machine may call the functions",
    )


def _token(text: str) -> str:
    if text and not is_token(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no token: letters, digits and - . _ ~")
    return text or new_token()


def a_url(text: str) -> str:
    """The URL of an endpoint; a type for argparse.

    Examples
    --------
    >>> a_url("http://127.0.0.1:8000/statefun")
    'http://127.0.0.1:8000/statefun'
    """
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https", "http+unix", "https+unix") or not (
        parts.netloc or parts.path.strip("/")
    ):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no URL of an endpoint: write one such as http://127.0.0.1:8000/statefun"
        )
    return text


def a_path(text: str) -> Path:
    """A file or a folder; a type for argparse.

    Examples
    --------
    >>> str(a_path("lessons"))
    'lessons'
    """
    if not text:  # which pathlib takes for the current folder, and an unset variable makes
        raise argparse.ArgumentTypeError("it is empty: write a name, or . for this folder")
    return Path(text)


def readable(path: Path) -> Path:
    """The path of a file that is text, of which as much is looked at as a module.yaml may have.

    Raises
    ------
    StatefunError
        When it cannot be read as such, or is the module of Python that goes with one.
    """
    try:
        with path.open(encoding="utf-8") as opened:
            opened.read(LONGEST + 1)  # some, such as /dev/urandom, have no end
    except OSError as error:
        raise StatefunError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StatefunError(f"cannot read {path}: it is not text in UTF-8") from error
    if path.suffix == ".py":
        raise StatefunError(
            f"{path} is Python, and no module.yaml: `statefun-nb serve {path}` serves its functions"
            f" to a cluster, `statefun-nb run MODULE.yaml --functions {path}` runs them here"
        )
    return path


def check_writable(path: Path, *, as_folder: bool = False) -> None:
    """Ask before any work whether a file, or a folder of files, can be written to a path.

    The folder may lack, with those above it.

    Raises
    ------
    StatefunError
        When it cannot.
    """
    if path.exists():
        place = path
        if path.is_dir() != as_folder:
            raise StatefunError(f"cannot write {path}: it is a {'file' if as_folder else 'folder'}")
    else:
        place = path.parent
        while as_folder and not place.exists():
            place = place.parent
        if not place.is_dir():
            raise StatefunError(f"cannot write {path}: {place} is not a folder")
    if not os.access(place, os.W_OK):
        raise StatefunError(f"cannot write {path}: nothing can be written to {place}")
