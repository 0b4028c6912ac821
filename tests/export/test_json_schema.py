"""``export_json_schema``."""

import dataclasses
import enum
import json
from typing import Annotated, Any, Generic, TypeVar

from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field, ValidationInfo, field_validator
from typing_extensions import TypedDict

from arbvantage_provider import Provider
from arbvantage_provider.actions import Actions
from arbvantage_provider.export import export_json_schema

T = TypeVar("T")


@dataclasses.dataclass
class Box:
    width: int


class Label(TypedDict):
    text: str


def export(schema: Any, name: str = "tested") -> dict[str, Any]:
    """The document of one action."""
    actions = Actions()
    actions.register(name, payload_schema=schema)(lambda: None)
    return export_json_schema(actions, name="provider")


def test_the_document_is_json_schema(shop: Provider) -> None:
    document = export_json_schema(shop.actions, name="shop")
    Draft202012Validator.check_schema(document)
    for action in document["actions"].values():
        for part in {"payload", "account", "result"} & action.keys():
            Draft202012Validator.check_schema(action[part])


def test_each_action_has_its_parts(shop: Provider) -> None:
    document = export_json_schema(shop.actions, name="shop")
    assert document["title"] == "shop"
    assert list(document["actions"]) == ["anything", "count", "order", "users.create"]
    order = document["actions"]["order"]
    assert order["description"] == "Order something."
    assert order["payload"] == {"$ref": "#/$defs/Order"}
    assert order["account"] == {"$ref": "#/$defs/Login"}
    assert document["actions"]["count"].keys() == {"payload"}
    assert document["actions"]["anything"]["account"]["type"] == "object"


def test_keys_are_those_of_json(shop: Provider) -> None:
    types = export_json_schema(shop.actions, name="shop")["$defs"]
    user = types["UsersCreatePayload"]
    assert list(user["properties"]) == [
        *("first-name", "class", "born", "seen", "homes", "id", "$ref", "default")
    ]
    assert user["properties"]["$ref"] == {"type": "string"}
    assert types["UsersCreatePayloadHomesItem"]["required"] == ["zip"]


def test_words_are_those_of_the_declaration(shop: Provider) -> None:
    types = export_json_schema(shop.actions, name="shop")["$defs"]
    what = types["CountPayload"]["properties"]
    assert what["what"] == {"type": "string", "description": "What to count"}
    assert what["first"] == {"type": "integer", "default": 1}
    assert types["Item"]["description"] == "One thing that is ordered."
    assert types["Size"]["description"] == "How large a thing is."


def test_no_title_repeats_a_key(shop: Provider) -> None:
    document = export_json_schema(shop.actions, name="shop")
    titles = {node.get("title") for node in document["$defs"].values()}
    assert titles <= {*document["$defs"], None}
    properties = [
        field
        for node in document["$defs"].values()
        for field in node.get("properties", {}).values()
    ]
    assert not any("title" in field for field in properties)


def test_a_title_that_was_asked_for_stays() -> None:
    schema = {"a": Annotated[int, Field(title="How many")]}
    (payload,) = export(schema)["$defs"].values()
    assert payload["properties"]["a"]["title"] == "How many"


class Page(BaseModel, Generic[T]):
    rows: list[T]


def test_a_generic_type_has_a_plain_name() -> None:
    document = export({"a": Page[int], "b": Page[Page[str]]})
    names = ["PageInt", "PagePageStr", "PageStr", "TestedPayload"]
    assert list(document["$defs"]) == names
    assert document["$defs"]["PagePageStr"]["title"] == "PagePageStr"


def make_user(field: str) -> Any:
    class User(BaseModel):
        pass

    return type("User", (User,), {"__annotations__": {field: int}})


def test_two_types_of_one_name_get_two_names() -> None:
    document = export({"a": make_user("x"), "b": make_user("y")})
    fields = document["$defs"]["TestedPayload"]["properties"]
    assert fields["a"] == {"$ref": "#/$defs/User"}
    assert fields["b"] == {"$ref": "#/$defs/User2"}
    assert list(document["$defs"]["User2"]["properties"]) == ["y"]


def test_a_name_of_another_script_is_a_reference_all_the_same() -> None:
    actions = Actions()
    actions.register("создать", payload_schema={"a": int})(lambda: None)
    actions.register("удалить", payload_schema={"b": int})(lambda: None)
    document = export_json_schema(actions, name="x")
    assert list(document["$defs"]) == ["Payload", "Payload2"]
    Draft202012Validator.check_schema(document)


@dataclasses.dataclass
class Plain:
    a: int


class Number(enum.IntEnum):
    ONE = 1


def test_nothing_that_python_adds_is_a_description() -> None:
    document = export({"a": Plain, "b": Number})
    assert "description" not in json.dumps(document)


class Own(BaseModel):
    """Only its own code knows what fits."""

    value: Any

    @field_validator("value", mode="plain")
    @classmethod
    def check(cls, value: object, info: ValidationInfo) -> object:
        return info.field_name, value


def test_what_only_the_users_code_knows_is_anything() -> None:
    assert export(Own)["$defs"]["Own"]["properties"]["value"] == {}


def test_no_actions_are_no_types() -> None:
    document = export_json_schema(Actions(), name="idle")
    assert (document["actions"], document["$defs"]) == ({}, {})


def test_the_order_of_registration_changes_nothing(shop: Provider) -> None:
    other = Actions()
    for name in reversed(list(shop.actions)):
        action = shop.actions[name]
        register = other.register(
            name, action.description, action.payload_schema, action.account_schema
        )
        register(action.handler)
    texts = [
        json.dumps(export_json_schema(actions, name="shop"))
        for actions in (shop.actions, other)
    ]
    assert texts[0] == texts[1]


def test_the_bounds_of_a_choice_are_words_of_json_schema() -> None:
    bounds: dict[str, Any] = {"ge": 1, "lt": 9, "multiple_of": 2}
    schema = {
        "one": Annotated[int | None, Field(**bounds)],
        "two": Annotated[int | float, Field(gt=1, le=9)],
        "long": Annotated[str | list[int], Field(min_length=1, max_length=2)],
    }
    fields = export(schema)["$defs"]["TestedPayload"]["properties"]
    expected = {"type": "integer", "minimum": 1, "exclusiveMaximum": 9, "multipleOf": 2}
    assert fields["one"]["anyOf"] == [expected, {"type": "null"}]
    assert (fields["two"]["exclusiveMinimum"], fields["two"]["maximum"]) == (1, 9)
    lengths = {"minLength": 1, "minItems": 1, "minProperties": 1}
    lengths |= {"maxLength": 2, "maxItems": 2, "maxProperties": 2}
    assert lengths.items() <= fields["long"].items()


def test_a_class_in_a_closed_schema_is_closed() -> None:
    actions = Actions()
    schema = {"box": Box, "label": Label}
    for extra in ("forbid", "ignore"):
        register = actions.register(extra, payload_schema=schema, extra=extra)
        register(lambda: None)
    document = export_json_schema(actions, name="provider")
    for extra, closed in (("forbid", False), ("ignore", None)):
        whole = document["$defs"][f"{extra.title()}Payload"]
        for part in (whole, *whole["properties"].values()):
            node = document["$defs"].get(part.get("$ref", "").split("/")[-1], part)
            assert node.get("additionalProperties") is closed
