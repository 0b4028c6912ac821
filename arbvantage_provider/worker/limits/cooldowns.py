"""How long a limit stays shut after an API said to stay away."""

from typing import Final

from arbvantage_provider.clock import Clock

MOST_KEYS: Final = 10_000
"""How many keys may be shut at once; beyond it, those that open soonest are open."""


class Closures:
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
        if len(self._until) >= MOST_KEYS:
            latest = sorted(self._until.items(), key=_read_until)[MOST_KEYS // 2 :]
            self._until = dict(latest)
        moment = self._clock.monotonic() + seconds
        self._until[key] = max(self._until.get(key, 0.0), moment)

    def clear(self) -> None:
        """Open all of it."""
        self._until.clear()


def _read_until(item: tuple[object, float]) -> float:
    return item[1]
