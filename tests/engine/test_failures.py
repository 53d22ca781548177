"""Whatever leaves a function is that function's failure, and nothing else's."""

from __future__ import annotations

import argparse
import asyncio
import sys

import pytest

import statefun_nb as sf


class UnprintableError(Exception):
    def __str__(self):
        return "code " + self.args[0]


class HostileError(Exception):
    """Nothing about it can be asked."""

    def __str__(self):
        raise SystemExit(3)

    __repr__ = __str__

    @property
    def __notes__(self):  # type: ignore[override]  # that it cannot be read is what it is for
        raise KeyboardInterrupt


class Traceless(Exception):  # noqa: N818 - what it lacks
    @property
    def __traceback__(self):  # type: ignore[override]  # see HostileError
        raise SystemExit(4)

    @property  # type: ignore[misc]
    def __class__(self):
        raise SystemExit(4)


class Nameless(type):
    @property
    def __name__(cls):  # type: ignore[override]  # see HostileError
        raise SystemExit(5)


class OfNamelessClass(Exception, metaclass=Nameless):  # noqa: N818 - what it lacks
    pass


class OfNoClass(BaseException):
    pass


def recurse(depth=0):
    return recurse(depth + 1)


def raise_(error):
    raise error


def group():
    if sys.version_info < (3, 11):
        raise ValueError("several")
    raise BaseExceptionGroup("several", [ValueError("a"), KeyboardInterrupt()])  # noqa: F821


def stop_the_loop():
    asyncio.get_running_loop().stop()
    raise ValueError("and went on")


RAISERS = {
    "exit": (lambda: sys.exit(1), "SystemExit: 1"),
    "argparse": (lambda: argparse.ArgumentParser().parse_args(["--x"]), "SystemExit: 2"),
    "interrupt": (lambda: raise_(KeyboardInterrupt()), "KeyboardInterrupt"),
    "cancelled": (lambda: raise_(asyncio.CancelledError("no")), "CancelledError: no"),
    "generator": (lambda: raise_(GeneratorExit()), "GeneratorExit"),
    "skip": (lambda: pytest.skip("no"), "Skipped: no"),
    "own": (lambda: raise_(OfNoClass("mine")), "OfNoClass: mine"),
    "unprintable": (
        lambda: raise_(UnprintableError(5)),
        "UnprintableError: (its text cannot be made",
    ),
    "hostile": (
        lambda: raise_(HostileError()),
        "HostileError: (its text cannot be made: SystemExit",
    ),
    "traceless": (lambda: raise_(Traceless("no")), "Traceless: no"),
    "nameless": (lambda: raise_(OfNamelessClass("no")), "OfNamelessClass: no"),
    "surrogates": (lambda: raise_(ValueError("a \ud800")), "ValueError: a \\ud800"),
    "recursion": (recurse, "RecursionError: maximum recursion"),
    "memory": (lambda: raise_(MemoryError()), "MemoryError"),
    "group": (group, "several"),
    "loop.stop": (stop_the_loop, "ValueError: and went on"),
    "loop.close": (lambda: asyncio.get_running_loop().close(), "RuntimeError: Cannot close a runn"),
}


@pytest.mark.parametrize("style", ["sync", "async"])
@pytest.mark.parametrize("name", RAISERS)
def test_it_parks_the_one_address_with_one_error_and_all_else_goes_on(
    engine, functions, name, style
):
    raiser, says = RAISERS[name]

    if style == "sync":

        @sf.function("f/bad", state={"n": int}, functions=functions)
        def bad(ctx, message):
            ctx.storage.n = 1
            raiser()

    else:

        @sf.function("f/bad", state={"n": int}, functions=functions)
        async def bad(ctx, message):
            ctx.storage.n = 1
            await asyncio.sleep(0)
            raiser()

    @sf.function("f/good", state={"n": int}, functions=functions)
    def good(ctx, message):
        ctx.storage.n = message.value

    engine.send("f/bad", "x", 1)
    engine.send("f/good", "x", 2)
    idle = engine.wait_idle()
    assert (idle.processed, idle.parked) == (1, 1)
    assert engine.state("f/good", "x") == {"n": 2}
    (parked,) = engine.parked
    assert says in parked.reason
    (failed,) = engine.invocations.filter(status="error")
    assert parked.reason.startswith(failed.error.text)
    assert engine.status().errors == 1
    assert engine.status().state == "running"
    repr(engine.invocations), repr(engine)  # and it can be shown

    @sf.function("f/bad", state={"n": int}, functions=functions)
    def mended(ctx, message):
        ctx.storage.n = 5

    assert engine.wait_idle().processed == 1
    assert engine.state("f/bad", "x") == {"n": 5}


def test_a_function_that_cancels_its_own_task_has_failed(engine, functions):
    @sf.function("f/bad", functions=functions)
    async def bad(ctx, message):
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(10)

    engine.send("f/bad", "x", 1)
    assert engine.wait_idle().parked == 1
    assert [each.error.type for each in engine.invocations] == ["CancelledError"]


def test_a_task_that_a_function_leaves_behind_ends_nothing_but_itself(engine, functions):
    @sf.function("f/leaves", functions=functions)
    async def leaves(ctx, message):
        async def behind():
            sys.exit(3)

        asyncio.get_running_loop().create_task(behind())
        await asyncio.sleep(0.01)

    heard = []
    loop = engine._thread.loop
    engine._thread.call(loop.set_exception_handler, lambda _, context: heard.append(context))
    engine.send_many([("f/leaves", str(i), i) for i in range(3)])
    assert engine.wait_idle().processed == 3
    assert {type(each["exception"]) for each in heard} == {SystemExit}


@pytest.mark.parametrize("style", ["sync", "async"])
@pytest.mark.parametrize("policy", ["skip", "retry"])
def test_the_policy_holds_for_it_too(functions, policy, style):
    tries = []

    def act():
        tries.append(1)
        if policy == "skip" or len(tries) < 3:
            sys.exit("no")

    if style == "sync":

        @sf.function("f/bad", functions=functions)
        def bad(ctx, message):
            act()

    else:

        @sf.function("f/bad", functions=functions)
        async def bad(ctx, message):
            await asyncio.sleep(0)
            act()

    with sf.start(port=0, functions=functions, on_error=policy) as session:
        session.send("f/bad", "x", 1)
        assert session.wait_idle().parked == 0
        assert len(tries) == (1 if policy == "skip" else 3)
        (failed,) = session.invocations.filter(status="error")
        assert failed.error is not None
        assert failed.error.text == "SystemExit: no"
        assert failed.error.retries == (0 if policy == "skip" else 1)


def test_a_session_whose_function_was_stopped_in_the_middle_goes_on_from_its_file(
    functions, tmp_path
):
    """Being stopped from outside is no failure: the message waits for the next session."""
    started = []

    @sf.function("f/slow", functions=functions)
    async def slow(ctx, message):
        started.append(message.value)
        if len(started) == 1:
            await asyncio.sleep(60)

    options = {"port": 0, "functions": functions, "durable": tmp_path / "kept.db"}
    with sf.start(**options) as session:
        session.send("f/slow", "x", 1)
        while not started:
            session.status()
    assert not session.invocations
    with sf.start(**options) as session:
        assert session.wait_idle().processed == 1
    assert started == [1, 1]


@pytest.mark.parametrize("style", ["sync", "async"])
@pytest.mark.parametrize("name", ["storage", "address"])
def test_what_a_context_has_cannot_be_replaced(engine, functions, name, style):
    def replace(ctx):
        setattr(ctx, name, {"n": 1})

    if style == "sync":

        @sf.function("f/replaces", state={"n": int}, functions=functions)
        def replaces(ctx, message):
            replace(ctx)

    else:

        @sf.function("f/replaces", state={"n": int}, functions=functions)
        async def replaces_later(ctx, message):
            replace(ctx)

    engine.send("f/replaces", "x", 1)
    assert engine.wait_idle().parked == 1
    (parked,) = engine.parked
    assert parked.reason.startswith(f"StateNameError: ctx.{name} cannot be replaced")
    assert "write `ctx.storage.n = …`" in parked.reason


@pytest.mark.parametrize("style", ["sync", "async"])
@pytest.mark.parametrize(
    "broken", ["Served.begin", "Served.traced", "_done", "TracedHandler._leave"]
)
def test_what_raises_around_a_function_parks_its_message(
    engine, functions, monkeypatch, style, broken
):
    def breaks(*_):
        raise SystemExit("around it")

    where = {
        "Served.begin": "statefun_nb.trace.served.Served.begin",
        "Served.traced": "statefun_nb.trace.served.Served.traced",
        "_done": "statefun_nb.sdk.dispatch._done",
        "TracedHandler._leave": "statefun_nb.trace.traced.TracedHandler._leave",
    }[broken]

    if style == "sync":

        @sf.function("f/fine", functions=functions)
        def fine(ctx, message):
            pass

    else:

        @sf.function("f/fine", functions=functions)
        async def fine_later(ctx, message):
            await asyncio.sleep(0)

    with monkeypatch.context() as patched:
        patched.setattr(where, breaks)
        engine.send("f/fine", "x", 1)
        assert engine.wait_idle().parked == 1
    (parked,) = engine.parked
    assert "SystemExit: around it" in parked.reason
    assert engine.retry("f/fine", "x") == 1
    assert engine.wait_idle().processed == 1


def test_what_the_engine_stumbles_over_parks_the_message(engine, functions, monkeypatch):
    @sf.function("f/fine", functions=functions)
    def fine(ctx, message):
        pass

    def breaks(*_):
        raise RuntimeError("in the core")

    with monkeypatch.context() as patched:
        patched.setattr("statefun_nb.engine.core.Core.replied", breaks)
        engine.send("f/fine", "x", 1)
        assert engine.wait_idle().parked == 1
    (parked,) = engine.parked
    assert parked.reason == "RuntimeError: in the core"


def test_what_is_kept_of_a_long_error_is_its_beginning_and_its_end(engine, functions):
    @sf.function("f/long", functions=functions)
    def long(ctx, message):
        raise ValueError("begin" + 1_000_000 * "x" + "end")

    for id_ in range(20):
        engine.send("f/long", str(id_), 1)
    assert engine.wait_idle().parked == 20
    for parked in engine.parked:
        assert parked.reason.startswith("ValueError: beginxxx")
        assert parked.reason.endswith("xxxend")
        assert "… 999," in parked.reason
        assert len(parked.reason) < 500
    error = engine.invocations[-1].error
    for text in (error.message, error.traceback):
        assert "xxx… " in text
        assert text.rstrip().endswith("xxxend")
        assert 10_000 < len(text) < 10_100
    assert 20 * 20_000 < engine.recorder.bytes < 20 * 30_000
