"""Providers that keep to one limit in a real server."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from redis_server import RedisServer
from taker import Taker

from arbvantage_provider import Provider
from arbvantage_provider.clock import SystemClock
from arbvantage_provider.testing import LocalHub, running

INTERVAL = 2000
BURST = 10

NewProvider = Callable[..., Provider]


@pytest.fixture
def limits(own_redis: RedisServer) -> Iterator[Callable[[], Taker]]:
    """Makes limits of 500 permits a second, all of them the same one."""
    made: list[Taker] = []

    def make() -> Taker:
        made.append(Taker(own_redis.url, "shared", 60_000_000 // INTERVAL, BURST))
        return made[-1]

    yield make
    for taker in made:
        taker.close()


def make_provider(limit: Taker, where: str) -> Provider:
    """A provider with one action; the limit is its own, or that of the action."""
    own: dict[str, Any] = {"rate_limit_monitor": limit}
    provider = Provider(
        "limited",
        execution_timeout=60,
        log_level="CRITICAL",
        **(own if where == "provider" else {}),
    )
    provider.actions.register(**({} if where == "provider" else own))(count)
    return provider


def count() -> None:
    """Count for the limit."""


def holds(moments: list[int]) -> bool:
    """Whether no window has more permits than the burst and one for each interval."""
    moments = sorted(moments)
    return all(
        later - first >= (extra + 1) * INTERVAL
        for extra in (0, 10, 50, 200, 400)
        for first, later in zip(moments, moments[BURST + extra :], strict=False)
    )


@pytest.mark.parametrize("where", ["provider", "action"])
def test_two_providers_share_one_limit(
    where: str, limits: Callable[[], Taker], own_redis: RedisServer
) -> None:
    takers = [limits(), limits()]
    with ExitStack() as stack:
        hub = stack.enter_context(LocalHub())
        for taker in takers:
            stack.enter_context(running(make_provider(taker, where), hub))
        handles = [hub.submit("count") for _ in range(200)]
        statuses = {handle.result(60).status for handle in handles}

    # An action lets no more tasks wait than in half of the slots.
    assert statuses <= {"success", "limit" if where == "action" else ""}
    moments = [[*taker.moments] for taker in takers]
    assert all(moments)
    assert holds([moment for each in moments for moment in each])
    if where == "provider":
        # What an action refuses costs a call, too.
        assert own_redis.count_calls() <= 1.2 * sum(map(len, moments))


def test_a_server_that_dies_in_the_middle_costs_no_task_and_no_limit(
    limits: Callable[[], Taker], own_redis: RedisServer
) -> None:
    taker = limits()
    with LocalHub() as hub, running(make_provider(taker, "provider"), hub):
        handles = [hub.submit("count") for _ in range(500)]
        for number in (100, 300):
            while len(taker.moments) < number:
                SystemClock().sleep(0.001)
            own_redis.kill()
            SystemClock().sleep(0.1)
            own_redis.start()
        results = [handle.result(60) for handle in handles]

    assert {(result.status, result.message) for result in results} == {("success", "")}
    assert len(taker.moments) >= 500
    assert holds(taker.moments)
