"""What every monitor does, and what a user's own may leave out."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from arbvantage_provider.clock import Clock
from arbvantage_provider.rate_limit import (
    AdvancedRateLimitMonitor,
    CustomRateLimitMonitor,
    LocalRateLimitMonitor,
    NoRateLimitMonitor,
    RateLimitMonitor,
    SlidingWindowRateLimitMonitor,
    TimeBasedRateLimitMonitor,
)

BUILT_IN: list[Callable[[Clock], LocalRateLimitMonitor]] = [
    lambda clock: TimeBasedRateLimitMonitor(min_delay=2.0, clock=clock),
    lambda clock: AdvancedRateLimitMonitor(requests_per_minute=30, clock=clock),
    lambda clock: AdvancedRateLimitMonitor(max_calls_per_second=0.5, clock=clock),
    lambda clock: SlidingWindowRateLimitMonitor(1, 2.0, clock=clock),
    lambda clock: CustomRateLimitMonitor(2.0, 1, clock=clock),
]
"""Each allows one call, and the next one two seconds later."""


class OwnMonitor(RateLimitMonitor):
    """A user's monitor: three methods, no ``super().__init__()``."""

    def __init__(self) -> None:
        self.spent = 0

    def check_rate_limits(self) -> dict[str, Any] | None:
        if self.spent < 1:
            return None
        return {"rate_limited": True, "wait_time": 0.0, "current_count": 1, "limit": 1}

    def make_safe_request(
        self, request_func: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        limits = self.check_rate_limits()
        if limits and limits.get("rate_limited"):
            self.handle_throttling(limits["wait_time"])
        self.spent += 1
        return request_func(*args, **kwargs)


class OwnLocalMonitor(LocalRateLimitMonitor):
    """A user's local monitor, which frees one permit at each second attempt."""

    attempts = 0

    def check_rate_limits(self) -> dict[str, Any] | None:
        return None

    def try_spend(self) -> float:
        self.attempts += 1
        return 0.001 if self.attempts % 2 else 0.0


@pytest.mark.parametrize("make", BUILT_IN)
def test_looking_never_spends(
    make: Callable[[Clock], LocalRateLimitMonitor], clock: Clock
) -> None:
    monitor = make(clock)

    looks = [monitor.check_rate_limits() for _ in range(100)]

    assert looks == [None] * 100
    assert monitor.try_spend() == 0.0


@pytest.mark.parametrize("make", BUILT_IN)
def test_a_limit_that_is_reached_is_described(
    make: Callable[[Clock], LocalRateLimitMonitor], clock: Clock
) -> None:
    monitor = make(clock)
    monitor.try_spend()
    clock.sleep(0.5)

    limits = monitor.check_rate_limits()

    assert limits == {
        "rate_limited": True,
        "wait_time": 1.5,
        "current_count": 1,
        "limit": 1,
    }


@pytest.mark.parametrize("make", BUILT_IN)
def test_an_attempt_without_a_permit_tells_the_wait_and_spends_nothing(
    make: Callable[[Clock], LocalRateLimitMonitor], clock: Clock
) -> None:
    monitor = make(clock)
    monitor.try_spend()

    waits = [monitor.try_spend() for _ in range(10)]
    clock.sleep(2.0)

    assert waits == [2.0] * 10
    assert monitor.try_spend() == 0.0


@pytest.mark.parametrize("make", BUILT_IN)
def test_a_safe_request_waits_and_spends_once(
    make: Callable[[Clock], LocalRateLimitMonitor], clock: Clock
) -> None:
    monitor = make(clock)
    start = clock.monotonic()

    moments = [monitor.make_safe_request(clock.monotonic) - start for _ in range(4)]

    assert moments == [0.0, 2.0, 4.0, 6.0]


@pytest.mark.parametrize("make", BUILT_IN)
def test_a_safe_request_passes_arguments_and_result(
    make: Callable[[Clock], LocalRateLimitMonitor], clock: Clock
) -> None:
    monitor = make(clock)

    result = monitor.make_safe_request(sorted, [1, 3, 2], reverse=True)

    assert result == [3, 2, 1]


@pytest.mark.parametrize("make", BUILT_IN)
def test_a_request_that_raises_has_spent_its_permit(
    make: Callable[[Clock], LocalRateLimitMonitor], clock: Clock
) -> None:
    monitor = make(clock)

    with pytest.raises(ZeroDivisionError):
        monitor.make_safe_request(divmod, 1, 0)

    assert monitor.try_spend() == 2.0


@pytest.mark.parametrize("make", BUILT_IN)
def test_the_request_is_called_outside_the_lock(
    make: Callable[[Clock], LocalRateLimitMonitor], clock: Clock
) -> None:
    monitor = make(clock)

    inner = monitor.make_safe_request(monitor.make_safe_request, clock.monotonic)

    assert inner == 1002.0


@pytest.mark.parametrize("make", BUILT_IN)
def test_throttling_sleeps_on_the_clock(
    make: Callable[[Clock], LocalRateLimitMonitor], clock: Clock
) -> None:
    monitor = make(clock)

    monitor.handle_throttling(1.5)
    monitor.handle_throttling()

    assert clock.monotonic() == 1061.5


def test_without_a_limit_a_permit_is_always_free() -> None:
    monitor = NoRateLimitMonitor()

    monitor.handle_throttling(3600)

    assert monitor.check_rate_limits() is None
    assert monitor.try_spend() == 0.0
    assert monitor.make_safe_request(abs, -1) == 1


def test_a_users_monitor_needs_two_methods_and_no_constructor_call() -> None:
    monitor = OwnMonitor()

    results = [monitor.make_safe_request(abs, -1) for _ in range(2)]

    assert results == [1, 1]
    assert monitor.spent == 2


def test_a_monitor_that_does_not_say_how_it_spends_cannot_be_built() -> None:
    class Unfinished(RateLimitMonitor):
        def check_rate_limits(self) -> None:
            return None

    with pytest.raises(TypeError, match="make_safe_request"):
        Unfinished()  # type: ignore[abstract]  # pyright: ignore[reportAbstractUsage]


def test_a_users_local_monitor_inherits_the_waiting() -> None:
    monitor = OwnLocalMonitor()

    result = monitor.make_safe_request(abs, -1)

    assert (result, monitor.attempts) == (1, 2)


def test_the_clock_is_the_machines_unless_another_is_given() -> None:
    start = time.monotonic()
    monitor = TimeBasedRateLimitMonitor(min_delay=0.02)

    monitor.make_safe_request(int)
    end = monitor.make_safe_request(time.monotonic)

    assert end - start > 0.0199
