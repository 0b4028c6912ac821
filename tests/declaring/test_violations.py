"""What a violation says, and that it never holds the input."""

# Validators take more than they use.
# pyright: basic

import enum
import json
import uuid
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, HttpUrl, field_validator, model_validator
from pydantic_core import PydanticCustomError

from arbvantage_provider import Provider

Run = Callable[..., dict[str, Any]]

INPUT = "input-that-is-private"


class Quoting(BaseModel):
    value: str

    @field_validator("value")
    @classmethod
    def check(cls, value: str) -> str:
        raise ValueError(f"{value} is wrong, {value!r} too")


class QuotingBefore(BaseModel):
    value: str

    @field_validator("value", mode="before")
    @classmethod
    def check(cls, value: str) -> str:
        raise AssertionError(f"not {value}")


class QuotingCustom(BaseModel):
    value: str

    @field_validator("value")
    @classmethod
    def check(cls, value: str) -> str:
        raise PydanticCustomError("mine", "got {value}", {"value": value})


class QuotingUnderAKnownKind(BaseModel):
    value: str

    @field_validator("value")
    @classmethod
    def check(cls, value: str) -> str:
        raise PydanticCustomError("string_type", "got {value}", {"value": value})


class QuotingTheWhole(BaseModel):
    value: str

    @model_validator(mode="after")
    def check(self) -> "QuotingTheWhole":
        raise ValueError(f"bad: {self!r}")


class QuotingAnother(BaseModel):
    value: str
    again: str = ""

    @field_validator("again")
    @classmethod
    def check(cls, again: str, info: Any) -> str:
        raise ValueError(f"should be {info.data['value']}")


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Tagged(BaseModel):
    value: Annotated[Cat | Dog, Field(discriminator="kind")]


class Address(BaseModel):
    value: HttpUrl


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (Quoting, INPUT),
        (QuotingBefore, INPUT),
        (QuotingCustom, INPUT),
        (QuotingUnderAKnownKind, INPUT),
        (QuotingTheWhole, INPUT),
        (Tagged, {"kind": INPUT}),
        (Address, INPUT),
        (Address, f"http://[{INPUT}"),
        ({"value": uuid.UUID}, INPUT),
        ({"value": int}, INPUT),
        ({"value": Literal["a"]}, INPUT),
        ({"value": [int]}, [INPUT]),
        ({"value": Annotated[str, Field(pattern="^$")]}, INPUT),
        ({"value": Annotated[str, Field(max_length=1)]}, INPUT),
        ({"value": int | dict[str, int]}, {"a": INPUT}),
        ({"value": list[Cat | Dog]}, [{"kind": INPUT}]),
    ],
)
def test_a_violation_never_holds_the_input(
    provider: Provider, capsys: pytest.CaptureFixture[str], schema: Any, value: Any
) -> None:
    provider.actions.register("check", payload_schema=schema)(lambda payload: payload)
    provider.actions.register("log", account_schema=schema)(lambda account: account)
    for response in (
        provider.process_task("check", {"value": value}),
        provider.process_task("log", {}, {"value": value}),
    ):
        assert response["status"] == "error"
        assert response["data"]["errors"]
        assert INPUT not in json.dumps(response)
    assert INPUT not in capsys.readouterr().err


def test_a_violation_never_holds_the_input_of_another_field(run: Run) -> None:
    text = json.dumps({"value": INPUT, "again": "other"})
    response = run(lambda payload: payload, text, payload_schema=QuotingAnother)
    assert INPUT not in json.dumps(response)


def test_an_authors_words_about_a_value_are_kept(run: Run) -> None:
    class Even(BaseModel):
        n: int

        @field_validator("n")
        @classmethod
        def check(cls, n: int) -> int:
            raise ValueError("must be even")

    response = run(lambda payload: payload, '{"n": 7}', payload_schema=Even)
    assert response["data"]["errors"][0]["message"].endswith("must be even")


class Answer(BaseModel):
    value: int


def test_a_validation_error_in_a_handler_shows_no_input(
    capsys: pytest.CaptureFixture[str],
) -> None:
    provider = Provider("p", execution_timeout=30)

    @provider.actions.register()
    def call_service() -> None:
        Answer.model_validate({"value": INPUT, "more": INPUT})

    response = provider.process_task("call_service", {})
    assert response["message"].startswith(
        "ValidationError: 1 validation error for Answer"
    )
    assert INPUT not in response["message"]
    assert INPUT not in capsys.readouterr().err


def test_at_most_a_hundred_violations_are_listed(run: Run) -> None:
    text = json.dumps({"l": ["x"] * 1000})
    response = run(lambda payload: 1, text, payload_schema={"l": [int]})
    assert len(response["data"]["errors"]) == 100
    assert response["message"].endswith("(and 999 more)")


def test_of_very_many_errors_only_the_number_is_told(run: Run) -> None:
    text = json.dumps({"l": ["x"] * 10_001})
    response = run(lambda payload: 1, text, payload_schema={"l": [int]})
    assert response["message"].endswith(
        "does not fit: 10001 places do not fit, too many to list"
    )
    assert [error["type"] for error in response["data"]["errors"]] == [
        "too_many_errors"
    ]


def test_an_authors_message_that_takes_long_to_search_is_not_told(run: Run) -> None:
    class Quoting(BaseModel):
        texts: list[str]

        @field_validator("texts")
        @classmethod
        def check(cls, texts: list[str]) -> list[str]:
            raise ValueError(f"never {''.join(texts)}")

    text = json.dumps({"texts": [f"{number:03}" for number in range(2_000)]})
    response = run(lambda payload: 1, text, payload_schema=Quoting)
    (violation,) = response["data"]["errors"]
    assert violation == {
        "path": "texts",
        "type": "value_error",
        "message": "Value error, …",
    }


class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"


@pytest.mark.parametrize(
    ("declared", "choices"),
    [
        (Literal["a", "b", "c"], "'a', 'b' or 'c'"),
        (Literal["a"], "'a'"),
        (Literal[1, "b"], "1 or 'b'"),
        (Size, "'s' or 'l'"),
    ],
)
def test_choices_are_listed_as_one_reads_them(
    run: Run, declared: Any, choices: str
) -> None:
    refused = run(lambda: None, {"f": "x"}, payload_schema={"f": declared})
    assert refused["data"]["errors"][0]["message"] == f"Input should be {choices}"
