"""Functions of a module, served without a notebook until somebody ends the program."""

from __future__ import annotations

import contextlib
import importlib
import logging
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal

from ..cells.places import place_of_traceback
from ..endpoint.admission import LOOPBACK_NAMES
from ..endpoint.http_server import LOOPBACK
from ..endpoint.server import Endpoint
from ..errors import DeclarationError, EngineError, in_brief
from ..loop_thread import LoopThread
from ..protocol.effects import Request
from ..sdk.functions import default_functions
from ..sdk.registry import StatefulFunctions
from ..sessions.options import Options
from ..trace.own_tasks import share
from ..trace.reader import read_batch
from ..trace.traced import Serving, TracedHandler

if TYPE_CHECKING:
    from ..sessions.session import Session

__all__ = ["follow", "load_functions", "served"]

_log = logging.getLogger("statefun_nb")
_GRACE = 10.0


def load_functions(name: str) -> StatefulFunctions:
    """The functions of ``module`` or ``module:name``, looked for from the working folder, too.

    Without a name: the ``StatefulFunctions`` in it, or else those it declared with ``sf.function``.
    A module may be written as the path of its file.

    Raises
    ------
    DeclarationError
        When there is no such module, it cannot be imported, or there are no functions in it.
    """
    module_name, _, wanted = name.partition(":")
    folder = Path.cwd()
    if module_name.endswith(".py"):
        path = Path(module_name)
        folder, module_name = path.absolute().parent, path.stem
    module = _imported(module_name, str(folder))
    if wanted:
        found = getattr(module, wanted, None)
        if not isinstance(found, StatefulFunctions):
            raise DeclarationError(f"{module_name} has no StatefulFunctions named {wanted!r}")
        return found
    sets = {k: v for k, v in vars(module).items() if isinstance(v, StatefulFunctions)}
    if len({id(each) for each in sets.values()}) > 1:
        raise DeclarationError(f"which of {', '.join(sets)}? Write {module_name}:NAME")
    functions = next(iter(sets.values()), default_functions)
    if not len(functions):
        raise DeclarationError(f"{module_name} declares no functions")
    return functions


def _imported(name: str, folder: str) -> ModuleType:
    if not name:
        raise DeclarationError("which module? Write its name, or the path of its .py file")
    if name.startswith("."):
        raise DeclarationError(
            f"{name} is no name of a module: write that, or the path of its .py file"
        )
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and f"{name}.".startswith(f"{missing}."):
            if Path(folder, name).is_file():
                raise DeclarationError(
                    f"{name} is a file, and no module of Python: write the name of a module, or "
                    "the path of its .py file"
                ) from error
            raise DeclarationError(f"there is no module {name!r} here ({folder})") from error
        place = place_of_traceback(error.__traceback__)
        where = f" at {place}" if place else ""
        raise DeclarationError(
            f"the module {name!r} cannot be imported{where}: {in_brief(error)}"
        ) from error


@contextlib.contextmanager
def served(
    functions: StatefulFunctions,
    *,
    host: str = LOOPBACK,
    port: int = Options.port,
    token: str | Literal[False] = False,
) -> Iterator[Endpoint]:
    """An endpoint for functions; at its end, what is being served gets ten seconds to end.

    Nothing is recorded: what functions print goes where this process prints, and what they raise is
    logged with its traceback.

    Parameters
    ----------
    host : str
        127.0.0.1, or an address that other machines reach.
    port : int
        Just this one; 0 is any.
    token : str or False
        In its path.

    Raises
    ------
    EngineError
        When the address cannot be had, or other machines reach it and there is no token.
    """
    if not token and host not in LOOPBACK_NAMES:
        raise EngineError(
            f"{host} is reached from elsewhere: without a token anybody could call the functions"
        )
    with LoopThread("statefun_nb") as thread:
        share(thread.loop)
        handler = TracedHandler(functions, None)
        handler.attach(Serving(failed=_log_failure))
        endpoint = Endpoint(handler, thread, host=host, token=token or "")
        endpoint.start(port, others=False)
        try:
            yield endpoint
        finally:
            endpoint.stop(_GRACE)


def _log_failure(request: Request, error: BaseException) -> None:
    _log.error("%s failed", request.target, exc_info=error)


def follow(session: Session, write: Callable[[str], object]) -> None:
    """Until it is ended, print what functions print, and write of failures a line each.

    Functions that are not there are told, too.
    """
    recorder, engine = session.recorder, session.engine
    cursor = parked = 0
    missing: set[str] = set()
    while True:
        snapshot = recorder.snapshot(cursor)
        cursor = snapshot.cursor
        for batch in snapshot.batches:
            if batch.stdout is not None:
                print("".join(batch.stdout.values()), end="", flush=True)
            if batch.error is not None or batch.skipped is not None:
                for each in read_batch(batch, recorder.origin):
                    if each.error is not None:
                        write(f"{each.address}: {each.error.text}")
        before, parked = parked, engine.progress.parked
        if parked != before:
            for waits in session.parked:
                if waits.undeclared and waits.address.typename not in missing:
                    missing.add(waits.address.typename)
                    write(f"{waits.address}: {waits.reason}")
        time.sleep(0.2)
