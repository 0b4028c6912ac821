"""Where rate limits act: before a poll, and before a handler runs."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from arbvantage_provider import Provider
from arbvantage_provider.rate_limit import (
    AdvancedRateLimitMonitor,
    RateLimitMonitor,
    SlidingWindowRateLimitMonitor,
)
from arbvantage_provider.testing import LocalHub, running

Make = Callable[..., Provider]


class Window(RateLimitMonitor):
    """A user's monitor: knows only the three methods, and blocks."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.spent = 0
        self.looks = 0
        self.threads: set[str] = set()

    def check_rate_limits(self) -> dict[str, Any] | None:
        self.looks += 1
        self.threads.add(threading.current_thread().name)
        if self.spent >= self.most:
            return {"rate_limited": True, "wait_time": 0.05}
        return None

    def handle_throttling(self, wait_time: float = 60) -> None:
        threading.Event().wait(wait_time)

    def make_safe_request(self, request_func: Any, *args: Any, **kwargs: Any) -> Any:
        self.spent += 1
        return request_func(*args, **kwargs)


def test_a_reached_limit_stops_the_polling_and_burns_no_task(
    hub: LocalHub, make_provider: Make
) -> None:
    limit = SlidingWindowRateLimitMonitor(max_requests=3, window_size=60)
    provider = make_provider(rate_limit_monitor=limit)
    handles = [hub.submit("echo") for _ in range(6)]
    with running(provider, hub):
        for handle in handles[:3]:
            assert handle.result().status == "success"
        with pytest.raises(TimeoutError):
            handles[3].result(timeout=0.3)

    assert [handle.handed_out for handle in handles] == [1, 1, 1, 0, 0, 0]


def test_what_runs_no_handler_spends_nothing(
    hub: LocalHub, make_provider: Make
) -> None:
    limit = SlidingWindowRateLimitMonitor(max_requests=2, window_size=60)
    provider = make_provider(rate_limit_monitor=limit)
    bad = [hub.submit("nope") for _ in range(3)] + [hub.submit("echo", b"[]")]
    good = [hub.submit("echo") for _ in range(2)]
    with running(provider, hub):
        hub.join()

    assert {handle.result().status for handle in bad} == {"error"}
    assert {handle.result().status for handle in good} == {"success"}


def test_a_users_monitor_is_looked_at_on_a_thread_and_spent_once_a_handler(
    hub: LocalHub, make_provider: Make
) -> None:
    limit = Window(most=5)
    provider = make_provider(rate_limit_monitor=limit)
    handles = [hub.submit("echo") for _ in range(7)]
    with running(provider, hub):
        for handle in handles[:5]:
            assert handle.result().status == "success"

    assert limit.spent == 5
    assert [handle.handed_out for handle in handles[5:]] == [0, 0]
    assert all(name.startswith("rate-limit") for name in limit.threads)


def test_a_monitor_that_raises_closes_the_gate_and_turns_no_task_into_an_error(
    hub: LocalHub, make_provider: Make
) -> None:
    class Broken(Window):
        def check_rate_limits(self) -> dict[str, Any] | None:
            if self.looks < 3:
                self.looks += 1
                message = "the quota server is away"
                raise OSError(message)
            return super().check_rate_limits()

    provider = make_provider(rate_limit_monitor=Broken(most=100))
    with running(provider, hub):
        assert hub.submit("echo").result(20).status == "success"


def test_a_monitor_that_hangs_does_not_hold_up_the_end(
    hub: LocalHub, make_provider: Make
) -> None:
    asked, release = threading.Event(), threading.Event()

    class Hanging(Window):
        def check_rate_limits(self) -> dict[str, Any] | None:
            asked.set()
            release.wait(60)
            return None

    provider = make_provider(rate_limit_monitor=Hanging(most=1), shutdown_timeout=30)
    with running(provider, hub):
        assert asked.wait(10)
        began = time.monotonic()
    ended = time.monotonic()
    release.set()

    assert ended - began < 25


def test_a_task_waits_in_its_slot_for_its_actions_limit(hub: LocalHub) -> None:
    provider = Provider("tested", execution_timeout=20)
    limit = AdvancedRateLimitMonitor(requests_per_minute=1200, burst_size=1)

    @provider.actions.register(rate_limit_monitor=limit)
    async def limited() -> None:
        return None

    handles = [hub.submit("limited") for _ in range(4)]
    with running(provider, hub):
        assert {handle.result(20).status for handle in handles} == {"success"}


def test_a_task_that_would_wait_past_its_timeout_is_answered_with_limit(
    hub: LocalHub,
) -> None:
    provider = Provider("tested", execution_timeout=0.5)
    limit = SlidingWindowRateLimitMonitor(max_requests=1, window_size=60)

    @provider.actions.register(rate_limit_monitor=limit)
    async def limited() -> None:
        return None

    with running(provider, hub):
        hub.submit("limited").result()
        refused = hub.submit("limited").result()

    assert refused.status == "limit"
    assert 50 < refused.data["wait_time"] <= 60
    assert refused.message.startswith("RateLimitedError: limit reached; try again in")


def test_at_most_half_of_the_slots_wait_for_an_actions_limit(hub: LocalHub) -> None:
    provider = Provider("tested", max_concurrency=4, execution_timeout=60)
    limit = SlidingWindowRateLimitMonitor(max_requests=1, window_size=50)

    @provider.actions.register(rate_limit_monitor=limit)
    async def limited() -> None:
        return None

    @provider.actions.register()
    async def free() -> None:
        return None

    with running(provider, hub):
        hub.submit("limited").result()
        handles = [hub.submit("limited") for _ in range(4)]
        assert hub.submit("free").result().status == "success"
        hub.wait_until(lambda: sum(len(h.results) for h in handles) == 2)

    # The two that waited are answered when the provider stops.
    assert {h.result().status for h in handles} == {"limit"}


def test_a_task_in_process_skips_the_limits() -> None:
    limit = SlidingWindowRateLimitMonitor(max_requests=1, window_size=60)
    provider = Provider("tested", rate_limit_monitor=limit)

    @provider.actions.register(rate_limit_monitor=limit)
    def limited() -> None:
        return None

    statuses = [provider.process_task("limited", {})["status"] for _ in range(3)]

    assert statuses == ["success"] * 3


def test_a_monitor_that_blocks_while_it_spends_does_not_hold_up_the_end(
    hub: LocalHub, make_provider: Make
) -> None:
    asked, release = threading.Event(), threading.Event()

    class Blocking(Window):
        def make_safe_request(self, request_func: Any, *args: Any, **kw: Any) -> Any:
            asked.set()
            release.wait(60)
            return request_func(*args, **kw)

    provider = make_provider(rate_limit_monitor=Blocking(most=9), shutdown_timeout=60)
    with running(provider, hub):
        handle = hub.submit("echo")
        assert asked.wait(10)
        provider.stop()
        result = handle.result(20)
    release.set()

    assert result.status == "limit"


@pytest.mark.parametrize("raised", [OSError, SystemExit, StopIteration])
def test_a_local_monitor_that_raises_is_asked_again(
    hub: LocalHub, make_provider: Make, raised: type[BaseException]
) -> None:
    class Moody(SlidingWindowRateLimitMonitor):
        failures = 2

        def try_spend(self) -> float:
            if self.failures:
                self.failures -= 1
                raise raised
            return super().try_spend()

    provider = make_provider(rate_limit_monitor=Moody())
    with running(provider, hub):
        assert hub.submit("echo").result(20).status == "success"


@pytest.mark.parametrize("raised", [SystemExit, StopIteration])
def test_a_users_monitor_may_raise_anything(
    hub: LocalHub, make_provider: Make, raised: type[BaseException]
) -> None:
    class Moody(Window):
        def check_rate_limits(self) -> dict[str, Any] | None:
            self.looks += 1
            if self.looks < 3:
                raise raised
            return None

    provider = make_provider(rate_limit_monitor=Moody(most=9))
    with running(provider, hub):
        assert hub.submit("echo").result(20).status == "success"
