"""Limits as type checkers see them; mypy and pyright check this file."""

from typing import Any, Literal, assert_type

import pytest
from typing_extensions import override

from arbvantage_provider import Provider, RateLimitedError, TaskContext
from arbvantage_provider.rate_limit import (
    AdvancedRateLimitMonitor,
    LimitedTask,
    NoRateLimitMonitor,
    PerKey,
    RateLimitMonitor,
)


class Mine(RateLimitMonitor):
    """A monitor with an argument of its own."""

    def __init__(self, name: str) -> None:
        self.name = name

    @override
    def check_rate_limits(self) -> dict[str, Any] | None:
        return None

    @override
    def make_safe_request(self, request_func: Any, *args: Any, **kwargs: Any) -> Any:
        return request_func(*args, **kwargs)


def read_customer(task: LimitedTask) -> str:
    return f"{task.id}{task.action}{task.payload}{task.account}"


def test_a_limit_for_each_key_takes_what_makes_a_monitor() -> None:
    limits = [
        PerKey(lambda: AdvancedRateLimitMonitor(60), key=lambda task: task.id),
        PerKey(NoRateLimitMonitor, read_customer, max_keys=5, forget_after=1.5),
        PerKey(Mine, key=lambda task: (task.action, 5, None)),
    ]
    assert_type(limits[0].keys, int)


def test_the_limit_of_an_action_is_a_monitor_or_has_keys() -> None:
    provider = Provider("shop", on_monitor_error="open")
    limit = PerKey(NoRateLimitMonitor, read_customer)

    @provider.actions.register(rate_limit_monitor=limit, max_wait=2.5)
    def order(item: str) -> str:
        return item

    assert_type(order("tea"), str)
    provider.actions.set_rate_limit("order", AdvancedRateLimitMonitor(60), max_wait=1)
    provider.actions.set_rate_limit("order", limit)
    provider.actions.set_rate_limit("order", None)
    assert provider.actions["order"].max_wait == 1


def test_a_limit_in_a_handler_is_for_both_colours() -> None:
    provider = Provider("shop")

    @provider.actions.register()
    async def order(context: TaskContext) -> None:
        async with context.rate_limit:
            pass

    @provider.actions.register()
    def pay(context: TaskContext) -> None:
        with context.rate_limit:
            pass

    for name in ("order", "pay"):
        assert provider.process_task(name, {})["status"] == "success"


def test_what_closes_is_one_of_two() -> None:
    error = RateLimitedError(5, "busy", closes="action")
    assert_type(error.closes, Literal["action", "provider"] | None)
    with pytest.raises(ValueError, match="closes is 'all'"):
        RateLimitedError(5, closes="all")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def test_figures_of_limits_are_numbers() -> None:
    limit = AdvancedRateLimitMonitor(60, 3)
    figures = Provider("shop", rate_limit_monitor=limit).snapshot().limits[""]
    assert_type(figures.free, int | None)
    assert_type(figures.wait, float)
    assert figures.free == 3
