"""Whether a monitor answers, and what holds while it does not."""

import math
from typing import Any, Final

from arbvantage_provider.clock import Clock
from arbvantage_provider.exceptions import ProviderError
from arbvantage_provider.rate_limit import Reservation
from arbvantage_provider.worker.runtime.backoff import Backoff

FIRST_ERROR_WAIT: Final = 0.1
LONGEST_ERROR_WAIT: Final = 10.0
LOG_INTERVAL: Final = 60.0
"""Seconds between two lines of the log that say the same."""
GRANTED: Final = Reservation(granted=True, wait=0.0)


class CircuitBreaker:
    """How the monitor of one limiter is.

    After an error it is left alone for a while, each time a little longer. Until it
    answers, no permit is free, or (``opens``) all are.

    Args:
        name: what the limit is called in the log.
        opens: whether what is behind the limiter goes on without the limit.
        clock: tells when the monitor may be asked again.
        logger: told when it fails, and when it answers again.

    Attributes:
        opens: as given.
        errors: how often it raised, or did not answer.
        failing: whether it did the last time.
    """

    def __init__(self, *, name: str, opens: bool, clock: Clock, logger: Any) -> None:
        self.opens: bool = opens
        self.errors: int = 0
        self.failing: bool = False
        self._name = name
        self._clock = clock
        self._logger = logger
        self._backoff = Backoff(FIRST_ERROR_WAIT, LONGEST_ERROR_WAIT)
        self._again = self._full_logged = -math.inf

    @property
    def rest(self) -> float:
        """Seconds until it may be asked again; 0: now."""
        if not self.failing:
            return 0.0
        return max(self._again - self._clock.monotonic(), 0.0)

    def fail(self, error: BaseException | None = None) -> Reservation:
        """It raised; ``None``: it does not answer. What holds until it is asked again.

        Only the first failure in a row is logged.
        """
        wait = self._backoff.next_wait()
        self._again = self._clock.monotonic() + wait
        self.errors += 1
        if not self.failing:
            self.failing = True
            self._log(error)
        return self.verdict(wait)

    def verdict(self, wait: float) -> Reservation:
        """What holds while it does not answer, for so many seconds."""
        return GRANTED if self.opens else Reservation(granted=False, wait=wait)

    def recover(self) -> None:
        """It answered."""
        if self.failing:
            self.failing = False
            self._backoff.reset()
            self._logger.info("rate limit monitor answers again", limit=self._name)

    def note_full(self, most: int) -> None:
        """There is no room for one more key."""
        now = self._clock.monotonic()
        if now >= self._full_logged + LOG_INTERVAL:
            self._full_logged = now
            self._logger.warning(
                "limit has no room for more keys", limit=self._name, max_keys=most
            )

    def reset(self) -> None:
        """There is another monitor now."""
        self.failing = False
        self._backoff.reset()

    def _log(self, error: BaseException | None) -> None:
        policy = "open" if self.opens else "closed"
        fields: dict[str, Any] = {"limit": self._name, "until_it_answers": policy}
        if error is None:
            self._logger.error("rate limit monitor does not answer", **fields)
        elif isinstance(error, ProviderError):
            # It says all there is; its traceback is of this package.
            fields["reason"] = str(error)
            self._logger.error("rate limit monitor raised", **fields)
        else:
            self._logger.error("rate limit monitor raised", **fields, exc_info=error)
