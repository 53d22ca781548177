"""Dispatch: run a user's function for each message of a batch. The heart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from .context import InvocationContext, Routes
from .effects import Request, StateSpec
from .errors import DeclarationTypeError, StatefunError
from .messages import incoming_message
from .protocol.v3 import encode_missing, encode_result, mutation_chunk
from .registry import FunctionSpec
from .state import Cell, current_storage

__all__ = ["Failure", "Observer", "Outcome", "dispatch"]

_new = tuple.__new__  # half the time of calling a NamedTuple's class


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
        """The first invocation is about to run."""

    def returned(self, index: int) -> None:
        """The invocation at ``index`` returned; the next one, if any, is about to run."""

    def skipped(self, failure: Failure) -> None:
        """An invocation raised, and its effects were taken back; the batch goes on."""


async def dispatch(
    spec: FunctionSpec,
    request: Request,
    observer: Observer | None = None,
    *,
    routes: Routes | None = None,
    skip: bool = False,
) -> Outcome:
    """Run the batch, in order, on one state; all of its effects or none.

    Nothing is awaited unless the function itself is async, so a sync function's batch is done
    by one ``send(None)`` on this coroutine. An exception of the user's is data in the Outcome
    (proto: the runtime retries the whole batch; ``RequestReplyFunction``); with ``skip``, the
    message that raised is left out instead.
    """
    target = request.target
    try:
        if routes is not None:
            routes.check_state(target.typename, spec.layout.specs)
        missing: list[StateSpec] = spec.layout.missing(request.state)
        if missing:
            return Outcome(encode_missing(missing), True, None)
        storage, cells = spec.layout.storage(target.typename, request.state)
    except StatefunError as error:
        return Outcome(b"", False, Failure(0, error))
    context = InvocationContext(target, storage, routes)
    token = current_storage.set(storage) if spec.uses_handles else None
    if observer is not None:
        observer.begin(context, cells)
    fun, is_async = spec.fun, spec.is_async
    typename, id_ = target.typename, target.id
    undo = None
    try:
        for index, incoming in enumerate(request.invocations):
            if skip:
                undo = context.mark(cells)
            try:
                context.incoming = incoming
                result = fun(context, incoming_message(typename, id_, incoming.argument))
                if is_async:
                    await result
                elif result is not None:
                    _refuse_awaitable(typename, result)
            except Exception as error:
                failure = Failure(index, error)
                if undo is None:
                    return Outcome(b"", False, failure)
                undo()
                if observer is not None:
                    observer.skipped(failure)
            else:
                if observer is not None:
                    observer.returned(index)
    finally:
        if token is not None:
            current_storage.reset(token)
    return _new(Outcome, (_encode(spec, context, cells), False, None))


def _refuse_awaitable(typename: str, result: Any) -> None:
    close: Callable[[], None] | None = getattr(result, "close", None)
    if hasattr(result, "__await__"):
        if close is not None:
            close()  # or Python would warn, at some later time, that it was never awaited
        raise DeclarationTypeError(
            f"{typename} returned something to await: declare it with `async def`, "
            "or do not return the coroutine"
        )


def _encode(spec: FunctionSpec, context: InvocationContext, cells: list[Cell]) -> bytes:
    chunks = []
    if cells:
        names = spec.layout.specs
        changed = [(name, cell) for name, cell in zip(names, cells, strict=True) if cell.dirty]
        chunks = [mutation_chunk(name, cell.typed_value()) for name, cell in changed]
    return encode_result(chunks + context.sent + context.delayed + context.egress)
