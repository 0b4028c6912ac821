"""Defaults and constraints as source: what is written makes an equal value."""

import datetime as dt
import enum
import math
import uuid
from decimal import Decimal
from typing import Any

import pytest
from pydantic import AfterValidator, StringConstraints

from arbvantage_provider.codegen.imports import UnspeakableError
from arbvantage_provider.codegen.names import Scope
from arbvantage_provider.codegen.values import Values


class Color(enum.Enum):
    RED = "red"
    DARK_RED = "dark red"


class Right(enum.Flag):
    READ = 1
    WRITE = 2


Odd = enum.Enum("Odd", {"not-a-name": 1})

VALUES: list[tuple[Any, str]] = [
    (None, "None"),
    (True, "True"),
    (-5, "-5"),
    (1e16, "1e16"),
    ("it's", '"it\'s"'),
    (b'"\x00', "b'\"\\x00'"),
    ([1, [2]], "[1, [2]]"),
    ((1,), "(1,)"),
    ({"a": {1, 2}}, '{"a": {1, 2}}'),
    (set(), "set()"),
    (frozenset(), "frozenset()"),
    (frozenset({2, 1}), "frozenset([1, 2])"),
    (math.inf, 'float("inf")'),
    (Color.RED, "Color.RED"),
    (Right.READ | Right.WRITE, "Right(3)"),
    (Odd(1), "Odd(1)"),
    (Decimal("1.50"), 'Decimal("1.50")'),
    (uuid.UUID(int=1), 'UUID("00000000-0000-0000-0000-000000000001")'),
    (dt.date(2026, 1, 31), 'date.fromisoformat("2026-01-31")'),
    (dt.time(9, 30), 'time.fromisoformat("09:30:00")'),
    (
        dt.datetime(2026, 1, 31, tzinfo=dt.UTC),
        'datetime.fromisoformat("2026-01-31T00:00:00+00:00")',
    ),
    (dt.timedelta(hours=25), "timedelta(days=1, seconds=3600)"),
    (dt.timedelta(), "timedelta()"),
    (AfterValidator(len), "AfterValidator(len)"),
    (
        StringConstraints(min_length=1, to_lower=True),
        "StringConstraints(to_lower=True, min_length=1)",
    ),
    (math.floor, "floor"),
    (Color, "Color"),
]


@pytest.mark.parametrize(("value", "text"), VALUES, ids=repr)
def test_a_value_is_written_so_that_it_comes_back(value: Any, text: str) -> None:
    scope = Scope()
    assert Values(scope).spell(value) == text
    names: dict[str, Any] = {}
    exec(scope.format_imports(), names)  # noqa: S102 - that is what it is for
    assert eval(text, names) == value  # noqa: S307 - the same


@pytest.mark.parametrize("value", [object(), lambda: 1, dt.UTC, [object()], Ellipsis])
def test_what_cannot_be_written_is_refused(value: Any) -> None:
    with pytest.raises(UnspeakableError):
        Values(Scope()).spell(value)


def test_a_name_that_means_something_else_is_imported_by_another() -> None:
    scope = Scope(defined={"date": "mine"})
    values = Values(scope, avoid={"Decimal", "int"})
    assert values.refer(dt.date) == "date_"
    assert values.refer(Decimal) == "Decimal_"
    assert values.refer(int) == "int_"
    assert Values(scope).refer(int) == "int"
    assert scope.format_imports() == (
        "from builtins import int as int_\n"
        "from datetime import date as date_\n"
        "from decimal import Decimal as Decimal_"
    )
