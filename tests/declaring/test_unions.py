"""A union is what pydantic's own model of the same declaration makes of it."""

# A date-time of JSON may have no time zone, and Optional[X] is tried as written.
# ruff: noqa: UP007, UP045, PYI051
# pyright: basic

import dataclasses
import datetime as dt
import enum
import ipaddress
import pathlib
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, Optional, Union

import pytest
from pydantic import AfterValidator, AnyUrl, ConfigDict, Field, create_model
from typing_extensions import TypedDict

from arbvantage_provider import StrictModel

Receive = Callable[[Any, str], Any]
Refuse = Callable[[Any, str], list[tuple[str, str]]]

MOMENT, DAY, ID = (
    '"2026-01-31T09:30:00Z"',
    '"2026-01-31"',
    '"6f9619ff-8b86-d011-b42d-00c04fc964ff"',
)

make_typed_dict: Any = TypedDict


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


@dataclasses.dataclass
class OnDay:
    when: dt.date


@dataclasses.dataclass
class Said:
    when: str


class OnDayDict(TypedDict):
    when: dt.date


class SaidDict(TypedDict):
    when: str


class OnDayTuple(NamedTuple):
    when: dt.date


class SaidTuple(NamedTuple):
    when: str


class OnDayModel(StrictModel):
    when: dt.date


class SaidModel(StrictModel):
    when: str


make_typed_dict: Any = TypedDict

LIKE_A_MODEL: list[tuple[Any, list[str]]] = [
    (Union[dt.datetime, str], [MOMENT, DAY, '"soon"', '"2026-01-31T09:30"']),
    (Union[str, dt.datetime], [MOMENT, DAY, '"soon"']),
    (Union[dt.date, str], [DAY, MOMENT]),
    (Union[dt.time, str], ['"09:30"', '"noon"']),
    (Union[dt.timedelta, str], ['"PT1H"', '"-P1D"', '"long"']),
    (Union[uuid.UUID, str], [ID, '"6f"']),
    (Union[str, uuid.UUID], [ID, '"6f"']),
    (Union[Decimal, str], ['"1.50"', "1.5", "5", '"x"']),
    (Union[bytes, str], ['"x"']),
    (Union[str, bytes], ['"x"']),
    (Union[Color, str], ['"red"', '"blue"']),
    (Union[str, Color], ['"red"']),
    (Union[Level, int], ["1", "2"]),
    (Union[int, Level], ["1", "2"]),
    (Union[pathlib.Path, str], ['"a/b"']),
    (Union[AnyUrl, str], ['"http://a.b/"', '"a"']),
    (Union[ipaddress.IPv4Address, str], ['"1.2.3.4"', '"1.2"']),
    (Union[Literal["a"], str], ['"a"', '"b"']),
    (Union[dt.datetime, Literal["now"]], [MOMENT, '"now"']),
    (Union[dt.date, dt.datetime], [DAY, MOMENT]),
    (Union[dt.datetime, dt.date], [DAY, MOMENT, '"2026-01-31T00:00:00"']),
    (Union[dt.datetime, uuid.UUID, str], [MOMENT, ID, '"x"']),
    (Union[dt.datetime, str, None], [MOMENT, "null", '"x"']),
    (Optional[Union[dt.date, str]], [DAY, "null"]),
    (Union[int, float], ["1", "1.0", "1.5"]),
    (Union[float, int], ["1", "1.0", "1.5"]),
    (Union[int, Decimal], ["1", "1.5", '"1.50"']),
    (Union[Decimal, float], ["1", "1.5"]),
    (Union[int, bool, str], ["1", "true", '"1"']),
    (list[Union[dt.datetime, str]], [f'[{MOMENT}, "x"]']),
    (Union[list[dt.date], list[str]], [f"[{DAY}]", '["x"]', f'[{DAY}, "x"]']),
    (dict[str, Union[dt.date, str]], [f'{{"a": {DAY}, "b": "x"}}']),
    (dict[Union[dt.date, str], int], ['{"2026-01-31": 1}']),
    (Union[dict[str, dt.date], dict[str, str]], [f'{{"a": {DAY}}}', '{"a": "x"}']),
    (tuple[Union[dt.date, str], ...], [f'[{DAY}, "x"]']),
    (Union[Annotated[dt.datetime, Field(description="d")], str], [MOMENT]),
    (Annotated[Union[dt.datetime, str], Field(description="d")], [MOMENT]),
    (
        Union[Annotated[dt.date, Field(ge=dt.date(2026, 1, 1))], str],
        [DAY, '"2025-01-31"'],
    ),
    (Union[Annotated[dt.date, AfterValidator(lambda d: d)], str], [DAY, '"x"']),
]


@pytest.mark.parametrize(
    ("declared", "text"),
    [(declared, text) for declared, texts in LIKE_A_MODEL for text in texts],
)
def test_a_field_of_a_union_is_as_in_a_strict_model(
    declared: Any, text: str, receive: Receive
) -> None:
    strict = ConfigDict(strict=True)
    model: Any = create_model("Model", __config__=strict, field=(declared, ...))
    strict_model: Any = create_model("S", __base__=StrictModel, field=(declared, ...))
    document = f'{{"field": {text}}}'
    as_class = dataclasses.make_dataclass("AsClass", [("field", declared)])
    as_dict = make_typed_dict("AsDict", {"field": declared})

    right = model.model_validate_json(document).field
    received = [
        receive({"field": declared}, document)["field"],
        receive({"o": {"field": declared}}, f'{{"o": {document}}}')["o"]["field"],
        receive(as_dict, document)["field"],
        receive(as_class, document).field,
        receive(strict_model, document).field,
    ]
    assert [(type(each), each) for each in received] == [(type(right), right)] * 5


def test_a_parameter_of_a_union_is_as_in_a_model(
    bind: Callable[..., Any],
) -> None:
    def handler(when: dt.datetime | str) -> Any:
        return when

    async def async_handler(when: dt.date | str | None = None) -> Any:
        return when

    assert bind(handler, f'{{"when": {MOMENT}}}') == dt.datetime(
        2026, 1, 31, 9, 30, tzinfo=dt.UTC
    )
    assert bind(handler, '{"when": "soon"}') == "soon"
    assert bind(async_handler, f'{{"when": {DAY}}}') == dt.date(2026, 1, 31)


def test_an_account_of_a_union_is_as_in_a_model(bind: Callable[..., Any]) -> None:
    def handler(account: dict[str, Any]) -> Any:
        return account["until"]

    schema = {"until": dt.date | str}
    until = bind(handler, b"{}", {"until": "2026-01-31"}, account_schema=schema)
    assert until == dt.date(2026, 1, 31)


@pytest.mark.parametrize(
    ("first", "second"),
    [(OnDay, Said), (OnDayDict, SaidDict), (OnDayTuple, SaidTuple)],
)
def test_a_union_of_classes_is_told_apart_by_what_is_in_them(
    first: Any, second: Any, receive: Receive
) -> None:
    text = f'{{"a": {{"when": {DAY}}}, "b": {{"when": "soon"}}}}'
    schema = {"a": Union[first, second], "b": Union[first, second]}
    day = {"when": dt.date(2026, 1, 31)}
    said = {"when": "soon"}
    make = (lambda x, **k: x(**k)) if first is not OnDayDict else (lambda x, **k: k)
    assert receive(schema, text) == {"a": make(first, **day), "b": make(second, **said)}


def test_a_union_of_strict_models_is_told_apart_by_what_is_in_them(
    receive: Receive,
) -> None:
    text = f'{{"a": {{"when": {DAY}}}}}'
    received = receive({"a": OnDayModel | SaidModel}, text)["a"]
    assert received == OnDayModel(when=dt.date(2026, 1, 31))


def test_a_number_in_quotes_is_no_datetime_in_a_union(receive: Receive) -> None:
    assert receive({"when": dt.datetime | str}, '{"when": "1790000000"}') == {
        "when": "1790000000"
    }


def test_a_date_is_a_datetime_where_no_member_is_better(receive: Receive) -> None:
    assert receive({"when": dt.datetime | int}, f'{{"when": {DAY}}}') == {
        "when": dt.datetime(2026, 1, 31)  # noqa: DTZ001
    }


def test_what_fits_no_member_is_told_of_each(refuse: Refuse) -> None:
    assert refuse({"a": {"when": dt.datetime | int}}, '{"a": {"when": "soon"}}') == [
        ("a.when", "datetime_type"),
        ("a.when", "int_type"),
    ]


@pytest.mark.parametrize("first", [Union[Color, str], Union[str, Color]])
@pytest.mark.parametrize("again", [Color, Optional[Color], list[Union[Color, str]]])
def test_an_enum_in_two_places_is_chosen_as_one_in_one_place_is(
    first: Any, again: Any, receive: Receive
) -> None:
    declared = make_typed_dict("Two", {"first": first, "again": NotRequired[again]})
    assert receive(declared, '{"first": "red"}') == {"first": "red"}
    assert receive({"all": Sequence[first]}, '{"all": ["red"]}') == {"all": ["red"]}
