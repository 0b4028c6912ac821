"""Where a schema and a provider differ is as docs/exports.md says."""

import datetime as dt
import enum
import json
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import pytest
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    PastDate,
    StringConstraints,
)
from typing_extensions import override

from arbvantage_provider import Provider

Accepts: TypeAlias = Callable[..., Callable[[Any], bool]]
PAGE = Path(__file__).parents[2] / "docs" / "exports.md"


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    number: int


class Lax(BaseModel):
    number: int = 0
    flag: bool = False
    at: dt.datetime | None = None


class Holed(enum.Flag):
    READ = 1
    OWN = 4


class Looked(BaseModel):
    numbers: Iterable[int]


class Named(BaseModel):
    first: int = Field(validation_alias=AliasChoices("one", "two"))


class Colour(enum.Enum):
    RED = "red"

    @override
    @classmethod
    def _missing_(cls, value: object) -> "Colour":
        return cls.RED


def refuse(value: int) -> int:
    problem = f"{value} is no number for me"
    raise ValueError(problem)


SchemaTakes: TypeAlias = bool
Row: TypeAlias = list[tuple[Any, str, SchemaTakes]]
"""A type, a value as JSON text, and whether the schema takes it; the provider does not."""

ROWS: dict[str, Row] = {
    "`float`": [(float, "1" + "0" * 400, True)],
    "`Decimal` as text": [
        (Decimal, '"1_000"', False),
        (Decimal, '" 1 "', False),
        (Decimal, '"\\u0661"', False),
        (Annotated[Decimal, Field(gt=5)], '"1"', True),
        (Annotated[Decimal, Field(decimal_places=1)], '"1.25"', True),
    ],
    "bounds of dates, times and durations": [
        (Annotated[dt.date, Field(ge=dt.date(2026, 1, 1))], '"2025-12-31"', True),
        (Annotated[dt.timedelta, Field(lt=dt.timedelta(1))], '"P2D"', True),
        (PastDate, '"9999-01-01"', True),
    ],
    "`timedelta`": [(dt.timedelta, '"P1000000000D"', True)],
    "lengths of a set": [
        (Annotated[set[int], Field(min_length=2)], "[1, 1]", True),
        (Annotated[set[int], Field(max_length=1)], "[1, 2]", True),
    ],
    "lengths of `bytes`": [
        (Annotated[bytes, Field(max_length=1)], '"\\u00e9"', True),
        (Annotated[bytes, Field(min_length=2)], '"\\u00e9"', False),
    ],
    "`multiple_of` of a float": [
        (Annotated[float, Field(multiple_of=0.1)], "0.3", False)
    ],
    "`int` in a model with `strict=True`": [(Strict, '{"number": 1.0}', True)],
    "keys that stand for numbers": [
        (dict[Annotated[int, Field(ge=1)], int], '{"0": 1}', True),
        (dict[float, int], '{"1e999": 1}', True),
    ],
    "a `BaseModel` that is not strict": [
        (Lax, '{"number": "5"}', False),
        (Lax, '{"flag": "yes"}', False),
        (Lax, '{"at": 5}', False),
    ],
    "a `Flag`": [(Holed, "2", True)],
    "an `Iterable` in a `BaseModel`": [
        (Looked, '{"numbers": "text"}', False),
        (Looked, '{"numbers": ["text"]}', False),
    ],
    "a field of several names": [(Named, '{"two": 1}', False)],
    "text that is stripped or changed first": [
        (
            Annotated[str, StringConstraints(strip_whitespace=True, max_length=1)],
            '" a "',
            False,
        )
    ],
    "text that only its type can read, such as a URL": [(HttpUrl, '"none"', True)],
    "your own validators, an enum's `_missing_`": [
        (Annotated[int, AfterValidator(refuse)], "1", True),
        (Colour, '"blue"', False),
    ],
}


@pytest.mark.parametrize(
    ("declared", "text", "fits"), [row for rows in ROWS.values() for row in rows]
)
def test_the_schema_and_the_provider_differ(
    accepts: Accepts,
    declared: Any,
    text: str,
    fits: bool,  # noqa: FBT001 - of parametrize
) -> None:
    provider = Provider("differences", log_level="CRITICAL")
    provider.actions.register("tested", payload_schema={"f": declared})(lambda: None)
    payload = f'{{"f": {text}}}'
    assert accepts(provider.actions, "tested")(json.loads(payload)) is fits
    taken = provider.process_task("tested", payload)["status"] == "success"
    assert taken is not fits


def test_the_page_lists_these_differences() -> None:
    _, _, table = PAGE.read_text(encoding="utf-8").partition("| of | the schema |")
    listed = re.findall(r"^\| (?!-)(.*?) \|", table, re.MULTILINE)
    assert listed == ["the JSON text", *ROWS]
