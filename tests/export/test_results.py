"""What a success's data is fits the exported schema of the result."""

import dataclasses
import datetime as dt
import enum
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, computed_field
from typing_extensions import TypedDict

from arbvantage_provider import Provider, ProviderResponse
from arbvantage_provider.export import (
    export_json_schema,
    export_mcp,
    export_openapi,
)

Accepts: TypeAlias = Callable[..., Callable[[Any], bool]]
Validator: TypeAlias = Callable[[dict[str, Any]], Any]


class Kind(enum.Enum):
    NEW = "new"


class Pair(NamedTuple):
    left: int
    right: str


class Inner(BaseModel):
    kind: Kind = Kind.NEW
    price: Decimal = Decimal("1E+3")

    @computed_field(description="Always 1")  # type: ignore[prop-decorator]
    @property
    def first(self) -> int:
        return 1


class Report(BaseModel):
    local: dt.datetime = dt.datetime(2026, 1, 31, 9, 30)  # noqa: DTZ001 - none is meant
    zoned: dt.datetime = dt.datetime(2026, 1, 31, 9, 30, 0, 500, tzinfo=dt.UTC)
    day: dt.date = dt.date(2026, 1, 31)
    clock: dt.time = dt.time(9, 30)
    wait: dt.timedelta = dt.timedelta(days=-1, microseconds=5)
    raw: bytes = b"raw"
    names: set[str] = {"a", "b"}
    pair: Pair = Pair(1, "a")
    counts: dict[int, float] = {1: 0.5}
    inner: Inner = Inner()
    renamed: int = Field(default=1, serialization_alias="re-named")


@dataclasses.dataclass
class Plain:
    id: UUID
    inner: Inner


class Typed(TypedDict, total=False):
    inners: list[Inner]


def make_report() -> Report:
    return Report()


def make_plain() -> Plain:
    return Plain(UUID(int=0), Inner())


def make_typed() -> Typed:
    return {"inners": [Inner()]}


def make_response() -> Inner | ProviderResponse:
    return ProviderResponse("success", data=Inner())


def make_nothing() -> Inner | None:
    return None


def make_list() -> list[Inner]:
    return [Inner()]


HANDLERS = (
    make_report,
    make_plain,
    make_typed,
    make_response,
    make_nothing,
    make_list,
)


def register(handler: Callable[..., Any], **settings: Any) -> Provider:
    provider = Provider("results", log_level="CRITICAL", **settings)
    provider.actions.register("tested")(handler)
    return provider


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_result_fits_its_schema(accepts: Accepts, handler: Any) -> None:
    provider = register(handler)
    answer = provider.process_task("tested", {})
    assert answer["status"] == "success", answer
    fits = accepts(provider.actions, "tested", "result")
    assert fits(answer["data"])
    assert not fits({"inner": 5, "kind": 5, "id": 5, "inners": 5})


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("response_format", ["plain", "unified"])
def test_a_response_fits_its_schema(
    validator: Validator, handler: Any, response_format: str
) -> None:
    provider = register(handler, response_format=response_format)
    unified = response_format == "unified"
    document = export_openapi(provider.actions, name="results", unified=unified)
    (path,) = document["paths"].values()
    schema = path["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    answer = provider.process_task("tested", {})
    validator({**document, **schema}).validate(answer)


def test_a_result_is_described_as_it_is_written() -> None:
    document = export_json_schema(register(make_plain).actions, name="x")
    inner = document["$defs"]["Inner"]["properties"]
    assert inner["first"] == {
        "type": "integer",
        "description": "Always 1",
        "readOnly": True,
    }
    assert inner["price"]["type"] == "string"


def test_keys_of_a_result_are_those_of_its_schema() -> None:
    provider = register(make_report)
    document = export_json_schema(provider.actions, name="x")
    data = provider.process_task("tested", {})["data"]
    assert data.keys() == document["$defs"]["Report"]["properties"].keys()
    assert "re-named" in data


def test_a_type_that_comes_in_and_goes_out_differently_has_two_names() -> None:
    def echo(payload: Inner) -> Inner:
        return payload

    document = export_json_schema(register(echo).actions, name="x")
    action = document["actions"]["tested"]
    assert action["payload"] == {"$ref": "#/$defs/Inner"}
    assert action["result"] == {"$ref": "#/$defs/InnerResult"}
    assert document["$defs"].keys() == {"DecimalText", "Inner", "InnerResult", "Kind"}


def test_a_tool_has_an_output_schema_where_the_result_is_an_object() -> None:
    tools = {handler: export_mcp(register(handler).actions)[0] for handler in HANDLERS}
    described = {handler for handler, tool in tools.items() if "outputSchema" in tool}
    assert described == {make_report, make_plain, make_typed, make_response}
