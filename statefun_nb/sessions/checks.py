"""Self-checks: what an address has done, asked like a question and answered in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple, NoReturn

from ..address import SdkAddress, address_of, parse_typename
from ..engine.base import Engine
from ..errors import (
    CheckFailed,
    DeclarationError,
    SessionError,
    StatefunError,
    bounded,
    cut,
    did_you_mean,
)
from ..sdk.registry import StatefulFunctions, decode_state
from ..tables import counted, html_list, repr_of, shorten
from ..testing.exercises import Attempt, begin
from ..trace.events import Delayed, Invocation, Sent, differs
from ..trace.history import history
from ..trace.recorder import Recorder
from .arguments import short_repr, whole

__all__ = ["Check", "Known", "attempt_of", "check_of"]

# Ids that are looked at for one that was meant.
_KNOWN_IDS = 1_000


class Known(NamedTuple):
    """What there is beside an address.

    Attributes
    ----------
    check_function : callable
        Raises for the typename of no function, saying which was meant.
    egresses : callable
        Those that records have gone to.
    """

    check_function: Callable[[str], None]
    egresses: Callable[[], set[str]]


class Check:
    """What one address keeps and has done so far; each question returns the check itself.

    Made by ``session.check``, which waits until nothing moves.

    Parameters
    ----------
    address : SdkAddress
    state : dict
        What it keeps, by name.
    invocations : sequence of Invocation
        Those of the address that the trace keeps.
    known : Known
        Functions and egresses.
    others : iterable of str
        The ids of the same type that have had a message.
    declared : collection of str, optional
        The names of its state; None where they are not known, as of another process' function.
    attempt : Attempt, optional
        Where the exercise that this checks is told of it.
    problem : str
        Why a message of the address waits; "" when none does.
    gap : str
        Why the trace does not have all invocations; "" when it does. What depends on all of them
        cannot be told then.

    Examples
    --------
    ``s.check("example/person", "bob").state(visits=3).sent(1, to="example/greeter")``
    """

    def __init__(
        self,
        address: SdkAddress,
        state: dict[str, Any],
        invocations: Sequence[Invocation],
        known: Known,
        others: Iterable[str] = (),
        declared: Collection[str] | None = None,
        attempt: Attempt | None = None,
        problem: str = "",
        gap: str = "",
    ) -> None:
        self._address = address
        self._state = state
        self._invocations = invocations
        self._good = [each for each in invocations if each.status == "ok"]
        self._known = known
        self._others = list(others)
        self._declared = declared
        self._attempt = attempt
        self._problem = problem
        self._gap = gap
        self._passed: list[str] = []

    def state(self, *values: Any, **expected: Any) -> Check:
        """Does it keep these values? ``None`` stands for a value that is not there.

        Raises
        ------
        CheckFailed
            When it does not; with what is there, and who has put it there.
        SessionError
            When no value is named.
        """
        if values or not expected:
            asks = "nothing" if not values else f"for {short_repr(values[0])}, without a name"
            raise SessionError(f"state() asks {asks}: write a value, such as state(visits=1)")
        for name, value in expected.items():
            self._check_declared(name)
            found = self._state.get(name)
            if _same(found, value):
                continue
            if name not in self._state and value is not None:
                self._fail(f"state {name!r} is not there; {self._what_is_kept(name)}")
            kinds = (
                ""
                if differs(found, value)
                else f" ({type(found).__name__}, {type(value).__name__})"
            )
            is_, wanted = _in_words(found), _in_words(value)
            self._fail(f"state {name!r} is {is_}, not {wanted}{kinds}{self._changed(name)}")
        return self._pass("state " + ", ".join(f"{k}={_in_words(v)}" for k, v in expected.items()))

    def invoked(self, times: int) -> Check:
        """Was it invoked so many times, without an error?

        Raises
        ------
        SessionError
            When ``times`` is no whole number; so do the other questions.
        """
        whole("times", times, 0)
        self._check_complete()
        if len(self._good) != times:
            failed = self._what_failed()
            served = f"it was {_so_often('invoked', len(self._good))}"
            if self._invocations and not self._good:
                served = "no invocation of it has succeeded"
            self._fail(f"{served}{_expected(times)}{failed}")
        return self._pass(_so_often("invoked", times))

    def sent(self, times: int, *, to: str, id: str | None = None, value: Any = ...) -> Check:
        """Did it send so many messages to a function (an instance of it, with a value)?"""
        sends = [send for each in self._good for send in each.sent]
        return self._count("sent", times, _messages(sends), to, id, value)

    def delayed(self, times: int, *, to: str, id: str | None = None, value: Any = ...) -> Check:
        """Did it send so many delayed messages?"""
        sends = [send for each in self._good for send in each.delayed]
        return self._count("sent", times, _messages(sends), to, id, value, " with a delay")

    def emitted(self, times: int, *, to: str, topic: str | None = None, value: Any = ...) -> Check:
        """Did so many records of it go to an egress (a topic of it, with a value)?"""
        found = [
            (record.egress, record.topic or "", record.value)
            for each in self._good
            for record in each.egress
        ]
        return self._count("emitted", times, found, to, topic, value, named="topic")

    def failed(self, times: int = 1, error: str | type[BaseException] | None = None) -> Check:
        """Did it raise so many times (an error of that class, or of a class of that name)?"""
        whole("times", times, 0)
        if isinstance(error, type) and issubclass(error, BaseException):
            error = error.__name__
        _text("error", error, "the name of a class such as 'ValueError', or the class")
        self._check_complete()
        raised = [each.error.type for each in self._invocations if each.error is not None]
        raised = [each for each in raised if error in (None, each)]
        if len(raised) != times:
            what = f"raised {error}" if error else "failed"
            self._fail(f"it {_so_often(what, len(raised))}{_expected(times)}")
        return self._pass(_so_often("failed", times))

    def _count(
        self,
        verb: str,
        times: int,
        found: list[tuple[str, str, Any]],
        to: str,
        place: str | None,
        value: Any,
        how: str = "",
        named: str = "id",
    ) -> Check:
        whole("times", times, 0)
        _typename("to", to)
        _text(named, place, "text")
        self._check_complete()
        matching = [
            (typename, where, what)
            for typename, where, what in found
            if typename == to and place in (None, where) and (value is ... or _same(what, value))
        ]
        wanted = f"{to} {place!r}" if place is not None else to
        wanted += "" if value is ... else f" with the value {_in_words(value)}"
        if len(matching) != times:
            self._fail(
                f"it {verb} {len(matching)}{how} to {wanted}, not {times}; "
                f"{_all_of(verb, found, how)}"
            )
        note = ""
        if to not in {typename for typename, _, _ in found}:  # right, but of what there is?
            note = self._of_egress(to) if verb == "emitted" else self._of_function(to)
        return self._pass(f"{verb} {times}{how} to {wanted}{note}")

    def _of_function(self, typename: str) -> str:
        try:
            self._known.check_function(typename)
        except StatefunError as error:
            if self._attempt is not None:
                self._attempt.failed(f"{self._address}: {error}")
            raise
        return ""

    def _of_egress(self, typename: str) -> str:
        """An egress is there by what goes to it, and may have been right to get nothing."""
        others = self._known.egresses()
        if typename in others or not others:
            return ""
        return f" (nothing has gone to it; there are records of {_some(sorted(others))})"

    def _check_complete(self) -> None:
        """Fail where older invocations may have been of this address, too: it cannot be told."""
        if self._gap:
            self._fail(f"how often cannot be told: {self._gap}")

    def _check_declared(self, name: str) -> None:
        """Fail for a value that cannot be there: no state has that name."""
        if self._declared is None or name in self._state or name in self._declared:
            return
        names = ", ".join(self._declared) or "none"
        meant = did_you_mean(name, self._declared)
        self._fail(f"it declares no state {name!r} (declared: {names}){meant}")

    # Words.

    def _what_is_kept(self, name: str) -> str:
        if not self._state:
            return f"it keeps nothing{self._changed(name) or self._why_nothing()}"
        return f"it keeps {shorten(self._state)}{did_you_mean(name, self._state)}"

    def _why_nothing(self) -> str:
        if self._good and not self._problem:
            return f", though it was invoked {_times(len(self._good))}: does it write its state?"
        if failed := self._what_failed():
            return failed
        if not self._others:
            return f": no message has come to any {self._address.typename} yet"
        meant = did_you_mean(self._address.id, self._others)
        return f": no message has come to this id{meant or f'; known ids: {_some(self._others)}'}"

    def _what_failed(self) -> str:
        """Why not all that came to it was served."""
        failures = [each.error for each in self._invocations if each.error is not None]
        if self._problem:
            return f"; {self._problem}"
        return f"; it has failed with {failures[-1].text}" if failures else ""

    def _changed(self, name: str) -> str:
        for each in reversed(self._good):
            if differs(each.state_before.get(name), each.state_after.get(name)):
                message = shorten(repr_of(each.message.value), 40)
                did = "deleted it" if each.state_after.get(name) is None else "set it last"
                return f"; invocation {each.seq} {did}, for the message {message}"
        return ""

    def _pass(self, text: str) -> Check:
        text = bounded(text)
        self._passed.append(text)
        if self._attempt is not None:
            self._attempt.passed(f"{self._address}: {text}")
        return self

    def _fail(self, text: str) -> NoReturn:
        if self._attempt is not None:
            self._attempt.failed(f"{self._address}: {text}")
        raise CheckFailed(f"{self._address}: {text}")

    def __repr__(self) -> str:
        return "\n".join([bounded(f"{self._address}"), *(f"✓ {text}" for text in self._passed)])

    def _repr_html_(self) -> str:
        return html_list(bounded(f"{self._address}"), [f"✓ {text}" for text in self._passed])


def attempt_of(exercise: str | None, points: float) -> Attempt | None:
    """What tells of a check that is one of an exercise.

    Raises
    ------
    SessionError
        When the exercise has no name, or the points are none.
    """
    _text("exercise", exercise, "the name of an exercise, such as '2a'")
    if exercise is not None and not exercise.strip():
        raise SessionError("exercise='' has no name: it takes one such as '2a'")
    number = isinstance(points, int | float) and not isinstance(points, bool)
    if not number or not 0 <= points < math.inf:
        raise SessionError(f"points={short_repr(points)}: it takes a number, 0 or more")
    return begin(exercise)


def check_of(
    engine: Engine,
    recorder: Recorder | None,
    functions: StatefulFunctions,
    typename: str,
    id_: str,
    known: Known,
    attempt: Attempt | None = None,
    problem: str = "",
) -> Check:
    """What there is to know of one address just now."""
    address = address_of(typename, id_)
    spec = functions.find(typename)
    state = decode_state(spec, engine.state(address))
    declared = None if spec is None else list(spec.layout.specs)
    invocations: list[Invocation] = []
    gap = "this session keeps no trace (trace=False)"
    if recorder is not None:
        invocations = [each for _, each in reversed(history(recorder, address, recorder.limit))]
        gap = ""
        if lost := recorder.lost:
            gap = (
                f"{counted(lost, 'older invocation')} of this session "
                f"{'is' if lost == 1 else 'are'} no longer kept, and may have been of this "
                "address: sf.start(trace_limit=..., trace_bytes=...) keeps more"
            )
    _, page = engine.page(typename, "", _KNOWN_IDS)
    others = [each.id for each in page]
    return Check(address, state, invocations, known, others, declared, attempt, problem, gap)


def _typename(name: str, value: Any) -> None:
    try:
        parse_typename(value)
    except DeclarationError as error:
        raise type(error)(f"{name}=: {error}") from error


def _text(name: str, value: Any, what: str) -> None:
    if value is not None and not isinstance(value, str):
        raise SessionError(f"{name}={short_repr(value)}: it takes {what}")


def _same(found: Any, expected: Any) -> bool:
    """Equal, and of one type: a long is no double."""
    return type(found) is type(expected) and not differs(found, expected)


def _in_words(value: Any) -> str:
    return cut(repr_of(value), 200)


def _messages(sends: Iterable[Sent | Delayed]) -> list[tuple[str, str, Any]]:
    return [(send.target.typename, send.target.id, send.message.value) for send in sends]


def _times(count: int) -> str:
    return "once" if count == 1 else "never" if count == 0 else f"{count} times"


def _so_often(verb: str, count: int) -> str:
    return f"{verb} {_times(count)}" if count else f"never {verb}"


def _expected(times: int) -> str:
    return f" (expected: {_times(times)})"


def _some(texts: Sequence[str]) -> str:
    shown = ", ".join(repr(shorten(text, 30)) for text in texts[:5])
    return f"{shown} …" if len(texts) > 5 else shown


def _all_of(verb: str, found: list[tuple[str, str, Any]], how: str) -> str:
    if not found:
        return f"it {verb} nothing at all{how}"
    each = [
        f"{shorten(repr_of(value), 30)} to {typename} {where!r}" for typename, where, value in found
    ]
    verb += f"{how}:" if how else ""
    return f"it {verb} {', '.join(each[:5])}{' …' if len(each) > 5 else ''}"
