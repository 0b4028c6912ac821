"""The built-in monitors: thread-safe limits that live in this process."""

import threading
from collections.abc import Mapping, Sequence

from typing_extensions import override

from arbvantage_provider.clock import Clock, SystemClock
from arbvantage_provider.exceptions import ConfigError
from arbvantage_provider.rate_limit.algorithms import Algorithm, Bucket, Window
from arbvantage_provider.rate_limit.monitor import (
    LocalRateLimitMonitor,
    RateLimits,
    Reservation,
)
from arbvantage_provider.rate_limit.notices import notify
from arbvantage_provider.rate_limit.validation import (
    check_calls_per_second,
    check_count,
    check_rate,
    check_seconds,
    check_thresholds,
)

_SYSTEM_CLOCK = SystemClock()
_THRESHOLDS = ("warning_threshold", "critical_threshold")


class _AlgorithmMonitor(LocalRateLimitMonitor):
    """Keeps one or more algorithms, all of them.

    Args:
        algorithms: at least one; a permit is free when each of them has one.
        settings: what ``repr`` shows.
        clock: what tells the time.
    """

    def __init__(
        self,
        algorithms: Sequence[Algorithm],
        *,
        settings: Mapping[str, object],
        clock: Clock,
    ) -> None:
        self._algorithms = tuple(algorithms)
        self._settings = dict(settings)
        self._clock = clock
        self._lock = threading.Lock()
        self._thresholds_reached = 0
        self._last: Reservation | None = None

    @override
    def check_rate_limits(self) -> RateLimits | None:
        """Look at the limits; spend nothing, wait for nothing.

        Returns:
            ``None`` when a permit is free; else the figures of the limit that
            has the longest wait.
        """
        with self._lock:
            now = self._clock.monotonic()
            for algorithm in self._algorithms:
                if algorithm.due > now:
                    return self._describe(now)
        return None

    @override
    def try_spend(self) -> float:
        """Spend one permit of each limit, or none; never wait.

        Returns:
            0.0 when it was spent, else the seconds until one will be free.
        """
        with self._lock:
            now = self._clock.monotonic()
            for algorithm in self._algorithms:
                if algorithm.due > now:
                    return self._describe(now)["wait_time"]
            crossed = self._spend_each(now)
        if crossed:
            self._warn(crossed)
        return 0.0

    @override
    def reserve(self, patience: float, key: str | None = None) -> Reservation:
        """Take the next permit if its moment is within ``patience`` seconds.

        Permits are for moments in the order in which they were asked for, and
        waiting for them needs no further call.

        Args:
            patience: how many seconds the caller would wait; ``math.inf`` for as
                long as it takes, 0 for a permit that is free now.
            key: without effect: there is one limit.

        Returns:
            The permit and the seconds to wait for it; or, with nothing taken, how
            long it would have been.
        """
        with self._lock:
            now = self._clock.monotonic()
            moment = now
            for algorithm in self._algorithms:
                moment = max(moment, algorithm.due)
            wait = moment - now
            if not wait <= patience:
                return Reservation(granted=False, wait=wait)
            crossed = self._spend_each(moment)
            reserved = self._last = Reservation(granted=True, wait=wait)
        if crossed:
            self._warn(crossed)
        return reserved

    @override
    def release(self, reservation: Reservation, key: str | None = None) -> None:
        """Give a permit back that was granted and is not going to be used.

        It is free again if no other was taken after it, else it is lost.
        """
        with self._lock:
            if reservation is self._last:
                self._last = None
                for algorithm in self._algorithms:
                    algorithm.unspend()

    @override
    def count_free(self, key: str | None = None) -> int:
        """How many permits are free now.

        Args:
            key: without effect: there is one limit.
        """
        with self._lock:
            now = self._clock.monotonic()
            return min(algorithm.count_free(now) for algorithm in self._algorithms)

    def _spend_each(self, moment: float) -> int:
        """Spend one permit of each algorithm; the threshold that is crossed by it, or 0."""
        self._last = None
        reached = 0
        for algorithm in self._algorithms:
            reached = max(reached, algorithm.spend(moment))
        before, self._thresholds_reached = self._thresholds_reached, reached
        return reached if reached > before else 0

    def _warn(self, threshold: int) -> None:
        """Log it; outside the lock, as a log handler may be slow."""
        name = _THRESHOLDS[threshold - 1]
        text = "a limit is nearly used up"
        notify(
            "warning", self, text, line=f"{text}: {name} of {self!r}", threshold=name
        )

    def _describe(self, now: float) -> RateLimits:
        binding = max(self._algorithms, key=_due)
        return {
            "rate_limited": True,
            "wait_time": binding.due - now,
            "current_count": binding.limit,
            "limit": binding.limit,
        }

    @override
    def __repr__(self) -> str:
        given = (f"{k}={v!r}" for k, v in self._settings.items() if v is not None)
        return f"{type(self).__name__}({', '.join(given)})"


class TimeBasedRateLimitMonitor(_AlgorithmMonitor):
    """At least ``min_delay`` seconds between two spends.

    Args:
        min_delay: seconds, above 0.
        max_calls_per_second: also at most that many spends in any second: a
            whole number, or a fraction below 1 (0.5: one in any 2 seconds).
        warning_threshold: share, 0 to 1, of ``max_calls_per_second`` at which a
            warning is logged, once per crossing.
        critical_threshold: the same again, not below ``warning_threshold``.
        timezone: accepted for older programs and without effect: delays are
            measured on a monotonic clock.
        clock: what tells the time and sleeps.

    Raises:
        ConfigError: for a setting that cannot be used.
    """

    def __init__(
        self,
        min_delay: float = 1.0,
        max_calls_per_second: float | None = None,
        *,
        warning_threshold: float = 0.8,
        critical_threshold: float = 0.9,
        timezone: str = "UTC",  # noqa: ARG002 - accepted, without effect
        clock: Clock = _SYSTEM_CLOCK,
    ) -> None:
        thresholds = check_thresholds(warning_threshold, critical_threshold)
        super().__init__(
            [
                Bucket(check_seconds("min_delay", min_delay)),
                *_plan_calls(max_calls_per_second, thresholds),
            ],
            settings={
                "min_delay": min_delay,
                "max_calls_per_second": max_calls_per_second,
                "warning_threshold": warning_threshold,
                "critical_threshold": critical_threshold,
            },
            clock=clock,
        )


class AdvancedRateLimitMonitor(_AlgorithmMonitor):
    """A token bucket: a burst at once, then a steady rate, exactly.

    Any window of ``w`` seconds holds at most
    ``burst_size + requests_per_minute * w / 60`` spends, and no permit is lost.
    All limits that are given hold. Without any, it is 60 requests per minute.

    Args:
        requests_per_minute: the steady rate, above 0; fractions are fine.
        burst_size: how many spends at once after a rest, at least 1, which is
            also the default and spaces spends evenly.
        max_calls_per_second: at most that many spends in any second: a whole
            number, or a fraction below 1 (0.5: one in any 2 seconds).
        min_delay: at least that many seconds between two spends.
        warning_threshold: share, 0 to 1, of ``burst_size`` or of
            ``max_calls_per_second`` at which a warning is logged, once per
            crossing.
        critical_threshold: the same again, not below ``warning_threshold``.
        timezone: accepted for older programs and without effect.
        clock: what tells the time and sleeps.

    Raises:
        ConfigError: for a setting that cannot be used, or ``burst_size``
            without ``requests_per_minute``.
    """

    def __init__(  # noqa: PLR0913 - the names are those of programs in use
        self,
        requests_per_minute: float | None = None,
        burst_size: int | None = None,
        *,
        max_calls_per_second: float | None = None,
        min_delay: float | None = None,
        warning_threshold: float = 0.8,
        critical_threshold: float = 0.9,
        timezone: str = "UTC",  # noqa: ARG002 - accepted, without effect
        clock: Clock = _SYSTEM_CLOCK,
    ) -> None:
        thresholds = check_thresholds(warning_threshold, critical_threshold)
        pace = [*_plan_delay(min_delay), *_plan_calls(max_calls_per_second, thresholds)]
        if requests_per_minute is None and burst_size is None and not pace:
            requests_per_minute = 60
        super().__init__(
            [*_plan_bucket(requests_per_minute, burst_size, thresholds), *pace],
            settings={
                "requests_per_minute": requests_per_minute,
                "burst_size": burst_size,
                "max_calls_per_second": max_calls_per_second,
                "min_delay": min_delay,
                "warning_threshold": warning_threshold,
                "critical_threshold": critical_threshold,
            },
            clock=clock,
        )


class SlidingWindowRateLimitMonitor(_AlgorithmMonitor):
    """Never more than ``max_requests`` spends in any window of ``window_size``.

    Args:
        max_requests: how many, at least 1; one float of memory each.
        window_size: seconds, above 0. A window includes its beginning and not
            its end.
        timezone: accepted for older programs and without effect.
        clock: what tells the time and sleeps.

    Raises:
        ConfigError: for a setting that cannot be used.
    """

    def __init__(
        self,
        max_requests: int = 100,
        window_size: float = 60,
        *,
        timezone: str = "UTC",  # noqa: ARG002 - accepted, without effect
        clock: Clock = _SYSTEM_CLOCK,
    ) -> None:
        count = check_count("max_requests", max_requests)
        seconds = check_seconds("window_size", window_size)
        super().__init__(
            [Window(count, seconds)],
            settings={"max_requests": max_requests, "window_size": window_size},
            clock=clock,
        )


class CustomRateLimitMonitor(SlidingWindowRateLimitMonitor):
    """The older name of ``SlidingWindowRateLimitMonitor``, with its older order.

    Args:
        window_size: seconds, above 0.
        max_requests: how many in any such window, at least 1.
        timezone: accepted for older programs and without effect.
        clock: what tells the time and sleeps.

    Raises:
        ConfigError: for a setting that cannot be used.
    """

    def __init__(
        self,
        window_size: float = 60,
        max_requests: int = 100,
        *,
        timezone: str = "UTC",
        clock: Clock = _SYSTEM_CLOCK,
    ) -> None:
        super().__init__(max_requests, window_size, timezone=timezone, clock=clock)


def _due(algorithm: Algorithm) -> float:
    return algorithm.due


def _plan_delay(min_delay: float | None) -> list[Algorithm]:
    if min_delay is None:
        return []
    return [Bucket(check_seconds("min_delay", min_delay))]


def _plan_calls(value: float | None, thresholds: Sequence[float]) -> list[Algorithm]:
    if value is None:
        return []
    count, seconds = check_calls_per_second("max_calls_per_second", value)
    return [Window(count, seconds, thresholds)]


def _plan_bucket(
    requests_per_minute: float | None,
    burst_size: int | None,
    thresholds: Sequence[float],
) -> list[Algorithm]:
    burst = 1 if burst_size is None else check_count("burst_size", burst_size)
    if requests_per_minute is not None:
        rate = check_rate("requests_per_minute", requests_per_minute, 60.0)
        return [Bucket(60.0 / rate, burst, thresholds)]
    if burst_size is not None:
        problem = f"burst_size is {burst} without a rate; give requests_per_minute too"
        raise ConfigError(problem)
    return []
