"""``StrictModel`` by itself; that it is a dict schema's equal is tested beside."""

import datetime as dt
import enum
from typing import Annotated, Generic, Literal, NewType, TypeVar

import pytest
from pydantic import BaseModel, Field, ValidationError, field_validator

from arbvantage_provider import StrictModel

T = TypeVar("T")
Number = NewType("Number", int)


class Color(enum.Enum):
    RED = "red"


class Node(StrictModel):
    number: int
    children: list["Node"] | None = None


class Cat(StrictModel):
    kind: Literal["cat"]
    lives: int


class Dog(StrictModel):
    kind: Literal["dog"]


class Owner(StrictModel):
    pet: Cat | Dog = Field(discriminator="kind")


class Page(StrictModel, Generic[T]):
    items: list[T]


class Even(StrictModel):
    number: Number

    @field_validator("number")
    @classmethod
    def check(cls, number: int) -> int:
        if number % 2:
            raise ValueError("odd")
        return number


class EvenPair(Even):
    other: Annotated[int, Field(ge=1)]


class Lax(BaseModel):
    number: int


class Meeting(StrictModel):
    start: dt.datetime
    color: Color
    lax: Lax | None = None


TAKEN: list[tuple[type[StrictModel], str]] = [
    (Node, '{"number": 1.0, "children": [{"number": 2.0}]}'),
    (Owner, '{"pet": {"kind": "cat", "lives": 7.0}}'),
    (Page[int], '{"items": [1.0]}'),
    (EvenPair, '{"number": 2.0, "other": 1.0}'),
    (Meeting, '{"start": "2026-01-31", "color": "red"}'),
    (Meeting, '{"start": "2026-01-31", "color": "red", "lax": {"number": "5"}}'),
]
REFUSED: list[tuple[type[StrictModel], str, list[int | str]]] = [
    (Node, '{"number": 1, "children": [{"number": "2"}]}', ["children", 0, "number"]),
    (Owner, '{"pet": {"kind": "cat", "lives": true}}', ["pet", "cat", "lives"]),
    (Owner, '{"pet": {"kind": "cow"}}', ["pet"]),
    (Page[int], '{"items": ["1"]}', ["items", 0]),
    (EvenPair, '{"number": 1, "other": 1}', ["number"]),
    (EvenPair, '{"number": 2, "other": 0}', ["other"]),
    (Meeting, '{"start": "1769850000", "color": "red"}', ["start"]),
    (Meeting, '{"start": "2026-01-31", "color": "RED"}', ["color"]),
]


@pytest.mark.parametrize(("model", "text"), TAKEN)
def test_json_of_the_type_is_taken(model: type[StrictModel], text: str) -> None:
    assert isinstance(model.model_validate_json(text), model)


@pytest.mark.parametrize(("model", "text", "place"), REFUSED)
def test_other_json_is_refused_without_showing_it(
    model: type[StrictModel], text: str, place: list[int | str]
) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate_json(text)
    assert [[*error["loc"]] for error in caught.value.errors()] == [place]
    assert "input_value" not in str(caught.value)


def test_in_python_a_model_is_made_of_pythons_values() -> None:
    start = dt.datetime(2026, 1, 31, tzinfo=dt.UTC)
    meeting = Meeting(start=start, color=Color.RED, lax=Lax(number=1))
    assert (meeting.start, meeting.color) == (start, Color.RED)


def test_the_fields_are_shown_as_they_are_declared() -> None:
    assert EvenPair.model_fields["number"].annotation is Number
    assert EvenPair.model_fields["number"].metadata == []
