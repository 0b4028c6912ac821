"""Who wants to pass a limit: each task, or handler, that asks for a permit.

A waiter waits until something changes (``wake``), until what it knows of the limit is
over, until its patience is, or until the provider stops.
"""

import asyncio
import itertools
import math
from bisect import insort
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from arbvantage_provider.clock import Clock
from arbvantage_provider.exceptions import RateLimitedError
from arbvantage_provider.worker.limits.concurrency import WaiterBudget
from arbvantage_provider.worker.runtime.backoff import Ending, first_of

GRACE: Final = 0.25
"""Seconds that a monitor may take to answer before who asks it counts as waiting."""
LAST_SILENCE: Final = 1.0
"""Seconds that a monitor may give no answer once the provider stops."""
UNKNOWN_WAIT: Final = 1.0
"""Seconds to come back after, where nobody knows when a permit will be free."""

_numbers = itertools.count()


class Waiter:
    """One wish for one permit.

    Args:
        patience: seconds that it may take; ``inf``: as long as it takes.
        silence: seconds that the monitor may give no answer at all.
        clock: tells when they are over.
        ending: set when waiting is no longer worth it.
        budget: where it waits, if it takes up a slot while it does.
        on_wait: called when it begins to wait.

    Attributes:
        key: which of the limiter's limits; ``None``: its only one.
        number: later waiters have higher ones.
        began: when it came, in seconds of the clock.
    """

    def __init__(
        self,
        *,
        patience: float,
        silence: float,
        clock: Clock,
        ending: Ending,
        budget: WaiterBudget | None = None,
        on_wait: Callable[[], None] | None = None,
    ) -> None:
        self.key: str | None = None
        self.number: int = next(_numbers)
        self.began: float = clock.monotonic()
        self._silence = silence
        self._until = self.began + patience
        self._clock = clock
        self._ending = ending
        self._budget = budget
        self._on_wait = on_wait
        self._is_counted = False
        self._signal: asyncio.Future[None] | None = None

    @property
    def until(self) -> float:
        """When its patience is over; the provider may stop before that.

        Who could not run within a stop's grace is refused at once: that does not keep
        the stop, and the hub knows when to hand the task out again.
        """
        return min(self._until, self._ending.until)

    @property
    def silence(self) -> float:
        """Seconds that the monitor may give no answer at all."""
        stops = self._ending.until < math.inf
        return min(self._silence, LAST_SILENCE) if stops else self._silence

    @property
    def left(self) -> float:
        """Seconds of patience that are left, at least 0."""
        return max(self.until - self._clock.monotonic(), 0.0)

    @property
    def may_wait(self) -> bool:
        """Whether it waits already, or there is room for it to."""
        return self._budget is None or self._is_counted or not self._budget.is_full

    def wake(self) -> None:
        """Something changed: it looks again."""
        if self._signal is not None and not self._signal.done():
            self._signal.set_result(None)

    async def wait(self, known: float = 0.0, *, at_most: float = math.inf) -> None:
        """Wait for a wake-up, or until it is worth looking again.

        Args:
            known: seconds that the limit is known to last; 0: nobody knows.
            at_most: seconds to look again after.

        Raises:
            RateLimitedError: if it would be in vain, there is no room to wait, or the
                provider stops.
        """
        now = self._clock.monotonic()
        grace = self.began + GRACE - now
        # Who may not wait for a limit may ask for it all the same.
        left = self.until - now if known > 0 else max(self.until - now, grace)
        if left <= 0 or known > left:
            raise RateLimitedError(known or UNKNOWN_WAIT)
        if not self._is_counted and (known > 0 or grace <= 0):
            self._begin_waiting(known)
        if self._is_counted:
            grace = math.inf
        await self._sleep(min(left, known or math.inf, at_most, grace))
        if self._ending.is_set():
            raise RateLimitedError(known or UNKNOWN_WAIT)

    async def sleep(self, seconds: float) -> bool:
        """Wait until a moment comes that was promised; whether it came undisturbed.

        Raises:
            RateLimitedError: if there is no room to wait, or the provider stops.
        """
        if not self._is_counted:
            self._begin_waiting(seconds)
        undisturbed = await self._sleep(seconds)
        if self._ending.is_set():
            raise RateLimitedError(seconds)
        return undisturbed

    def leave(self) -> None:
        """Whatever came of it, it waits no more."""
        if self._is_counted and self._budget is not None:
            self._budget.leave()
        self._is_counted = False

    def _begin_waiting(self, known: float) -> None:
        if self._budget is not None and not self._budget.enter():
            raise RateLimitedError(known or UNKNOWN_WAIT)
        self._is_counted = True
        if self._on_wait is not None:
            self._on_wait()

    async def _sleep(self, seconds: float) -> bool:
        self._signal = asyncio.get_running_loop().create_future()
        with suppress(TimeoutError):
            async with asyncio.timeout(None if seconds == math.inf else seconds):
                await first_of(self._signal, self._ending)
        return not self._signal.done()


class WaitQueue:
    """Waiters to one limit, in the order of arrival; the first of them asks.

    Attributes:
        waiters: those that have no permit yet.
        due: until when none is free, as far as is known; seconds of the clock.
        heard: when the monitor said something last.
    """

    __slots__ = ("due", "heard", "waiters")

    def __init__(self) -> None:
        self.waiters: list[Waiter] = []
        self.due: float = -math.inf
        self.heard: float = -math.inf

    def join(self, waiter: Waiter) -> None:
        """Wait here; one that was here before has its old place again."""
        insort(self.waiters, waiter, key=_read_number)

    def wake(self) -> None:
        """Let all of them look again."""
        for waiter in self.waiters:
            waiter.wake()


def _read_number(waiter: Waiter) -> int:
    return waiter.number
