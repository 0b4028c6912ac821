"""The one place that tells time and sleeps.

Durations are monotonic float seconds; a wall clock that jumps changes none.
"""

import asyncio
import datetime as dt
import time
from typing import Protocol


class Clock(Protocol):
    """What the other rooms know of time; tests pass one of their own."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    def now(self, timezone: dt.tzinfo) -> dt.datetime:
        """The wall clock's date and time in ``timezone``, aware."""
        ...

    def sleep(self, seconds: float) -> None:
        """Block the calling thread for ``seconds``; never call it on a loop."""
        ...

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for ``event``, at most ``seconds``; whether it is set then."""
        ...


class SystemClock:
    """The machine's clocks."""

    monotonic: "staticmethod[[], float]" = staticmethod(time.monotonic)

    def now(self, timezone: dt.tzinfo) -> dt.datetime:
        """The machine's date and time in ``timezone``."""
        return dt.datetime.now(timezone)

    def sleep(self, seconds: float) -> None:
        """``time.sleep``, for no less than zero seconds."""
        time.sleep(max(seconds, 0.0))  # noqa: TID251 - this is the place that sleeps

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait on the running loop."""
        if not event.is_set():
            try:
                async with asyncio.timeout(max(seconds, 0.0)):
                    await event.wait()
            except TimeoutError:
                return event.is_set()
        return True
