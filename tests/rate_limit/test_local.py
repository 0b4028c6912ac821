"""The built-in monitors, each with examples in numbers."""

from collections.abc import Callable

import pytest

from arbvantage_provider.clock import Clock
from arbvantage_provider.rate_limit import (
    AdvancedRateLimitMonitor,
    CustomRateLimitMonitor,
    LocalRateLimitMonitor,
    SlidingWindowRateLimitMonitor,
    TimeBasedRateLimitMonitor,
)


def moments_of(monitor: LocalRateLimitMonitor, clock: Clock, count: int) -> list[float]:
    """When ``count`` requests in a row are made, in seconds from now."""
    start = clock.monotonic()
    return [
        round(monitor.make_safe_request(clock.monotonic) - start, 6)
        for _ in range(count)
    ]


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate(clock: Clock) -> None:
    monitor = AdvancedRateLimitMonitor(
        requests_per_minute=30, burst_size=3, clock=clock
    )

    moments = moments_of(monitor, clock, 6)

    assert moments == [0, 0, 0, 2, 4, 6]


@pytest.mark.parametrize("burst", [2, 9, 70, 128])
@pytest.mark.parametrize("rate", [7, 60, 600])
@pytest.mark.parametrize("start", [0.1, 93_859.5867742349, 901_427.4576114835])
def test_a_burst_is_whole_in_one_moment_whatever_the_time(
    *, new_clock: Callable[[float], Clock], burst: int, rate: int, start: float
) -> None:
    monitor = AdvancedRateLimitMonitor(rate, burst, clock=new_clock(start))

    waits = [monitor.try_spend() for _ in range(burst + 1)]

    assert waits[:burst] == [0.0] * burst
    assert waits[burst] == pytest.approx(60 / rate)


def test_a_bucket_that_rests_regains_its_burst_and_no_more(clock: Clock) -> None:
    monitor = AdvancedRateLimitMonitor(
        requests_per_minute=30, burst_size=3, clock=clock
    )
    moments_of(monitor, clock, 3)
    clock.sleep(3600)

    moments = moments_of(monitor, clock, 4)

    assert moments == [0, 0, 0, 2]


def test_a_bucket_in_use_regains_one_permit_an_interval(clock: Clock) -> None:
    monitor = AdvancedRateLimitMonitor(
        requests_per_minute=30, burst_size=3, clock=clock
    )
    moments_of(monitor, clock, 3)
    clock.sleep(5)

    moments = moments_of(monitor, clock, 3)

    assert moments == [0, 0, 1]


def test_a_full_bucket_tells_its_burst_as_the_limit(clock: Clock) -> None:
    monitor = AdvancedRateLimitMonitor(
        requests_per_minute=30, burst_size=3, clock=clock
    )
    moments_of(monitor, clock, 3)

    limits = monitor.check_rate_limits()

    assert limits is not None
    assert (limits["current_count"], limits["limit"]) == (3, 3)


def test_a_bucket_without_a_burst_spaces_evenly(clock: Clock) -> None:
    monitor = AdvancedRateLimitMonitor(requests_per_minute=120, clock=clock)

    moments = moments_of(monitor, clock, 3)

    assert moments == [0, 0.5, 1]


def test_without_arguments_it_is_one_call_a_second(clock: Clock) -> None:
    monitor = AdvancedRateLimitMonitor(clock=clock)

    moments = moments_of(monitor, clock, 3)

    assert moments == [0, 1, 2]


def test_a_window_gives_all_at_once_and_waits_for_the_oldest(clock: Clock) -> None:
    monitor = SlidingWindowRateLimitMonitor(2, 10, clock=clock)
    first = moments_of(monitor, clock, 1)
    clock.sleep(4)

    moments = moments_of(monitor, clock, 4)

    assert first == [0]
    assert moments == [0, 6, 10, 16]


def test_the_older_name_has_the_older_order(clock: Clock) -> None:
    monitor = CustomRateLimitMonitor(10, 2, clock=clock)

    moments = moments_of(monitor, clock, 3)

    assert moments == [0, 0, 10]
    assert isinstance(monitor, SlidingWindowRateLimitMonitor)


def test_calls_per_second_are_counted_in_any_second(clock: Clock) -> None:
    monitor = AdvancedRateLimitMonitor(max_calls_per_second=2, clock=clock)

    moments = moments_of(monitor, clock, 5)

    assert moments == [0, 0, 1, 1, 2]


def test_less_than_one_call_per_second_is_one_in_a_longer_window(clock: Clock) -> None:
    monitor = AdvancedRateLimitMonitor(max_calls_per_second=0.25, clock=clock)

    moments = moments_of(monitor, clock, 3)

    assert moments == [0, 4, 8]


def test_a_delay_and_calls_per_second_both_hold(clock: Clock) -> None:
    monitor = TimeBasedRateLimitMonitor(0.25, 2, clock=clock)

    moments = moments_of(monitor, clock, 5)

    assert moments == [0, 0.25, 1, 1.25, 2]


def test_all_limits_hold_together_and_the_slowest_is_told(clock: Clock) -> None:
    monitor = AdvancedRateLimitMonitor(
        requests_per_minute=6,
        burst_size=4,
        max_calls_per_second=3,
        min_delay=0.25,
        clock=clock,
    )

    moments = moments_of(monitor, clock, 5)
    limits = monitor.check_rate_limits()

    assert moments == [0, 0.25, 0.5, 1, 10]
    assert limits == {
        "rate_limited": True,
        "wait_time": 10.0,
        "current_count": 4,
        "limit": 4,
    }


def test_an_attempt_that_one_limit_refuses_spends_nothing_of_another(
    clock: Clock,
) -> None:
    monitor = AdvancedRateLimitMonitor(
        requests_per_minute=1, burst_size=2, min_delay=1.0, clock=clock
    )
    monitor.try_spend()
    for _ in range(10):
        monitor.try_spend()

    clock.sleep(1.0)

    assert monitor.try_spend() == 0.0
