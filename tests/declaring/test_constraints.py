"""A constraint that no value can be held against is refused where it is declared."""

# pyright: basic

import dataclasses
import datetime as dt
import enum
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, create_model
from typing_extensions import TypeAliasType, TypedDict

from arbvantage_provider import SchemaError, StrictModel

make_dict: Any = TypedDict
Alias = TypeAliasType("Alias", str)


class Color(enum.Enum):
    RED = "red"


class Point(BaseModel):
    x: int


UNFIT = [
    *(
        (str, {"ge": 1}),
        (Alias, {"gt": 1}),
        (str | None, {"lt": 1}),
        (int | str, {"le": 1}),
    ),
    *((int, {"max_length": 3}), (int, {"max_digits": 3}), (str, {"multiple_of": 2})),
    *(
        (int, {"pattern": "a"}),
        (dict[str, int], {"pattern": "a"}),
        (list[int], {"ge": 1}),
    ),
    *((Color, {"ge": 1}), (Literal["a"], {"ge": 1}), (Point, {"ge": 1})),
    *((Decimal, {"min_length": 3}), (uuid.UUID, {"max_length": 3})),
    *((bool, {"min_length": 1}), (dt.timedelta, {"max_length": 1})),
]
CONTRADICTIONS = [
    *(
        (int, {"gt": 5, "lt": 3}),
        (float, {"ge": 2, "lt": 2}),
        (float, {"ge": float("nan")}),
    ),
    *(
        (str, {"min_length": 5, "max_length": 3}),
        (list[int], {"min_length": 2, "max_length": 1}),
    ),
    *(
        (int, {"multiple_of": 0}),
        (float, {"multiple_of": -1.0}),
        (str, {"pattern": "("}),
    ),
    *((int, {"ge": "a"}), (dt.date, {"ge": 1}), (str, {"pattern": "(?=a)b"})),
]


@pytest.mark.parametrize(("type_", "constraint"), [*UNFIT, *CONTRADICTIONS])
def test_it_is_refused_in_signatures_and_dict_schemas(
    type_: Any, constraint: dict[str, Any], register: Callable[..., None]
) -> None:
    def handle(field: Any) -> None:
        """Take one field."""

    given: Any = Field(**constraint)

    def handle_default(field: Any = given) -> None:
        """Take one field."""

    declared = Annotated[type_, Field(**constraint)]
    handle.__annotations__["field"] = declared
    handle_default.__annotations__["field"] = type_
    for handler, to, path in (
        (handle, {}, "signature.field"),
        (handle_default, {}, "signature.field"),
        (
            lambda: None,
            {"payload_schema": {"o": {"k": declared}}},
            "payload_schema.o.k",
        ),
        (lambda: None, {"payload_schema": {"k": list[declared]}}, "payload_schema.k"),
        (lambda: None, {"account_schema": {"k": declared}}, "account_schema.k"),
    ):
        with pytest.raises(SchemaError) as caught:
            register(handler, **to)
        assert caught.value.path.startswith(path)
        assert "Error building" not in str(caught.value)


@pytest.mark.parametrize(("type_", "constraint"), UNFIT)
@pytest.mark.parametrize("kind", ["model", "strict", "dataclass", "dict"])
def test_it_is_refused_in_classes(
    type_: Any, constraint: dict[str, Any], kind: str, register: Callable[..., None]
) -> None:
    declared: Any = Annotated[type_, Field(**constraint)]
    made: Any = {
        "model": lambda: create_model("Made", field=(declared, ...)),
        "strict": lambda: create_model(
            "Made", __base__=StrictModel, field=(declared, ...)
        ),
        "dataclass": lambda: dataclasses.make_dataclass("Made", [("field", declared)]),
        "dict": lambda: make_dict("Made", {"field": declared}),
    }[kind]()
    (word,) = constraint
    for schema, path in ((made, "payload_schema"), ({"o": made}, "payload_schema.o")):
        with pytest.raises(SchemaError, match=f"{word}=") as caught:
            register(lambda: None, payload_schema=schema)
        assert caught.value.path == f"{path}.field"


def test_the_error_says_what_to_do(register: Callable[..., None]) -> None:
    with pytest.raises(
        SchemaError, match=r"ge=1 cannot be applied to str; leave it out"
    ):
        register(lambda: None, payload_schema={"k": Annotated[str, Field(ge=1)]})
    with pytest.raises(
        SchemaError, match=r"pattern cannot be used: unclosed group; write"
    ):
        register(lambda: None, payload_schema={"k": Annotated[str, Field(pattern="(")]})


class Ordered(BaseModel):
    rank: int

    def __ge__(self, other: object) -> bool:
        return isinstance(other, Ordered) and self.rank >= other.rank


@pytest.mark.parametrize(
    "declared",
    [
        Annotated[Ordered, Field(ge=Ordered(rank=1))],
        *(
            Annotated[int, Field(ge=1, le=1)],
            Annotated[str, Field(min_length=0, max_length=0)],
        ),
        *(Annotated[str | None, Field(pattern="^a$")], Annotated[bool, Field(ge=0)]),
        *(Annotated[int | float, Field(ge=1)], Annotated[Any, Field(ge=1)]),
        *(
            Annotated[Decimal, Field(max_digits=3)],
            Annotated[dict[str, int], Field(min_length=1)],
        ),
        *(
            Annotated[dt.date, Field(ge=dt.date.min)],
            Annotated[int | None, Field(gt=1)],
        ),
        *(
            Annotated[list[int] | str, Field(min_length=1)],
            Annotated[tuple[int, ...], Field(max_length=1)],
        ),
    ],
)
def test_what_fits_is_taken(declared: Any, register: Callable[..., None]) -> None:
    register(lambda: None, payload_schema={"k": declared, "o": [declared]})
