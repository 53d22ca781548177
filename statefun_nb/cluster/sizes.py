"""What is too much between a cluster and the endpoint: told before it is asked for for ever.

The runtime takes no reply above ``payload_max_bytes``, and asks again; nor does the endpoint take a
request that is larger. Neither gets smaller by that.
"""

from __future__ import annotations

from ..address import SdkAddress
from ..errors import EngineError
from ..protocol.effects import Request, TypedValue
from ..protocol.egresses import LARGEST_EXCHANGE, LARGEST_RECORD
from ..protocol.v3 import decode_reply
from ..tables import counted

__all__ = ["all_are_held", "check_size", "too_large_request"]


def check_size(request: Request, size: int, reply: bytes) -> None:
    """Raise for a reply that the cluster would not take, or after which no request would fit.

    Parameters
    ----------
    size : int
        Of the request, in bytes.
    reply : bytes
        Encoded.

    Raises
    ------
    EngineError
        When the reply, a message in it, or all state of the address is too large.
    """
    if size + len(reply) <= LARGEST_RECORD:
        return  # as nearly all: no part of them is larger
    if len(reply) > LARGEST_EXCHANGE:
        raise EngineError(
            f"the reply to {counted(len(request.invocations), 'message')} has {len(reply):,} "
            f"bytes, and a cluster takes {LARGEST_EXCHANGE:,}: send and keep less "
            "(sf.start(batch_limit=...) makes smaller batches)"
        )
    found = decode_reply(reply)
    for message in found.messages:
        if len(message.argument) > LARGEST_RECORD:
            raise EngineError(
                f"a message of {len(message.argument):,} bytes to {message.target} is too large: "
                f"a cluster takes {LARGEST_RECORD:,}"
            )
    state: dict[str, TypedValue | None] = {**request.state, **dict(found.mutations)}
    kept = sum(len(value.value or b"") for value in state.values() if value is not None)
    if kept > LARGEST_RECORD:
        raise EngineError(
            f"the state of {request.target} would have {kept:,} bytes, which go with each of its "
            f"messages: a cluster takes {LARGEST_RECORD:,}"
        )


def too_large_request(size: int, busiest: tuple[SdkAddress, int] | None) -> str:
    """What to say of a request that was refused, and is made again and again; "" of 0 bytes."""
    if not size:
        return ""
    text = (
        f"the cluster asks again and again with {size:,} bytes at once, and the endpoint takes "
        f"{LARGEST_EXCHANGE:,}: too much waits for one address"
    )
    if busiest is not None:
        address, count = busiest
        text += f", most for {address}: {counted(count, 'message')}"
    return f"{text}; start anew with a smaller batch_limit="


def all_are_held(held: int, most: int) -> str:
    """What to say when the cluster has no more requests to make than those that are held.

    ``most`` is how many it has under way at once, 0: any number.
    """
    if not most or held < most:
        return ""
    parked = counted(held, "address", "addresses")
    return (
        f"{parked} are parked, and the cluster has {most:,} requests under way at most: the others "
        "wait till some of these go on (s.retry(), or the corrected cell)"
    )
