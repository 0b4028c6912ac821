"""The limit of an action: who waits for it, in which order, and how it is changed."""

import asyncio
import math
import threading
from collections.abc import Callable
from typing import Any

import pytest
from patience import wait_for
from their_monitors import Reserving, Stubborn, ThreeMethods
from typing_extensions import override

from arbvantage_provider import (
    ActionNotFoundError,
    Actions,
    Provider,
    RegistrationError,
    TaskContext,
)
from arbvantage_provider.rate_limit import (
    AdvancedRateLimitMonitor,
    LocalRateLimitMonitor,
    NoRateLimitMonitor,
    PerKey,
    RateLimitMonitor,
    Reservation,
    SlidingWindowRateLimitMonitor,
    TimeBasedRateLimitMonitor,
)
from arbvantage_provider.testing import LocalHub, TaskHandle, running

HOUR = 3600.0


class Door(ThreeMethods):
    """No permit is free until the test opens it; then one after the other."""

    def __init__(self) -> None:
        super().__init__(most=10_000)
        self.is_open = threading.Event()

    @override
    def check_rate_limits(self) -> dict[str, Any] | None:
        if self.is_open.is_set():
            return super().check_rate_limits()
        return {"rate_limited": True, "wait_time": 0.02}


class LocalDoor(LocalRateLimitMonitor):
    """The same without blocking."""

    def __init__(self, wait: float = 0.02) -> None:
        self.is_open = threading.Event()
        self.wait = wait

    @override
    def check_rate_limits(self) -> dict[str, Any] | None:
        wait = 0.0 if self.is_open.is_set() else self.wait
        return {"rate_limited": True, "wait_time": wait} if wait else None

    @override
    def try_spend(self) -> float:
        return 0.0 if self.is_open.is_set() else self.wait


class ReservingDoor(Reserving):
    """The same with reserving; the later it is asked, the sooner it answers."""

    def __init__(self) -> None:
        self.is_open = threading.Event()
        super().__init__(self._reserve)

    def _reserve(self, patience: float, key: str | None) -> Reservation:
        if self.is_open.is_set():
            return Reservation(granted=True, wait=0.0)
        return Reservation(granted=False, wait=0.02)


class Recorder(Provider):
    """Remembers which tasks ran, in which order."""

    runs: list[int]


def make(
    monitor: Any = None, *, slots: int = 16, policy: Any = "closed", **options: Any
) -> Recorder:
    provider = Recorder(
        "tested", max_concurrency=slots, shutdown_timeout=5, on_monitor_error=policy
    )
    runs = provider.runs = []

    @provider.actions.register(rate_limit_monitor=monitor, **options)
    async def limited(number: int = 0) -> int:
        runs.append(number)
        return number

    provider.actions.register("free")(lambda: None)
    return provider


def submit_in_order(hub: LocalHub, provider: Provider, count: int) -> list[TaskHandle]:
    """Each of them waits in its slot before the next one comes."""
    handles: list[TaskHandle] = []
    for number in range(count):
        handles.append(hub.submit("limited", {"number": number}))
        wait_for(lambda: count_waiting(provider) == len(handles))
    return handles


def use_up(monitor: LocalRateLimitMonitor) -> LocalRateLimitMonitor:
    while monitor.try_spend() == 0:
        pass
    return monitor


def count_waiting(provider: Provider) -> int:
    return provider.snapshot().limits["limited"].waiting


@pytest.mark.parametrize("door", [Door, LocalDoor, ReservingDoor])
def test_tasks_pass_a_limit_in_the_order_of_arrival(
    hub: LocalHub, door: Callable[[], Any]
) -> None:
    monitor = door()
    provider = make(monitor, max_wait=60)
    with running(provider, hub):
        handles = submit_in_order(hub, provider, 7)
        monitor.is_open.set()
        assert {handle.result().status for handle in handles} == {"success"}

    assert provider.runs == list(range(7))


def test_who_comes_later_does_not_overtake_those_who_wait(hub: LocalHub) -> None:
    class SlowDoor(LocalDoor):
        @override
        def try_spend(self) -> float:
            return 0.0 if self.is_open.is_set() else 0.4

    monitor = SlowDoor()
    provider = make(monitor, max_wait=60)
    with running(provider, hub):
        handles = submit_in_order(hub, provider, 2)
        # A permit is free now, and those who wait have not looked yet.
        monitor.is_open.set()
        handles.append(hub.submit("limited", {"number": 2}))
        assert {handle.result().status for handle in handles} == {"success"}

    assert provider.runs == [0, 1, 2]


def test_moments_that_were_reserved_are_waited_for_outside_of_the_queue(
    hub: LocalHub,
) -> None:
    waits = iter((0.4, 0.3, 0.2, 0.1))

    def reserve(patience: float, key: str | None) -> Reservation:
        return Reservation(granted=True, wait=next(waits))

    monitor = Reserving(reserve)
    provider = make(monitor, max_wait=60)
    with running(provider, hub):
        handles = [hub.submit("limited", {"number": n}) for n in range(4)]
        assert {handle.result().status for handle in handles} == {"success"}

    assert monitor.calls == 4
    assert monitor.given_back == []


def test_a_monitor_that_reserves_is_told_how_long_the_task_would_wait(
    hub: LocalHub,
) -> None:
    told: list[float] = []

    def reserve(patience: float, key: str | None) -> Reservation:
        told.append(patience)
        return Reservation(granted=False, wait=90.0)

    with running(make(Reserving(reserve), max_wait=5), hub):
        result = hub.submit("limited").result()

    assert 4 < told[0] <= 5
    assert (result.status, result.data) == ("limit", {"wait_time": 90.0})


def test_what_was_reserved_is_given_back_when_the_provider_stops(
    hub: LocalHub,
) -> None:
    reservation = Reservation(granted=True, wait=50.0)
    monitor = Reserving(lambda patience, key: reservation)
    provider = make(monitor, max_wait=60)
    with running(provider, hub):
        handle = hub.submit("limited")
        wait_for(lambda: provider.snapshot().limits["limited"].wait > 40)
        provider.stop()
        assert handle.result().status == "limit"

    assert monitor.given_back == [reservation]


def test_a_monitor_that_reserves_closes_its_connections_when_its_loop_ends(
    hub: LocalHub,
) -> None:
    own, shared, keyed, old = (
        Reserving(lambda _, __: Reservation(granted=True, wait=0.0)) for _ in range(4)
    )
    provider = Provider("tested", rate_limit_monitor=shared)
    register = provider.actions.register
    register("own", rate_limit_monitor=own)(lambda: None)
    register("changed", rate_limit_monitor=old)(lambda: None)
    register("keyed", rate_limit_monitor=PerKey(keyed, lambda task: task.id))(
        lambda: None
    )
    with running(provider, hub):
        for name in ("own", "keyed", "changed"):
            assert hub.submit(name).result().status == "success"
        provider.actions.set_rate_limit("changed", None)
        wait_for(lambda: old.closed == 1)
        assert (own.closed, shared.closed, keyed.closed) == (0, 0, 0)

    assert (own.closed, shared.closed, keyed.closed, old.closed) == (1, 1, 1, 1)


def test_a_monitor_that_does_not_close_does_not_hold_up_the_end(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "arbvantage_provider.worker.limits.permit_acquirer.LAST_GRACE", 0.05
    )

    class Clinging(Reserving):
        @override
        async def close_async(self) -> None:
            await asyncio.Event().wait()

    monitor = Clinging(lambda _, __: Reservation(granted=True, wait=0.0))
    with running(make(monitor), hub):
        assert hub.submit("limited").result().status == "success"


def test_a_monitor_that_reserves_and_hangs_does_not_hold_up_the_end(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "arbvantage_provider.worker.limits.permit_acquirer.LAST_GRACE", 0.05
    )

    class Hanging(Reserving):
        @override
        async def reserve_async(
            self, patience: float, key: str | None = None
        ) -> Reservation:
            asked.set()
            while True:
                await super().reserve_async(patience, key)

    asked = threading.Event()
    monitor = Hanging(lambda patience, key: Reservation(granted=False, wait=1.0))
    provider = make(monitor, max_wait=60)
    with running(provider, hub):
        handle = hub.submit("limited")
        assert asked.wait(10)
        provider.stop()
        assert handle.result().status == "limit"


def test_a_task_may_wait_longer_than_its_handler_may_run(hub: LocalHub) -> None:
    provider = Provider("tested", execution_timeout=0.15)
    limit = TimeBasedRateLimitMonitor(min_delay=0.3)
    left: list[float] = []

    @provider.actions.register(rate_limit_monitor=limit, max_wait=60)
    async def limited(context: TaskContext) -> None:
        left.append(context.remaining)

    with running(provider, hub):
        handles = [hub.submit("limited") for _ in range(2)]
        assert {handle.result().status for handle in handles} == {"success"}

    # The deadline of the one that waited began with its handler, too.
    assert min(left) > 0


@pytest.mark.parametrize(
    "make_monitor",
    [
        lambda: SlidingWindowRateLimitMonitor(1, HOUR),
        lambda: AdvancedRateLimitMonitor(60 / HOUR, 1),
    ],
    ids=["window", "bucket"],
)
def test_a_task_that_would_wait_too_long_is_refused_at_once(
    hub: LocalHub, make_monitor: Callable[[], RateLimitMonitor]
) -> None:
    provider = make(make_monitor(), max_wait=1.5 * HOUR)
    with running(provider, hub):
        hub.submit("limited").result()
        waiting = hub.submit("limited")
        wait_for(lambda: count_waiting(provider) == 1)
        # There is room, but this one's turn would come after two hours.
        refused = hub.submit("limited").result()
        assert waiting.results == ()

    assert refused.status == "limit"
    assert 1.9 * HOUR < refused.data["wait_time"] <= 2 * HOUR


def test_with_no_time_to_wait_a_task_is_refused_at_once(hub: LocalHub) -> None:
    provider = make(SlidingWindowRateLimitMonitor(1, HOUR), max_wait=0)
    with running(provider, hub):
        statuses = [hub.submit("limited").result().status for _ in range(3)]

    assert statuses == ["success", "limit", "limit"]


def test_those_who_wait_keep_no_other_action_from_running(hub: LocalHub) -> None:
    monitor = LocalDoor()
    provider = make(monitor, slots=4, max_wait=60)
    with running(provider, hub):
        handles = submit_in_order(hub, provider, 2)
        refused = hub.submit("limited").result()
        free = {hub.submit("free").result().status for _ in range(20)}
        monitor.is_open.set()
        done = {handle.result().status for handle in handles}

    assert (refused.status, free, done) == ("limit", {"success"}, {"success"})


@pytest.mark.parametrize("wrong", [-1, math.nan, math.inf, "5", True, [1]])
def test_what_is_no_time_to_wait_is_refused(wrong: Any) -> None:
    with pytest.raises(RegistrationError, match=r"'limited': max_wait is .*; give sec"):
        make(max_wait=wrong)
    provider = make()
    with pytest.raises(RegistrationError, match="'limited': max_wait is"):
        provider.actions.set_rate_limit("limited", None, max_wait=wrong)


# --- changed at run time -----------------------------------------------------


def test_a_limit_that_is_set_at_run_time_counts_from_the_next_task(
    hub: LocalHub,
) -> None:
    provider = make()
    with running(provider, hub):
        before = {hub.submit("limited").result().status for _ in range(3)}
        limit = SlidingWindowRateLimitMonitor(1, HOUR)
        provider.actions.set_rate_limit("limited", limit, max_wait=0)
        after = [hub.submit("limited").result().status for _ in range(2)]
        provider.actions.set_rate_limit("limited", None)
        again = {hub.submit("limited").result().status for _ in range(3)}

    assert before == again == {"success"}
    assert after == ["success", "limit"]


@pytest.mark.parametrize(
    "old",
    [
        lambda: use_up(SlidingWindowRateLimitMonitor(1, HOUR)),
        lambda: Reserving(lambda _, __: Reservation(granted=True, wait=HOUR)),
        lambda: ThreeMethods(most=0),
        LocalDoor,
    ],
    ids=["local", "reserving", "three methods", "door"],
)
@pytest.mark.parametrize("new", [None, NoRateLimitMonitor(), "door"], ids=str)
def test_tasks_that_wait_look_at_the_new_limit_in_the_same_order(
    hub: LocalHub, old: Callable[[], RateLimitMonitor], new: Any
) -> None:
    door = LocalDoor()
    provider = make(old(), max_wait=10 * HOUR)
    with running(provider, hub):
        handles = submit_in_order(hub, provider, 5)
        provider.actions.set_rate_limit("limited", door if new == "door" else new)
        door.is_open.set()
        assert {handle.result().status for handle in handles} == {"success"}

    assert provider.runs == list(range(5))


@pytest.mark.parametrize("steps", range(6))
@pytest.mark.parametrize("moment", range(1, 6))
def test_a_limit_that_changes_while_permits_go_out_keeps_the_order(
    hub: LocalHub, moment: int, steps: int
) -> None:
    everybody = threading.Event()
    door = LocalDoor()
    door.is_open.set()

    class Changing(Reserving):
        """Gives way to another limit when it was asked so many times."""

        @override
        async def reserve_async(
            self, patience: float, key: str | None = None
        ) -> Reservation:
            await asyncio.to_thread(everybody.wait, 20)
            self.calls += 1
            if self.calls == moment:
                self.change = asyncio.create_task(change())
            return self.reserve(patience, key)

    async def change() -> None:
        for _ in range(steps):
            await asyncio.sleep(0)
        provider.actions.set_rate_limit("limited", door)

    former = Changing(lambda _, __: Reservation(granted=True, wait=HOUR))
    provider = make(former, max_wait=10 * HOUR)
    with running(provider, hub):
        handles = submit_in_order(hub, provider, 6)
        everybody.set()
        assert {handle.result().status for handle in handles} == {"success"}

    assert provider.runs == list(range(6))


def test_a_new_task_is_not_told_of_the_limit_before(hub: LocalHub) -> None:
    slow = Stubborn(spending=True)
    provider = make(LocalDoor(HOUR), max_wait=2 * HOUR)
    with running(provider, hub):
        handles = submit_in_order(hub, provider, 2)
        provider.actions.set_rate_limit("limited", slow, max_wait=60)
        assert slow.asked.wait(10)
        handles.append(hub.submit("limited", {"number": 2}))
        wait_for(lambda: count_waiting(provider) == 3 or bool(handles[2].results))
        slow.release.set()
        assert {handle.result().status for handle in handles} == {"success"}

    assert provider.runs == list(range(3))


@pytest.mark.parametrize("policy", ["open", "closed"])
def test_a_monitor_that_fails_when_it_was_replaced_is_not_heard(
    hub: LocalHub, policy: str
) -> None:
    asked, failed = threading.Event(), threading.Event()
    end = asyncio.Event()

    class Late(Reserving):
        loop: asyncio.AbstractEventLoop

        @override
        async def reserve_async(
            self, patience: float, key: str | None = None
        ) -> Reservation:
            self.loop = asyncio.get_running_loop()
            asked.set()
            await end.wait()
            # When that is called, who asked has heard of the error.
            self.loop.call_later(0.01, failed.set)
            raise OSError

    late = Late(lambda _, __: Reservation(granted=True, wait=0.0))
    provider = make(late, max_wait=60, policy=policy)
    with running(provider, hub):
        before = hub.submit("limited")
        assert asked.wait(10)
        limit = SlidingWindowRateLimitMonitor(3, HOUR)
        provider.actions.set_rate_limit("limited", limit, max_wait=0)
        assert before.result().status == "success"
        late.loop.call_soon_threadsafe(end.set)
        assert failed.wait(10)
        statuses = [hub.submit("limited").result().status for _ in range(4)]
        errors = provider.snapshot().limits["limited"].errors

    assert statuses == ["success", "success", "limit", "limit"]
    assert errors == 0


class Closing(Reserving):
    """Remembers what came last."""

    steps: tuple[str, ...] = ()

    @override
    async def release_async(
        self, reservation: Reservation, key: str | None = None
    ) -> None:
        await asyncio.sleep(0.01)
        self.steps += ("given back",)

    @override
    async def close_async(self) -> None:
        self.steps += ("closed",)


def test_a_monitor_that_is_replaced_is_closed_when_it_has_all_permits_back(
    hub: LocalHub,
) -> None:
    waits = iter([HOUR, 2 * HOUR])
    former = Closing(lambda _, __: Reservation(granted=True, wait=next(waits)))
    provider = make(former, max_wait=10 * HOUR)
    with running(provider, hub):
        handles = submit_in_order(hub, provider, 2)
        wait_for(lambda: provider.snapshot().limits["limited"].wait > HOUR)
        provider.actions.set_rate_limit("limited", None)
        assert {handle.result().status for handle in handles} == {"success"}

    assert former.steps == ("given back", "given back", "closed")


def test_the_time_to_wait_stays_unless_it_is_given_anew() -> None:
    provider = make(max_wait=7)
    limit = NoRateLimitMonitor()
    provider.actions.set_rate_limit("limited", limit)
    kept = provider.actions["limited"]
    provider.actions.set_rate_limit("limited", limit, max_wait=8)

    assert (kept.rate_limit_monitor, kept.max_wait) == (limit, 7)
    assert provider.actions["limited"].max_wait == 8


def test_a_handler_may_set_the_limit_of_its_own_action(hub: LocalHub) -> None:
    provider = Provider("tested")
    limit = SlidingWindowRateLimitMonitor(1, HOUR)

    @provider.actions.register(max_wait=0)
    async def limited() -> None:
        if provider.actions["limited"].rate_limit_monitor is None:
            provider.actions.set_rate_limit("limited", limit)

    with running(provider, hub):
        statuses = [hub.submit("limited").result().status for _ in range(3)]

    assert statuses == ["success", "success", "limit"]


def test_limits_may_be_set_by_many_threads_while_tasks_run(hub: LocalHub) -> None:
    provider = make(max_wait=60)
    limits = [NoRateLimitMonitor(), AdvancedRateLimitMonitor(60_000, 100), None]
    done = threading.Event()

    def change() -> None:
        while not done.is_set():
            for limit in limits:
                provider.actions.set_rate_limit("limited", limit)
            done.wait(0.001)

    threads = [threading.Thread(target=change) for _ in range(3)]
    with running(provider, hub):
        for thread in threads:
            thread.start()
        handles = [hub.submit("limited") for _ in range(300)]
        statuses = {handle.result(20).status for handle in handles}
        done.set()
        for thread in threads:
            thread.join(10)

    assert statuses == {"success"}
    assert {len(handle.results) for handle in handles} == {1}


def test_an_unknown_action_has_no_limit_to_set() -> None:
    with pytest.raises(ActionNotFoundError, match="'limitd'; did you mean 'limited'"):
        make().actions.set_rate_limit("limitd", None)


@pytest.mark.parametrize("wrong", [5, "x", TimeBasedRateLimitMonitor])
def test_what_is_no_limit_cannot_be_set(wrong: Any) -> None:
    provider = make()
    with pytest.raises(RegistrationError, match="'limited': rate_limit_monitor is"):
        provider.actions.set_rate_limit("limited", wrong)

    assert provider.actions["limited"].rate_limit_monitor is None


def test_a_group_keeps_its_limits_when_those_of_a_provider_are_set() -> None:
    group, provider = Actions(), Provider("tested")
    limit = NoRateLimitMonitor()
    group.register("limited", rate_limit_monitor=limit, max_wait=3)(lambda: None)
    provider.actions.include(group, prefix="a.")
    provider.actions.set_rate_limit("a.limited", None)

    assert group["limited"].rate_limit_monitor is limit
    assert provider.actions["a.limited"].max_wait == 3


def test_after_the_end_a_limit_may_still_be_set(hub: LocalHub) -> None:
    provider = make(NoRateLimitMonitor())
    with running(provider, hub):
        hub.submit("limited").result()
    provider.actions.set_rate_limit("limited", SlidingWindowRateLimitMonitor(1, HOUR))
    with running(provider, hub):
        statuses = [hub.submit("limited").result().status for _ in range(2)]

    assert statuses == ["success", "limit"]
