"""Many deadlines on one timer, which is set for the earliest.

Most tasks end long before theirs; a timer for each would be made to be thrown away.
"""

import asyncio
import math


class Deadlines:
    """Sets futures at their moments.

    Args:
        loop: whose clock and timer it is.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._moments: dict[asyncio.Future[None], float] = {}
        self._timer_at = math.inf

    def add(self, waiting: asyncio.Future[None], seconds: float) -> None:
        """Set a future after so many seconds, unless it is done or removed before."""
        self._moments[waiting] = moment = self._loop.time() + seconds
        if moment < self._timer_at:
            # One that is set for later finds nothing to do, and is not cancelled.
            self._timer_at = moment
            self._loop.call_at(moment, self._ring)

    def remove(self, waiting: asyncio.Future[None]) -> None:
        """Forget a future."""
        self._moments.pop(waiting, None)

    def _ring(self) -> None:
        now = self._loop.time()
        if now < self._timer_at:
            return  # a timer that was set before an earlier one
        for waiting in [each for each, at in self._moments.items() if at <= now]:
            del self._moments[waiting]
            set_done(waiting)
        self._timer_at = min(self._moments.values(), default=math.inf)
        if self._moments:
            self._loop.call_at(self._timer_at, self._ring)


def set_done(waiting: asyncio.Future[None]) -> None:
    """Set a future that tells nothing, unless it is done."""
    if not waiting.done():
        waiting.set_result(None)
