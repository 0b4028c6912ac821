"""A generic class with its types filled in is a schema as any other."""

# pyright: basic

import dataclasses
import datetime as dt
from typing import Annotated, Any, Generic, NotRequired, TypeVar

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from arbvantage_provider import HandlerSignatureError, Provider
from arbvantage_provider.export import export_json_schema, export_mcp

T = TypeVar("T")
U = TypeVar("U")


@dataclasses.dataclass
class Data(Generic[T]):
    item: T
    more: list[T] = dataclasses.field(default_factory=list)


class DataDict(TypedDict, Generic[T]):
    item: T
    more: NotRequired[list[T]]


class DataModel(BaseModel, Generic[T]):
    item: T
    more: list[T] = []


@dataclasses.dataclass
class Two(Generic[T, U]):
    first: Annotated[T, Field(description="the first")]
    second: Data[U] | None = None


SCHEMAS = [Data[dt.date], DataDict[dt.date], DataModel[dt.date]]
RIGHT = {"item": "2026-01-31", "more": ["2026-02-01"]}
WRONG = {"item": "2026-01-31", "more": ["soon"]}


def register(provider: Provider, schema: Any, way: str) -> None:
    def handler(payload: Any) -> Any:
        return payload

    def account_handler(account: Any) -> Any:
        return account

    if way == "the schema":
        provider.actions.register("tried", payload_schema=schema)(handler)
    elif way == "the payload's annotation":
        handler.__annotations__["payload"] = schema
        provider.actions.register("tried")(handler)
    elif way == "the typed form":
        del handler.__annotations__["payload"]
        provider.actions.handles(schema, name="tried")(handler)
    else:
        account_handler.__annotations__["account"] = schema
        provider.actions.register("tried")(account_handler)


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize(
    "way",
    ["the schema", "the payload's annotation", "the typed form", "the account's"],
)
def test_a_generic_class_is_the_whole(
    provider: Provider, schema: Any, way: str
) -> None:
    register(provider, schema, way)
    is_account = way == "the account's"
    right: Any = ({}, RIGHT) if is_account else (RIGHT,)
    wrong: Any = ({}, WRONG) if is_account else (WRONG,)
    assert provider.process_task("tried", *right)["data"] == RIGHT
    response = provider.process_task("tried", *wrong)
    path = "account.more[0]" if is_account else "more[0]"
    assert [each["path"] for each in response["data"]["errors"]] == [path]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_its_fields_have_the_types_that_were_filled_in(
    provider: Provider, schema: Any
) -> None:
    @provider.actions.register(payload_schema=schema)
    def right(item: dt.date, more: list[dt.date]) -> Any:
        return [item.year, len(more)]

    assert provider.process_task("right", RIGHT)["data"] == [2026, 1]
    with pytest.raises(HandlerSignatureError, match="the field is date"):

        @provider.actions.register(payload_schema=schema)
        def wrong(item: str) -> None:
            """Never registered."""


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_whole_goes_to_the_parameter_of_its_type(
    provider: Provider, schema: Any
) -> None:
    def handler(anything: Any) -> Any:
        return anything

    handler.__annotations__["anything"] = schema
    provider.actions.register("tried", payload_schema=schema)(handler)
    assert provider.process_task("tried", RIGHT)["data"] == RIGHT


def test_several_types_are_filled_in_one_within_another(provider: Provider) -> None:
    @provider.actions.register(payload_schema=Two[int, Data[bool]])
    def handler(first: int, second: Data[Data[bool]]) -> Any:
        return [first, second.item.item]

    task = {"first": 1.0, "second": {"item": {"item": True}}}
    assert provider.process_task("handler", task)["data"] == [1, True]
    task = {"first": "1", "second": {"item": {"item": 1}}}
    errors = provider.process_task("handler", task)["data"]["errors"]
    assert [each["path"] for each in errors] == ["first", "second.item.item"]
    assert (
        provider.actions["handler"].payload.fields["first"].description == "the first"
    )


@pytest.mark.parametrize("schema", [Data, DataDict, DataModel])
def test_without_types_any_value_fits(provider: Provider, schema: Any) -> None:
    register(provider, schema, "the schema")
    task = {"item": [1, "a"], "more": [None]}
    assert provider.process_task("tried", task)["data"] == task


def test_exports_name_it_and_take_what_the_provider_takes(provider: Provider) -> None:
    for index, schema in enumerate([*SCHEMAS, Two[int, Data[bool]]]):
        provider.actions.register(f"tried_{index}", payload_schema=schema)(lambda: None)
    exported = export_json_schema(provider.actions, name="x")
    assert all(name.isidentifier() for name in exported["$defs"])
    assert len(export_mcp(provider.actions)) == 4
    for index in range(3):
        payload = exported["actions"][f"tried_{index}"]["payload"]
        check = Draft202012Validator(
            {**payload, "$defs": exported["$defs"]},
            format_checker=Draft202012Validator.FORMAT_CHECKER,
        )
        assert check.is_valid(RIGHT)
        assert not check.is_valid(WRONG)


def test_a_generic_result_is_checked(provider: Provider) -> None:
    @provider.actions.register()
    def right() -> Data[int]:
        return Data(1)

    @provider.actions.register()
    def wrong() -> DataDict[int]:
        said: Any = {"item": "x"}
        return said

    assert provider.process_task("right", {})["data"] == {"item": 1, "more": []}
    assert provider.process_task("wrong", {})["status"] == "error"
