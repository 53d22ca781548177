"""``statefun-nb demo``: the greeter, and a year of flights."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from ..demos.flights import flight_functions, flight_messages, load_flights
from ..demos.greeter import greeter_functions, greetings
from ..errors import StatefunError
from ..sessions.default import start
from ..sessions.session import Session

__all__ = ["demo"]


def demo(limit: int | None = None) -> None:
    """Run both, and print how fast they went; ``limit`` is a number of flights.

    Raises
    ------
    StatefunError
        When a library is missing, or something was not counted.
    """
    _greeter()
    _flights(limit)


def _run(messages: Iterable[tuple[str, str, Any]], session: Session) -> float:
    """Send, wait until all is done; the seconds it took."""
    begin = time.perf_counter()
    session.send_many(messages)
    session.wait_idle(timeout=600)
    return time.perf_counter() - begin


def _greeter() -> None:
    with start(port=0, functions=greeter_functions()) as session:
        seconds = _run(greetings(20_000, 100), session)
        print("Greeter: 20,000 messages to 100 persons")
        _print_speed(session, seconds)
        print(f"  last greeting: {session.egress('example/out')[-1].value}")


def _flights(limit: int | None) -> None:
    print("Flights: reading a year of departures from New York")
    flights = load_flights()
    if limit is not None:
        flights = flights.head(limit)
    messages = list(flight_messages(flights))
    with start(port=0, functions=flight_functions()) as session:
        seconds = _run(messages, session)
        print(f"Flights: {len(flights):,} records, each to its aircraft, carrier and airport")
        _print_speed(session, seconds)
        alerts = session.egress("flights/alerts")
        print(f"  {len(alerts):,} alerts of late arrivals that made the next departure late:")
        for alert in alerts[-3:]:
            print(f"    {alert.value}")
        counted = sum(s["flights"] for s in session.state("flights/carrier").values())
        if counted != len(flights):
            raise StatefunError(f"counted {counted} flights instead of {len(flights)}")


def _print_speed(session: Session, seconds: float) -> None:
    processed = session.status().processed
    print(f"  {processed:,} invocations in {seconds:.1f} s: {processed / seconds:,.0f} a second")
