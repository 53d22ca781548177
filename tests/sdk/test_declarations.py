"""What cannot work is refused where it is declared, in every style, with what to write instead."""

from __future__ import annotations

import functools
import re
from typing import Any

import pytest

import statefun_nb as sf
from statefun_nb.cells.body import compile_body


def generator(ctx, message):
    yield ctx.send("d/g", "x", 1)


async def async_generator(ctx, message):
    yield ctx.send("d/g", "x", 1)


def through(fun):
    """A decorator of the user's."""

    @functools.wraps(fun)
    def wrapper(*arguments):
        return fun(*arguments)

    return wrapper


def hidden(fun):
    """The same without ``wraps``."""

    def wrapper(ctx, message):
        return fun(ctx, message)

    return wrapper


class Yields(sf.StatefulFunction):
    def invoke(self, ctx, message):
        yield 1


class YieldsAsync(sf.StatefulFunction):
    async def invoke(self, ctx, message):
        yield 1


class Callable:
    def __call__(self, ctx, message):
        yield 1


def declare(functions, declared):
    sf.function("d/f", functions=functions)(declared)


def bind(functions, declared):
    functions.bind("d/f")(declared)


def register(functions, declared):
    functions.register("d/f", declared)


@pytest.mark.parametrize("way", [declare, bind, register])
@pytest.mark.parametrize(
    "declared",
    [generator, async_generator, Callable()],
)
def test_a_generator_is_refused(functions, way, declared):
    with pytest.raises(sf.DeclarationError, match=r"`yield` in it would never run.*ctx\.send"):
        way(functions, declared)
    assert not list(functions)


@pytest.mark.parametrize("cls", [Yields, YieldsAsync])
def test_a_generator_as_invoke_is_refused(functions, cls):
    for declared in (cls, cls()):
        with pytest.raises(sf.DeclarationError, match="never run"):
            sf.function("d/f", functions=functions)(declared)


async def returns_a_generator(ctx, message):
    return generator(ctx, message)


async def returns_a_coroutine(ctx, message):
    return returns_a_generator(ctx, message)


@pytest.mark.parametrize(
    "declared",
    [
        through(generator),
        through(async_generator),
        hidden(generator),
        hidden(async_generator),
        returns_a_generator,
    ],
)
def test_a_generator_that_a_function_returns_is_its_failure(engine, functions, declared):
    sf.function("d/f", functions=functions)(declared)
    engine.send("d/f", "x", 1)
    assert engine.wait_idle() == (0, 1, 0, 0)
    assert "d/f returned a generator, of which nothing has run" in engine.parked[0].reason


def test_a_coroutine_that_an_async_function_returns_is_its_failure(engine, functions):
    sf.function("d/f", functions=functions)(returns_a_coroutine)
    engine.send("d/f", "x", 1)
    assert engine.wait_idle() == (0, 1, 0, 0)
    assert "d/f returned something to await" in engine.parked[0].reason


def test_a_decorator_that_runs_the_generator_is_taken(engine, functions):
    def sends(fun):
        @functools.wraps(fun)
        def wrapper(ctx, message):
            for each in fun(ctx, message):
                ctx.send(*each)

        return wrapper

    @sf.function("d/f", functions=functions)
    @sends
    def f(ctx, message):
        yield "d/g", "x", message.value
        yield "d/g", "y", message.value

    sf.function("d/g", functions=functions)(lambda ctx, message: None)
    engine.send("d/f", "x", 1)
    assert engine.wait_idle() == (3, 0, 0, 0)


def test_a_cell_that_yields_is_refused(functions):
    body = compile_body("d/f", "yield ctx.send('d/g', 'x', 1)", {})
    with pytest.raises(sf.DeclarationError, match="never run"):
        sf.function("d/f", functions=functions)(body)


def test_a_decorator_without_parentheses_is_refused(functions):
    with pytest.raises(
        sf.DeclarationError, match=r'@sf\.function\("namespace/name"\) above generat'
    ):
        sf.function(generator)  # type: ignore[call-overload]  # that is the mistake
    with pytest.raises(sf.DeclarationError, match=r'@functions\.bind\("namespace/name"\)'):
        functions.bind(generator)


@pytest.mark.parametrize(
    "typename",
    ["a b/c", "a/b ", "a/b\n", "a/\tb", "a/\ud800", "a/*", "*/b", "a/b*", "a", "", None, 5],
)
def test_no_function_has_such_a_typename(functions, typename):
    for way in (
        lambda: sf.function(typename, functions=functions),
        lambda: functions.bind(typename),
        lambda: functions.register(typename, lambda ctx, message: None),
    ):
        with pytest.raises(sf.DeclarationError):
            way()


def test_what_a_constructor_wants_is_handed_in_with_an_instance(functions):
    class Greeter(sf.StatefulFunction):
        visits = sf.State(int)

        def __init__(self, greeting):
            self.greeting = greeting

        def invoke(self, ctx, message):
            self.visits.set((self.visits.get() or 0) + 1)
            ctx.send("d/out", "x", f"{self.greeting} {message.value}")

    with pytest.raises(
        sf.DeclarationError, match=r'wants greeting.*\("d/f"\)\(Greeter\(greeting\)'
    ):
        sf.function("d/f", functions=functions)(Greeter)
    greeter = Greeter("hello")
    assert sf.function("d/f", functions=functions)(greeter) is greeter
    sf.function("d/out", state={"got": str}, functions=functions)(
        lambda ctx, message: setattr(ctx.storage, "got", message.value)
    )
    with sf.start(port=0, functions=functions) as session:
        session.send("d/f", "bob", "you")
        session.wait_idle()
        assert session.state("d/out", "x") == {"got": "hello you"}
        assert session.state("d/f", "bob") == {"visits": 1}


def test_a_class_without_invoke_is_refused(functions):
    class Nothing(sf.StatefulFunction):
        pass

    with pytest.raises(sf.DeclarationError, match="Nothing does not define invoke"):
        sf.function("d/f", functions=functions)(Nothing)


async def is_async(ctx, message):
    ctx.storage.n = message.value


class CallableAsync:
    async def __call__(self, ctx, message):
        ctx.storage.n = message.value


@pytest.mark.parametrize(
    "declared",
    [is_async, through(is_async), functools.partial(is_async), CallableAsync()],
    ids=["async", "wrapped", "partial", "object"],
)
def test_what_returns_a_coroutine_is_awaited(functions, declared):
    sf.function("d/f", state={"n": int}, functions=functions)(declared)
    with sf.start(port=0, functions=functions) as session:
        session.send("d/f", "bob", 3)
        session.wait_idle()
        assert session.state("d/f", "bob") == {"n": 3}


def test_a_wrapper_that_awaits_by_itself_is_left_to_it(functions):
    seen = []

    def runs_it(fun):
        @functools.wraps(fun)
        def wrapper(ctx, message):
            try:
                fun(ctx, message).send(None)
            except StopIteration:
                seen.append(message.value)
            return "not looked at"

        return wrapper

    sf.function("d/f", state={"n": int}, functions=functions)(runs_it(is_async))
    with sf.start(port=0, functions=functions) as session:
        session.send("d/f", "bob", 3)
        with pytest.warns(UserWarning, match="returned a str, and nothing becomes of it"):
            session.wait_idle()
        assert session.state("d/f", "bob") == {"n": 3}
    assert seen == [3]


def test_a_function_is_taken_back(functions):
    sf.function("d/f", functions=functions)(lambda ctx, message: None)
    sf.undeclare("d/f", functions=functions)
    assert not list(functions)
    with pytest.raises(sf.UnknownFunctionError, match="no function 'd/f' is declared"):
        sf.undeclare("d/f", functions=functions)


@pytest.mark.parametrize("name", ["__init__", "__slots__", "__class__", "__dict__", "__n__"])
def test_a_name_of_pythons_own_is_no_state_name(functions, name):
    with pytest.raises(sf.DeclarationError, match="Python keeps such names for itself"):
        sf.function("s/f", state={name: int}, functions=functions)(lambda ctx, message: None)
    with pytest.raises(sf.DeclarationError, match="Python keeps such names for itself"):
        sf.ValueSpec(name, sf.IntType)


@pytest.mark.parametrize("name", ["_cells", "_typename"])
def test_a_name_that_the_storage_has_itself_is_reserved(functions, name):
    with pytest.raises(sf.DeclarationError, match="is reserved"):
        sf.function("s/f", state={name: int}, functions=functions)(lambda ctx, message: None)


@pytest.mark.parametrize(
    "given", [["visits"], ("visits",), [("visits", int)], {"visits"}, iter(["visits"])]
)
def test_a_list_of_names_is_told_to_have_types(functions, given):
    with pytest.raises(
        sf.DeclarationTypeError, match=r'takes names and their types.*"visits": int'
    ):
        sf.function("a/b", state=given, functions=functions)(lambda ctx, message: None)


def test_an_attribute_that_looks_like_state_is_told_to_be_none(functions):
    class Counts(sf.StatefulFunction):
        n: int = 0
        limit = 3
        known = sf.State(int)

        def invoke(self, ctx, message):
            self.n += 1
            self.client = object()

    class Waits(Counts):
        async def invoke(self, ctx, message):
            self.limit = 4

    for cls, name in (Counts, "n"), (Waits, "limit"):
        with pytest.warns(UserWarning, match=rf"self.{name}, .*{name} = sf.State\(int\)") as told:
            sf.function("a/b", functions=functions)(cls)
        assert [each.filename for each in told] == [__file__]


def test_a_function_of_a_set_that_is_not_served_is_told_how_to_be(functions):
    functions.bind("a/b")(lambda ctx, message: None)
    cure = r"StatefulFunctions\(\) of your own: sf.start\(functions=...\)"
    with sf.start(port=0, functions=sf.StatefulFunctions()) as session:
        with pytest.warns(UserWarning, match=cure):
            session.send("a/b", "x", 1)
        session.wait_idle()
        assert re.search(cure, session.parked[0].reason)


def test_a_type_in_quotation_marks_is_said_so(functions):
    state: Any = {"total": "float"}
    with pytest.raises(sf.DeclarationTypeError, match=r"write \{'total': float\}, without quotat"):
        sf.function("d/f", state=state, functions=functions)(lambda ctx, message: None)
