"""Actions without a schema: the signature is the schema."""

# Programs write their annotations in the old forms of typing, too.
# ruff: noqa: D205, UP006, UP045
# pyright: basic

import datetime as dt
import typing
from collections.abc import Callable
from typing import Annotated, Any, Optional

import pytest
from pydantic import BaseModel, Field

from arbvantage_provider import Provider, TaskContext

Run = Callable[..., dict[str, Any]]
Bind = Callable[..., Any]


class Address(BaseModel):
    zip: str


def test_parameters_are_fields_of_their_types(bind: Bind, run: Run) -> None:
    def handler(name: str, born: dt.date, score: float) -> tuple[Any, ...]:
        return name, born, score

    text = '{"name": "Ann", "born": "1990-05-17", "score": 1, "more": 2}'
    assert bind(handler, text) == ("Ann", dt.date(1990, 5, 17), 1.0)
    refused = run(handler, '{"name": 5, "born": "5"}')
    paths = [(e["path"], e["type"]) for e in refused["data"]["errors"]]
    assert paths == [
        ("name", "string_type"),
        ("born", "date_type"),
        ("score", "missing"),
    ]


def test_an_absent_field_leaves_the_parameters_default(bind: Bind) -> None:
    marker = object()

    def handler(a: int = 3, b: Any = marker, c: Optional[str] = "x") -> tuple[Any, ...]:
        return a, b, c

    assert bind(handler) == (3, marker, "x")
    assert bind(handler, '{"a": 1, "b": 2, "c": null}') == (1, 2, None)


def test_an_optional_parameter_without_default_is_none(bind: Bind) -> None:
    def handler(a: int | None) -> int | None:
        return a

    assert bind(handler, '{"a": null}') is None


def test_a_parameter_without_annotation_takes_any_value(bind: Bind, run: Run) -> None:
    def handler(a):
        return a

    assert bind(handler, '{"a": [1, null]}') == [1, None]
    assert run(handler)["data"]["errors"][0]["type"] == "missing"


def test_annotated_constrains_and_describes_a_field(
    provider: Provider, run: Run
) -> None:
    def handler(
        count: Annotated[int, Field(ge=1, description="how many")] = 1,
    ) -> int:
        return count

    assert run(handler, '{"count": 0}')["data"]["errors"][0]["type"] == (
        "greater_than_equal"
    )
    field = provider.actions["action_0"].payload.fields["count"]
    assert (field.required, field.description) == (False, "how many")


def test_annotations_may_use_the_grammar_of_dict_schemas(bind: Bind) -> None:
    generic: Any = typing.List
    dicts = generic[{"k": int}]

    def handler(items, nested):
        return items, nested

    handler.__annotations__ = {"items": dicts, "nested": {"a": [str]}}
    text = '{"items": [{"k": 1}], "nested": {"a": ["x"]}}'
    assert bind(handler, text) == ([{"k": 1}], {"a": ["x"]})


def test_a_model_parameter_of_another_name_is_a_field(bind: Bind) -> None:
    def handler(home: Address) -> Address:
        return home

    assert bind(handler, '{"home": {"zip": "1"}}') == Address(zip="1")


@pytest.mark.parametrize(
    "annotation",
    [dict, dict[str, Any], typing.Dict, typing.Mapping, Any, object],
)
def test_a_payload_dict_takes_any_object(bind: Bind, annotation: Any) -> None:
    def handler(payload: Any) -> Any:
        return payload

    handler.__annotations__["payload"] = annotation
    assert bind(handler, '{"a": {"b": [1, 2.5, null, true, "é"]}}') == {
        "a": {"b": [1, 2.5, None, True, "é"]}
    }


def test_a_special_name_is_a_field_by_being_annotated(bind: Bind) -> None:
    def handler(
        now: Annotated[str, Field()], logger: Annotated[int, Field()] = 1
    ) -> Any:
        return now, logger

    assert bind(handler, '{"now": "later"}') == ("later", 1)


def test_an_annotated_account_is_a_field_of_the_payload(bind: Bind) -> None:
    def handler(account: Annotated[str, Field()]) -> str:
        return account

    assert bind(handler, '{"account": "a"}') == "a"


def test_special_parameters_are_no_fields(provider: Provider, run: Run) -> None:
    def handler(
        a: int, context: TaskContext, logger: Any, now: Any, provider: Any
    ) -> int:
        return a

    assert run(handler, '{"a": 1}')["status"] == "success"
    assert list(provider.actions["action_0"].payload.fields) == ["a"]


def test_a_handler_without_parameters_takes_any_object(run: Run) -> None:
    assert run(lambda: 1, '{"a": 1}') == {"status": "success", "message": "", "data": 1}


def test_name_and_description_come_from_the_function(provider: Provider) -> None:
    @provider.actions.register()
    def greet(name: str) -> str:
        """Greet somebody,
        politely.

        And no more.
        """
        return name

    action = provider.actions["greet"]
    assert action.description == "Greet somebody, politely."
    assert action.handler is greet
    assert action.payload.type.__name__ == "GreetPayload"


def test_an_explicit_name_and_description_win(provider: Provider) -> None:
    @provider.actions.register("hello", "Says hello.")
    def greet(name: str) -> str:
        """Greet somebody."""
        return name

    assert "greet" not in provider.actions
    assert provider.actions["hello"].description == "Says hello."


def test_register_returns_the_function_unchanged(provider: Provider) -> None:
    def greet(name: str) -> str:
        return name

    assert provider.actions.register()(greet) is greet


def test_types_are_checked_as_strictly_as_in_a_dict_schema(run: Run) -> None:
    def handler(when: dt.datetime, flags: list[bool], n: int = 1) -> None:
        return None

    refused = run(handler, '{"when": "5", "flags": [1], "n": "2"}')
    assert [e["path"] for e in refused["data"]["errors"]] == ["when", "flags[0]", "n"]


def test_an_alias_is_the_key_of_a_parameter(bind: Bind, run: Run) -> None:
    def handler(
        first: Annotated[str, Field(alias="first-name")],
        last: Annotated[str | None, Field(validation_alias="last-name")],
    ) -> tuple[Any, ...]:
        return first, last

    assert bind(handler, '{"first-name": "Ann"}') == ("Ann", None)
    refused = run(handler, '{"first": "Ann"}')
    assert refused["data"]["errors"][0]["path"] == "first-name"
