"""What is said of an error that a user's function has raised, beside its own words."""

from __future__ import annotations

from ..errors import in_brief, text_of, traceback_of
from .places import place_of_traceback

__all__ = ["hint_for", "reason_of"]

# How asyncio refuses to run one loop in another.
_LOOP_IN_LOOP = (
    "asyncio.run() cannot be called from a running event loop",
    "This event loop is already running",
    "Cannot run the event loop while another loop is running",
)


def reason_of(error: BaseException) -> str:
    """Class and text of an error; the line where there is no text, and a hint where there is one.

    Examples
    --------
    >>> reason_of(ValueError("no"))
    'ValueError: no'
    """
    place = "" if text_of(error) else place_of_traceback(traceback_of(error))
    hint = hint_for(error)
    return in_brief(error) + (f" at {place}" if place else "") + (f"; {hint}" if hint else "")


def hint_for(error: BaseException) -> str:
    """What to do about an error that does not say it itself; "" for all others."""
    if type(error) is RuntimeError and text_of(error).startswith(_LOOP_IN_LOOP):
        return "a function runs on an event loop already: declare it with `async def`, and `await`"
    return ""
