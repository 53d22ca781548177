"""Values of users' classes: in messages, in state, in the file, and when their classes change."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.wrappers_pb2 import Int32Value, StringValue
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, model_validator

import statefun_nb as sf
from statefun_nb.sdk.inference import type_of_class
from statefun_nb.sdk.pydantic_types import ModelSerializer
from statefun_nb.sdk.unreadable import Unreadable
from statefun_nb.views.calls import Calls
from tests.sdk.values import Everything, Gift, Item, Line, Person, everything, messages, persons

KINDS = {"everything": Everything, "person": Person, "proto": Duration}


@given(st.lists(everything | persons | messages, min_size=3, max_size=12))
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_values_are_the_same_in_messages_in_state_and_after_a_restart(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("values") / "kept.db"
    functions = sf.StatefulFunctions()
    received = {}

    @sf.function("v/keep", state=KINDS, functions=functions)
    def keep(ctx, message):
        name = next(name for name, cls in KINDS.items() if message.is_type(cls))
        received[int(ctx.address.id)] = value = message.as_type(KINDS[name])
        setattr(ctx.storage, name, value)
        assert getattr(ctx.storage, name) == value

    with sf.start(port=0, functions=functions, durable=path) as session:
        for index, value in enumerate(values):
            session.send("v/keep", str(index), value)
        session.wait_idle()
        assert session.parked == []
        before = session.state("v/keep")
    assert [received[index] for index in range(len(values))] == values
    with sf.start(port=0, functions=functions, durable=path) as session:
        after = session.state("v/keep")
    for index, value in enumerate(values):
        for state in (before, after):
            (found,) = state[str(index)].values()
            assert type(found) is type(value)
            assert found == value


@dataclasses.dataclass
class Invoice:
    cents: int = 0


WRONG = [
    (Item, Invoice(700), r"Invoice\(cents=700\) \(Invoice\) is not an Item"),
    (Item, 5, r"5 \(int\) is not an Item"),
    (Person, Line(unitPrice=Decimal(1)), r"\(Line\) is not a Person"),
    (StringValue, Int32Value(value=1), "not a protobuf message google.protobuf.StringValue but a"),
]


@pytest.mark.parametrize(("declared", "wrong", "says"), WRONG)
@pytest.mark.parametrize("style", ["sync", "async", "class"])
def test_a_value_of_another_class_parks_the_address_that_sets_it(
    functions, declared, wrong, says, style
):
    if style == "sync":

        @sf.function("a/f", state={"kept": declared}, functions=functions)
        def in_sync(ctx, message):
            ctx.storage.kept = wrong

    elif style == "async":

        @sf.function("a/f", state={"kept": declared}, functions=functions)
        async def in_async(ctx, message):
            ctx.storage.kept = wrong

    else:

        @sf.function("a/f", functions=functions)
        class InClass(sf.StatefulFunction):
            kept = sf.State(declared)

            def invoke(self, ctx, message):
                self.kept.set(wrong)

    with sf.start(port=0, functions=functions) as session:
        session.send("a/f", "x", 1)
        session.wait_idle()
        (parked,) = session.parked
        assert "state 'kept' of a/f: " in parked.reason
        with pytest.raises(sf.ConversionTypeError, match=says):
            raise sf.ConversionTypeError(parked.reason)
        assert session.state("a/f") == {}
        with pytest.raises(sf.ConversionTypeError, match=f"message to a/f 'x': .*{says}"):
            session.send("a/f", "x", wrong, type=declared)


def test_a_function_is_told_of_a_message_of_another_class_where_it_sends_it(functions):
    @sf.function("a/f", functions=functions)
    def f(ctx, message):
        ctx.send("a/g", "y", Invoice(1), type=Item)

    with sf.start(port=0, functions=functions) as session:
        session.send("a/f", "x", 1)
        session.wait_idle()
        assert (
            "message to a/g 'y': Invoice(cents=1) (Invoice) is not an Item"
            in session.parked[0].reason
        )


# The class changes while values of it are kept.


def cart(*fields: Any, name: str = "Cart") -> Any:
    """What running the cell of ``Cart`` again makes."""
    return dataclasses.make_dataclass(name, fields, namespace={"__module__": __name__})


OLD = cart(("items", list[int]))
NEW = cart(("items", list[int]), ("owner", str))
UNREADABLE = "cannot be read as Cart: owner is missing"


@pytest.fixture
def kept(engine, functions):
    """A session in which ann's and bob's carts are of the former class, and the function new."""

    @sf.function("a/f", state={"cart": OLD}, functions=functions)
    def old(ctx, message):
        ctx.storage.cart = OLD([message.value])

    for name in ("ann", "bob"):
        engine.send("a/f", name, 1)
    engine.wait_idle()
    declare(functions, NEW)
    return engine


def declare(functions, declared):
    @sf.function("a/f", state={"cart": declared}, functions=functions)
    def new(ctx, message):
        cart = ctx.storage.cart
        cart.items.append(message.value)
        ctx.storage.cart = cart


def test_what_the_present_class_cannot_read_is_shown_raw_with_what_is_missing(kept, tmp_path):
    raw = Unreadable(UNREADABLE, {"items": [1]})
    assert kept.state("a/f") == {"ann": {"cart": raw}, "bob": {"cart": raw}}
    assert kept.state("a/f", "ann") == {"cart": raw}
    assert UNREADABLE in repr(kept.state("a/f", "ann"))
    assert UNREADABLE in kept.state("a/f")._repr_html_()
    with pytest.raises(sf.CheckFailed, match=f"'cart' is <{UNREADABLE}; stored: {{'items': .1.}}>"):
        kept.check("a/f", "ann").state(cart=NEW([1], "ann"))
    assert UNREADABLE in kept.snapshot_html(tmp_path / "page.html").read_text()
    page = Calls(kept).answer({"id": "", "name": "state", "arguments": {"typename": "a/f"}})
    (value,) = page["result"]["rows"][0]["values"]
    assert value["value"][1][0] == ["reason", UNREADABLE]
    assert value["text"] == '{"items": [1]}'  # to be mended by hand


def test_it_parks_the_one_address_and_setting_a_value_lets_it_go_on(kept):
    kept.send("a/f", "ann", 2)
    kept.wait_idle()
    (parked,) = kept.parked
    assert parked.address.id == "ann"
    assert f"state 'cart' of a/f {UNREADABLE}" in parked.reason
    assert "s.set_state('a/f', id, cart=...)" in parked.reason
    assert kept.invocations[-1].state_before["cart"] == Unreadable(UNREADABLE, {"items": [1]})

    kept.set_state("a/f", "ann", cart=NEW([5], "ann"))
    kept.wait_idle()
    assert kept.parked == []
    assert kept.state("a/f", "ann") == {"cart": NEW([5, 2], "ann")}
    kept.set_state("a/f", "ann", cart=None)
    assert kept.state("a/f", "ann") == {}
    assert kept.state("a/f", "bob") == {"cart": Unreadable(UNREADABLE, {"items": [1]})}


def test_the_dashboard_mends_it_too(kept):
    kept.send("a/f", "ann", 2)
    kept.wait_idle()
    reply = Calls(kept).answer(
        {
            "id": "",
            "name": "edit",
            "arguments": {
                "typename": "a/f", "id": "ann", "name": "cart",
                "text": '{"items": [1], "owner": "ann"}',
            },
        }
    )  # fmt: skip
    assert "error" not in reply
    assert kept.retry("a/f", "ann") == 1
    kept.wait_idle()
    assert kept.state("a/f", "ann") == {"cart": NEW([1, 2], "ann")}


@pytest.mark.parametrize("style", ["mapping", "specs", "class"])
def test_a_migration_reads_what_the_present_class_cannot(kept, functions, style):
    def migrate(plain):
        return NEW(plain["items"], "nobody")

    if style == "mapping":
        declare(functions, sf.State(NEW, migrate=migrate))
    elif style == "specs":
        spec = sf.ValueSpec("cart", sf.State(NEW).spec("cart").type, migrate=migrate)

        @functions.bind("a/f", [spec])
        def f(ctx, message):
            cart = ctx.storage.cart
            ctx.storage.cart = NEW([*cart.items, message.value], cart.owner)

    else:

        @sf.function("a/f", functions=functions)
        class F(sf.StatefulFunction):
            cart = sf.State(NEW, migrate=migrate)

            def invoke(self, ctx, message):
                cart: Any = self.cart.get()
                self.cart.set(NEW([*cart.items, message.value], cart.owner))

    assert kept.state("a/f", "bob") == {"cart": NEW([1], "nobody")}
    kept.send("a/f", "ann", 2)
    kept.wait_idle()
    assert kept.parked == []
    assert kept.state("a/f", "ann") == {"cart": NEW([1, 2], "nobody")}
    kept.set_state("a/f", "ann", cart=NEW([], "ann"))  # what it can read it is not asked for
    assert kept.state("a/f", "ann") == {"cart": NEW([], "ann")}


@pytest.mark.parametrize(
    ("migrate", "says"),
    [
        (lambda plain: plain["nothing"], "its migrate raised KeyError: 'nothing' for {'items': .1"),
        (lambda plain: plain, r"its migrate returned what does not fit: .* is not a Cart"),
    ],
)
def test_a_migration_that_fails_is_told_of(kept, functions, migrate, says):
    declare(functions, sf.State(NEW, migrate=migrate))
    kept.send("a/f", "ann", 2)
    kept.wait_idle()
    (parked,) = kept.parked
    with pytest.raises(sf.ConversionError, match=f"{UNREADABLE}, and {says}"):
        raise sf.ConversionError(parked.reason)


def test_a_migration_must_be_callable():
    with pytest.raises(sf.DeclarationError, match="migrate= takes a function"):
        sf.ValueSpec("n", sf.IntType, migrate=5)  # type: ignore[arg-type]  # the mistake


# The class has lost a field, or renamed one.

LESS = cart(("owner", str, ""))
UNKNOWN = "cannot be read as Cart: it has 'items', which Cart does not have (any more)"


@pytest.mark.parametrize("style", ["sync", "async", "class"])
def test_a_field_that_the_present_class_does_not_have_is_not_lost(kept, functions, style):
    def touch(cart):
        return LESS(cart.owner + "!") if cart else LESS("new")

    if style == "class":

        @sf.function("a/f", functions=functions)
        class F(sf.StatefulFunction):
            cart = sf.State(LESS)

            def invoke(self, ctx, message):
                self.cart.set(touch(self.cart.get()))

    elif style == "async":

        @sf.function("a/f", state={"cart": LESS}, functions=functions)
        async def waits(ctx, message):
            ctx.storage.cart = touch(ctx.storage.cart)

    else:

        @sf.function("a/f", state={"cart": LESS}, functions=functions)
        def at_once(ctx, message):
            ctx.storage.cart = touch(ctx.storage.cart)

    kept.send_many([("a/f", "ann", 2), ("a/f", "carl", 2)], progress=False)
    kept.wait_idle()
    (parked,) = kept.parked
    assert parked.address.id == "ann"
    assert f"state 'cart' of a/f {UNKNOWN}; declare it with migrate=" in parked.reason
    raw = Unreadable(UNKNOWN, {"items": [1]})
    assert kept.state("a/f") == {
        "ann": {"cart": raw}, "bob": {"cart": raw}, "carl": {"cart": LESS("new")},
    }  # fmt: skip
    kept.set_state("a/f", "ann", cart=LESS("ann"))
    kept.wait_idle()
    assert kept.state("a/f", "ann") == {"cart": LESS("ann!")}


def test_a_migration_is_asked_for_a_field_that_is_not_there_any_more(kept, functions):
    declare_less = sf.State(LESS, migrate=lambda plain: LESS(f"{len(plain['items'])} items"))

    @sf.function("a/f", state={"cart": declare_less}, functions=functions)
    def f(ctx, message):
        ctx.storage.cart = ctx.storage.cart

    assert kept.state("a/f", "bob") == {"cart": LESS("1 items")}
    kept.send("a/f", "ann", 2)
    kept.wait_idle()
    assert kept.parked == []
    assert kept.state("a/f", "ann") == {"cart": LESS("1 items")}


def test_a_message_may_have_fields_that_the_class_does_not_have(functions):
    read = []

    @sf.function("a/f", functions=functions)
    def f(ctx, message):
        read.append(message.as_type(LESS))

    with sf.start(port=0, functions=functions) as session:
        session.send("a/f", "x", cart(("owner", str), ("items", list[int]))("ann", [1]))
        session.wait_idle()
        assert session.parked == []
    assert read == [LESS("ann")]


def test_deep_in_a_value_too(functions):
    def shop(*fields: Any) -> Any:
        line = cart(*fields, name="Part")
        return cart(
            ("lines", dict.__class_getitem__((str, list.__class_getitem__(line)))), name="Shop"
        ), line

    former, part = shop(("n", int), ("price", int, 0))
    present, _ = shop(("n", int))
    data = type_of_class(former).serializer().serialize(former({"a": [part(1, 2)]}))
    spec = sf.ValueSpec("shop", type_of_class(present))
    with pytest.raises(
        sf.ConversionError, match=r"lines\['a'\]\[0\] has 'price', which Part does not have"
    ):
        spec.type.serializer().deserialize(data)
    assert type_of_class(present).serializer().deserialize(data).lines["a"][0].n == 1


class Inner(BaseModel):
    n: int = 0


class Default(BaseModel):
    owner: str = Field("", alias="theOwner")
    inner: list[Inner] = []


class Ignoring(BaseModel, extra="ignore"):
    owner: str = ""


class Allowing(BaseModel, extra="allow"):
    owner: str = ""


class Forbidding(BaseModel, extra="forbid"):
    owner: str = ""


class Renaming(BaseModel):
    owner: str = ""

    @model_validator(mode="before")
    @classmethod
    def from_before(cls, plain: Any) -> Any:
        return {"owner": plain["who"], **plain} if "who" in plain else plain


@pytest.mark.parametrize(
    ("model", "stored", "says"),
    [
        (Default, '{"theOwner": "ann", "age": 3}', "it has 'age', which Default does not have"),
        (
            Default,
            '{"inner": [{"n": 1, "m": 2}]}',
            r"inner\[0\] has 'm', which Inner does not have",
        ),
        (Default, '{"theOwner": "ann", "inner": [{"n": 1}]}', None),
        (Default, '{"owner": "ann"}', None),
        (Ignoring, '{"owner": "ann", "age": 3}', None),
        (Allowing, '{"owner": "ann", "age": 3}', None),
        (Forbidding, '{"owner": "ann", "age": 3}', "age: Extra inputs are not permitted"),
        (Renaming, '{"who": "ann"}', None),
    ],
)
@pytest.mark.parametrize("told", [True, False])
def test_a_model_is_taken_at_its_word(model, stored, says, told):
    serializer, lenient = ModelSerializer(model, strict=True), ModelSerializer(model)
    if not told:  # as before pydantic 2.12
        serializer._forbid = {}
    if says is None:
        assert serializer.deserialize(stored.encode()) == lenient.deserialize(stored.encode())
        return
    with pytest.raises(sf.ConversionError, match=f"cannot be read as {model.__name__}: {says}"):
        serializer.deserialize(stored.encode())
    if model is not Forbidding:  # a message
        lenient.deserialize(stored.encode())


# set_state.


def test_state_is_set_before_there_is_a_message_and_outlives_a_restart(functions, tmp_path):
    @sf.function(
        "a/f",
        state={
            "n": int,
            "item": Item,
            "soon": sf.State(int, expire_after_write=timedelta(hours=1)),
        },
        functions=functions,
    )
    def f(ctx, message):
        ctx.storage.n += message.value

    path = tmp_path / "kept.db"
    with sf.start(port=0, functions=functions, durable=path, clock="virtual") as session:
        session.set_state("a/f", "x", n=1, item=Gift("hat"), soon=5)
        session.send("a/f", "x", 2)
        session.check("a/f", "x").state(n=3, item=Gift("hat"), soon=5)
    with sf.start(port=0, functions=functions, durable=path, clock="virtual") as session:
        session.check("a/f", "x").state(n=3, item=Gift("hat"), soon=5)
        session.advance(timedelta(hours=1))
        session.check("a/f", "x").state(n=3, soon=None)
        session.set_state("a/f", "x", n=None, item=None)
        assert session.state("a/f", "x") == {}


def test_what_is_set_is_checked_against_the_declaration(engine, functions):
    sf.function("a/f", state={"n": int, "item": Item}, functions=functions)(lambda ctx, m: None)
    with pytest.raises(
        sf.ConversionError, match=r"state 'item' of a/f 'x': 5 \(int\) is not an Item"
    ):
        engine.set_state("a/f", "x", n=1, item=5)
    with pytest.raises(sf.ConversionTypeError, match="state 'n' of a/f 'x': 'a'"):
        engine.set_state("a/f", "x", n="a")
    with pytest.raises(sf.StateNameError, match=r"no state 'itm' .*did you mean 'item'"):
        engine.set_state("a/f", "x", itm=Item("a"))
    with pytest.raises(sf.StateNameError, match="no state 'id'"):
        engine.set_state("a/f", "x", id=None)
    with pytest.raises(sf.UnknownFunctionError, match="did you mean 'a/f'"):
        engine.set_state("a/ff", "x", n=1)
    assert engine.state("a/f") == {}
    engine.set_state("a/f", "x", n=None)  # what is not there is cleared already
    assert engine.state("a/f") == {}


@pytest.mark.parametrize(
    "first", [{"n": int}, {"n": sf.State(int, expire_after_write=timedelta(1))}]
)
def test_a_corrected_declaration_is_kept_in_the_file(functions, tmp_path, first):
    second = {"n": sf.State(str, expire_after_call=timedelta(hours=1))}
    path = tmp_path / "kept.db"
    sf.function("a/f", state=first, functions=functions)(lambda ctx, message: None)
    with sf.start(port=0, functions=functions, durable=path, clock="virtual") as session:
        session.send("a/f", "x", 1)
        session.wait_idle()

    @sf.function("a/f", state=second, functions=functions)
    def f(ctx, message):
        ctx.storage.n = "text"

    with sf.start(port=0, functions=functions, durable=path, clock="virtual") as session:
        session.send("a/f", "x", 1)
        session.wait_idle()
        assert session.parked == []
    with sf.start(port=0, functions=functions, durable=path, clock="virtual") as session:
        session.check("a/f", "x").state(n="text")
        session.advance(timedelta(hours=1))
        session.check("a/f", "x").state(n=None)


class Cart:
    def __repr__(self):
        raise AttributeError("no owner")


def test_a_value_that_cannot_be_shown_hides_only_itself(functions):
    carts = sf.simple_type(
        "s/cart", serialize_fn=lambda _: b"cart", deserialize_fn=lambda _: Cart()
    )

    @sf.function("s/keeps", state={"n": int, "cart": carts, "wagon": int}, functions=functions)
    def keeps(ctx, message):
        ctx.storage.n = message.value
        ctx.storage.cart = Cart()

    hidden = "<Cart that cannot be shown: AttributeError>"
    with sf.start(port=0, functions=functions) as session:
        session.send("s/keeps", "a", 7)
        session.wait_idle()
        state = session.state("s/keeps", "a")
        assert isinstance(state["cart"], Cart)
        assert repr(state) == f"{{'n': 7, 'cart': {hidden}}}"
        assert hidden in pretty(state)
        assert hidden in pretty(session.state("s/keeps"))
        assert hidden in repr(session.state("s/keeps"))
        assert hidden.replace("<", "&lt;")[:-1] in session.state("s/keeps")._repr_html_()
        assert f"'n': 7, 'cart': {hidden}"[:50] in repr(session.invocations)
        assert "Cart that cannot be shown" in session.invocations._repr_html_()
        assert hidden in repr(session.invocations[-1])
        with pytest.raises(sf.CheckFailed, match="state 'cart' is <Cart that cannot be shown"):
            session.check("s/keeps", "a").state(cart=Cart())
        with pytest.raises(sf.CheckFailed, match=r"it keeps {'n': 7, 'cart': <Cart that cannot"):
            session.check("s/keeps", "a").state(wagon=1)


def pretty(value):
    from IPython.lib.pretty import pretty

    return pretty(value)


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit(), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["post_init", "deserializer", "migrate"])
def test_what_leaves_a_deserializer_is_shown_in_the_place_of_the_value(functions, where, error):
    bad: list[bool] = []

    def read(_=b""):
        if bad:
            raise error
        return 1

    @dataclasses.dataclass
    class Cart:
        n: int = 1

        def __post_init__(self):
            if where == "post_init":
                read()
            if where == "migrate" and bad:
                raise ValueError("no more")

    kept: Any = Cart
    if where == "deserializer":
        kept = sf.simple_type("s/cart", serialize_fn=lambda _: b"1", deserialize_fn=read)
    elif where == "migrate":
        kept = sf.State(Cart, migrate=read)

    @sf.function("s/keeps", state={"cart": kept}, functions=functions)
    def keeps(ctx, message):
        assert not bad or ctx.storage.cart
        ctx.storage.cart = 1 if where == "deserializer" else Cart()

    with sf.start(port=0, functions=functions) as session:
        session.send("s/keeps", "a", 7)
        session.wait_idle()
        bad.append(True)
        looks = [
            lambda: session.state("s/keeps", "a"),
            lambda: session.state("s/keeps")["a"],
            lambda: session.invocations[-1].state_after,
            lambda: session.check("s/keeps", "a")._state,
        ]
        for look in looks:
            if isinstance(error, KeyboardInterrupt):  # it may be that of whoever looks
                with pytest.raises(KeyboardInterrupt):
                    look()
            else:
                assert isinstance(look()["cart"], Unreadable)
                assert type(error).__name__ in repr(look())
        session.replay()
        session.send("s/keeps", "a", 8)
        assert session.wait_idle().parked == 1
        assert type(error).__name__ in session.parked[0].reason
