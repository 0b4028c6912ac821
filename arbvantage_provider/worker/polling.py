"""When the next poll may begin, and how many may be out at once.

While tasks come, more polls are let out, up to one a slot; when none comes,
fewer, and the last one waits a little longer each time. A hub that holds polls
does the waiting itself and is asked again at once.
"""

import asyncio
from collections import deque
from typing import Final

from arbvantage_provider.clock import Clock
from arbvantage_provider.worker.runtime.backoff import Backoff

FIRST_IDLE_WAIT: Final = 0.005
FIRST_FAILURE_WAIT: Final = 0.1
LONGEST_FAILURE_WAIT: Final = 10.0
HELD: Final = 0.5
"""Seconds after which an empty answer was a poll that the hub held."""

QUICK_MISSES: Final = 3
"""How many empty answers a hub that holds polls may give at once, before it counts
as one that does not hold them any more."""


class Poller:
    """Permits to poll; a slot takes one, polls, and gives it back with what came.

    Args:
        clock: tells when a wait is over.
        stopping: set when no poll may begin any more.
        poll_interval: the longest wait for an idle hub, in seconds.
        most: how many polls may be out at once.
    """

    def __init__(
        self, *, clock: Clock, stopping: asyncio.Event, poll_interval: float, most: int
    ) -> None:
        self._clock = clock
        self._stopping = stopping
        self._most = most
        self._allowed = 1
        self._out = self._doomed = 0
        self._not_before = self._idle_until = clock.monotonic()
        self._quick_misses_left = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._interval = poll_interval
        first = min(FIRST_IDLE_WAIT, poll_interval)
        self._idle = Backoff(first, poll_interval)
        self._failures = Backoff(FIRST_FAILURE_WAIT, LONGEST_FAILURE_WAIT)

    async def take_permit(self) -> bool:
        """Wait until this slot may poll; ``False``: it should look around first.

        That is so when the provider is stopping, or ``wake`` was called.
        """
        if self._stopping.is_set():
            return False
        if self._out >= self._allowed:
            permit = asyncio.get_running_loop().create_future()
            self._waiting.append(permit)
            await permit
            return False
        self._out += 1
        while (wait := self._find_wait()) > 0:
            if await self._clock.wait(self._stopping, wait):
                break
        if self._stopping.is_set():
            self.return_permit()
            return False
        return True

    async def hold_repeat(self, repeats: int, since: float = 0.0) -> None:
        """Wait before a task that is done, or refused, is answered once more.

        The first time at once; then the longer, the more often it comes, so that a hub
        that hands out nothing else is not asked as fast as it can answer.

        Args:
            repeats: how often it came after its first answer.
            since: seconds since its last answer; they are a part of the wait.
        """
        if repeats > 1:
            wait = min(FIRST_IDLE_WAIT * 2.0 ** min(repeats, 30), self._interval)
            if wait > since:
                await self._clock.wait(self._stopping, wait - since)

    def return_permit(self) -> None:
        """End a permit that says nothing about the hub."""
        self._out -= 1
        self._doomed = max(self._doomed - 1, 0)
        if self._waiting:
            self.wake(self._allowed - self._out)

    def found_task(self) -> None:
        """End a permit with a task: there may be more."""
        self._allowed = min(self._allowed * 2, self._most)
        self._idle_until = 0.0
        self._idle.reset()
        self._failures.reset()
        self.return_permit()

    def found_nothing(self, seconds: float) -> None:
        """End a permit without a task, after a poll of this many seconds."""
        self._failures.reset()
        if seconds >= HELD:
            self._quick_misses_left = QUICK_MISSES
            self._idle.reset()
        if self._allowed > 1:
            self._allowed //= 2
        elif seconds < HELD and self._out == 1:
            # While another poll is out, that one is waiting for a task already.
            self._count_miss()
        self.return_permit()

    def _count_miss(self) -> None:
        """Wait a little longer each time; a hub that holds polls may miss by chance."""
        if self._quick_misses_left > 0:
            self._quick_misses_left -= 1
        else:
            self._idle_until = self._clock.monotonic() + self._idle.next_wait()

    def failed(self) -> None:
        """End a permit with an error of the connection or the hub.

        Polls that were out together may fail of one and the same reset.
        """
        self._allowed = 1
        if not self._doomed:
            self._doomed = self._out
            self._postpone(self._failures.next_wait())
        self.return_permit()

    @property
    def out(self) -> int:
        """How many permits are taken."""
        return self._out

    def hold_back(self, seconds: float) -> None:
        """End a permit that a limit does not allow yet.

        Where others are out, it may be taken when one of them ends.
        """
        if self._out > 1:
            self._allowed = self._out - 1
            self.return_permit()
        else:
            self.pause(seconds)

    def pause(self, seconds: float) -> None:
        """End a permit, and let no poll begin for this long."""
        self._postpone(seconds)
        self.return_permit()

    def slow_down(self, seconds: float) -> None:
        """Let no poll begin for this long; no permit ends."""
        self._postpone(seconds)

    def wake(self, count: int) -> None:
        """Let so many of the slots that wait for a permit look around."""
        while self._waiting and count > 0:
            permit = self._waiting.popleft()
            if not permit.done():
                permit.set_result(None)
                count -= 1

    def close(self) -> None:
        """Let every slot look around; nobody waits for a permit any more."""
        self.wake(len(self._waiting))

    def _find_wait(self) -> float:
        return max(self._not_before, self._idle_until) - self._clock.monotonic()

    def _postpone(self, seconds: float) -> None:
        moment = self._clock.monotonic() + seconds
        self._not_before = max(self._not_before, moment)
