"""The same functions, served to StateFun 2.x."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import pytest
from google.protobuf.wrappers_pb2 import Int64Value, StringValue

import statefun_nb as sf
from tests import peer, peer_2

HELLO = peer_2.packed(StringValue(value="hello"))


@dataclass
class Cart:
    items: list[str]


def handlers(functions):
    return sf.RequestReplyHandler(functions), sf.RequestReplyHandler(functions, protocol=2)


def test_one_declaration_answers_both(functions):
    @sf.function("a/b", state={"n": int, "cart": Cart}, functions=functions)
    def count(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1
        ctx.storage.cart = Cart([*(ctx.storage.cart or Cart([])).items, message.as_string()])
        ctx.send("a/other", ctx.address.id, ctx.storage.cart)

    of_3, of_2 = handlers(functions)
    absent = {"n": None, "cart": None}
    (sent,) = peer.reply(
        of_3.handle_sync(peer.request(("a/b", "x"), [peer.text("hello")], absent))
    ).invocation_result.outgoing_messages
    data = of_2.handle_sync(peer_2.request(("a/b", "x"), [HELLO], {"n": b"", "cart": b""}))
    reply = peer_2.reply(data)
    (also_sent,) = reply.outgoing_messages
    assert sent.argument.value == also_sent.argument.value == b'{"items": ["hello"]}'
    assert sent.argument.typename == also_sent.argument.type_url == "statefun_nb.json/Cart"
    state = {each.state_name: each.state_value for each in reply.state_mutations}
    assert state["n"] == peer_2.stored(peer_2.packed(Int64Value(value=1)))
    again = peer_2.reply(of_2.handle_sync(peer_2.request(("a/b", "x"), [HELLO], state)))
    assert again.outgoing_messages[0].argument.value == b'{"items": ["hello", "hello"]}'


def test_a_state_name_that_module_yaml_lacks_is_an_error_of_the_function(functions):
    @sf.function("a/b", state={"n": int, "m": int}, functions=functions)
    def count(ctx, message):
        raise AssertionError

    _, of_2 = handlers(functions)
    with pytest.raises(sf.StateNameError, match=r"a/b declares state 'm', which the request lacks"):
        of_2.handle_sync(peer_2.request(("a/b", "x"), [HELLO], {"n": b""}))


def plain(functions):
    @sf.function("a/b", functions=functions)
    def cancel(ctx, message):
        ctx.send_after(timedelta(seconds=1), "a/b", "x", 1, token="t")
        ctx.cancel_delayed_message("t")


def awaited(functions):
    @sf.function("a/b", functions=functions)
    async def cancel(ctx, message):
        await asyncio.sleep(0)
        ctx.cancel_delayed_message("t")


def with_a_class(functions):
    @sf.function("a/b", functions=functions)
    class Cancel(sf.StatefulFunction):
        def invoke(self, ctx, message):
            ctx.cancel_delayed_message("t")


def kept(functions):
    contexts = []

    @sf.function("a/b", functions=functions)
    def cancel(ctx, message):
        contexts.append(ctx)  # the next message gets another one
        if len(contexts) == 2:
            ctx.cancel_delayed_message("t")


@pytest.mark.parametrize("declare", [plain, awaited, with_a_class, kept])
def test_to_cancel_is_an_error_of_the_function(functions, declare):
    declare(functions)
    of_3, of_2 = handlers(functions)
    of_3.handle_sync(peer.request(("a/b", "x"), [peer.text("m")] * 2))
    functions.undeclare("a/b")
    declare(functions)
    with pytest.raises(sf.EngineError, match=r"cannot cancel a delayed message \('t'\)"):
        of_2.handle_sync(peer_2.request(("a/b", "x"), [HELLO] * 2))


def test_there_is_no_other_version(functions):
    with pytest.raises(sf.DeclarationError, match="protocol= is 3, or 2 for"):
        sf.RequestReplyHandler(functions, protocol=1)  # type: ignore[arg-type]


def test_where_a_loop_runs_an_async_function_is_to_be_awaited(functions):
    awaited(functions)
    of_3, of_2 = handlers(functions)
    data = peer.request(("a/b", "x"), [])
    assert of_3.handle_sync(data) == b""

    async def in_a_cell():
        with pytest.raises(sf.EngineError, match=r"await handler\.handle_async"):
            of_3.handle_sync(data)
        return await of_2.handle_async(peer_2.request(("a/b", "x"), []))

    assert asyncio.run(in_a_cell()) == b""


@pytest.mark.parametrize(("protocol", "status"), [(2, 400), (3, 404)])
def test_the_status_of_an_unknown_function_is_that_of_its_version(functions, protocol, status):
    module = peer_2 if protocol == 2 else peer
    value = module.packed(StringValue(value="m")) if protocol == 2 else peer.text("m")
    handler = sf.RequestReplyHandler(functions, protocol=protocol)
    with pytest.raises(sf.UnknownFunctionError) as unknown:
        handler.handle_sync(module.request(("a/no", "x"), [value]))
    assert unknown.value.status_hint == status
    assert sf.UnknownFunctionError.status_hint == 404
