"""What is written can be read, or is refused where it is written; the class counts."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import math
import re
import threading
import traceback
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NewType, Optional, TypedDict, TypeVar

import attrs
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.wrappers_pb2 import Int32Value, StringValue
from hypothesis import HealthCheck, given, settings
from pydantic import BaseModel, Field, PrivateAttr, SecretStr

import statefun_nb as sf
from statefun_nb.sdk.inference import type_of_class, type_of_value
from statefun_nb.sdk.messages import addressed
from statefun_nb.sdk.unreadable import StateValues
from tests.sdk import values
from tests.sdk.values import Color, Gift, Item, Line, Person, Point, everything, messages, persons

slow = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


def again(value: Any, cls: Any = None) -> Any:
    serializer = type_of_value(value, cls).serializer()
    return serializer.deserialize(serializer.serialize(value))


@slow
@given(everything | persons | messages | values.structs)
def test_a_value_of_any_of_these_classes_comes_back_as_it_was(value):
    read = again(value)
    assert type(read) is type(value)
    assert read == value


T = TypeVar("T")


@dataclasses.dataclass
class Holder(Generic[T]):
    held: T


@dataclasses.dataclass
class Box:
    real: float = 0.0
    anything: Any = None
    items: list[Item] = dataclasses.field(default_factory=list)
    bare: dict = dataclasses.field(default_factory=dict)  # type: ignore[type-arg]  # as users write
    when: dt.date | None = None
    count: int = 0
    hidden: int = dataclasses.field(default=1, init=False)


def test_what_is_not_equal_to_itself_comes_back():
    assert math.isnan(again(Box(real=math.nan)).real)
    assert math.copysign(1, again(Box(real=-0.0)).real) == -1
    assert math.isnan(again(person(score=math.nan)).score)
    amount = again(values.Plain(1.5))
    assert (type(amount), amount.n) == (values.Plain, 1.5)


def test_the_scalars_of_numpy_are_numbers():
    numpy = pytest.importorskip("numpy")

    measured_class = dataclasses.make_dataclass(
        "Measured",
        [
            ("n", int),
            ("real", float),
            ("exact", numpy.int64),
            ("on", bool),
            ("by", dict[int, float]),
        ],
    )
    measured = measured_class(
        numpy.int32(5), numpy.float32(0.5), numpy.int64(7), numpy.bool_(True), {numpy.int64(1): 2.0}
    )
    read = again(measured)
    assert read == measured
    assert type(read.exact) is numpy.int64
    assert type(read.n) is int
    with pytest.raises(sf.ConversionError, match=r"Box.anything: array"):
        again(Box(anything=numpy.zeros(2)))


def changed(value: Any, **fields: Any) -> Any:
    for name, each in fields.items():
        setattr(value, name, each)
    return value


REFUSED = {
    "another type": (Box(count="5"), "Box.count: '5' (str) would come back as 5 (int)"),  # type: ignore[arg-type]  # the mistakes
    "a part of a number": (Box(count=1.5), "Box.count: 1.5 (float) would come back as 1 (int)"),  # type: ignore[arg-type]
    "a tuple in a list": (
        Box(anything=[(1, 2)]),
        "Box.anything[0]: (1, 2) (tuple) would come back as [1, 2] (list)",
    ),
    "an undeclared class": (
        Box(anything=Decimal(1)),
        "Box.anything: Decimal('1') (Decimal) ",
    ),
    "no JSON": (Box(anything=object()), "Box.anything: <object object at"),
    "no item": (
        Box(items=[Item("a"), Point(1, 2)]),  # type: ignore[list-item]
        "Box.items[1]: Point(x=1, y=2) (Point) cannot be written as Item: Point is not an Item",
    ),
    "keys of a bare dict": (
        Box(bare={"a": {1: 2}}),
        "Box.bare['a']: the key 1 (int) would come back as text: annotate what the keys are",
    ),
    "no date": (Box(when="2020-01-01"), "Box.when: '2020-01-01' (str) cannot be written as"),  # type: ignore[arg-type]
    "a datetime": (
        Box(when=dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)),
        "could not be read again: when is no",
    ),
    "half a letter": (Item("\ud800"), "Item.sku: '\\ud800' (str) cannot be written as str"),
    "no argument": (changed(Box(), hidden=2), "Box.hidden: 2 (int) would come back as 1 (int)"),
    "itself": (changed(values.Node(1), next=...), "Node.next: Ellipsis (ellipsis) cannot be wri"),
    "a long value": (Box(anything={1: "x" * 1000}), "Box.anything: the key 1 (int)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_come_back_otherwise_is_refused_with_field_value_and_class(name):
    value, says = REFUSED[name]
    with pytest.raises(sf.ConversionError) as caught:
        type_of_value(value).serializer().serialize(value)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_key_that_json_makes_text_of_is_refused():
    tpe = type_of_class(dict)
    assert again({"a": [{"b": (1, 2)}]}) == {"a": [{"b": [1, 2]}]}  # JSON has no tuples
    for value, says in [
        ({1: "a"}, r"the key 1 \(int\) would come back as text: use text, or a dataclass"),
        ({"a": [{"b": {(1, 2): 3}}]}, r"\['a'\]\[0\]\['b'\]: the key \(1, 2\) \(tuple\) would"),
    ]:
        with pytest.raises(sf.ConversionError, match=says):
            tpe.serializer().serialize(value)


def test_a_value_that_holds_itself_is_refused():
    node = values.Node(1)
    node.next = node
    with pytest.raises(sf.ConversionError, match="a value that holds itself"):
        again(node)


def person(**fields: Any) -> Person:
    given: dict[str, Any] = {
        "userId": 1, "score": 1.0, "tags": "[1]", "born": dt.date(2000, 1, 1), "color": Color.RED,
        "by_int": {}, "lines": [], "token": "t", "written_as": 1, "pair": (1, "a"), "ids": set(),
    }  # fmt: skip
    return Person(**{**given, **fields})


def test_models_are_refused_where_pydantic_could_not_read_them():
    class Secret(BaseModel):
        token: SecretStr

    class Pairs(BaseModel):
        by_pair: dict[tuple[int, int], str]

    class Partly(BaseModel):
        left_out: int = Field(0, exclude=True)

    class Sized(BaseModel):
        n: int

    class Dear(Line):
        reason: str = ""

    class Order(BaseModel):
        lines: list[Line]

    broken = Sized(n=1)
    broken.n = "many"  # type: ignore[assignment]  # pydantic does not look
    for value, says in [
        (Secret(token="abc"), r"Secret.token: SecretStr\('\*+'\).*field_serializer"),  # type: ignore[arg-type]  # pydantic converts it
        (Pairs(by_pair={(1, 2): "a"}), "could not be read again: by_pair"),
        (Partly(left_out=5), r"Partly.left_out: 5 \(int\) would come back as 0"),
        (broken, "could not be read again: n: Input should be a valid integer"),
        (
            Order(lines=[Dear(unitPrice=Decimal(1))]),
            r"Order.lines\[0\]: Dear.* would come back as Line",
        ),
    ]:
        with pytest.raises(sf.ConversionError, match=says):
            again(value)
    assert again(Partly(left_out=0)) == Partly(left_out=0)
    with pytest.raises(sf.ConversionError, match="abc") as caught:
        again(changed(person(), by_int={"abc": 1}))
    assert "by_int" in str(caught.value)


class Counted(BaseModel):
    n: int
    _twice: int = PrivateAttr(0)
    _seen: int = PrivateAttr(0)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    def model_post_init(self, _context: object) -> None:
        self._twice = 2 * self.n


def test_what_is_private_of_a_model_is_refused_where_it_would_be_lost():
    read = again(Counted(n=1))
    assert (read._twice, read._seen) == (2, 0)
    with pytest.raises(sf.ConversionError, match=r"Counted._seen: 5 \(int\) would come back as 0"):
        again(changed(Counted(n=1), _seen=5))


@dataclasses.dataclass
class Hiding:
    n: int = 0
    cache: int = dataclasses.field(default=0, init=False, compare=False)
    tree: list[Hiding] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Open:
    n: int = 0


@dataclasses.dataclass
class HidingBelow(Open):
    """The class that a state declares hides nothing; this one, which stands in for it, does."""

    cache: int = dataclasses.field(default=0, init=False, compare=False)


@dataclasses.dataclass
class HoldsOpen:
    held: Open


@attrs.define
class OfAttrs:
    n: int
    cache: int = attrs.field(default=0, eq=False, init=False)


@pytest.mark.parametrize(
    ("declared", "value", "says"),
    [
        (Hiding, changed(Hiding(), cache=5), "Hiding.cache: 5 (int) would come back as 0"),
        (Hiding, Hiding(tree=[changed(Hiding(), cache=5)]), "Hiding.tree[0].cache: 5 (int)"),
        (list[OfAttrs], [changed(OfAttrs(1), cache=7)], "[0].cache: 7 (int) would come back as 0"),
        (Open, changed(HidingBelow(), cache=5), "Open.cache: 5 (int) would come back as 0"),
        (HoldsOpen, HoldsOpen(changed(HidingBelow(), cache=5)), "HoldsOpen.held.cache: 5 (int)"),
        (list[Open], [changed(HidingBelow(), cache=5)], "[0].cache: 5 (int)"),
        (Open | int, changed(HidingBelow(), cache=5), ".cache: 5 (int)"),
        (dict[str, deque[int]], {"a": deque([1], 3)}, "['a'].maxlen: 3 (int) would come back as N"),
    ],
    ids=str,
)
def test_what_equality_does_not_see_is_refused_where_it_would_be_lost(declared, value, says):
    with pytest.raises(sf.ConversionError, match=re.escape(says)):
        again(value, declared)


def test_what_equality_does_not_see_comes_back_where_it_is_the_default():
    assert again(Hiding(n=1, tree=[Hiding(2)])) == Hiding(1, [Hiding(2)])
    assert again([OfAttrs(1)], list[OfAttrs]) == [OfAttrs(1)]
    assert again(HoldsOpen(HidingBelow(2))) == HoldsOpen(HidingBelow(2))
    assert again({"a": deque([1])}, dict[str, deque[int]]) == {"a": deque([1])}


class Priced(TypedDict):
    price: int


@dataclasses.dataclass
class Label:
    text: Priced


@pytest.mark.parametrize(
    ("declared", "value"),
    [(list[Priced], [{"price": 1, "name": "hat"}]), (Label, Label({"price": 1, "name": "hat"}))],  # type: ignore[typeddict-unknown-key]  # the mistake
    ids=str,
)
def test_a_key_that_a_typed_dict_does_not_have_is_refused_where_state_is_written(
    functions, declared, value
):
    errors = []

    @sf.function("v/keep", state={"kept": declared}, functions=functions)
    def keep(ctx, message):
        try:
            ctx.storage.kept = value
        except sf.ConversionError as error:
            errors.append(str(error))

    with sf.start(port=0, functions=functions) as session:
        session.send("v/keep", "a", 1)
        session.wait_idle()
        with pytest.raises(sf.ConversionError, match="has 'name', which Priced does not have"):
            session.set_state("v/keep", "a", kept=value)
        assert session.state("v/keep", "a") == {}
    assert "has 'name', which Priced does not have" in errors[0]


@dataclasses.dataclass
class Tin:
    size: int = 0


@dataclasses.dataclass
class Jar:
    size: int = 0


KEYS: Any = {"price": 1, "name": "hat"}  # one more than Priced has


@pytest.mark.parametrize(
    ("declared", "value"),
    [(list[Priced], [KEYS]), (Priced, KEYS), (Label, Label(KEYS))],
    ids=str,
)
def test_a_key_that_a_typed_dict_does_not_have_is_refused_where_a_message_is_written(
    functions, declared, value
):
    @sf.function("v/sends", functions=functions)
    def sends(ctx, message):
        for send in (
            lambda: ctx.send("v/to", "a", value, type=declared),
            lambda: ctx.send_after(dt.timedelta(1), "v/to", "a", value, type=declared),
        ):
            with pytest.raises(sf.ConversionError, match=r"v/to 'a'.*'name', which Priced does"):
                send()

    with sf.start(port=0, functions=functions) as session:
        with pytest.raises(sf.ConversionError, match="has 'name', which Priced does not have"):
            session.send("v/to", "a", value, type=declared)
        session.send("v/sends", "a", 1)
        assert session.wait_idle().parked == 0
        assert len(session.invocations) == 1


def test_a_message_from_a_sender_that_is_ahead_is_read_all_the_same():
    ahead = sf.message_builder(
        "v/to", "a", value={"text": KEYS}, value_type=sf.make_json_type("v/label")
    )
    assert ahead.as_type(Label) == Label(KEYS)


@pytest.mark.parametrize("value", [Tin(1), Jar(2), "text", 3, 0.5, True], ids=str)
def test_a_union_is_read_as_the_member_that_the_typename_names(functions, value):
    found: list[Any] = []

    @sf.function("v/to", functions=functions)
    def takes(ctx, message):
        union = Tin | Jar | str | int | float | bool
        found.append((message.is_type(union), message.as_type(union)))

    with sf.start(port=0, functions=functions) as session:
        session.send("v/to", "a", value)
        assert session.wait_idle().parked == 0
    assert found == [(True, value)]
    assert type(found[0][1]) is type(value)


# The class counts.


class Order:
    @dataclasses.dataclass
    class Item:
        sku: str


class Invoice:
    @dataclasses.dataclass
    class Item:
        cents: int = 0


def test_two_classes_of_one_name_are_two_types():
    order, invoice = type_of_class(Order.Item), type_of_class(Invoice.Item)
    assert order.typename == "statefun_nb.json/Order.Item"
    assert invoice.typename == "statefun_nb.json/Invoice.Item"
    assert type_of_class(Item).typename == "statefun_nb.json/Item"
    message = sf.message_builder("a/f", "x", value=Order.Item("hat"), value_type=Order.Item)
    assert message.is_type(Order.Item)
    assert not message.is_type(Invoice.Item)
    assert message.as_type(Order.Item) == Order.Item("hat")


def test_types_of_classes_inside_of_functions_are_named_after_these():
    def one():
        @dataclasses.dataclass
        class Item:
            n: int

        return Item

    name = "test_types_of_classes_inside_of_functions_are_named_after_these.one.Item"
    assert type_of_class(one()).typename == f"statefun_nb.json/{name}"


@pytest.mark.parametrize(
    ("declared", "value", "says"),
    [
        (Item, Point(1, 2), r"Point\(x=1, y=2\) \(Point\) is not an Item"),
        (Item, 5, r"5 \(int\) is not an Item"),
        (Item, {"sku": "a"}, "is not an Item"),
        (Item, Person, "is not an Item"),
        (Order.Item, Invoice.Item(1), r"Invoice.Item\) is not an Order.Item"),
        (Person, Line(unitPrice=Decimal(1)), r"\(Line\) is not a Person"),
        (
            Item,
            dataclasses.make_dataclass("Item", [("sku", str)])("a"),
            "is not a tests.sdk.values.Item",
        ),
        (
            StringValue,
            Int32Value(value=1),
            "not a protobuf message google.protobuf.StringValue but a",
        ),
        (StringValue, "text", "is not a protobuf message google.protobuf.StringValue"),
    ],
)
def test_a_value_of_another_class_is_refused_wherever_the_class_is_said(declared, value, says):
    with pytest.raises(sf.ConversionTypeError, match=says):
        sf.message_builder("a/f", "x", value=value, value_type=declared)
    with pytest.raises(sf.ConversionTypeError, match=f"egress a/out: .*{says}"):
        sf.egress_message_builder("a/out", value, declared)
    with pytest.raises(sf.ConversionTypeError, match=says):
        sf.kafka_egress_message("a/out", "topic", value, declared)


def test_a_message_is_refused_with_its_address():
    with pytest.raises(
        sf.ConversionTypeError, match=r"message to a/f 'x': 5 \(int\) is not an Item"
    ):
        sf.message_builder("a/f", "x", value=5, value_type=Item)
    message = sf.message_builder("a/f", "x", value={"sku": 1}, value_type=dict)
    with pytest.raises(sf.ConversionError, match="message to a/f 'x': cannot be read as Point: x"):
        message.as_type(Point)


def test_an_instance_of_a_subclass_is_one_of_the_class_and_stays_what_it_is():
    gift = Gift("hat", "for you")
    assert again(gift, Item) == gift
    assert type(again(gift, Item)) is Gift


def redefined(*fields: Any, name: str = "Cart") -> Any:
    """What running a cell again makes: the same module and name, another class."""
    return dataclasses.make_dataclass(name, fields, namespace={"__module__": __name__})


def test_an_instance_of_an_earlier_definition_is_taken_where_it_fits():
    first: Any = redefined(("items", list[int]))
    second = redefined(("items", list[int]), ("owner", str, "nobody"))
    third = redefined(("items", list[int]), ("owner", str))
    assert type_of_class(first).typename == type_of_class(third).typename
    read = again(first([1]), second)
    assert (type(read), read) == (second, second([1], "nobody"))
    with pytest.raises(
        sf.ConversionTypeError, match=r"another definition of Cart.*owner is missin"
    ):
        again(first([1]), third)
    # Inside of another class, too, whose cell was not run again.
    carts = list.__class_getitem__(first)
    shop = redefined(("carts", carts), name="Shop")
    assert again(shop([first([1])]), shop) == shop([first([1])])
    same = redefined(("items", list[int]))
    assert again(shop([same([1])]), shop) == shop([first([1])])
    with pytest.raises(sf.ConversionError, match=r"Shop.carts\[0\].owner: 'bob' .* run that cell"):
        again(shop([second([1], "bob")]), shop)


def test_a_class_with_parameters_holds_what_they_say():
    tpe = type_of_class(Holder[Decimal])
    assert tpe.typename == "statefun_nb.json/Holder"
    assert again(Holder(Decimal("1.10")), Holder[Decimal]) == Holder(Decimal("1.10"))
    with pytest.raises(sf.ConversionError, match="come back as"):
        again(Holder("1.10"), Holder[Decimal])
    with pytest.raises(sf.ConversionError, match=r"has: Holder is generic: say of what .*\[int\]"):
        again(Holder(1))


# What the present class cannot read.


def test_what_cannot_be_read_says_which_fields_and_why():
    serializer = type_of_class(Box).serializer()
    with pytest.raises(sf.ConversionError) as caught:
        serializer.deserialize(b'{"items": [{"sku": "a"}, {}], "when": "soon"}')
    text = str(caught.value)
    assert text.startswith("cannot be read as Box: items[1].sku is missing; when is not a ")
    for data in (b"", b"{", b"[]", b"null", b"\xff"):
        with pytest.raises(sf.ConversionError, match="cannot be read as Box: "):
            serializer.deserialize(data)
    with pytest.raises(sf.ConversionError, match="as Line: unitPrice is missing"):
        type_of_class(Line).serializer().deserialize(b"{}")
    with pytest.raises(sf.ConversionError, match=r"as google.protobuf.Duration: "):
        type_of_class(Duration).serializer().deserialize(b"\xff")


def test_what_was_written_without_tags_is_read_by_its_fields():
    @dataclasses.dataclass
    class Holder:
        either: Point | Item | None

    read = type_of_class(Holder).serializer().deserialize
    assert read(b'{"either": {"sku": "a"}}') == Holder(Item("a"))
    assert read(b'{"either": {"x": 1, "y": 2}}') == Holder(Point(1, 2))
    assert read(b'{"either": null}') == Holder(None)
    with pytest.raises(sf.ConversionError, match="either"):
        read(b'{"either": {"z": 1}}')


def test_an_annotation_that_names_nothing_known_is_said():
    @dataclasses.dataclass
    class Later:
        what: Undefined  # type: ignore[name-defined]  # noqa: F821 - the mistake

    with pytest.raises(sf.ConversionError, match="annotation of Later names 'Undefined', which is"):
        again(Later(1))


def test_a_message_of_another_kind_is_told_to_be_asked_first():
    message = sf.message_builder("a/f", "x", str_value="hi")
    with pytest.raises(sf.ConversionError) as told:
        message.as_type(Item)
    assert str(told.value).startswith("message to a/f 'x': cannot be read as Item: ")
    assert str(told.value).endswith(
        "; it is of the type io.statefun.types/string: ask message.is_type(...) first"
    )


NO_TEXT: Any = 7


@pytest.mark.parametrize("wrong", [Item(NO_TEXT), Person])
def test_what_is_told_of_a_value_is_a_line_and_no_pages_of_a_library(wrong):
    with pytest.raises(sf.ConversionError) as told:
        sf.message_builder("a/f", "x", value=wrong, value_type=Item)
    lines = "".join(traceback.format_exception(told.value))
    assert "cattrs" not in lines
    assert "ExceptionGroup" not in lines


def test_an_attribute_of_what_is_kept_is_told_to_be_an_item():
    values = StateValues(n=1)
    with pytest.raises(AttributeError, match=r"write \['n'\], not .n"):
        values.n  # noqa: B018
    with pytest.raises(AttributeError, match="has no attribute 'm'"):
        values.m  # noqa: B018
    assert copy.deepcopy(values) == values


# Containers and unions.

Id = NewType("Id", str)
CONTAINERS: list[tuple[Any, Any]] = [
    (list[Item], [Item("hat"), Gift("cap", "for you")]),
    (list[int], [1, 2, 3]),
    (dict[str, Item], {"a": Item("hat")}),
    (dict[int, str], {1: "a"}),
    (dict[Color, list[Decimal]], {Color.RED: [Decimal("1.10")]}),
    (tuple[int, ...], (1, 2)),
    (tuple[str, Item], ("a", Item("hat"))),
    (set[int], {1, 2}),
    (frozenset[str], frozenset({"a"})),
    (Item | int, Item("hat")),
    (Item | int, 5),
    (list[Item | None], [Item("hat"), None]),
    (list[dict[str, tuple[int, int]]], [{"a": (1, 2)}]),
    (list[Line], [Line(unitPrice=Decimal("1.5"))]),
    (list[Duration], [Duration(seconds=5)]),
    (list[Id], ["a"]),
    (list[Any], [1, "a", {"b": None}]),
    (list[list[Any]], [[1], ["a"]]),
    (Literal["on", "off"], "on"),
    (Counter[str], Counter("aab")),
    (list[None], [None]),
    (Holder[int] | Item, Holder(1)),
    (Holder[int] | Item, Item("hat")),
    (OrderedDict[str, int], OrderedDict(b=1, a=2)),
    (OrderedDict[int, Item], OrderedDict({1: Item("hat")})),
    (defaultdict[str, list[int]], defaultdict(list, a=[1])),
    (defaultdict[int, int], defaultdict(int, {1: 1})),
]


@pytest.mark.parametrize(("declared", "value"), CONTAINERS, ids=str)
def test_a_container_comes_back_as_what_it_was_in_state_and_message(functions, declared, value):
    read = []

    @sf.function("v/keep", state={"kept": declared}, functions=functions)
    def keep(ctx, message):
        read.append(message.as_type(declared))
        ctx.storage.kept = read[0]
        read.append(ctx.storage.kept)

    with sf.start(port=0, functions=functions) as session:
        session.send("v/keep", "a", value, type=declared)
        session.wait_idle()
        assert session.parked == []
        read.append(session.state("v/keep", "a")["kept"])
    assert read == [value] * 3
    assert {type(each) for each in read} == {type(value)}


def test_without_none_a_container_is_what_it_is_of():
    assert type_of_class(int | None) is sf.LongType
    assert type_of_class(Optional[Item]) is type_of_class(Item)  # noqa: UP045 - as users write
    assert type_of_class(Annotated[int, "visits"]) is sf.LongType
    assert type_of_class(Id) is sf.StringType
    assert type_of_class(list[int]).typename == type_of_class(list).typename


@pytest.mark.parametrize(
    ("declared", "value", "says"),
    [
        (list[int], ["a"], r"could not be read again: \[0\] is not an int"),
        (list[int], ["5"], r"\[0\]: '5' \(str\) would come back as 5"),
        (list[int], (1,), r"\(1,\) \(tuple\) is not a list"),
        (list[Item], [5], r"\[0\]: 5 \(int\) cannot be written as Item"),
        (list[Item], [Point(1, 2)], r"\[0\]: .* cannot be written as Item: Point is not an Item"),
        (dict[str, Item], {"a": 5}, r"\['a'\]: 5 \(int\) cannot be written as Item"),
        (dict[str, int], [], r"\[\] \(list\) is not a dict"),
        (tuple[int, ...], (1, "a"), r"could not be read again: .*is not an int"),
        (Item | int, "a", "str is none of Item, int"),
        (Literal["on", "off"], "no", "could not be read again"),
    ],
    ids=str,
)
def test_an_item_of_another_type_is_refused_where_it_is_written(declared, value, says):
    with pytest.raises(sf.ConversionError, match=says):
        type_of_class(declared).serializer().serialize(value)


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        (
            list[object],
            r"list\[object\]: .*object.* cannot be written as JSON: make it a dataclass",
        ),
        (dict[str, threading.Thread], "Thread.* cannot be written as JSON"),
        (list["Item"], r"names Item in quotes: write the class itself"),
        (list[T], "cannot be written as JSON"),  # type: ignore[valid-type]  # the mistake
        (Holder, r"Holder is generic: say of what it is one, such as Holder\[int\]"),
        (list[Holder], r"Holder is generic"),  # type: ignore[type-arg]  # the mistake
        (Any | Item, "Any is also what the others are, .*: leave Any out"),
        (list[int] | list[str], r"does not tell one list from the other: write one list\[...\] wi"),
        (dict[str, list[int] | list[str]], "does not tell one list from the other"),
        (set, r"set alone has no StateFun type: say what is in it, such as set\[str\]"),
        (tuple, r"tuple alone has no StateFun type: .* such as tuple\[int, str\]"),
        (Counter, r"Counter alone would come back as a dict: say what is in it, such as Counter"),
        (OrderedDict, r"such as OrderedDict\[str, int\]"),
        (defaultdict, r"such as defaultdict\[str, int\]"),
    ],
    ids=str,
)
def test_what_no_item_can_be_is_refused_when_it_is_declared(declared, says):
    with pytest.raises(sf.DeclarationTypeError, match=says):
        sf.State(declared)
    with pytest.raises(sf.DeclarationTypeError, match=says):
        sf.function("v/f", state={"kept": declared})(lambda ctx, message: None)


async def call() -> int:
    return 1


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([Item("hat")], "say what is in it: type=list[Item] where it is sent, and as the type of"),
        ({"a": [Item("hat"), None]}, "type=dict[str, list[Item | None]] where"),
        ({1, 2}, "type=set[int] where"),
        ((1, "a"), "type=tuple[int | str, ...] where"),
        ([(Line(unitPrice=Decimal(1)),)], "type=list[tuple[Line, ...]] where"),
        ({"a": [call()]}, "did you forget `await`?"),
    ],
    ids=["list", "dict", "set", "tuple", "within", "coroutine"],
)
def test_what_plain_json_cannot_hold_says_what_to_declare(value, says):
    with pytest.raises(sf.ConversionTypeError, match=re.escape(says)):
        again(value)


@pytest.mark.parametrize(
    "value", [[threading.Lock()], [1, "a", None, 1.5, {1}]], ids=["lock", "many"]
)
def test_no_type_is_made_up_where_none_would_help(value):
    with pytest.raises(sf.ConversionTypeError, match=r"JSON serializable$"):
        again(value)


def test_what_is_said_to_declare_brings_it_back():
    assert again([Item("hat")], list[Item]) == [Item("hat")]
    assert again({"a": [Item("hat"), None]}, dict[str, list[Item | None]]) == {
        "a": [Item("hat"), None]
    }
    assert again((1, "a"), tuple[int | str, ...]) == (1, "a")


def test_a_forgotten_await_is_said_of_what_a_record_is_made_of():
    for make in (
        lambda: sf.kafka_egress_message("a/out", "t", call()),  # type: ignore[call-overload]  # the mistake
        lambda: sf.kafka_egress_message("a/out", "t", "v", key=call()),  # type: ignore[call-overload]
        lambda: sf.kinesis_egress_message("a/out", "t", call(), "k"),  # type: ignore[call-overload]
        lambda: sf.egress_message_builder("a/out", call(), sf.StringType),  # type: ignore[misc]
        lambda: sf.message_builder("a/f", "x", str_value=call()),  # type: ignore[call-overload]
    ):
        with pytest.raises(sf.ConversionTypeError, match="did you forget `await`"):
            make()


def test_a_class_deletes_a_value_with_clear(functions):
    class Counts(sf.StatefulFunction):
        n = sf.State(int)

        def invoke(self, ctx, message):
            self.n.set(None)  # type: ignore[arg-type]  # the mistake

    sf.function("a/counts", functions=functions)(Counts)
    with sf.start(port=0, functions=functions) as session:
        session.send("a/counts", "x", 1)
        session.wait_idle()
        assert "to delete it write self.n.clear()" in session.parked[0].reason


@pytest.mark.parametrize(
    "value",
    [Item("hat"), {"a": 1}, {"sku": "hat"}, [1], [], 5, "a", True, 1.5],
    ids=repr,
)
@pytest.mark.parametrize(
    "wanted",
    [list[Item], list[int], dict[str, int], Item | Line, Item | int, Literal["a"]],
    ids=str,
)
def test_a_message_is_of_a_container_or_a_union_exactly_where_it_can_be_read_as_one(value, wanted):
    target, typed = addressed("a/b", "x", value)
    message = sf.Message(target.typename, target.id, typed)
    try:
        read = message.as_type(wanted)
    except sf.ConversionError:
        assert not message.is_type(wanted)
    else:
        assert read is not None
        assert message.is_type(wanted)


def test_a_message_is_asked_for_what_it_carries():
    def message(value: Any, type: Any = None) -> sf.Message:
        return sf.Message("a/b", "x", addressed("a/b", "x", value, type)[1])

    assert message(Item("hat")).is_type(Item | Line)  # type: ignore[arg-type]  # as users write
    assert message([Item("hat")], list[Item]).is_type(list[Item])
    assert not message({"a": 1}).is_type(list[Item])
    assert not message(5).is_type(list[Item])
    assert message({"a": 1}).is_type(dict)
