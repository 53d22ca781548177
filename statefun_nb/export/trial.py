"""The program that tries a project, in a process of its own: import it, run its tests.

It does what the project's tests/test_recorded.py does, and needs no pytest: most notebooks have
none. Each thing that it finds is a line of JSON; ``tried.py`` reads them.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import CheckFailed, described
from ..sdk.functions import default_functions
from ..testing import recorded

__all__ = ["main"]


def main(registry: str, wanted: Sequence[str], seconds: float) -> None:
    """Try the project in the working folder.

    Parameters
    ----------
    registry : str
        The name of its ``StatefulFunctions``; "" when they are the default ones.
    wanted : sequence of str
        The typenames that it is to declare.
    seconds : float
        When it is not done by then, it ends, and says on stderr where it was.
    """
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as found:
        os.dup2(2, 1)  # whatever the project prints is no finding
        faulthandler.dump_traceback_later(seconds, exit=True)
        for finding in _findings(registry, wanted):
            found.write(json.dumps(finding) + "\n")


def _findings(registry: str, wanted: Sequence[str]) -> Iterator[dict[str, Any]]:
    sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module("functions")
        functions = getattr(module, registry) if registry else default_functions
    except BaseException as error:  # whatever a user's module raises
        yield {"broken": f"functions.py cannot be imported: {_place(error)}{described(error)}"}
        return
    missing = [typename for typename in wanted if functions.find(typename) is None]
    if missing:
        yield {"broken": f"functions.py does not declare {', '.join(missing)}"}
    for case in recorded(Path("tests") / "recorded.jsonl"):
        try:
            case.check(functions)
        except CheckFailed as failed:
            yield {"failed": str(failed)}
        except BaseException as error:  # a test that fails otherwise than it should
            yield {"failed": f"{case}: {described(error)}"}
        else:
            yield {"passed": str(case)}
    yield {"done": True}


def _place(error: BaseException) -> str:
    """The last line of the project's own files that the error came by."""
    here = Path.cwd()
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if here in Path(f.filename).parents]
    if not own:
        return ""
    return f"{Path(own[-1].filename).relative_to(here)}, line {own[-1].lineno}: "
