"""What sf.function adds: classes with state handles, shorthand sends, errors that say where."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta, timezone
from typing import get_origin

import pytest

import statefun_nb as sf
from statefun_nb.serverless import asgi_app, lambda_handler
from tests import peer

MADE = sf.message_builder("c/d", "x", int_value=1)
LATER = datetime(2030, 1, 1, tzinfo=timezone.utc)


def serve(functions, *messages, state=None, target=("a/b", "x")):
    data = peer.request(target, list(messages), state)
    return peer.reply(sf.RequestReplyHandler(functions).handle_sync(data)).invocation_result


def test_the_decorator_infers_state_types_and_message_types(functions):
    @sf.function("a/b", state={"visits": int, "name": str}, functions=functions)
    def person(ctx, message):
        ctx.storage.visits = (ctx.storage.visits or 0) + 1
        ctx.send("c/d", ctx.address.id, f"{message.value} x{ctx.storage.visits}")
        ctx.send_after(timedelta(seconds=1), "c/d", "later", 5, token="t")
        ctx.send("c/d", "typed", 5, type=sf.IntType)

    result = serve(functions, peer.text("hi"), state={"visits": None, "name": None})
    assert result.state_mutations[0].state_value.typename == peer.LONG
    first, typed = result.outgoing_messages
    assert first.argument.value == b"\x0a\x05hi x1"
    assert typed.argument.typename == peer.INT
    (delayed,) = result.delayed_invocations
    assert (delayed.target.id, delayed.delay_in_ms, delayed.cancellation_token) == (
        "later",
        1000,
        "t",
    )


def test_a_class_declares_its_state_as_attributes(functions):
    @sf.function("a/b", functions=functions)
    class Counter(sf.StatefulFunction):
        count = sf.State(int)
        renamed = sf.State(str, name="other", expire_after_write=timedelta(minutes=30))

        def invoke(self, ctx, message):
            assert not self.renamed.exists
            self.count.set((self.count.get() or 0) + 1)
            self.renamed.set("x")
            self.renamed.clear()

    specs = functions.for_typename("a/b").layout.specs
    assert list(specs) == ["count", "other"]
    assert specs["other"].duration == 30 * 60 * 1000
    result = serve(functions, peer.text("m"), peer.text("m"), state={"count": None, "other": None})
    count, other = result.state_mutations
    assert count.state_value.value == b"\x09\x02" + b"\0" * 7
    assert other.mutation_type == 0


def test_state_handles_of_one_async_class_serve_many_addresses_at_once(functions):
    order = []

    @sf.function("a/b", functions=functions)
    class Slow(sf.StatefulFunction):
        count = sf.State(int)

        async def invoke(self, ctx, message):
            before = self.count.get() or 0
            order.append(ctx.address.id)
            await asyncio.sleep(0)
            self.count.set(before + int(ctx.address.id))
            await asyncio.sleep(0)
            assert self.count.get() == before + int(ctx.address.id)

    handler = sf.RequestReplyHandler(functions)

    async def run():
        requests = [
            peer.request(("a/b", str(i)), [peer.text("m")] * 3, {"count": None}) for i in range(20)
        ]
        return await asyncio.gather(*map(handler.handle_async, requests))

    for i, data in enumerate(asyncio.run(run())):
        (mutation,) = peer.reply(data).invocation_result.state_mutations
        assert sf.LongType.serializer().deserialize(mutation.state_value.value) == 3 * i
    assert order[:20] == [str(i) for i in range(20)]  # they really ran side by side


def test_a_state_handle_outside_its_function_says_so():
    class Greeter(sf.StatefulFunction):
        visits = sf.State(int)

        def invoke(self, ctx, message):
            pass

    with pytest.raises(sf.StateNameError, match="'visits' can be used only while"):
        Greeter().visits.get()
    with pytest.raises(sf.ConversionTypeError, match=r"set\(value\)"):
        Greeter().visits = 1  # type: ignore[assignment]  # the mistake


def test_types_and_handles_take_a_parameter_and_stay_what_they_are():
    handle = sf.State[int](int, "n")
    assert type(handle) is sf.State
    assert handle.spec().type is sf.LongType
    assert not hasattr(handle, "__dict__")
    assert get_origin(sf.Type[int]) is sf.Type
    assert get_origin(sf.TypeSerializer[int]) is sf.TypeSerializer
    assert not hasattr(sf.IntType, "__dict__")


def test_a_handle_of_another_function_is_not_this_ones_state(functions):
    class Other(sf.StatefulFunction):
        theirs = sf.State(int)

        def invoke(self, ctx, message):
            pass

    other = Other()

    @sf.function("a/b", functions=functions)
    class Mine(sf.StatefulFunction):
        mine = sf.State(int)

        def invoke(self, ctx, message):
            other.theirs.get()

    with pytest.raises(sf.StateNameError, match="theirs"):
        serve(functions, peer.text("m"), state={"mine": None})


def nothing(ctx, message):
    pass


@pytest.mark.parametrize(
    ("typename", "state", "declared", "says"),
    [
        ("no-slash", None, nothing, "namespace/name"),
        ("a/b/c", None, nothing, "exactly one slash"),
        ("a/b", {"N": int}, nothing, "lower"),
        ("a/b", {"n": set}, nothing, "'n'"),
        ("a/b", None, lambda c: None, "context and a message"),
        ("a/b", None, 5, "neither function nor class"),
        ("a/b", None, int, "must derive from sf.StatefulFunction"),
    ],
)
def test_a_wrong_declaration_says_what_and_leaves_nothing_behind(
    functions, typename, state, declared, says
):
    with pytest.raises(sf.DeclarationError, match=says):
        sf.function(typename, state, functions=functions)(declared)
    assert list(functions) == []


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda ctx: ctx.send("c/d", "x", object()), r"message to c/d 'x': cannot tell"),
        (lambda ctx: ctx.send("c/d", "x", 2**70), r"c/d 'x'.*does not fit"),
        (lambda ctx: ctx.send("cd", "x", 1), "namespace/name"),
        (lambda ctx: ctx.send("c/d", 5, 1), "must be a string"),
        (lambda ctx: ctx.send("c/d"), "given only 'c/d'"),
        (lambda ctx: ctx.send_after(timedelta(1), "c/d", "x"), "given only 'c/d'.*, 'x'"),
        (
            lambda ctx: ctx.send(ctx.address, 1),
            r"write address\.typename, address\.id and the value",
        ),
        (lambda ctx: ctx.send(sf.egress_message_builder("c/e", 1, sf.IntType)), "ctx.send_egress"),
        (lambda ctx: ctx.send_egress(sf.message_builder("c/d", "x", int_value=1)), "by ctx.send$"),
        (lambda ctx: ctx.send("x", "c/d", 1), "the typename comes first, then the id$"),
        (lambda ctx: ctx.send("c/d", "x", MADE), r"send message\.value"),
        (lambda ctx: ctx.send_after(5, "c/d", "x", 1), r"number of seconds is timedelta\(seconds"),
        (
            lambda ctx: ctx.send_after(LATER, "c/d", "x", 1),
            r"when - datetime\.now\(when\.tzinfo\)$",
        ),
        (lambda ctx: ctx.send_after(date(2030, 1, 1), "c/d", "x", 1), r"when - date\.today\(\)$"),
        (lambda ctx: ctx.send("c/d", "\ud800", 1), "UTF-8"),
        (lambda ctx: ctx.send("c/d", "", 1), "id of a message"),
        (lambda ctx: ctx.send_after(timedelta(-1), "c/d", "x", 1), "negative"),
        (lambda ctx: ctx.send_after(5, "c/d", "x", 1), "timedelta"),
        (lambda ctx: ctx.cancel_delayed_message(""), "token"),
        (lambda ctx: ctx.send_egress("record"), "egress builder"),
        (lambda ctx: setattr(ctx.storage, "n", "text"), "state 'n' of a/b"),
        (lambda ctx: setattr(ctx.storage, "wrong", 1), "declared: n"),
        (lambda ctx: delattr(ctx.storage, "wrong"), "declared: n"),
        (lambda ctx: ctx.storage.wrong, r"'wrong' is not .* the function 'a/b' \(declared: n\)$"),
        (lambda ctx: ctx.send_egress(sf.kafka_egress_message("e/o", "t", 2**40)), "4 bytes"),
    ],
)
def test_a_wrong_effect_raises_at_the_users_line_and_undoes_the_batch(functions, act, says):
    @sf.function("a/b", state={"n": int}, functions=functions)
    def function(ctx, message):
        ctx.storage.n = 1
        act(ctx)

    with pytest.raises(sf.StatefunError, match=says):
        serve(functions, peer.text("m"), state={"n": None})


def test_a_name_that_is_not_declared_is_an_attribute_error_that_names_the_function(functions):
    caught = []

    @sf.function("a/b", state={"visits": int}, functions=functions)
    async def function(ctx, message):
        assert not hasattr(ctx.storage, "vists")
        try:
            print(ctx.storage.vists)
        except AttributeError as error:
            caught.append(str(error))
        print(ctx.storage.vists)

    with pytest.raises(sf.StateNameError, match=r"did you mean 'visits'\?") as failed:
        serve(functions, peer.text("m"), state={"visits": None})
    assert caught == ["'storage of a/b' object has no attribute 'vists'"]
    assert failed.traceback[-1].name == "function"


def test_a_forgotten_async_is_an_error_not_silence(functions):
    async def work():
        pass

    sf.function("a/b", functions=functions)(lambda ctx, message: work())
    with pytest.raises(sf.DeclarationTypeError, match="async def"):
        serve(functions, peer.text("m"))


def test_declaring_again_replaces_in_place_and_counts_versions(functions):
    sf.function("a/b", functions=functions)(lambda ctx, message: None)
    second = sf.function("a/b", functions=functions)(lambda ctx, message: None)
    assert functions.for_typename("a/b").fun is second
    assert functions.for_typename("a/b").version == 2
    assert list(functions) == ["a/b"]


def test_a_message_can_be_forwarded_as_it_came(functions):
    @sf.function("a/b", functions=functions)
    def function(ctx, message):
        ctx.send(sf.Message("c/d", "y", message.typed_value))

    (sent,) = serve(functions, ("x/y", b"\x01\x02")).outgoing_messages
    assert (sent.argument.typename, sent.argument.value) == ("x/y", b"\x01\x02")


@pytest.mark.parametrize("wrong", [5, "functions", [], lambda ctx, message: None])
def test_a_handler_of_what_is_no_set_of_functions_is_refused_at_once(wrong):
    for protocol in (2, 3):
        with pytest.raises(sf.DeclarationTypeError, match="takes the StatefulFunctions that were"):
            sf.RequestReplyHandler(wrong, protocol=protocol)
    for host in (lambda_handler, asgi_app):
        with pytest.raises(sf.DeclarationTypeError, match="takes the StatefulFunctions that were"):
            host(wrong)
