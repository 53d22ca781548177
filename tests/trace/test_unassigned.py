"""State that is changed in place and not assigned after that: it is not kept, and that is told."""

from __future__ import annotations

import dataclasses
import json
import warnings

import pytest
from google.protobuf.struct_pb2 import Struct
from pydantic import BaseModel, Field

import statefun_nb as sf

IN_VAIN = "was read and changed in place, and not assigned: nothing of the change is kept; write"

TOO_EARLY = (
    "was assigned, and changed in place after that: nothing of the later change is kept; write"
)


@dataclasses.dataclass
class Cart:
    items: list[int] = dataclasses.field(default_factory=list)
    note: str = dataclasses.field(default="", compare=False)


@dataclasses.dataclass
class Shelf:
    carts: list[Cart]


@dataclasses.dataclass
class Union:
    parts: dict[str, Cart | int]


class Model(BaseModel):
    items: list[int] = Field(alias="theItems")


class Bare:
    """A class without ``==``, as one's own types have."""

    def __init__(self, items):
        self.items = items


BARE = sf.simple_type(
    "test/bare", lambda bare: json.dumps(bare.items).encode(), lambda data: Bare(json.loads(data))
)
DICT = sf.make_json_type("test/dict")


def no_change(value):
    """What reads a value and does not change it."""
    repr(value)


# What the state is declared as, its first value, and what changes it in place.
KINDS = {
    "list": (list, [1], lambda value: value.append(3)),
    "dict": (dict, {"a": 1}, lambda value: value.update(b=2)),
    "nested": (dict, {"a": [1]}, lambda value: value["a"].append(3)),
    "set": (set[str], {"a", "b"}, lambda value: value.add("c")),
    "dataclass": (Cart, Cart([1]), lambda value: value.items.append(3)),
    "model": (Model, Model(theItems=[1]), lambda value: value.items.append(3)),
    "field without ==": (Cart, Cart([1]), lambda value: setattr(value, "note", "new")),
    "type of one's own": (BARE, Bare([1]), lambda value: value.items.append(3)),
    "JSON of a name": (DICT, {"a": 1}, lambda value: value.clear()),
    "protobuf": (Struct, Struct(), lambda value: value.update({"a": 1})),
    "nested classes": (
        Shelf,
        Shelf([Cart([1])]),
        lambda value: value.carts[0].items.append(3),
    ),
    "a field of another class": (
        Union,
        Union({"cart": Cart([1])}),
        lambda value: value.parts.update(cart=2),
    ),
    "no longer writable": (dict, {"a": 1}, lambda value: value.update(b=object())),
}


@pytest.fixture(params=["function", "class", "async"])
def declare(request, functions):
    """Declares one function in each style: it sets a value at first, then does what it is told."""

    def declared(tpe, first, act, *, assign=False):
        if request.param == "class":

            @sf.function("t/f", functions=functions)
            class Keeper(sf.StatefulFunction):
                value = sf.State(tpe)

                def invoke(self, ctx, message):
                    if not self.value.exists:
                        self.value.set(first)
                        return
                    value = self.value.get()
                    if assign:
                        self.value.set(value)
                    act(value)

            return "self.value.set(value)"

        def keeper(ctx, message):
            value = ctx.storage.value
            if value is None:
                ctx.storage.value = first
                return
            if assign:
                ctx.storage.value = value
            act(value)

        async def async_keeper(ctx, message):
            keeper(ctx, message)

        fun = keeper if request.param == "function" else async_keeper
        sf.function("t/f", state={"value": tpe}, functions=functions)(fun)
        return "ctx.storage.value = value"

    return declared


def twice(session):
    """Two messages, the second one's record, and what was warned of."""
    for number in range(2):
        session.send("t/f", "x", number)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert session.wait_idle().parked == 0
        session.send("t/f", "x", 2)
        session.wait_idle()
    return session.invocations[1], [str(each.message) for each in caught]


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_in_place_is_told_once_and_in_each_record(engine, declare, kind):
    tpe, first, change = KINDS[kind]
    cure = declare(tpe, first, change)
    record, warned = twice(engine)
    assert record.status == "ok"
    assert not record.changed or tpe is BARE  # which has no ==
    assert record.stdout.startswith("UserWarning: t/f (test_unassigned.py, line ")
    assert f"state 'value' {IN_VAIN} {cure}\n" in record.stdout
    assert engine.invocations[2].stdout == record.stdout
    assert [f"UserWarning: {text}\n" for text in warned] == [record.stdout]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_only_read_is_told_of_by_nobody(engine, declare, kind):
    tpe, first, _ = KINDS[kind]
    declare(tpe, first, no_change)
    record, warned = twice(engine)
    assert (record.stdout, warned) == ("", [])


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_after_the_assignment_is_told_too(engine, declare, kind):
    tpe, first, change = KINDS[kind]
    cure = declare(tpe, first, change, assign=True)
    record, warned = twice(engine)
    assert record.status == "ok"
    assert f"state 'value' {TOO_EARLY} {cure} after the change\n" in record.stdout
    assert engine.invocations[2].stdout == record.stdout
    assert [f"UserWarning: {text}\n" for text in warned] == [record.stdout]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_assigned_and_only_read_after_that_is_told_of_by_nobody(engine, declare, kind):
    tpe, first, _ = KINDS[kind]
    declare(tpe, first, no_change, assign=True)
    record, warned = twice(engine)
    assert (record.stdout, warned) == ("", [])


def test_a_value_that_is_assigned_for_the_first_time_is_looked_at_too(engine, functions):
    @sf.function("t/f", state={"cart": list, "other": dict}, functions=functions)
    def f(ctx, message):
        for number in range(20):  # more than are held at once: the last one counts
            cart: list[int] = [number]
            ctx.storage.cart = cart
        cart.append(message.value)
        ctx.storage.other = other = {}
        other["late"] = True
        del ctx.storage.other  # nothing is lost that was to go

    engine.send("t/f", "x", 7)
    with pytest.warns(UserWarning, match=TOO_EARLY) as caught:
        engine.wait_idle()
    assert [("cart" in str(each.message)) for each in caught] == [True]
    assert engine.state("t/f", "x") == {"cart": [19]}


@pytest.mark.filterwarnings("error")
def test_a_change_that_is_assigned_once_more_is_kept(engine, functions):
    @sf.function("t/f", state={"cart": list}, functions=functions)
    def f(ctx, message):
        cart: list[int] = []
        ctx.storage.cart = cart
        cart.append(message.value)
        ctx.storage.cart = cart

    engine.send("t/f", "x", 7)
    engine.wait_idle()
    assert engine.state("t/f", "x") == {"cart": [7]}
    assert engine.invocations[0].stdout == ""


@pytest.mark.filterwarnings("error")
def test_a_serializer_that_never_writes_the_same_bytes_tells_nobody(engine, functions):
    numbers = iter(range(100))
    salted = sf.simple_type(
        "test/salted",
        lambda bare: json.dumps([next(numbers), bare.items]).encode(),
        lambda data: Bare(json.loads(data)[1]),
    )

    @sf.function("t/f", state={"value": salted}, functions=functions)
    def f(ctx, message):
        ctx.storage.value = ctx.storage.value or Bare([1])

    for number in range(3):
        engine.send("t/f", "x", number)
    engine.wait_idle()
    assert [each.stdout for each in engine.invocations] == ["", "", ""]


def test_a_message_in_the_middle_of_a_batch_is_told_by_its_own_record(engine, functions):
    @sf.function("t/f", state={"cart": list}, functions=functions)
    def f(ctx, message):
        cart = ctx.storage.cart or []
        cart.append(message.value)
        if message.value != 2:
            ctx.storage.cart = cart

    engine.pause()
    for number in range(4):
        engine.send("t/f", "x", number)
    engine.resume()
    with pytest.warns(UserWarning, match=IN_VAIN):
        engine.wait_idle()
    assert [bool(each.stdout) for each in engine.invocations] == [False, False, True, False]
    assert engine.state("t/f", "x") == {"cart": [0, 1, 3]}


@pytest.mark.filterwarnings("error")
def test_what_is_assigned_later_deleted_or_given_away_is_no_mistake(engine, functions):
    @sf.function("t/f", state={"cart": list, "other": dict, "number": float}, functions=functions)
    async def f(ctx, message):
        if message.value == 0:
            ctx.storage.cart, ctx.storage.other = [1], {}
            return
        cart, other = ctx.storage.cart, ctx.storage.other
        cart.append(3)
        other["a"] = 1
        ctx.storage.number = (ctx.storage.number or 0) + 1
        ctx.storage.cart = [*cart]
        del ctx.storage.other

    for number in range(2):
        engine.send("t/f", "x", number)
    engine.wait_idle()
    assert [each.stdout for each in engine.invocations] == ["", ""]
    assert engine.state("t/f", "x") == {"cart": [1, 3], "number": 1.0}


@pytest.mark.filterwarnings("error")
def test_what_another_program_has_written_in_another_form_is_no_change(engine, functions):
    def serialize(value):
        raise RuntimeError("nothing can be written")

    spaced = sf.simple_type("test/spaced", lambda _: b'{ "a" : 1 }', json.loads)
    sf.function("t/f", state={"value": spaced}, functions=functions)(set_to_it)
    engine.send("t/f", "x", 1)
    engine.wait_idle()
    for tpe in (DICT, sf.simple_type("test/read", serialize, json.loads)):
        tpe.typename = spaced.typename

        @sf.function("t/f", state={"value": tpe}, functions=functions)
        def reads(ctx, message):
            assert ctx.storage.value == {"a": 1}

        engine.send("t/f", "x", 2)
        assert engine.wait_idle().parked == 0
    assert [each.stdout for each in engine.invocations] == ["", "", ""]


def set_to_it(ctx, message):
    ctx.storage.value = {"a": 1}


def change_in_vain(functions, *, fails):
    """Declare a function that writes its cart, and changes it in place with the next message."""

    @sf.function("t/f", state={"cart": list}, functions=functions)
    def f(ctx, message):
        if message.value == 0:
            ctx.storage.cart = [1]
        else:
            ctx.storage.cart.append(3)
            if fails:
                raise ValueError("and so nothing is kept")


def test_an_invocation_that_failed_is_not_told_of(functions):
    change_in_vain(functions, fails=True)
    for on_error in ("park", "skip"):
        with sf.start(port=0, functions=functions, on_error=on_error) as session:
            for number in range(2):
                session.send("t/f", "x", number)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                session.wait_idle()
            assert "error" in {each.status for each in session.invocations}
            assert {each.stdout for each in session.invocations} == {""}


@pytest.mark.filterwarnings("error")
def test_without_a_trace_nobody_looks(functions):
    change_in_vain(functions, fails=False)
    with sf.start(port=0, functions=functions, trace=False) as session:
        for number in range(2):
            session.send("t/f", "x", number)
        session.wait_idle()
        assert session.state("t/f", "x") == {"cart": [1]}


def test_a_field_that_is_not_set_is_the_functions_own_affair(engine, functions):
    @sf.function("t/f", state={"cart": Cart}, functions=functions)
    def f(ctx, message):
        cart = ctx.storage.cart or Cart([1])
        ctx.storage.cart = cart
        del cart.items

    engine.send("t/f", "x", 1)
    assert engine.wait_idle().parked == 0
    assert engine.state("t/f", "x") == {"cart": Cart([1])}


def test_of_what_is_large_nothing_is_told(engine, functions):
    @sf.function("t/f", state={"seen": set[str]}, functions=functions)
    def f(ctx, message):
        seen = ctx.storage.seen
        if seen is None:
            ctx.storage.seen = {f"{n:0100}" for n in range(1_000)}
        else:
            seen.clear()

    for _ in range(2):
        engine.send("t/f", "x", 1)
        engine.wait_idle()
    assert engine.invocations[-1].stdout == ""
