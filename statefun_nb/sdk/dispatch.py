"""Dispatch: run a user's function for each message of a batch. The heart."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Coroutine, Iterable
from sys import getrefcount
from types import AsyncGeneratorType, GeneratorType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..address import SdkAddress
from ..errors import DeclarationTypeError, StatefunError, StateNameError
from ..protocol.effects import Request, StateSpec, new_tuple
from ..protocol.v3 import encode_missing, encode_result, mutation_chunk
from .context import Routes
from .invocation_context import ContextOfV2, InvocationContext
from .messages import received_message
from .registry import FunctionSpec
from .storage import Cell, about_name, current_storage

if TYPE_CHECKING:  # 20 ms that a program with sync functions need not wait for
    import asyncio

__all__ = [
    "SERVING_CODE",
    "Failure",
    "Observer",
    "Outcome",
    "dispatch",
    "is_withdrawal",
    "not_in_module",
    "withdraw",
]

# Tasks that serve, and were told to stop by whoever waits for them.
_withdrawn: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()


class Failure(NamedTuple):
    """What a user's function raised, and for which message of the batch (from 0)."""

    position: int
    error: BaseException


class Outcome(NamedTuple):
    """What became of a batch: an encoded FromFunction, or the failure of the whole batch."""

    reply: bytes
    missing: bool
    failure: Failure | None


class Observer(Protocol):
    """Told about the invocations of a batch; the trace is one."""

    def begin(self, context: InvocationContext, cells: list[Cell]) -> None:
        """Called before the first invocation of a batch runs."""

    def returned(self) -> None:
        """Called when an invocation has returned, before the next one runs."""

    def renewed(self, context: InvocationContext) -> None:
        """Called when another context serves the invocations that follow."""

    def ignored(self, result: Any) -> None:
        """Called when an invocation has returned a value, of which nothing becomes."""

    def skipped(self, failure: Failure) -> None:
        """Called when an invocation raised and its effects were taken back; the batch goes on."""


def dispatch(
    spec: FunctionSpec,
    request: Request,
    observer: Observer | None = None,
    *,
    routes: Routes | None = None,
    skip: bool = False,
) -> Outcome | Coroutine[Any, Any, Outcome]:
    """Run the batch, in order, on one state; all of its effects or none.

    A sync function has run when this returns its Outcome; for an async one there is a coroutine
    to await. An exception of the user's is data in the Outcome (proto: the runtime retries the
    whole batch; ``RequestReplyFunction``); with ``skip``, the message that raised is left out
    instead. Whatever leaves the function is its failure, SystemExit and its like too: it is no
    program of its own.
    """
    target, state, _, protocol = request
    try:
        if routes is not None:
            routes.check_state(target.typename, spec.layout.specs)
        missing: list[StateSpec] = spec.layout.missing(state)
        if missing:
            if protocol == 2:
                raise StateNameError(not_in_module(target.typename, missing))
            return Outcome(encode_missing(missing), True, None)
        storage, cells = spec.layout.storage(state)
    except StatefunError as error:
        return Outcome(b"", False, Failure(0, error))
    make = InvocationContext if protocol == 3 else ContextOfV2
    context = make(target, storage, routes)
    if observer is not None:
        observer.begin(context, cells)
    run = _run_async if spec.is_async else _run
    return run(spec, request, context, cells, observer, skip)


def not_in_module(typename: str, missing: Iterable[StateSpec]) -> str:
    """What to say of state that StateFun 2.x does not hand in, and has no way to be asked for."""
    names = ", ".join(repr(each.name) for each in missing)
    return (
        f"{typename} declares state {names}, which the request lacks: StateFun 2.x takes the names "
        'from module.yaml, under states: (s.module_yaml(version="2.0") writes them)'
    )


def _run(
    spec: FunctionSpec,
    request: Request,
    context: InvocationContext,
    cells: list[Cell],
    observer: Observer | None,
    skip: bool,
) -> Outcome:
    target, _, invocations, _ = request
    _, _, id_, typename = target
    fun = spec.fun
    token = current_storage.set(context.storage) if spec.uses_handles else None
    undo = None
    storage = context.storage
    held, kept = getrefcount(context), getrefcount(storage)
    try:
        for index, received in enumerate(invocations):
            if skip:
                undo = context.mark(cells)
            context._received = received
            try:
                result = fun(context, received_message(typename, id_, received.argument))
                if result is not None:
                    _ignore(typename, result, observer)
                if context.storage is not storage or context.address is not target:
                    _refuse_replaced(context, storage, target)
            except BaseException as error:
                if (failed := _failed(index, error, undo, observer)) is not None:
                    context.end()
                    return failed
            else:
                if observer is not None:
                    observer.returned()
            if undo is not None:
                undo = None  # it holds the context, too
            if getrefcount(context) != held or getrefcount(storage) != kept:
                context = _renewed(context, observer, token)
                storage = context.storage
                held, kept = getrefcount(context), getrefcount(storage)
    finally:
        if token is not None:
            current_storage.reset(token)
    return _done(context, cells)


# The same with an await: as one coroutine for both, a sync function's request takes 1 us more.
async def _run_async(
    spec: FunctionSpec,
    request: Request,
    context: InvocationContext,
    cells: list[Cell],
    observer: Observer | None,
    skip: bool,
) -> Outcome:
    target, _, invocations, _ = request
    _, _, id_, typename = target
    token = current_storage.set(context.storage) if spec.uses_handles else None
    storage = context.storage
    held, kept = getrefcount(context), getrefcount(storage)
    try:
        for index, received in enumerate(invocations):
            undo = context.mark(cells) if skip else None
            context._received = received
            try:
                running = spec.fun(context, received_message(typename, id_, received.argument))
                # A wrapper may have awaited it already.
                result = await running if hasattr(running, "__await__") else running
                if result is not None:
                    _ignore(typename, result, observer)
                if context.storage is not storage or context.address is not target:
                    _refuse_replaced(context, storage, target)
            except BaseException as error:
                if is_withdrawal(error):
                    context.end()
                    raise
                if (failed := _failed(index, error, undo, observer)) is not None:
                    context.end()
                    return failed
            else:
                if observer is not None:
                    observer.returned()
            undo = running = result = None
            if getrefcount(context) != held or getrefcount(storage) != kept:
                context = _renewed(context, observer, token)
                storage = context.storage
                held, kept = getrefcount(context), getrefcount(storage)
    finally:
        if token is not None:
            current_storage.reset(token)
    return _done(context, cells)


# A frame of one of these serves the Request that is its local ``request``.
SERVING_CODE = frozenset({_run.__code__, _run_async.__code__})


def _renewed(
    context: InvocationContext, observer: Observer | None, token: object
) -> InvocationContext:
    """The context for what follows, when somebody has kept the one of the invocation that is over.

    One context serves a whole batch: a new one for each message took 10 % of a batch's time. That
    a function has left a task, a thread or a closure behind with it is seen by the number of its
    references; a count that is too high for another reason costs a context, and nothing else.
    """
    context = context.renew()
    if token is not None:
        current_storage.set(context.storage)
    if observer is not None:
        observer.renewed(context)
    return context


def _refuse_replaced(context: InvocationContext, storage: Any, target: SdkAddress) -> None:
    """Give the context back what it had, and say what to write: setters would slow each read."""
    name = "storage" if context.storage is not storage else "address"
    context.storage, context.address = storage, target
    raise StateNameError(
        f"ctx.{name} cannot be replaced: to set a state value write `ctx.storage.n = …`, where n "
        "is the name that it was declared with"
    )


def withdraw(task: asyncio.Task[Outcome]) -> None:
    """Cancel a task that serves: nobody waits for its outcome any more.

    And not ``task.cancel``, which the function may have called itself: that is its failure.
    """
    _withdrawn.add(task)
    task.cancel()


def is_withdrawal(error: BaseException) -> bool:
    """Is it that nobody waits for the current task any more, and no failure?"""
    import asyncio  # loaded long since, when a coroutine runs: 0 ms

    # By its type: what it says of its __class__ is the user's.
    withdrawal = issubclass(type(error), asyncio.CancelledError)
    return withdrawal and asyncio.current_task() in _withdrawn


def _failed(
    index: int, error: BaseException, undo: Callable[[], None] | None, observer: Observer | None
) -> Outcome | None:
    """The end of the batch, or None when only this one message is left out."""
    failure = Failure(index, about_name(error))
    if undo is None:
        return Outcome(b"", False, failure)
    undo()
    if observer is not None:
        observer.skipped(failure)
    return None


def _ignore(typename: str, result: Any, observer: Observer | None) -> None:
    """Let go of a result; raise for one that has yet to do what the function was to do."""
    if isinstance(result, (GeneratorType, AsyncGeneratorType)):
        raise DeclarationTypeError(
            f"{typename} returned a generator, of which nothing has run: call ctx.send(...) for "
            "each message, and do not yield"
        )
    if hasattr(type(result), "__await__"):
        close: Callable[[], None] | None = getattr(result, "close", None)
        if close is not None:
            close()  # or Python would warn, at some later time, that it was never awaited
        raise DeclarationTypeError(
            f"{typename} returned something to await: declare it with `async def`, "
            "or do not return the coroutine"
        )
    if observer is not None:
        observer.ignored(result)


def _done(context: InvocationContext, cells: list[Cell]) -> Outcome:
    chunks = []
    for cell in cells:  # a comprehension is a call before Python 3.12: 1 % of a small request
        if cell.dirty:
            chunks.append(mutation_chunk(cell.plan.name, cell.typed_value()))  # noqa: PERF401
    reply = encode_result([*chunks, *context.sent, *context.delayed, *context.egress])
    return new_tuple(Outcome, (reply, False, None))
