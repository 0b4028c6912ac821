"""``export_mcp`` and ``export_openai``, and what the tools are called."""

import json
import re
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, RootModel

from arbvantage_provider import Provider
from arbvantage_provider.actions import Actions
from arbvantage_provider.export import export_mcp, export_openai, name_tools

Validator: TypeAlias = Callable[[dict[str, Any]], Any]

PAYLOADS: list[tuple[str, dict[str, Any]]] = [
    ("count", {"what": "a"}),
    ("count", {"what": "a", "first": 2}),
    ("count", {}),
    ("count", {"what": 5}),
    ("anything", {"a": [1, None]}),
]
FUNCTION: dict[str, Any] = {  # what OpenAI's reference says of a tool and its function
    "type": "object",
    "required": ["type", "function"],
    "additionalProperties": False,
    "properties": {
        "type": {"const": "function"},
        "function": {
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,64}$"},
                "description": {"type": "string", "maxLength": 1024},
                "parameters": {
                    "type": "object",
                    "required": ["type", "properties"],
                    "properties": {"type": {"const": "object"}},
                },
                "strict": {"type": ["boolean", "null"]},
            },
        },
    },
}


class Cat(BaseModel):
    lives: int


class Dog(BaseModel):
    tricks: list[str]


def test_the_tools_are_those_of_mcp(shop: Provider) -> None:
    types = pytest.importorskip("mcp_types", reason="it needs a newer pydantic")
    listed = {"tools": export_mcp(shop.actions)}
    parsed = types.ListToolsResult.model_validate(listed)
    assert parsed.model_dump(by_alias=True, exclude_unset=True) == listed
    for tool in listed["tools"]:
        for schema in ("inputSchema", "outputSchema"):
            if schema in tool:
                assert tool[schema]["type"] == "object"
                Draft202012Validator.check_schema(tool[schema])


def test_the_functions_are_those_of_openai(
    shop: Provider, validator: Validator
) -> None:
    for tool in export_openai(shop.actions):
        validator(FUNCTION).validate(tool)
        Draft202012Validator.check_schema(tool["function"]["parameters"])


def test_a_tool_says_what_its_action_is(shop: Provider) -> None:
    tools = {tool["name"]: tool for tool in export_mcp(shop.actions)}
    assert list(tools) == ["anything", "count", "order", "users_create"]
    assert tools["order"]["description"] == "Order something."
    assert tools["users_create"]["title"] == "users.create"
    assert tools["users_create"]["_meta"] == {"arbvantage/action": "users.create"}
    assert tools["count"].keys() == {"name", "inputSchema"}


def test_no_tool_asks_for_an_account(shop: Provider) -> None:
    for tools in (export_mcp(shop.actions), export_openai(shop.actions)):
        assert "api_key" not in json.dumps(tools)


@pytest.mark.parametrize(("action", "payload"), PAYLOADS)
def test_arguments_fit_exactly_when_the_action_takes_them(
    shop: Provider, validator: Validator, action: str, payload: Any
) -> None:
    mcp = {tool["name"]: tool["inputSchema"] for tool in export_mcp(shop.actions)}
    functions = [tool["function"] for tool in export_openai(shop.actions)]
    parameters = {one["name"]: one["parameters"] for one in functions}
    taken = shop.process_task(action, payload)["status"] == "success"
    for schemas in (mcp, parameters):
        assert validator(schemas[action]).is_valid(payload) is taken


class Either(RootModel[Cat | Dog]):
    pass


def test_arguments_are_an_object_whatever_the_payload_is(validator: Validator) -> None:
    actions = Actions()
    actions.register("a", payload_schema=Either)(lambda: None)
    actions.register("b")(lambda: None)
    for tool in export_mcp(actions):
        assert tool["inputSchema"]["type"] == "object"
    for tool in export_openai(actions):
        validator(FUNCTION).validate(tool)


def test_a_type_that_holds_itself_is_defined_once_more(shop: Provider) -> None:
    order = export_mcp(shop.actions)[2]["inputSchema"]
    assert "Item" in order["$defs"]
    assert "Order" not in order["$defs"]
    node = {"next": {"value": int}}
    actions = Actions()
    actions.register("a", payload_schema=node)(lambda: None)
    (tool,) = export_mcp(actions)
    assert list(tool["inputSchema"]["$defs"]) == ["APayloadNext"]


def test_a_long_description_is_cut() -> None:
    actions = Actions()
    actions.register("a", "x" * 2000)(lambda: None)
    (tool,) = export_openai(actions)
    assert tool["function"]["description"] == "x" * 1023 + "…"


def test_a_name_that_fits_is_kept() -> None:
    names = ["order", "Order", "a-b_c", "x" * 64]
    assert name_tools(names) == {name: name for name in sorted(names)}


def test_other_characters_become_underscores() -> None:
    named = {"users_create": "users.create", "a_b": "a / b", "x": "x!"}
    assert name_tools(named.values()) == named


def test_a_name_that_is_taken_or_too_long_ends_with_a_hash() -> None:
    tools = name_tools(["a_b", "a.b", "a:b", "y" * 65, "да"])
    renamed = {action: tool for tool, action in tools.items()}
    assert renamed["a_b"] == "a_b"
    assert re.fullmatch("a_b_[0-9a-f]{8}", renamed["a.b"])
    assert re.fullmatch("a_b_[0-9a-f]{8}", renamed["a:b"])
    assert re.fullmatch("y{55}_[0-9a-f]{8}", renamed["y" * 65])
    assert re.fullmatch("action_[0-9a-f]{8}", renamed["да"])


@given(st.sets(st.text(min_size=1) | st.text("ab._", min_size=1), max_size=20))
def test_each_action_gets_a_name_that_is_allowed(actions: set[str]) -> None:
    tools = name_tools(actions)
    assert sorted(tools.values()) == sorted(actions)
    assert all(re.fullmatch("[a-zA-Z0-9_-]{1,64}", tool) for tool in tools)
    assert name_tools(sorted(actions, reverse=True)) == tools
