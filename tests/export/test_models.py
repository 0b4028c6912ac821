"""What the export says of a user's own classes, the classes take.

The values are made from the exported schema itself, by the ten lines of ``Maker``.
"""

import dataclasses
import datetime as dt
import functools
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeAlias, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import (
    UUID4,
    AliasChoices,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    NaiveDatetime,
    RootModel,
    SecretStr,
    StringConstraints,
)
from typing_extensions import TypedDict

from arbvantage_provider import Provider
from arbvantage_provider.export import export_json_schema

Accepts: TypeAlias = Callable[..., Callable[[Any], bool]]
Values: TypeAlias = st.SearchStrategy[Any]
T = TypeVar("T")


class Maker:
    """Makes values that fit a JSON Schema, of the words that exports use."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.types = document["$defs"]

    def make(self, node: Any) -> Values:
        """The strategy for a schema."""
        if node is True or not node.keys() & WORDS:
            return ANYTHING
        if "$ref" in node:
            return self.make_reference(node["$ref"].removeprefix("#/$defs/"))
        if members := node.get("anyOf", node.get("oneOf")):
            tags = node.get("required", ())
            made = st.one_of([self.make(member) for member in members])
            return made.filter(lambda value: all(tag in value for tag in tags))
        if node.keys() & {"const", "enum"}:
            return st.sampled_from(node.get("enum", [node.get("const")]))
        make: Callable[[Any], Values] = getattr(self, f"make_{node['type']}")
        return make(node)

    def make_reference(self, name: str) -> Values:
        if name == "DurationText":  # one may be too long, which no pattern says
            return FORMATS["duration"]
        return st.deferred(lambda: self.make(self.types[name]))

    def make_object(self, node: Any) -> Values:
        parts = {
            key: self.make(part) for key, part in node.get("properties", {}).items()
        }
        required = {key: parts.pop(key) for key in node.get("required", ())}
        fixed = st.fixed_dictionaries(required, optional=parts)
        more = node.get("additionalProperties", True)
        if more is False or (more is True and parts | required):
            return fixed
        keys = self.make({"type": "string", **node.get("propertyNames", {})})
        return st.dictionaries(keys, self.make(more), max_size=2)

    def make_array(self, node: Any) -> Values:
        if "prefixItems" in node:
            items: Any = st.tuples(*map(self.make, node["prefixItems"]))
            made: Values = items.map(list)
            return made
        least = node.get("minItems", 0)
        most = node.get("maxItems", least + 2)
        return st.lists(self.make(node["items"]), min_size=least, max_size=most)

    def make_string(self, node: Any) -> Values:
        if "pattern" in node:
            pattern: str = node["pattern"]
            return st.from_regex(pattern.replace("$", r"\Z"))
        if "format" in node and node["format"] in FORMATS:
            return FORMATS[node["format"]]
        return st.text(
            min_size=node.get("minLength", 0), max_size=node.get("maxLength", 5)
        )

    def make_integer(self, node: Any) -> Values:
        return st.integers(node.get("minimum"), node.get("maximum"))

    def make_number(self, node: Any) -> Values:
        return st.floats(
            node.get("minimum", node.get("exclusiveMinimum")),
            node.get("maximum"),
            exclude_min="exclusiveMinimum" in node,
            allow_nan=False,
            allow_infinity=False,
        )

    def make_boolean(self, _: Any) -> Values:
        return st.booleans()

    def make_null(self, _: Any) -> Values:
        return st.none()


WORDS = {"type", "anyOf", "oneOf", "$ref", "const", "enum"}
ANYTHING = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
OFFSETS = st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=-3, minutes=30))])
FORMATS = {
    "date-time": st.datetimes(timezones=OFFSETS).map(dt.datetime.isoformat),
    "date": st.dates().map(dt.date.isoformat),
    "time": st.times(timezones=OFFSETS).map(dt.time.isoformat),
    "duration": st.sampled_from(["P1D", "PT1H30M", "P1Y2M3DT4H5M6S", "P4W"]),
    "uuid": st.uuids().map(str),
}


class Base(BaseModel):
    kind: Literal["a"] = "a"
    at: dt.datetime
    zone: AwareDatetime
    local: NaiveDatetime
    wait: dt.timedelta | None = None


class Other(BaseModel):
    kind: Literal["b"]
    when: tuple[dt.date, dt.time]


class Page(BaseModel, Generic[T]):
    rows: dict[int, T]
    flags: dict[bool, int] = {}


class Item(NamedTuple):
    name: str
    price: Decimal = Decimal(1)


@dataclasses.dataclass
class Box:
    items: list[Item]
    owner: "Box | None" = None


class Tags(TypedDict, total=False):
    names: set[str]
    ids: frozenset[UUID]


class Root(RootModel[dict[str, list[int]]]):
    pass


class Model(BaseModel):
    """Has everything that pydantic's default configuration changes."""

    first: Annotated[int, Field(alias="first-name", ge=1, le=9)]
    second: str = Field("x", validation_alias=AliasChoices("two", "zwei"))
    choice: Annotated[Base | Other, Field(discriminator="kind")]
    page: Page[Box]
    root: Root
    tags: Tags
    token: SecretStr
    code: Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")]
    id: UUID4
    ratio: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    raw: bytes = b""


class Strict(Model):
    model_config = ConfigDict(strict=True, extra="forbid")


@dataclasses.dataclass
class Plain:
    box: Box
    number: float


class Typed(TypedDict):
    model: Base
    other: Other | None


@functools.cache
def declare(schema: Any) -> tuple[Provider, Values]:
    """A provider of one action, and what it says it takes."""
    provider = Provider(
        "models", auth_token="token", execution_timeout=60, log_level="CRITICAL"
    )
    provider.actions.register("tested", payload_schema=schema)(lambda: None)
    document = export_json_schema(provider.actions, name="models")
    return provider, Maker(document).make(document["actions"]["tested"]["payload"])


@pytest.mark.parametrize("declared", [Model, Strict, Plain, Typed])
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(data=st.data())
def test_what_the_schema_says_of_a_class_the_class_takes(
    declared: Any, data: st.DataObject
) -> None:
    provider, payloads = declare(declared)
    payload = data.draw(payloads)
    answer = provider.process_task("tested", json.dumps(payload))
    assert answer["status"] == "success", (payload, answer)


@pytest.mark.parametrize("declared", [Model, Strict, Plain, Typed])
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_the_values_of_these_tests_fit_the_schema(
    accepts: Accepts, declared: Any, data: st.DataObject
) -> None:
    provider, payloads = declare(declared)
    assert accepts(provider.actions, "tested")(data.draw(payloads))
