"""What runs around each task."""

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import pytest

from arbvantage_provider import (
    ActionError,
    ConfigError,
    Outcome,
    Provider,
    ProviderResponse,
    TaskInfo,
)
from arbvantage_provider.testing import LocalHub, running

Around = Generator[None, Outcome, None]
AsyncAround = AsyncGenerator[None, Outcome]
Run = Callable[[Provider, str, dict[str, Any]], Any]


def run_by_hub(provider: Provider, action: str, payload: dict[str, Any]) -> Any:
    with LocalHub() as hub, running(provider, hub):
        return hub.submit(action, payload).result(20).response


def run_here(provider: Provider, action: str, payload: dict[str, Any]) -> Any:
    return provider.process_task(action, payload)


@pytest.fixture(params=[run_by_hub, run_here])
def run(request: pytest.FixtureRequest) -> Run:
    """A task by way of a hub, and in process."""
    chosen: Run = request.param
    return chosen


def make_provider(events: list[Any], **settings: Any) -> Provider:
    provider = Provider("shop", execution_timeout=10, **settings)

    @provider.actions.register()
    def order(item: str) -> str:
        events.append("sync handler")
        return item

    @provider.actions.register()
    async def ship(item: str) -> str:
        await asyncio.sleep(0)
        events.append("async handler")
        return item

    @provider.actions.register()
    def refuse() -> None:
        raise ActionError("sold out")

    @provider.actions.register()
    def fail() -> None:
        raise KeyError("tea")

    @provider.actions.register()
    def warn() -> ProviderResponse:
        return ProviderResponse("warning", "few are left", 2)

    return provider


def add_both_kinds(provider: Provider, events: list[Any]) -> None:
    @provider.middleware
    def outer(task: TaskInfo) -> Around:
        events.append("outer begins")
        yield
        events.append("outer ends")

    @provider.middleware
    async def inner(task: TaskInfo) -> AsyncAround:
        await asyncio.sleep(0)
        events.append("inner begins")
        yield
        events.append("inner ends")


@pytest.mark.parametrize(
    ("action", "handler"), [("order", "sync handler"), ("ship", "async handler")]
)
def test_the_first_middleware_is_the_outermost(
    run: Run, action: str, handler: str
) -> None:
    events: list[Any] = []
    provider = make_provider(events)
    add_both_kinds(provider, events)
    assert run(provider, action, {"item": "tea"})["data"] == "tea"
    assert events == [
        "outer begins",
        "inner begins",
        handler,
        "inner ends",
        "outer ends",
    ]


OUTCOMES: dict[str, tuple[dict[str, Any], str, str, type[BaseException] | None]] = {
    "order": ({"item": "tea"}, "success", "", None),
    "warn": ({}, "warning", "few are left", None),
    "refuse": ({}, "error", "sold out", ActionError),
    "fail": ({}, "error", "KeyError: 'tea'", KeyError),
    "nothing": ({}, "error", "ActionNotFoundError: no action 'nothing'", LookupError),
    "ship": ({}, "error", "InvalidPayloadError: the payload of 'ship'", ValueError),
}


@pytest.mark.parametrize("action", OUTCOMES)
def test_a_middleware_is_given_the_task_and_its_outcome(run: Run, action: str) -> None:
    payload, status, message, error = OUTCOMES[action]
    seen: list[tuple[TaskInfo, Outcome]] = []
    provider = make_provider([], log_level="CRITICAL")

    @provider.middleware
    def observe(task: TaskInfo) -> Around:
        outcome = yield
        seen.append((task, outcome))

    response = run(provider, action, payload)
    ((task, outcome),) = seen
    assert (task.action, task.provider) == (action, "shop")
    assert outcome.status == response["status"] == status
    assert outcome.message.startswith(message)
    assert outcome.message == response["message"]
    assert outcome.seconds > 0
    assert (outcome.error is None) == (error is None)
    assert error is None or isinstance(outcome.error, error)


def test_a_middleware_never_sees_the_account(run: Run) -> None:
    seen: list[str] = []
    provider = Provider("shop")

    @provider.actions.register(account_schema={"key": str})
    def pay(account: dict[str, str]) -> None:
        raise RuntimeError(account["key"])

    @provider.middleware
    def observe(task: TaskInfo) -> Around:
        outcome = yield
        seen.extend((repr(task), repr(outcome.message), str(outcome.result)))

    provider.process_task("pay", {}, {"key": "canary-account-key"})
    assert len(seen) == 3
    assert "canary" not in "".join(seen)


BROKEN_PLACES = ["at once", "after the task", "twice", "with SystemExit"]


@pytest.mark.parametrize("place", BROKEN_PLACES)
def test_a_broken_middleware_costs_no_task_its_answer(
    run: Run, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    events: list[Any] = []
    provider = make_provider(events)

    @provider.middleware
    def break_down(task: TaskInfo) -> Any:
        if place == "at once":
            raise ValueError(place)
        if place == "with SystemExit":
            raise SystemExit(3)
        yield
        if place == "after the task":
            raise ValueError(place)
        yield

    add_both_kinds(provider, events)
    assert run(provider, "order", {"item": "tea"})["status"] == "success"
    assert events[-2:] == ["inner ends", "outer ends"]
    assert "middleware failed" in capsys.readouterr().err


def test_an_async_middleware_that_hangs_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "arbvantage_provider.worker.execution.middleware.PATIENCE", 0.05
    )
    provider = make_provider([])

    @provider.middleware
    async def hang(task: TaskInfo) -> AsyncAround:
        await asyncio.Event().wait()
        yield

    assert provider.process_task("order", {"item": "tea"})["status"] == "success"
    assert "middleware failed" in capsys.readouterr().err


def test_what_a_middleware_sets_in_the_context_reaches_the_handler(run: Run) -> None:
    span: contextvars.ContextVar[str] = contextvars.ContextVar("span", default="none")
    provider = Provider("shop")

    @provider.actions.register()
    def sync() -> str:
        return span.get()

    @provider.actions.register("async")
    async def _() -> str:
        return span.get()

    @provider.middleware
    def trace(task: TaskInfo) -> Around:
        token = span.set(task.action)
        yield
        span.reset(token)

    assert run(provider, "sync", {})["data"] == "sync"
    assert run(provider, "async", {})["data"] == "async"


def test_in_process_it_runs_inside_a_running_loop_too() -> None:
    events: list[Any] = []
    provider = make_provider(events)
    add_both_kinds(provider, events)

    async def program() -> Any:
        return provider.process_task("ship", {"item": "tea"})

    assert asyncio.run(program())["data"] == "tea"
    assert len(events) == 5


def no_generator(task: TaskInfo) -> None:
    """Returns at once."""


@pytest.mark.parametrize("wrong", [no_generator, None, "text", iter(())])
def test_what_is_no_generator_function_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="is no generator function; write `outcome"):
        Provider("shop").middleware(wrong)


def test_what_cannot_be_called_with_a_task_alone_is_refused() -> None:
    def nothing() -> Generator[None, Outcome, None]:
        yield

    class Observer:
        def observe(self, task: TaskInfo) -> Generator[None, Outcome, None]:
            yield

        async def follow(self, task: TaskInfo) -> AsyncGenerator[None, Outcome]:
            yield

    provider: Any = Provider("shop")
    for wrong in (nothing, Observer.observe, Observer.follow):
        with pytest.raises(ConfigError, match="with the task alone"):
            provider.middleware(wrong)
    provider.middleware(Observer().observe)


def test_an_object_whose_call_is_a_generator_function_will_do() -> None:
    class Observer:
        def __init__(self) -> None:
            self.statuses: list[str] = []

        def __call__(self, task: TaskInfo) -> Around:
            outcome = yield
            self.statuses.append(outcome.status)

    provider, observer = make_provider([]), Observer()
    provider.middleware(observer)
    provider.process_task("order", {"item": "tea"})
    assert observer.statuses == ["success"]


def test_the_statuses_are_counted_on_the_same_seam() -> None:
    provider = make_provider([], log_level="CRITICAL")
    with LocalHub() as hub, running(provider, hub):
        for action in ("warn", "refuse", "fail", "nothing"):
            hub.submit(action).result(20)
        counted = provider.snapshot().tasks_by_status
    assert counted == {"success": 0, "error": 3, "warning": 1, "limit": 0}


CANCELLING = ["before", "after", "a timeout around the yield", "its own task"]


@pytest.mark.parametrize("place", CANCELLING)
def test_a_cancellation_in_a_middleware_costs_no_slot(place: str) -> None:
    provider = make_provider([], max_concurrency=1)

    @provider.middleware
    async def cancelled(task: TaskInfo) -> AsyncAround:
        if place == "a timeout around the yield":
            async with asyncio.timeout(0.001):
                yield
                await asyncio.sleep(0.1)
            return
        if place == "before":
            raise asyncio.CancelledError
        yield
        if place == "its own task":
            current = asyncio.current_task()
            assert current is not None
            current.cancel()
        raise asyncio.CancelledError

    with LocalHub() as hub, running(provider, hub):
        handles = [hub.submit("order", {"item": "tea"}) for _ in range(3)]
        assert {handle.result(20).status for handle in handles} == {"success"}


def test_a_middleware_that_cannot_be_cancelled_does_not_hold_up_the_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("arbvantage_provider.worker.execution.middleware.PATIENCE", 60)
    provider = make_provider([], shutdown_timeout=2)
    begun, release = threading.Event(), threading.Event()

    @provider.middleware
    async def swallow(task: TaskInfo) -> AsyncAround:
        yield
        begun.set()
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.05)

    with LocalHub() as hub:
        with running(provider, hub):
            handle = hub.submit("order", {"item": "tea"})
            assert begun.wait(20)
        release.set()
        assert handle.result(20).status == "success"


def test_a_task_in_process_is_not_counted_as_one_of_the_hub() -> None:
    provider = make_provider([], log_level="CRITICAL")
    with LocalHub() as hub, running(provider, hub):
        hub.submit("order", {"item": "tea"}).result(20)
        provider.process_task("fail", {})
        assert provider.snapshot().tasks_by_status["error"] == 0
