"""Functions of a module, served without a notebook until somebody ends the program."""

from __future__ import annotations

import contextlib
import importlib
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from ..endpoint.app import LOOPBACK_NAMES
from ..endpoint.server import LOOPBACK, Endpoint
from ..errors import DeclarationError
from ..loop_thread import LoopThread
from ..sdk.functions import default_functions
from ..sdk.registry import StatefulFunctions
from ..sessions.options import Options
from ..trace.reader import read_batch
from ..trace.recorder import Recorder
from ..trace.traced import TracedHandler

__all__ = ["ended_by_signal", "follow", "load_functions", "served"]

_GRACE = 10.0


def load_functions(name: str) -> StatefulFunctions:
    """The functions of ``module`` or ``module:name``, looked for from the working folder, too.

    Without a name: the ``StatefulFunctions`` in it, or else those it declared with ``sf.function``.

    Raises
    ------
    DeclarationError
        When there is no such module, or no functions in it.
    """
    module_name, _, wanted = name.removesuffix(".py").partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # it is something that the module needs
        raise DeclarationError(f"there is no module {module_name!r} here ({here})") from error
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


@contextlib.contextmanager
def served(
    functions: StatefulFunctions, *, host: str = LOOPBACK, port: int = Options.port, token: str = ""
) -> Iterator[Endpoint]:
    """An endpoint for functions; at its end, what is being served gets ten seconds to end.

    Parameters
    ----------
    host : str
        One that other machines reach gets a token into its path: the one given, or a random one.
    port : int
        Just this one; 0 is any.

    Raises
    ------
    EngineError
        When the address cannot be had.
    """
    if host not in LOOPBACK_NAMES:
        token = token or secrets.token_urlsafe(16)
    with LoopThread("statefun_nb") as thread:
        endpoint = Endpoint(TracedHandler(functions, None), thread, host=host, token=token)
        endpoint.start(port, others=False)
        try:
            yield endpoint
        finally:
            endpoint.stop(_GRACE)


def follow(recorder: Recorder, write: Callable[[str], object]) -> None:
    """Write a line for each failure, until something ends it."""
    cursor = 0
    while True:
        snapshot = recorder.snapshot(cursor)
        cursor = snapshot.cursor
        for batch in snapshot.batches:
            if batch.error is not None or batch.skipped is not None:
                for each in read_batch(batch, recorder.id):
                    if each.error is not None:
                        write(f"{each.address}: {each.error.text}")
        time.sleep(0.2)


@contextlib.contextmanager
def ended_by_signal() -> Iterator[None]:
    """Ends what is in it at Ctrl-C or SIGTERM, as if it had come to its end."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
