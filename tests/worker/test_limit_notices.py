"""What limits say of themselves is in the provider's log, once a limit and minute."""

# pyright: basic

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from arbvantage_provider import Provider
from arbvantage_provider.rate_limit import (
    AdvancedRateLimitMonitor,
    LimitedTask,
    PerKey,
    SlidingWindowRateLimitMonitor,
    TimeBasedRateLimitMonitor,
)
from arbvantage_provider.rate_limit.keyed import hash_key
from arbvantage_provider.rate_limit.notices import LISTENER
from arbvantage_provider.testing import LocalHub, running

NEARLY = "a limit is nearly used up"


def in_tens() -> TimeBasedRateLimitMonitor:
    return TimeBasedRateLimitMonitor(0.000001, 10)


def burst(size: int = 10) -> AdvancedRateLimitMonitor:
    return AdvancedRateLimitMonitor(60, size)


def by_customer(task: LimitedTask) -> Any:
    return task.payload["customer"]


@pytest.fixture(autouse=True)
def nothing_elsewhere(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    assert [each for each in caplog.records if NEARLY in each.getMessage()] == []
    assert NEARLY not in capfd.readouterr().err


@pytest.fixture
def lines(tmp_path: Path) -> Callable[[], list[dict[str, Any]]]:
    def read() -> list[dict[str, Any]]:
        found = map(json.loads, (tmp_path / "log").read_text().splitlines())
        return [line for line in found if line["event"] == NEARLY]

    return read


def run(hub: LocalHub, tmp_path: Path, keys: list[str], **limits: Any) -> None:
    """Run a task for each key, of an action that has ``rate_limit_monitor``."""
    provider = Provider(
        "tested",
        log_file=str(tmp_path / "log"),
        execution_timeout=30,
        rate_limit_monitor=limits.pop("provider", None),
    )

    @provider.actions.register(**limits)
    def fetch(customer: str) -> str:
        return customer

    with running(provider, hub):
        handles = [hub.submit("fetch", {"customer": key}) for key in keys]
        assert {handle.result().status for handle in handles} == {"success"}


def test_many_keys_of_one_limit_are_one_line_that_names_action_and_key(
    hub: LocalHub, tmp_path: Path, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    limit = PerKey(lambda: burst(2), by_customer)
    run(hub, tmp_path, [f"c{n // 2}" for n in range(40)], rate_limit_monitor=limit)
    (line,) = lines()
    assert line["level"] == "warning"
    assert line["limit"] == "fetch"
    assert line["key"] in {hash_key(f"c{n}") for n in range(20)}
    assert line["threshold"] == "critical_threshold"
    assert "AdvancedRateLimitMonitor(requests_per_minute=60" in line["monitor"]


@pytest.mark.parametrize("make", [burst, in_tens])
def test_a_limit_of_an_action_is_told_of_once_a_minute(
    hub: LocalHub, tmp_path: Path, lines: Callable[[], Any], make: Callable[[], Any]
) -> None:
    run(hub, tmp_path, ["c"] * 10, rate_limit_monitor=make())
    (line,) = lines()
    assert (line["limit"], line["threshold"]) == ("fetch", "warning_threshold")
    assert "key" not in line


def test_a_limit_of_a_provider_is_named_as_such(
    hub: LocalHub, tmp_path: Path, lines: Callable[[], Any]
) -> None:
    run(hub, tmp_path, ["c"] * 10, provider=burst())
    (line,) = lines()
    assert line["limit"] == "the provider"


def test_a_monitor_that_a_handler_asks_is_in_the_providers_log(
    hub: LocalHub, tmp_path: Path, lines: Callable[[], Any]
) -> None:
    provider = Provider("tested", log_file=str(tmp_path / "log"), execution_timeout=30)
    monitor = burst(1000)

    @provider.actions.register()
    def on_a_thread() -> None:
        for _ in range(1000):
            monitor.try_spend()

    with running(provider, hub):
        hub.submit("on_a_thread", {}).result()
    (line,) = lines()
    assert line["limit"] == repr(monitor)


def test_what_another_monitor_says_is_not_held_back(
    hub: LocalHub, tmp_path: Path, lines: Callable[[], Any]
) -> None:
    run(hub, tmp_path, ["c"] * 10, provider=burst(), rate_limit_monitor=burst())
    assert {line["limit"] for line in lines()} == {"fetch", "the provider"}


def test_after_a_run_limits_tell_logging_again(hub: LocalHub, tmp_path: Path) -> None:
    run(hub, tmp_path, ["c"], rate_limit_monitor=SlidingWindowRateLimitMonitor(9, 9))
    assert LISTENER.get() is None
