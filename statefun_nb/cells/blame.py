"""What is said of an error that a user's function has raised, beside its own words."""

from __future__ import annotations

import ast
import linecache
import re
from types import TracebackType
from typing import cast

from ..errors import did_you_mean, in_brief, text_of, traceback_of
from .places import place_of_traceback

__all__ = ["hint_for", "reason_of"]

# How asyncio refuses to run one loop in another.
_LOOP_IN_LOOP = (
    "asyncio.run() cannot be called from a running event loop",
    "This event loop is already running",
    "Cannot run the event loop while another loop is running",
)
# What stands in a line that reads state, in either style; and one that changes what it has read.
_STATE = re.compile(r"\b(?:\w+\.storage\.(?P<name>\w+)|self\.(?P<handle>\w+)\.get\(\))")
_CHANGED = re.compile(r"'NoneType' object has no attribute '(append|add|extend|update|insert)'")
# What an operation of this text could have begun with.
_DEFAULTS = {
    r"'(int|float)'": "0",
    "'str'": '""',
    r"'list'|not iterable|len\(\)": "[]",
    "not subscriptable|item assignment": "{}",
}
# What is looked for at a context, and is elsewhere.
_KEPT = ("state", "states", "get", "set", "value_state")
_ANSWERS = ("reply", "answer", "respond")
# Python 3.10 does not say of what.
_NO_SETTER = "can't set attribute 'value'"
_CALLED = re.compile(r"\.value\(")
_CALLER = re.compile(r"\bcaller\b")


def reason_of(error: BaseException) -> str:
    """Class and text of an error; the line where there is no text, and a hint where there is one.

    Examples
    --------
    >>> reason_of(ValueError("no"))
    'ValueError: no'
    """
    place = "" if text_of(error) else place_of_traceback(traceback_of(error))
    hint = hint_for(error)
    return in_brief(error) + (f" at {place}" if place else "") + (f"; {hint}" if hint else "")


def hint_for(error: BaseException) -> str:
    """What to do about an error that does not say it itself; "" for all others."""
    kind = type(error)
    if kind is RuntimeError and text_of(error).startswith(_LOOP_IN_LOOP):
        return "a function runs on an event loop already: declare it with `async def`, and `await`"
    if kind is AttributeError and "'InvocationContext'" in text_of(error):
        asked = cast("AttributeError", error)  # isinstance asks the error, which may raise anything
        return _of_context(asked.name or "", asked.obj)
    if kind is TypeError or kind is AttributeError:
        return _of_python(text_of(error), _line_of(traceback_of(error)))
    return ""


def _of_python(text: str, line: str) -> str:
    """Of what Python says when something else was meant; ``line`` is the one that raised it."""
    if "'coroutine'" in text:
        return "a coroutine stands in the place of what it would return: did you forget `await`?"
    if "'NoneType'" in text:
        if _CALLER.search(line):
            return "ctx.caller is None where the message came from outside, as by s.send"
        return _of_nothing(text, line)
    if "'Message'" in text or text == _NO_SETTER:
        return _of_message(text)
    if "string indices must be integers" in text:
        return (
            "what stands before the [ ] is a text: of a message whose value has names, send a dict"
        )
    if _CALLED.search(line) and "object is not callable" in text:
        return "a message's value is an attribute: message.value, without ()"
    if "'storage of " in text:
        return "state values are attributes: write ctx.storage.n, where n is the declared name"
    if "'State'" in text:
        return (
            "an sf.State is read with self.n.get(), and written with self.n.set(value): "
            "self.n.set((self.n.get() or 0) + 1)"
        )
    if "Context.send_egress()" in text:
        return (
            "it takes one record: ctx.send_egress(sf.kafka_egress_message(typename, topic, value))"
        )
    return ""


def _of_message(text: str) -> str:
    """What was meant by what a message does not do."""
    if "has no setter" in text or "can't set" in text or "not support item assignment" in text:
        return "a message stays as it came: take a copy of message.value, and change that"
    return (
        "its value is message.value, as in message.value['x'], or what message.as_type(...) gives"
    )


def _of_context(name: str, context: object) -> str:
    """What was meant by a name that a context does not have.

    Said here and not by the context: a class with a ``__getattr__`` is slower for every name.
    """
    if name in _KEPT:
        return "what is declared with state= is ctx.storage.NAME"
    if name.startswith(("as_", "is_", "value")):
        return "that is asked of the message (are the two parameters swapped?)"
    if name in ("self", "id", "key", "target"):
        return "the address that is served is ctx.address, with typename and id"
    if name in _ANSWERS:
        return "write ctx.send(ctx.caller.typename, ctx.caller.id, value)"
    public = next(each for each in type(context).__mro__ if each.__name__ == "Context")
    known = [each for each in vars(public) if not each.startswith("_")]
    return did_you_mean(name, known).removeprefix("; ")


def _of_nothing(text: str, line: str) -> str:
    found = [*_STATE.finditer(line)]
    if not found:
        return ""
    reads = " or ".join(dict.fromkeys(each[0] for each in found))
    first = found[0]
    name = first["name"] or first["handle"]
    if _CHANGED.search(text):  # the next time it would not raise, and do nothing
        write = f"{first[0]} = {name}" if first["name"] else f"self.{name}.set({name})"
        return (
            f"{reads} is None until it is written, and else a copy: {name} = {first[0]} or [], "
            f"change that, and {write}"
        )
    default = next((value for what, value in _DEFAULTS.items() if re.search(what, text)), "")
    instead = f"write {_guarded(line, default)}" if default else "ask for that first"
    return f"{reads} is None until it is written: {instead}"


def _guarded(line: str, default: str) -> str:
    """What to write in place of a line that reads state: all of it, where it is an assignment.

    Examples
    --------
    >>> _guarded("    ctx.storage.n += len(x)  # more", "0")
    'ctx.storage.n = (ctx.storage.n or 0) + len(x)'
    >>> _guarded("if ctx.storage.n > 3:", "0")
    '(ctx.storage.n or 0)'
    """
    found = _STATE.search(line)
    assert found is not None  # who asks has found it
    read = f"({found[0]} or {default})"
    try:
        (statement,) = ast.parse(line.strip()).body
    except (SyntaxError, ValueError):  # a part of a statement, or more than one
        return read
    if isinstance(statement, ast.AugAssign) and ast.unparse(statement.target) == found[0]:
        value = ast.BinOp(ast.Name("READ"), statement.op, statement.value)
        return f"{found[0]} = {ast.unparse(value).replace('READ', read, 1)}"
    text = ast.unparse(statement)
    start = 0
    if isinstance(statement, ast.Assign):
        start = len(" = ".join(map(ast.unparse, statement.targets)))
    elif not isinstance(statement, ast.Expr):
        return read
    return text[:start] + text[start:].replace(found[0], read, 1)


def _line_of(trace: TracebackType | None) -> str:
    """The source line that raised; "" where there is none."""
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return linecache.getline(trace.tb_frame.f_code.co_filename, trace.tb_lineno)
