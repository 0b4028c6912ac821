"""One limit, and who passes it: the provider's, or an action's.

Waiters to one limit form a queue, and the first of them asks the monitor, so permits go
out in the order of arrival. A monitor that reserves names a moment: the waiter then
waits for it outside of the queue, while the next one asks.
"""

import asyncio
import math
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from arbvantage_provider.clock import Clock
from arbvantage_provider.exceptions import RateLimitedError
from arbvantage_provider.rate_limit import (
    PerKey,
    Reservation,
    ReservingRateLimitMonitor,
)
from arbvantage_provider.worker.call import TaskKeys
from arbvantage_provider.worker.limits.circuit_breaker import (
    GRANTED,
    LOG_INTERVAL,
    CircuitBreaker,
)
from arbvantage_provider.worker.limits.keys import NO_KEY, KeyReader
from arbvantage_provider.worker.limits.permit_acquirer import (
    BUSY_WAIT,
    SHORTEST_WAIT,
    PermitAcquirer,
    Source,
)
from arbvantage_provider.worker.limits.wait_queue import (
    GRACE,
    UNKNOWN_WAIT,
    Waiter,
    WaitQueue,
)
from arbvantage_provider.worker.metrics.snapshot import LimitFigures
from arbvantage_provider.worker.runtime.backoff import Ending

MOST_CLOSED_KEYS: Final = 10_000
"""How many keys may be shut at once; beyond it, those that open soonest are open."""


class Cooldowns:
    """Which keys of a limit are shut, and until when.

    Args:
        clock: tells when that is over.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str | None, float] = {}

    @property
    def longest(self) -> float:
        """Seconds until all of it is open again."""
        until = max(tuple(self._until.values()), default=0.0)
        return max(until - self._clock.monotonic(), 0.0)

    def find_wait(self, key: str | None) -> float:
        """Seconds that a key is still shut; 0: it is open."""
        if not self._until or key not in self._until:
            return 0.0
        left = self._until[key] - self._clock.monotonic()
        if left <= 0:
            del self._until[key]
        return max(left, 0.0)

    def close(self, key: str | None, seconds: float) -> None:
        """Shut a key for so long, or for as long as it is shut anyway."""
        if len(self._until) >= MOST_CLOSED_KEYS:
            latest = sorted(self._until.items(), key=_read_until)[
                MOST_CLOSED_KEYS // 2 :
            ]
            self._until = dict(latest)
        moment = self._clock.monotonic() + seconds
        self._until[key] = max(self._until.get(key, 0.0), moment)

    def clear(self) -> None:
        """Open all of it."""
        self._until.clear()


def _read_until(item: tuple[object, float]) -> float:
    return item[1]


@dataclass(slots=True)
class _Counts:
    passed: int = 0
    refused: int = 0
    longest_wait: float = 0.0


class Limiter:
    """Where tasks pass one limit.

    Args:
        source: the monitor, or what has one for each key; ``None``: no limit.
        name: what the limit is called in the log.
        opens: whether tasks pass while the monitor fails.
        slots: how many tasks may be in flight.
        clock: tells when a wait is over.
        ending: set when waiting is no longer worth it.
        logger: the provider's.
    """

    def __init__(  # noqa: PLR0913 - each is a part, or a setting, of its own
        self,
        source: Source,
        *,
        name: str,
        opens: bool,
        slots: int,
        clock: Clock,
        ending: Ending,
        logger: Any,
    ) -> None:
        self._name = name
        self._slots = slots
        self._clock = clock
        self._ending = ending
        self._logger = logger
        self._breaker = CircuitBreaker(
            name=name, opens=opens, clock=clock, logger=logger
        )
        self._keys = KeyReader(name=name, opens=opens, logger=logger)
        self._cooldowns = Cooldowns(clock)
        self._acquirer = self._make_acquirer(source)
        self._queues: dict[str | None, WaitQueue] = {}
        self._waiters: dict[Waiter, None] = {}
        self._returning: set[Waiter] = set()
        self._leaving: set[asyncio.Future[None]] = set()
        self._counts = _Counts()
        self._due = self._logged = -math.inf

    def _make_acquirer(self, source: Source) -> PermitAcquirer:
        return PermitAcquirer(
            source,
            breaker=self._breaker,
            slots=self._slots,
            ending=self._ending,
            on_answer=self._pass_on,
        )

    @property
    def source(self) -> Source:
        """The monitor, or what has one for each key."""
        return self._acquirer.source

    @property
    def holds(self) -> bool:
        """Whether there is a limit, or it is shut."""
        return self._acquirer.source is not None or self._cooldowns.longest > 0

    @property
    def is_worth_showing(self) -> bool:
        """Whether it is, or was, more than a limiter that lets all pass."""
        return self.holds or self._counts.longest_wait > 0

    def replace(self, source: Source) -> None:
        """Keep to another limit; who waits looks again, in the same order."""
        self._leave_acquirer()
        self._breaker.reset()
        self._keys.reset()
        self._cooldowns.clear()
        self._acquirer = self._make_acquirer(source)
        self._due = -math.inf
        for queue in self._queues.values():
            queue.due = -math.inf
        # Some of them are on the way already, and those come back first.
        self._returning = set(self._waiters)
        self.wake()

    def _leave_acquirer(self) -> None:
        leaving = self._acquirer.leave()
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    def shut(self, seconds: float, keys: TaskKeys) -> None:
        """Let nothing pass for so long; of this task's key, where there are keys."""
        try:
            key = self._keys.read(self._acquirer.source, keys)
        except RateLimitedError:
            return
        if key == NO_KEY:
            return
        self._cooldowns.close(key, seconds)
        self._logger.warning("limit closed", limit=self._name, wait=round(seconds, 3))
        self.wake()

    async def close(self) -> None:
        """Give back what was reserved, and end whatever is asked."""
        self._leave_acquirer()
        await asyncio.wait(self._leaving)

    def wake(self) -> None:
        """Something changed: all that wait look again."""
        for waiter in tuple(self._waiters):
            waiter.wake()

    # --- before a poll -------------------------------------------------------

    @property
    def counts(self) -> bool:
        """Whether the monitor may tell how many permits are free."""
        source = self._acquirer.source
        may_learn = isinstance(source, ReservingRateLimitMonitor)
        return may_learn or self._acquirer.free is not None

    async def look(self, polls: int) -> float:
        """Seconds until so many polls may be out at once; 0: they may now."""
        wait = await self._look()
        self._due = self._clock.monotonic() + wait
        if wait > 0:
            self._log_reached(wait)
        elif polls > 1 and self._acquirer.source is not None:
            free = self._acquirer.free
            return 0.0 if free is not None and free >= polls else SHORTEST_WAIT
        return wait

    async def _look(self) -> float:
        shut = self._cooldowns.find_wait(None)
        if shut > 0:
            return shut
        if queue := self._queues.get(None):
            # Tasks that are here already wait: one more would wait behind them.
            return max(queue.due - self._clock.monotonic(), BUSY_WAIT)
        if self._acquirer.is_stuck:
            return BUSY_WAIT
        found = await self._acquirer.look()
        return 0.0 if found.granted else found.wait

    # --- before a handler runs -----------------------------------------------

    def try_acquire(self, keys: TaskKeys) -> bool:
        """Pass if that takes no waiting, as it does for most.

        Raises:
            RateLimitedError: if the task's key cannot be read, and so it may not pass.
        """
        try:
            key = self._keys.read(self._acquirer.source, keys)
        except RateLimitedError as error:
            self._note_refusal(error.wait_time)
            raise
        if key == NO_KEY:
            return True
        if key in self._queues or self._returning or self._breaker.failing:
            return False
        if self._cooldowns.find_wait(key):
            return False
        found = self._acquirer.ask_now(key, 0.0)
        if found is None or not found.granted:
            return False
        self._counts.passed += 1
        return True

    @property
    def is_shut(self) -> bool:
        """Whether a handler closed it, without a key, and that is not over yet."""
        return self._cooldowns.find_wait(None) > 0

    async def wait_until_open(self, waiter: Waiter) -> None:
        """Wait while all of it is shut.

        Raises:
            RateLimitedError: if the provider stops.
        """
        with self._entered(waiter):
            while (shut := self._cooldowns.find_wait(None)) > 0:
                await waiter.wait(shut)

    async def enter(self, waiter: Waiter, keys: TaskKeys) -> None:
        """Wait for a permit, in the order of arrival.

        Raises:
            RateLimitedError: if none is free in time, no more may wait, or the
                provider stops.
        """
        with self._entered(waiter):
            while not await self._try_enter(waiter, keys):
                pass
        self._counts.passed += 1

    async def _try_enter(self, waiter: Waiter, keys: TaskKeys) -> bool:
        """``False``: there is another limit now, or it was shut meanwhile."""
        self._note_return(waiter)
        acquirer = self._acquirer
        waiter.key = self._keys.read(acquirer.source, keys)
        if waiter.key == NO_KEY:
            return True
        found = await self._queue(waiter, acquirer)
        if found is None or found.wait <= 0:
            return found is not None
        return await self._wait_for(found, waiter, acquirer)

    @contextmanager
    def _entered(self, waiter: Waiter) -> Generator[None]:
        self._waiters[waiter] = None
        try:
            yield
        except RateLimitedError as error:
            if not self._ending.is_set():
                self._note_refusal(error.wait_time)
            raise
        finally:
            waiter.leave()
            del self._waiters[waiter]
            self._note_return(waiter)
            waited = self._clock.monotonic() - waiter.began
            self._counts.longest_wait = max(self._counts.longest_wait, waited)

    def _note_return(self, waiter: Waiter) -> None:
        """One more looks at the limit that there is now; the last one lets all begin."""
        if waiter in self._returning:
            self._returning.discard(waiter)
            if not self._returning:
                self.wake()

    async def _queue(
        self, waiter: Waiter, acquirer: PermitAcquirer
    ) -> Reservation | None:
        """A permit, in the order of the queue; ``None``: there is another limit now."""
        queue = self._queues.setdefault(waiter.key, WaitQueue())
        queue.join(waiter)
        try:
            while acquirer is self._acquirer:
                if queue.waiters[0] is not waiter or self._returning:
                    await waiter.wait(max(queue.due - self._clock.monotonic(), 0.0))
                    continue
                found = self._ask(waiter, acquirer)
                if found is None:
                    found = await self._wait_for_answer(queue, waiter, acquirer)
                if found is None:
                    continue
                if found.granted:
                    return found
                self._note_wait(queue, found.wait)
                await waiter.wait(found.wait)
            return None
        finally:
            self._leave(queue, waiter, acquirer)

    def _ask(self, waiter: Waiter, acquirer: PermitAcquirer) -> Reservation | None:
        shut = self._cooldowns.find_wait(waiter.key)
        if shut > 0:
            return Reservation(granted=False, wait=shut)
        return acquirer.ask(waiter.key, waiter.left if waiter.may_wait else 0.0)

    def _note_wait(self, queue: WaitQueue, wait: float) -> None:
        """Those behind may see now that they wait in vain."""
        now = self._clock.monotonic()
        is_news = now + wait > queue.due + SHORTEST_WAIT
        queue.due, queue.heard = now + wait, now
        self._log_reached(wait)
        if is_news:
            queue.wake()

    def _leave(
        self, queue: WaitQueue, waiter: Waiter, acquirer: PermitAcquirer
    ) -> None:
        queue.waiters.remove(waiter)
        if queue.waiters:
            queue.waiters[0].wake()
        else:
            del self._queues[waiter.key]
            acquirer.forget(waiter.key)

    def _pass_on(self, key: str | None) -> bool:
        """Tell the first of a queue that there is an answer; whether there is one."""
        queue = self._queues.get(key)
        if queue is not None:
            queue.waiters[0].wake()
        return queue is not None

    # --- waiting -------------------------------------------------------------

    async def _wait_for_answer(
        self, queue: WaitQueue, waiter: Waiter, acquirer: PermitAcquirer
    ) -> Reservation | None:
        """Wait for the monitor, which was asked; what holds if it says nothing.

        Raises:
            RateLimitedError: if nothing holds.
        """
        silent = self._clock.monotonic() - max(waiter.began, queue.heard)
        if silent < waiter.silence:
            await waiter.wait(at_most=waiter.silence - silent)
        elif waiter.left == math.inf and await acquirer.waits_rightly(waiter.key):
            queue.heard = self._clock.monotonic()
        elif acquirer.give_up(waiter.key).granted:
            return GRANTED
        else:
            raise RateLimitedError(UNKNOWN_WAIT)
        return None

    async def _wait_for(
        self, found: Reservation, waiter: Waiter, acquirer: PermitAcquirer
    ) -> bool:
        """Wait for the moment of a permit; ``False``: it does not count any more."""
        moment = self._clock.monotonic() + found.wait
        came, holding = False, acquirer.hold()
        try:
            while not came:
                wait = moment - self._clock.monotonic()
                if wait > waiter.left + GRACE:
                    # It was asked for by one before, who had more time; or the
                    # provider stops.
                    raise RateLimitedError(wait)
                self._due = max(self._due, moment)
                self._log_reached(wait)
                came = await waiter.sleep(wait)
                if (
                    acquirer is not self._acquirer
                    or self._cooldowns.find_wait(waiter.key) > 0
                ):
                    came = False
                    break
        finally:
            if not came:
                acquirer.give_back(waiter.key, found)
            holding.cancel()
        return came

    # --- counters -------------------------------------------------------------

    def _note_refusal(self, wait: float) -> None:
        self._counts.refused += 1
        self._log_reached(wait)

    def _log_reached(self, wait: float) -> None:
        now = self._clock.monotonic()
        if now < self._logged + LOG_INTERVAL:
            return
        self._logged = now
        counters = self.describe()
        self._logger.info(
            "limit reached",
            limit=self._name,
            wait=round(wait, 3),
            free=counters.free,
            waiting=counters.waiting,
            refused=counters.refused,
        )

    def describe(self) -> LimitFigures:
        """The counters of this moment; from any thread."""
        source = self._acquirer.source
        queues = tuple(self._queues.values())
        due = max([self._due, *(queue.due for queue in queues)])
        return LimitFigures(
            free=self._acquirer.free,
            keys=source.keys if isinstance(source, PerKey) else None,
            wait=max(due - self._clock.monotonic(), 0.0),
            waiting=len(self._waiters),
            longest_wait=self._counts.longest_wait,
            passed=self._counts.passed,
            refused=self._counts.refused,
            closed_for=self._cooldowns.longest,
            errors=self._breaker.errors + self._keys.errors,
        )
