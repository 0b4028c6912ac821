"""Sync handlers that return something to await, on the loop of a run."""

import asyncio
import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest

from arbvantage_provider import Inject, Provider, Retry
from arbvantage_provider.testing import LocalHub, running


def pass_on(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that knows nothing of async functions."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


def run_inside(function: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a sync function of an async one."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return asyncio.run(function(*args, **kwargs))

    return call


@pytest.fixture
def provider() -> Provider:
    return Provider("shop", execution_timeout=20, shutdown_timeout=5)


def test_it_is_awaited_on_the_loop_that_made_what_is_injected(
    hub: LocalHub, provider: Provider
) -> None:
    provider.provide(dict, {"loop": None})

    @provider.actions.register("first")
    async def first(shared: Inject[dict[str, Any]] | None = None) -> None:
        loops.append(asyncio.get_running_loop())

    @provider.actions.register("second")
    @pass_on
    async def second() -> None:
        loops.append(asyncio.get_running_loop())

    loops: list[Any] = []
    with running(provider, hub):
        assert hub.submit("first").result(20).status == "success"
        assert hub.submit("second").result(20).status == "success"
    assert loops[0] is loops[1]


def test_a_loop_inside_a_wrapper_does_not_block_the_others(
    hub: LocalHub, provider: Provider
) -> None:
    released = threading.Event()

    @provider.actions.register("blocks")
    @run_inside
    async def blocks() -> bool:
        return released.wait(20)

    @provider.actions.register("releases")
    async def releases() -> None:
        released.set()

    with running(provider, hub):
        blocked = hub.submit("blocks")
        assert hub.submit("releases").result(20).status == "success"
        assert blocked.result(20).data is True


def test_its_deadline_cancels_it_before_the_task_is_answered(
    hub: LocalHub, provider: Provider
) -> None:
    cleaned: list[str] = []

    @provider.actions.register("waits", timeout=0.2)
    @pass_on
    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("up")

    with running(provider, hub):
        result = hub.submit("waits").result(20)
        assert cleaned == ["up"]
    assert result.message == "ActionTimeoutError: 'waits' was not done within 0.2 s"


def test_it_is_cancelled_when_the_provider_stops(hub: LocalHub) -> None:
    provider = Provider("shop", execution_timeout=600, shutdown_timeout=0.1)
    begun, ended = threading.Event(), threading.Event()

    @provider.actions.register("waits")
    @pass_on
    async def waits() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with running(provider, hub):
        hub.submit("waits")
        assert begun.wait(20)
    assert ended.wait(20)


def test_it_is_tried_again(hub: LocalHub, provider: Provider) -> None:
    attempts: list[int] = []

    @provider.actions.register("fails", retry=Retry(on=OSError, tries=3, first=0.001))
    @pass_on
    async def fails() -> str:
        attempts.append(len(attempts))
        if len(attempts) < 3:
            raise ConnectionResetError("gone")
        return "done"

    with running(provider, hub):
        assert hub.submit("fails").result(20).data == "done"
    assert attempts == [0, 1, 2]


def test_an_exit_in_it_does_not_end_the_run(hub: LocalHub, provider: Provider) -> None:
    @provider.actions.register("exits")
    @pass_on
    async def exits() -> None:
        raise SystemExit(3)

    with running(provider, hub):
        assert hub.submit("exits").result(20).message == "SystemExit: 3"
        assert hub.submit("exits").result(20).message == "SystemExit: 3"
