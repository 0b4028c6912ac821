"""Each row of the error table, at the hub's side of the wire: whole responses."""

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from arbvantage_provider import Provider, RateLimitedError
from arbvantage_provider.testing import HubResult, LocalHub, running

ACCOUNT = {"api_key": "key-5f2d9c"}
NAMES = [
    "echo",
    "echo_sync",
    "hold",
    "hold_sync",
    "refuse",
    "too_slow",
    "too_slow_sync",
    "with_account",
]


@pytest.fixture
def answer(
    hub: LocalHub, make_provider: Callable[..., Provider]
) -> Callable[..., HubResult]:
    """Submits one task to a running provider and waits for its result."""

    def ask(*task: Any, **settings: Any) -> HubResult:
        provider = make_provider(**settings)
        with running(provider, hub):
            handle = hub.submit(*task)
            result = handle.result(timeout=20)
        assert handle.results == (result,)
        return result

    return ask


def expect_error(result: HubResult, message: str, data: Any) -> None:
    assert result.status == "error"
    assert result.response == {"status": "error", "message": message, "data": data}


def test_a_payload_that_does_not_fit(answer: Callable[..., HubResult]) -> None:
    result = answer("with_account", {"id": "7"}, ACCOUNT)

    expect_error(
        result,
        "InvalidPayloadError: the payload of 'with_account' does not fit: "
        "id: Input should be a valid integer",
        {
            "errors": [
                {
                    "path": "id",
                    "type": "int_type",
                    "message": "Input should be a valid integer",
                }
            ]
        },
    )


def test_an_account_that_does_not_fit(answer: Callable[..., HubResult]) -> None:
    result = answer("with_account", {"id": 7}, {"api_key": None})

    expect_error(
        result,
        "InvalidPayloadError: the account of 'with_account' does not fit: "
        "account.api_key: Input should be a valid string",
        {
            "errors": [
                {
                    "path": "account.api_key",
                    "type": "string_type",
                    "message": "Input should be a valid string",
                }
            ]
        },
    )


def test_an_account_that_is_missing(answer: Callable[..., HubResult]) -> None:
    result = answer("with_account", {"id": 7})

    expect_error(
        result,
        "InvalidPayloadError: 'with_account' needs an account, and the task has none",
        {
            "errors": [
                {"path": "account", "type": "missing", "message": "Field required"}
            ]
        },
    )


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (b'{"text": \xff}', "expected value at byte 9"),
        (b'{"text": "a"} tail', "trailing characters at byte 14"),
        (b"[1]", "expected an object, found an array at byte 0"),
        (b"", "EOF while parsing a value at byte 0"),
        (b'{"text": "a", "text": "b"}', "an object has the same key twice at byte 21"),
    ],
)
def test_a_payload_that_is_no_strict_json_object(
    answer: Callable[..., HubResult], payload: bytes, problem: str
) -> None:
    result = answer("echo", payload)

    expect_error(
        result,
        "InvalidPayloadError: the payload of 'echo' is no strict JSON object: "
        + problem,
        {"errors": [{"path": "", "type": "json_invalid", "message": problem}]},
    )


def test_an_action_that_does_not_exist(answer: Callable[..., HubResult]) -> None:
    result = answer("ecko", {"text": "hi"})

    expect_error(
        result,
        "ActionNotFoundError: no action 'ecko'; did you mean 'echo'?",
        {"actions": NAMES, "nearest": "echo"},
    )


def test_an_action_error_says_what_its_author_meant(
    answer: Callable[..., HubResult],
) -> None:
    result = answer("refuse")

    expect_error(result, "out of stock", {"sku": "tea"})


def test_any_other_exception_is_named_and_redacted(
    answer: Callable[..., HubResult],
) -> None:
    result = answer("with_account", {"id": 7}, ACCOUNT)

    expect_error(result, "RuntimeError: *** cannot be used for 7", None)


@pytest.mark.parametrize("action", ["too_slow", "too_slow_sync"])
def test_a_deadline_that_passed(answer: Callable[..., HubResult], action: str) -> None:
    result = answer(action)

    expect_error(
        result,
        f"ActionTimeoutError: {action!r} was not done within 0.05 s",
        {"timeout": 0.05},
    )


def test_a_limit_that_a_handler_ran_into(hub: LocalHub) -> None:
    provider = Provider("tested")

    @provider.actions.register()
    def call_api() -> None:
        raise RateLimitedError(2.5)

    with running(provider, hub):
        result = hub.submit("call_api").result()

    assert result.status == "limit"
    assert result.response == {
        "status": "limit",
        "message": "RateLimitedError: limit reached; try again in 2.5 s",
        "data": {"wait_time": 2.5},
    }


def test_the_unified_format_wraps_the_data(answer: Callable[..., HubResult]) -> None:
    result = answer(
        "echo",
        {"text": "hi"},
        response_format="unified",
        timezone="Europe/Riga",
    )

    data = result.response.pop("data")
    now, now_utc = data.pop("now"), data.pop("now_utc")
    assert data == {
        "provider": "tested",
        "action": "echo",
        "timezone": "Europe/Riga",
        "response": {"text": "hi"},
    }
    assert now.endswith(("+02:00", "+03:00"))
    assert now_utc.endswith("+00:00")


def test_the_texts_of_the_task_are_echoed(answer: Callable[..., HubResult]) -> None:
    result = answer("echo", b'{ "text" : "a" }', b'{"api_key" : "key-5f2d9c"}')

    assert (result.action, result.provider) == ("echo", "tested")
    assert result.payload == '{ "text" : "a" }'
    assert json.loads(result.account) == ACCOUNT
    assert "key-5f2d9c" not in result.result


def test_bytes_that_are_no_utf8_are_echoed_with_replacements(
    answer: Callable[..., HubResult],
) -> None:
    result = answer("echo", b'{"text": "\xff\xfe"}')

    assert result.payload == '{"text": "��"}'


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_default_deadline_says_what_to_set(hub: LocalHub, kind: str) -> None:
    provider = Provider("tested")

    @provider.actions.register("sync")
    def wait() -> None:
        threading.Event().wait(1.2)

    @provider.actions.register("async")
    async def wait_async() -> None:
        await asyncio.Event().wait()

    with running(provider, hub):
        message = hub.submit(kind, {}).result().message
    assert message == (
        f"ActionTimeoutError: {kind!r} was not done within 1 s; for more time set "
        "execution_timeout of the provider, or timeout= of the action"
    )


def test_the_default_deadline_names_the_variable_where_it_is_read(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TASK_EXECUTION_TIMEOUT", raising=False)
    provider = Provider.from_env(name="tested")

    @provider.actions.register()
    async def wait() -> None:
        await asyncio.Event().wait()

    with running(provider, hub):
        message = hub.submit("wait", {}).result().message
    assert "set execution_timeout (TASK_EXECUTION_TIMEOUT) of the provider" in message
