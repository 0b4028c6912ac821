"""What holds for any sequence of arrivals."""

from collections.abc import Callable, Iterable
from itertools import accumulate, combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arbvantage_provider.clock import Clock
from arbvantage_provider.rate_limit import (
    AdvancedRateLimitMonitor,
    LocalRateLimitMonitor,
    SlidingWindowRateLimitMonitor,
    TimeBasedRateLimitMonitor,
)

HAIR = 1e-6
"""Sums of float seconds round; so much is forgiven."""

gaps = st.lists(st.just(0.0) | st.floats(0, 5), min_size=1, max_size=60)
rates = st.floats(1, 6000)
counts = st.integers(1, 12)
seconds = st.floats(0.01, 20)
properties = settings(max_examples=60, deadline=None)


def grants_to_the_impatient(
    monitor: LocalRateLimitMonitor, clock: Clock, pauses: Iterable[float]
) -> list[float]:
    """When one attempt after each pause was granted; a refused one is gone."""
    granted: list[float] = []
    for pause in pauses:
        clock.sleep(pause)
        if monitor.try_spend() == 0.0:
            granted.append(clock.monotonic())
    return granted


def grants_to_the_patient(
    monitor: LocalRateLimitMonitor, clock: Clock, arrivals: Iterable[float]
) -> list[float]:
    """When each arrival was served, in order, waiting as long as it takes."""
    served: list[float] = []
    for arrival in arrivals:
        clock.sleep(arrival - clock.monotonic())
        served.append(monitor.make_safe_request(clock.monotonic))
    return served


@properties
@given(gaps=gaps, rate=rates, burst=counts)
def test_a_bucket_never_grants_more_than_burst_and_rate_allow(
    *, new_clock: Callable[[], Clock], gaps: list[float], rate: float, burst: int
) -> None:
    clock = new_clock()
    monitor = AdvancedRateLimitMonitor(rate, burst, clock=clock)

    granted = grants_to_the_impatient(monitor, clock, gaps)

    for (i, first), (j, last) in combinations(enumerate(granted), 2):
        assert j - i + 1 <= burst + rate / 60 * (last - first) + HAIR


@properties
@given(gaps=gaps, limit=counts, window=seconds)
def test_a_sliding_window_never_grants_more_than_its_limit(
    *, new_clock: Callable[[], Clock], gaps: list[float], limit: int, window: float
) -> None:
    clock = new_clock()
    monitor = SlidingWindowRateLimitMonitor(limit, window, clock=clock)

    granted = grants_to_the_impatient(monitor, clock, gaps)

    for first, next_one in zip(granted, granted[limit:], strict=False):
        assert next_one - first >= window - HAIR


@properties
@given(gaps=gaps, delay=seconds)
def test_two_grants_are_never_closer_than_the_delay(
    new_clock: Callable[[], Clock], gaps: list[float], delay: float
) -> None:
    clock = new_clock()
    monitor = TimeBasedRateLimitMonitor(delay, clock=clock)

    granted = grants_to_the_impatient(monitor, clock, gaps)

    for first, next_one in pairwise(granted):
        assert next_one - first >= delay - HAIR


@properties
@given(gaps=gaps, rate=rates, burst=counts)
def test_a_bucket_grants_at_the_first_moment_its_bound_allows(
    *, new_clock: Callable[[], Clock], gaps: list[float], rate: float, burst: int
) -> None:
    clock = new_clock()
    monitor = AdvancedRateLimitMonitor(rate, burst, clock=clock)
    arrivals = list(accumulate(gaps, initial=clock.monotonic()))

    served = grants_to_the_patient(monitor, clock, arrivals)

    for j, moment in enumerate(served):
        bounds = [served[i] + (j - i + 1 - burst) * 60 / rate for i in range(j)]
        earliest = max([arrivals[j], *served[:j], *bounds])
        assert moment == pytest.approx(earliest, abs=HAIR)


@properties
@given(gaps=gaps, limit=counts, window=seconds)
def test_a_sliding_window_grants_as_soon_as_its_oldest_leaves(
    *, new_clock: Callable[[], Clock], gaps: list[float], limit: int, window: float
) -> None:
    clock = new_clock()
    monitor = SlidingWindowRateLimitMonitor(limit, window, clock=clock)
    arrivals = list(accumulate(gaps, initial=clock.monotonic()))

    served = grants_to_the_patient(monitor, clock, arrivals)

    for j, moment in enumerate(served):
        oldest = [served[j - limit] + window] if j >= limit else []
        earliest = max([arrivals[j], *served[:j], *oldest])
        assert moment == pytest.approx(earliest, abs=HAIR)


@properties
@given(gaps=gaps, rate=rates, burst=counts, delay=seconds)
def test_looks_in_between_change_no_grant(
    *,
    new_clock: Callable[[], Clock],
    gaps: list[float],
    rate: float,
    burst: int,
    delay: float,
) -> None:
    def grants(*, looking: bool) -> list[float]:
        clock = new_clock()
        monitor = AdvancedRateLimitMonitor(rate, burst, min_delay=delay, clock=clock)
        granted: list[float] = []
        for gap in gaps:
            clock.sleep(gap)
            limits = monitor.check_rate_limits() if looking else None
            wait_time = monitor.try_spend()
            assert not looking or wait_time == (limits or {"wait_time": 0})["wait_time"]
            granted.append(wait_time)
        return granted

    assert grants(looking=True) == grants(looking=False)


@pytest.mark.parametrize(
    ("requests_per_minute", "burst_size"), [(1, 1), (7, 3), (600, 20), (99999, 500)]
)
def test_in_the_long_run_no_permit_of_a_bucket_is_lost(
    clock: Clock, requests_per_minute: float, burst_size: int
) -> None:
    monitor = AdvancedRateLimitMonitor(requests_per_minute, burst_size, clock=clock)
    start = clock.monotonic()

    for _ in range(20_000):
        monitor.make_safe_request(int)

    allowed = burst_size + requests_per_minute / 60 * (clock.monotonic() - start)
    assert 0.99 * allowed <= 20_000 <= allowed + HAIR * 20_000


def test_in_the_long_run_no_permit_of_a_window_is_lost(clock: Clock) -> None:
    monitor = SlidingWindowRateLimitMonitor(7, 0.3, clock=clock)
    start = clock.monotonic()

    for _ in range(20_000):
        monitor.make_safe_request(int)

    allowed = 7 + 7 / 0.3 * (clock.monotonic() - start)
    assert 0.99 * allowed <= 20_000 <= allowed
