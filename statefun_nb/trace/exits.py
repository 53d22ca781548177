"""``exit()`` in a function of a notebook: that function's failure, and not the kernel's end."""

from __future__ import annotations

from typing import Any

from ..cells.history import running_shell
from .output import inside_function

__all__ = ["guard_exit"]


def guard_exit() -> None:
    """Have IPython's ``exit`` and ``quit`` raise SystemExit inside a function, as Python's own do.

    They ask the kernel to end, from whatever thread they are called. Without IPython, and a second
    time, nothing is done.
    """
    shell = running_shell()
    asked = getattr(shell, "ask_exit", None)
    if asked is not None and not isinstance(asked, _Guarded):
        shell.ask_exit = _Guarded(asked)


class _Guarded:
    def __init__(self, asked: Any) -> None:
        self._asked = asked

    def __call__(self) -> None:
        if inside_function():
            raise SystemExit("exit() in a function would end the notebook's kernel: write return")
        self._asked()
