"""Which HTTP status answers what is no request for a function: at the endpoint and elsewhere.

As Go's SDK: 405 for another method than POST, 415 for a Content-Type that is present and another
one: without any, bytes are bytes (RFC 9110, 8.3). ``ProtocolError.status_hint`` has those of what
follows: 400, and for a function that nobody declared 404, in protocol v2 400; 500 when it raised.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["OCTETS", "TEXT", "Refusal", "wrong_method", "wrong_type"]

OCTETS = "application/octet-stream"
TEXT = "text/plain; charset=utf-8"


class Refusal(NamedTuple):
    """A status, and why; of 405 also the methods that are allowed (RFC 9110, 15.5.6)."""

    status: int
    text: str
    allow: str = ""


def wrong_method(
    method: str, allowed: Sequence[str] = ("POST",), why: str = "StateFun sends POST"
) -> Refusal | None:
    """Why a request of that method is refused; None when it is not."""
    if method in allowed:
        return None
    return Refusal(405, f"{method} is not allowed here: {why}", ", ".join(allowed))


def wrong_type(content_type: str) -> Refusal | None:
    """Why a request with that Content-Type is refused; None when it is not."""
    if content_type.partition(";")[0].strip().lower() in ("", OCTETS):
        return None
    return Refusal(415, f"the content type is {OCTETS}, not {content_type!r}")
