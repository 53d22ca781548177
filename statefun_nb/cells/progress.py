"""How far something is that takes longer than a second, where a person looks: nowhere else."""

from __future__ import annotations

import os
import sys
from typing import Any

__all__ = ["ProgressLine", "progress_bar"]


def progress_bar(items: Any = None, **options: Any) -> Any:
    """A tqdm bar that shows after a second, in a notebook or on a terminal, and goes when done.

    Parameters
    ----------
    items : iterable, optional
        What to go through; without it, the bar moves by ``update``.
    **options
        Those of ``tqdm.tqdm``.
    """
    from tqdm import tqdm  # 30 ms that a first cell need not wait for

    settings: dict[str, Any] = {"delay": 1, "mininterval": 0.5, "leave": False}
    if not _somebody_looks():  # and else as the environment says (TQDM_DISABLE)
        settings["disable"] = True
    return tqdm(items, **(settings | options))


class ProgressLine:
    """Shows a text while something takes longer than a second; an empty text ends it."""

    def __init__(self) -> None:
        self._bar: Any = None

    def __call__(self, text: str) -> None:
        """Show ``text`` and the time since the first one; "" takes the line away."""
        if text and self._bar is None:
            self._bar = progress_bar(
                desc=text, bar_format="{desc} ... {elapsed}", delay=0, miniters=0, mininterval=0
            )
        elif text:
            self._bar.set_description_str(text, refresh=True)
        elif self._bar is not None:
            self._bar.close()
            self._bar = None


def _somebody_looks() -> bool:
    """Whether what goes to stderr is seen at once: a log file would keep every step of a bar.

    Of a kernel only who started it can tell: ``STATEFUN_NB_PROGRESS=0`` says that nobody looks.
    """
    if os.environ.get("STATEFUN_NB_PROGRESS") == "0":
        return False
    ipython = sys.modules.get("IPython")  # looked up, not imported: most programs need none
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None or sys.stderr.isatty()
