"""Where rate limits act: before a poll, and before a handler runs."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, field_validator
from their_monitors import ThreeMethods

from arbvantage_provider import Provider, TaskContext
from arbvantage_provider.rate_limit import (
    AdvancedRateLimitMonitor,
    SlidingWindowRateLimitMonitor,
)
from arbvantage_provider.testing import LocalHub, running

Make = Callable[..., Provider]


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
    limit = ThreeMethods(most=5)
    provider = make_provider(rate_limit_monitor=limit)
    handles = [hub.submit("echo") for _ in range(7)]
    with running(provider, hub):
        for handle in handles[:5]:
            assert handle.result().status == "success"

    assert limit.spent == 5
    assert [handle.handed_out for handle in handles[5:]] == [0, 0]
    assert all(name.startswith("rate-limit") for name in limit.threads)


def test_idle_polls_are_looked_at_and_spend_nothing(
    hub: LocalHub, make_provider: Make
) -> None:
    limit = ThreeMethods(most=1)
    provider = make_provider(rate_limit_monitor=limit, poll_interval=0.01)
    with running(provider, hub):
        hub.wait_until(lambda: hub.polls > 20)
        polls = hub.polls
        assert limit.spent == 0
        assert hub.submit("echo").result().status == "success"

    assert limit.looks >= polls
    assert limit.spent == 1


def watch_held(hub: LocalHub, until: Callable[[], bool]) -> int:
    """The most polls that were out at once."""
    seen = [0]

    def look() -> bool:
        seen.append(hub.held)
        return until()

    hub.wait_until(look, 20)
    return max(seen)


def test_under_a_monitor_of_three_methods_one_poll_is_out_at_a_time(
    hub: LocalHub, make_provider: Make
) -> None:
    hub.idle = "long_poll"
    provider = make_provider(rate_limit_monitor=ThreeMethods(most=100))
    handles = [hub.submit(name) for name in ("echo", "echo_sync") * 20]
    with running(provider, hub):
        most = watch_held(hub, lambda: all(h.results for h in handles) and hub.held > 0)

    assert most == 1


def test_no_more_polls_are_out_than_permits_are_free(
    hub: LocalHub, make_provider: Make
) -> None:
    hub.idle = "long_poll"
    limit = SlidingWindowRateLimitMonitor(max_requests=12, window_size=600)
    provider = make_provider(rate_limit_monitor=limit)
    first = [hub.submit("echo") for _ in range(8)]
    with running(provider, hub):
        # Four permits are left, and as many polls, once there was something to do.
        assert watch_held(hub, lambda: all(h.results for h in first)) <= 12
        assert watch_held(hub, lambda: hub.held == 4) <= 4
        for left in (3, 2, 1, 0):
            assert hub.submit("echo").result().status == "success"
            assert watch_held(hub, lambda left=left: hub.held == left) <= left + 1
        late = hub.submit("echo")
        with pytest.raises(TimeoutError):
            late.result(timeout=0.2)

    assert late.handed_out == 0
    assert limit.count_free() == 0


def test_a_task_whose_permit_another_took_waits_and_its_deadline_does_not_run(
    hub: LocalHub,
) -> None:
    limit = SlidingWindowRateLimitMonitor(max_requests=1, window_size=0.4)
    provider = Provider("tested", rate_limit_monitor=limit, execution_timeout=0.2)
    left: list[float] = []

    class Order(BaseModel):
        item: str

        @field_validator("item")
        @classmethod
        def outrun(cls, item: str) -> str:
            """The task was pulled; another user of the quota is quicker."""
            assert limit.try_spend() == 0
            return item

    @provider.actions.register()
    async def order(payload: Order, context: TaskContext) -> str:
        left.append(context.remaining)
        return payload.item

    with running(provider, hub):
        result = hub.submit("order", {"item": "tea"}).result()
        longest = provider.snapshot().limits[""].longest_wait

    assert (result.status, result.data) == ("success", "tea")
    assert longest > 0.2
    assert left[0] > 0.1


def test_while_a_task_waits_for_its_permit_no_other_is_pulled(
    hub: LocalHub,
) -> None:
    hub.next_on_submit = True
    limit = SlidingWindowRateLimitMonitor(max_requests=2, window_size=600)
    provider = Provider("tested", rate_limit_monitor=limit, shutdown_timeout=5)
    provider.actions.register("call")(lambda: None)
    handles = [hub.submit("call") for _ in range(6)]
    with running(provider, hub):
        hub.wait_until(lambda: sum(len(h.results) for h in handles) == 2)
        with pytest.raises(TimeoutError):
            handles[-1].result(timeout=0.2)
        # One came with the result of another: nobody asked for it.
        assert sum(handle.handed_out for handle in handles) <= 4


def test_a_monitor_that_raises_closes_the_gate_and_turns_no_task_into_an_error(
    hub: LocalHub, make_provider: Make
) -> None:
    class Broken(ThreeMethods):
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

    class Hanging(ThreeMethods):
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
    provider = Provider("tested", max_concurrency=4, execution_timeout=600)
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

    class Blocking(ThreeMethods):
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
    class Moody(ThreeMethods):
        def check_rate_limits(self) -> dict[str, Any] | None:
            self.looks += 1
            if self.looks < 3:
                raise raised
            return None

    provider = make_provider(rate_limit_monitor=Moody(most=9))
    with running(provider, hub):
        assert hub.submit("echo").result(20).status == "success"
