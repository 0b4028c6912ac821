"""The arithmetic of limits: when the next permit is free, and spending it.

An algorithm knows no clock and no lock: whoever holds it passes monotonic seconds
that never go back, and spends from one thread at a time. A moment to spend at may
lie ahead, as that of a permit that is reserved does.
"""

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from typing import Protocol

# Sums of seconds round: so much less than a number of permits counts as it.
_HAIR = 1e-6


class Algorithm(Protocol):
    """One limit of a monitor; a monitor with several keeps them all."""

    limit: int
    """How many permits it has; before ``due`` all of them are in use."""
    due: float
    """The moment from which a permit is free; it only ever moves on."""

    def spend(self, now: float) -> int:
        """Take one permit at ``now``, which is not before ``due``.

        Returns:
            How many thresholds the permits in use reach then. A limit of one
            permit has none: it is in full use after each spend.
        """
        ...

    def unspend(self) -> None:
        """Be as before the last spend; once, and with no spend in between."""
        ...

    def count_free(self, now: float) -> int:
        """How many permits could be spent at ``now``."""
        ...


class Bucket:
    """A token bucket: ``burst`` permits at once, then one each ``interval`` seconds.

    The algorithm is GCRA, and its state is one moment: from ``due`` on a permit is
    free. Spending moves it one interval on, from ``(burst - 1) * interval``
    before now at the earliest. So any window of ``w`` seconds holds at most
    ``burst + w / interval`` spends. With a burst of 1, two spends are at least
    one interval apart.

    Source: ITU-T I.371, the generic cell rate algorithm.

    Args:
        interval: seconds for one permit to come back.
        burst: how many permits there are.
        thresholds: shares of the burst, 0 to 1, from low to high.
    """

    __slots__ = (
        "_before",
        "_full",
        "_interval",
        "_marks",
        "_spent",
        "_tolerance",
        "due",
        "limit",
    )

    def __init__(
        self, interval: float, burst: int = 1, thresholds: Sequence[float] = ()
    ) -> None:
        self.limit: int = burst
        self.due: float = -math.inf
        self._before = self._full = self.due
        self._interval = interval
        self._tolerance = (burst - 1) * interval
        self._spent = 0
        # At ``now``, burst - 1 + (due - now) / interval permits are in use.
        self._marks = [
            (share * burst - _HAIR - burst + 1) * interval
            for share in thresholds
            if burst > 1
        ]

    def spend(self, now: float) -> int:
        """Move the moment on by one interval.

        It is counted from when the bucket was full last, so that no sum of seconds
        rounds: a burst is whole in a single moment.
        """
        self._before = self.due
        if self.due <= now - self._tolerance:
            self._full, self._spent = now, 0
        self._spent += 1
        self.due = self._full + (self._spent - self.limit + 1) * self._interval
        return bisect_right(self._marks, self.due - now)

    def unspend(self) -> None:
        """Move the moment back."""
        self._spent -= 1
        self.due = self._before

    def count_free(self, now: float) -> int:
        """One for each interval since the moment, and one for the moment itself."""
        since = now - self.due
        if since < 0:
            return 0
        intervals = min(since / self._interval + _HAIR, self.limit)
        return min(math.floor(intervals) + 1, self.limit)


class Window:
    """Never more than ``limit`` spends in any window of ``seconds``, exactly.

    A window includes its beginning and not its end: a spend at 0 s leaves a
    window of 60 s at 60 s. Memory: one float for each of at most ``limit``
    spends.

    Args:
        limit: how many permits there are.
        seconds: the length of the window.
        thresholds: shares of the limit, 0 to 1, from low to high.
    """

    __slots__ = ("_counts", "_dropped", "_seconds", "_times", "due", "limit")

    def __init__(
        self, limit: int, seconds: float, thresholds: Sequence[float] = ()
    ) -> None:
        self.limit: int = limit
        self.due: float = -math.inf
        self._seconds = seconds
        # The oldest falls out when a new one comes, so nothing is ever swept.
        self._times: deque[float] = deque(maxlen=limit)
        self._dropped = -math.inf
        self._counts = [
            max(1, math.ceil(share * limit - _HAIR))
            for share in thresholds
            if limit > 1
        ]

    def spend(self, now: float) -> int:
        """Note the moment; a full window is due when its oldest leaves it."""
        times = self._times
        self._dropped = times[0] if len(times) == self.limit else -math.inf
        times.append(now)
        if len(times) == self.limit:
            self.due = times[0] + self._seconds
        reached = 0
        for count in self._counts:
            if len(times) >= count and times[-count] + self._seconds > now:
                reached += 1
        return reached

    def unspend(self) -> None:
        """Forget the last moment, and remember the one that it pushed out."""
        times = self._times
        times.pop()
        if self._dropped > -math.inf:
            times.appendleft(self._dropped)
        self.due = self._dropped + self._seconds

    def count_free(self, now: float) -> int:
        """As many as the window that ends now has not seen."""
        left = bisect_right(self._times, now, key=lambda time: time + self._seconds)
        return self.limit - len(self._times) + left
