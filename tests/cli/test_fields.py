"""What a person is shown of a schema."""

import datetime as dt
import decimal
import enum
import uuid
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType

from arbvantage_provider.cli.fields import (
    ABSENT,
    PayloadFields,
    describe_fields,
    read_fields,
)
from arbvantage_provider.schema.compiled_schema import compile_schema


class Colour(enum.Enum):
    """Two colours."""

    RED = "red"
    BLUE = "blue"


class Node(BaseModel):
    """A model that holds itself."""

    name: str
    children: list["Node"] = []


class Open(BaseModel):
    """A model that keeps keys it does not know."""

    model_config = ConfigDict(extra="allow")

    known: str = Field(alias="knownAs", description="What it\n is called")


Tree = TypeAliasType("Tree", "int | list[Tree]")


class Opaque:
    """A class with no JSON form."""


class Holder(BaseModel):
    """A model with a field that no JSON Schema describes."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    thing: Opaque | None = None


def fields_of(declared: Any) -> PayloadFields:
    return describe_fields(compile_schema("act", "payload", declared))


@pytest.mark.parametrize(
    ("declared", "name"),
    [
        (str, "str"),
        (int, "int"),
        (float, "float"),
        (bool, "bool"),
        (Any, "Any"),
        (list, "list"),
        (dt.datetime, "datetime"),
        (dt.date, "date"),
        (dt.time, "time"),
        (dt.timedelta, "timedelta"),
        (uuid.UUID, "UUID"),
        (bytes, "bytes"),
        (decimal.Decimal, "float | str"),
        (str | None, "str | None"),
        (list[int], "list[int]"),
        (set[int], "set[int]"),
        (tuple[int, str], "tuple[int, str]"),
        (dict[str, list[int]], "dict[str, list[int]]"),
        (Literal["a", 1], '"a" | 1'),
        (Colour, '"red" | "blue"'),
        (Node, "Node"),
        (int | Node, "int | Node"),
        (Tree, "int | list[Tree]"),
        (dict, "dict"),
    ],
)
def test_a_type_is_named_as_python_writes_it(declared: Any, name: str) -> None:
    assert fields_of({"field": declared}).top["field"].type == name


def test_a_field_inside_another_has_the_path_that_errors_give_it() -> None:
    declared = {"user": {"first-name": str, "homes": [{"zip": str}]}}
    assert [row.path for row in fields_of(declared).rows] == [
        "user",
        "user.first-name",
        "user.homes",
        "user.homes[].zip",
    ]


def test_a_field_under_any_key_is_written_with_a_star() -> None:
    rows = fields_of({"by_name": dict[str, Open]}).rows
    assert [row.path for row in rows] == ["by_name", "by_name.*.knownAs"]


def test_a_type_that_holds_itself_is_shown_once() -> None:
    assert [row.path for row in fields_of(Node).rows] == ["name", "children"]


def test_a_type_that_holds_itself_is_shown_once_inside_another() -> None:
    rows = fields_of({"tree": Tree, "node": Node}).rows
    assert [row.path for row in rows] == ["tree", "node", "node.name", "node.children"]


def test_choices_that_hold_each_other_come_to_an_end() -> None:
    one = {"anyOf": [{"type": "integer"}, {"$ref": "#/$defs/Two"}]}
    two = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/One"}]}
    field = {"properties": {"it": {"$ref": "#/$defs/One"}}}
    it = read_fields({**field, "$defs": {"One": one, "Two": two}}).top["it"]
    assert (it.type, it.kinds) == ("int | str | One", {"integer", "string"})


def test_a_field_is_called_as_it_is_on_the_wire() -> None:
    assert list(fields_of(Open).top) == ["knownAs"]


def test_a_default_is_a_json_value() -> None:
    assert fields_of(Node).top["children"].default == []


def test_a_field_without_default_has_none() -> None:
    assert fields_of(Node).top["name"].default is ABSENT


def test_a_model_that_takes_any_key_says_so() -> None:
    assert [row.path for row in fields_of(Open).rows] == ["knownAs", "*"]


def test_a_schema_that_only_python_knows_is_shown_by_its_names() -> None:
    assert [row.type for row in fields_of(Holder).rows] == ["Any"]
