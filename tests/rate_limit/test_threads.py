"""Many threads on one monitor; time is the test's own, so none of it is timed."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from arbvantage_provider.clock import Clock
from arbvantage_provider.rate_limit import (
    AdvancedRateLimitMonitor,
    LocalRateLimitMonitor,
    SlidingWindowRateLimitMonitor,
)

THREADS = 8

HUNDRED_AT_ONCE: list[Callable[[Clock], LocalRateLimitMonitor]] = [
    lambda clock: AdvancedRateLimitMonitor(60, 100, clock=clock),
    lambda clock: SlidingWindowRateLimitMonitor(100, 100, clock=clock),
    lambda clock: AdvancedRateLimitMonitor(
        60, 100, max_calls_per_second=1000, clock=clock
    ),
]
"""Each allows 100 calls at once, and 100 more in 100 seconds."""


def in_threads(work: Callable[[], int]) -> int:
    """The sum of what ``work`` returns in each of 8 threads that start together."""
    together = threading.Barrier(THREADS)

    def start() -> int:
        together.wait(10)
        return work()

    with ThreadPoolExecutor(THREADS) as pool:
        tasks = [pool.submit(start) for _ in range(THREADS)]
        return sum(task.result(10) for task in tasks)


@pytest.mark.parametrize("make", HUNDRED_AT_ONCE)
def test_threads_that_hammer_get_no_permit_too_many_and_none_too_few(
    make: Callable[[Clock], LocalRateLimitMonitor], clock: Clock
) -> None:
    monitor = make(clock)

    granted = in_threads(lambda: sum(monitor.try_spend() == 0.0 for _ in range(500)))

    assert granted == 100


@pytest.mark.parametrize("make", HUNDRED_AT_ONCE)
def test_threads_that_wait_all_get_their_turn_within_the_limit(
    make: Callable[[Clock], LocalRateLimitMonitor], clock: Clock
) -> None:
    monitor = make(clock)
    start = clock.monotonic()

    made = in_threads(
        lambda: sum(monitor.make_safe_request(int, "1") for _ in range(50))
    )

    assert made == 400
    assert clock.monotonic() - start >= 299.999


def test_a_request_that_takes_long_keeps_no_other_thread_waiting() -> None:
    monitor = AdvancedRateLimitMonitor(requests_per_minute=60, burst_size=2)
    called, finish = threading.Event(), threading.Event()

    def take_long() -> bool:
        called.set()
        return finish.wait(10)

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(monitor.make_safe_request, take_long)
        called.wait(10)
        quick = monitor.make_safe_request(slow.done)
        finish.set()

        assert quick is False
        assert slow.result(10) is True
