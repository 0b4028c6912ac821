"""Any user's monitor works: one that blocks, hangs, raises or answers nonsense."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Generator
from typing import Any

import pytest
from patience import wait_for
from their_monitors import Moody, Stubborn, ThreeMethods
from typing_extensions import override

from arbvantage_provider import ConfigError, Provider, RegistrationError
from arbvantage_provider.rate_limit import (
    AdvancedRateLimitMonitor,
    LocalRateLimitMonitor,
    NoRateLimitMonitor,
    PerKey,
    RateLimitMonitor,
)
from arbvantage_provider.testing import LocalHub, running

Make = Callable[..., Provider]
RAISED = [OSError(), SystemExit(), KeyboardInterrupt(), StopIteration(), RuntimeError()]


@contextlib.contextmanager
def let_go(monitor: Stubborn) -> Generator[None]:
    """Let it go on when the test is over."""
    try:
        yield
    finally:
        monitor.release.set()


def make(monitor: Any, *, slots: int = 8, **options: Any) -> Provider:
    """A provider with a limited action, and two that are free."""
    provider = Provider("tested", max_concurrency=slots, shutdown_timeout=5)
    register = provider.actions.register

    @register(rate_limit_monitor=monitor, **options)
    async def limited() -> None:
        return None

    @register("free_sync")
    def free() -> None:
        return None

    @register("free")
    async def _() -> None:
        await asyncio.sleep(0)

    return provider


def count_threads() -> int:
    names = [thread.name for thread in threading.enumerate()]
    return sum(name.startswith("rate-limit") for name in names)


@pytest.mark.parametrize("stage", ["looking", "spending"])
def test_a_monitor_that_blocks_holds_up_neither_the_loop_nor_other_slots(
    hub: LocalHub, stage: str
) -> None:
    monitor = Stubborn(**{stage: True})
    provider = make(monitor, max_wait=60)
    with let_go(monitor), running(provider, hub):
        waiting = hub.submit("limited")
        assert monitor.asked.wait(10)
        others = [hub.submit(name) for name in ("free", "free_sync") * 5]
        assert {handle.result().status for handle in others} == {"success"}
        assert waiting.results == ()
        monitor.release.set()
        assert waiting.result().status == "success"


def test_sleeping_in_handle_throttling_blocks_nobody_else(hub: LocalHub) -> None:
    begun, end = threading.Event(), threading.Event()

    class Sleepy(ThreeMethods):
        @override
        def handle_throttling(self, wait_time: float = 60) -> None:
            begun.set()
            assert end.wait(60)

        @override
        def make_safe_request(self, request_func: Any, *args: Any, **kw: Any) -> Any:
            # Another process took the permit since it was looked at.
            self.handle_throttling(60)
            return super().make_safe_request(request_func, *args, **kw)

    monitor = Sleepy(most=9)
    provider = make(monitor, max_wait=60)
    with running(provider, hub):
        waiting = hub.submit("limited")
        assert begun.wait(10)
        assert hub.submit("free").result().status == "success"
        end.set()
        assert waiting.result().status == "success"

    assert monitor.spent == 1


@pytest.mark.parametrize("stage", ["looking", "spending"])
def test_a_task_waits_for_a_monitor_that_hangs_no_longer_than_it_may(
    hub: LocalHub, stage: str
) -> None:
    monitor = Stubborn(**{stage: True})
    provider = make(monitor, max_wait=0.1)
    with let_go(monitor), running(provider, hub):
        results = [hub.submit("limited").result() for _ in range(3)]

    assert [result.status for result in results] == ["limit"] * 3
    assert all(result.data["wait_time"] > 0 for result in results)


def test_a_monitor_that_hangs_takes_up_one_thread_whatever_comes(
    hub: LocalHub,
) -> None:
    before = count_threads()
    monitor = Stubborn(looking=True)
    provider = make(monitor, max_wait=0.05)
    with let_go(monitor), running(provider, hub):
        handles = [hub.submit("limited") for _ in range(20)]
        statuses = {handle.result().status for handle in handles}
        threads = count_threads() - before

    assert statuses == {"limit"}
    assert threads == 1
    assert monitor.spent == 0


def test_at_most_half_of_the_slots_wait_for_a_monitor_that_hangs(
    hub: LocalHub,
) -> None:
    monitor = Stubborn(spending=True)
    provider = make(monitor, slots=4, max_wait=60)
    with let_go(monitor), running(provider, hub):
        handles = [hub.submit("limited") for _ in range(5)]
        hub.wait_until(lambda: len(hub.submissions) == 3)
        assert hub.submit("free").result().status == "success"
        monitor.release.set()
        statuses = sorted(handle.result().status for handle in handles)

    assert statuses == ["limit"] * 3 + ["success"] * 2


def test_a_permit_that_came_too_late_goes_to_the_next_task(hub: LocalHub) -> None:
    monitor = Stubborn(spending=True)
    provider = make(monitor, max_wait=1.5)
    with let_go(monitor), running(provider, hub):
        late = hub.submit("limited").result()
        # The monitor is still at it for that one: this one waits with it.
        handle = hub.submit("limited")
        wait_for(lambda: provider.snapshot().limits["limited"].waiting == 1)
        monitor.release.set()
        result = handle.result()

    assert (late.status, result.status) == ("limit", "success")
    assert monitor.spent == 1


def test_a_task_that_may_not_wait_for_a_limit_may_be_asked_for(hub: LocalHub) -> None:
    monitor = ThreeMethods(most=2)
    with running(make(monitor, max_wait=0), hub):
        statuses = [hub.submit("limited").result().status for _ in range(3)]

    assert statuses == ["success", "success", "limit"]


@pytest.mark.parametrize(
    ("raised", "spends", "own"),
    [
        *((raised, number % 2 == 0, True) for number, raised in enumerate(RAISED)),
        (OSError(), True, False),
        (SystemExit(), False, False),
    ],
    ids=repr,
)
def test_a_monitor_that_raises_is_asked_again(
    hub: LocalHub, raised: BaseException, *, spends: bool, own: bool
) -> None:
    monitor = Moody(raised, 2, spends=spends)
    provider = Provider(
        "tested", rate_limit_monitor=None if own else monitor, log_level="CRITICAL"
    )
    provider.actions.register(
        "limited", rate_limit_monitor=monitor if own else None, max_wait=30
    )(lambda: None)
    with running(provider, hub):
        result = hub.submit("limited").result(20)
        name = "limited" if own else ""
        errors = provider.snapshot().limits[name].errors

    assert result.status == "success"
    assert (monitor.spent, errors) == (1, 2)


@pytest.mark.parametrize("spends", [False, True], ids=["looking", "spending"])
def test_a_monitor_that_only_raises_turns_no_task_into_an_error(
    hub: LocalHub, *, spends: bool
) -> None:
    monitor = Moody(OSError("away"), 10_000, spends=spends)
    provider = make(monitor, max_wait=0.3)
    with running(provider, hub):
        handles = [hub.submit("limited") for _ in range(6)]
        results = [handle.result() for handle in handles]

    assert {result.status for result in results} == {"limit"}
    assert not any("away" in result.message for result in results)


@pytest.mark.parametrize("own", [False, True], ids=["provider", "action"])
@pytest.mark.parametrize("spends", [False, True], ids=["looking", "spending"])
def test_with_the_policy_open_tasks_go_on_without_a_monitor_that_raises(
    hub: LocalHub, *, spends: bool, own: bool
) -> None:
    monitor = Moody(OSError("away"), 10_000, spends=spends)
    provider = Provider(
        "tested",
        rate_limit_monitor=None if own else monitor,
        on_monitor_error="open",
        log_level="CRITICAL",
    )
    provider.actions.register("limited", rate_limit_monitor=monitor if own else None)(
        lambda: "done"
    )
    with running(provider, hub):
        handles = [hub.submit("limited") for _ in range(20)]
        assert {handle.result().data for handle in handles} == {"done"}

    assert monitor.spent == 0


@pytest.mark.parametrize("own", [False, True], ids=["provider", "action"])
@pytest.mark.parametrize("stage", ["looking", "spending"])
def test_with_the_policy_open_tasks_go_on_without_a_monitor_that_hangs(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch, stage: str, *, own: bool
) -> None:
    monkeypatch.setattr(
        "arbvantage_provider.worker.limits.permit_acquirer.ANSWER_TIME", 0.1
    )
    monkeypatch.setattr("arbvantage_provider.worker.limits.limits.SILENCE", 0.1)
    for name in ("FIRST_ERROR_WAIT", "LONGEST_ERROR_WAIT"):
        monkeypatch.setattr(
            f"arbvantage_provider.worker.limits.circuit_breaker.{name}", 0.001
        )
    monitor = Stubborn(**{stage: True})
    provider = Provider(
        "tested",
        rate_limit_monitor=None if own else monitor,
        on_monitor_error="open",
        log_level="CRITICAL",
    )
    # One that is looked at has its own time to answer, whatever the task has.
    wait = 60 if stage == "looking" else 0.2
    provider.actions.register(
        "limited", rate_limit_monitor=monitor if own else None, max_wait=wait
    )(lambda: "done")
    with let_go(monitor), running(provider, hub):
        handles = [hub.submit("limited") for _ in range(8)]
        assert {handle.result().data for handle in handles} == {"done"}


def test_a_provider_counts_on_its_monitor_again_when_that_answers(
    hub: LocalHub,
) -> None:
    monitor = Moody(OSError(), 1, spends=False)
    monitor.most = 2
    provider = Provider("tested", rate_limit_monitor=monitor, on_monitor_error="open")
    provider.actions.register("limited")(lambda: None)
    with running(provider, hub):
        handles = [hub.submit("limited") for _ in range(400)]
        wait_for(lambda: provider.snapshot().rate_limit > 0)
        done = [handle for handle in handles if handle.results]
        left = [handle for handle in handles if not handle.handed_out]

    assert monitor.spent == 2
    assert {handle.result().status for handle in done} == {"success"}
    assert left


ODD: list[Any] = [
    {"rate_limited": True, "wait_time": "soon"},
    {"rate_limited": True, "wait_time": float("nan")},
    {"rate_limited": True, "wait_time": -5},
    {"rate_limited": True},
    {"rate_limited": True, "wait_time": [1]},
    ["limited"],
    "limited",
    5,
]


@pytest.mark.parametrize(
    ("answer", "own"), [(odd, number % 4 > 0) for number, odd in enumerate(ODD)]
)
def test_nonsense_from_a_monitor_turns_no_task_into_an_error(
    hub: LocalHub, answer: Any, *, own: bool
) -> None:
    class Odd(ThreeMethods):
        @override
        def check_rate_limits(self) -> Any:
            super().check_rate_limits()
            return answer if self.looks < 3 else None

    monitor = Odd(most=9)
    provider = Provider(
        "tested", rate_limit_monitor=None if own else monitor, log_level="CRITICAL"
    )
    provider.actions.register(
        "limited", rate_limit_monitor=monitor if own else None, max_wait=30
    )(lambda: None)
    with running(provider, hub):
        assert hub.submit("limited").result(20).status == "success"


def test_a_monitor_that_says_for_ever_is_believed(hub: LocalHub) -> None:
    class Never(ThreeMethods):
        @override
        def check_rate_limits(self) -> dict[str, Any]:
            return {"rate_limited": True, "wait_time": float("inf")}

    provider = make(Never(most=9), max_wait=60)
    with running(provider, hub):
        result = hub.submit("limited").result()

    assert result.status == "limit"
    assert result.data["wait_time"] > 60


def test_a_silent_monitor_of_the_provider_keeps_a_task_no_longer_than_it_may_wait(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arbvantage_provider.worker.limits.limits.SILENCE", 0.1)
    monitor = Stubborn(spending=True)
    provider = Provider("tested", rate_limit_monitor=monitor, execution_timeout=0.1)
    provider.actions.register("limited")(lambda: None)
    with let_go(monitor), running(provider, hub):
        result = hub.submit("limited").result()
        # Nothing else is pulled while the monitor is at that one yet.
        late = hub.submit("limited")
        with pytest.raises(TimeoutError):
            late.result(timeout=0.3)
        assert late.handed_out == 0
        monitor.release.set()
        assert late.result().status == "success"

    assert result.status == "limit"


def test_a_monitor_of_the_provider_that_waits_for_a_permit_is_waited_for(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arbvantage_provider.worker.limits.limits.SILENCE", 0.05)

    class Outrun(Stubborn):
        """Another process takes each permit between the look and the spending."""

        @override
        def check_rate_limits(self) -> dict[str, Any] | None:
            super().check_rate_limits()
            if self.asked.is_set() and not self.release.is_set():
                if self.looks > 6:
                    self.release.set()
                return {"rate_limited": True, "wait_time": 30}
            return None

    monitor = Outrun(spending=True)
    provider = Provider("tested", rate_limit_monitor=monitor, execution_timeout=0.05)
    provider.actions.register("limited")(lambda: None)
    with let_go(monitor), running(provider, hub):
        result = hub.submit("limited").result()

    assert result.status == "success"


def test_a_subclass_of_a_quick_monitor_that_makes_requests_itself_is_called(
    hub: LocalHub,
) -> None:
    class Careful(AdvancedRateLimitMonitor):
        made = 0

        @override
        def make_safe_request(self, request_func: Any, *args: Any, **kw: Any) -> Any:
            assert threading.current_thread().name.startswith("rate-limit")
            self.made += 1
            return super().make_safe_request(request_func, *args, **kw)

    class Counting(NoRateLimitMonitor):
        looks = 0

        @override
        def check_rate_limits(self) -> None:
            self.looks += 1

    careful, counting = Careful(60_000, 100), Counting()
    provider = make(careful)
    provider.actions.register("counted", rate_limit_monitor=counting)(lambda: None)
    with running(provider, hub):
        for name in ("limited", "counted"):
            assert hub.submit(name).result().status == "success"

    assert (careful.made, counting.looks) == (1, 1)


def test_a_subclass_that_spends_in_its_own_way_is_not_passed_by(hub: LocalHub) -> None:
    class Mine(AdvancedRateLimitMonitor):
        spends = 0

        @override
        def try_spend(self) -> float:
            self.spends += 1
            return super().try_spend()

    monitor = Mine(60_000, 100)
    with running(make(monitor), hub):
        assert hub.submit("limited").result().status == "success"

    assert monitor.spends == 1


class Simple(LocalRateLimitMonitor):
    """As the page on limits says: two methods."""

    def __init__(self) -> None:
        self.left = 1

    @override
    def check_rate_limits(self) -> dict[str, Any] | None:
        return None if self.left else {"rate_limited": True, "wait_time": 60}

    @override
    def try_spend(self) -> float:
        self.left, wait = 0, 0.0 if self.left else 60.0
        return wait


def test_a_quick_monitor_of_the_users_is_asked_without_a_thread(hub: LocalHub) -> None:
    before = count_threads()
    with running(make(Simple()), hub):
        statuses = [hub.submit("limited").result().status for _ in range(2)]
        assert count_threads() == before

    assert statuses == ["success", "limit"]


class Modern(ThreeMethods):
    @override
    async def make_safe_request(
        self, request_func: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """It would be called, and never awaited: each task would pass."""


def test_a_monitor_with_async_methods_is_refused() -> None:
    words = "rate_limit_monitor: Modern.make_safe_request is async; write it with def"
    with pytest.raises(ConfigError, match=words):
        Provider("tested", rate_limit_monitor=Modern(most=1))
    with pytest.raises(RegistrationError, match=words):
        make(Modern(most=1))


def test_a_monitor_for_each_key_with_async_methods_is_refused() -> None:
    words = "monitor: Modern.make_safe_request is async; write it with def"
    with pytest.raises(ConfigError, match=words):
        PerKey(lambda: Modern(most=1), key=lambda task: task.id)


def test_a_quick_monitor_that_spends_by_an_async_method_is_refused() -> None:
    class Modern(NoRateLimitMonitor):
        @override
        async def try_spend(self) -> float:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
            return 0.0

    words = "rate_limit_monitor: Modern.try_spend is async; write it with def"
    with pytest.raises(ConfigError, match=words):
        Provider("tested", rate_limit_monitor=Modern())


def test_five_hundred_tasks_under_three_limits_are_all_done_and_none_is_burnt(
    hub: LocalHub,
) -> None:
    class Quick(ThreeMethods):
        """As good as unlimited: it is asked all the same."""

    shared: RateLimitMonitor = AdvancedRateLimitMonitor(240_000, 5)
    theirs = Quick(most=10_000)
    provider = Provider("tested", rate_limit_monitor=shared, execution_timeout=10)
    register = provider.actions.register
    register("blocking", rate_limit_monitor=theirs)(lambda: None)
    register("bucket", rate_limit_monitor=AdvancedRateLimitMonitor(60_000, 2))(
        lambda: None
    )
    register("free")(lambda: None)
    with running(provider, hub):
        names = ("blocking", "bucket", "free", "free", "blocking")
        handles = [hub.submit(name) for name in names * 100]
        statuses = {handle.result(20).status for handle in handles}

    assert statuses == {"success"}
    assert {handle.handed_out for handle in handles} == {1}
    assert {len(handle.results) for handle in handles} == {1}
    assert theirs.spent == 200
