"""Asking a monitor: at once on the loop, or by a question that takes its time.

Monitors of this package that live in this process answer within a microsecond. One
that reserves is awaited; any other may sleep or talk to a server, so it is called on
a thread.
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias, TypeGuard, TypeVar, cast

from arbvantage_provider.rate_limit import (
    LocalRateLimitMonitor,
    RateLimitMonitor,
    Reservation,
    ReservingRateLimitMonitor,
)
from arbvantage_provider.worker.runtime.threads import ThreadPool

T = TypeVar("T")
Outcome: TypeAlias = T | BaseException
"""What was answered or raised. It is no result of a future, as a ``SystemExit`` or a
``StopIteration`` there would end the loop."""

ANSWER_TIME: Final = 5.0
"""Seconds after which a monitor that is looked at counts as one that does not answer.
Spending may take longer: a monitor may wait while it does."""
LONGEST_WAIT: Final = 366 * 24 * 3600.0
SHORTEST_WAIT: Final = 0.001


class Inquiry:
    """One question that is under way.

    Attributes:
        monitor: who was asked.
        is_spending: whether it was told to spend, for which it may wait.
        is_overdue: whether it should have answered by now.
        strikes: how often it said that a permit is free while it seems to wait.
        outcome: what it answered or raised.
    """

    def __init__(self, monitor: RateLimitMonitor) -> None:
        self.monitor = monitor
        self.is_spending: bool = False
        self.is_overdue: bool = False
        self.strikes: int = 0
        self.outcome: asyncio.Future[Outcome[Reservation]]

    def ask_reserving(self, patience: float, key: str | None) -> None:
        """Await a monitor that reserves."""
        monitor = cast("ReservingRateLimitMonitor", self.monitor)
        self.outcome = asyncio.ensure_future(_reserve(monitor, patience, key))

    def ask_blocking(self, threads: ThreadPool) -> None:
        """Look, and spend if a permit is free, on a thread."""
        self.outcome = threads.run(self._look_and_spend)

    def abandon(self) -> None:
        """Nobody waits for it any more. A thread goes on until the monitor returns."""
        if isinstance(self.outcome, asyncio.Task):
            self.outcome.cancel()

    def _look_and_spend(self) -> Outcome[Reservation]:
        try:
            wait = read_wait(self.monitor.check_rate_limits())
            if wait > 0:
                return Reservation(granted=False, wait=wait)
            self.is_spending = True
            self.monitor.make_safe_request(_nothing)
        except BaseException as error:  # noqa: BLE001 - a user's monitor may raise anything
            return error
        return Reservation(granted=True, wait=0.0)


async def _reserve(
    monitor: ReservingRateLimitMonitor, patience: float, key: str | None
) -> Outcome[Reservation]:
    found = await outcome_of(monitor.reserve_async, patience, key)
    if isinstance(found, BaseException):
        return found
    return _call(lambda: _cap_reservation(found))


def spend_now(monitor: LocalRateLimitMonitor, patience: float) -> Reservation:
    """Ask a monitor that is quick.

    Raises:
        BaseException: whatever it raises, or what says that its answer is none.
    """
    if _looks_ahead(type(monitor)):
        found = monitor.reserve(patience)
    else:
        found = LocalRateLimitMonitor.reserve(monitor, patience)
    return _cap_reservation(found)


async def look(monitor: RateLimitMonitor, threads: ThreadPool) -> Outcome[float]:
    """Seconds until a permit is free, of a monitor that is not quick."""
    if isinstance(monitor, ReservingRateLimitMonitor):
        limits = await outcome_of(monitor.check_rate_limits_async)
    else:
        limits = await threads.run(lambda: _call(monitor.check_rate_limits))
    if isinstance(limits, BaseException):
        return limits
    return _call(lambda: read_wait(limits))


def look_now(monitor: RateLimitMonitor) -> Outcome[float]:
    """The same of one that is quick."""
    return _call(lambda: read_wait(monitor.check_rate_limits()))


def is_quick(monitor: RateLimitMonitor) -> TypeGuard[LocalRateLimitMonitor]:
    """Whether a monitor may be asked on the loop.

    A subclass of a monitor that is quick, which says anew how to look or how to make
    a request, may block, and wants to be asked by these methods.
    """
    return isinstance(monitor, LocalRateLimitMonitor) and _spends_as_said(type(monitor))


@lru_cache(maxsize=256)
def _spends_as_said(kind: type[LocalRateLimitMonitor]) -> bool:
    spends = _find_depth(kind, "try_spend")
    others = ("check_rate_limits", "handle_throttling", "make_safe_request")
    return all(_find_depth(kind, name) >= spends for name in others)


@lru_cache(maxsize=256)
def _looks_ahead(kind: type[LocalRateLimitMonitor]) -> bool:
    """Whether ``reserve`` knows of how it spends."""
    return _find_depth(kind, "reserve") <= _find_depth(kind, "try_spend")


def _find_depth(kind: type, name: str) -> int:
    """How many classes stand between a class and the one that it has a method of."""
    return next(i for i, base in enumerate(kind.__mro__) if name in vars(base))


def count_free(monitor: RateLimitMonitor | None) -> int | None:
    """How many permits a monitor says are free; ``None``: it does not know."""
    try:
        found = None if monitor is None else monitor.count_free()
    except BaseException:  # noqa: BLE001 - a user's monitor may raise anything
        return None
    return found if isinstance(found, int) else None


def read_wait(limits: Mapping[str, Any] | None) -> float:
    """The seconds that an answer of ``check_rate_limits`` asks to wait.

    Raises:
        Exception: if it is no such answer.
    """
    if not limits or not limits.get("rate_limited"):
        return 0.0
    return _cap(limits.get("wait_time"))


def _cap_reservation(found: Reservation) -> Reservation:
    """The same, with a wait that can be waited for.

    Raises:
        Exception: if it is none.
    """
    if not found.granted:
        return Reservation(granted=False, wait=_cap(found.wait))
    if found.wait == 0 or 0 < found.wait <= LONGEST_WAIT:
        return found
    problem = f"a monitor reserved a permit for {found.wait} seconds ahead"
    raise ValueError(problem)


def _cap(wait: Any) -> float:
    """A wait as seconds that can be waited for.

    Raises:
        ValueError: if it is not a number.
    """
    seconds = float(wait or 0.0)
    if math.isnan(seconds):
        problem = "a monitor said to wait for NaN seconds"
        raise ValueError(problem)
    # One that is limited, yet says to wait for nothing, is asked again soon.
    return min(max(seconds, SHORTEST_WAIT), LONGEST_WAIT)


def _call(function: Callable[[], T]) -> Outcome[T]:
    try:
        return function()
    except BaseException as error:  # noqa: BLE001 - a user's monitor may raise anything
        return error


async def outcome_of(function: Callable[..., Any], *arguments: Any) -> Outcome[Any]:
    """What a coroutine function returns or raises, within ``ANSWER_TIME``."""
    try:
        async with asyncio.timeout(ANSWER_TIME):
            return await function(*arguments)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return error
    except BaseException as error:  # noqa: BLE001 - a user's monitor may raise anything
        return error


def _nothing() -> None:
    """What is called when a permit was spent; the handler is run elsewhere."""
