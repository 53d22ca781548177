"""What does not go on, and why, told as it is now: an engine knows how it was at that time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from functools import cache

from ..engine.facts import ParkedAddress
from ..sdk.registry import StatefulFunctions
from ..trace.batch import Origin
from ..trace.failures import Failures, LastFailure
from ..trace.mended import names_set

__all__ = ["as_it_is_now"]


def as_it_is_now(
    parked: list[ParkedAddress],
    functions: StatefulFunctions,
    failures: Failures,
    origin: Origin,
    reached: Callable[[str], bool],
) -> list[ParkedAddress]:
    """The addresses with what is known of them by now.

    Parameters
    ----------
    functions : StatefulFunctions
    failures : Failures
        Knows line, attempts and time.
    origin : Origin
        Of the trace's times.
    reached : callable
        Is a function type, which nobody declares here, served by an endpoint that module.yaml
        names? Then what the engine says is the reason.
    """

    @cache  # of a type many addresses may wait
    def unknown(typename: str) -> str:
        if functions.find(typename) is not None or reached(typename):
            return ""
        return functions.why_unknown(typename)

    return [
        each._replace(reason=unknown(each.address.typename) or each.reason)
        if each.undeclared
        else _failed(each, failures.find(each.address), functions, origin)
        for each in parked
    ]


def _failed(
    parked: ParkedAddress, last: LastFailure | None, functions: StatefulFunctions, origin: Origin
) -> ParkedAddress:
    if functions.find(parked.address.typename) is None:
        reason = f"{parked.reason} (its function is declared no more)"
        parked = parked._replace(reason=reason)
    if last is None:  # of a thousand others the failure is remembered
        return parked
    reason, since = parked.reason, parked.since
    if (batch := last.batch) is not None:  # not when it was tried again in vain
        ended = origin.time(batch, batch.start + batch.seconds)
        since = datetime.fromtimestamp(ended, timezone.utc)
    if names := names_set(last.names):
        have = "has" if len(names) == 1 else "have"
        reason += f" ({', '.join(names)} {have} been set since: s.retry() tries again)"
    return parked._replace(reason=reason, line=last.line, attempts=last.attempts, since=since)
