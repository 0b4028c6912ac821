"""What one process knows of limits that a server keeps.

It heals what the server loses, tells without a call what was heard last, and lends
permits while the server is away. Memory is bounded: what is oldest is forgotten, and
first of it what says nothing anymore.
"""

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice
from typing import Final

MOST_KEYS: Final = 10_000
_LOOKS: Final = 4
"""How many of the oldest are looked at for one that says nothing anymore."""
_PAST: Final = -math.inf


@dataclass(slots=True, kw_only=True)
class KeyState:
    """What is known of one limit; moments are of this process's clock, in seconds.

    Attributes:
        mark: the server's own moment at which the bucket is full, in microseconds,
            as it was told with this process's last permit; 0: none.
        owned: that moment on this process's clock, at the latest.
        heard: the same by the last answer of any kind.
        asked: when that answer came.
        lent: when the bucket is full as far as lent permits go.
    """

    mark: int = 0
    owned: float = _PAST
    heard: float = _PAST
    asked: float = _PAST
    lent: float = _PAST

    @property
    def full(self) -> float:
        """When the bucket is full, by all that is known."""
        return max(self.owned, self.heard, self.lent)


class LimitState:
    """The limits that one monitor asked for, each a bucket with the same settings.

    Args:
        interval: microseconds for one permit to come back.
        burst: how many permits there are.
        most: how many limits are remembered.
    """

    def __init__(self, interval: int, burst: int, *, most: int = MOST_KEYS) -> None:
        self._micros = interval
        self._interval = interval / 1e6
        self._burst = burst
        self._most = most
        self._known: OrderedDict[bytes, KeyState] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._known)

    def find(self, key: bytes) -> KeyState | None:
        """What is known of a limit, or ``None``."""
        return self._known.get(key)

    def claim(self, key: bytes, now: float) -> tuple[int, int]:
        """What the server must not have forgotten: its own moment, and how far ahead.

        Returns:
            Both in microseconds; the moment is 0 where it is not known. Where the
            distance is 0 there is nothing to claim.
        """
        with self._lock:
            known = self._known.get(key)
            if known is None:
                return 0, 0
            # What was lent is a share: it never claims more than the whole bucket.
            lent = min(known.lent - now, self._interval * self._burst)
            if lent > known.owned - now:
                return 0, _to_micros(lent)
            return known.mark, _to_micros(known.owned - now)

    def note(
        self, key: bytes, *, mark: int, ahead: float, now: float, owned: bool
    ) -> None:
        """Note an answer of the server.

        Args:
            key: of which limit.
            mark: the server's moment at which the bucket is full.
            ahead: how many seconds after the answer was made that is.
            now: when the answer came.
            owned: whether it comes with a permit.
        """
        with self._lock:
            known = self._open(key, now)
            known.heard, known.asked = now + ahead, now
            # Answers may overtake each other; the server's clock may be set back.
            if owned and now + ahead > known.owned:
                known.mark, known.owned = mark, now + ahead

    def take_back(self, key: bytes, mark: int) -> None:
        """A permit was given back: what it set is not to be claimed.

        Args:
            key: of which limit.
            mark: the moment that it had set.
        """
        with self._lock:
            known = self._known.get(key)
            if known is not None and known.mark == mark:
                known.mark -= self._micros
                known.owned -= self._interval
                known.heard = known.asked = _PAST

    def lend(
        self, key: bytes, *, share: float, patience: float, now: float
    ) -> tuple[bool, float]:
        """Take a permit of this process's own share of the limit.

        The share begins where the limit was left: a bucket that was empty is empty.

        Returns:
            Whether it was taken, and the seconds until its moment.
        """
        with self._lock:
            known = self._known.get(key)
            if known is None and not self._make_room(now):
                return False, self._interval
            full = max(known.full if known else _PAST, now)
            interval = self._interval / share
            burst = max(math.floor(self._burst * share), 1)
            wait = max(full - (burst - 1) * interval - now, 0.0)
            if not wait <= patience:
                return False, wait
            self._open(key, now).lent = full + interval
            return True, wait

    def _open(self, key: bytes, now: float) -> KeyState:
        """The state of a key, made and put last where there is none."""
        known = self._known.get(key)
        if known is None:
            if not self._make_room(now):
                self._known.popitem(last=False)
            known = self._known[key] = KeyState()
        self._known.move_to_end(key)
        return known

    def _make_room(self, now: float) -> bool:
        """Drop some of the oldest that say nothing anymore; whether there is room."""
        if len(self._known) < self._most:
            return True
        for key in list(islice(self._known, _LOOKS)):
            if self._known[key].full <= now:
                del self._known[key]
        return len(self._known) < self._most


def _to_micros(seconds: float) -> int:
    return math.ceil(seconds * 1e6) if seconds > 0 else 0
