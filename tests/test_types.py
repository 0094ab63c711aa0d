"""Python types as schemas: sampled texts parse into objects of the type, what pydantic writes is accepted, refusals by name."""

# ruff: noqa: UP007, UP045 - the old spellings of unions are among the types tested

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import ipaddress
import json
import re
import subprocess
import sys
import typing
import uuid
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Optional, TypeVar, Union

import pytest

import constrain
from constrain.extraction import Extractor
from constrain.frontends.json_schema.types import read_type
from constrain.generate import LanguageModel

pydantic = pytest.importorskip("pydantic", reason="pydantic is not installed")
import typing_extensions  # noqa: E402 - comes with pydantic
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter  # noqa: E402
from pydantic.alias_generators import to_camel  # noqa: E402

SEEDS = 40

Size = enum.Enum("Size", {"SMALL": "s", "ONE": 1, "NONE": None})
Level = enum.IntEnum("Level", {"LOW": 1, "HIGH": 5})
Mixed = enum.Enum("Mixed", {"PAIR": (1, 2), "WORD": "w"})
Colour = enum.Enum("Colour", {"RED": "red", "BLUE": "blue"}, type=str)
UserId = NewType("UserId", int)
T = TypeVar("T")


class Pair(NamedTuple):
    left: int
    right: str = "x"


class Box(BaseModel, Generic[T]):
    content: T
    more: list[T] = []


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: Annotated[int, Field(ge=0, le=9)]


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Tree(BaseModel):
    value: int
    children: list[Tree] = []


class Named(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    unit: str = Field(alias="the unit")
    price: float = Field(validation_alias=pydantic.AliasChoices("price EUR", "price"))


class Trimmed(BaseModel):
    model_config = ConfigDict(str_strip_whitespace=True, str_min_length=2)
    word: str


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, int]
    first: bool


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    count: int
    ratio: float
    day: dt.date
    pair: tuple[int, str]
    size: Size
    data: bytes
    amount: decimal.Decimal


class Spelt(BaseModel):
    model_config = ConfigDict(val_json_bytes="base64", ser_json_bytes="base64", ser_json_timedelta="float", regex_engine="python-re")
    data: bytes
    span: dt.timedelta
    code: str = Field(pattern=r"^(?!ab)[a-c]{2}(?=d)d$")


class Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", use_enum_values=True)
    big_name: Size
    old_name: int | None = None

    @pydantic.computed_field
    @property
    def twice(self) -> int:
        return 2


class Input(BaseModel):
    first: Annotated[int, pydantic.BeforeValidator(lambda v: v, json_schema_input_type=Union[int, Literal["5"]])]
    second: Annotated[int, pydantic.PlainValidator(lambda v: int(v), json_schema_input_type=int)]


@dataclasses.dataclass(kw_only=True)
class Initial:
    a: int
    b: dataclasses.InitVar[int] = 3
    c: typing.ClassVar[int] = 4


@dataclasses.dataclass
class Crate(Generic[T]):
    content: T


class Numbers(pydantic.RootModel[list[int]]):
    pass


class ByName(BaseModel):
    model_config = ConfigDict(validate_by_alias=False, validate_by_name=True)
    unit: int = Field(alias="other")


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.5
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Path:
    start: Point
    next: Optional[Path] = None


@pydantic.dataclasses.dataclass
class Checked:
    size: int = Field(ge=3)


class Label(typing.TypedDict, total=False):
    text: typing_extensions.Required[str]
    rank: int


class Line(typing.TypedDict):
    label: Label
    note: typing_extensions.NotRequired[str]


class Titled(Label):
    title: str


class ModernLabel(typing_extensions.TypedDict):
    text: str


@dataclasses.dataclass
class Sheet:
    lines: list[Line]
    byname: dict[str, Label]


def at(**bounds: Any) -> Any:
    return Field(**bounds)


NOON, NEW_YEAR = dt.time(12), dt.datetime(2020, 1, 1)
IN_TEHRAN = dt.datetime(2020, 5, 6, 7, 8, 9, tzinfo=dt.timezone(dt.timedelta(hours=3, minutes=30)))
TYPES: list[Any] = [
    int, float, str, bool, type(None), list[int], dict[str, int], tuple[int, str], tuple[int, ...], tuple[()], list, dict,
    Optional[int], Union[int, str, None], int | float, Literal["a", 1, True, None], Any, UserId, list[UserId], Pair, object,
    collections.deque[int], typing.Sequence[int], typing.Mapping[str, int], collections.OrderedDict[str, int],
    collections.defaultdict[str, int], collections.Counter[str], typing_extensions.TypeAliasType("Ints", list[int]),
    Size, Level, Colour, Mixed, Literal[Level.LOW], list[Size], frozenset[Colour], set[Literal["a", "b"]], set[tuple[int, str]],
    Box[int], Box, Box[Box[str]], Annotated[Union[Cat, Dog], Field(discriminator="kind")], Union[Cat, Dog, int], Tree, Named,
    Trimmed, Open, Strict, Spelt, Camel, Input, Initial, Crate[int], pydantic.RootModel[dict[str, Tree]], Numbers, ByName, Point, Path, Checked, list[Path], Label, Line, Titled, ModernLabel, Sheet, list[Line],
    Optional[Label], dict[str, list[Line]], Annotated[list[Line], Field(max_length=2)],
    Annotated[int, at(gt=3, multiple_of=5)], Annotated[float, at(gt=0, lt=1)], Annotated[float, at(multiple_of=0.1)],
    Annotated[float, at(allow_inf_nan=False)], Annotated[list[int], at(min_length=2, max_length=3)], pydantic.StrictInt,
    pydantic.conint(ge=1, le=3), pydantic.constr(min_length=2, max_length=5, pattern="^[a-z]+$"),
    pydantic.constr(strip_whitespace=True, min_length=3), pydantic.constr(to_lower=True, pattern="^[A-Z]+$"), pydantic.FiniteFloat,
    decimal.Decimal, Annotated[decimal.Decimal, at(max_digits=5, decimal_places=2)], Annotated[decimal.Decimal, at(gt=0)],
    Annotated[decimal.Decimal, at(ge=1, lt=3)], pydantic.condecimal(max_digits=3), pydantic.condecimal(max_digits=2, decimal_places=2),
    pydantic.condecimal(multiple_of=decimal.Decimal("0.25"), max_digits=4, decimal_places=2), fractions.Fraction, complex,
    dt.date, dt.datetime, dt.time, dt.timedelta, pydantic.NaiveDatetime, pydantic.AwareDatetime, pydantic.PastDate,
    pydantic.FutureDate, pydantic.PastDatetime, pydantic.FutureDatetime, Annotated[dt.date, at(ge=dt.date(2019, 12, 30))],
    Annotated[dt.date, at(gt=dt.date(2019, 12, 30), lt=dt.date(2020, 2, 2))], Annotated[dt.datetime, at(lt=NEW_YEAR)],
    Annotated[dt.datetime, at(ge=NEW_YEAR, le=NEW_YEAR + dt.timedelta(seconds=3, microseconds=7))],
    Annotated[dt.datetime, at(gt=IN_TEHRAN)], Annotated[dt.datetime, at(gt=IN_TEHRAN, lt=IN_TEHRAN + dt.timedelta(seconds=9))], Annotated[dt.time, at(lt=NOON)], Annotated[dt.time, at(gt=dt.time(11, 59, 8), le=NOON)],
    uuid.UUID, pydantic.UUID1, pydantic.UUID4, bytes, pydantic.conbytes(min_length=2, max_length=4), pydantic.Base64Bytes,
    pydantic.Base64Str, pydantic.Base64UrlBytes, pydantic.Base64UrlStr, pydantic.ByteSize, pydantic.SecretStr, pydantic.JsonValue,
    pydantic.AnyUrl, pydantic.HttpUrl, pydantic.FileUrl, pydantic.WebsocketUrl, pydantic.PostgresDsn, pydantic.MongoDsn,
    ipaddress.IPv4Address, ipaddress.IPv6Address, ipaddress.IPv4Network, ipaddress.IPv6Network, ipaddress.IPv4Interface,
    ipaddress.IPv6Interface, pydantic.IPvAnyAddress, pydantic.IPvAnyInterface, pydantic.IPvAnyNetwork,
    dict[int, str], dict[float, int], dict[bool, int], dict[dt.date, int], dict[uuid.UUID, int], dict[decimal.Decimal, int],
    dict[Colour, int], dict[Literal["a", "b"], int], dict[Annotated[int, at(gt=0)], int], dict[Annotated[int, at(ge=3, lt=9)], int],
    dict[Annotated[str, at(pattern="^a+$")], int], dict[Optional[int], int], Annotated[dict[str, int], at(min_length=1, max_length=2)],
    *(Annotated[str, at(pattern=pattern)] for pattern in (
        r"^\d+\w\s$", r"^\W\D\S\s$", r"^[^\w][^\d][^\s][\W\D\S\s]$", r"\bfoo\b", "^.{3}$", "(?i)^stra.e$", "^[]a]+$", r"^\pL\x{41}$",
        r"\Aab\z",
    )),
    *(Annotated[str, at(pattern=re.compile(pattern, re.I))] for pattern in (r"^(?!\w).\Z", r"(?=.*\d)^\S+$")),
]  # fmt: skip


def compiled(kind: Any) -> tuple[Any, constrain.Expr]:
    answer = read_type(kind)
    return answer, constrain.json_schema(answer.schema, whitespace="compact")


def names_of(kinds: list[Any]) -> list[str]:
    return [f"{i}-{str(kind)[:40]}" for i, kind in enumerate(kinds)]


@pytest.mark.parametrize("kind", TYPES, ids=names_of(TYPES))
def test_every_text_parses_into_an_object_of_the_type(kind):
    answer, expr = compiled(kind)
    for seed in range(SEEDS):
        answer.parse(expr.sample(seed))
    if isinstance(kind, type) and issubclass(kind, (BaseModel, enum.Enum, Point, dt.date, dt.timedelta, uuid.UUID, decimal.Decimal)):
        assert isinstance(answer.parse(expr.sample(0)), kind)


SETS: list[Any] = [
    set[int], set[str], frozenset[bool], set, Annotated[set[int], at(min_length=2, max_length=3)], set[dt.date],
    frozenset[frozenset[int]], Annotated[set[str], at(max_length=4)],
]  # fmt: skip


@pytest.mark.parametrize("kind", SETS, ids=names_of(SETS))
def test_sets(kind):
    answer, expr = compiled(kind)
    for seed in range(SEEDS):
        assert isinstance(answer.parse(expr.sample(seed)), (set, frozenset))


WRITTEN: list[Any] = [
    Tree, Box[int], Point, Sheet, list[Line], Size, Level, tuple[int, str], dict[int, str], dict[dt.date, int], dt.date, dt.datetime,
    dt.time, dt.timedelta, pydantic.NaiveDatetime, pydantic.AwareDatetime, uuid.UUID, decimal.Decimal, complex, bytes, Pair,
    Annotated[decimal.Decimal, at(max_digits=5, decimal_places=2)], pydantic.HttpUrl, pydantic.Base64Bytes, ipaddress.IPv4Network,
    ipaddress.IPv6Interface, ipaddress.IPv6Network, fractions.Fraction, Open,
]  # fmt: skip


@pytest.mark.parametrize("kind", WRITTEN, ids=names_of(WRITTEN))
def test_what_pydantic_writes_is_accepted(kind):
    """So the narrowing took nothing from the usual spellings."""
    answer, expr = compiled(kind)
    writer = TypeAdapter(Any if kind in (Sheet, list[Line]) else kind)  # those hold TypedDicts of typing
    for seed in range(SEEDS):
        text = writer.dump_json(answer.parse(expr.sample(seed)), by_alias=True).decode()
        if "null" not in text:  # 1e999 is read as infinite, and that is written so
            assert expr.matches(text), text


def test_examples_by_hand():
    cases: list[tuple[Any, list[str], list[str]]] = [
        (Named, ['{"the unit":"kg","price EUR":2.5}'], ['{"unit":"kg","price EUR":2.5}', '{"the unit":"kg","price":2.5}']),
        (Point, ['{"x":1}', '{"x":1,"y":2,"tags":["a"]}'], ["{}", '{"x":1,"z":2}']),
        (Line, ['{"label":{"text":"a"}}'], ['{"label":{}}', '{"label":{"text":"a"},"other":1}']),
        (dt.datetime, ['"2020-02-29T10:20:30"', '"2020-02-29T10:20:30.5+02:00"'], ['"2021-02-29T10:20:30Z"', '"2020-02-29T23:59:60Z"']),
        (Annotated[dt.date, at(gt=dt.date(2020, 1, 1))], ['"2020-01-02"', '"3000-01-01"'], ['"2020-01-01"', '"0999-12-31"']),
        (Annotated[dt.time, at(le=NOON)], ['"12:00:00"', '"11:59:59.9"'], ['"12:00:00.1"', '"12:00:01"']),
        (decimal.Decimal, ["1.5", '"1.50"'], ['"x"', '""']),
        (Annotated[float, at(lt=1)], ["0.99"], ["1", "0.999999999999999999999"]),
        (ipaddress.IPv4Network, ['"10.0.0.0/8"', '"192.168.1.128/25"'], ['"10.0.0.1/8"', '"192.168.1.128/24"']),
        (dict[int, int], ['{"-3":1}'], ['{"03":1}', '{"x":1}']),
        (Mixed, ['"w"'], ["[1,2]"]),
        (Open, ['{"first":true,"more":3}'], ['{"first":true,"more":"x"}']),
    ]
    for kind, good, bad in cases:
        answer, expr = compiled(kind)
        for text in good:
            assert expr.matches(text), (kind, text)
            answer.parse(text)
        assert [text for text in bad if expr.matches(text)] == [], kind


def test_numbers_are_read_as_json_schema_means_them():
    assert read_type(pydantic.StrictInt).parse("7.0") == 7
    assert read_type({}).parse('[7.0, 1e2, 0.5, 161698584129487386889668964215010.0]') == [7, 100, 0.5, 161698584129487386889668964215010]
    assert isinstance(read_type({}).parse("7.0"), int)


REFUSED: list[tuple[Any, str]] = [
    (pydantic.Json[int], "Json"), (pydantic.FilePath, "FilePath"), (pydantic.ImportString, "ImportString"), (type[int], "a class as a value"),
    (typing.Callable[[int], int], "callable"), (re.Pattern, "regex"), (dict[tuple[int, int], int], "keys of JSON type 'array'"),
    (dict[Annotated[int, at(gt=5)], int], "bounded integers as keys"), (Annotated[dt.timedelta, at(ge=dt.timedelta(1))], "bound on a timedelta"),
    (Annotated[set[float], at(min_length=2)], "several spellings"), (Annotated[set[Union[bool, int]], at(min_length=2)], "several spellings"),
    (enum.Enum("Pairs", {"A": (1, 2)}), "enum of"), (Annotated[str, at(pattern="[a&&b]")], "'&&'"), (dict[Level, int], "no strings"),
    (Annotated[str, at(pattern="[[:alpha:]]")], "a class inside a class"), (range, "range"),
    (pydantic.NewPath, "NewPath"), (Annotated[dt.time, at(gt=dt.time(23, 59, 59))], "no whole second"),
    (Annotated[dt.date, at(gt=dt.date.max)], "out of range"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_refused_by_name(kind, words):
    with pytest.raises((constrain.UnsupportedError, constrain.SchemaError)) as caught:
        constrain.json_schema(kind)
    assert words in str(caught.value)


def test_a_refusal_names_the_field():
    class Deep(BaseModel):
        price: int = Field(validation_alias=pydantic.AliasPath("a", "b"))

    class Order(BaseModel):
        callback: typing.Callable[[], int]

    with pytest.raises(constrain.UnsupportedError, match="in field 'callback'") as caught:
        read_type(list[Order])
    assert caught.value.where == "in field 'callback'"
    with pytest.raises(constrain.UnsupportedError, match=r"\['a', 'b'\], is not supported in field 'price'"):
        read_type(Deep)


def test_what_is_no_type_is_named():
    for source, words in (
        (None, "null"), (5, "a number"), ([1], "an array"), (object(), "object"), (Point(1), "expected the class Point itself"),
        (Cat(kind="cat", lives=9), "expected the class Cat itself"), (b"\xff", "not UTF-8"),
    ):  # fmt: skip
        with pytest.raises(constrain.SchemaError, match=words):
            read_type(source)


def test_a_validator_in_python_refuses_by_a_typed_error():
    class Even(BaseModel):
        number: int

        @pydantic.field_validator("number")
        @classmethod
        def is_even(cls, value: int) -> int:
            if value % 2:
                raise ValueError("odd")
            return value

    answer = read_type(Even)
    assert answer.parse('{"number":4}').number == 4
    with pytest.raises(constrain.ConstrainError, match="Even refuses") as caught:
        answer.parse('{"number":3}')
    assert isinstance(caught.value.__cause__, pydantic.ValidationError)
    for text in ("{", "[" * 100_000, "1" * 10_000):
        with pytest.raises(constrain.ConstrainError):
            answer.parse(text)
        with pytest.raises(constrain.ConstrainError):
            read_type({}).parse(text)
    with pytest.raises(constrain.ConstrainError):
        read_type({}).parse("1e999")


def test_type_adapters_and_local_classes():
    @dataclasses.dataclass
    class Inner:
        a: int

    @dataclasses.dataclass
    class Outer:
        inner: Inner

    assert read_type(Outer).parse('{"inner":{"a":1}}') == Outer(Inner(1))
    assert read_type(TypeAdapter(list[Point])).parse('[{"x":1}]') == [Point(1)]
    assert constrain.json_schema(TypeAdapter(Cat)).matches('{"kind":"cat","lives":9}')


def test_typed_dicts_are_left_as_they_were():
    read_type(Sheet)
    assert [kind for kind in (Label, Line, Titled) if "__get_pydantic_core_schema__" in vars(kind)] == []
    assert read_type(Titled).schema["required"] == ["text", "title"]


def test_pydantic_comes_only_with_a_type():
    code = (
        "import sys, constrain, constrain.extraction; from constrain.frontends.json_schema.types import read_type;"
        "read_type({'type': 'integer'}); read_type('true'); print('pydantic' in sys.modules);"
        "read_type(int); print('pydantic' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "True"]


def test_schemas_are_json():
    for kind in TYPES:
        json.dumps(read_type(kind).schema, default=float)


# ---------------------------------------------------------------- extract


@pytest.fixture
def lm(monkeypatch):
    from tests import scripted_job

    monkeypatch.setattr(scripted_job, "DELAY", 0.0)
    return LanguageModel(scripted_job.Scripted())


@pytest.mark.parametrize("kind", [Cat, Point, Size, Level, dt.date, uuid.UUID, decimal.Decimal], ids=lambda kind: kind.__name__)
def test_extract_gives_an_object_of_the_type(lm, kind):
    assert isinstance(constrain.extract(lm, "a text", kind, max_tokens=300), kind)


def test_extract_takes_annotations_adapters_and_plain_schemas(lm):
    found = constrain.extract(lm, "a text", tuple[Colour, Optional[dt.time], Annotated[int, at(ge=1, le=9)]], max_tokens=300)
    assert isinstance(found, tuple) and isinstance(found[0], Colour) and 1 <= found[2] <= 9
    number = {"type": "number", "minimum": 0, "maximum": 9, "multipleOf": 0.5}
    same = [constrain.extract(lm, "a text", one) for one in (number, json.dumps(number))]
    assert same[0] == same[1]
    assert constrain.extract(lm, "a text", TypeAdapter(Annotated[int, at(ge=1, le=9)])) in range(1, 10)


def test_extract_says_what_a_validator_refused(lm):
    class Never(BaseModel):
        sure: bool

        @pydantic.model_validator(mode="after")
        def refuse(self) -> Any:
            raise TypeError("never")

    with pytest.raises(constrain.ConstrainError, match="Never refuses .*never"):
        constrain.extract(lm, "a text", Never)
    assert isinstance(Extractor(lm, Never).try_extract(["a"])[0], constrain.ConstrainError)
