"""A limit in a real server: what it grants, to whom, and what that costs."""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from redis_server import RedisServer

from arbvantage_provider.clock import SystemClock
from arbvantage_provider.exceptions import RateLimitUnavailableError
from arbvantage_provider.rate_limit import RedisRateLimitMonitor

T = TypeVar("T")
NewShared = Callable[..., RedisRateLimitMonitor]


def on_loop(monitor: RedisRateLimitMonitor, work: Coroutine[Any, Any, T]) -> T:
    """What an async function returns, on an event loop of its own."""

    async def run() -> T:
        try:
            return await work
        finally:
            await monitor.close_async()

    return asyncio.run(run())


def key_of(monitor: RedisRateLimitMonitor, key: str | None = None) -> bytes:
    return monitor._spell(key)  # pyright: ignore[reportPrivateUsage]


def test_the_burst_is_free_and_then_each_waits_for_its_own_moment(
    new_shared: NewShared,
) -> None:
    monitor = new_shared(60, 3)

    waits = [monitor.reserve(math.inf).wait for _ in range(6)]

    assert waits[:3] == [0, 0, 0]
    assert 0 < waits[3] <= 1 < waits[4] <= 2 < waits[5] <= 3


def test_who_awaits_and_who_blocks_share_one_limit(new_shared: NewShared) -> None:
    monitor = new_shared(60, 3)

    async def reserve() -> list[float]:
        waits = [(await monitor.reserve_async(9)).wait]
        waits.append(await asyncio.to_thread(lambda: monitor.reserve(9).wait))
        return [*waits, (await monitor.reserve_async(9)).wait]

    waits = on_loop(monitor, reserve())

    assert waits == [0, 0, 0]
    assert monitor.reserve(9).wait > 0


def test_monitors_with_the_same_key_share_one_limit(new_shared: NewShared) -> None:
    one, other = new_shared(60, 2), new_shared(60, 2)

    granted = [each.reserve(0).granted for each in (one, other, one, other)]

    assert granted == [True, True, False, False]


def test_keys_of_tasks_have_limits_of_their_own(new_shared: NewShared) -> None:
    monitor = new_shared(60)
    keys = [None, "a", "b", "", "ключ", "\ud800", "x" * 1000, "x" * 1001]

    first = [monitor.reserve(0, key).granted for key in keys]
    second = [monitor.reserve(0, key).granted for key in keys]

    assert first == [True] * len(keys)
    assert second == [False] * len(keys)


def test_no_key_of_a_task_is_the_key_of_another_limit(
    redis_server: RedisServer,
) -> None:
    names = {
        key_of(RedisRateLimitMonitor(redis_server.url, name, 60), key)
        for name in ("a", "a:", "a:b")
        for key in (None, "", "b", "}", "b}:{c")
    }

    assert len(names) == 15


def test_what_stands_in_braces_chooses_the_node_of_a_cluster(
    redis_server: RedisServer,
) -> None:
    monitor = RedisRateLimitMonitor(redis_server.url, "api", 60)

    assert key_of(monitor) == b"rate_limit:{api}"
    assert key_of(monitor, "tenant 7") == b"rate_limit:api:{tenant 7}"


def test_looking_never_spends(new_shared: NewShared) -> None:
    monitor = new_shared(60, 1)

    looks = [monitor.check_rate_limits() for _ in range(10)]

    assert looks == [None] * 10
    assert monitor.reserve(0).granted


def test_a_limit_that_is_reached_is_described(new_shared: NewShared) -> None:
    monitor = new_shared(6, 2)
    monitor.reserve(0)
    monitor.reserve(0)

    limits = monitor.check_rate_limits()
    awaited = on_loop(monitor, monitor.check_rate_limits_async())

    for found in (limits, awaited):
        assert found is not None
        assert found["rate_limited"]
        assert 0 < found["wait_time"] <= 10
        assert (found["current_count"], found["limit"]) == (2, 2)


def test_impatience_takes_nothing(new_shared: NewShared) -> None:
    monitor = new_shared(6, 1)
    monitor.reserve(0)

    refused = [monitor.reserve(patience) for patience in (0, 1, -1, math.nan)]
    reserved = monitor.reserve(10)

    assert {each.granted for each in refused} == {False}
    assert all(0 < each.wait <= 10 for each in refused)
    assert reserved.granted
    assert reserved.wait <= 10


def test_a_permit_that_is_given_back_is_free_for_anyone(new_shared: NewShared) -> None:
    one, other = new_shared(6, 1), new_shared(6, 1)
    permit = one.reserve(0)
    assert not other.reserve(0).granted

    one.release(permit)

    assert other.reserve(0).granted


def test_a_permit_that_is_given_back_is_free_for_who_gave_it_back(
    new_shared: NewShared,
) -> None:
    monitor = new_shared(6, 1)

    async def give_back() -> bool:
        await monitor.release_async(await monitor.reserve_async(0))
        return await monitor.check_rate_limits_async() is None

    assert on_loop(monitor, give_back())
    assert monitor.reserve(0).granted


def test_a_permit_that_another_follows_is_lost(new_shared: NewShared) -> None:
    one, other = new_shared(6, 2), new_shared(6, 2)
    permit = one.reserve(0)
    other.reserve(0)

    one.release(permit)

    assert not one.reserve(0).granted


def test_a_permit_is_given_back_once(new_shared: NewShared) -> None:
    monitor = new_shared(6, 2)
    permits = [monitor.reserve(0) for _ in range(2)]

    for _ in range(3):
        monitor.release(permits[1])
    monitor.release(monitor.reserve(-1))

    assert [monitor.reserve(0).granted for _ in range(2)] == [True, False]


def test_a_safe_request_waits_for_its_moment(new_shared: NewShared) -> None:
    monitor = new_shared(1200, 1)
    start = time.monotonic()

    ends = [monitor.make_safe_request(time.monotonic) - start for _ in range(3)]

    assert ends[2] >= 0.0999


def test_a_safe_request_that_is_awaited_waits_for_its_moment(
    new_shared: NewShared,
) -> None:
    monitor = new_shared(1200, 1)

    async def tell(name: str, *, mark: str) -> tuple[str, float]:
        return name + mark, time.monotonic()

    async def make_three() -> list[tuple[str, float]]:
        return [
            await monitor.make_safe_request_async(tell, name, mark="!")
            for name in "abc"
        ]

    start = time.monotonic()
    made = on_loop(monitor, make_three())

    assert [name for name, _ in made] == ["a!", "b!", "c!"]
    assert made[2][1] - start >= 0.0999


def test_who_is_cancelled_while_waiting_gives_the_permit_back(
    new_shared: NewShared,
) -> None:
    monitor = new_shared(1, 1)
    called: list[int] = []

    async def call() -> None:
        called.append(1)

    async def cancel() -> float:
        await monitor.make_safe_request_async(call)
        waiting = asyncio.create_task(monitor.make_safe_request_async(call))
        limits = await monitor.check_rate_limits_async()
        while limits is None or limits["wait_time"] <= 60:
            await asyncio.sleep(0.001)
            limits = await monitor.check_rate_limits_async()
        waiting.cancel()
        await asyncio.wait([waiting])
        return (await monitor.reserve_async(99)).wait

    assert on_loop(monitor, cancel()) <= 60
    assert called == [1]


def test_who_is_cancelled_while_asking_gives_the_permit_back(
    new_shared: NewShared, redis_server: RedisServer
) -> None:
    monitor = new_shared(1, 1)

    async def cancel() -> bool:
        asking = asyncio.create_task(monitor.reserve_async(99))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await monitor.close_async()
        return (await monitor.reserve_async(0)).granted

    before = redis_server.count_calls()
    assert on_loop(monitor, cancel())
    assert redis_server.count_calls() - before == 3


def test_a_thread_that_is_interrupted_while_waiting_gives_the_permit_back(
    new_shared: NewShared,
) -> None:
    class Interrupted(RedisRateLimitMonitor):
        def handle_throttling(self, wait_time: float = 60) -> None:
            raise KeyboardInterrupt

    monitor = new_shared(1, 1)
    monitor.reserve(0)
    monitor.__class__ = Interrupted

    with pytest.raises(KeyboardInterrupt):
        monitor.make_safe_request(int)

    assert monitor.reserve(99).wait <= 60


def test_loops_and_threads_use_one_monitor_at_the_same_time(
    new_shared: NewShared,
) -> None:
    monitor = new_shared(1, 100)
    together = threading.Barrier(4)

    async def reserve_on_loop() -> int:
        found = await asyncio.gather(*(monitor.reserve_async(0) for _ in range(40)))
        return sum(each.granted for each in found)

    def await_permits() -> int:
        together.wait(10)
        return on_loop(monitor, reserve_on_loop())

    def block_for_permits() -> int:
        together.wait(10)
        return sum(monitor.reserve(0).granted for _ in range(40))

    with ThreadPoolExecutor(4) as pool:
        work = [await_permits, block_for_permits] * 2
        granted = [task.result(30) for task in [pool.submit(each) for each in work]]

    assert sum(granted) == 100


def test_a_loop_that_is_closed_is_forgotten(new_shared: NewShared) -> None:
    monitor = new_shared(60, 10)

    for _ in range(3):
        on_loop(monitor, monitor.reserve_async(0))

    server: Any = vars(monitor)["_client"]
    assert len(server._loops) == 1


def test_closing_ends_the_connections_of_threads_and_the_next_call_opens_new_ones(
    new_shared: NewShared,
    redis_server: RedisServer,
    eventually: Callable[[Callable[[], bool]], None],
) -> None:
    monitor = new_shared(60, 10, url=f"{redis_server.url}?client_name=to-be-closed")

    def count_connections() -> int:
        clients = redis_server.ask("CLIENT", "LIST")
        return clients.count(b"name=to-be-closed ")

    for _ in range(2):
        assert monitor.reserve(0).granted
        assert count_connections() == 1
        monitor.close()
        # The server may hear of it a little later.
        eventually(lambda: count_connections() == 0)


def test_closing_disturbs_no_thread_that_asks(new_shared: NewShared) -> None:
    monitor = new_shared(60, 500)
    together = threading.Barrier(3)

    def ask() -> int:
        together.wait(10)
        return sum(monitor.reserve(0).granted for _ in range(100))

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask) for _ in range(2)]
        together.wait(10)
        while not all(each.done() for each in asking):
            monitor.close()
        assert [each.result() for each in asking] == [100, 100]


def test_the_server_forgets_a_limit_that_is_free_again(
    new_shared: NewShared, redis_server: RedisServer
) -> None:
    monitor = new_shared(60, 20)

    monitor.reserve(0)
    one = redis_server.ask("PTTL", key_of(monitor))
    monitor.reserve(0)
    two = redis_server.ask("PTTL", key_of(monitor))
    monitor.release(monitor.reserve(0, "task"), "task")

    assert 0 < one <= 1002 < two <= 2002
    assert redis_server.ask("EXISTS", key_of(monitor, "task")) == 0


def test_a_script_that_the_server_forgot_is_told_again(
    new_shared: NewShared, redis_server: RedisServer
) -> None:
    monitor = new_shared(60, 4)
    monitor.reserve(0)
    redis_server.ask("SCRIPT", "FLUSH")

    blocking = monitor.reserve(0)
    redis_server.ask("SCRIPT", "FLUSH")
    awaited = on_loop(monitor, monitor.reserve_async(0))

    assert (blocking.granted, awaited.granted) == (True, True)
    assert monitor.count_free() == 1


def test_who_took_permits_heals_a_limit_that_the_server_lost(
    new_shared: NewShared, redis_server: RedisServer
) -> None:
    monitor = new_shared(1, 3)
    granted = [monitor.reserve(0).granted for _ in range(3)]

    redis_server.ask("DEL", key_of(monitor))

    assert granted == [True, True, True]
    assert not monitor.reserve(0).granted
    assert 59 < monitor.reserve(180).wait <= 60


def test_a_limit_that_the_server_lost_is_at_most_one_more_burst_for_others(
    new_shared: NewShared, redis_server: RedisServer
) -> None:
    one, other = new_shared(1, 3), new_shared(1, 3)
    for _ in range(3):
        one.reserve(0)

    redis_server.ask("DEL", key_of(one))
    more = [other.reserve(0).granted for _ in range(5)]

    assert more == [True, True, True, False, False]
    assert not one.reserve(0).granted


def test_looking_again_and_again_asks_once(
    new_shared: NewShared, redis_server: RedisServer
) -> None:
    monitor = new_shared(1, 2)

    async def look() -> list[bool]:
        free = [await monitor.check_rate_limits_async() is None for _ in range(50)]
        await monitor.reserve_async(0)
        await monitor.reserve_async(0)
        limited = [await monitor.check_rate_limits_async() for _ in range(50)]
        return [*free, *(limits is None for limits in limited)]

    before = redis_server.count_calls()
    looks = on_loop(monitor, look())

    assert looks == [True] * 50 + [False] * 50
    assert redis_server.count_calls() - before == 3


def test_free_permits_are_counted_without_asking(
    new_shared: NewShared, redis_server: RedisServer
) -> None:
    monitor = new_shared(1, 3)
    unknown = monitor.count_free()
    monitor.reserve(0)
    before = redis_server.count_calls()

    one = monitor.count_free()
    other = monitor.count_free("task")

    assert (unknown, one, other) == (None, 2, None)
    assert redis_server.count_calls() == before


def test_a_key_that_holds_something_else_is_left_alone(
    new_shared: NewShared, redis_server: RedisServer
) -> None:
    monitor = new_shared(60, 1)
    redis_server.ask("SET", key_of(monitor), "mine")

    with pytest.raises(RateLimitUnavailableError, match="something else than a limit"):
        monitor.reserve(0)

    assert redis_server.ask("GET", key_of(monitor)) == b"mine"


@pytest.mark.once
def test_a_cluster_takes_it(new_shared: NewShared) -> None:
    with RedisServer("--cluster-enabled", "yes") as node:
        node.ask("CLUSTER", "ADDSLOTS", *range(16384))
        while b"cluster_state:ok" not in node.ask("CLUSTER", "INFO"):
            SystemClock().sleep(0.01)
        monitor = new_shared(60, 1, url=node.url)

        granted = [monitor.reserve(0, key).granted for key in ("a", "b", "a")]

    assert granted == [True, True, False]
