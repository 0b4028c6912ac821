"""Handlers that ask for permits themselves, and that tell what an API said."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from patience import wait_for
from their_monitors import Stubborn, ThreeMethods
from typing_extensions import override

from arbvantage_provider import (
    HandlerSignatureError,
    ProcessPool,
    Provider,
    RateLimitedError,
    TaskContext,
)
from arbvantage_provider.rate_limit import (
    AdvancedRateLimitMonitor,
    LocalRateLimitMonitor,
    PerKey,
    RateLimitMonitor,
    SlidingWindowRateLimitMonitor,
)
from arbvantage_provider.testing import LocalHub, running

HOUR = 3600.0


def calls(most: int) -> SlidingWindowRateLimitMonitor:
    return SlidingWindowRateLimitMonitor(most, HOUR)


async def call_async(context: TaskContext, count: int) -> int:
    for _ in range(count):
        async with context.rate_limit:
            pass
    return count


def call_sync(context: TaskContext, count: int) -> int:
    for _ in range(count):
        with context.rate_limit:
            pass
    return count


def call_on_another_loop(context: TaskContext, count: int) -> int:
    return asyncio.run(call_async(context, count))


handlers = pytest.mark.parametrize(
    "handler", [call_async, call_sync, call_on_another_loop]
)


def make(handler: Any, own: Any = None, shared: Any = None, **options: Any) -> Provider:
    provider = Provider(
        "tested", rate_limit_monitor=shared, execution_timeout=20, shutdown_timeout=1
    )
    provider.actions.register("call", rate_limit_monitor=own, **options)(handler)
    return provider


def is_waiting(provider: Provider) -> bool:
    """Whether a handler, which has a permit, waits for another one."""
    figures = provider.snapshot().limits["call"]
    return figures.passed == 1 and figures.waiting == 1


@handlers
def test_each_block_spends_one_permit_of_the_actions_limit(
    hub: LocalHub, handler: Any
) -> None:
    own, shared = calls(6), calls(50)
    with running(make(handler, own, shared), hub):
        done = hub.submit("call", {"count": 4}).result()
        # One was spent when the handler began, and four in it: one is left.
        refused = hub.submit("call", {"count": 1}).result()

    assert (done.data, refused.status) == (4, "limit")
    assert (own.count_free(), shared.count_free()) == (0, 48)


@handlers
def test_without_a_limit_of_the_action_it_is_the_providers(
    hub: LocalHub, handler: Any
) -> None:
    shared = calls(6)
    with running(make(handler, shared=shared), hub):
        assert hub.submit("call", {"count": 4}).result().data == 4

    assert shared.count_free() == 1


@handlers
def test_without_any_limit_nothing_is_waited_for(hub: LocalHub, handler: Any) -> None:
    provider = make(handler)
    with running(provider, hub):
        assert hub.submit("call", {"count": 50}).result().data == 50

    assert provider.process_task("call", {"count": 50})["data"] == 50


@handlers
def test_a_handler_waits_for_a_permit_and_goes_on(hub: LocalHub, handler: Any) -> None:
    own = AdvancedRateLimitMonitor(1200, 1)
    with running(make(handler, own), hub):
        assert hub.submit("call", {"count": 4}).result().data == 4


class Tired(Stubborn):
    """Hangs as soon as it has spent one permit."""

    @override
    def make_safe_request(self, request_func: Any, *args: Any, **kwargs: Any) -> Any:
        self.spending = self.spent > 0
        return super().make_safe_request(request_func, *args, **kwargs)


def make_tired(_: int) -> RateLimitMonitor:
    return Tired()


@handlers
@pytest.mark.parametrize("limit", [calls, ThreeMethods, make_tired])
def test_who_would_wait_past_the_deadline_is_answered_with_limit(
    hub: LocalHub, handler: Any, limit: Callable[[int], Any]
) -> None:
    own = limit(1)
    with running(make(handler, own, timeout=0.5), hub):
        result = hub.submit("call", {"count": 1}).result()
    if isinstance(own, Tired):
        own.release.set()

    assert result.status == "limit"
    assert result.data["wait_time"] > 0


def test_one_key_is_spent_by_hand_as_at_the_start(hub: LocalHub) -> None:
    def handler(customer: str, context: TaskContext) -> None:
        call_sync(context, 2)

    own = PerKey(lambda: calls(3), lambda task: task.payload["customer"])
    with running(make(handler, own, max_wait=0), hub):
        statuses = [
            hub.submit("call", {"customer": name}).result().status
            for name in ("acme", "acme", "bolt")
        ]

    assert statuses == ["success", "limit", "success"]


def test_a_handler_waits_behind_the_tasks_that_came_before(hub: LocalHub) -> None:
    class Door(LocalRateLimitMonitor):
        left = 1

        @override
        def check_rate_limits(self) -> dict[str, Any] | None:
            return None if self.left else {"rate_limited": True, "wait_time": 0.02}

        @override
        def try_spend(self) -> float:
            self.left, found = max(self.left - 1, 0), self.left
            return 0.0 if found else 0.02

    order: list[str] = []
    go_on = threading.Event()

    def handler(name: str, context: TaskContext) -> None:
        if name == "first":
            assert go_on.wait(10)
            with context.rate_limit:
                order.append("by hand")
        order.append(name)

    door = Door()
    provider = make(handler, door)

    def see_waiting(count: int) -> None:
        wait_for(lambda: provider.snapshot().limits["call"].waiting == count)

    with running(provider, hub):
        handles = [hub.submit("call", {"name": "first"})]
        wait_for(lambda: provider.snapshot().limits["call"].passed == 1)
        handles.append(hub.submit("call", {"name": "second"}))
        see_waiting(1)
        go_on.set()
        see_waiting(2)
        door.left = 1
        assert handles[1].result().status == "success"
        assert order == ["second"]
        door.left = 1
        assert handles[0].result().status == "success"

    assert order == ["second", "by hand", "first"]


def test_an_async_handler_that_writes_with_is_told_what_to_write(
    hub: LocalHub,
) -> None:
    async def handler(context: TaskContext) -> None:
        with context.rate_limit:
            pass

    with running(make(handler, calls(5)), hub):
        message = hub.submit("call").result().message

    assert "write `async with context.rate_limit:`" in message


def in_a_process(context: TaskContext) -> None:
    with context.rate_limit:
        pass


def test_a_handler_in_a_process_cannot_ask() -> None:
    with pytest.raises(HandlerSignatureError, match="cannot be sent to an executor"):
        make(in_a_process, executor=ProcessPool)


@pytest.mark.parametrize("handler", [call_async, call_sync])
def test_a_handler_that_waits_does_not_hold_up_the_end(
    hub: LocalHub, handler: Any
) -> None:
    provider = make(handler, ThreeMethods(most=1), timeout=60)
    with running(provider, hub):
        handle = hub.submit("call", {"count": 1})
        wait_for(lambda: is_waiting(provider))
    result = handle.result()

    assert "was interrupted" in result.message


def test_a_handler_may_wait_for_a_permit_while_the_provider_stops(
    hub: LocalHub,
) -> None:
    monitor = ThreeMethods(most=1)
    provider = make(call_async, monitor)
    with running(provider, hub):
        handle = hub.submit("call", {"count": 2})
        wait_for(lambda: is_waiting(provider))
        provider.stop()
        wait_for(lambda: provider.snapshot().state == "stopping")
        monitor.most = 10
        assert handle.result().data == 2


# --- what an API says --------------------------------------------------------


def make_told(closes: Any, seconds: float = HOUR, **options: Any) -> Provider:
    """Its action is told by an API to stay away, the first time."""
    provider = Provider("tested", execution_timeout=20, shutdown_timeout=5)
    told: list[bool] = []

    @provider.actions.register(**options)
    def call() -> str:
        if not told:
            told.append(True)
            raise RateLimitedError(seconds, "429", closes=closes)
        return "done"

    provider.actions.register("other")(lambda: "free")
    return provider


def test_an_api_that_is_told_of_closes_nothing_by_itself(hub: LocalHub) -> None:
    with running(make_told(None), hub):
        first, second = (hub.submit("call").result() for _ in range(2))

    assert (first.status, first.message, first.data) == (
        "limit",
        "429",
        {"wait_time": HOUR},
    )
    assert second.data == "done"


def test_an_action_that_is_closed_answers_with_the_time_that_is_left(
    hub: LocalHub,
) -> None:
    provider = make_told("action", max_wait=0)
    with running(provider, hub):
        hub.submit("call").result()
        refused = hub.submit("call").result()
        assert hub.submit("other").result().data == "free"

    assert refused.status == "limit"
    assert HOUR - 60 < refused.data["wait_time"] < HOUR


@pytest.mark.parametrize(
    "monitor", [None, AdvancedRateLimitMonitor(60_000, 100)], ids=["none", "bucket"]
)
def test_tasks_of_an_action_that_is_closed_wait_for_it(
    hub: LocalHub, monitor: RateLimitMonitor | None
) -> None:
    provider = make_told("action", 0.3, rate_limit_monitor=monitor)
    with running(provider, hub):
        hub.submit("call").result()
        handles = [hub.submit("call") for _ in range(3)]
        assert {handle.result().data for handle in handles} == {"done"}
        longest = provider.snapshot().limits["call"].longest_wait

    assert longest > 0.1


def test_moments_that_were_reserved_are_not_used_all_at_once_when_it_opens(
    hub: LocalHub,
) -> None:
    # A bucket reserves 0.1, 0.2 and 0.3 s ahead; all of it passes while it is closed.
    limit = AdvancedRateLimitMonitor(600, 1)
    moments: list[float] = []
    provider = Provider("tested", execution_timeout=20)

    @provider.actions.register(rate_limit_monitor=limit)
    async def call(number: int) -> None:
        moments.append(asyncio.get_running_loop().time())
        if number == 0:
            raise RateLimitedError(0.5, closes="action")

    with running(provider, hub):
        handles = [hub.submit("call", {"number": n}) for n in range(4)]
        for handle in handles:
            handle.result()

    # One permit is free when it opens, and the next ones come at their pace.
    closed, *begun = moments
    for place, moment in enumerate(begun):
        assert moment - closed > 0.49 + 0.1 * place


def be_told() -> None:
    raise RateLimitedError(HOUR, closes="action")


def test_what_an_api_says_to_a_handler_in_an_executor_counts_too(hub: LocalHub) -> None:
    with ThreadPoolExecutor(1) as executor:
        provider = make(be_told, executor=executor)
        with running(provider, hub):
            hub.submit("call").result()
            assert provider.snapshot().limits["call"].closed_for > HOUR - 60


def test_a_provider_that_is_closed_takes_no_task(hub: LocalHub) -> None:
    provider = make_told("provider")
    with running(provider, hub):
        hub.submit("call").result()
        wait_for(lambda: provider.snapshot().limits[""].closed_for > HOUR - 60)
        assert provider.snapshot().rate_limit >= 0
        polls = hub.polls
        handles = [hub.submit("other") for _ in range(3)]
        with pytest.raises(TimeoutError):
            handles[-1].result(timeout=0.3)
        # Those that were out when it was closed may come back with a task each.
        assert hub.polls <= polls + 1

    # They were never begun, so they are answered with limit.
    taken = [handle for handle in handles if handle.handed_out]
    assert {handle.result().status for handle in taken} <= {"limit"}


def test_a_provider_that_is_closed_opens_again(hub: LocalHub) -> None:
    with running(make_told("provider", 0.2), hub):
        hub.submit("call").result()
        handles = [hub.submit(name) for name in ("call", "other") * 3]
        assert {handle.result().status for handle in handles} == {"success"}


def test_a_task_that_came_before_a_provider_was_closed_waits_in_its_slot(
    hub: LocalHub,
) -> None:
    hub.idle = "long_poll"
    provider = make_told("provider", 0.5)
    with running(provider, hub):
        hub.wait_until(lambda: hub.held > 0)
        handles = [hub.submit("call")]
        handles += [hub.submit("other") for _ in range(3)]
        statuses = [handle.result().status for handle in handles]

    assert statuses == ["limit", "success", "success", "success"]


def test_a_task_spends_nothing_of_its_action_while_the_provider_is_closed(
    hub: LocalHub,
) -> None:
    hub.idle = "long_poll"
    provider, own = make_told("provider", 0.5), calls(3)
    provider.actions.set_rate_limit("other", own)
    with running(provider, hub):
        hub.submit("other").result()
        hub.wait_until(lambda: hub.held >= 2)
        hub.submit("call").result()
        waiting = hub.submit("other")
        wait_for(lambda: provider.snapshot().limits[""].waiting == 1)
        left = own.count_free()
        assert waiting.result().status == "success"

    assert (left, own.count_free()) == (2, 1)


def test_a_new_limit_opens_an_action_that_was_closed(hub: LocalHub) -> None:
    provider = make_told("action")
    with running(provider, hub):
        hub.submit("call").result()
        assert hub.submit("call").result().status == "limit"
        provider.actions.set_rate_limit("call", None)
        assert hub.submit("call").result().data == "done"


def test_a_subclass_with_an_init_of_its_own_closes_nothing(hub: LocalHub) -> None:
    class BusyError(RateLimitedError):
        def __init__(self) -> None:
            Exception.__init__(self, "busy")

    def handler() -> None:
        raise BusyError

    with running(make(handler), hub):
        statuses = [hub.submit("call").result().status for _ in range(2)]

    assert statuses == ["limit", "limit"]


@pytest.mark.parametrize("wrong", ["all", "", 1, True])
def test_what_cannot_be_closed_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"closes is .*; give 'action', 'provider'"):
        RateLimitedError(1, closes=wrong)
