"""What these tests export, and what they check it with."""

import datetime as dt
import enum
import re
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias
from uuid import UUID

import pytest
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker
from pydantic import BaseModel, Field, SecretStr

from arbvantage_provider import Provider
from arbvantage_provider.actions import Actions
from arbvantage_provider.export import export_json_schema

Accepts: TypeAlias = Callable[..., Callable[[Any], bool]]
Validator: TypeAlias = Callable[[dict[str, Any]], Any]


class Size(enum.Enum):
    """How large a thing is."""

    SMALL = "s"
    LARGE = "l"


class Point(NamedTuple):
    x: float
    y: float = 0.0


class Card(BaseModel):
    kind: Literal["card"]
    number: SecretStr


class Cash(BaseModel):
    kind: Literal["cash"]


class Item(BaseModel):
    """One thing that is ordered."""

    sku: str = Field(description="What it is", pattern="^[A-Z]+$")
    price: Decimal = Field(gt=0)
    parts: list["Item"] = []


class Order(BaseModel):
    items: list[Item] = Field(min_length=1)
    paid: Annotated[Card | Cash, Field(discriminator="kind")]
    size: Size = Size.SMALL
    tags: set[str] = {"new", "paper", "gift", "late"}


class Receipt(BaseModel):
    number: int
    at: dt.datetime
    order: Order


class Login(BaseModel):
    key: SecretStr = SecretStr("the-secret-key")
    region: str = Field("eu-secret-1", examples=["us-secret-2"])


def build_shop() -> Provider:
    """A provider whose actions declare what they take in every way there is."""
    provider = Provider("shop", auth_token="token", log_level="CRITICAL")
    register = provider.actions.register

    @register(payload_schema=Order, account_schema=Login)
    def order(payload: Order) -> Receipt:
        """Order something.

        It comes by mail.
        """
        return Receipt(number=1, at=dt.datetime(2026, 1, 31, 9, 30), order=payload)  # noqa: DTZ001 - any is right

    @register(
        "users.create",
        "Create a user.",
        {
            "first-name": str,
            "class": int | None,
            "born": dt.date,
            "seen": dt.datetime,
            "homes": [{"zip": str, "at": Point | None}],
            "id": UUID,
            "$ref": str,
            "default": float,
        },
        {"api_key": str},
    )
    def create(payload: dict[str, Any]) -> None: ...

    @register()
    def count(
        what: Annotated[str, Field(description="What to count")], first: int = 1
    ) -> None: ...

    @register()
    def anything(payload: dict[str, Any], account: dict[str, Any]) -> None: ...

    return provider


@pytest.fixture
def shop() -> Provider:
    """A provider whose actions declare what they take in every way there is."""
    return build_shop()


@pytest.fixture(scope="session")
def formats() -> FormatChecker:
    """Checks each format that the exports use."""
    known = Draft202012Validator.FORMAT_CHECKER.checkers
    checker = FormatChecker(formats=[])
    names = ("date-time", "date", "time", "uuid")
    checker.checkers = {name: known[name] for name in names}
    part = r"(\d+Y(\d+M(\d+D)?)?|\d+M(\d+D)?|\d+D)"
    clock = r"T(\d+H(\d+M(\d+S)?)?|\d+M(\d+S)?|\d+S)"
    grammar = re.compile(rf"P({part}({clock})?|{clock}|\d+W)", re.ASCII)  # RFC 3339, A

    @checker.checks("duration")
    def is_duration(value: object) -> bool:
        return not isinstance(value, str) or grammar.fullmatch(value) is not None

    assert is_duration("PT1H30M")
    return checker


@pytest.fixture(scope="session")
def validator(formats: FormatChecker) -> Validator:
    """Makes a validator of JSON Schema 2020-12 that checks formats."""
    make: Any = Draft202012Validator
    return partial(make, format_checker=formats)


@pytest.fixture(scope="session")
def validator_7() -> Validator:
    """Makes a validator of JSON Schema, draft 7."""
    make: Any = Draft7Validator
    return partial(make)


@pytest.fixture(scope="session")
def accepts(validator: Validator) -> Accepts:
    """Makes the check that an exported schema is of one part of an action."""

    def make(actions: Actions, action: str, part: str = "payload") -> Any:
        document = export_json_schema(actions, name="tested")
        schema = {"$ref": f"#/actions/{action}/{part}", **document}
        return validator(schema).is_valid

    return make
