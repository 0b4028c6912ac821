"""A clock that stands still until someone sleeps."""

import asyncio
import datetime as dt
import threading
from collections.abc import Callable

import pytest

from arbvantage_provider.clock import Clock


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
