"""Four processes on one limit in a real server; all moments are by its clock."""

import json
import math
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

import pytest
from redis_server import RedisServer

pytestmark = pytest.mark.once

TAKER = Path(__file__).parent / "taker.py"
PROCESSES = 4


def take(
    server: RedisServer, how: str, amount: int, *limits: str
) -> dict[str, list[int]]:
    """The moments of all permits that four processes took of each limit, in order."""
    command = [sys.executable, str(TAKER), server.url, how, str(amount), *limits]
    with ExitStack() as stack:
        takers = [
            stack.enter_context(
                subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            for _ in range(PROCESSES)
        ]
        for taker in takers:
            stack.callback(taker.kill)
            assert taker.stdout is not None
            assert taker.stdout.readline() == "ready\n"
        for taker in takers:
            assert taker.stdin is not None
            taker.stdin.write("go\n")
            taker.stdin.flush()
        taken = [json.loads(taker.communicate(timeout=60)[0]) for taker in takers]
    return {limit: sorted(chain(*(each[limit] for each in taken))) for limit in limits}


def spare(moments: Iterable[int], interval: int, burst: int) -> int:
    """How far the fullest window is from too many permits, in microseconds.

    Any window from one permit to another lasts at least as many intervals as it has
    permits beyond the burst.
    """
    least, slack = math.inf, math.inf
    for number, moment in enumerate(moments):
        least = min(least, number * interval - moment)
        # Of all windows that end here, the one with the most permits for its length.
        extra = number * interval - moment - least
        slack = min(slack, (burst - 1) * interval - extra)
    return int(slack)


def read_offset() -> int:
    """How far the machine's clock is from one that nobody sets, in microseconds."""
    pairs = [(time.time_ns(), time.monotonic_ns()) for _ in range(50)]
    return max(now - steady for now, steady in pairs) // 1_000


def test_processes_that_take_at_once_get_no_permit_too_many_and_none_too_few(
    own_redis: RedisServer,
) -> None:
    before = read_offset()
    taken = take(own_redis, "at once", 200, "600/20", "7000/1", "9000/100")
    # No wait is longer where the clock is set back, so the moments move with it.
    back = before - read_offset()
    missing = back if back > 50 else 0

    for limit, moments in taken.items():
        rate, burst = map(int, limit.split("/"))
        assert len(moments) == 800
        assert spare(moments, math.ceil(60_000_000 / rate), burst) >= -missing
        allowed = burst + rate / 60e6 * (moments[-1] - moments[0])
        assert 0.99 * allowed <= 800


def test_processes_that_wait_share_one_rate_with_one_call_a_permit(
    own_redis: RedisServer,
) -> None:
    (moments,) = take(own_redis, "in turn", 10, "600/20").values()

    within = [moment for moment in moments if moment <= moments[0] + 10_000_000]
    assert 118 <= len(within) <= 120
    assert spare(moments, 100_000, 20) >= 0
    assert own_redis.count_calls() <= 1.2 * len(within)


def test_the_spare_of_too_many_permits_is_less_than_nothing() -> None:
    assert spare([0, 0, 100], 100, 2) == 0
    assert spare([0, 0, 99], 100, 2) == -1
    assert spare([0, 1000, 1000, 1000], 100, 2) == -100
