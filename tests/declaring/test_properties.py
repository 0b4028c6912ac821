"""Whatever is declared and whatever comes, there is an answer, and the right one."""

# pyright: basic

import dataclasses
import datetime as dt
import enum
import json
import types
import typing
import uuid
from collections.abc import Callable, Generator, Iterable
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional, TypeAlias

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    SkipValidation,
    TypeAdapter,
    ValidationError,
    create_model,
)
from typing_extensions import TypeAliasType, TypedDict

from arbvantage_provider import Provider, SchemaError, StrictModel, optional
from arbvantage_provider.export import export_json_schema

PATIENT = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Color(enum.Enum):
    RED = "red"
    FIVE = 5


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class AnyAccess(enum.IntFlag):
    READ = 1


class Point(BaseModel):
    x: int


@dataclasses.dataclass
class Size:
    width: int


@dataclasses.dataclass(frozen=True)
class Frozen:
    width: int


class Label(TypedDict):
    text: str


class Pair(NamedTuple):
    left: int
    right: str


class Numbers(RootModel[list[int]]):
    pass


class Strict(StrictModel):
    when: dt.date | str = "never"


class Foreign:
    """A class that has no JSON form."""


Count = NewType("Count", int)
Nested = TypeAliasType("Nested", int | list["Nested"])
KEYS = [
    *("", "class", "_id", "__base__", "model_config", "model_dump", "schema", "copy"),
    *(
        "first-name",
        "имя",
        "名前",
        "😀",
        "a-b",
        "a_b",
        "$ref",
        "a.b",
        '"',
        "\n",
        "\u0000",
    ),
]
LEAVES: list[Any] = [
    *(str, int, float, bool, bytes, Decimal, uuid.UUID, dt.datetime, dt.date, dt.time),
    *(dt.timedelta, Color, Point, Size, Frozen, Label, Pair, Numbers, list, dict, set),
    *(tuple, frozenset, Any, Count, Nested, Literal["a", 1], Literal[Color.RED]),
    *(Annotated[int, Field(ge=1)], Annotated[str, Field(alias="x", description="d")]),
    *(Annotated[int | None, Field(le=3)], Annotated[int, Field(default=1)]),
    *(None, "str", 5, (str, int), Foreign, Foreign(), len, [], [str, int], {5: int}),
]
WRAPS: list[Callable[[Any], Any]] = [
    *(lambda x: [x], lambda x: {"k": x}, lambda x: typing.List[x], lambda x: set[x]),  # noqa: UP006
    *(lambda x: dict[str, x], lambda x: dict[x, int], lambda x: tuple[x, ...]),
    *(lambda x: tuple[x, int], lambda x: Optional[x], lambda x: x | int),  # noqa: UP045
    *(optional, lambda x: Annotated[x, Field(description="d")]),
    *(lambda x: Annotated[x, Field(min_length=1)], lambda x: typing.Sequence[x]),
]


@st.composite
def declarations(draw: st.DrawFn) -> Any:
    """Anything that Python itself takes, in the grammar or nearly."""
    declared = draw(st.sampled_from(LEAVES))
    for wrap in draw(st.lists(st.sampled_from(WRAPS), max_size=4)):
        try:
            declared = wrap(declared)
        except (TypeError, AttributeError):  # typing's own, of a list in Annotated
            continue
    return declared


schemas = st.dictionaries(st.sampled_from(KEYS), declarations(), max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*KEYS, "k", "x"]), inner, max_size=3)
    ),
    max_leaves=10,
)


def build() -> Provider:
    return Provider("any", auth_token="t", execution_timeout=60, log_level="CRITICAL")


@PATIENT
@given(schema=schemas | declarations(), payloads=st.lists(values, max_size=3))
def test_a_declaration_compiles_or_is_refused_with_its_place(
    schema: Any, payloads: list[Any]
) -> None:
    provider = build()
    refused: SchemaError | None = None
    try:
        provider.actions.register("tried", payload_schema=schema)(lambda: None)
    except SchemaError as error:
        refused = error
    if refused is not None:
        assert refused.action == "tried"
        assert refused.path.startswith("payload_schema")
        return
    for payload in [{}, *payloads]:
        text = json.dumps(payload).encode()
        answer = json.loads(provider.dispatch("tried", text))
        assert answer["status"] in {"success", "error"}


KNOWN = {"a": int, "o": {"b": [dt.date], "c": Size | None}, "m": dict[int, Pair]}
RIGHT = b'{"a": 1, "o": {"b": ["2026-01-31"], "c": {"width": 1}}, "m": {"5": [1, "x"]}}'


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A right text with one part replaced."""
    start = draw(st.integers(0, len(RIGHT)))
    end = draw(st.integers(start, min(len(RIGHT), start + 4)))
    return RIGHT[:start] + draw(st.binary(max_size=4)) + RIGHT[end:]


@PATIENT
@given(raw=st.binary() | damaged() | st.text().map(str.encode))
def test_any_bytes_are_answered(raw: bytes) -> None:
    provider = build()
    provider.actions.register("tried", payload_schema=KNOWN)(lambda: None)
    assert json.loads(provider.dispatch("tried", raw))["status"] in {"success", "error"}


# --- right values -----------------------------------------------------------------

Right: TypeAlias = tuple[Any, st.SearchStrategy[Any]]
finite = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
RIGHTS: list[Right] = [
    (str, texts),
    (int, st.integers()),
    (float, finite),
    (bool, st.booleans()),
    (bytes, texts.map(str.encode)),
    (Decimal, st.decimals(allow_nan=False, allow_infinity=False, places=2)),
    (uuid.UUID, st.uuids()),
    (dt.date, st.dates()),
    (dt.datetime, st.datetimes(timezones=st.just(dt.UTC))),
    (dt.time, st.times()),
    (Color, st.sampled_from(Color)),
    (Literal["a", 1], st.sampled_from(["a", 1])),
    (Point, st.builds(Point, x=st.integers())),
    (Size, st.builds(Size, width=st.integers())),
    (Label, st.fixed_dictionaries({"text": texts})),
    (Pair, st.builds(Pair, left=st.integers(), right=texts)),
    (Nested, st.recursive(st.integers(), lambda inner: st.lists(inner, max_size=2))),
]


@st.composite
def rights(draw: st.DrawFn, depth: int = 2) -> Right:
    """A type of the grammar, and values that a handler receives for it."""
    if not depth:
        return draw(st.sampled_from(RIGHTS))
    declared, given_ = draw(rights(depth - 1))
    keys = st.lists(st.sampled_from(KEYS), max_size=3, unique=True)
    members = {key: draw(rights(depth - 1)) for key in draw(keys)}
    several: list[Right] = [
        (declared, given_),
        ([declared], st.lists(given_, max_size=2)),
        (optional(declared), st.none() | given_),
        (
            dict[str, Any]
            if isinstance(declared, list | dict)
            else dict[int, declared],
            st.dictionaries(texts, texts)
            if isinstance(declared, list | dict)
            else st.dictionaries(st.integers(), given_, max_size=2),
        ),
        (
            {key: member[0] for key, member in members.items()},
            st.fixed_dictionaries({key: member[1] for key, member in members.items()}),
        ),
    ]
    return draw(st.sampled_from(several))


@PATIENT
@given(data=st.data())
def test_a_right_value_reaches_the_handler_as_it_is(data: st.DataObject) -> None:
    declared, given_ = data.draw(rights())
    key, value = data.draw(st.sampled_from(KEYS)), data.draw(given_)
    provider = build()
    received: list[Any] = []

    @provider.actions.register("tried", payload_schema={key: declared})
    def keep(payload: Any) -> None:
        received.append(payload)

    text = TypeAdapter(Any).dump_json({key: value})
    answer = provider.process_task("tried", text)
    assert answer["status"] == "success", answer
    assert received == [{key: value}]


# --- what pydantic says of the same type ---------------------------------------------


class CatDict(TypedDict):
    kind: Literal["cat"]
    born: dt.date


@dataclasses.dataclass
class DayClass:
    kind: Literal["day"]
    price: Decimal


JSON_TEXTS = [
    *("", "x", "red", "cat", "1", "1.50", "2026-01-31", "2026-01-31T09:30:00Z"),
    *("09:30:00Z", "PT1H", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
]
ANNOTATED: list[Any] = [
    *(str, int, float, bool, bytes, Decimal, uuid.UUID, dt.datetime, dt.date, dt.time),
    *(dt.timedelta, Color, Literal["a", "red"], None, Pair, Label, Size, Strict, Any),
    *(Annotated[int, Field(ge=0)], Annotated[str, Field(min_length=1)]),
    *(CatDict, DayClass, Annotated[CatDict | DayClass, Field(discriminator="kind")]),
    *(Callable[[], None], type[int], Annotated[Decimal, Field(decimal_places=1)]),
    *(Access, AnyAccess, Literal[Color.RED, 1], SkipValidation[int]),
    *(Iterable[int], typing.Iterable[str], Generator[int, None, None]),
]
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 4)
    | st.sampled_from([0.5, 1.0, 1e30, -0.0])
    | st.sampled_from(JSON_TEXTS),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["1", "k", "red", "2026-01-31"]), inner, max_size=2
        )
        | st.fixed_dictionaries(
            {"kind": st.sampled_from(["cat", "day"]), "born": inner, "price": inner}
        )
        | st.fixed_dictionaries(
            {"left": inner, "right": inner, "text": inner, "width": inner}
        )
    ),
    max_leaves=5,
)


@st.composite
def annotations(draw: st.DrawFn, depth: int = 2) -> Any:
    """What typing takes, most of it with a JSON form."""
    if not depth:
        return draw(st.sampled_from(ANNOTATED))
    inner = draw(annotations(depth - 1))
    other = draw(annotations(depth - 1))
    key = draw(st.sampled_from([str, int, dt.date, Color, Access]))
    several: list[Any] = [
        *(inner, list[inner], dict[key, inner], Optional[inner], tuple[inner, other]),  # noqa: UP045
        *(
            tuple[inner, ...],
            typing.Union[inner, other],  # noqa: UP007
            typing.Union[other, inner, str],  # noqa: UP007
        ),
        Annotated[inner, Field(description="d")],
    ]
    return draw(st.sampled_from(several))


STRICT = ConfigDict(strict=True, allow_inf_nan=False)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, and of the same types all through."""
    if type(one) is not type(other) or one != other:
        return False
    if isinstance(one, dict):
        return all(map(same, one.values(), other.values())) and [*map(type, one)] == [
            *map(type, other)
        ]
    if dataclasses.is_dataclass(one):
        return same(vars(one), vars(other))
    if isinstance(one, BaseModel):
        return same(dict(one), dict(other))
    return not isinstance(one, list | tuple) or all(map(same, one, other))


def read_eagerly(declared: Any) -> Any:
    """The type with a list in place of what pydantic reads when it is looked at."""
    origin, args = typing.get_origin(declared), typing.get_args(declared)
    if (origin or declared) in (Iterable, Generator):
        return list[args[0]] if args else list  # type: ignore[misc]
    if origin is Annotated:
        return Annotated[(read_eagerly(args[0]), *args[1:])]
    if origin in (None, Literal, Callable):
        return declared
    return (typing.Union if origin is types.UnionType else origin)[
        tuple(map(read_eagerly, args))
    ]


def holds_true(value: Any) -> bool:
    """Whether a boolean stands anywhere in it."""
    inner = value.values() if isinstance(value, dict) else value
    is_holder = isinstance(value, dict | list)
    return isinstance(value, bool) or (is_holder and any(map(holds_true, inner)))


def register_field(declared: Any, form: str, received: list[Any]) -> Provider:
    """A provider whose action has one field, and gives it to ``received``."""
    provider = build()
    schema: Any = {"field": declared}
    if form == "strict model":
        schema = create_model("Made", __base__=StrictModel, field=(declared, ...))

    def keep(payload: Any) -> None:
        received.append(payload["field"] if form == "dict" else payload.field)

    def keep_field(field: Any) -> None:
        received.append(field)

    keep_field.__annotations__["field"] = declared
    if form == "signature":
        provider.actions.register("tried")(keep_field)
    else:
        provider.actions.register("tried", payload_schema=schema)(keep)
    return provider


@settings(PATIENT, max_examples=60)  # each builds models, and exports them
@given(
    declared=annotations(),
    values_=st.lists(json_values, min_size=1, max_size=4),
    form=st.sampled_from(["dict", "signature", "strict model"]),
)
def test_a_handler_receives_what_pydantic_gives_and_the_export_takes(
    declared: Any, values_: list[Any], form: str
) -> None:
    received: list[Any] = []
    try:
        provider = register_field(declared, form, received)
    except SchemaError:
        return
    model = create_model(
        "Model", __config__=STRICT, field=(read_eagerly(declared), ...)
    )
    exported = export_json_schema(provider.actions, name="x")
    payload = exported["actions"]["tried"]["payload"]
    check = Draft202012Validator({**payload, "$defs": exported.get("$defs", {})})
    for value in values_:
        text = json.dumps({"field": value})
        status = provider.process_task("tried", text)["status"]
        assert status == "error" or check.is_valid({"field": value})
        if "Access" in repr(declared) and holds_true(value):
            received.clear()  # pydantic takes true for a flag of 1
            continue
        try:
            right = model.model_validate_json(text).__dict__["field"]
        except ValidationError:  # a check may take more, as 1.0 for an int
            received.clear()
        else:
            assert status == "success"
            assert same(received.pop(), right)
