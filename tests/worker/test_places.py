"""How many tasks of one action run at once."""

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from arbvantage_provider import Provider, RegistrationError
from arbvantage_provider.clock import SystemClock
from arbvantage_provider.rate_limit import TimeBasedRateLimitMonitor
from arbvantage_provider.testing import LocalHub, running
from arbvantage_provider.worker.limits.concurrency import (
    ConcurrencyLimiter,
    WaiterBudget,
)


class FakeCall:
    """What places ask of a call."""

    def __init__(self, action: Any, deadline: float, timeout: float) -> None:
        self.action, self.deadline, self.timeout = action, deadline, timeout


class Crowd:
    """A handler that counts how many of it run."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = self.most = 0
        self.begun = threading.Semaphore(0)
        self.end = threading.Event()
        self.order: list[int] = []

    def run(self, number: int) -> None:
        with self.lock:
            self.order.append(number)
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.begun.release()
        assert self.end.wait(20)
        with self.lock:
            self.inside -= 1


def make(slots: int, most: int | None, **settings: Any) -> tuple[Provider, Crowd]:
    crowd = Crowd()
    provider = Provider("shop", max_concurrency=slots, execution_timeout=20, **settings)
    provider.actions.register("crowd", max_concurrency=most)(crowd.run)
    provider.actions.register("other")(lambda: "free")
    return provider, crowd


def test_no_more_of_an_action_run_at_once_than_it_says() -> None:
    provider, crowd = make(8, 2)
    with LocalHub() as hub, running(provider, hub):
        handles = [hub.submit("crowd", {"number": n}) for n in range(6)]
        for _ in range(2):
            assert crowd.begun.acquire(timeout=20)
        hub.wait_until(lambda: provider.snapshot().slots_taken == 6)
        # The four that wait take no more than half of the slots.
        assert hub.submit("other").result(20).data == "free"
        crowd.end.set()
        assert {handle.result(20).status for handle in handles} == {"success"}
    assert crowd.most == 2


def test_tasks_wait_for_a_place_in_the_order_of_arrival() -> None:
    provider, crowd = make(16, 1)
    with LocalHub() as hub, running(provider, hub):
        handles = [hub.submit("crowd", {"number": 0})]
        assert crowd.begun.acquire(timeout=20)
        for number in range(1, 6):
            handles.append(hub.submit("crowd", {"number": number}))
            taken = number + 1
            hub.wait_until(lambda taken=taken: provider.snapshot().slots_taken == taken)
        crowd.end.set()
        for handle in handles:
            handle.result(20)
    assert crowd.order == list(range(6))


def test_beyond_half_of_the_slots_a_task_is_told_when_to_come_back() -> None:
    provider, crowd = make(4, 1)
    with LocalHub() as hub, running(provider, hub):
        handles = [hub.submit("crowd", {"number": n}) for n in range(4)]
        hub.wait_until(lambda: len(hub.submissions) == 1)
        (limited,) = hub.submissions
        crowd.end.set()
        statuses = sorted(handle.result(20).status for handle in handles)
    assert statuses == ["limit", "success", "success", "success"]
    assert limited.message.startswith("1 of 'crowd' run already, and no more may; ")
    assert 0 < limited.data["wait_time"] <= 20


def test_a_handler_past_its_deadline_keeps_its_place() -> None:
    crowd = Crowd()
    provider = Provider("shop", max_concurrency=4)
    options: dict[str, Any] = {"max_concurrency": 1, "timeout": 0.1}
    provider.actions.register("crowd", **options)(crowd.run)
    with LocalHub() as hub, running(provider, hub):
        first = hub.submit("crowd", {"number": 1}).result(20)
        second = hub.submit("crowd", {"number": 2}).result(20)
        assert crowd.most == 1
        crowd.end.set()
        hub.wait_until(lambda: provider.snapshot().slots_stuck == 0)
        assert hub.submit("crowd", {"number": 3}).result(20).status == "success"
    assert first.message.startswith("ActionTimeoutError")
    assert second.status == "limit"


def test_a_task_that_waits_for_a_place_does_not_keep_a_limit_from_polling() -> None:
    monitor = TimeBasedRateLimitMonitor(min_delay=0.001)
    provider, crowd = make(8, 1, rate_limit_monitor=monitor)
    with LocalHub() as hub, running(provider, hub):
        handles = [hub.submit("crowd", {"number": n}) for n in range(3)]
        assert crowd.begun.acquire(timeout=20)
        assert hub.submit("other").result(20).data == "free"
        crowd.end.set()
        assert {handle.result(20).status for handle in handles} == {"success"}


def test_places_that_are_freed_together_all_go_to_those_who_wait() -> None:
    async def run() -> int:
        clock = SystemClock()
        limiter = ConcurrencyLimiter(
            clock=clock, ending=asyncio.Event(), budget=WaiterBudget(100)
        )
        action: Any = SimpleNamespace(name="crowd", max_concurrency=2)
        calls: list[Any] = [
            FakeCall(action, deadline=clock.monotonic() + 60, timeout=60)
            for _ in range(4)
        ]
        for call in calls[:2]:
            await limiter.take(call, lambda: None)
        waiting = asyncio.create_task(limiter.take(calls[2], lambda: None))
        await asyncio.sleep(0)
        limiter.free(calls[0])
        limiter.free(calls[1])
        # One of the two places went to the one that waited; the other is free.
        await asyncio.wait_for(limiter.take(calls[3], lambda: None), 5)
        await waiting
        return len(calls)

    assert asyncio.run(run()) == 4


def test_a_thousand_tasks_of_two_actions_all_end() -> None:
    provider = Provider("shop", max_concurrency=16, execution_timeout=20)
    lock, inside, most = threading.Lock(), [0], [0]

    @provider.actions.register(max_concurrency=3)
    def narrow() -> None:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        with lock:
            inside[0] -= 1

    @provider.actions.register(max_concurrency=1)
    async def single() -> None:
        """Ends at once."""

    with LocalHub() as hub, running(provider, hub):
        handles = [hub.submit(name) for name in ("narrow", "single") * 500]
        statuses = {handle.result(60).status for handle in handles}
    assert statuses <= {"success", "limit"}
    assert "success" in statuses
    assert most[0] <= 3


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "2"])
def test_what_is_no_number_of_tasks_is_refused(wrong: Any) -> None:
    with pytest.raises(RegistrationError, match=r"max_concurrency is .*; give a whole"):
        Provider("shop").actions.register("x", max_concurrency=wrong)(lambda: None)
