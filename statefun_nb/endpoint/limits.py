"""What the endpoint accepts of a client."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a client's bytes and time the endpoint takes: in bytes, and in seconds.

    Attributes
    ----------
    header_bytes
        Request line and headers together; 64 KiB, as in Tornado.
    body_bytes
        A request's body, and all of a request with its framing beside ``header_bytes``; 64 MiB, and
        more from a cluster of ours (``LARGEST_EXCHANGE``).
    too_large
        The status for a body that is larger.
    all_bodies_bytes
        The bodies on all connections together, until they are answered; 1 GiB.
    request_seconds
        From the first byte of a request to its last.
    idle_seconds
        A connection without a request; one hour, as in Tornado: the runtime pools connections.
    write_seconds
        A client that does not read its answer.
    pipelined
        Requests read ahead on one connection while one is being served.
    """

    header_bytes: int = 64 * 1024
    body_bytes: int = 64 * 1024 * 1024
    too_large: int = 413
    all_bodies_bytes: int = 1024 * 1024 * 1024
    request_seconds: float = 60.0
    idle_seconds: float = 3600.0
    write_seconds: float = 60.0
    pipelined: int = 16
