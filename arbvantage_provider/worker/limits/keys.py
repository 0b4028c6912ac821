"""Reading the key that a task counts for, where a limit has keys."""

import traceback
from pathlib import Path
from typing import Any, Final

from arbvantage_provider.exceptions import RateLimitedError
from arbvantage_provider.rate_limit import PerKey
from arbvantage_provider.rate_limit.keyed import UnfitKeyError
from arbvantage_provider.worker.call import TaskKeys
from arbvantage_provider.worker.limits.circuit_breaker import (
    FIRST_ERROR_WAIT,
    LONGEST_ERROR_WAIT,
)
from arbvantage_provider.worker.runtime.backoff import Backoff

NO_KEY: Final = ""
"""The key of a task that passes without one; hashes of keys are longer."""


class KeyReader:
    """Reads keys by a user's function, which may raise.

    Args:
        name: what the limit is called in the log.
        opens: whether a task passes whose key cannot be read.
        logger: told the first time; never what the task or the exception holds.

    Attributes:
        errors: how often a key could not be read.
    """

    def __init__(self, *, name: str, opens: bool, logger: Any) -> None:
        self.errors: int = 0
        self._name = name
        self._opens = opens
        self._logger = logger
        self._backoff = Backoff(FIRST_ERROR_WAIT, LONGEST_ERROR_WAIT)
        self._is_logged = False

    def read(self, source: object, keys: TaskKeys) -> str | None:
        """The hash of a task's key; ``None`` where the limit has no keys.

        Returns:
            ``NO_KEY`` if it cannot be read, and the task passes all the same.

        Raises:
            RateLimitedError: if it cannot be read, and the task does not pass.
        """
        if not isinstance(source, PerKey):
            return None
        try:
            key = keys.find(source)
        except BaseException as error:  # noqa: BLE001 - a user's function may raise anything
            self._note(error)
            if self._opens:
                return NO_KEY
            raise RateLimitedError(self._backoff.next_wait()) from None
        self._backoff.reset()
        return key

    def reset(self) -> None:
        """There is another function now."""
        self._is_logged = False
        self._backoff.reset()

    def _note(self, error: BaseException) -> None:
        self.errors += 1
        if not self._is_logged:
            self._is_logged = True
            reason = _locate(error)
            self._logger.error("rate limit key unread", limit=self._name, reason=reason)


def _locate(error: BaseException) -> str:
    """What was raised, and where: its text may hold what the task brought."""
    if isinstance(error, UnfitKeyError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    name = Path(place.filename).name
    return f"{type(error).__name__} at line {place.lineno} of {name}"
