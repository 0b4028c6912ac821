"""Whether it is worth asking a server, and what the log is told of it."""

import threading
from typing import Final

from arbvantage_provider.clock import Clock
from arbvantage_provider.exceptions import RateLimitUnavailableError
from arbvantage_provider.rate_limit.notices import notify

HOLD_OFF: Final = 0.5
"""Seconds after a failure in which nobody asks; then one does, for all."""


class RedisCircuitBreaker:
    """Remembers that a server does not answer, so that not everybody waits for it.

    Args:
        clock: tells when it is worth asking again.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._reason = ""
        self._until = 0.0

    def check(self) -> None:
        """Return if the server may be asked.

        Raises:
            RateLimitUnavailableError: if it did not answer lately, with the reason.
        """
        if not self._reason:
            return
        with self._lock:
            now = self._clock.monotonic()
            if self._reason and now < self._until:
                raise RateLimitUnavailableError(self._reason)
            # Who comes next finds it closed again, until this one has an answer.
            self._until = now + HOLD_OFF

    def note_failure(self, error: Exception, limit: object, instead: str) -> None:
        """The server did not answer; only the first time in a row is logged.

        Args:
            error: the reason.
            limit: which limit asked.
            instead: what holds until the server answers.
        """
        with self._lock:
            begins = not self._reason
            self._reason = str(error)
            self._until = self._clock.monotonic() + HOLD_OFF
        if begins:
            line = f"{limit!r} is unavailable; {instead}: {error}"
            fields = {"instead": instead, "reason": str(error)}
            notify("warning", limit, "a limit is unavailable", line=line, **fields)

    def note_answer(self, limit: object) -> None:
        """The server answered; the first time after a failure is logged."""
        if not self._reason:
            return
        with self._lock:
            ends, self._reason = bool(self._reason), ""
        if ends:
            text = "a limit is available again"
            notify("info", limit, text, line=f"{limit!r} is available again")
