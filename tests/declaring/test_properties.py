"""Whatever is declared and whatever comes, there is an answer, and the right one."""

# pyright: basic

import dataclasses
import datetime as dt
import enum
import json
import typing
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional, TypeAlias

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, RootModel, TypeAdapter
from typing_extensions import TypeAliasType, TypedDict

from arbvantage_provider import Provider, SchemaError, optional

PATIENT = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Color(enum.Enum):
    RED = "red"
    FIVE = 5


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
