"""What holds for any sequence of arrivals at a real server.

The server runs the script with one change: the time comes from the test. So the
moments are exact, in microseconds.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st
from redis_server import RedisServer

from arbvantage_provider.rate_limit.redis.script import SCRIPT

pytestmark = pytest.mark.once

properties = settings(max_examples=50, deadline=None)
pauses = st.just(0) | st.integers(0, 5_000_000)
arrivals = st.lists(st.tuples(pauses, pauses), min_size=1, max_size=40)
intervals = st.integers(100, 2_000_000)
bursts = st.integers(1, 12)

START = 1_800_000_000_000_000


@dataclass(slots=True, kw_only=True)
class Taken:
    """A permit: its moment, and what it set."""

    moment: int
    mark: int


class Limit:
    """A limit in a real server, at a time of the test's own."""

    def __init__(self, client: "redis.Redis", interval: int, burst: int) -> None:
        script = SCRIPT
        for own, changed in (
            ("redis.call('TIME')", "{0, ARGV[7]}"),
            ("math.ceil((full - now) / 1000) + 1", "60000"),
        ):
            assert script.count(own) == 1
            script = script.replace(own, changed)
        self._run = client.register_script(script)
        self._client = client
        self._interval, self._tolerance = interval, (burst - 1) * interval
        self._key = f"limit:{uuid.uuid4()}"
        self.now = START

    def reserve(
        self, patience: int, *, known: int = 0, ahead: int = 0
    ) -> tuple[Taken | None, int]:
        """A permit if there is one in time, and the wait."""
        done, wait, mark, _ = self._ask("reserve", patience, known, ahead)
        return Taken(moment=self.now + wait, mark=mark) if done else None, wait

    def look(self) -> int:
        """The wait."""
        return self._ask("look")[1]

    def release(self, permit: Taken) -> bool:
        """Whether it was taken back."""
        return self._ask("release", permit.mark)[0] == 1

    def lose(self) -> None:
        """Have the server forget it."""
        self._client.delete(self._key)

    def _ask(
        self, what: str, amount: int = 0, known: int = 0, ahead: int = 0
    ) -> tuple[int, int, int, int]:
        args = [what, self._interval, self._tolerance, amount, known, ahead]
        done, wait, moment, left = self._run([self._key], [*args, self.now])
        return done, wait, moment, left


NewLimit = Callable[[int, int], Limit]


@pytest.fixture(scope="module")
def new_limit(redis_server: RedisServer) -> Iterator[NewLimit]:
    """Makes limits, each with a key of its own."""
    with redis.Redis(port=redis_server.port) as client:
        yield lambda interval, burst: Limit(client, interval, burst)


def holds(moments: Iterable[int], interval: int, burst: int) -> bool:
    """Whether no window has more permits than the burst and one for each interval."""
    return all(
        (j - i + 1 - burst) * interval <= last - first
        for (i, first), (j, last) in combinations(enumerate(sorted(moments)), 2)
    )


@properties
@given(arrivals=arrivals, interval=intervals, burst=bursts)
def test_the_impatient_and_the_patient_never_get_more_than_the_limit(
    *,
    new_limit: NewLimit,
    arrivals: list[tuple[int, int]],
    interval: int,
    burst: int,
) -> None:
    limit = new_limit(interval, burst)
    moments: list[int] = []
    for pause, patience in arrivals:
        limit.now += pause
        permit, wait = limit.reserve(patience)
        assert (permit is not None) == (wait <= patience)
        if permit:
            moments.append(permit.moment)

    assert holds(moments, interval, burst)


@properties
@given(arrivals=arrivals, interval=intervals, burst=bursts)
def test_each_permit_is_for_the_first_moment_that_the_limit_allows(
    *,
    new_limit: NewLimit,
    arrivals: list[tuple[int, int]],
    interval: int,
    burst: int,
) -> None:
    limit = new_limit(interval, burst)
    moments: list[int] = []
    for pause, _ in arrivals:
        limit.now += pause
        number = len(moments)
        bounds = [
            moment + (number - other + 1 - burst) * interval
            for other, moment in enumerate(moments)
        ]
        seen = limit.look()
        permit, wait = limit.reserve(10**15)
        assert permit is not None
        assert permit.moment == max([limit.now, *bounds])
        assert seen == wait
        moments.append(permit.moment)


@properties
@given(
    arrivals=arrivals,
    interval=intervals,
    burst=bursts,
    unwanted=st.lists(st.booleans(), min_size=40, max_size=40),
)
def test_permits_that_are_given_back_are_free_once_and_break_no_limit(
    *,
    new_limit: NewLimit,
    arrivals: list[tuple[int, int]],
    interval: int,
    burst: int,
    unwanted: list[bool],
) -> None:
    limit = new_limit(interval, burst)
    kept: list[int] = []
    waiting: list[Taken] = []
    for (pause, patience), is_unwanted in zip(arrivals, unwanted, strict=False):
        limit.now += pause
        permit, _ = limit.reserve(patience)
        if is_unwanted and waiting:
            limit.release(waiting.pop(0))
        if permit and is_unwanted:
            waiting.append(permit)
        elif permit:
            kept.append(permit.moment)

    assert holds(kept, interval, burst)


@properties
@given(
    arrivals=arrivals,
    interval=intervals,
    burst=bursts,
    losses=st.lists(st.booleans(), min_size=40, max_size=40),
)
def test_a_limit_that_is_lost_again_and_again_holds_for_who_knows_it(
    *,
    new_limit: NewLimit,
    arrivals: list[tuple[int, int]],
    interval: int,
    burst: int,
    losses: list[bool],
) -> None:
    limit = new_limit(interval, burst)
    moments: list[int] = []
    known = 0
    for (pause, patience), is_lost in zip(arrivals, losses, strict=False):
        limit.now += pause
        if is_lost:
            limit.lose()
        # What it knows of the time is late by up to a round trip.
        ahead = known - limit.now + 700
        permit, _ = limit.reserve(patience, known=known, ahead=max(ahead, 0))
        if permit:
            known = permit.mark
            moments.append(permit.moment)

    assert holds(moments, interval, burst)


def test_a_clock_that_is_set_back_makes_no_wait_longer(new_limit: NewLimit) -> None:
    limit = new_limit(1_000_000, 2)
    waits = [limit.reserve(10**9)[1] for _ in range(4)]

    limit.now -= 3600_000_000
    seen = [limit.look()]
    for _ in range(3):
        limit.now += 1_000_000
        seen.append(limit.look())

    assert waits == [0, 0, 1_000_000, 2_000_000]
    assert seen == [3_000_000, 2_000_000, 1_000_000, 0]


def test_what_another_servers_clock_said_makes_no_wait_longer(
    new_limit: NewLimit,
) -> None:
    limit = new_limit(1_000_000, 2)

    _, wait = limit.reserve(0, known=START + 3600_000_000, ahead=1_500_000)

    assert wait == 500_000


def test_in_the_long_run_no_permit_is_lost(new_limit: NewLimit) -> None:
    limit = new_limit(8571, 3)

    for _ in range(3000):
        _, wait = limit.reserve(10**9)
        limit.now += wait

    allowed = 3 + (limit.now - START) / 8571
    assert 0.99 * allowed <= 3000 <= allowed
