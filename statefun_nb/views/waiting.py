"""Who waits, why, since when; and what can be done about it."""

from __future__ import annotations

from itertools import islice

from ..address import address_of
from ..engine.facts import ParkedAddress, WaitingAddress, Why
from ..engine.facts import WaitingMessage as Waiting
from ..errors import EngineError, cut
from ..trace.events import Invocation, Payload
from ..trace.history import open_failures
from .entry import message_text, read_message, sent_as
from .listings import REASON
from .names import means, name_of_typename
from .rows import short_id
from .source import Source
from .tree import plain_text, preview
from .wire import WaitingMessage, WaitingPage, WaitingRow

__all__ = ["amend", "discard_all", "retry_all", "waiting_page"]

# Addresses that are shown at once.
_MOST = 200
# Addresses among which those that a filter means are looked for; failures, too.
_LOOKED = 10_000
# What can be tried again, and what has failed: the message at its head can be given up.
_RETRIABLE: frozenset[Why] = frozenset({"parked", "undeclared", "backing off"})
_DISCARDABLE: frozenset[Why] = frozenset({"parked", "backing off"})


def waiting_page(
    source: Source, typename: str = "", id: str = "", limit: int = _MOST
) -> WaitingPage:
    """The addresses whose messages wait, those that need somebody first."""
    total, shown = _shown(source, typename, id, limit)
    places = {each.address: each for each in source.parked}
    failures = open_failures(source.recorder, _LOOKED)
    rows = []
    for each in shown:
        parked = places.get(each.address)
        failed = None if each.why in ("queued", "running") else failures.get(each.address)
        rows.append(_row(each, failed, parked))
    return WaitingPage(typename=typename, id=id, total=total, rows=rows)


def retry_all(source: Source, typename: str, id: str) -> int:
    """Try again what the page of this filter shows; how many addresses go on?"""
    _, shown = _shown(source, typename, id)
    addresses = [each.address for each in shown if each.why in _RETRIABLE]
    return sum(source.engine.retry(each.typename, each.id) for each in addresses)


def discard_all(source: Source, typename: str, id: str) -> int:
    """Give up the message at the head of what has failed on the page of this filter; how many?

    Raises
    ------
    EngineError
        When none could be given up.
    """
    _, shown = _shown(source, typename, id)
    given_up, problem = 0, None
    for each in shown:
        if each.why not in _DISCARDABLE:
            continue
        try:
            source.discard(each.address.typename, each.address.id)
            given_up += 1
        except EngineError as error:  # it has gone on meanwhile, as what backs off does
            problem = error
    if problem is not None and not given_up:
        raise problem
    return given_up


def _shown(
    source: Source, typename: str, id: str, limit: int = _MOST
) -> tuple[int, list[WaitingAddress]]:
    """How many addresses that a filter means wait, and those that its page shows."""
    total, found = _waiting(source)
    meant = [each for each in found if means(typename, id, each.address)]
    total = len(meant) if typename or id else total
    return total, list(islice(meant, min(limit, _MOST)))


def _waiting(source: Source) -> tuple[int, list[WaitingAddress]]:
    controls = source.engine.controls
    if controls is not None:
        return controls.waiting(_LOOKED)
    # A real cluster keeps its mailboxes to itself: what is known is what the endpoint holds.
    found = [
        WaitingAddress(
            each.address,
            "undeclared" if each.undeclared else "parked",
            each.reason,
            0,
            each.attempts,
            each.waiting,
            [],
        )
        for each in source.parked
    ]
    return len(found), found


def _row(
    each: WaitingAddress, failed: Invocation | None, parked: ParkedAddress | None
) -> WaitingRow:
    line, attempts = (parked.line, parked.attempts) if parked else ("", 0)
    since = parked.since if parked else None
    reason = parked.reason if parked else each.reason
    if not reason and failed is not None and failed.error is not None:
        reason = failed.error.text
    return WaitingRow(
        typename=each.address.typename,
        id=short_id(each.address.id),
        exact=short_id(each.address.id) == each.address.id,
        why=each.why,
        retriable=each.why in _RETRIABLE,
        discardable=each.why in _DISCARDABLE,
        reason=cut(plain_text(reason), REASON),
        line=line,
        attempts=attempts or each.attempts,
        waiting=each.waiting,
        since=each.since_ms if since is None else since.timestamp() * 1000,
        next=each.next_ms,
        seq=0 if failed is None else failed.seq,
        messages=[_message(message) for message in each.messages],
    )


def _message(message: Waiting) -> WaitingMessage:
    caller, payload = message.caller, Payload(*message.value)
    return WaitingMessage(
        caller="" if caller is None else f"{caller.typename}/{short_id(caller.id)}",
        type=name_of_typename(payload.typename),
        text=preview(payload.value),
        edit=message_text(payload),
        came=message.came_ms,
    )


def amend(source: Source, typename: str, id_: str, text: str) -> None:
    """Put another value into the message at the head of a parked address, and try again.

    On a real cluster, which keeps its messages, it is given up and sent anew.

    Raises
    ------
    ConversionError
        When the text stands for no value of the message's type.
    EngineError
        When the address is not parked.
    """
    address = address_of(typename, id_)
    _, found = _waiting(source)
    waiting = next((each for each in found if each.address == address), None)
    controls = source.engine.controls
    if waiting is not None and controls is not None and waiting.messages:
        controls.amend(address, read_message(waiting.messages[0].value.typename, text))
        return
    failed = open_failures(source.recorder, _LOOKED).get(address)
    if waiting is None or failed is None:
        raise EngineError(f"{address} is not parked: there is no message to edit")
    value, known = sent_as(failed.message.typename, text)
    source.discard(typename, id_)
    source.send(typename, id_, value, type=known)
