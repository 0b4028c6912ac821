"""Asking the monitors of one limit, with one request at a time for each key.

An answer that takes its time is told to ``on_answer``; who asks again then receives
it. A request whose asker gave up stays open, and the next one receives its answer,
so a monitor that hangs takes up one thread, and none for each task.
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, TypeAlias, TypeGuard, TypeVar, cast

from arbvantage_provider.rate_limit import (
    LocalRateLimitMonitor,
    NoRateLimitMonitor,
    PerKey,
    RateLimitMonitor,
    Reservation,
    ReservingRateLimitMonitor,
)
from arbvantage_provider.worker.limits.circuit_breaker import GRANTED, CircuitBreaker
from arbvantage_provider.worker.limits.wait_queue import UNKNOWN_WAIT
from arbvantage_provider.worker.runtime.backoff import first_of
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
Source: TypeAlias = RateLimitMonitor | PerKey | None
"""A monitor, or what has one for each key; ``None``: no limit."""
LAST_GRACE: Final = 1.0
"""Seconds that monitors have at the end to take permits back, and to close."""
BUSY_WAIT: Final = 0.05
"""Seconds to ask again after, where monitors of other keys hold all threads."""
ROOM_WAIT: Final = 1.0
"""Seconds to ask again after, where there is no room for one more key."""


class PermitRequest:
    """One request that is under way.

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


class PermitAcquirer:
    """Where a limiter asks.

    Args:
        source: who is asked.
        breaker: whether it answers.
        slots: how many monitors with keys may be asked at once.
        ending: set when waiting for an answer is no longer worth it.
        on_answer: told the key of each answer that took its time; whether somebody
            waits for it.

    Attributes:
        source: as given.
    """

    def __init__(
        self,
        source: Source,
        *,
        breaker: CircuitBreaker,
        slots: int,
        ending: asyncio.Event,
        on_answer: Callable[[str | None], bool],
    ) -> None:
        # A subclass of that one may be a limit of the user's.
        self.source: Source = None if type(source) is NoRateLimitMonitor else source
        self._breaker = breaker
        self._ending = ending
        self._on_answer = on_answer
        # One looks while one spends; with keys, each is asked for itself.
        self._most = slots if isinstance(source, PerKey) else 2
        self._threads = ThreadPool(self._most, "rate-limit")
        self._requests: dict[str | None, PermitRequest] = {}
        self._looking: asyncio.Future[Outcome[float]] | None = None
        self._look_is_overdue = False
        self._giving_back: set[asyncio.Future[Any]] = set()
        self._is_left = False

    def leave(self) -> "asyncio.Future[None]":
        """Let go of whatever is asked; give back what nobody will use."""
        self._is_left = True
        return asyncio.ensure_future(self._close())

    async def _close(self) -> None:
        for key in tuple(self._requests):
            self.forget(key)
        for request in self._requests.values():
            request.abandon()
        self._requests.clear()
        closing = asyncio.ensure_future(self._close_monitor())
        await asyncio.wait({closing}, timeout=LAST_GRACE)
        closing.cancel()
        for asked in (self._looking, *self._giving_back):
            if asked is not None:
                asked.cancel()
        self._threads.close()

    async def _close_monitor(self) -> None:
        """Its connections belong to this event loop; it opens them again on use."""
        while self._giving_back:
            await asyncio.wait(self._giving_back)
        monitor = self.source.one if isinstance(self.source, PerKey) else self.source
        if isinstance(monitor, ReservingRateLimitMonitor):
            await outcome_of(monitor.close_async)

    # --- looking -------------------------------------------------------------

    @property
    def free(self) -> int | None:
        """How many permits are free; ``None``: nobody knows, or there are keys."""
        return None if isinstance(self.source, PerKey) else count_free(self.source)

    async def look(self) -> Reservation:
        """Whether a permit is free, of a limit without keys."""
        monitor = self.source
        if not isinstance(monitor, RateLimitMonitor):
            return GRANTED
        if self._breaker.rest > 0:
            return self._breaker.verdict(self._breaker.rest)
        found: Outcome[float] | None
        if is_quick(monitor):
            found = look_now(monitor)
        else:
            found = await self._look(monitor, gives_up=self._breaker.opens)
        if found is None:
            return self._breaker.verdict(UNKNOWN_WAIT)
        if isinstance(found, BaseException):
            return self._breaker.fail(found)
        self._breaker.recover()
        return Reservation(granted=found == 0, wait=found)

    async def waits_rightly(self, key: str | None) -> bool:
        """Whether a monitor that was told to spend, and does not come back, waits.

        It does if it says that no permit is free. Where it says that one is, it may
        be about to come back; the second time it is not.
        """
        request = self._requests.get(key)
        if request is None or not request.is_spending:
            return False
        found = await self._look(request.monitor, gives_up=True)
        if found is None or isinstance(found, BaseException):
            return False
        request.strikes = 0 if found > 0 else request.strikes + 1
        return request.strikes <= 1

    async def _look(
        self, monitor: RateLimitMonitor, *, gives_up: bool
    ) -> Outcome[float] | None:
        """``None``: it does not answer, or the provider stops."""
        if self._looking is None:
            self._look_is_overdue = False
            self._looking = asyncio.ensure_future(look(monitor, self._threads))
        looking = self._looking
        if not self._look_is_overdue:
            with suppress(TimeoutError):
                async with asyncio.timeout(ANSWER_TIME):
                    await first_of(looking, self._ending)
        if not (looking.done() or self._ending.is_set() or self._look_is_overdue):
            self._look_is_overdue = True
            self._breaker.fail()
        if not (looking.done() or gives_up):
            await first_of(looking, self._ending)
        if not looking.done():
            return None
        self._looking = None
        return looking.result()

    # --- spending ------------------------------------------------------------

    def ask(self, key: str | None, patience: float) -> Reservation | None:
        """Ask for a permit; ``None``: ``on_answer`` will be called.

        Args:
            key: of which limit.
            patience: seconds that a monitor that reserves may look ahead.
        """
        request = self._requests.get(key)
        if request is not None and request.outcome.done():
            del self._requests[key]
            return self._conclude(request)
        if self._breaker.rest > 0:
            return self._breaker.verdict(self._breaker.rest)
        if request is None:
            return self.ask_now(key, patience) or self._begin_request(key, patience)
        # Nobody waits for a monitor that fails, where it does not count.
        is_ill = self._breaker.failing or request.is_overdue
        return GRANTED if is_ill and self._breaker.opens else None

    def ask_now(self, key: str | None, patience: float) -> Reservation | None:
        """Ask a monitor that is quick; ``None``: it is none."""
        try:
            if self.source is None:
                return GRANTED
            monitor = self._find_monitor(key)
            if monitor is None:
                return self._refuse_key()
            if not is_quick(monitor):
                return None
            found = spend_now(monitor, patience)
        except BaseException as error:  # noqa: BLE001 - a user's monitor may raise anything
            return self._breaker.fail(error)
        self._breaker.recover()
        return found

    def _find_monitor(self, key: str | None) -> RateLimitMonitor | None:
        if isinstance(self.source, PerKey):
            return self.source.find_monitor(key or "")
        return self.source

    def _refuse_key(self) -> Reservation:
        if isinstance(self.source, PerKey):
            self._breaker.note_full(self.source.max_keys)
        return Reservation(granted=False, wait=ROOM_WAIT)

    def _begin_request(self, key: str | None, patience: float) -> Reservation | None:
        monitor = self._find_monitor(key)
        if monitor is None or len(self._requests) >= self._most:
            return Reservation(granted=False, wait=BUSY_WAIT)
        request = PermitRequest(monitor)
        if isinstance(monitor, ReservingRateLimitMonitor):
            request.ask_reserving(patience, key)
        else:
            request.ask_blocking(self._threads)
        self._requests[key] = request
        loop = asyncio.get_running_loop()
        timer = loop.call_later(ANSWER_TIME, self._note_silence, key, request)

        def settle(_: object) -> None:
            timer.cancel()
            if self._requests.get(key) is request and not self._on_answer(key):
                self.forget(key)

        request.outcome.add_done_callback(settle)
        # Nobody waits for a monitor that fails, where it does not count.
        is_ill = self._breaker.failing and self._breaker.opens
        return GRANTED if is_ill else None

    def _note_silence(self, key: str | None, request: PermitRequest) -> None:
        if self._requests.get(key) is request and not request.is_spending:
            self.give_up(key)
            self._on_answer(key)

    def give_up(self, key: str | None) -> Reservation:
        """The monitor should have answered by now: what holds until it does."""
        request = self._requests.get(key)
        if request is None or request.is_overdue:
            return self._breaker.verdict(UNKNOWN_WAIT)
        request.is_overdue = True
        return self._breaker.fail()

    @property
    def is_stuck(self) -> bool:
        """Whether a monitor without keys is still at what nobody waits for."""
        return None in self._requests and not self._breaker.opens

    def forget(self, key: str | None) -> None:
        """Nobody waits for an answer about this key any more."""
        request = self._requests.get(key)
        if request is None:
            return
        if request.outcome.done():
            del self._requests[key]
            found = self._conclude(request)
            if found.granted:
                self.give_back(key, found)
        elif isinstance(request.monitor, ReservingRateLimitMonitor):
            # The next one asks with a patience of its own.
            del self._requests[key]
            self._await_late_answer(key, request)

    def _await_late_answer(self, key: str | None, request: PermitRequest) -> None:
        """A permit that comes yet is given back."""

        def settle(outcome: "asyncio.Future[Outcome[Reservation]]") -> None:
            self._giving_back.discard(outcome)
            if not outcome.cancelled():
                found = self._conclude(request)
                if found.granted:
                    self.give_back(key, found)

        self._giving_back.add(request.outcome)
        request.outcome.add_done_callback(settle)

    def _conclude(self, request: PermitRequest) -> Reservation:
        outcome = request.outcome.result()
        if isinstance(outcome, BaseException):
            # Who is left says nothing of the monitor that is asked now.
            if self._is_left:
                return self._breaker.verdict(UNKNOWN_WAIT)
            return self._breaker.fail(outcome)
        if not self._is_left:
            self._breaker.recover()
        return outcome

    def hold(self) -> "asyncio.Future[None]":
        """Somebody waits for a permit's moment; to be cancelled when that is over.

        Until then the permit may be given back, and the monitor is not closed.
        """
        holding = asyncio.get_running_loop().create_future()
        self._giving_back.add(holding)
        holding.add_done_callback(self._giving_back.discard)
        return holding

    def give_back(self, key: str | None, found: Reservation) -> None:
        """Give a permit back that nobody is going to use."""
        if found is GRANTED:
            return
        with suppress(Exception):
            monitor = self._find_monitor(key)
            if isinstance(monitor, ReservingRateLimitMonitor):
                giving = asyncio.ensure_future(_release(monitor, found, key))
                self._giving_back.add(giving)
                giving.add_done_callback(self._giving_back.discard)
            elif isinstance(monitor, LocalRateLimitMonitor):
                monitor.release(found)


async def _release(
    monitor: ReservingRateLimitMonitor, found: Reservation, key: str | None
) -> None:
    """It is a favour: if it fails, the permit is lost."""
    with suppress(Exception):
        async with asyncio.timeout(ANSWER_TIME):
            await monitor.release_async(found, key)
