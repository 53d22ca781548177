"""What does not go on, and why, told as it is now: an engine knows how it was at that time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from functools import cache

from ..engine.facts import ParkedAddress
from ..sdk.registry import StatefulFunctions
from ..trace.batch import Origin
from ..trace.failures import Failures, LastFailure
from ..trace.mended import changed_names

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
        names? What that has answered is the reason.
    """

    @cache  # of a type many addresses may wait
    def unknown(typename: str) -> str:
        if functions.find(typename) is not None or reached(typename):
            return ""
        return functions.why_unknown(typename)

    found = []
    for each in parked:
        last = failures.find(each.address)
        if each.undeclared:
            found.append(each._replace(reason=unknown(each.address.typename) or each.reason))
        elif last is not None:
            found.append(_failed(each, last, functions, origin))
        else:
            found.append(each)
    return found


def _failed(
    parked: ParkedAddress, last: LastFailure, functions: StatefulFunctions, origin: Origin
) -> ParkedAddress:
    since, reason = parked.since, parked.reason
    if (batch := last.batch) is not None:  # not when it was tried again in vain
        since = datetime.fromtimestamp(
            origin.time(batch, batch.start + batch.seconds), timezone.utc
        )
    if functions.find(parked.address.typename) is None:
        reason += " (its function is declared no more)"
    elif changed := changed_names(last.names):
        have = "has been" if len(changed) == 1 else "have been"
        reason += f" ({', '.join(changed)} {have} set since: s.retry() tries again)"
    return parked._replace(reason=reason, line=last.line, attempts=last.attempts, since=since)
