"""Classes with fields of every kind that can be kept, and strategies that make values of them."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import math
import uuid
from decimal import Decimal
from typing import Any, Literal, NewType, Optional, Union

from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, Json, SecretStr, computed_field, field_serializer

Sku = NewType("Sku", str)


class Color(enum.Enum):
    RED = 1
    BLUE = "blue"


class Size(str, enum.Enum):
    SMALL = "s"
    LARGE = "l"


class Rgb(enum.Enum):
    RED = (255, 0, 0)
    BLUE = (0, 0, 255)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Right(enum.Flag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: int


@dataclasses.dataclass
class Node:
    value: int
    next: Optional[Node] = None  # noqa: UP045 - both ways of writing it


@dataclasses.dataclass
class Item:
    sku: str


@dataclasses.dataclass
class Gift(Item):
    note: str = ""


@dataclasses.dataclass
class Wrapped(Gift):
    paper: Color = Color.RED


@dataclasses.dataclass
class Ship:
    sku: str  # as Item's: nothing but its class tells it from one


@dataclasses.dataclass(eq=False)
class Plain:
    n: float

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and self.n == other.n

    __hash__ = None  # type: ignore[assignment]  # it can change


@dataclasses.dataclass
class Everything:
    decimal: Decimal
    uid: uuid.UUID
    date: dt.date
    time: dt.time
    duration: dt.timedelta
    moment: dt.datetime
    color: Color
    size: Size
    rgb: Rgb
    level: Level
    right: Right
    ints: set[int]
    points: frozenset[Point]
    pair: tuple[int, str]
    many: tuple[Decimal, ...]
    data: bytes
    node: Node
    maybe: Color | None
    either: Item | Ship | None
    number: Union[int, str, Decimal]  # noqa: UP007 - both ways of writing it
    shape: list[int] | dict[str, int] | Item
    named: Sku | float | Point | None
    few: Literal["a", 1] | Item
    literal: Literal["a", "b", 1]
    items: list[Item]
    by_int: dict[int, str]
    by_pair: dict[tuple[int, Color], Point]
    by_color: dict[Color, int]
    by_size: dict[Size, int]
    by_point: dict[Point, int]
    by_bool: dict[bool, int]
    by_date: dict[dt.date, int]
    by_maybe: dict[int | None, int]
    by_either: dict[int | str, int]
    by_sku: dict[Sku, int]
    counts: collections.Counter[int]
    lists: collections.defaultdict[int, list[int]]
    ordered: collections.OrderedDict[str, int]
    queue: collections.deque[int]
    plain: Plain
    real: float
    flag: bool
    json: Any
    text: str = ""
    label: Sku = Sku("")


class Line(BaseModel):
    unit_price: Decimal = Field(alias="unitPrice")


class Person(BaseModel):
    model_config = ConfigDict(extra="forbid")

    user_id: int = Field(alias="userId")
    score: float
    tags: Json[list[int]]
    born: dt.date
    color: Color
    by_int: dict[int, str]
    lines: list[Line]
    token: SecretStr
    written_as: int = Field(serialization_alias="writtenAs")
    pair: tuple[int, str]
    ids: set[uuid.UUID]

    @computed_field
    def twice(self) -> int:
        return self.user_id * 2

    @field_serializer("token", when_used="json")
    def reveal(self, token: SecretStr) -> str:
        return token.get_secret_value()


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
ints = st.integers(-(2**70), 2**70)
reals = st.floats(allow_nan=False)
plain_json = st.recursive(
    st.none() | st.booleans() | ints | reals | text,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(text, each, max_size=3),
    max_leaves=5,
)
points = st.builds(Point, ints, ints)
nodes = st.recursive(st.builds(Node, ints), lambda each: st.builds(Node, ints, each), max_leaves=4)
items = (
    st.builds(Item, text)
    | st.builds(Gift, text, text)
    | st.builds(Wrapped, text, text, st.sampled_from(Color))
)
decimals = st.decimals(allow_nan=False)
moments = st.datetimes() | st.datetimes(timezones=st.just(dt.timezone(dt.timedelta(hours=2))))


def mapping(keys: Any) -> Any:
    return st.dictionaries(keys, st.integers(), max_size=3)


everything = st.builds(
    Everything,
    decimal=decimals,
    uid=st.uuids(),
    date=st.dates(),
    time=st.times(),
    duration=st.timedeltas(),
    moment=moments,
    color=st.sampled_from(Color),
    size=st.sampled_from(Size),
    rgb=st.sampled_from(Rgb),
    level=st.sampled_from(Level),
    right=st.sampled_from([Right.READ, Right.WRITE, Right.READ | Right.WRITE]),
    ints=st.sets(ints, max_size=3),
    points=st.frozensets(points, max_size=3),
    pair=st.tuples(ints, text),
    many=st.lists(decimals, max_size=3).map(tuple),
    data=st.binary(max_size=20),
    node=nodes,
    maybe=st.none() | st.sampled_from(Color),
    either=st.none() | items | st.builds(Ship, text),
    number=ints | text | decimals,
    shape=st.lists(ints, max_size=3) | mapping(text) | items,
    named=st.none() | text | reals | st.integers() | points,
    few=st.sampled_from(["a", 1]) | items,
    literal=st.sampled_from(["a", "b", 1]),
    items=st.lists(items, max_size=4),
    by_int=st.dictionaries(ints, text, max_size=3),
    by_pair=st.dictionaries(st.tuples(ints, st.sampled_from(Color)), points, max_size=3),
    by_color=mapping(st.sampled_from(Color)),
    by_size=mapping(st.sampled_from(Size)),
    by_point=mapping(points),
    by_bool=mapping(st.booleans()),
    by_date=mapping(st.dates()),
    by_maybe=mapping(st.none() | ints),
    by_either=mapping(ints | text),
    by_sku=mapping(text),
    counts=st.lists(ints, max_size=4).map(collections.Counter),
    lists=st.dictionaries(ints, st.lists(ints, max_size=2), max_size=2).map(
        lambda found: collections.defaultdict(list, found)
    ),
    ordered=mapping(text).map(collections.OrderedDict),
    queue=st.lists(ints, max_size=3).map(collections.deque),
    plain=st.builds(Plain, reals),
    real=reals,
    flag=st.booleans(),
    json=plain_json,
    text=text,
    label=text,
)


def _person(**fields: Any) -> Person:
    return Person(userId=fields.pop("user_id"), **fields)


persons = st.builds(
    _person,
    user_id=ints,
    score=reals | st.sampled_from([math.inf, -math.inf]),
    tags=st.lists(st.integers(), max_size=3).map(str),
    born=st.dates(),
    color=st.sampled_from(Color),
    by_int=st.dictionaries(ints, text, max_size=3),
    lines=st.lists(st.decimals(allow_nan=False, allow_infinity=False), max_size=3).map(
        lambda prices: [Line(unitPrice=price) for price in prices]
    ),
    token=text,
    written_as=ints,
    pair=st.tuples(ints, text),
    ids=st.sets(st.uuids(), max_size=2),
)


def _struct(found: dict[str, Any]) -> Struct:
    made = Struct()
    made.update(found)
    return made


messages = st.builds(Duration, seconds=st.integers(0, 1000), nanos=st.integers(0, 10**9 - 1))
structs = st.dictionaries(text, st.booleans() | text | reals, max_size=3).map(_struct)
