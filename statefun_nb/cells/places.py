"""Where in the user's code something happens: the cell, as IPython names it, or the file."""

from __future__ import annotations

import inspect
import os
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from ..errors import bounded

__all__ = [
    "is_the_users",
    "name_of_file",
    "place_of_coroutine",
    "place_of_frame",
    "place_of_function",
    "place_of_traceback",
    "unwrapped",
    "warn",
]

# Code of these folders is not the user's, nor is what pip has installed.
_OTHERS = (f"{Path(__file__).parent.parent}{os.sep}", f"{Path(os.__file__).parent}{os.sep}")
_INSTALLED = ("site-packages", "dist-packages")


def place_of_traceback(trace: TracebackType | None) -> str:
    """The innermost line of the user's in a traceback, as in "Cell In[3], line 5"; "" for none."""
    places: list[tuple[str, int]] = []
    while trace is not None:
        places.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    return _innermost(reversed(places))


def place_of_frame(frame: FrameType | None) -> str:
    """The innermost line of the user's that a frame is at; "" for none."""
    places: list[tuple[str, int]] = []
    while frame is not None:
        places.append((frame.f_code.co_filename, frame.f_lineno))
        frame = frame.f_back
    return _innermost(iter(places))


def place_of_coroutine(coroutine: Any) -> str:
    """The innermost line of the user's at which a coroutine waits; "" for none."""
    places: list[tuple[str, int]] = []
    each = coroutine
    while each is not None:  # a coroutine, or a generator that is one
        frame = getattr(each, "cr_frame", None) or getattr(each, "gi_frame", None)
        if frame is None:
            break
        places.append((frame.f_code.co_filename, frame.f_lineno))
        each = getattr(each, "cr_await", None) or getattr(each, "gi_yieldfrom", None)
    return _innermost(reversed(places))


def place_of_function(fun: Any) -> str:
    """The line at which a function begins, of a method too; "" for none that Python has code of."""
    code = getattr(unwrapped(getattr(fun, "__func__", fun)), "__code__", None)
    return "" if code is None else f"{name_of_file(code.co_filename)}, line {code.co_firstlineno}"


def unwrapped(fun: Any) -> Any:
    """What decorators have wrapped; the function itself where it says that it wraps itself."""
    try:
        return inspect.unwrap(fun)
    except ValueError:
        return fun


def warn(text: str) -> None:
    """Warn at the user's line that has led here, whatever is in between.

    Python shows a warning once for each line: one of ours would be shown for the first cell only.
    """
    level = 1
    frame: FrameType | None = sys._getframe(0)
    while frame is not None and not is_the_users(frame.f_code.co_filename):
        level, frame = level + 1, frame.f_back
    warnings.warn(bounded(text), stacklevel=2 if frame is None else level)


def _innermost(places: Iterator[tuple[str, int]]) -> str:
    for filename, line in places:
        if is_the_users(filename):
            return f"{name_of_file(filename)}, line {line}"
    return ""


def is_the_users(filename: str) -> bool:
    """Is the code of this file the user's own, and no library's?"""
    if filename.startswith((*_OTHERS, "<frozen")):
        return False
    return not any(folder in filename for folder in _INSTALLED)


def name_of_file(filename: str) -> str:
    """What a person calls the code of a file: "Cell In[3]", "%%statefun_function a/b", a name.

    Examples
    --------
    >>> name_of_file("/home/ann/shop/functions.py")
    'functions.py'
    """
    body = re.fullmatch(r"<statefun_function (.*)>", filename)
    if body is not None:
        return f"%%statefun_function {body[1]}"
    ipython: Any = sys.modules.get("IPython")  # looked up, not imported: most programs need none
    shell = None if ipython is None else ipython.get_ipython()
    named = getattr(getattr(shell, "compile", None), "format_code_name", lambda _: None)(filename)
    return " ".join(named) if named else Path(filename).name
