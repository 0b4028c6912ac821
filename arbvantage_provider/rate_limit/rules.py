"""The arithmetic of limits: when the next permit is free, and spending it.

A rule knows no clock and no lock: whoever holds it passes monotonic seconds
that never go back, and spends from one thread at a time.
"""

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from typing import Protocol

# Sums of seconds round: so much less than a threshold, in permits, counts as it.
_HAIR = 1e-6


class Rule(Protocol):
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


class Bucket:
    """A token bucket: ``burst`` permits at once, then one each ``interval`` seconds.

    The rule is GCRA, and its state is one moment: from ``due`` on a permit is
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

    __slots__ = ("_interval", "_marks", "_tolerance", "due", "limit")

    def __init__(
        self, interval: float, burst: int = 1, thresholds: Sequence[float] = ()
    ) -> None:
        self.limit: int = burst
        self.due: float = -math.inf
        self._interval = interval
        self._tolerance = (burst - 1) * interval
        # At ``now``, burst - 1 + (due - now) / interval permits are in use.
        self._marks = [
            (share * burst - _HAIR - burst + 1) * interval
            for share in thresholds
            if burst > 1
        ]

    def spend(self, now: float) -> int:
        """Move the moment on by one interval."""
        self.due = max(self.due, now - self._tolerance) + self._interval
        return bisect_right(self._marks, self.due - now)


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

    __slots__ = ("_counts", "_seconds", "_times", "due", "limit")

    def __init__(
        self, limit: int, seconds: float, thresholds: Sequence[float] = ()
    ) -> None:
        self.limit: int = limit
        self.due: float = -math.inf
        self._seconds = seconds
        # The oldest falls out when a new one comes, so nothing is ever swept.
        self._times: deque[float] = deque(maxlen=limit)
        self._counts = [
            max(1, math.ceil(share * limit - _HAIR))
            for share in thresholds
            if limit > 1
        ]

    def spend(self, now: float) -> int:
        """Note the moment; a full window is due when its oldest leaves it."""
        times = self._times
        times.append(now)
        if len(times) == self.limit:
            self.due = times[0] + self._seconds
        reached = 0
        for count in self._counts:
            if len(times) >= count and times[-count] + self._seconds > now:
                reached += 1
        return reached
