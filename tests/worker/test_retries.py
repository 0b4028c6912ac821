"""Handlers that are run again."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from arbvantage_provider import (
    ActionError,
    ConfigError,
    Provider,
    RegistrationError,
    Retry,
    TaskContext,
)
from arbvantage_provider.testing import LocalHub, running

FAST = Retry(on=OSError, tries=4, first=0.001)


def register(
    provider: Provider, kind: str, handler: Callable[[TaskContext, dict[str, Any]], Any]
) -> None:
    """The same handler, sync or async, as ``work``."""

    def work(context: TaskContext, payload: dict[str, Any]) -> Any:
        return handler(context, payload)

    async def work_async(context: TaskContext, payload: dict[str, Any]) -> Any:
        await asyncio.sleep(0)
        return handler(context, payload)

    chosen = work if kind == "sync" else work_async
    provider.actions.register("work", retry=FAST)(chosen)


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_handler_is_run_until_it_does_not_raise(kind: str) -> None:
    attempts: list[int] = []
    provider = Provider("shop", execution_timeout=20)

    def fail_twice(context: TaskContext, payload: dict[str, Any]) -> str:
        attempts.append(context.attempt)
        if context.attempt < 3:
            raise ConnectionResetError("gone")
        return "done"

    register(provider, kind, fail_twice)
    with LocalHub() as hub, running(provider, hub):
        result = hub.submit("work").result(20)
    assert (result.status, result.data) == ("success", "done")
    assert attempts == [1, 2, 3]


def test_the_last_exception_is_what_the_task_ends_with(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    attempts: list[int] = []
    provider = Provider("shop", execution_timeout=20)

    def fail(context: TaskContext, payload: dict[str, Any]) -> None:
        attempts.append(context.attempt)
        raise TimeoutError(f"try {context.attempt}")

    register(provider, kind, fail)
    response = provider.process_task("work", {})
    assert response["message"] == "TimeoutError: try 4"
    assert attempts == [1, 2, 3, 4]
    assert capsys.readouterr().err.count("trying again") == 3


def test_other_exceptions_are_not_tried_again(kind: str) -> None:
    attempts: list[int] = []
    provider = Provider("shop", log_level="CRITICAL")

    def fail(context: TaskContext, payload: dict[str, Any]) -> None:
        attempts.append(context.attempt)
        raise ActionError("no")

    register(provider, kind, fail)
    assert provider.process_task("work", {})["message"] == "no"
    assert attempts == [1]


def test_each_try_is_given_the_payload_as_it_came(kind: str) -> None:
    seen: list[dict[str, Any]] = []
    provider = Provider("shop", log_level="CRITICAL")

    def change(context: TaskContext, payload: dict[str, Any]) -> None:
        seen.append(dict(payload))
        payload.clear()
        raise OSError

    register(provider, kind, change)
    provider.process_task("work", {"item": "tea"})
    assert seen == [{"item": "tea"}] * 4


def test_no_try_begins_after_the_deadline(kind: str) -> None:
    attempts: list[int] = []
    provider = Provider("shop", execution_timeout=5, log_level="CRITICAL")
    retry = Retry(tries=1_000_000, first=1_000_000, most=1_000_000)

    def fail(context: TaskContext) -> None:
        attempts.append(context.attempt)
        raise OSError("gone")

    async def fail_async(context: TaskContext) -> None:
        fail(context)

    handler: Any = fail if kind == "sync" else fail_async
    provider.actions.register("work", retry=retry)(handler)
    assert provider.process_task("work", {})["message"] == "OSError: gone"
    assert len(attempts) < 5


def test_a_handler_that_waits_for_its_next_try_takes_no_slot_more() -> None:
    provider = Provider("shop", max_concurrency=1, execution_timeout=10)

    @provider.actions.register(retry=Retry(tries=3, first=0.01))
    async def work(context: TaskContext) -> int:
        if context.attempt < 3:
            raise OSError
        return provider.snapshot().slots_taken

    with LocalHub() as hub, running(provider, hub):
        results = [hub.submit("work") for _ in range(5)]
        assert [handle.result(20).data for handle in results] == [1] * 5


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no class": ({"on": "OSError"}, "give an Exception class, or a tuple of them"),
    "no class in it": ({"on": (OSError, 3)}, "give an Exception class"),
    "an empty tuple": ({"on": ()}, "give an Exception class"),
    "a cancellation": ({"on": asyncio.CancelledError}, "give an Exception class"),
    "no try": ({"tries": 0}, "tries is 0; give a whole number of at least 1"),
    "half a try": ({"tries": 1.5}, "give a whole number"),
    "no wait": ({"first": -1}, "first is -1; give finite seconds, at least 0"),
    "for ever": ({"most": float("inf")}, "most is inf; give finite seconds"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_a_retry_cannot_be_is_refused(case: str) -> None:
    options, problem = WRONG[case]
    with pytest.raises(ConfigError, match=problem):
        Retry(**options)


def test_what_is_no_retry_is_refused_at_registration() -> None:
    wrong: Any = 3
    with pytest.raises(RegistrationError, match=r"retry is 3; give a Retry"):
        Provider("shop").actions.register("work", retry=wrong)(lambda: None)


def test_an_action_in_a_group_is_retried_too() -> None:
    group = Provider("other").actions
    tries: list[int] = []

    @group.register(retry=FAST)
    def work(context: TaskContext) -> None:
        tries.append(context.attempt)
        raise OSError

    provider = Provider("shop", log_level="CRITICAL")
    provider.actions.include(group, prefix="my.")
    provider.process_task("my.work", {})
    assert tries == [1, 2, 3, 4]


def test_thousands_of_tries_without_a_wait_are_drawn() -> None:
    assert set(Retry(tries=3_000, first=0.0).draw_waits()) == {0.0}


def test_the_waits_stay_within_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    def take_whole(value: float) -> float:
        return value

    monkeypatch.setattr("backoff.full_jitter", take_whole)
    assert list(Retry(tries=5, first=1, most=5).draw_waits()) == [1, 2, 4, 5]
