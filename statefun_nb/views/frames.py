"""A traceback as its frames, named as IPython names them, with the lines around."""

from __future__ import annotations

import linecache
import re

from ..cells.places import is_the_users, name_of_file
from .wire import Frame

__all__ = ["frames_of"]

_FRAME = re.compile(r'^  File "(.+)", line (\d+)(?:, in (.+))?$', re.MULTILINE)
_AROUND = 2  # lines before and after the one that raised
_LONGEST = 200


def frames_of(traceback: str) -> list[Frame]:
    """The frames of a traceback's text, outermost first; of the user's own code with its lines.

    Examples
    --------
    >>> frames_of('  File "shop/cart.py", line 3, in add')[0]["place"]
    'cart.py'
    """
    return [_frame(*match) for match in _FRAME.findall(traceback)]


def _frame(filename: str, number: str, function: str) -> Frame:
    line, own = int(number), is_the_users(filename)
    return Frame(
        place=name_of_file(filename),
        line=line,
        function=function,
        own=own,
        code=_lines(filename, line) if own else [],
    )


def _lines(filename: str, line: int) -> list[tuple[int, str]]:
    """The lines around, as they were when the cell was run: a cell run again has another name."""
    lines = linecache.getlines(filename)
    first, last = max(1, line - _AROUND), min(len(lines), line + _AROUND)
    return [(number, lines[number - 1].rstrip()[:_LONGEST]) for number in range(first, last + 1)]
