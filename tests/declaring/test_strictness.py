"""What a dict schema takes is what JSON Schema would take."""

# A date-time of JSON may have no time zone.
# ruff: noqa: DTZ001
# pyright: basic

import datetime as dt
import enum
import typing
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, NewType

import pytest
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    Field,
    JsonValue,
    PastDate,
)
from typing_extensions import TypeAliasType

from arbvantage_provider import Provider

Receive = Callable[[Any, str], Any]
Refuse = Callable[[Any, str], list[tuple[str, str]]]


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


ID = uuid.UUID("6f9619ff-8b86-d011-b42d-00c04fc964ff")
Moment = NewType("Moment", dt.datetime)
Count = NewType("Count", int)
Instant = TypeAliasType("Instant", dt.datetime)
Nested = TypeAliasType("Nested", int | list["Nested"])

REFUSED: list[tuple[Any, list[str]]] = [
    (str, ["5", "true", "null", "[]", "{}"]),
    (int, ['"5"', "1.5", "true", "false", "null", '""', "[1]"]),
    (float, ['"1.5"', "true", "null", '"NaN"', '"Infinity"', "[]"]),
    (bool, ["1", "0", '"true"', '"yes"', "null", "1.0"]),
    (
        dt.datetime,
        ['"5"', "5", "1.5", '"1790000000"', '"2026-13-01"', '"soon"', '"2026"'],
    ),
    (dt.datetime, ['""', "true", "null", '"2026-01-31T"', '" 2026-01-31"', '"09:30"']),
    (dt.datetime, ['"2026-01-31T25:00:00Z"', '"\\u0662026-01-31"', '"2026-01-31 x"']),
    (dt.date, ['"5"', "5", '"2026-02-30"', '"2026-01-31T00:00:00"', "true", '""']),
    (dt.time, ['"5"', "5", '"25:00"', '"noon"', "34200", '""']),
    (dt.timedelta, ['"5"', "5", '"1:30:00"', '"P"', '"PT"', '"1 day"', '""']),
    (Decimal, ["true", '"x"', '"NaN"', '"Infinity"', '"sNaN"', "null", '""']),
    (uuid.UUID, ['"x"', "5", "null", '""']),
    (bytes, ["5", "[1]", "null"]),
    (Level, ['"1"', "3", "null", "true", "1.5"]),
    (Literal[1, "a"], ['"1"', "2", '"A"', "null", "true"]),
    (list, ["{}", '"a"', "null", "5"]),
    (dict, ["[]", '"a"', "null", "[[1, 2]]"]),
    (set, ["{}", '"ab"', "5"]),
    (list[int], ['["5"]', "[true]", "[1.5]", '"12"']),
    (dict[str, int], ['{"a": "5"}', '{"a": true}']),
    (tuple[int, str], ["[1]", '[1, "a", 2]', '["a", 1]']),
    (int | str, ["true", "null", "1.5", "[]"]),
    (int | None, ['"5"', "true", "1.5"]),
    (Annotated[int, Field(ge=1)], ["0", "0.0", '"5"', "true"]),
    (Annotated[str, Field(min_length=2)], ['"a"', "55"]),
    (Annotated[dt.datetime, Field(description="when")], ['"5"', "5"]),
    (dt.datetime | None, ['"5"', "5"]),
    (list[dt.datetime], ['["5"]', "[5]"]),
    (dict[str, dt.datetime], ['{"a": "5"}']),
    (tuple[dt.datetime, ...], ['["5"]']),
    (Sequence[dt.datetime], ['["5"]', '"2026-01-31"']),
    (Mapping[str, dt.datetime], ['{"a": "5"}']),
    (typing.Sequence[dt.datetime], ['["5"]']),
    (Moment, ['"5"', "5"]),
    (AwareDatetime, ['"5"', "5", '"2026-01-31T09:30:00"']),
    (PastDate, ['"5"', "5", '"2999-01-31"']),
    (Iterable[int], ['["a"]', '"a"', "[true]"]),
    (Nested, ['["a"]', '[[["a"]]]']),
    (Instant, ['"5"', "5"]),
    (Count, ['"5"', "true", "1.5"]),
    (
        dict[int, int],
        [f'{{"{key}": 1}}' for key in ("5.0", " 5", "05", "1_0", "", "a")],
    ),
    (dict[float, int], [f'{{"{key}": 1}}' for key in ("1_0", "NaN", "1e999", "5.")]),
    (dict[bool, int], [f'{{"{key}": 1}}' for key in ("True", "1", "yes")]),
    (dict[dt.date, int], ['{"5": 1}', '{"2026-02-30": 1}']),
    (dict[uuid.UUID, int], ['{"5": 1}']),
    (dict[Level, int], ['{"3": 1}', '{"1.0": 1}', '{"LOW": 1}']),
    (dict[Literal["a", 1], int], ['{"b": 1}', '{"1.0": 1}']),
    (dict[Annotated[int, Field(ge=1)], int], ['{"0": 1}']),
    (Mapping[int, int], ['{"a": 1}']),
]
TAKEN: list[tuple[Any, str, Any]] = [
    (int, "1.0", 1),
    (int, "-0.0", 0),
    (int, "1e2", 100),
    (float, "1", 1.0),
    (float, "1e3", 1000.0),
    (list[int], "[1.0]", [1]),
    (dict[str, int], '{"a": 1.0}', {"a": 1}),
    (int | None, "1.0", 1),
    (Annotated[int, Field(ge=1)], "1.0", 1),
    (Annotated[list[int], Field(min_length=1)], "[1.0]", [1]),
    (Sequence[int], "[1.0]", [1]),
    (dict[int, int], '{"5": 1, "-7": 2}', {5: 1, -7: 2}),
    (Mapping[int, list[str]], '{"5": []}', {5: []}),
    (typing.Dict[Count, int], '{"5": 1}', {5: 1}),  # noqa: UP006 - as programs write
    (dict[Annotated[int, Field(ge=1)], int], '{"1": 1}', {1: 1}),
    (dict[int | dt.date, int], '{"1": 1}', {1: 1}),
    (dict[float, int], '{"1": 1, "1.5e3": 2}', {1.0: 1, 1500.0: 2}),
    (dict[bool, int], '{"true": 1, "false": 2}', {True: 1, False: 2}),
    (dict[dt.date, int], '{"2026-01-31": 1}', {dt.date(2026, 1, 31): 1}),
    (dict[uuid.UUID, int], f'{{"{ID}": 1}}', {ID: 1}),
    (dict[Level, int], '{"1": 1}', {Level.LOW: 1}),
    (dict[Literal["a", 1], int], '{"a": 1, "1": 2}', {"a": 1, 1: 2}),
    (dt.datetime | int, '"2026-01-31"', dt.datetime(2026, 1, 31)),
    (int | dt.timedelta | dt.time | None, '"PT1H"', dt.timedelta(hours=1)),
    (int | dt.timedelta | dt.time | None, '"09:30"', dt.time(9, 30)),
    (list[int | dt.date], '["2026-01-31", 1.0]', [dt.date(2026, 1, 31), 1]),
    (Mapping[str, int], '{"a": 1.0}', {"a": 1}),
    (Count, "1.0", 1),
    (Iterable[int], "[1.0]", [1]),
    (Nested, "[1.0, [2.0]]", [1, [2]]),
    (JsonValue, '[1, {"a": null}]', [1, {"a": None}]),
    (AwareDatetime, '"2026-01-31T00:00:00Z"', dt.datetime(2026, 1, 31, tzinfo=dt.UTC)),
    (Level, "1.0", Level.LOW),
    (Literal[1], "1.0", 1),
    (dt.datetime, '"2026-01-31"', dt.datetime(2026, 1, 31)),
    (dt.datetime, '"2026-01-31T09:30"', dt.datetime(2026, 1, 31, 9, 30)),
    (dt.datetime, '"2026-01-31 09:30:00"', dt.datetime(2026, 1, 31, 9, 30)),
    (
        dt.datetime,
        '"2026-01-31T09:30:00.25+02:00"',
        dt.datetime(2026, 1, 31, 9, 30, 0, 250000, dt.timezone(dt.timedelta(hours=2))),
    ),
    (Moment, '"2026-01-31"', dt.datetime(2026, 1, 31)),
    (Instant, '"2026-01-31"', dt.datetime(2026, 1, 31)),
    (Sequence[dt.datetime], '["2026-01-31"]', [dt.datetime(2026, 1, 31)]),
    (dt.time, '"09:30"', dt.time(9, 30)),
    (dt.timedelta, '"-P1D"', dt.timedelta(days=-1)),
    (bytes, '""', b""),
]


@pytest.mark.parametrize(
    ("declared", "text"),
    [(declared, text) for declared, texts in REFUSED for text in texts],
)
def test_a_value_of_another_json_type_is_refused(
    refuse: Refuse, declared: Any, text: str
) -> None:
    paths = [path for path, _ in refuse({"f": declared}, f'{{"f": {text}}}')]
    assert paths
    assert all(path.startswith("f") for path in paths)


@pytest.mark.parametrize(("declared", "text", "value"), TAKEN)
def test_an_equal_value_of_json_is_taken(
    receive: Receive, declared: Any, text: str, value: Any
) -> None:
    received = receive({"f": declared}, f'{{"f": {text}}}')["f"]
    assert received == value
    assert type(received) is type(value)


class Lax(BaseModel):
    count: int
    when: dt.datetime


def test_a_users_model_keeps_its_own_configuration(receive: Receive) -> None:
    text = '{"o": {"count": "5", "when": "5"}}'
    when = dt.datetime(1970, 1, 1, 0, 0, 5, tzinfo=dt.UTC)
    assert receive({"o": Lax}, text) == {"o": Lax(count=5, when=when)}
    assert receive(Lax, '{"count": "5", "when": "5"}') == Lax(count=5, when=when)


def test_an_integer_too_large_for_a_float_is_no_float(refuse: Refuse) -> None:
    text = '{"f": 1' + "0" * 400 + "}"
    assert [path for path, _ in refuse({"f": float}, text)] == ["f"]


def test_what_no_set_can_hold_is_answered(run: Callable[..., Any]) -> None:
    text = '{"f": [[]]}'
    assert run(lambda: 1, text, payload_schema={"f": set})["status"] == "error"


@pytest.mark.parametrize(
    "validator", [AfterValidator(lambda v: v), BeforeValidator(lambda v: v)]
)
@pytest.mark.parametrize(
    ("leaf", "text"),
    [(dt.datetime, "2026-01-31T09:30:00Z"), (dt.date, "2026-01-31"), (int, 5)],
)
def test_a_validator_of_the_authors_own_stands_around_the_strict_check(
    provider: Provider, validator: Any, leaf: Any, text: Any
) -> None:
    schema = {"f": Annotated[leaf, validator]}
    provider.actions.register("asked", payload_schema=schema)(lambda f: f)

    assert provider.process_task("asked", {"f": text})["status"] == "success"
    assert provider.process_task("asked", {"f": "5"})["status"] == "error"
