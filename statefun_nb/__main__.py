"""``statefun-nb`` and ``python -m statefun_nb``: the command line, once it is imported."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

__all__ = ["main"]


def main() -> int:
    """Run the command that the program was called with; see ``cli.main``.

    Its imports take a second, in which Ctrl-C ends the program as it does later: nothing has begun
    that would have to be put in order, and an import may take the interrupt for its own error.
    """
    _open_what_is_closed()
    before = signal.signal(signal.SIGINT, _end)
    from .cli.main import main as run  # 1300 ms in which Ctrl-C is already ours

    signal.signal(signal.SIGINT, before)
    return run()


def _open_what_is_closed() -> None:
    """After `>&-` there is no stdout, and the next file that is opened would be in its place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115 - till the end


def _end(_number: int, _frame: FrameType | None) -> None:
    os._exit(128 + signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
