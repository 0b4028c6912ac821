"""Permits of local monitors that are taken ahead of their moment, and given back."""

import asyncio
import math
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arbvantage_provider.clock import Clock
from arbvantage_provider.rate_limit import (
    AdvancedRateLimitMonitor,
    LocalRateLimitMonitor,
    NoRateLimitMonitor,
    RateLimitMonitor,
    Reservation,
    ReservingRateLimitMonitor,
    SlidingWindowRateLimitMonitor,
    TimeBasedRateLimitMonitor,
)

HAIR = 1e-6
properties = settings(max_examples=60, deadline=None)
pauses = st.just(0.0) | st.floats(0, 5)
arrivals = st.lists(st.tuples(pauses, pauses), min_size=1, max_size=50)
rates = st.floats(1, 6000)
counts = st.integers(1, 12)
windows = st.floats(0.01, 20)

THREE_THEN_ONE_A_SECOND: list[Callable[[Clock], LocalRateLimitMonitor]] = [
    lambda clock: AdvancedRateLimitMonitor(60, 3, clock=clock),
    lambda clock: AdvancedRateLimitMonitor(60, 3, max_calls_per_second=9, clock=clock),
    lambda clock: AdvancedRateLimitMonitor(60, 3, min_delay=1e-9, clock=clock),
]
TWO_IN_TEN_SECONDS: list[Callable[[Clock], LocalRateLimitMonitor]] = [
    lambda clock: SlidingWindowRateLimitMonitor(2, 10, clock=clock),
    lambda clock: AdvancedRateLimitMonitor(6, 2, clock=clock),
]


class OneAtATime(LocalRateLimitMonitor):
    """A user's monitor that only knows how to spend."""

    free = True

    def check_rate_limits(self) -> None:
        return None

    def try_spend(self) -> float:
        was_free, self.free = self.free, False
        return 0.0 if was_free else 3.0


class Remote(ReservingRateLimitMonitor):
    """A user's monitor of the fewest methods."""

    async def reserve_async(
        self, patience: float, key: str | None = None
    ) -> Reservation:
        return Reservation(granted=True, wait=0.0)

    def check_rate_limits(self) -> dict[str, Any]:
        thread = threading.current_thread()
        return {"rate_limited": True, "wait_time": 1.0, "thread": thread}

    def make_safe_request(
        self, request_func: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        return request_func(*args, **kwargs)


def moments_of(
    monitor: LocalRateLimitMonitor,
    clock: Clock,
    arrivals: Iterable[tuple[float, float]],
    unwanted: Sequence[bool] = (),
) -> list[float]:
    """When the permits are for that were granted, and not given back."""
    moments: list[float] = []
    for number, (pause, patience) in enumerate(arrivals):
        clock.sleep(pause)
        found = monitor.reserve(patience)
        assert found.granted == (found.wait <= patience)
        if number < len(unwanted) and unwanted[number]:
            monitor.release(found)
        elif found.granted:
            moments.append(clock.monotonic() + found.wait)
    return moments


@pytest.mark.parametrize("make", THREE_THEN_ONE_A_SECOND)
def test_permits_are_for_moments_in_the_order_of_asking(
    make: Callable[[Clock], LocalRateLimitMonitor], clock: Clock
) -> None:
    monitor = make(clock)

    waits = [round(monitor.reserve(math.inf).wait, 6) for _ in range(6)]
    clock.sleep(2.5)

    assert waits == [0, 0, 0, 1, 2, 3]
    assert round(monitor.reserve(math.inf).wait, 6) == 1.5
    assert round(monitor.try_spend(), 6) == 2.5


@pytest.mark.parametrize("make", TWO_IN_TEN_SECONDS)
def test_impatience_takes_nothing(
    make: Callable[[Clock], LocalRateLimitMonitor], clock: Clock
) -> None:
    monitor = make(clock)
    monitor.reserve(0)
    monitor.reserve(0)

    refused = [monitor.reserve(patience) for patience in (0, 9.9, -1, math.nan)]

    assert refused == [Reservation(granted=False, wait=10)] * 4
    assert monitor.reserve(10) == Reservation(granted=True, wait=10)


@pytest.mark.parametrize("make", TWO_IN_TEN_SECONDS)
def test_the_last_permit_can_be_given_back_once(
    make: Callable[[Clock], LocalRateLimitMonitor], clock: Clock
) -> None:
    monitor = make(clock)
    first, second = monitor.reserve(0), monitor.reserve(0)

    for _ in range(3):
        monitor.release(second)
    monitor.release(first)
    monitor.release(monitor.reserve(-1))

    assert [monitor.reserve(0).granted for _ in range(2)] == [True, False]


@pytest.mark.parametrize("make", TWO_IN_TEN_SECONDS)
def test_a_permit_that_another_follows_is_lost(
    make: Callable[[Clock], LocalRateLimitMonitor], clock: Clock
) -> None:
    monitor = make(clock)
    first = monitor.reserve(0)
    monitor.try_spend()

    monitor.release(first)

    assert not monitor.reserve(0).granted


@properties
@given(
    arrivals=arrivals,
    rate=rates,
    burst=counts,
    unwanted=st.lists(st.booleans(), max_size=50),
)
def test_a_bucket_never_grants_more_than_burst_and_rate_allow(
    *,
    new_clock: Callable[[], Clock],
    arrivals: list[tuple[float, float]],
    rate: float,
    burst: int,
    unwanted: list[bool],
) -> None:
    clock = new_clock()
    monitor = AdvancedRateLimitMonitor(rate, burst, clock=clock)

    moments = moments_of(monitor, clock, arrivals, unwanted)

    for (i, first), (j, last) in combinations(enumerate(sorted(moments)), 2):
        assert j - i + 1 <= burst + rate / 60 * (last - first) + HAIR


@properties
@given(
    arrivals=arrivals,
    limit=counts,
    window=windows,
    unwanted=st.lists(st.booleans(), max_size=50),
)
def test_a_sliding_window_never_grants_more_than_its_limit(
    *,
    new_clock: Callable[[], Clock],
    arrivals: list[tuple[float, float]],
    limit: int,
    window: float,
    unwanted: list[bool],
) -> None:
    clock = new_clock()
    monitor = SlidingWindowRateLimitMonitor(limit, window, clock=clock)

    moments = sorted(moments_of(monitor, clock, arrivals, unwanted))

    for first, later in zip(moments, moments[limit:], strict=False):
        assert later - first >= window - HAIR


@properties
@given(arrivals=arrivals, rate=rates, burst=counts, limit=counts, window=windows)
def test_what_is_given_back_at_once_was_never_taken(
    *,
    new_clock: Callable[[], Clock],
    arrivals: list[tuple[float, float]],
    rate: float,
    burst: int,
    limit: int,
    window: float,
) -> None:
    def moments(*, hesitating: bool) -> list[float]:
        clock = new_clock()
        found: list[float] = []
        for monitor in (
            AdvancedRateLimitMonitor(rate, burst, min_delay=window, clock=clock),
            SlidingWindowRateLimitMonitor(limit, window, clock=clock),
        ):
            for pause, patience in arrivals:
                if hesitating:
                    monitor.release(monitor.reserve(math.inf))
                found += moments_of(monitor, clock, [(pause, patience)])
        return found

    assert moments(hesitating=True) == moments(hesitating=False)


@properties
@given(arrivals=arrivals, rate=rates, burst=counts, limit=counts, window=windows)
def test_as_many_permits_are_free_as_can_be_spent(
    *,
    new_clock: Callable[[], Clock],
    arrivals: list[tuple[float, float]],
    rate: float,
    burst: int,
    limit: int,
    window: float,
) -> None:
    clock = new_clock()
    for monitor in (
        AdvancedRateLimitMonitor(rate, burst, clock=clock),
        SlidingWindowRateLimitMonitor(limit, window, clock=clock),
    ):
        moments_of(monitor, clock, arrivals)
        left = monitor.count_free()
        while monitor.reserve(0).granted:
            left -= 1
        # Sums of seconds round: the last may be free by a hair less.
        assert left == 0 or (left == 1 and monitor.reserve(60 * HAIR).granted)


def test_threads_of_two_providers_share_what_there_is(clock: Clock) -> None:
    monitor = AdvancedRateLimitMonitor(60, 100, clock=clock)
    together = threading.Barrier(8)

    def reserve() -> list[Reservation]:
        together.wait(10)
        return [monitor.reserve(900) for _ in range(200)]

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(reserve) for _ in range(8)]
        found = [each for task in asked for each in task.result(30)]

    waits = sorted(each.wait for each in found if each.granted)
    assert waits == [0.0] * 100 + [float(second) for second in range(1, 901)]


def test_all_permits_are_free_at_first(clock: Clock) -> None:
    assert AdvancedRateLimitMonitor(60, 7, clock=clock).count_free() == 7
    assert SlidingWindowRateLimitMonitor(5, 60, clock=clock).count_free() == 5
    assert TimeBasedRateLimitMonitor(1, 5, clock=clock).count_free() == 1


def test_a_monitor_that_only_spends_does_not_look_ahead() -> None:
    monitor = OneAtATime()

    found = [monitor.reserve(math.inf), monitor.reserve(math.inf)]
    monitor.release(found[0])

    assert found == [
        Reservation(granted=True, wait=0.0),
        Reservation(granted=False, wait=3.0),
    ]
    assert monitor.count_free() is None


def test_without_a_limit_nothing_is_reserved() -> None:
    assert NoRateLimitMonitor().reserve(0) == Reservation(granted=True, wait=0.0)


def test_a_monitor_that_reserves_is_looked_at_on_a_thread() -> None:
    monitor = Remote()

    async def look() -> Any:
        limits: Any = await monitor.check_rate_limits_async("key")
        await monitor.release_async(await monitor.reserve_async(0))
        await monitor.close_async()
        return limits

    limits = asyncio.run(look())

    assert limits["wait_time"] == 1.0
    assert limits["thread"] is not threading.current_thread()
    assert RateLimitMonitor.count_free(monitor) is None
