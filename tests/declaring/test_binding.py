"""What a handler receives, by the order in which its sources are looked for."""

# Handlers take more than they use, and some have no annotations.
# ruff: noqa: FBT001, FBT002
# pyright: basic

import datetime as dt
import json
import logging
import zoneinfo
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import pytest
import structlog
from pydantic import BaseModel, Field

from arbvantage_provider import Provider, TaskContext

Run = Callable[..., dict[str, Any]]
Bind = Callable[..., Any]
TOKEN = "token-of-this-provider"


class Whole(BaseModel):
    a: int = 1
    payload: str = "a field"
    logger: str = "a field too"


SCHEMA = {"a": int, "b": str | None}


def test_first_a_context_annotation(bind: Bind) -> None:
    def handler(a: TaskContext) -> TaskContext:
        return a

    context = bind(handler, '{"a": 1}', payload_schema=SCHEMA)
    assert (context.action, context.provider, context.attempt) == (
        "action_0",
        "declaring",
        1,
    )
    assert context.id == ""
    assert context.timeout == 30
    assert 0 < context.remaining <= 30
    assert not context.cancelled


@pytest.mark.parametrize(
    "kind", [logging.Logger, logging.LoggerAdapter, structlog.stdlib.BoundLogger]
)
def test_first_a_logger_annotation(bind: Bind, kind: Any) -> None:
    def handler(a: Any) -> Any:
        a.info("called", key=1)
        return a

    handler.__annotations__["a"] = kind
    assert bind(handler, '{"a": 1}', payload_schema=SCHEMA) != 1


def test_second_the_model_itself_even_under_the_name_of_a_field(bind: Bind) -> None:
    def handler(a: Whole, logger: Whole) -> tuple[Any, ...]:
        return a, logger

    assert bind(handler, payload_schema=Whole) == (Whole(), Whole())


def test_third_a_field_even_under_a_special_name(bind: Bind) -> None:
    def handler(payload: str, logger: str) -> tuple[str, str]:
        return payload, logger

    assert bind(handler, payload_schema=Whole) == ("a field", "a field too")


def test_a_field_of_a_dict_schema_wins_over_every_special_name(bind: Bind) -> None:
    names = ["payload", "account", "now", "provider", "timezone", "context"]
    values = {name: f"the field {name}" for name in names}

    def handler(payload, account, now, provider, timezone, context):
        return [payload, account, now, provider, timezone, context]

    schema = dict.fromkeys(names, str)
    assert bind(handler, values, payload_schema=schema) == list(values.values())


def test_fourth_the_whole_by_name(bind: Bind) -> None:
    def handler(payload, account):
        return payload, account

    declared = {"payload_schema": SCHEMA, "account_schema": {"key": str}}
    received = bind(handler, '{"a": 1}', '{"key": "k"}', **declared)
    assert received == ({"a": 1, "b": None}, {"key": "k"})


def test_fifth_the_special_names(bind: Bind) -> None:
    def handler(provider, timezone, now, now_utc, context, logger):
        return provider, timezone, now, now_utc, context, logger

    provider, timezone, now, now_utc, context, logger = bind(handler)
    assert provider["name"] == "declaring"
    assert timezone == "UTC"
    assert dt.datetime.fromisoformat(now).utcoffset() == dt.timedelta(0)
    assert dt.datetime.fromisoformat(now_utc).utcoffset() == dt.timedelta(0)
    assert isinstance(context, TaskContext)
    assert callable(logger.info)


def test_now_is_in_the_providers_time_zone(make: Callable[..., Provider]) -> None:
    provider = make(timezone="Asia/Kathmandu")

    @provider.actions.register(payload_schema={})
    def times(now: str, now_utc: str, timezone: str) -> list[str]:
        return [now, now_utc, timezone]

    now, now_utc, timezone = provider.process_task("times", {})["data"]
    assert dt.datetime.fromisoformat(now).utcoffset() == dt.timedelta(hours=5.75)
    assert dt.datetime.fromisoformat(now_utc).utcoffset() == dt.timedelta(0)
    assert timezone == "Asia/Kathmandu"


def test_now_may_be_asked_for_as_a_datetime(make: Callable[..., Provider]) -> None:
    provider = make(timezone="Asia/Kathmandu")
    seen: list[dt.datetime] = []

    @provider.actions.register(payload_schema={})
    def times(now: dt.datetime, now_utc: dt.datetime) -> None:
        seen.extend([now, now_utc])

    provider.process_task("times", {})
    assert seen[0].tzinfo == zoneinfo.ZoneInfo("Asia/Kathmandu")
    assert seen[1].tzinfo == dt.UTC


def test_the_token_is_never_given_to_a_handler(bind: Bind) -> None:
    def handler(provider, context, logger, **kwargs):
        return provider, context, logger, kwargs

    provider, *others = bind(handler, payload_schema=SCHEMA, payload='{"a": 1}')
    assert "auth_token" not in provider
    assert TOKEN not in json.dumps(provider, default=repr)
    assert TOKEN not in repr(others)


def test_changing_the_provider_dict_changes_nothing_else(run: Run) -> None:
    def handler(provider: dict[str, Any]) -> str:
        name, provider["name"] = provider["name"], "changed"
        return str(name)

    assert run(handler, payload_schema={})["data"] == "declaring"
    assert run(handler, payload_schema={})["data"] == "declaring"


def test_sixth_the_parameters_own_default(bind: Bind) -> None:
    marker = object()

    def handler(a: int, other: Any = marker) -> tuple[Any, ...]:
        return a, other

    assert bind(handler, '{"a": 1, "other": 2}', payload_schema=SCHEMA) == (1, marker)


def test_an_absent_optional_field_is_the_parameters_default(bind: Bind) -> None:
    def handler(a: int, b: str | None = "its own") -> tuple[Any, ...]:
        return a, b

    assert bind(handler, '{"a": 1}', payload_schema=SCHEMA) == (1, "its own")
    assert bind(handler, '{"a": 1, "b": null}', payload_schema=SCHEMA) == (1, None)


def test_an_absent_optional_field_without_default_is_none(bind: Bind) -> None:
    assert bind(lambda a, b: (a, b), '{"a": 1}', payload_schema=SCHEMA) == (1, None)


def test_seventh_kwargs_take_everything_that_is_left(bind: Bind) -> None:
    def handler(a: int, **kwargs: Any) -> dict[str, Any]:
        return kwargs

    taken = bind(handler, '{"a": 1, "x": 1}', payload_schema=SCHEMA)
    assert taken.pop("payload") == {"a": 1, "b": None}
    assert taken.pop("b") is None
    assert sorted(taken) == [
        "context",
        "logger",
        "now",
        "now_utc",
        "provider",
        "timezone",
    ]


def test_kwargs_hold_the_account_where_it_is_declared(bind: Bind) -> None:
    def handler(**kwargs: Any) -> dict[str, Any]:
        return kwargs

    declared = {"payload_schema": SCHEMA, "account_schema": {"key": str}}
    taken = bind(handler, '{"a": 1}', '{"key": "k"}', **declared)
    assert taken["account"] == {"key": "k"}
    assert taken["payload"] == {"a": 1, "b": None}
    undeclared = bind(handler, '{"a": 1}', '{"key": "k"}', payload_schema=SCHEMA)
    assert "account" not in undeclared


def test_kwargs_without_a_schema_hold_the_payload(bind: Bind) -> None:
    assert bind(lambda **kwargs: kwargs["payload"], '{"a": 1}') == {"a": 1}


def test_kwargs_may_have_any_name(bind: Bind) -> None:
    def handler(**payload: Any) -> dict[str, Any]:
        return payload

    assert bind(handler, '{"a": 1}')["payload"] == {"a": 1}
    assert bind(handler, '{"a": 1}', payload_schema=SCHEMA)["a"] == 1


def test_typed_kwargs_and_args_are_no_fields(bind: Bind) -> None:
    def handler(*payload: int, **account: str) -> tuple[Any, ...]:
        return payload, account["payload"]

    assert bind(handler, '{"a": 1}') == ((), {"a": 1})


def test_kwargs_of_a_model_schema_hold_its_fields(bind: Bind) -> None:
    class Model(BaseModel):
        first: str = Field(alias="first-name")

    taken = bind(lambda **kwargs: kwargs, '{"first-name": "a"}', payload_schema=Model)
    assert taken["first"] == "a"
    assert taken["payload"] == Model.model_validate({"first-name": "a"})


def test_positional_only_and_keyword_only_parameters_are_filled(bind: Bind) -> None:
    def handler(
        a: int, payload: dict[str, Any], /, b: str, *, now: str
    ) -> tuple[Any, ...]:
        return a, payload["a"], b, bool(now)

    text = '{"a": 1, "b": "x"}'
    assert bind(handler, text, payload_schema=SCHEMA) == (1, 1, "x", True)


def test_a_positional_only_field_is_not_repeated_in_kwargs(bind: Bind) -> None:
    def handler(a: int, /, **kwargs: Any) -> tuple[Any, ...]:
        return a, "a" in kwargs

    assert bind(handler, '{"a": 1}', payload_schema=SCHEMA) == (1, False)


def test_an_undeclared_account_is_not_looked_at(run: Run) -> None:
    response = run(lambda: "fine", {}, b"\xff no JSON")
    assert response["status"] == "success"


def test_a_hub_cannot_pass_what_is_not_declared(run: Run) -> None:
    def handler(a: int, dangerous: bool = False) -> bool:
        return dangerous

    text = '{"a": 1, "dangerous": true, "self": 1, "__class__": 2}'
    assert run(handler, text, payload_schema={"a": int})["data"] is False


@pytest.mark.parametrize(
    "kind", [dict, dict[str, Any], Mapping, Mapping[str, Any], MutableMapping[str, Any]]
)
def test_an_account_of_any_keys_may_be_absent(provider: Provider, kind: Any) -> None:
    def pay(account: Any) -> Any:
        return account

    pay.__annotations__["account"] = kind
    provider.actions.register()(pay)
    assert provider.process_task("pay", {})["data"] == {}
    assert provider.process_task("pay", {}, {"key": "k"})["data"] == {"key": "k"}
