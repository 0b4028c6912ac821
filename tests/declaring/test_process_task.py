"""One task in this process: what may be passed in, and where it may be called."""

# Handlers take more than they use.
# pyright: basic

import asyncio
import contextvars
import datetime as dt
import json
import threading
import types
from collections import UserDict
from collections.abc import Callable
from typing import Any

import pytest

from arbvantage_provider import Provider, RateLimitedError
from arbvantage_provider.rate_limit import TimeBasedRateLimitMonitor

Run = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    "payload",
    [
        {"a": 1},
        b'{"a": 1}',
        '{"a": 1}',
        types.MappingProxyType({"a": 1}),
        UserDict(a=1),
    ],
)
def test_a_payload_and_an_account_are_mappings_or_texts(run: Run, payload: Any) -> None:
    response = run(lambda payload, account: [payload, account], payload, payload)
    assert response["data"] == [{"a": 1}, {"a": 1}]


def test_a_payload_of_python_values_is_read_as_the_hub_would_send_it(run: Run) -> None:
    payload = {"when": dt.datetime(2026, 1, 31, tzinfo=dt.UTC)}
    response = run(lambda payload: payload["when"], payload)
    assert response["data"] == "2026-01-31T00:00:00Z"


@pytest.mark.parametrize("payload", [{"a": float("nan")}, {"a": [object()]}])
def test_a_payload_that_is_no_json_is_answered(run: Run, payload: Any) -> None:
    for response in (run(lambda: 1, payload), run(lambda account: 1, {}, payload)):
        assert response["status"] == "error"
        assert response["message"].startswith("InvalidPayloadError: ")
    assert "payload.a" in run(lambda: 1, payload)["message"]


@pytest.mark.parametrize("payload", [None, 5, [1], "", "\ud800", "text", ["a"], True])
def test_a_payload_that_is_no_object_is_answered(run: Run, payload: Any) -> None:
    response = run(lambda: 1, payload)
    assert response["status"] == "error"
    assert response["message"].startswith("InvalidPayloadError: ")


def test_a_mapping_of_a_field_model_is_validated_as_json(run: Run) -> None:
    response = run(lambda a: a, {"a": "5"}, payload_schema={"a": int})
    assert response["data"]["errors"][0]["path"] == "a"


def test_it_runs_inside_a_running_loop(provider: Provider) -> None:
    async def double(a: int) -> int:
        await asyncio.sleep(0)
        return a * 2

    provider.actions.register()(double)
    provider.actions.register("sync")(lambda a: a * 3)

    async def program() -> list[Any]:
        responses = [
            provider.process_task("double", {"a": 2}),
            json.loads(provider.dispatch("double", b'{"a": 2}')),
            provider.process_task("sync", {"a": 2}),
            json.loads(provider.dispatch("sync", b'{"a": 2}')),
        ]
        return [response["data"] for response in responses]

    assert asyncio.run(program()) == [4, 4, 6, 6]


@pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError()])
def test_an_async_failure_inside_a_running_loop_is_answered(
    provider: Provider, error: BaseException
) -> None:
    @provider.actions.register()
    async def fail() -> None:
        raise error

    async def program() -> dict[str, Any]:
        return provider.process_task("fail", {})

    assert asyncio.run(program())["message"].startswith(type(error).__name__)


def test_an_async_handler_keeps_its_deadline_inside_a_running_loop(
    provider: Provider,
) -> None:
    @provider.actions.register(timeout=0.05)
    async def wait() -> None:
        await asyncio.Event().wait()

    async def program() -> dict[str, Any]:
        return provider.process_task("wait", {})

    assert asyncio.run(program())["data"] == {"timeout": 0.05}


def test_a_handler_may_call_process_task_itself(provider: Provider) -> None:
    provider.actions.register("inner")(lambda a: a + 1)

    @provider.actions.register()
    async def outer(a: int) -> Any:
        return provider.process_task("inner", {"a": a})["data"]

    assert provider.process_task("outer", {"a": 1})["data"] == 2


def test_the_context_of_the_caller_is_seen_by_async_handlers_too(run: Run) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("the caller's")

    async def handler() -> str:
        return variable.get()

    assert run(handler)["data"] == "the caller's"


def test_the_providers_deadline_holds_where_the_action_has_none(
    make: Callable[..., Provider],
) -> None:
    provider = make(execution_timeout=0.05)
    release = threading.Event()
    provider.actions.register("slow")(lambda: release.wait(30))
    provider.actions.register("slower", timeout=30)(lambda: "done")
    late = provider.process_task("slow", {})
    release.set()
    assert late["data"] == {"timeout": 0.05}
    assert provider.process_task("slower", {})["data"] == "done"


@pytest.mark.parametrize("timeout", [1e5, 1e10, 1e300])
def test_a_long_deadline_is_a_deadline(
    make: Callable[..., Provider], timeout: float
) -> None:
    provider = make(execution_timeout=timeout)
    provider.actions.register("sync")(lambda context: context.remaining > 1e4)

    @provider.actions.register("async")
    async def remaining(context: Any) -> bool:
        return bool(context.remaining > 1e4)

    assert provider.process_task("sync", {})["data"] is True
    assert provider.process_task("async", {})["data"] is True


def test_dispatch_runs_a_sync_handler_on_the_calling_thread(
    provider: Provider,
) -> None:
    threads: list[int] = []
    provider.actions.register("where")(lambda: threads.append(threading.get_ident()))
    provider.dispatch("where", b"{}")
    assert threads == [threading.get_ident()]


def test_a_handler_past_its_deadline_is_told(provider: Provider) -> None:
    told = threading.Event()
    release = threading.Event()

    @provider.actions.register(timeout=0.05)
    def slow(context: Any) -> None:
        release.wait(30)
        if context.cancelled and context.remaining == 0:
            told.set()

    provider.process_task("slow", {})
    release.set()
    assert told.wait(30)


def test_limits_are_skipped(make: Callable[..., Provider]) -> None:
    monitor = TimeBasedRateLimitMonitor(min_delay=1000)
    provider = make(rate_limit_monitor=monitor)
    provider.actions.register("call", rate_limit_monitor=monitor)(lambda: "done")
    answers = [provider.process_task("call", {})["data"] for _ in range(3)]
    assert answers == ["done"] * 3


def test_a_response_has_three_keys_in_their_order(run: Run) -> None:
    assert list(run(lambda: None)) == ["status", "message", "data"]


def test_the_result_text_is_compact_json_of_utf_8(provider: Provider) -> None:
    provider.actions.register("say")(lambda: {"text": "é", "n": 1})
    expected = '{"status":"success","message":"","data":{"text":"é","n":1}}'
    assert provider.dispatch("say", b"{}") == expected.encode()


class StandingClock:
    """Any time zone's date and time are those of one moment."""

    def monotonic(self) -> float:
        return 1000.0

    def now(self, timezone: dt.tzinfo) -> dt.datetime:
        return dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC).astimezone(timezone)

    def sleep(self, seconds: float) -> None: ...

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        return event.is_set()


@pytest.fixture
def unified(make: Callable[..., Provider]) -> Provider:
    """A provider of unified responses, in Nepal, at noon in London."""
    provider = make(timezone="Asia/Kathmandu", response_format="unified")
    provider._clock = StandingClock()
    provider._encoder = provider._make_encoder()
    provider._dispatcher = provider._make_dispatcher()
    return provider


def wrapped(action: str, response: Any) -> dict[str, Any]:
    return {
        "provider": "declaring",
        "action": action,
        "timezone": "Asia/Kathmandu",
        "now": "2026-01-31T17:45:00+05:45",
        "now_utc": "2026-01-31T12:00:00+00:00",
        "response": response,
    }


def test_a_unified_response_wraps_the_data(unified: Provider) -> None:
    unified.actions.register("make")(lambda: {"a": 1})
    expected = {"status": "success", "message": "", "data": wrapped("make", {"a": 1})}
    response = unified.process_task("make", {})
    assert response == expected
    assert json.dumps(response) == json.dumps(expected)
    assert json.loads(unified.dispatch("make", b"{}")) == expected


def test_a_unified_response_without_data_holds_an_empty_object(
    unified: Provider,
) -> None:
    unified.actions.register("nothing")(lambda: None)
    assert unified.process_task("nothing", {})["data"] == wrapped("nothing", {})


def test_a_unified_error_is_wrapped_too(unified: Provider) -> None:
    def busy() -> None:
        raise RateLimitedError(2)

    unified.actions.register()(busy)
    assert unified.process_task("busy", {}) == {
        "status": "limit",
        "message": "RateLimitedError: limit reached; try again in 2 s",
        "data": wrapped("busy", {"wait_time": 2.0}),
    }
    missing = unified.process_task("nope\ud800", {})
    assert missing["data"]["response"] == {"actions": ["busy"], "nearest": None}
    assert missing["data"]["action"].startswith("nope")


def test_handlers_see_the_same_clock(unified: Provider) -> None:
    unified.actions.register("times")(lambda now, now_utc: [now, now_utc])
    times = unified.process_task("times", {})["data"]["response"]
    assert times == ["2026-01-31T17:45:00+05:45", "2026-01-31T12:00:00+00:00"]
