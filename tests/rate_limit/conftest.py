"""A clock that stands still until someone sleeps, and limits in a real server."""

import asyncio
import datetime as dt
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis_server import RedisServer

from arbvantage_provider.clock import Clock
from arbvantage_provider.rate_limit import RedisRateLimitMonitor

sys.path.insert(0, str(Path(__file__).parent))  # for taker and tls_front


class ManualClock:
    """Sleeping moves the time on, at once."""

    def __init__(self, start: float = 1000.0) -> None:
        self._seconds = start
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        return self._seconds

    def now(self, timezone: dt.tzinfo) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._seconds, timezone)

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._seconds += max(seconds, 0.0)

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        if not event.is_set():
            self.sleep(seconds)
        return event.is_set()


@pytest.fixture(scope="session")
def new_clock() -> Callable[[], Clock]:
    """Makes clocks; for properties, which need a new one for each example."""
    return ManualClock


@pytest.fixture
def clock(new_clock: Callable[[], Clock]) -> Clock:
    return new_clock()


@pytest.fixture
def new_shared(
    redis_server: RedisServer, request: pytest.FixtureRequest
) -> Iterator[Callable[..., RedisRateLimitMonitor]]:
    """Makes monitors of one limit in a real server; it is the test's own."""
    made: list[RedisRateLimitMonitor] = []

    def make(*rate: Any, **settings: Any) -> RedisRateLimitMonitor:
        url = settings.pop("url", redis_server.url)
        patient = {"connect_timeout": 30, "command_timeout": 30}
        name = request.node.name
        made.append(RedisRateLimitMonitor(url, name, *rate, **patient, **settings))
        return made[-1]

    yield make
    for monitor in made:
        monitor.close()
