"""What a cluster's parts need of where they run: on this machine, or in a container."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

__all__ = ["Runner", "Runtime"]


class Runtime(NamedTuple):
    """A Java program and the class path of what it runs."""

    java: str
    class_path: str


class Runner(Protocol):
    """Starts and stops named processes, and keeps what they write.

    ``folder`` is one that they and this process see at the same place.
    """

    folder: Path

    def start(self, name: str, command: list[str]) -> int:
        """Start a process and return its id; 0 where that means nothing here."""

    def stop(self, name: str, *, gently: bool = True) -> None:
        """End a process, and wait until it has ended."""

    def ended(self) -> dict[str, int]:
        """The processes that have ended by themselves, with their exit status."""

    def log(self, name: str) -> str:
        """What a process has written."""

    def logs(self) -> dict[str, str]:
        """What all processes have written, by process."""

    def close(self) -> None:
        """End all processes and remove the folder."""
