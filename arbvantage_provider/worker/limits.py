"""Where a rate limit acts: before a poll, and before a handler runs.

The provider's monitor is looked at before a poll, so that no task is pulled that
may not run, and one permit is spent when a handler is about to run. An action's
own monitor lets the task wait in its slot for as long as the action's timeout,
in at most half of the slots; beyond that the task is answered with ``limit``.

Looking at a monitor of this package takes a microsecond. Any other monitor may
sleep or talk to a server, so it is called on a thread.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from arbvantage_provider.clock import Clock
from arbvantage_provider.exceptions import ConfigError, RateLimitedError
from arbvantage_provider.rate_limit import (
    LocalRateLimitMonitor,
    NoRateLimitMonitor,
    RateLimitMonitor,
)
from arbvantage_provider.worker.places import WaitingRoom
from arbvantage_provider.worker.threads import ThreadPool
from arbvantage_provider.worker.waits import Waits, first_of

FIRST_ERROR_WAIT: Final = 0.1
LONGEST_ERROR_WAIT: Final = 10.0
_SHORTEST_WAIT: Final = 0.001


def check_monitor(monitor: Any) -> RateLimitMonitor:
    """The monitor of a provider; one without limits where there is none.

    Raises:
        ConfigError: if it is no monitor.
    """
    if monitor is None:
        return NoRateLimitMonitor()
    if not isinstance(monitor, RateLimitMonitor):
        problem = f"{monitor!r} is none; give an instance of a RateLimitMonitor"
        raise ConfigError(f"rate_limit_monitor: {problem}")
    return monitor


class Limits:
    """The limits of one running provider.

    Args:
        monitor: the provider's own, or ``None``.
        clock: tells when a wait is over.
        stopping: set when waiting is no longer worth it.
        slots: how many tasks may be in flight.
        room: where tasks wait for the limit of their action.
        logger: told when a monitor raises.
    """

    def __init__(
        self,
        *,
        monitor: RateLimitMonitor | None,
        clock: Clock,
        stopping: asyncio.Event,
        slots: int,
        room: WaitingRoom,
        logger: Any,
    ) -> None:
        self._monitor = None if isinstance(monitor, NoRateLimitMonitor) else monitor
        self._clock = clock
        self._stopping = stopping
        self._room = room
        self._logger = logger
        self._threads = ThreadPool(slots + 1, "rate-limit")
        self._errors = Waits(FIRST_ERROR_WAIT, LONGEST_ERROR_WAIT)

    @property
    def gates_polls(self) -> bool:
        """Whether the provider has a limit of its own."""
        return self._monitor is not None

    async def look(self) -> float:
        """Seconds until a poll is worth it; 0 when one is now."""
        if self._monitor is None:
            return 0.0
        return await self._look_at(self._monitor)

    async def spend(
        self,
        own: RateLimitMonitor | None,
        patience: float,
        on_wait: Callable[[], None],
    ) -> None:
        """Spend what a handler needs before it runs; wait for it in the slot.

        Args:
            own: the action's monitor, if it has one.
            patience: seconds that the task may wait for the action's monitor.
            on_wait: called if it has to wait for that.

        Raises:
            RateLimitedError: if it would take longer, or the provider stops.
        """
        if own is not None and not isinstance(own, NoRateLimitMonitor):
            await self._wait_for_own(own, patience, on_wait)
        if self._monitor is not None:
            while (wait := await self._try_spend(self._monitor)) > 0:
                if await self._clock.wait(self._stopping, wait):
                    raise RateLimitedError(wait)

    async def _wait_for_own(
        self, monitor: RateLimitMonitor, patience: float, on_wait: Callable[[], None]
    ) -> None:
        until = self._clock.monotonic() + patience
        queued = False
        try:
            while (wait := await self._try_spend(monitor)) > 0:
                over = self._clock.monotonic() + wait > until
                if over or not (queued or self._room.enter()):
                    raise RateLimitedError(wait)
                if not queued:
                    queued = True
                    on_wait()
                if await self._clock.wait(self._stopping, wait):
                    raise RateLimitedError(wait)
        finally:
            if queued:
                self._room.leave()

    async def _try_spend(self, monitor: RateLimitMonitor) -> float:
        """Spend a permit if one is free; else the seconds until one may be."""
        if isinstance(monitor, LocalRateLimitMonitor):
            return self._read(monitor.try_spend)
        wait = await self._look_at(monitor)
        if wait == 0:
            return await self._ask(lambda: monitor.make_safe_request(_spend))
        return wait

    async def _look_at(self, monitor: RateLimitMonitor) -> float:
        def look() -> float:
            return read_wait(monitor.check_rate_limits())

        if isinstance(monitor, LocalRateLimitMonitor):
            return self._read(look)
        return await self._ask(look)

    async def _ask(self, question: Callable[[], float]) -> float:
        """Ask a user's monitor on a thread.

        One that is still at it when the provider stops is left behind.
        """
        asked = self._threads.run(partial(self._read, question))
        await first_of(asked, self._stopping)
        if not asked.done():
            asked.cancel()
            return FIRST_ERROR_WAIT
        return asked.result()

    def _read(self, answer: Callable[[], float]) -> float:
        """A monitor's answer; one that raises closes the gate for a while."""
        try:
            wait = float(answer())
        except BaseException:
            wait = self._errors.draw()
            self._logger.exception("rate limit monitor raised", wait=round(wait, 3))
        else:
            self._errors.reset()
        return wait

    def close(self) -> None:
        """Let the threads end."""
        self._threads.close()


def read_wait(limits: Mapping[str, Any] | None) -> float:
    """The seconds that an answer of ``check_rate_limits`` asks to wait."""
    if not limits or not limits.get("rate_limited"):
        return 0.0
    wait = float(limits.get("wait_time") or 0.0)
    # A monitor that is limited, yet says to wait for nothing, is asked again soon.
    return max(_SHORTEST_WAIT, wait)


def _spend() -> float:
    return 0.0
