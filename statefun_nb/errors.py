"""Every error the package raises.

::

    StatefunError
     +- DeclarationError (ValueError)        a name, a signature or a state declaration is wrong
     |   +- DeclarationTypeError (TypeError)  ... because it is of the wrong Python type
     +- ConversionError (ValueError)         a value does not fit its type
     |   +- ConversionTypeError (TypeError)   ... because it is of the wrong Python type
     +- StateNameError (AttributeError)      ctx.storage has no value of that name
     +- ItemError (IndexError)               a sequence of the session's has no such item
     |   +- ItemTypeError (TypeError)         ... or is asked for something else than a number
     +- CopyError (TypeError)                a live object, such as a session, cannot be copied
     +- ProtocolError (ValueError)           the peer sent bytes that are no valid request or reply
     |   +- UnknownFunctionError (KeyError)   ... or named a function that nobody declared
     +- EngineError (RuntimeError)           the engine cannot do what it was asked
     +- SessionError (RuntimeError)          there is no session, or it was stopped
     +- ContextEndedError (RuntimeError)     a context was used after its invocation
     +- IdleTimeout (TimeoutError)           wait_idle ran out of time
     +- BusyError (TimeoutError)             a function keeps the engine from answering
     +- CheckFailed (AssertionError)         what s.check asked about is not so

Each also derives from the builtin that the official Python SDK raises at the same spot, so that
code written for that SDK catches what it always caught.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Coroutine, Iterable
from types import TracebackType
from typing import Any

__all__ = [
    "BusyError",
    "CheckFailed",
    "ContextEndedError",
    "ConversionError",
    "ConversionTypeError",
    "CopyError",
    "DeclarationError",
    "DeclarationTypeError",
    "EngineError",
    "IdleTimeout",
    "ItemError",
    "ItemTypeError",
    "ProtocolError",
    "SessionError",
    "StateNameError",
    "StatefunError",
    "UnknownFunctionError",
]


class StatefunError(Exception):
    """The root of every error raised by statefun_nb.

    Its text repeats no value at length, whatever was put into it: see ``bounded``.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*(bounded(each) if type(each) is str else each for each in args))


class DeclarationError(StatefunError, ValueError):
    """A function, a state value or a type is declared in a way that StateFun does not allow."""


class DeclarationTypeError(DeclarationError, TypeError):
    """A declaration was given a Python object of the wrong kind."""


class ConversionError(StatefunError, ValueError):
    """A value does not fit the type that it should be sent or stored as."""


class ConversionTypeError(ConversionError, TypeError):
    """A value is of a Python type that cannot be converted, or was stored as another type."""


class StateNameError(StatefunError, AttributeError):
    """The function declares no state value of that name."""


class ItemError(StatefunError, IndexError):
    """A sequence, such as ``s.invocations``, has no item of that number."""


class ItemTypeError(ItemError, TypeError):
    """What it was asked for is no number."""


class CopyError(StatefunError, TypeError):
    """A live object cannot be copied, nor pickled."""


class ProtocolError(StatefunError, ValueError):
    """The peer's bytes are not a valid request or reply.

    ``status_hint`` is the HTTP status that answers it.
    """

    status_hint = 400


class UnknownFunctionError(ProtocolError, KeyError):
    """A request names a function type that is not declared here."""

    status_hint = 404

    def __str__(self) -> str:
        return Exception.__str__(self)  # KeyError would show the repr of the text


class EngineError(StatefunError, RuntimeError):
    """The engine cannot do what it was asked to."""


class SessionError(StatefunError, RuntimeError):
    """No session is running, or this one has been stopped."""


class ContextEndedError(StatefunError, RuntimeError):
    """A task or thread used a context, or its storage, after the invocation that it was for."""


class BusyError(StatefunError, TimeoutError):
    """The engine did not answer in time, because a function runs on and on; the text says which."""


class IdleTimeout(StatefunError, TimeoutError):  # noqa: N818 - a public name of the design
    """Work was still moving when the time given to ``wait_idle`` was over."""


class CheckFailed(StatefunError, AssertionError):  # noqa: N818 - an answer, not a fault
    """What ``s.check`` asked about is not so; the text says what is."""

    def _render_traceback_(self) -> list[str]:
        """In a notebook: the answer alone, as the way there tells a learner nothing."""
        return [f"✗ {self}"]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint at the end of a message; "" when nothing known comes near.

    Of a ``namespace/name``, each part has to come near: a shared namespace says nothing.

    Examples
    --------
    >>> did_you_mean("vists", ["visits", "name"])
    "; did you mean 'visits'?"
    >>> did_you_mean("shop/tll", ["shop/till", "shop/cart"]), did_you_mean("shop/a", ["shop/b"])
    ("; did you mean 'shop/till'?", '')
    """
    import difflib  # 2 ms that only a mistake needs

    if len(name) > _OF_A_WORD:  # it compares each character with each
        return ""
    space, _, last = name.rpartition("/")

    def near(other: str) -> bool:
        other_space, _, other_last = other.rpartition("/")
        pairs = (last, other_last), (space, other_space)
        return all(a == b or difflib.get_close_matches(a, [b]) for a, b in pairs)

    close = difflib.get_close_matches(name, [each for each in known if near(each)], 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def missing(value: object) -> bool:
    """Was an argument left out, or is it empty? Not asked of an array, which is neither.

    Examples
    --------
    >>> missing(None), missing(""), missing([]), missing("a/b")
    (True, True, True, False)
    """
    return value is None or (type(value).__module__ == "builtins" and not value)


def forgotten_await(value: object) -> str:
    """A hint where a coroutine stands in the place of what it would return; else ""."""
    if not isinstance(value, Coroutine):
        return ""
    value.close()  # or Python would warn, at some later time, that it was never awaited
    return "; did you forget `await`?"


def class_of(value: object) -> str:
    """The name of a value's class, past whatever a metaclass of the user's has in its place.

    Examples
    --------
    >>> class_of(1)
    'int'
    """
    name: str = _class_name(type(value))
    return name


_class_name = type.__dict__["__name__"].__get__


def traceback_of(error: BaseException) -> TracebackType | None:
    """The traceback of an error, past whatever a class of the user's has in its place."""
    trace: TracebackType | None = _traceback(error)
    return trace


_traceback = BaseException.__dict__["__traceback__"].__get__


def text_of(error: BaseException) -> str:
    r"""The text of an error that a user's code raised; one that cannot be made says so.

    Examples
    --------
    >>> text_of(ValueError("no \ud800"))
    'no \\ud800'
    """
    try:
        # Not of a subclass of str, whose methods are the user's too; UTF-8 carries no half pairs.
        return str.__str__(str(error)).encode("utf-8", "backslashreplace").decode()
    except BaseException as reason:  # whatever an error of the user's does when it is asked
        return f"(its text cannot be made: {class_of(reason)} in {class_of(error)})"


def described(error: BaseException) -> str:
    """The class and the text of an error that a user's code raised.

    Examples
    --------
    >>> described(ValueError("no"))
    'ValueError: no'
    """
    text, name = text_of(error), class_of(error)
    return f"{name}: {text}" if text else name


def in_brief(error: BaseException) -> str:
    """``described``, cut to what a line of a table and a log can hold."""
    return cut(described(error), _BRIEF)


_BRIEF = 400


def cut(text: str, longest: int) -> str:
    """A text without its middle, where it is longer than that.

    Examples
    --------
    >>> cut("no " * 1000 + "more", 10)
    'no no… 2,994 characters … more'
    """
    if len(text) <= longest:
        return text
    half = longest // 2
    short = f"{text[:half]}… {len(text) - 2 * half:,} characters …{text[-half:]}"
    return short if len(short) < len(text) else text


def bounded(text: str) -> str:
    """A text that a person can read, whatever names and values were put into it.

    Of a long one, words that are no words are cut (a name, an id or a path of thousands of
    characters), and then what is left.

    Examples
    --------
    >>> bounded(f"there is no {'x' * 1000000!r}: correct the name")[-50:]
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx': correct the name"
    """
    if len(text) <= _LONG:
        return text
    text = _NO_WORD.sub(lambda found: cut(found[0], _OF_A_WORD), text)
    return cut(text, _LONGEST)


_LONG, _LONGEST, _OF_A_WORD = 1_000, 2_000, 200
_NO_WORD = re.compile(r"\S{400,}")


def quiet(interrupt: KeyboardInterrupt) -> KeyboardInterrupt:
    """A Ctrl-C of which IPython shows that it was one, and nothing of where the package waited."""
    setattr(interrupt, "_render_traceback_", lambda: ["KeyboardInterrupt"])  # noqa: B010 - no such
    return interrupt


def install_command(extra: str = "") -> str:
    """What installs the package with an extra, from where this one was installed.

    From an index, unless PEP 610's ``direct_url.json`` beside it names a folder or a wheel that is
    still there; a folder and a wheel that are gone leave the extra's own libraries.

    Examples
    --------
    >>> install_command("http").startswith("pip install ")
    True
    """
    from importlib import metadata  # 10 ms that only an error needs

    try:
        origin = metadata.distribution(_NAME).read_text("direct_url.json")
    except metadata.PackageNotFoundError:  # imported from a folder on sys.path
        origin = None
    if origin is None:
        return f'pip install "{_NAME}{_brackets(extra)}"'
    return _install_from(json.loads(origin), extra, metadata.requires(_NAME) or [])


def _install_from(origin: dict[str, Any], extra: str, requirements: list[str]) -> str:
    from urllib.request import url2pathname

    in_brackets = _brackets(extra)
    url = str(origin.get("url", ""))
    scheme, _, path = url.partition("://")
    if "vcs_info" in origin:
        vcs, commit = origin["vcs_info"]["vcs"], origin["vcs_info"]["commit_id"]
        return f'pip install "{_NAME}{in_brackets} @ {vcs}+{url}@{commit}"'
    if scheme != "file":
        return f'pip install "{_NAME}{in_brackets} @ {url}"'
    place = url2pathname(path)
    if os.path.exists(place):  # noqa: PTH110 - pathlib for one line
        editable = "-e " if origin.get("dir_info", {}).get("editable") else ""
        return f'pip install {editable}"{place}{in_brackets}"'
    marker = f'extra == "{extra}"'
    libraries = [
        requirement.partition(";")[0].strip()
        for requirement in requirements
        if marker in requirement.replace("'", '"')
    ]
    return "pip install " + " ".join(f'"{each}"' for each in libraries)


def _brackets(extra: str) -> str:
    return f"[{extra}]" if extra else ""


_NAME = "statefun_nb"

# Said by the embedded engine and by the endpoint of a real cluster alike.


def token_is_pending(owner: object, token: str) -> str:
    """What to say of a second delayed message under one token."""
    return (
        f"{owner} sent a delayed message with the token {token!r}, under which one is pending "
        "already: a cluster would fail here; cancel it first"
    )


def never_declared(function: str, name: str) -> str:
    """What to say of a reply that changes a state name which nobody has heard of."""
    return f"{function} changed state {name!r}, which it never declared"


def type_is_kept(
    function: str, name: str, known: str, wanted: str, holder: str = "", others: int = 0
) -> str:
    """What to say of a state name that is declared with another type than before.

    ``holder`` is an address that has a value of it, where such values can be cleared, and so many
    others have one.
    """
    return (
        f"state {name!r} of {function} has the type {known} and cannot become {wanted}: a cluster "
        f"would fail here; {_instead(name, holder, others)}"
    )


def expiration_is_kept(
    function: str, name: str, known: str, wanted: str, holder: str = "", others: int = 0
) -> str:
    """What to say of a state name that is declared with another expiration than before."""
    return (
        f"state {name!r} of {function} {known}, and cannot become one that {wanted}: a cluster "
        f"would go on with the former; {_instead(name, holder, others)}"
    )


def is_kept(reason: str, function: str, name: str) -> bool:
    """Is this reason of a failure one of the two above, about that state?"""
    return f"state {name!r} of {function} " in reason and " cannot become " in reason


def _instead(name: str, holder: str, others: int) -> str:
    clear = f"clear what is there (s.set_state({holder}, {name}=None)" if holder else ""
    if holder:
        addresses = "address has" if others == 1 else "addresses have"
        clear += f"; {others:,} other {addresses} one, too), " if others else "), "
    return f"use a new state name, {clear}or start a new session"


# Said of a function that may never end.
CURE = "if it does not end, correct its cell and run it again (that ends it), or s.stop()"
