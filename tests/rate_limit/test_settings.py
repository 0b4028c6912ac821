"""Wrong settings are refused where the monitor is built; right ones are shown."""

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from arbvantage_provider.exceptions import ConfigError
from arbvantage_provider.rate_limit import (
    AdvancedRateLimitMonitor,
    CustomRateLimitMonitor,
    NoRateLimitMonitor,
    SlidingWindowRateLimitMonitor,
    TimeBasedRateLimitMonitor,
)

Monitor = Callable[..., object]

NO_NUMBER: list[object] = [
    math.nan,
    math.inf,
    -math.inf,
    True,
    "1",
    Decimal(1),
    10**400,
]
NOT_POSITIVE: list[object] = [0, -1, -0.5, *NO_NUMBER]
NO_COUNT: list[object] = [0, -1, 0.5, 1.0, None, 10**10, *NO_NUMBER]

USUAL = "warning_threshold=0.8, critical_threshold=0.9"
EVEN = "warning_threshold=0.5, critical_threshold=0.5"

POSITIVE: list[tuple[Monitor, str]] = [
    (TimeBasedRateLimitMonitor, "min_delay"),
    (TimeBasedRateLimitMonitor, "max_calls_per_second"),
    (AdvancedRateLimitMonitor, "requests_per_minute"),
    (AdvancedRateLimitMonitor, "max_calls_per_second"),
    (AdvancedRateLimitMonitor, "min_delay"),
    (SlidingWindowRateLimitMonitor, "window_size"),
    (CustomRateLimitMonitor, "window_size"),
]


@pytest.mark.parametrize("value", NOT_POSITIVE)
@pytest.mark.parametrize(("monitor", "name"), POSITIVE)
def test_what_is_no_positive_number_is_refused_by_name_and_value(
    monitor: Monitor, name: str, value: object
) -> None:
    with pytest.raises(ConfigError) as caught:
        monitor(**{name: value})

    assert str(caught.value).startswith(f"{name} is {value!r}; give ")


@pytest.mark.parametrize("value", NO_COUNT)
@pytest.mark.parametrize(
    "monitor", [SlidingWindowRateLimitMonitor, CustomRateLimitMonitor]
)
def test_what_is_no_count_of_requests_is_refused(
    monitor: Monitor, value: object
) -> None:
    with pytest.raises(ConfigError) as caught:
        monitor(max_requests=value)

    assert str(caught.value) == (
        f"max_requests is {value!r}; "
        "give a whole number, at least 1, at most 1000000000"
    )


@pytest.mark.parametrize("value", [each for each in NO_COUNT if each is not None])
def test_what_is_no_burst_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^burst_size is .*; give a whole number"):
        AdvancedRateLimitMonitor(requests_per_minute=60, burst_size=value)


@pytest.mark.parametrize("value", [-0.1, 1.1, *NO_NUMBER])
@pytest.mark.parametrize("name", ["warning_threshold", "critical_threshold"])
@pytest.mark.parametrize(
    "monitor", [TimeBasedRateLimitMonitor, AdvancedRateLimitMonitor]
)
def test_what_is_no_share_is_refused_as_a_threshold(
    monitor: Monitor, name: str, value: object
) -> None:
    with pytest.raises(ConfigError) as caught:
        monitor(**{name: value})

    assert str(caught.value) == (
        f"{name} is {value!r}; give a share of the limit, from 0 to 1"
    )


def test_a_warning_above_the_critical_threshold_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        AdvancedRateLimitMonitor(warning_threshold=0.9, critical_threshold=0.5)

    assert str(caught.value) == (
        "warning_threshold is 0.9; give at most critical_threshold, which is 0.5"
    )


def test_a_burst_without_a_rate_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        AdvancedRateLimitMonitor(burst_size=10, max_calls_per_second=2)

    assert str(caught.value) == (
        "burst_size is 10 without a rate; give requests_per_minute too"
    )


@pytest.mark.parametrize("value", [2.5, 1e10])
def test_calls_per_second_with_no_exact_meaning_are_refused(value: float) -> None:
    with pytest.raises(ConfigError, match=r"a whole number, .* or a fraction below 1"):
        AdvancedRateLimitMonitor(max_calls_per_second=value)


@pytest.mark.parametrize(
    ("monitor", "name", "value"),
    [
        (TimeBasedRateLimitMonitor, "min_delay", 1e9),
        (TimeBasedRateLimitMonitor, "min_delay", None),
        (AdvancedRateLimitMonitor, "requests_per_minute", 1e-9),
        (AdvancedRateLimitMonitor, "max_calls_per_second", 1e-9),
        (SlidingWindowRateLimitMonitor, "window_size", 1e9),
    ],
)
def test_waits_of_more_than_a_year_are_refused(
    monitor: Monitor, name: str, value: object
) -> None:
    with pytest.raises(ConfigError, match=name):
        monitor(**{name: value})


def test_a_refusal_is_a_value_error_too() -> None:
    with pytest.raises(ValueError, match="min_delay is 0"):
        TimeBasedRateLimitMonitor(min_delay=0)


@pytest.mark.parametrize(
    ("monitor", "shown"),
    [
        (NoRateLimitMonitor(), "NoRateLimitMonitor()"),
        (
            TimeBasedRateLimitMonitor(min_delay=2.0, timezone="Europe/Berlin"),
            f"TimeBasedRateLimitMonitor(min_delay=2.0, {USUAL})",
        ),
        (
            AdvancedRateLimitMonitor(requests_per_minute=10, burst_size=20),
            f"AdvancedRateLimitMonitor(requests_per_minute=10, burst_size=20, {USUAL})",
        ),
        (
            AdvancedRateLimitMonitor(
                min_delay=1.0,
                max_calls_per_second=2,
                warning_threshold=0.5,
                critical_threshold=0.5,
                timezone="UTC",
            ),
            f"AdvancedRateLimitMonitor(max_calls_per_second=2, min_delay=1.0, {EVEN})",
        ),
        (
            AdvancedRateLimitMonitor(),
            f"AdvancedRateLimitMonitor(requests_per_minute=60, {USUAL})",
        ),
        (
            SlidingWindowRateLimitMonitor(),
            "SlidingWindowRateLimitMonitor(max_requests=100, window_size=60)",
        ),
        (
            CustomRateLimitMonitor(30, 5),
            "CustomRateLimitMonitor(max_requests=5, window_size=30)",
        ),
    ],
)
def test_a_monitor_shows_its_settings(monitor: object, shown: str) -> None:
    assert repr(monitor) == shown
