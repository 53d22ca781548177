"""A line that says what is being waited for, and how long already."""

from __future__ import annotations

from typing import Any

__all__ = ["ProgressLine"]


class ProgressLine:
    """Shows a text while something takes longer than a second; an empty text ends it."""

    def __init__(self) -> None:
        self._bar: Any = None

    def __call__(self, text: str) -> None:
        """Show ``text`` and the time since the first one; "" takes the line away."""
        if text and self._bar is None:
            from tqdm import tqdm  # 30 ms that the embedded engine need not wait for

            self._bar = tqdm(
                desc=text, bar_format="{desc} ... {elapsed}", leave=False, miniters=0, mininterval=0
            )
        elif text:
            self._bar.set_description_str(text, refresh=True)
        elif self._bar is not None:
            self._bar.close()
            self._bar = None
