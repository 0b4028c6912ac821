"""A warning for each threshold, once each time that it is crossed."""

import logging
from collections.abc import Callable

import pytest

from arbvantage_provider.clock import Clock
from arbvantage_provider.rate_limit import (
    AdvancedRateLimitMonitor,
    LocalRateLimitMonitor,
    SlidingWindowRateLimitMonitor,
    TimeBasedRateLimitMonitor,
)

LOGGER = "arbvantage_provider.rate_limit"

TEN: list[Callable[[Clock], LocalRateLimitMonitor]] = [
    lambda clock: AdvancedRateLimitMonitor(600, 10, clock=clock),
    lambda clock: AdvancedRateLimitMonitor(max_calls_per_second=10, clock=clock),
    lambda clock: TimeBasedRateLimitMonitor(1e-9, 10, clock=clock),
]
"""Each allows ten calls at once, and has regained them after a second."""

UNWATCHED: list[Callable[[Clock], LocalRateLimitMonitor]] = [
    lambda clock: TimeBasedRateLimitMonitor(1.0, clock=clock),
    lambda clock: AdvancedRateLimitMonitor(60, clock=clock),
    lambda clock: AdvancedRateLimitMonitor(max_calls_per_second=1, clock=clock),
    lambda clock: SlidingWindowRateLimitMonitor(10, 60, clock=clock),
]


def spend(monitor: LocalRateLimitMonitor, clock: Clock, count: int) -> None:
    """Spend with a nap of a nanosecond after each."""
    for _ in range(count):
        monitor.try_spend()
        clock.sleep(1e-9)


def crossed(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The thresholds that were logged since the last time, all as warnings."""
    records = [each for each in caplog.records if each.name == LOGGER]
    caplog.clear()
    assert all(each.levelno == logging.WARNING for each in records)
    return [each.getMessage().split()[6] for each in records]


@pytest.mark.parametrize("make", TEN)
def test_below_the_threshold_nothing_is_logged(
    make: Callable[[Clock], LocalRateLimitMonitor],
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    spend(make(clock), clock, 7)

    assert crossed(caplog) == []


@pytest.mark.parametrize("make", TEN)
def test_each_threshold_is_logged_once_as_it_is_crossed(
    make: Callable[[Clock], LocalRateLimitMonitor],
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monitor = make(clock)

    spend(monitor, clock, 8)
    eighth = crossed(caplog)
    spend(monitor, clock, 1)
    ninth = crossed(caplog)
    spend(monitor, clock, 20)
    rest = crossed(caplog)

    assert eighth == ["warning_threshold"]
    assert ninth == ["critical_threshold"]
    assert rest == []


@pytest.mark.parametrize("make", TEN)
def test_a_threshold_is_logged_again_when_it_is_crossed_again(
    make: Callable[[Clock], LocalRateLimitMonitor],
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monitor = make(clock)
    spend(monitor, clock, 8)
    clock.sleep(1.0)

    spend(monitor, clock, 8)

    assert crossed(caplog) == ["warning_threshold", "warning_threshold"]


def test_two_thresholds_crossed_at_once_are_one_warning(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = AdvancedRateLimitMonitor(60, 2, clock=clock)

    spend(monitor, clock, 2)

    assert crossed(caplog) == ["critical_threshold"]


def test_the_warning_names_the_monitor(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = AdvancedRateLimitMonitor(
        60, 2, warning_threshold=0.5, critical_threshold=1, clock=clock
    )

    monitor.try_spend()

    assert caplog.messages == [
        f"a limit is nearly used up: warning_threshold of {monitor!r}"
    ]


@pytest.mark.parametrize("make", UNWATCHED)
def test_a_limit_of_one_permit_and_a_plain_window_have_no_thresholds(
    make: Callable[[Clock], LocalRateLimitMonitor],
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    spend(make(clock), clock, 20)

    assert crossed(caplog) == []
