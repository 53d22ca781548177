"""Which HTTP status answers what is no request for a function: at the endpoint and elsewhere.

As Go's SDK: 405 for another method than POST, 415 for a Content-Type that is present and another
one: without any, bytes are bytes (RFC 9110, 8.3). ``ProtocolError.status_hint`` has those of what
follows: 400, and 404; 500 when it raised.
"""

from __future__ import annotations

__all__ = ["OCTETS", "TEXT", "Refusal", "wrong_method", "wrong_type"]

OCTETS = "application/octet-stream"
TEXT = "text/plain; charset=utf-8"

# A status, and why.
Refusal = tuple[int, str]


def wrong_method(method: str) -> Refusal | None:
    """Why a request of that method is refused; None when it is not."""
    return None if method == "POST" else (405, f"{method} is not allowed here: StateFun sends POST")


def wrong_type(content_type: str) -> Refusal | None:
    """Why a request with that Content-Type is refused; None when it is not."""
    if content_type.partition(";")[0].strip().lower() in ("", OCTETS):
        return None
    return 415, f"the content type is {OCTETS}, not {content_type!r}"
