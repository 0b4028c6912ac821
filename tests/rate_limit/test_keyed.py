"""One limit for each key: what is a key, and which monitors are kept."""

import gc
import math
import tracemalloc
from collections.abc import Callable
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from typing_extensions import override

from arbvantage_provider import ConfigError
from arbvantage_provider.clock import Clock
from arbvantage_provider.rate_limit import (
    AdvancedRateLimitMonitor,
    LimitedTask,
    LocalRateLimitMonitor,
    NoRateLimitMonitor,
    PerKey,
    RateLimitMonitor,
    Reservation,
    ReservingRateLimitMonitor,
    TimeBasedRateLimitMonitor,
)
from arbvantage_provider.rate_limit.keyed import hash_key


class Colour(StrEnum):
    RED = "red"


class Far(ReservingRateLimitMonitor):
    """Knows keys itself."""

    @override
    def check_rate_limits(self) -> None:
        return None

    @override
    def make_safe_request(self, request_func: Any, *args: Any, **kwargs: Any) -> Any:
        return request_func(*args, **kwargs)

    @override
    async def reserve_async(
        self, patience: float, key: str | None = None
    ) -> Reservation:
        return Reservation(granted=True, wait=0.0)


def make_task(**payload: Any) -> LimitedTask:
    return LimitedTask(id="t", action="a", payload=payload, account={"key": "s3cret"})


def find(limit: PerKey, name: object) -> LocalRateLimitMonitor:
    monitor = limit.find_monitor(limit.find_key(make_task(name=name)))
    assert isinstance(monitor, LocalRateLimitMonitor)
    return monitor


def by_name(task: LimitedTask) -> Any:
    return task.payload["name"]


@pytest.fixture
def limit(clock: Clock) -> PerKey:
    """At most three keys; one permit in ten seconds for each."""
    return PerKey(
        lambda: TimeBasedRateLimitMonitor(10, clock=clock),
        by_name,
        max_keys=3,
        clock=clock,
    )


def test_each_key_has_a_limit_of_its_own(limit: PerKey) -> None:
    assert find(limit, "a").try_spend() == 0
    assert find(limit, "b").try_spend() == 0
    assert find(limit, "a").try_spend() > 0


def test_keys_that_differ_have_hashes_that_differ() -> None:
    keys: list[Any] = [
        *("", "a", "1", "None", "ключ", "\ud800", b"", b"a", 0, 1, -1, 2**300, None),
        *(UUID(int=1), UUID(int=2), (), ("a",), ("a", "b"), ("ab",), ("a", ("b",))),
        *((1, 2), (12,), ("1", 2), (None,), ("", ""), ("",), ((),)),
    ]
    hashes = {hash_key(key) for key in keys}

    assert len(hashes) == len(keys)
    assert {len(text) for text in hashes} == {32}


def test_a_hash_is_the_same_in_every_process() -> None:
    assert hash_key(("acme", 7)) == "32cc47b821cce64e16214b64091d575b"


def test_an_enum_of_texts_is_its_text() -> None:
    assert hash_key(Colour.RED) == hash_key("red")


@pytest.mark.parametrize("odd", [1.5, {}, {"a"}, ["a"], object, (1, [2]), iter("a")])
def test_what_is_no_key_is_not_shown(odd: Any) -> None:
    with pytest.raises(TypeError, match=r"^a key is a str, int, bytes, .* and no \w+$"):
        hash_key(odd)


def test_a_monitor_that_is_as_good_as_new_makes_room(
    limit: PerKey, clock: Clock
) -> None:
    for name in "abc":
        find(limit, name).try_spend()
    clock.sleep(10)
    find(limit, "d")

    assert limit.keys == 1


def test_a_monitor_that_is_at_its_limit_is_never_dropped(
    limit: PerKey, clock: Clock
) -> None:
    for name in "abc":
        find(limit, name).try_spend()
    clock.sleep(9)

    assert limit.find_monitor(hash_key("d")) is None
    assert [find(limit, name).try_spend() > 0 for name in "abc"] == [True] * 3
    clock.sleep(1)
    assert find(limit, "d").try_spend() == 0


def test_no_key_gets_more_than_its_limit_however_many_keys_come(
    clock: Clock,
) -> None:
    limit = PerKey(
        lambda: AdvancedRateLimitMonitor(60, 3, clock=clock),
        by_name,
        max_keys=20,
        clock=clock,
    )
    granted: dict[int, list[float]] = {}
    for step in range(20_000):
        name = step * step % 97
        monitor = limit.find_monitor(hash_key(name))
        if isinstance(monitor, LocalRateLimitMonitor) and monitor.try_spend() == 0:
            granted.setdefault(name, []).append(clock.monotonic())
        clock.sleep(0.01)
        assert limit.keys <= 20

    assert sum(map(len, granted.values())) > 1_000
    for moments in granted.values():
        for first, fourth in zip(moments, moments[3:], strict=False):
            assert fourth - first >= 1 - 1e-6


def test_any_number_of_keys_take_no_more_memory_than_those_that_are_kept(
    clock: Clock,
) -> None:
    limit = PerKey(
        lambda: AdvancedRateLimitMonitor(600, 5, clock=clock),
        by_name,
        max_keys=500,
        clock=clock,
    )

    def spend(numbers: range) -> None:
        for number in numbers:
            monitor = limit.find_monitor(f"{number:032x}")
            if isinstance(monitor, LocalRateLimitMonitor):
                monitor.try_spend()
            clock.sleep(0.01)

    spend(range(1_500))
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.take_snapshot()
    spend(range(1_500, 6_000))
    gc.collect()
    grown = sum(
        s.size_diff for s in tracemalloc.take_snapshot().compare_to(before, "filename")
    )
    tracemalloc.stop()

    assert grown < 500_000
    assert limit.keys <= 500


class Blind(NoRateLimitMonitor):
    """A monitor of a user's, which does not tell how many permits are free."""

    @override
    def count_free(self, key: str | None = None) -> None:
        return None


def test_a_monitor_that_does_not_count_is_dropped_when_nobody_asked_for_long(
    clock: Clock,
) -> None:
    limit = PerKey(Blind, by_name, max_keys=2, forget_after=60, clock=clock)
    first = find(limit, "a")
    clock.sleep(59)
    find(limit, "b")
    assert limit.find_monitor(hash_key("c")) is None
    assert find(limit, "b") is not first
    clock.sleep(1)

    assert find(limit, "c") is not first
    assert limit.keys == 2


def test_a_monitor_is_kept_while_who_asked_for_it_is_about_to_spend(
    limit: PerKey, clock: Clock
) -> None:
    asked = find(limit, "a")
    for name in "bcdefgh":
        limit.find_monitor(hash_key(name))

    assert find(limit, "a") is asked


def test_what_makes_monitors_may_be_told_the_hash_of_the_key() -> None:
    told: list[str] = []

    def make(key: str) -> RateLimitMonitor:
        told.append(key)
        return NoRateLimitMonitor()

    find(PerKey(make, by_name), "a")

    assert told == [hash_key("a")]


def test_a_monitor_that_knows_keys_is_given_them() -> None:
    far = Far()
    limit = PerKey(far, by_name)

    assert limit.find_monitor(hash_key("a")) is far
    assert limit.keys == 0


def test_nothing_of_a_task_is_in_what_is_shown(limit: PerKey) -> None:
    find(limit, "acme")
    shown = repr(limit) + repr(make_task(name="acme"))

    assert "acme" not in shown
    assert "s3cret" not in shown


WRONG: list[tuple[Any, Any, dict[str, Any], str]] = [
    (NoRateLimitMonitor(), by_name, {}, "monitor: .* has one limit for all keys"),
    (5, by_name, {}, "monitor: 5 cannot be called"),
    (divmod, by_name, {}, "monitor: .* cannot be called with a key"),
    (lambda: 5, by_name, {}, "monitor: a int was made, which is no RateLimitMonitor"),
    (Far, by_name, {}, "monitor: .* knows keys itself"),
    (lambda: AdvancedRateLimitMonitor(0), by_name, {}, "requests_per_minute is 0"),
    (NoRateLimitMonitor, None, {}, "key is None; give a function"),
    (NoRateLimitMonitor, "name", {}, "key is 'name'; give a function"),
    (NoRateLimitMonitor, by_name, {"max_keys": 0}, "max_keys is 0"),
    (NoRateLimitMonitor, by_name, {"max_keys": True}, "max_keys is True"),
    (NoRateLimitMonitor, by_name, {"forget_after": -1}, "forget_after is -1"),
    (NoRateLimitMonitor, by_name, {"forget_after": math.nan}, "forget_after is nan"),
    (NoRateLimitMonitor, by_name, {"forget_after": "1"}, "forget_after is '1'"),
]


@pytest.mark.parametrize(("make", "key", "options", "problem"), WRONG)
def test_what_cannot_be_a_limit_for_each_key_is_refused(
    make: Callable[..., Any], key: Any, options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        PerKey(make, key, **options)
