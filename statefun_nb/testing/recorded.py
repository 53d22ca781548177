"""Tests from what was tried: recorded invocations in a file, one a line, checked one by one.

A file is made by ``s.export``, or by ``write_recorded``; a line of it reads::

    {"function": "example/person", "id": "bob", "caller": null,
     "message": {"type": "io.statefun.types/string", "value": "hello"}, "state": {},
     "effects": {"state": {"visits": {"type": "io.statefun.types/long", "value": 1}}, ...}}
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..address import SdkAddress, address_of
from ..errors import CheckFailed, DeclarationError
from ..sdk.functions import default_functions
from ..sdk.registry import StatefulFunctions
from ..tables import shorten
from ..trace.case import Case, readable, run_case, typed
from ..trace.events import Payload
from ..trace.replay import differences

__all__ = ["Recorded", "recorded", "write_recorded"]

_EFFECTS = {"state", "sent", "delayed", "cancelled", "egress", "error"}


class Recorded:
    """A recorded invocation: run it again, and compare what it does with what it did."""

    def __init__(self, case: Case) -> None:
        self._case = case

    def check(self, functions: StatefulFunctions | None = None) -> None:
        """Run the message through its function, as it is now, from the recorded state.

        Parameters
        ----------
        functions : StatefulFunctions, optional
            Which has the function; those declared with ``sf.function`` when left out.

        Raises
        ------
        CheckFailed
            When anything it does is different; with all that is.
        """
        case = self._case
        now = asyncio.run(run_case(case, default_functions if functions is None else functions))
        found = list(differences(case.effects, now))
        if found:
            raise CheckFailed(f"{self}: " + "; ".join(found))

    def __repr__(self) -> str:
        message = shorten(repr(Payload(*self._case.message).value), 40)
        return f"{self._case.address} {message}"


def recorded(path: str | Path) -> list[Recorded]:
    """The invocations of a file, in its order.

    Raises
    ------
    DeclarationError
        When a line is not as it should be; with its number.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DeclarationError(f"cannot read {path}: {error}") from error
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(Recorded(_case(json.loads(line))))
        except (ValueError, RecursionError) as error:  # a JSONDecodeError is one, too
            raise DeclarationError(f"{path}, line {number}: {error}") from error
    return found


def write_recorded(path: str | Path, cases: Iterable[Case]) -> int:
    """Write cases to a file; how many there were."""
    lines = [json.dumps(_line(case), ensure_ascii=False) + "\n" for case in cases]
    Path(path).write_text("".join(lines), encoding="utf-8")
    return len(lines)


def _line(case: Case) -> dict[str, Any]:
    caller = case.caller
    return {
        "function": case.address.typename,
        "id": case.address.id,
        "caller": None if caller is None else [caller.typename, caller.id],
        "message": readable(case.message),
        "state": {name: readable(value) for name, value in case.state.items()},
        "effects": case.effects,
    }


def _case(line: Any) -> Case:
    match line:
        case {
            "function": str(typename),
            "id": str(id_),
            "caller": caller,
            "message": dict(message),
            "state": dict(state),
            "effects": dict(effects),
        } if effects.keys() == _EFFECTS:
            values = {str(name): typed(value) for name, value in state.items()}
            return Case(
                0, 0, address_of(typename, id_), _caller(caller), typed(message), values, effects
            )
    raise ValueError(
        "a recorded invocation has function, id, caller, message, state and effects "
        f"({', '.join(sorted(_EFFECTS))})"
    )


def _caller(written: Any) -> SdkAddress | None:
    match written:
        case None:
            return None
        case [str(typename), str(id_)]:
            return address_of(typename, id_)
    raise ValueError(f"caller is null or [typename, id], not {json.dumps(written)}")
