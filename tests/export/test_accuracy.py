"""A value fits the exported schema exactly when the provider takes it."""

import dataclasses
import datetime as dt
import enum
import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, SkipValidation, create_model
from typing_extensions import TypeAliasType, TypedDict

from arbvantage_provider import Provider, StrictModel
from arbvantage_provider.actions import Actions

Accepts: TypeAlias = Callable[[Actions, str], Callable[[Any], bool]]
Values: TypeAlias = st.SearchStrategy[Any]


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Colour(enum.Enum):
    RED = "red"
    NONE = None
    RATIO = 0.5


class Pair(NamedTuple):
    left: str
    right: bool = False
    number: int | None = None


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class AnyAccess(enum.IntFlag):
    READ = 1


@dataclasses.dataclass
class Box:
    label: str
    words: list[str] | None = None
    count: int = 0
    boxes: "list[Box] | None" = None


class Tag(TypedDict, total=False):
    name: str
    at: dt.datetime
    by_level: dict[Level, float]


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    name: str
    nested: "Strict | None" = None


Nested = TypeAliasType("Nested", int | list["Nested"])


# --- values: right ones, and ones that are nearly right -------------------------

TEXTS = (
    *("", "5", "1.5", "-0", "1e5", ".5", "5.", "true", "null", "a", "ab", "red"),
    *("2026-01-31", "2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29"),
    *("0000-01-01", "2026-1-31", "2026-02-30", "2026-13-01", "20260131", "2026-W05-6"),
    *("2026-01-31T09:30", "2026-01-31 09:30:00", "2026-01-31t09:30:00z"),
    *("2026-01-31T09:30:00.123456789Z", "2026-01-31T09:30:00,5+0200"),
    *("2026-01-31T09:30:00+02:00", "2026-01-31T09:30:00-24:00", "2026-01-31T24:00:00Z"),
    *("2026-01-31T09:30:60Z", "2026-02-30T09:30:00Z", "2026-02-29T09:30"),
    *("0000-01-01T00:00:00Z", "2026-01-31T09:30+02", "2026-01-31_09:30", "2026-01-31T"),
    *("09:30", "09:30:00", "09:30:00.5", "09:30Z", "09:30:00+02:00", "24:00", "9:30"),
    *("09:30:60", "09:60", "0930", "09:30:00.", "09:30 Z", "09:30:00-00:00"),
    *("P1D", "PT1H30M", "-P1DT0.5S", "+P1W", "P", "PT", "P1DT", "P1Y2M3W4D", "PT1.S"),
    *("p1d", "P1H", "PT1D", "P-1D", "P1.5D", "PT1,5S", "1:30:00", "P1D1Y", "PT.5S"),
    *("6f9619ff-8b86-d011-b42d-00c04fc964ff", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
    *("6f9619ff8b86d011b42d00c04fc964ff", "{6f9619ff-8b86-d011-b42d-00c04fc964ff}"),
    *("urn:uuid:6f9619ff-8b86-d011-b42d-00c04fc964ff", "6f9619ff-8b86-d011-b42d"),
)
numbers: Values = (
    st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0, 1, 2, 5, -1, 1.0, 2.0, 0.5, -0.0, 1e22, 10**15])
)


@st.composite
def near_texts(draw: st.DrawFn) -> str:
    """A text of the list, or one that differs in one character."""
    text = draw(st.sampled_from(TEXTS))
    if not text or draw(st.booleans()):
        return text
    place = draw(st.integers(0, len(text) - 1))
    other = draw(st.sampled_from("0123456789-+:.,TZPWDHMS t "))
    return text[:place] + other + text[place + draw(st.integers(0, 1)) :]


plain: Values = st.none() | st.booleans() | numbers | near_texts() | st.text(max_size=3)
anything: Values = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "a", "left"]), inner, max_size=3)
    ),
    max_leaves=5,
)

# --- declarations, each with values for it --------------------------------------

LEAVES: tuple[tuple[Any, Values], ...] = (
    (str, st.text(max_size=3)),
    (int, numbers),
    (float, numbers),
    (bool, st.booleans()),
    (bytes, st.text(max_size=3)),
    (Any, anything),
    (dt.datetime, near_texts()),
    (dt.date, near_texts()),
    (dt.time, near_texts()),
    (dt.timedelta, near_texts()),
    (UUID, near_texts()),
    (Decimal, numbers | near_texts()),
    (Level, numbers | st.booleans()),
    (Colour, plain),
    (Access, numbers | st.booleans()),
    (Iterable[int], near_texts() | st.lists(numbers, max_size=3)),
    (SkipValidation[int], anything),
    (Literal[1, "a"] | None, plain),
    (Literal[True], plain),
    (Literal[Colour.RED], near_texts()),
    (list, st.lists(anything, max_size=3)),
    (dict, st.dictionaries(st.text(max_size=3), anything, max_size=2)),
    (tuple, st.lists(anything, max_size=3)),
    (set, st.lists(anything, max_size=3)),
    (Annotated[int, Field(ge=1, lt=5)], numbers),
    (Annotated[int, Field(multiple_of=5)], numbers),
    (Annotated[float, Field(gt=-1, le=0.5)], numbers),
    (Annotated[str, Field(min_length=1, max_length=2)], st.text(max_size=3)),
    (Annotated[str, Field(pattern="^[ab]+$")], st.text("abc", max_size=3)),
    (Annotated[list[int], Field(min_length=1, max_length=2)], st.lists(numbers)),
    (Annotated[set[int], Field(min_length=1)], st.lists(numbers)),
    (Annotated[dict[str, int], Field(max_length=1)], st.just({"a": 1, "b": 2})),
    (Annotated[int | None, Field(ge=1)], numbers),
    (Annotated[int | float | None, Field(lt=5, multiple_of=1)], numbers),
    (Annotated[str | list[int], Field(min_length=1)], near_texts() | st.lists(numbers)),
    (Nested, numbers | st.lists(plain, max_size=3)),
    (Pair, st.lists(plain, max_size=3) | st.fixed_dictionaries({"left": plain})),
    (
        Box,
        st.fixed_dictionaries(
            {"label": near_texts()},
            optional={"words": plain, "count": plain, "boxes": anything},
        ),
    ),
    (
        Tag,
        st.fixed_dictionaries(
            {}, optional={"name": near_texts(), "at": near_texts(), "a": plain}
        ),
    ),
    (Strict, st.fixed_dictionaries({"name": plain}, optional={"nested": anything})),
)
KEYS: tuple[tuple[Any, Values], ...] = (
    (str, st.text(max_size=2)),
    (dt.date, near_texts()),
    (UUID, near_texts()),
    (dt.time, near_texts()),
    (Literal["a", "b"], st.sampled_from(["a", "b", "c"])),
    (Literal["a", 1, True], st.sampled_from(["a", "1", "true", "True", "1.0"])),
    (int, near_texts() | numbers.map(str)),
    (float, near_texts() | numbers.map(str)),
    (bool, st.sampled_from(["true", "false", "True", "1", ""])),
    (Level, st.sampled_from(["1", "2", "3", "1.0", "LOW"])),
    (AnyAccess, near_texts() | st.integers(-9, 9).map(str)),
    (Colour, st.sampled_from(["red", "RED", "None", "null", "0.5"])),
    (int | dt.date, near_texts()),
    (Annotated[str, Field(pattern="^a")], st.text("ab", max_size=2)),
    (Annotated[str, Field(max_length=1)], st.text(max_size=2)),
)
OPTIONAL: tuple[Any, Values] = (
    Annotated[int, Field(default=3, description="some")],
    numbers,
)
HASHABLE = (str, int, float, bool, dt.date, Decimal, UUID, Level)


Declared: TypeAlias = tuple[Any, Values]
Wrap: TypeAlias = Callable[[Any, Values], st.SearchStrategy[Declared]]


def wrap_dict(declared: Any, values: Values) -> st.SearchStrategy[Declared]:
    return st.sampled_from(KEYS).map(
        lambda key: (
            dict[key[0], declared],
            st.dictionaries(key[1], values, max_size=2),
        )
    )


def wrap_union(declared: Any, values: Values) -> st.SearchStrategy[Declared]:
    try:
        hash(declared)
    except TypeError:  # Python itself refuses {…} | None
        return st.just((declared, values))
    return st.sampled_from(LEAVES).map(
        lambda leaf: (declared | leaf[0] | None, values | leaf[1] | st.lists(values))
    )


WRAPS: tuple[Wrap, ...] = (
    lambda declared, values: st.just(([declared], st.lists(values, max_size=3))),
    lambda declared, values: st.just((list[declared], st.lists(values, max_size=3))),
    lambda declared, values: st.just(
        (tuple[declared, int], st.lists(values, max_size=3))
    ),
    lambda declared, values: st.just(
        (tuple[declared, ...], st.lists(values, max_size=3))
    ),
    wrap_dict,
    wrap_union,
)


@st.composite
def declarations(draw: st.DrawFn, depth: int = 3) -> Declared:
    """A type of the grammar, and values that fit it or nearly do."""
    if not depth or draw(st.booleans()):
        declared, values = draw(st.sampled_from(LEAVES))
        if declared in HASHABLE and draw(st.booleans()):
            return set[declared], st.lists(values | plain, max_size=3)
        return declared, values
    if draw(st.booleans()):
        return draw(objects(depth - 1))
    declared, values = draw(declarations(depth - 1))
    wrap = draw(st.sampled_from(WRAPS))
    return draw(wrap(declared, values | plain))


@st.composite
def objects(draw: st.DrawFn, depth: int = 2) -> tuple[dict[str, Any], Values]:
    """A dict schema, and objects for it."""
    keys = st.sampled_from(["name", "first-name", "class", "_id", "", "$ref", "имя"])
    field = declarations(depth) | st.just(OPTIONAL)
    fields = draw(st.dictionaries(keys, field, max_size=3))
    members = {key: values | anything for key, (_, values) in fields.items()}
    extra = st.dictionaries(keys, anything, max_size=1)
    present = st.fixed_dictionaries(members)
    some = st.fixed_dictionaries({}, optional=members)
    made = st.tuples(extra, present | present | some).map(lambda two: two[0] | two[1])
    return {key: declared for key, (declared, _) in fields.items()}, made


def take(provider: Provider, payload: object) -> bool:
    """Whether the provider takes a payload."""
    answer = provider.process_task("tested", json.dumps(payload))
    assert answer["status"] in {"success", "error"}
    return answer["status"] == "success"


def declare(schema: Any) -> Provider:
    """A provider of one action."""
    provider = Provider(
        "accuracy", auth_token="token", execution_timeout=60, log_level="CRITICAL"
    )
    provider.actions.register("tested", payload_schema=schema)(lambda: None)
    return provider


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_a_dict_schema_says_exactly_what_fits(
    accepts: Accepts, data: st.DataObject
) -> None:
    schema, values = data.draw(objects())
    provider = declare(schema)
    fits = accepts(provider.actions, "tested")
    for payload in data.draw(st.lists(values | anything, min_size=1, max_size=8)):
        assert fits(payload) is take(provider, payload), (schema, payload)


PROBES: tuple[Any, ...] = (
    *TEXTS,
    *(None, True, False, 0, 1, 2, 5, -1, 1.0, 1.5, -0.0, 1e22, 10**15, "b", "aba"),
    *(
        [],
        [1],
        [1, 1],
        [1.0, "a"],
        [True],
        ["a", True],
        [[1]],
        [{}],
        [None, None, None],
    ),
    *({}, {"a": 1}, {"a": 1, "b": 2}, {"label": "a"}, {"name": "a"}, {"left": "a"}),
    *(
        {"label": "a", "words": [1]},
        {"name": 5},
        {"name": "a", "nested": {"name": None}},
        {"label": "a", "count": "5"},
        {"label": "a", "count": 1.0, "boxes": [{"label": "b", "count": 2.0}]},
        {"label": "a", "boxes": [{"label": "b", "count": True}]},
        {"label": "a", "words": None, "more": 1},
        {"at": "2026-01-31", "by_level": {"1": 1}},
        {"by_level": {"1.0": 1}},
        {"left": "a", "number": "5"},
        {"left": "a", "more": 1},
        ["a", True, 1.0],
        [1.0, ["5"]],
        [1.0, [[], 2]],
    ),
    {"name": "a", "nested": None, "more": 1},
)


@pytest.mark.parametrize("declared", [declared for declared, _ in (*LEAVES, OPTIONAL)])
def test_each_plain_type_says_exactly_what_fits(
    accepts: Accepts, declared: Any
) -> None:
    provider = declare({"f": declared})
    fits = accepts(provider.actions, "tested")
    payloads = [{"f": value} for value in PROBES]
    taken = [payload for payload in payloads if take(provider, payload)]
    assert taken == [payload for payload in payloads if fits(payload)]


@pytest.mark.parametrize("declared", [declared for declared, _ in LEAVES])
def test_a_strict_model_says_what_a_dict_says(accepts: Accepts, declared: Any) -> None:
    field: Any = (declared, ...)
    provider = declare(create_model("Made", __base__=StrictModel, f=field))
    fits = accepts(provider.actions, "tested")
    payloads = [{"f": value} for value in PROBES]
    taken = [payload for payload in payloads if take(provider, payload)]
    assert taken == [payload for payload in payloads if fits(payload)]
